//! Pure. All entries of a table that match a number.
//!
//! In:    a number.
//! Out:   its entries, longest first.
//! Never: goes through more than [`NESTED_RANGES_MAX`] ranges, whatever an image says.

use super::{
    Hit, Kind, Near, Table,
    key::{Digits, unit},
    rows::{LENGTH_BITS, end_of, place},
};
use crate::limits::{NESTED_RANGES_MAX, NUMBER_BYTES_MAX};

impl Table {
    /// All entries that match, longest first; of ranges the innermost first. In an exact table at most one.
    pub fn matches<'t>(&'t self, number: &'t [u8]) -> impl Iterator<Item = Hit> + 't {
        self.matches_near(number, None)
    }

    /// The same, the sooner where [`Table::look_ahead`] has found where they begin.
    pub fn matches_near<'t>(
        &'t self,
        number: &'t [u8],
        near: Option<&Near>,
    ) -> impl Iterator<Item = Hit> + 't {
        let (digits, whole) = Digits::leading(number);
        let exact = self.shape.kind == Kind::Exact;
        let odd_lengths = match exact {
            true if whole => 0,
            true => self.odd_lengths & 1_u64.checked_shl(below(number.len())).unwrap_or(0),
            // Longer than the digits: else it would be of digits.
            false => self.odd_lengths & !lowest(digits.bytes()) & lowest(number.len()),
        };
        if exact {
            let (lane, wanted) = place(Kind::Exact, digits);
            let entry = if whole { self.segments.find(&self.words, &self.facts, lane, wanted) } else { None };
            let whole = entry.map(|entry| Hit { entry, length: number.len() });
            return Matches { table: self, number, odd_lengths, whole, climb: None };
        }
        let (lane, wanted) = (usize::from(digits.plus), digits.start());
        let found = self.sorted.last_until(&self.words, lane, wanted, near.map(|near| near.entry));
        let climb = found.map(|found| self.climb(found, digits));
        Matches { table: self, number, odd_lengths, whole: None, climb }
    }

    /// From the last entry that begins at or before these digits, and its number, outwards.
    #[inline]
    pub(super) fn climb(&self, (entry, number): (usize, u64), digits: Digits) -> Climb<'_> {
        Climb {
            table: self,
            number,
            wanted: digits.start(),
            digits,
            next: Some(entry),
            start: Some(number),
            steps: NESTED_RANGES_MAX + 1,
        }
    }

    fn find_odd(&self, key: &[u8]) -> Option<u32> {
        let (mut low, mut high) = (0, self.facts.odd);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.odd(middle).cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return u32::try_from(self.first_odd() + middle).ok(),
            }
        }
        None
    }

    /// Digits of a prefix, and the entry around it.
    #[inline]
    pub(super) fn around(&self, entry: usize) -> Option<(u32, Option<usize>)> {
        let word = self.facts.climb.get(&self.words, entry)?;
        #[allow(clippy::cast_possible_truncation)]
        let length = word as u32 & ((1 << LENGTH_BITS) - 1);
        let parent = usize::try_from(word >> LENGTH_BITS).ok().and_then(|parent| parent.checked_sub(1));
        // Outer ones come first. An image that says otherwise must not lead round in a circle.
        Some((length, parent.filter(|&parent| parent < entry)))
    }
}

/// The index of the bit for a length.
fn below(length: usize) -> u32 {
    u32::try_from(length.wrapping_sub(1)).unwrap_or(u32::MAX)
}

/// Bits of lengths up to this one.
fn lowest(length: usize) -> u64 {
    if length >= NUMBER_BYTES_MAX { u64::MAX } else { (1 << length) - 1 }
}

/// See [`Table::matches`].
struct Matches<'t> {
    table: &'t Table,
    number: &'t [u8],
    /// Lengths of keys kept as text that may match.
    odd_lengths: u64,
    /// In an exact table the only one.
    whole: Option<Hit>,
    climb: Option<Climb<'t>>,
}

impl Iterator for Matches<'_> {
    type Item = Hit;

    #[inline]
    fn next(&mut self) -> Option<Hit> {
        while self.odd_lengths != 0 {
            let length = (u64::BITS - self.odd_lengths.leading_zeros()) as usize;
            self.odd_lengths &= lowest(length - 1);
            let key = self.number.get(..length).unwrap_or_default();
            if let Some(entry) = self.table.find_odd(key) {
                return Some(Hit { entry, length });
            }
        }
        self.whole.take().or_else(|| self.climb.as_mut()?.next())
    }
}

/// From the innermost range that begins at or before a number outwards.
pub(super) struct Climb<'t> {
    table: &'t Table,
    /// Where the innermost begins.
    number: u64,
    wanted: u64,
    digits: Digits,
    next: Option<usize>,
    /// Where that begins, if it is known.
    start: Option<u64>,
    steps: usize,
}

impl Climb<'_> {
    #[inline]
    pub(super) fn next(&mut self) -> Option<Hit> {
        let table = self.table;
        while self.steps > 0 {
            self.steps -= 1;
            let entry = self.next?;
            let (length, around) = table.around(entry)?;
            self.next = around;
            let start = self.start.take();
            if length <= self.digits.length && self.wanted < self.end(entry, length, start)? {
                let length = usize::from(self.digits.plus) + length as usize;
                return Some(Hit { entry: u32::try_from(entry).ok()?, length });
            }
        }
        None
    }

    /// Where an entry that holds `self.number` ends.
    #[inline]
    fn end(&self, entry: usize, length: u32, start: Option<u64>) -> Option<u64> {
        let Table { facts, words, sorted, .. } = self.table;
        let span = if facts.spans.len > 0 { facts.spans.get(words, entry)? } else { 0 };
        let start = match start {
            Some(start) => start,
            None if span > 0 => sorted.get(words, entry)?.1,
            None => self.start_of_prefix(length),
        };
        Some(end_of(start, length, span))
    }

    /// Where a prefix of so many digits that holds `self.number` begins.
    #[inline]
    fn start_of_prefix(&self, length: u32) -> u64 {
        // Both are whole numbers of less than 2^53, and a quotient that is none differs from the next by
        // more than the rounding: the floor is right, and found in a third of the time.
        let unit = unit(length);
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let units = (self.number as f64 / unit as f64) as u64;
        units.saturating_mul(unit)
    }
}
