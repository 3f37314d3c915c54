//! Pure. `%HH` escapes (RFC 3261 §19.1.2), undone. A broken escape stays as it is.

/// A text with its escapes undone.
pub fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    decoded_marked(text).map(|(byte, _)| byte)
}

/// Whether two names are one: in any case, escapes undone (RFC 3261 §19.1.4).
pub fn same_name(a: &[u8], b: &[u8]) -> bool {
    // Most names that are compared differ in their first letter.
    if differ_at_once(a, b) {
        return false;
    }
    let has_escape = || a.contains(&b'%') || b.contains(&b'%');
    let folded = |name| decoded(name).map(|byte| byte.to_ascii_lowercase());
    a.eq_ignore_ascii_case(b) || (has_escape() && folded(a).eq(folded(b)))
}

/// Whether two texts begin with bytes that are not one letter in two cases, and neither with an escape.
#[inline]
pub(super) fn differ_at_once(a: &[u8], b: &[u8]) -> bool {
    // The cases of a letter differ in this bit alone.
    let differ = |a: &u8, b: &u8| (a ^ b) & !0x20 != 0 && *a != b'%' && *b != b'%';
    a.first().zip(b.first()).is_some_and(|(a, b)| differ(a, b))
}

/// A text with its escapes undone; a byte that was escaped is marked.
pub(super) fn decoded_marked(text: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        if byte == b'%'
            && let [high, low, behind @ ..] = after
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = behind;
            return Some((high << 4 | low, true));
        }
        Some((byte, false))
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        for (text, expected) in
            [("a%41b", "aAb"), ("%4", "%4"), ("%zz%20", "%zz "), ("%", "%"), ("%2541", "%41")]
        {
            assert_eq!(decoded(text.as_bytes()).collect::<Vec<_>>(), expected.as_bytes(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn names_are_compared_as_if_all_of_them_were_looked_at(a in "(%[2-7][0-9a-f]|[a-cA-C%!{@`-]){0,4}", b in "(%[2-7][0-9a-f]|[a-cA-C%!{@`-]){0,4}") {
            let folded = |name: &str| decoded(name.as_bytes()).map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
            prop_assert_eq!(same_name(a.as_bytes(), b.as_bytes()), folded(&a) == folded(&b));
        }
    }

    #[test]
    fn a_name_is_itself_in_any_case_and_escaped() {
        for (a, b, same) in
            [("rn", "RN", true), ("%72n", "rn", true), ("%72N", "Rn", true), ("rn", "rm", false)]
        {
            assert_eq!(same_name(a.as_bytes(), b.as_bytes()), same, "{a} {b}");
        }
    }
}
