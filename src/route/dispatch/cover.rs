//! Pure. Beginnings that cover a range of numbers.

use crate::limits::KEYS_PER_RANGE_MAX;

/// Beginnings, at most [`KEYS_PER_RANGE_MAX`], such that each number from `first` to `last` has one of them.
/// Both have the same length and form, as [`super::super::NumberPattern`] has it.
///
/// They cover nothing else when their number allows it; otherwise a little more.
pub(super) fn beginnings(first: &[u8], last: &[u8]) -> Vec<Vec<u8>> {
    let same = first.iter().zip(last).take_while(|(one, other)| one == other).count();
    let mut best = vec![first.get(..same).unwrap_or_default().to_vec()];
    // The deeper, the closer.
    for depth in same + 1..=first.len() {
        let mut found = Vec::new();
        descend(first, last, depth, &mut first.get(..same).unwrap_or_default().to_vec(), &mut found);
        if found.len() > KEYS_PER_RANGE_MAX {
            break;
        }
        best = found;
    }
    best
}

/// The beginnings below `start` whose numbers are in the range, none longer than `depth`.
fn descend(first: &[u8], last: &[u8], depth: usize, start: &mut Vec<u8>, found: &mut Vec<Vec<u8>>) {
    let at = start.len();
    let on = |edge: &[u8]| edge.starts_with(start);
    let rest = |edge: &[u8], digit: u8| edge.iter().skip(at).all(|&byte| byte == digit);
    let (on_first, on_last) = (on(first), on(last));
    // All below an edge are in the range when the edge goes on with the lowest, or the highest, digits.
    let is_whole = (!on_first || rest(first, b'0')) && (!on_last || rest(last, b'9'));
    if is_whole || at >= depth {
        return found.push(start.clone());
    }
    let digit = |edge: &[u8], other: u8| edge.get(at).copied().unwrap_or(other);
    let from = if on_first { digit(first, b'0') } else { b'0' };
    let to = if on_last { digit(last, b'9') } else { b'9' };
    for next in from..=to {
        start.push(next);
        descend(first, last, depth, start, found);
        start.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(first: &str, last: &str) -> String {
        let found = beginnings(first.as_bytes(), last.as_bytes());
        let found: Vec<_> = found.into_iter().map(|start| String::from_utf8(start).expect("text")).collect();
        found.join(" ")
    }

    #[test]
    fn a_range_is_covered_by_beginnings() {
        for (first, last, expected) in [
            ("+441632960000", "+441632960999", "+441632960"),
            ("100", "100", "100"),
            ("100", "199", "1"),
            ("000", "999", ""),
            ("1999", "2000", "1999 2000"),
            ("128", "141", "128 129 13 140 141"),
            ("+1200", "+4199", "+12 +13 +14 +15 +16 +17 +18 +19 +2 +3 +40 +41"),
        ] {
            assert_eq!(cover(first, last), expected, "{first}-{last}");
        }
    }

    #[test]
    fn one_that_needs_too_many_is_covered_with_more_around_it() {
        let (first, last) = ("+441111111111", "+448888888888");
        let found = beginnings(first.as_bytes(), last.as_bytes());
        assert!((8..=KEYS_PER_RANGE_MAX).contains(&found.len()), "{found:?}");
        for number in [first, last, "+441111111112", "+445000000000", "+448888888887"] {
            assert_eq!(
                found.iter().filter(|start| number.as_bytes().starts_with(start)).count(),
                1,
                "{number}"
            );
        }
        assert!(!found.iter().any(|start| b"+449".starts_with(start)));
    }
}
