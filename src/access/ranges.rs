//! Pure. Addresses of one family as ranges without overlap, each with the set of lists that hold it.

/// A set of lists, by bit: [`crate::limits::ACCESS_LISTS_MAX`] are as many as it has.
pub(super) type Lists = u64;

/// A span of addresses: its first, the one after its last or `None` for the end of the family, the list.
pub(super) type Span<K> = (K, Option<K>, u32);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_list_are_one_range() {
        let (starts, lists) =
            boundaries(vec![(0_u8, Some(10), 0), (10, Some(20), 0), (15, None, 0), (30, Some(40), 1)]);
        assert_eq!((starts, lists), (vec![0, 30, 40], vec![1, 3, 1]));
    }
}
