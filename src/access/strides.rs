//! Pure. Addresses of one family and the set of lists that hold each, found by the first bits of the address.
//!
//! In:    spans of addresses, each of one list.
//! Out:   the lists that hold one address: the node of its first 16 bits, the one of its next 8 where that is crowded,
//!        and so on, and a search among the few ranges that begin in the last.
//! Never: takes more nodes than [`NODES_PER_RANGE`] for each range, wherever the networks lie.
//!
//! ```text
//!  address ─→ node of the first 16 bits ─┬─→ one set for all of it
//!                                        ├─→ a few ranges ─→ set
//!                                        └─→ node of the next 8 bits ─→ …
//! ```
//!
//! A look-up among many networks waits for memory, not for comparisons: a node is one place to read.

use super::ranges::{Lists, Span, boundaries};

/// Bits of an address that find its first node.
const FIRST_BITS: u32 = 16;
/// Bits that find each further one.
const NEXT_BITS: u32 = 8;
/// Ranges from which on a node is split. Of fewer a search reads two or three cache lines; more nodes would find one at once, and
/// be in no cache.
const CROWD_RANGES: usize = 64;
/// Nodes for each range, besides the first ones, of 8 bytes each. When there are so many, no further node is split, and the
/// search among the ranges of a crowded one takes longer.
const NODES_PER_RANGE: usize = 8;

/// Place in [`Strides::sets`].
type SetId = u32;

/// An address as a number.
pub(super) trait Address: Copy + Ord {
    /// How many bits it has.
    const BITS: u32;
    /// All but the first 16 bits, which are those of the node: many entries have to lie in few lines of the cache.
    type Kept: Copy + std::fmt::Debug;

    /// The bits from `shift` on, those above `mask` left out.
    fn bits(self, shift: u32, mask: usize) -> usize;
    fn kept(self) -> Self::Kept;
    /// The address without its first 16 bits.
    fn of(kept: Self::Kept) -> Self;
}

impl Address for u32 {
    const BITS: Self = Self::BITS;
    type Kept = u16;

    fn bits(self, shift: u32, mask: usize) -> usize {
        (self >> shift) as usize & mask
    }

    fn kept(self) -> u16 {
        (self & 0xffff) as u16
    }

    fn of(kept: u16) -> Self {
        kept.into()
    }
}

impl Address for u128 {
    const BITS: u32 = Self::BITS;
    type Kept = [u16; 7];

    fn bits(self, shift: u32, mask: usize) -> usize {
        (self >> shift) as usize & mask
    }

    fn kept(self) -> [u16; 7] {
        std::array::from_fn(|at| (self >> (16 * (6 - at)) & 0xffff) as u16)
    }

    fn of(kept: [u16; 7]) -> Self {
        kept.iter().fold(0, |address, two| address << 16 | Self::from(*two))
    }
}

/// All addresses; nothing where no list holds any.
#[derive(Debug)]
pub(super) struct Strides<A: Address> {
    /// Those of the first bits, in order, and behind them those of each node that is split.
    nodes: Vec<Node>,
    entries: Vec<Entry<A>>,
    /// First entry and count of those nodes that have more than [`Node::Few`] can say.
    many: Vec<(u32, u32)>,
    /// Each set once: there are few, and they stay near.
    sets: Vec<Lists>,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    /// The same lists hold all of it.
    Even(SetId),
    /// Its entries; the first of them is of where it begins.
    Few { first: u32, count: u16 },
    /// The same, at this place in [`Strides::many`].
    Many(u32),
    /// Where its nodes are.
    Split(u32),
}

/// A range by its first address; it ends where the next begins.
#[derive(Clone, Copy, Debug)]
struct Entry<A: Address> {
    start: A::Kept,
    /// A [`SetId`], without a gap before it.
    set: [u8; 4],
}

impl<A: Address> Default for Strides<A> {
    fn default() -> Self {
        Self { nodes: Vec::new(), entries: Vec::new(), many: Vec::new(), sets: Vec::new() }
    }
}

impl<A: Address> Strides<A> {
    /// Of spans (first address, the one after the last or `None` for the end of the family, list).
    pub(super) fn of(spans: Vec<Span<A>>) -> Self {
        let (starts, lists) = boundaries(spans);
        if starts.is_empty() {
            return Self::default();
        }
        let mut sets = lists.clone();
        sets.push(0);
        sets.sort_unstable();
        sets.dedup();
        let id = |of: Lists| index(sets.binary_search(&of).unwrap_or_default());
        let ranges: Vec<(A, SetId)> = starts.into_iter().zip(lists.into_iter().map(id)).collect();
        let nodes_max = (1 << FIRST_BITS) + NODES_PER_RANGE * ranges.len();
        let mut all = Self::default();
        all.split(&ranges, id(0), A::BITS, FIRST_BITS, nodes_max);
        Self { sets, ..all }
    }

    /// Makes the nodes of the next `bits` of the `free_bits`, in which these ranges begin; `before` is the set of the one that comes
    /// into them. Returns where they are.
    fn split(
        &mut self,
        ranges: &[(A, SetId)],
        before: SetId,
        free_bits: u32,
        bits: u32,
        nodes_max: usize,
    ) -> u32 {
        let (first, count) = (self.nodes.len(), 1_usize << bits);
        self.nodes.resize(first.saturating_add(count), Node::Even(before));
        let below = free_bits - bits;
        let (mut rest, mut before) = (ranges, before);
        for part in 0..count {
            let end = rest.partition_point(|(start, _)| start.bits(below, count - 1) <= part);
            let (here, after) = rest.split_at(end);
            let node = self.node(here, before, below, nodes_max);
            if let Some(place) = self.nodes.get_mut(first.saturating_add(part)) {
                *place = node;
            }
            before = here.last().map_or(before, |(_, set)| *set);
            rest = after;
        }
        index(first)
    }

    fn node(&mut self, here: &[(A, SetId)], before: SetId, free_bits: u32, nodes_max: usize) -> Node {
        let Some((start, set)) = here.first() else { return Node::Even(before) };
        let begins_with_it = free_bits == 0 || lowest(*start, free_bits);
        if begins_with_it && here.len() == 1 {
            return Node::Even(*set);
        }
        let has_room = self.nodes.len().saturating_add(1 << NEXT_BITS) <= nodes_max;
        if here.len() >= CROWD_RANGES && free_bits >= NEXT_BITS && has_room {
            return Node::Split(self.split(here, before, free_bits, NEXT_BITS, nodes_max));
        }
        let first = index(self.entries.len());
        let entry = |start: A, set: SetId| Entry { start: start.kept(), set: set.to_ne_bytes() };
        if !begins_with_it {
            // Nothing is below it: it is where the search ends that finds no other.
            self.entries.push(entry(*start, before));
        }
        self.entries.extend(here.iter().map(|(start, set)| entry(*start, *set)));
        let count = index(self.entries.len()).saturating_sub(first);
        match u16::try_from(count) {
            Ok(count) => Node::Few { first, count },
            Err(_) => {
                self.many.push((first, count));
                Node::Many(index(self.many.len().saturating_sub(1)))
            }
        }
    }

    /// The lists that hold this address.
    pub(super) fn find(&self, address: A) -> Lists {
        let set = self.set(address).and_then(|set| self.sets.get(set as usize));
        set.copied().unwrap_or_default()
    }

    fn set(&self, address: A) -> Option<SetId> {
        let mut shift = A::BITS - FIRST_BITS;
        let mut at = address.bits(shift, (1 << FIRST_BITS) - 1);
        loop {
            match *self.nodes.get(at)? {
                Node::Even(set) => return Some(set),
                Node::Few { first, count } => return self.among(address, first, count.into()),
                Node::Many(place) => {
                    let (first, count) = *self.many.get(place as usize)?;
                    return self.among(address, first, count);
                }
                Node::Split(first) => {
                    shift = shift.checked_sub(NEXT_BITS)?;
                    at = (first as usize).checked_add(address.bits(shift, (1 << NEXT_BITS) - 1))?;
                }
            }
        }
    }
}

impl<A: Address> Strides<A> {
    /// The set of the last of these entries that is not behind the address.
    fn among(&self, address: A, first: u32, count: u32) -> Option<SetId> {
        let entries = self.entries.get(first as usize..)?.get(..count as usize)?;
        // The first begins where the node does, whatever it says.
        let (before, others) = entries.split_first()?;
        let address = A::of(address.kept());
        let after = others.partition_point(|entry| A::of(entry.start) <= address);
        let found = after.checked_sub(1).and_then(|at| others.get(at)).unwrap_or(before);
        Some(SetId::from_ne_bytes(found.set))
    }
}

/// Whether the last bits of an address are all 0.
fn lowest<A: Address>(address: A, bits: u32) -> bool {
    (0..bits).step_by(8).all(|shift| address.bits(shift, (1 << (bits - shift).min(8)) - 1) == 0)
}

/// Entries and nodes are fewer than a `u32` counts: both are bounded by the number of networks.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

const _: () = assert!(FIRST_BITS < u32::BITS && (u32::BITS - FIRST_BITS).is_multiple_of(NEXT_BITS));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A look at each span.
    fn looked_up<A: Address>(spans: &[Span<A>], address: A) -> Lists {
        let holds = |(first, end, _): &&Span<A>| *first <= address && end.is_none_or(|end| address < end);
        spans.iter().filter(holds).fold(0, |lists, (.., list)| lists | 1 << list)
    }

    /// At the edges of all spans, beside them, and here.
    fn agree<A: Address + std::fmt::Debug>(
        spans: &[Span<A>],
        beside: impl Fn(A) -> [A; 3],
        more: impl IntoIterator<Item = A>,
    ) {
        let strides = Strides::of(spans.to_vec());
        let edges = spans.iter().flat_map(|(first, end, _)| [Some(*first), *end].into_iter().flatten());
        for address in edges.flat_map(beside).chain(more) {
            assert_eq!(strides.find(address), looked_up(spans, address), "{address:?}");
        }
    }

    fn beside_v4(at: u32) -> [u32; 3] {
        [at.wrapping_sub(1), at, at.wrapping_add(1)]
    }

    fn beside_v6(at: u128) -> [u128; 3] {
        [at.wrapping_sub(1), at, at.wrapping_add(1)]
    }

    /// Networks near one another at every depth, and anywhere.
    fn network_v6() -> impl Strategy<Value = Span<u128>> {
        let near =
            (0..=15_u32, 0..4_u128).prop_map(|(byte, value)| 0x2001_0db8_u128 << 96 | value << (8 * byte));
        (prop_oneof![near, any::<u128>()], 0..=128_u32, 0..4_u32).prop_map(|(address, prefix_len, list)| {
            let host_bits = 128 - prefix_len;
            let first = address.checked_shr(host_bits).unwrap_or(0).checked_shl(host_bits).unwrap_or(0);
            let end = 1_u128.checked_shl(host_bits).and_then(|size| first.checked_add(size));
            (first, end, list)
        })
    }

    proptest! {
        #[test]
        fn a_look_up_of_ipv4_is_a_look_at_each_span(
            // In a few nodes, crowded and not, at their edges, and over many of them.
            spans in prop::collection::vec(
                (prop_oneof![0xfffe_ff00..0x1_0002_0000_u64, 0..1_u64 << 32],
                 prop_oneof![1..40_u64, 1..100_000_u64, 1..1_u64 << 32], 0..4_u32), 0..200),
            more in prop::collection::vec(any::<u32>(), 50),
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(first, len, list)| {
                let first = (first & 0xffff_ffff) as u32;
                (first, u32::try_from(u64::from(first) + len).ok(), list)
            }).collect();
            agree(&spans, beside_v4, more.into_iter().chain([0, u32::MAX]));
        }

        #[test]
        fn a_look_up_of_ipv6_is_a_look_at_each_span(
            spans in prop::collection::vec(network_v6(), 0..200),
            more in prop::collection::vec(any::<u128>(), 50),
        ) {
            agree(&spans, beside_v6, more.into_iter().chain([0, u128::MAX]));
        }
    }

    #[test]
    fn a_node_is_split_when_it_is_crowded() {
        let base = 0x0a01_0000_u32;
        // Each is a range and the one behind it.
        let least = CROWD_RANGES / 2;
        for count in [1, least - 1, least, 4096] {
            let spans: Vec<_> =
                (0..index(count)).map(|at| (base + 2 * at, Some(base + 2 * at + 1), at % 3)).collect();
            let strides = Strides::of(spans.clone());
            let is_split = matches!(strides.nodes.get(0x0a01), Some(Node::Split(_)));
            assert_eq!(is_split, count >= least, "{count}");
            agree(&spans[..count.min(64)], beside_v4, base..base + 300);
        }
    }

    #[test]
    fn a_node_in_which_nothing_begins_has_no_entries() {
        let strides =
            Strides::of(vec![(0x0a00_0000_u32, Some(0x0b00_0000), 0), (0x0a05_0000, Some(0x0a06_0000), 1)]);
        assert!(strides.entries.is_empty() && strides.nodes.len() == 1 << FIRST_BITS);
        assert_eq!(
            [0x0a05_ffff, 0x0a06_0000, 0x0b00_0000, 0x09ff_ffff].map(|it| strides.find(it)),
            [3, 1, 0, 0]
        );
    }

    #[test]
    fn networks_that_lie_as_badly_as_can_be_take_no_more_nodes_than_there_may_be() {
        // Crowds, each alone in the node of every depth.
        let crowd = |at: u128| (0..CROWD_RANGES as u128).map(move |one| (at << 70) | (2 * one));
        let spans: Vec<Span<u128>> =
            (1..200).flat_map(crowd).map(|first| (first, Some(first + 1), 0)).collect();
        let strides = Strides::of(spans.clone());
        let ranges = 2 * spans.len();
        let besides = strides.nodes.len() - (1 << FIRST_BITS);
        assert!((4 * ranges..=NODES_PER_RANGE * ranges).contains(&besides), "{besides} of {ranges}");
        for (first, ..) in spans {
            assert_eq!([strides.find(first), strides.find(first + 1)], [1, 0], "{first:#x}");
        }
    }

    #[test]
    fn of_nobody_there_is_nothing() {
        let strides = Strides::<u32>::of(Vec::new());
        assert!(strides.nodes.is_empty());
        assert_eq!(strides.find(7), 0);
    }

    #[test]
    fn a_crowd_that_cannot_be_split_is_searched() {
        // More than a `Few` can say, in one node of the first bits, and no nodes besides.
        let spans: Vec<Span<u128>> = (0..40_000).map(|at| (2 * at, Some(2 * at + 1), 0)).collect();
        let ranges: Vec<(u128, SetId)> = (0..80_000).map(|at| (at, u32::from(at % 2 == 0))).collect();
        let mut strides = Strides { sets: vec![0, 1], ..Strides::default() };
        strides.split(&ranges, 0, 128, FIRST_BITS, 1 << FIRST_BITS);
        assert!(
            matches!(strides.nodes.first(), Some(Node::Many(0))) && strides.nodes.len() == 1 << FIRST_BITS
        );
        for address in (0..80_100).step_by(701) {
            assert_eq!(strides.find(address), looked_up(&spans, address), "{address}");
        }
    }

    #[test]
    fn nodes_and_entries_are_small() {
        assert_eq!((size_of::<Node>(), size_of::<Entry<u32>>(), size_of::<Entry<u128>>()), (8, 6, 18));
    }
}
