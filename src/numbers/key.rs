//! Pure. Keys: telephone numbers as 64-bit numbers, and what a cell that should be a key may hold.
//!
//! In:    cells of key columns; numbers that are looked up.
//! Out:   their digits as a number, or why a cell is no key.
//! Never: keeps text.

use crate::limits::NUMBER_BYTES_MAX;

/// E.164 has 15 digits; a key with more is kept as text.
pub(super) const DIGITS_MAX: usize = 15;

/// Why a row is not taken. The sentences lack their subject, the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// The key is empty.
    #[error("is empty; expected digits, such as +441632960000")]
    Empty,
    /// The key has more than [`NUMBER_BYTES_MAX`] bytes.
    #[error("is longer than 64 characters, and no number is")]
    Long,
    /// RFC 3966 visual separators or spaces.
    #[error("holds separators; write digits only, such as +441632960000")]
    Separators,
    /// A `+` inside.
    #[error("has a `+` that is not at the beginning")]
    PlusInside,
    /// Some other byte.
    #[error("holds a character no number has; expected digits, an optional leading `+`, `*`, `#`, A to D")]
    Character,
    /// The last of a range is not as long as the first, or only one of them has a `+`.
    #[error("is a range whose ends differ in length; expected as many digits in both")]
    RangeLengths,
    /// The last is lower than the first.
    #[error("is a range that ends before it begins")]
    RangeOrder,
    /// An end of a range is not a plain number of at most 15 digits.
    #[error("is a range of other than digits; expected an optional `+` and at most 15 digits")]
    RangeDigits,
    /// More or fewer cells than columns.
    #[error("has not as many cells as the table has columns")]
    Cells,
    /// The table has as many rows or values as it can hold.
    #[error("finds no room: the table has as many rows or different values as a table can have")]
    Full,
}

/// A number of `length` digits, leading zeros included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Digits {
    /// Whether a `+` stands before them.
    pub(super) plus: bool,
    /// How many; at most [`DIGITS_MAX`].
    pub(super) length: u32,
    /// As a decimal number.
    pub(super) value: u64,
}

impl Digits {
    /// The digits a text begins with, at most [`DIGITS_MAX`], and whether that is all of it.
    pub(super) fn leading(text: &[u8]) -> (Self, bool) {
        let plus = text.first() == Some(&b'+');
        let rest = text.get(usize::from(plus)..).unwrap_or_default();
        if let Some(digits) = Self::whole(plus, rest) {
            return (digits, true);
        }
        let (mut value, mut length) = (0_u64, 0_u32);
        for byte in rest.iter().take(DIGITS_MAX) {
            if !byte.is_ascii_digit() {
                break;
            }
            // Fifteen digits are less than 2^50.
            value = value * 10 + u64::from(byte - b'0');
            length += 1;
        }
        (Self { plus, length, value }, length as usize == rest.len())
    }

    /// A text of eight digits to fifteen, and nothing else: what numbers mostly are. Its first and its last eight bytes
    /// are read at once.
    #[inline(always)]
    fn whole(plus: bool, text: &[u8]) -> Option<Self> {
        let first = u64::from_le_bytes(*text.first_chunk::<8>()?);
        let last = u64::from_le_bytes(*text.last_chunk::<8>()?);
        let length = text.len();
        if length > DIGITS_MAX || !eight_digits(first) || !eight_digits(last) {
            return None;
        }
        let length = length as u32;
        // Digits that are in both become zeros of the last.
        let behind = (last & DIGIT_VALUES) & u64::MAX.unbounded_shl((16 - length) * 8);
        let value = value_of_eight(first & DIGIT_VALUES) * ten_to(length - 8) + value_of_eight(behind);
        Some(Self { plus, length, value })
    }

    /// Bytes of its text.
    pub(super) fn bytes(self) -> usize {
        usize::from(self.plus) + self.length as usize
    }

    /// The first of the 15-digit numbers that begin with these digits.
    pub(super) fn start(self) -> u64 {
        self.value * unit(self.length)
    }

    /// Its text.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        if self.plus {
            out.push(b'+');
        }
        let mut unit = ten_to(self.length);
        for _ in 0..self.length {
            unit /= 10;
            // A digit by the remainder.
            #[allow(clippy::cast_possible_truncation)]
            out.push(b'0' + (self.value / unit.max(1) % 10) as u8);
        }
    }
}

/// The values of eight digits in ASCII.
const DIGIT_VALUES: u64 = 0x0f0f_0f0f_0f0f_0f0f;

/// Whether eight bytes are digits: all begin with a hexadecimal 3, and still do with six more.
#[inline(always)]
fn eight_digits(bytes: u64) -> bool {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const THREES: u64 = 0x3030_3030_3030_3030;
    bytes & HIGH == THREES && bytes.wrapping_add(0x0606_0606_0606_0606) & HIGH == THREES
}

/// Eight values of digits, the first in the lowest byte, as a number: by pairs, then by pairs of these.
#[inline(always)]
fn value_of_eight(values: u64) -> u64 {
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

/// 15-digit numbers that begin with the same `length` digits.
pub(super) fn unit(length: u32) -> u64 {
    ten_to((DIGITS_MAX as u32).saturating_sub(length))
}

/// A power of ten; of at most 19 digits.
pub(super) fn ten_to(exponent: u32) -> u64 {
    const POWERS: [u64; 16] = {
        let mut powers = [1; 16];
        let mut at = 1;
        while at < 16 {
            powers[at] = powers[at - 1] * 10;
            at += 1;
        }
        powers
    };
    POWERS.get(exponent as usize).copied().unwrap_or(u64::MAX)
}

/// What is wrong with a key. The same bytes as `route::pattern` takes in conditions.
pub(super) fn fault(key: &[u8]) -> Option<RowFault> {
    let rest = key.strip_prefix(b"+").unwrap_or(key);
    if key.is_empty() {
        return Some(RowFault::Empty);
    }
    if key.len() > NUMBER_BYTES_MAX {
        return Some(RowFault::Long);
    }
    if rest.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if rest.iter().any(|&byte| byte == b' ' || crate::sip::is_visual_separator(byte)) {
        return Some(RowFault::Separators);
    }
    if rest.contains(&b'+') {
        return Some(RowFault::PlusInside);
    }
    // RFC 3966 §3: phonedigit-hex adds A to D, `*` and `#` to the digits.
    let known = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'A'..=b'D');
    (!rest.iter().all(known)).then_some(RowFault::Character)
}

/// The key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'k> {
    /// From these digits to as many others: `span` more.
    Digits { from: Digits, span: u64 },
    /// Kept as text: `*21`, letters, more than 15 digits.
    Odd(&'k [u8]),
}

impl<'k> Key<'k> {
    /// Reads the key cells of a row; `to` is `None` where the key is one column.
    pub(super) fn read(from: &'k [u8], to: Option<&[u8]>) -> Result<Self, RowFault> {
        if let Some(fault) = fault(from) {
            return Err(fault);
        }
        let (digits, whole) = Digits::leading(from);
        let to = to.filter(|to| !to.is_empty() && *to != from);
        let Some(to) = to else {
            return Ok(if whole { Self::Digits { from: digits, span: 0 } } else { Self::Odd(from) });
        };
        if let Some(fault) = fault(to) {
            return Err(fault);
        }
        let (last, last_whole) = Digits::leading(to);
        if !whole || !last_whole {
            return Err(RowFault::RangeDigits);
        }
        if last.length != digits.length || last.plus != digits.plus {
            return Err(RowFault::RangeLengths);
        }
        let span = last.value.checked_sub(digits.value).ok_or(RowFault::RangeOrder)?;
        Ok(Self::Digits { from: digits, span })
    }
}
