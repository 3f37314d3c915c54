//! Pure. The substitution expression of a NAPTR's regexp field (RFC 3402 §3.2, RFC 6116 §3.2):
//! `delimiter ERE delimiter replacement delimiter flags`.

use super::{ere::Ere, replacement::Replacement};
use crate::limits::{NAPTR_EXPRESSION_BYTES_MAX, URI_BYTES_MAX};

/// What `subject` becomes by `expression`, as a lookup does it. `None` when that is no expression, does
/// not match, or makes more than [`URI_BYTES_MAX`].
#[must_use]
pub fn substitute(expression: &[u8], subject: &[u8]) -> Option<Vec<u8>> {
    let mut room = [0; URI_BYTES_MAX];
    Expression::new(expression)?.apply(subject, &mut room).map(<[u8]>::to_vec)
}

/// A substitution expression, compiled.
#[derive(Debug)]
pub struct Expression {
    ere: Ere,
    replacement: Replacement,
}

impl Expression {
    /// `None` when it is none.
    #[must_use]
    pub fn new(expression: &[u8]) -> Option<Self> {
        Self::read(expression, &mut 1)
    }

    /// Whether it has a `+` that is not escaped and repeats nothing, which was taken for itself: `^+44`.
    #[must_use]
    pub fn tolerated_plus(&self) -> bool {
        self.ere.tolerated_plus()
    }

    /// `None` when it is none. One that is not plain takes one of `compilations`.
    pub(super) fn read(expression: &[u8], compilations: &mut usize) -> Option<Self> {
        let Parts { delimiter, ere, replacement, ignore_case } = split(expression)?;
        let ere = Ere::read(ere, delimiter, ignore_case, compilations)?;
        Some(Self { ere, replacement: Replacement::read(replacement) })
    }

    /// Writes what `subject` becomes to the start of `out`. `None` when the expression does not match,
    /// or the result does not fit: the record is to be passed over (RFC 6116 §5.2).
    pub fn apply<'o>(&self, subject: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
        let groups = self.ere.matches(subject)?;
        self.replacement.fill(&groups, subject, out)
    }

    /// What stands for a match.
    pub(super) fn replacement(&self) -> &Replacement {
        &self.replacement
    }

    /// Memory taken, in bytes, besides its own.
    pub(super) fn heap_bytes(&self) -> usize {
        self.replacement.heap_bytes().saturating_add(self.ere.heap_bytes())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Parts<'e> {
    delimiter: u8,
    ere: &'e [u8],
    replacement: &'e [u8],
    ignore_case: bool,
}

/// Takes an expression apart.
fn split(expression: &[u8]) -> Option<Parts<'_>> {
    if expression.len() > NAPTR_EXPRESSION_BYTES_MAX {
        return None;
    }
    let (&delimiter, rest) = expression.split_first()?;
    // RFC 3402 §3.2: no digit, 0 neither, whatever its grammar says; no flag. A backslash could not be
    // told from an escape.
    if delimiter.is_ascii_digit() || matches!(delimiter, b'i' | b'I' | b'\\' | 0) {
        return None;
    }
    let (ere, rest) = until(delimiter, rest)?;
    let (replacement, flags) = until(delimiter, rest)?;
    // RFC 6116 §5.2: discarded with more than three delimiters; a fourth one is no flag.
    // RFC 6116 §3.6: outside the replacement, case means nothing.
    let sound = flags.iter().all(|flag| flag.eq_ignore_ascii_case(&b'i'));
    sound.then_some(Parts { delimiter, ere, replacement, ignore_case: !flags.is_empty() })
}

/// What stands before and after the next delimiter that is not escaped.
fn until(delimiter: u8, text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == delimiter && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some((text.get(..end)?, text.get(end.checked_add(1)?..)?))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn substituted<'o>(expression: &[u8], subject: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
        Expression::read(expression, &mut 1)?.apply(subject, out)
    }

    fn apply(expression: &str) -> Option<String> {
        let mut out = [0; URI_BYTES_MAX];
        let made = substituted(expression.as_bytes(), b"+441632960083", &mut out)?;
        Some(String::from_utf8_lossy(made).into())
    }

    #[test]
    fn expressions_of_the_rfc_and_of_real_zones() {
        for (expression, expected) in [
            // RFC 6116 §4.
            (r"!^(\+441632960083)$!sip:\1@example.com!", "sip:+441632960083@example.com"),
            ("!^.*$!sip:info@example.com!", "sip:info@example.com"),
            (r"!^\+44(.*)$!sip:\1@gw.example.com!", "sip:1632960083@gw.example.com"),
            (r"/^\+44(.*)$/sip:0\1@gw.example.com/", "sip:01632960083@gw.example.com"),
            (r"!^(.*)$!sip:\1@example.com;user=phone!i", "sip:+441632960083@example.com;user=phone"),
            (r"!^(.*)$!sip:\1@example.com!I", "sip:+441632960083@example.com"),
            (r"!^(.*)$!sip:\1@example.com!ii", "sip:+441632960083@example.com"),
            // An escaped delimiter is itself, and no alternative.
            (r"|^(\+44\|)?(.*)$|sip:\2@a|", "sip:+441632960083@a"),
            (r"!^.*$!sip:a\!b@example.com!", "sip:a!b@example.com"),
            (r"!^.*$!sip:a\\b!", r"sip:a\b"),
            (r"!^.*$!tel:+441632960083\;npdi!", "tel:+441632960083;npdi"),
            (r"!^(.*)$!\1\1\1!", "+441632960083+441632960083+441632960083"),
            (r"!^\+(4)(4)(1)(6)(3)(2)(9)(6)(0)!\9\8\7\6\5\4\3\2\1!", "069236144"),
            (r"A^\+44(.*)$Asip:\1@exampleA", "sip:1632960083@example"),
            ("!!sip:a@b!", "sip:a@b"),
            (r"!^.*$!!", ""),
        ] {
            assert_eq!(apply(expression).as_deref(), Some(expected), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_passed_over() {
        for expression in [
            "",
            "!",
            "!!",
            "!^.*$",
            "!^.*$!",
            "!^.*$!sip:a@b",
            "!^.*$!sip:a@b!!",
            "!^.*$!sip:a!b@c!",
            "!^.*$!sip:a@b!x",
            "I^.*$Isp:a@bI",
            "1^.*$1sip:a@b1",
            "0^.*$0sip:a@b0",
            "i^.*$isp:a@bi",
            r"\^.*$\sip:a@b\",
            "\0^.*$\0a\0",
            r"!^.*$!sip:\1@b!",
            r"!^(.*)$!sip:\2@b!",
            r"!^(.*)$!sip:\0@b!",
            r"!^.*$!sip:a@b\!",
            r"!^.*\!sip:a@b!",
            "!^\\+1(.*)$!sip:a@b!",
            r"!^\d+$!sip:a@b!",
        ] {
            assert_eq!(apply(expression), None, "{expression}");
        }
    }

    #[test]
    fn an_expression_ends_where_a_string_of_dns_does() {
        let long = |len: usize| format!("!^.*$!{}!", "a".repeat(len - 7));
        assert!(apply(&long(NAPTR_EXPRESSION_BYTES_MAX)).is_some());
        assert!(apply(&long(NAPTR_EXPRESSION_BYTES_MAX + 1)).is_none());
    }

    #[test]
    fn a_plus_that_repeats_nothing_is_told() {
        for (expression, told) in
            [("!^+44(.*)$!a!", true), (r"!^\+44(.*)$!a!", false), (r"+^\+44$+a+", false)]
        {
            assert_eq!(
                Expression::new(expression.as_bytes()).unwrap().tolerated_plus(),
                told,
                "{expression}"
            );
        }
    }

    #[test]
    fn a_result_ends_at_the_room_there_is() {
        let mut out = [0; 26];
        assert!(substituted(br"!^(.*)$!\1\1!", b"+441632960083", &mut out).is_some());
        let mut out = [0; 25];
        assert!(substituted(br"!^(.*)$!\1\1!", b"+441632960083", &mut out).is_none());
        // 255 bytes of regexp make less than 2 kB at most; what is over the limit is passed over.
        let many = format!("!^(.*)$!{}!", r"\1".repeat(URI_BYTES_MAX / 13));
        assert!(apply(&many).is_some());
        let more = format!("!^(.*)$!{}!", r"\1".repeat(URI_BYTES_MAX / 13 + 1));
        assert!(apply(&more).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(expression in vec(any::<u8>(), 0..255), number in vec(any::<u8>(), 0..20)) {
            let mut out = [0; 64];
            if let Some(made) = substituted(&expression, &number, &mut out) {
                prop_assert!(made.len() <= 64);
            }
        }

        /// Bytes that are nearly expressions go deeper.
        #[test]
        fn no_expression_does_harm(
            ere in r"[\^$.*+?(){}|\[\]0-9:,!\\-]{0,40}", replacement in r"[a-z0-9\\!:@]{0,40}", number in r"\+[0-9]{2,15}",
        ) {
            let mut out = [0; 64];
            let expression = format!("!{ere}!{replacement}!");
            if let Some(made) = substituted(expression.as_bytes(), number.as_bytes(), &mut out) {
                prop_assert!(made.len() <= 64);
            }
        }

        #[test]
        fn a_replacement_without_escapes_comes_out_as_it_is(uri in "[a-z0-9:@.;=]{0,64}") {
            let mut out = [0; 64];
            let expression = format!("!^.*$!{uri}!");
            prop_assert_eq!(substituted(expression.as_bytes(), b"+4416", &mut out), Some(uri.as_bytes()));
        }
    }

    #[test]
    fn bytes_that_are_not_text_pass_through_the_replacement() {
        let mut out = [0; 64];
        assert_eq!(substituted(b"!^.*$!\xff\xfe!", b"+44", &mut out), Some(&b"\xff\xfe"[..]));
    }
}
