//! Pure. A name as the cache finds it: the digits at its start as one number, so that what is kept of an E.164 number is
//! found without its name being made (RFC 6116 §3.2).
//!
//! In:    a name; or the digits of a number, and its apex.
//! Out:   the same key for the same name.
//! Never: says which name it is: two may have one key.

use super::enum_lookup::E164_DIGITS;

/// What a name is looked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NameKey<'n> {
    digits: u64,
    rest: &'n str,
}

impl<'n> NameKey<'n> {
    /// Of a name in lower case.
    pub(super) fn of_name(name: &'n str) -> Self {
        let labels = digit_labels(name);
        let rest = name.get(2 * labels.len()..).unwrap_or_default();
        Self { digits: folded(labels.iter().rev().map(|[digit, _]| *digit)), rest }
    }

    /// Of the name that a number has under an apex. `None` where the apex begins with a digit of its own, which the name
    /// would not keep apart from those of the number.
    pub(super) fn of_number(digits: &[u8], apex: &'n str) -> Option<Self> {
        let is_known = E164_DIGITS.contains(&digits.len()) && digit_labels(apex).is_empty();
        is_known.then(|| Self { digits: folded(digits.iter().copied()), rest: apex })
    }
}

/// The labels of one digit each at the start of a name, as many as a number may have.
pub(super) fn digit_labels(name: &str) -> &[[u8; 2]] {
    let labels = name.as_bytes().as_chunks::<2>().0;
    let labels = labels.get(..*E164_DIGITS.end()).unwrap_or(labels);
    let is_digit = |[digit, dot]: &[u8; 2]| digit.is_ascii_digit() && *dot == b'.';
    let count = labels.iter().take_while(|label| is_digit(label)).count();
    labels.get(..count).unwrap_or_default()
}

/// Digits as one number, with how many they are.
fn folded(digits: impl Iterator<Item = u8>) -> u64 {
    digits.fold(1, |folded, digit| folded * 10 + u64::from(digit & 0xf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_number_is_that_of_its_name() {
        for (digits, apex, name) in [
            ("441632960083", "e164.arpa.", "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa."),
            ("123456789012345", "e164.arpa.", "5.4.3.2.1.0.9.8.7.6.5.4.3.2.1.e164.arpa."),
            ("044", "e164.arpa.", "4.4.0.e164.arpa."),
            ("44", "44.example.", "4.4.44.example."),
            ("44", ".", "4.4.."),
        ] {
            let key = NameKey::of_number(digits.as_bytes(), apex);
            assert_eq!(key, Some(NameKey::of_name(name)), "{digits} {apex}");
        }
    }

    #[test]
    fn numbers_that_have_no_key() {
        for (digits, apex) in
            [("44", "1.e164.arpa."), ("4", "e164.arpa."), ("1234567890123456", "e164.arpa.")]
        {
            assert_eq!(NameKey::of_number(digits.as_bytes(), apex), None, "{digits} {apex}");
        }
    }

    #[test]
    fn other_names_have_other_keys() {
        let names =
            ["4.4.0.e164.arpa.", "4.4.e164.arpa.", "44.e164.arpa.", "e164.arpa.", "0.4.4.e164.arpa.", ""];
        for (at, name) in names.iter().enumerate() {
            for other in names.iter().skip(at + 1) {
                assert_ne!(NameKey::of_name(name), NameKey::of_name(other), "{name} {other}");
            }
        }
        // Of more digits than a number has, those behind are text.
        let long = "6.5.4.3.2.1.0.9.8.7.6.5.4.3.2.1.e164.arpa.";
        assert_eq!(NameKey::of_name(long).rest, "1.e164.arpa.");
    }
}
