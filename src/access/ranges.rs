//! Pure. Addresses of one family as ranges without overlap, each with the set of lists that hold it.
//!
//! A look-up takes one step for each factor of sixteen: of a hundred thousand networks, five, each in one
//! or two cache lines. It depends on no property of the addresses; those of IPv4 are few enough for
//! [`super::blocks`], and this is for IPv6.

/// A set of lists, by bit: [`crate::limits::ACCESS_LISTS_MAX`] are as many as it has.
pub(super) type Lists = u64;

/// Keys that are compared in one step.
const KEYS_PER_STEP: usize = 16;

/// Ranges by their first address; each ends where the next begins.
#[derive(Debug, Default)]
pub(super) struct Ranges<K> {
    /// First addresses, in order, and above them every sixteenth of the level below.
    levels: Vec<Vec<K>>,
    /// What holds each range.
    lists: Vec<Lists>,
}

/// A span of addresses: its first, the one after its last or `None` for the end of the family, the list.
pub(super) type Span<K> = (K, Option<K>, u32);

impl<K: Copy + Ord> Ranges<K> {
    /// Of spans; those of one list may overlap.
    pub(super) fn of(spans: Vec<Span<K>>) -> Self {
        let (starts, lists) = boundaries(spans);
        Self { levels: levels(starts), lists }
    }

    /// The lists that hold this address.
    pub(super) fn find(&self, address: K) -> Lists {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let block = level.get(at * KEYS_PER_STEP..).unwrap_or_default();
            let block = block.get(..KEYS_PER_STEP).unwrap_or(block);
            let not_above = block.iter().filter(|&&start| start <= address).count();
            // Below the first start of all, nothing holds it.
            let Some(last) = not_above.checked_sub(1) else { return 0 };
            at = at * KEYS_PER_STEP + last;
        }
        self.lists.get(at).copied().unwrap_or_default()
    }

    /// Ranges, those between lists included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lists.len()
    }
}

/// Where the set of lists that hold an address changes, in order, and the set from there on.
pub(super) fn boundaries<K: Copy + Ord>(mut spans: Vec<Span<K>>) -> (Vec<K>, Vec<Lists>) {
    let mut edges: Vec<(K, Lists)> = Vec::with_capacity(2 * spans.len());
    spans.sort_unstable_by_key(|&(first, _, list)| (list, first));
    for of_list in spans.chunk_by(|one, next| one.2 == next.2) {
        for (first, end, list) in merged(of_list) {
            edges.push((first, 1 << list));
            edges.extend(end.map(|end| (end, 1 << list)));
        }
    }
    edges.sort_unstable_by_key(|edge| edge.0);
    let (mut starts, mut lists, mut inside) = (Vec::new(), Vec::new(), 0);
    for here in edges.chunk_by(|one, next| one.0 == next.0) {
        let before = inside;
        // Spans of one list do not touch: each edge begins or ends one.
        inside = here.iter().fold(inside, |inside, (_, list)| inside ^ list);
        if inside != before {
            starts.extend(here.first().map(|edge| edge.0));
            lists.push(inside);
        }
    }
    (starts, lists)
}

/// Spans of one list, by their first address, without overlap and gap of nothing.
fn merged<K: Copy + Ord>(spans: &[Span<K>]) -> Vec<Span<K>> {
    let mut all: Vec<Span<K>> = Vec::new();
    for &(first, end, list) in spans {
        match all.last_mut() {
            Some((_, last, _)) if last.is_none_or(|last| first <= last) => {
                *last = last.zip(end).map(|(one, other)| one.max(other));
            }
            _ => all.push((first, end, list)),
        }
    }
    all
}

fn levels<K: Copy>(starts: Vec<K>) -> Vec<Vec<K>> {
    let mut levels = vec![starts];
    while let Some(last) = levels.last().filter(|last| last.len() > KEYS_PER_STEP) {
        let above = last.iter().step_by(KEYS_PER_STEP).copied().collect();
        levels.push(above);
    }
    levels
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_look_up_is_a_look_at_each_span(
            spans in prop::collection::vec((any::<u8>(), any::<u8>(), 0..64_u32), 0..120),
        ) {
            let spans: Vec<_> = spans
                .into_iter()
                .map(|(one, other, list)| (one.min(other), one.max(other).checked_add(1), list))
                .collect();
            let ranges = Ranges::of(spans.clone());
            for address in 0..=u8::MAX {
                let holds = |(first, end, _): &&(u8, Option<u8>, u32)| {
                    *first <= address && end.is_none_or(|end| address < end)
                };
                let expected = spans.iter().filter(holds).fold(0, |lists, (.., list)| lists | 1 << list);
                prop_assert_eq!(ranges.find(address), expected, "{}", address);
            }
        }
    }

    #[test]
    fn every_size_has_its_levels() {
        for count in [0, 1, 15, 16, 17, 255, 256, 257, 4096, 4097, 70_000_u32] {
            // Every other address is in the list.
            let ranges = Ranges::of((0..count).map(|n| (4 * n + 2, Some(4 * n + 4), 5)).collect());
            assert_eq!(ranges.len(), 2 * count as usize);
            for address in (0..4 * count + 4).step_by(3) {
                let expected = address % 4 >= 2 && address < 4 * count;
                assert_eq!(ranges.find(address), u64::from(expected) << 5, "{address} of {count}");
            }
        }
    }

    #[test]
    fn neighbours_of_one_list_are_one_range() {
        let ranges =
            Ranges::of(vec![(0_u8, Some(10), 0), (10, Some(20), 0), (15, None, 0), (30, Some(40), 1)]);
        assert_eq!(ranges.len(), 3);
        assert_eq!([0, 29, 30, 39, 40, 255].map(|address| ranges.find(address)), [1, 1, 3, 3, 1, 1]);
    }
}
