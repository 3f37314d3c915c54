//! Pure. Folded values on one line (RFC 3261 §7.3.1): the one place where folding is undone.
//!
//! In:    a header value as it stands in a message.
//! Out:   the same on one line. Never: allocates, lets a line end through.

use memchr::memchr;

use super::class::is_lws;

/// A header value on one line: each fold, with the white space around it, is one space, and so is
/// every other control byte.
pub fn unfolded(value: &[u8]) -> impl Iterator<Item = u8> + use<'_> {
    pieces(value).enumerate().flat_map(|(place, piece)| {
        let fold = (place > 0).then_some(b' ');
        fold.into_iter().chain(piece.iter().map(|&byte| if byte.is_ascii_control() { b' ' } else { byte }))
    })
}

/// What stands between the folds of a value, as it came; its first piece may be empty.
pub(super) fn pieces(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((before, after)) = fold(text) else { return rest.take() };
        rest = Some(after);
        Some(before)
    })
}

/// What stands before and after the first fold. Several in a row, which make empty lines, are one:
/// RFC 3261 §25.1 has them so by `LWS`.
fn fold(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = text.split_at_checked(memchr(b'\n', text)?)?;
    let kept = before.iter().rposition(|&byte| !is_lws(byte)).map_or(0, |last| last + 1);
    let gap = after.iter().position(|&byte| !is_lws(byte)).unwrap_or(after.len());
    Some((before.get(..kept)?, after.get(gap..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sip::Writer;

    fn on_one_line(value: &[u8]) -> Vec<u8> {
        unfolded(value).collect()
    }

    #[test]
    fn a_fold_is_one_space_and_other_control_bytes_one_each() {
        for (value, expected) in [
            ("", ""),
            ("a", "a"),
            ("a  b", "a  b"),
            ("a\r\n b", "a b"),
            ("a\n\tb", "a b"),
            ("a \t \r\n \t b", "a b"),
            ("a\r\n \r\n\t\r\n b", "a b"),
            ("a,\r\n  b,\r\n\tc", "a, b, c"),
            ("a\r\n ", "a "),
            ("\r\n a", " a"),
            ("\r\n ", " "),
            ("a\tb\0\u{1}c\u{7f}", "a b  c "),
            ("a\rb\r", "a b "),
            ("a\nb", "a b"),
            ("\"a\r\n  b\" <sip:c@d>", "\"a b\" <sip:c@d>"),
            ("\u{e9}\u{80}", "\u{e9}\u{80}"),
        ] {
            assert_eq!(String::from_utf8_lossy(&on_one_line(value.as_bytes())), expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_is_one_line_and_the_same_by_both_ways(value in r"[a-c\r\n\t \x00\x7f]{0,40}") {
            let line = on_one_line(value.as_bytes());
            prop_assert!(!line.iter().any(u8::is_ascii_control));
            prop_assert_eq!(&on_one_line(&line), &line);
            let mut buffer = [0; 64];
            let mut out = Writer::new(&mut buffer);
            out.put_unfolded(value.as_bytes());
            prop_assert_eq!(out.written(), &line[..]);
            let words = |text: &[u8]| {
                text.iter().copied().filter(u8::is_ascii_alphabetic).collect::<Vec<_>>()
            };
            prop_assert_eq!(words(&line), words(value.as_bytes()));
        }
    }
}
