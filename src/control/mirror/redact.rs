//! Outside. What a line of the log says of a number or a name.
//!
//! In:    the user part of a URI.
//! Out:   as much of it as the configuration allows.
//! Never: shows a whole number or a name where it says `redacted`; short codes (112, 999) are nobody's number.
//!
//! The hash is keyed with the server's key. Lines of one number, of all nodes with that key, have the same; without
//! the key nobody finds the number by trying all. A server without a key of its own redacts nothing for who tries.

use std::{
    fmt::{self, Display},
    hash::Hasher as _,
};

use siphasher::sip::SipHasher13;

use super::{call::number_in, escape::Escaped};
use crate::config::Numbers;

/// Digits of a number that tell country or area, and no more.
const FIRST_DIGITS: usize = 3;
const LAST_DIGITS: usize = 4;

/// Shows user parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redactor {
    pub(super) numbers: Numbers,
    pub(super) key: [u8; 16],
}

impl Redactor {
    /// This user part, as it may be shown.
    pub(super) fn show(self, user: &[u8]) -> impl Display {
        Shown { redactor: self, user }
    }

    fn hash(self, user: &[u8]) -> Hash {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(b"log");
        hasher.write(user);
        Hash(hasher.finish() >> 24)
    }
}

struct Shown<'a> {
    redactor: Redactor,
    user: &'a [u8],
}

/// 40 bits: among a million numbers hardly two have the same.
struct Hash(u64);

impl Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "~{:010x}", self.0)
    }
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { redactor, user } = *self;
        match (redactor.numbers, number_in(user)) {
            (Numbers::Full, _) => Escaped(user).fmt(f),
            (Numbers::Redacted, Some(number)) if number.digits() <= FIRST_DIGITS => {
                f.write_str(number.as_str())
            }
            (Numbers::Redacted, Some(number)) => {
                let hash = redactor.hash(number.as_str().as_bytes());
                write!(f, "{}{hash}", number.first(FIRST_DIGITS))
            }
            (Numbers::LastDigits, Some(number)) => write!(f, "*{}", number.last(LAST_DIGITS)),
            (Numbers::Redacted | Numbers::LastDigits, None) => redactor.hash(user).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(numbers: Numbers, user: &str) -> String {
        Redactor { numbers, key: [1; 16] }.show(user.as_bytes()).to_string()
    }

    #[test]
    fn by_default_a_number_is_its_beginning_and_a_hash() {
        let shown = |user| shown(Numbers::Redacted, user);
        let whole = shown("+442079460123");
        let (beginning, hash) = whole.split_once('~').unwrap();
        assert_eq!((beginning, hash.len()), ("+442", 10));
        assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(shown("+44-20-7946-0123"), whole, "lines of one number are found");
        assert_ne!(shown("+442079460124"), whole);
        assert_eq!(shown("112"), "112");
        assert!(shown("1121").starts_with("112~"));
        let name = shown("alice");
        assert!(name.starts_with('~') && !name.contains("alice"));
        let other_key = Redactor { numbers: Numbers::Redacted, key: [2; 16] };
        assert_ne!(other_key.show(b"+442079460123").to_string(), whole);
    }

    #[test]
    fn the_last_digits_or_all_may_be_asked_for() {
        assert_eq!(shown(Numbers::LastDigits, "+442079460123"), "*0123");
        assert!(shown(Numbers::LastDigits, "alice").starts_with('~'));
        assert_eq!(shown(Numbers::Full, "+44-20"), "+44-20");
        assert_eq!(shown(Numbers::Full, "ali\x1bce"), r"ali\x1bce");
    }
}
