//! Pure. IPv4 addresses and the set of lists that hold each, found by the first bits of the address.
//!
//! In:    spans of addresses, each of one list.
//! Out:   the lists that hold one address: the block of its first 16 bits, its part of 256 addresses where the block
//!        is crowded, and a search among the ranges that begin there.
//! Never: searches among more ranges than a part has addresses, wherever the networks lie.
//!
//! ```text
//!  address ─→ block of 65,536 ─┬─→ one set for all of it
//!                              ├─→ a few ranges ─→ set
//!                              └─→ part of 256 ─→ a few ranges ─→ set
//! ```

use super::ranges::{Lists, Span, boundaries};

/// Ranges from which on a block is split into parts of 256 addresses.
const CROWD_ENTRIES: usize = 64;
/// Blocks of all addresses.
const BLOCKS: usize = 1 << 16;
/// Parts of a block.
const PARTS: usize = 1 << 8;

/// Place in [`Blocks::sets`].
type SetId = u32;

/// All addresses; nothing where no list holds any.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// By the first 16 bits.
    blocks: Vec<Block>,
    /// For each crowded block, where the entries of its parts begin, and where the last ones end.
    parts: Vec<u32>,
    entries: Vec<Entry>,
    /// Each set once: there are few, and they stay near.
    sets: Vec<Lists>,
}

#[derive(Clone, Copy, Debug)]
enum Block {
    /// The same lists hold all of it.
    Even(SetId),
    /// Its entries.
    Few { first: u32, count: u16 },
    /// Its place in [`Blocks::parts`].
    Crowded { parts: u32 },
}

/// A range by the last 16 bits of its first address; it ends where the next begins. Six bytes, so that ten have room
/// in a cache line.
#[derive(Clone, Copy, Debug)]
struct Entry {
    low: u16,
    set: [u8; 4],
}

impl Blocks {
    /// Of spans (first address, the one after the last or `None` for the end of the family, list).
    pub(super) fn of(spans: Vec<Span<u32>>) -> Self {
        let (starts, lists) = boundaries(spans);
        if starts.is_empty() {
            return Self::default();
        }
        let mut sets = lists.clone();
        sets.push(0);
        sets.sort_unstable();
        sets.dedup();
        let id = |of: Lists| index(sets.binary_search(&of).unwrap_or_default());
        let ranges: Vec<(u32, SetId)> = starts.into_iter().zip(lists.into_iter().map(id)).collect();
        let mut all = Self { blocks: Vec::with_capacity(BLOCKS), ..Self::default() };
        let (mut rest, mut before) = (ranges.as_slice(), id(0));
        for high in 0..=u16::MAX {
            let count = rest.partition_point(|(start, _)| start >> 16 <= u32::from(high));
            let (here, after) = rest.split_at(count);
            let block = all.block(here, before);
            all.blocks.push(block);
            before = here.last().map_or(before, |(_, set)| *set);
            rest = after;
        }
        Self { sets, ..all }
    }

    /// The block in which these ranges begin; `before` is the set of the one that comes into it.
    fn block(&mut self, here: &[(u32, SetId)], before: SetId) -> Block {
        match here {
            [] => return Block::Even(before),
            [(start, set)] if low(*start) == 0 => return Block::Even(*set),
            _ => {}
        }
        if here.len() < CROWD_ENTRIES {
            let first = index(self.entries.len());
            self.push(0, here, before);
            let count = self.entries.len().saturating_sub(first as usize);
            return Block::Few { first, count: u16::try_from(count).unwrap_or(u16::MAX) };
        }
        let parts = index(self.parts.len());
        let (mut rest, mut before) = (here, before);
        for part in 0..=u8::MAX {
            let begins = u16::from(part) << 8;
            let count = rest.partition_point(|(start, _)| low(*start) >> 8 <= u16::from(part));
            let (of_part, after) = rest.split_at(count);
            self.parts.push(index(self.entries.len()));
            self.push(begins, of_part, before);
            before = of_part.last().map_or(before, |(_, set)| *set);
            rest = after;
        }
        self.parts.push(index(self.entries.len()));
        Block::Crowded { parts }
    }

    /// Entries of the addresses from `begins` on; none of them lies before the first entry.
    fn push(&mut self, begins: u16, ranges: &[(u32, SetId)], before: SetId) {
        let entry = |low, set: SetId| Entry { low, set: set.to_ne_bytes() };
        if ranges.first().is_none_or(|(start, _)| low(*start) != begins) {
            self.entries.push(entry(begins, before));
        }
        self.entries.extend(ranges.iter().map(|(start, set)| entry(low(*start), *set)));
    }

    /// The lists that hold this address.
    pub(super) fn find(&self, address: u32) -> Lists {
        let set = self.set(address).and_then(|set| self.sets.get(set as usize));
        set.copied().unwrap_or_default()
    }

    fn set(&self, address: u32) -> Option<SetId> {
        let low = low(address);
        let entries = match *self.blocks.get((address >> 16) as usize)? {
            Block::Even(set) => return Some(set),
            Block::Few { first, count } => self.entries.get(first as usize..)?.get(..usize::from(count))?,
            Block::Crowded { parts } => {
                let part = (parts as usize).checked_add(usize::from(low >> 8))?;
                let (first, end) = (*self.parts.get(part)?, *self.parts.get(part.checked_add(1)?)?);
                self.entries.get(first as usize..end as usize)?
            }
        };
        let after = entries.partition_point(|entry| entry.low <= low);
        entries.get(after.checked_sub(1)?).map(|entry| SetId::from_ne_bytes(entry.set))
    }
}

/// The last 16 bits.
fn low(address: u32) -> u16 {
    (address & 0xffff) as u16
}

/// Entries, parts and sets are fewer than addresses.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

const _: () = assert!(CROWD_ENTRIES < u16::MAX as usize && PARTS * PARTS == BLOCKS);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::ranges::Ranges, *};

    /// Both find the same at the edges of all spans, beside them, and here.
    fn agree(spans: &[Span<u32>], more: impl IntoIterator<Item = u32>) {
        let (blocks, ranges) = (Blocks::of(spans.to_vec()), Ranges::of(spans.to_vec()));
        let edges = spans.iter().flat_map(|(first, end, _)| [*first, end.unwrap_or(u32::MAX)]);
        let beside = edges.flat_map(|edge| [edge.wrapping_sub(1), edge, edge.wrapping_add(1)]);
        for address in beside.chain(more).chain([0, u32::MAX]) {
            assert_eq!(blocks.find(address), ranges.find(address), "{address:#010x}");
        }
    }

    proptest! {
        #[test]
        fn a_look_up_is_that_of_the_ranges(
            // In a few blocks, crowded and not, at their edges, and over many of them.
            spans in prop::collection::vec(
                (prop_oneof![0xfffe_ff00..0x1_0002_0000_u64, 0..1_u64 << 32],
                 prop_oneof![1..40_u64, 1..100_000_u64, 1..1_u64 << 32], 0..4_u32), 0..300),
            more in prop::collection::vec(any::<u32>(), 50),
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(first, len, list)| {
                let first = (first & 0xffff_ffff) as u32;
                (first, u32::try_from(u64::from(first) + len).ok(), list)
            }).collect();
            agree(&spans, more);
        }
    }

    #[test]
    fn a_block_is_split_when_it_is_crowded() {
        let base = 0x0a01_0000_u32;
        for count in [0, 1, CROWD_ENTRIES / 2, CROWD_ENTRIES / 2 + 1, 4096, 32_768] {
            let spans: Vec<_> =
                (0..index(count)).map(|at| (base + 2 * at, Some(base + 2 * at + 1), at % 3)).collect();
            let blocks = Blocks::of(spans.clone());
            let is_crowded = matches!(blocks.blocks.get(0x0a01), Some(Block::Crowded { .. }));
            assert_eq!(is_crowded, 2 * count >= CROWD_ENTRIES, "{count}");
            agree(&spans, base..base + 70_000);
        }
    }

    #[test]
    fn a_block_in_which_nothing_begins_has_no_entries() {
        let blocks =
            Blocks::of(vec![(0x0a00_0000, Some(0x0b00_0000), 0), (0x0a05_0000, Some(0x0a06_0000), 1)]);
        assert!(blocks.entries.is_empty() && blocks.parts.is_empty());
        assert_eq!(
            [0x0a05_ffff, 0x0a06_0000, 0x0b00_0000, 0x09ff_ffff].map(|it| blocks.find(it)),
            [3, 1, 0, 0]
        );
    }

    #[test]
    fn of_nobody_there_is_nothing() {
        let blocks = Blocks::of(Vec::new());
        assert!(blocks.blocks.is_empty());
        assert_eq!(blocks.find(7), 0);
    }

    #[test]
    fn a_block_takes_eight_bytes_and_an_entry_six() {
        assert_eq!((size_of::<Block>(), size_of::<Entry>()), (8, 6));
    }
}
