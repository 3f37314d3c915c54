//! Pure. A bracket expression of an ERE (POSIX.1 §9.3.5) to its set of bytes.
//!
//! In:    what follows its `[`.
//! Out:   one bit for each byte of ASCII; `None` when it is none, or undefined.
//! Never: asks a locale: the classes are those of the POSIX locale, collating elements are refused.

use super::{Parser, bit, both_cases, is_literal};

impl Parser<'_> {
    /// The set of a bracket expression (POSIX.1 §9.3.5), after its `[`. A backslash in it stands for
    /// itself, unless it escapes the delimiter.
    pub(super) fn bracket(&mut self) -> Option<u128> {
        let negated = self.take(b"^");
        let mut set = 0;
        let mut first = true;
        loop {
            if !first && self.take(b"]") {
                break;
            }
            if self.take(b"[:") {
                set |= self.class()?;
                // A class is no end of a range.
                if matches!(self.rest, [b'-', next, ..] if *next != b']') {
                    return None;
                }
            } else {
                // `-` stands for itself first, last, or as the end of a range.
                if !first && matches!(self.rest, [b'-', next, ..] if *next != b']') {
                    return None;
                }
                set |= self.range()?;
            }
            first = false;
        }
        let set = if self.ignore_case { both_cases(set) } else { set };
        Some(if negated { !set & !1 } else { set })
    }

    /// The bytes from one to another, or one byte.
    fn range(&mut self) -> Option<u128> {
        let from = self.member()?;
        if !matches!(self.rest, [b'-', next, ..] if *next != b']') {
            return bit(from);
        }
        self.rest = self.rest.get(1..)?;
        let to = self.member()?;
        let set = (from..=to).filter_map(bit).fold(0, |set, bit| set | bit);
        (set != 0).then_some(set)
    }

    fn member(&mut self) -> Option<u8> {
        let (byte, after) = match self.rest {
            // Collating elements mean something only in a locale, and a class ends no range.
            [b'[', b'.' | b'=' | b':', ..] => return None,
            [b'\\', escaped, after @ ..] if *escaped == self.delimiter => (*escaped, after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        self.rest = after;
        is_literal(byte).then_some(byte)
    }

    /// The bytes of a character class in the POSIX locale, after its `[:`.
    fn class(&mut self) -> Option<u128> {
        let end = self.rest.windows(2).position(|two| two == b":]")?;
        let (name, after) = self.rest.split_at_checked(end)?;
        self.rest = after.get(2..)?;
        let is_of: fn(u8) -> bool = match name {
            b"alpha" => |byte| byte.is_ascii_alphabetic(),
            b"digit" => |byte| byte.is_ascii_digit(),
            b"alnum" => |byte| byte.is_ascii_alphanumeric(),
            b"upper" => |byte| byte.is_ascii_uppercase(),
            b"lower" => |byte| byte.is_ascii_lowercase(),
            b"xdigit" => |byte| byte.is_ascii_hexdigit(),
            b"punct" => |byte| byte.is_ascii_punctuation(),
            b"graph" => |byte| byte.is_ascii_graphic(),
            b"print" => |byte| matches!(byte, b' '..=b'~'),
            b"cntrl" => |byte| byte.is_ascii_control(),
            b"blank" => |byte| matches!(byte, b' ' | b'\t'),
            b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
            _ => return None,
        };
        // NUL is no character of a subject.
        Some((1..128).filter(|byte| is_of(*byte)).filter_map(bit).fold(0, |set, bit| set | bit))
    }
}
