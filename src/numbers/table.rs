//! Pure. A table: entries by number, rows by entry, values by row.
//!
//! In:    numbers.
//! Out:   what matches them.
//! Never: allocates while it looks something up, panics for what an image says.

use std::ops::Range;

use super::{
    KeyColumns, Kind, Row, Shape,
    image::{Facts, ImageFault, sum_in},
    key::Digits,
    near::Near,
    rows::{LENGTH_BITS, digits_of, place},
    segments::Segments,
    sorted::Sorted,
    words::Words,
};
use crate::limits::{NUMBER_BYTES_MAX, NUMBERS_AHEAD_MAX};

/// An entry that matches a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which one; see [`Table::rows_of`].
    pub entry: u32,
    /// Leading bytes of the number that matched, a `+` included.
    pub length: usize,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    pub(super) shape: Shape,
    pub(super) words: Words,
    pub(super) facts: Facts,
    /// Prefixes; none in an exact table.
    pub(super) sorted: Sorted,
    /// Numbers of an exact table.
    pub(super) segments: Segments,
    /// Bit N - 1: some key kept as text has N bytes.
    pub(super) odd_lengths: u64,
    /// By column: the first line of each value; empty in a table from an image.
    lines: Vec<Box<[u32]>>,
}

const _: () = assert!(NUMBER_BYTES_MAX <= u64::BITS as usize);

impl Table {
    /// From an image that was just written.
    pub(super) fn sealed(shape: Shape, words: Words, facts: Facts, lines: Vec<Box<[u32]>>) -> Self {
        let numbers = numbers(&words, &facts).unwrap_or_else(|_| (Sorted::none(), Segments::none()));
        // Of a large one not before: rows on their way are still in memory while the image is written, at a few places at once.
        Self::of(shape, words.for_lookup(), facts, numbers, lines)
    }

    fn of(
        shape: Shape,
        words: Words,
        facts: Facts,
        (sorted, segments): (Sorted, Segments),
        lines: Vec<Box<[u32]>>,
    ) -> Self {
        let mut table = Self { shape, words, facts, sorted, segments, odd_lengths: 0, lines };
        for index in 0..table.facts.odd {
            let length = table.odd(index).len().clamp(1, NUMBER_BYTES_MAX);
            table.odd_lengths |= 1 << (length - 1);
        }
        table
    }

    /// The table as words: what [`Table::from_image`] takes.
    #[must_use]
    pub fn image(&self) -> &[u64] {
        &self.words
    }

    /// A table from its image. The words may be any; nothing later panics or loops for what they say.
    pub fn from_image(words: impl Into<Words>) -> Result<Self, ImageFault> {
        let words = words.into();
        let (facts, key) = Facts::read(&words)?;
        let numbers = numbers(&words, &facts)?;
        let mut columns = Vec::with_capacity(facts.columns.len());
        for column in 0..facts.columns.len() {
            let name = text(&words, facts.names, facts.name_ends, column);
            let name = std::str::from_utf8(name);
            columns.push(name.map_err(|_| ImageFault::Inconsistent("a column has no name"))?.into());
        }
        Ok(Self::of(Shape { kind: facts.kind, columns, key }, words, facts, numbers, Vec::new()))
    }

    /// What it is.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.facts.rows
    }

    /// Different keys.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.facts.numeric + self.facts.odd
    }

    /// Memory it holds, in bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        let lines: usize = self.lines.iter().map(|lines| lines.len() * size_of::<u32>()).sum();
        let words = self.words.len() * size_of::<u64>();
        words + self.sorted.resident_bytes() + self.segments.resident_bytes() + lines + size_of::<Self>()
    }

    /// The entry of a number: in an exact table that of the whole number, else the longest.
    #[must_use]
    #[inline]
    pub fn find(&self, number: &[u8]) -> Option<Hit> {
        self.find_near(number, None)
    }

    /// The same, the sooner where [`Table::look_ahead`] has found it.
    #[must_use]
    #[inline]
    pub fn find_near(&self, number: &[u8], near: Option<&Near>) -> Option<Hit> {
        if let Some(found) = near.and_then(|near| near.found(self, number)) {
            return found;
        }
        if self.shape.kind == Kind::Exact {
            let (digits, whole) = Digits::leading(number);
            if !whole {
                return self.matches(number).next();
            }
            let (lane, wanted) = place(Kind::Exact, digits);
            let entry = self.segments.find(&self.words, &self.facts, lane, wanted)?;
            return Some(Hit { entry, length: number.len() });
        }
        self.matches_near(number, near).next()
    }

    /// Reads what the look-ups of these numbers will read, [`NUMBERS_AHEAD_MAX`] of them at most: they wait for memory together,
    /// and what is looked up then is near. `found` is told what was found for which of them, where it has gone so far: for numbers of
    /// digits, in a table of prefixes.
    pub fn look_ahead<'n>(
        &self,
        numbers: impl Iterator<Item = &'n [u8]>,
        mut found: impl FnMut(usize, Near),
    ) {
        let mut wanted = [None; NUMBERS_AHEAD_MAX];
        for (place, number) in wanted.iter_mut().zip(numbers) {
            let (digits, whole) = Digits::leading(number);
            *place = (whole && digits.length > 0).then_some((number, digits));
        }
        if self.shape.kind == Kind::Exact {
            let places = wanted.map(|wanted| Some(place(Kind::Exact, wanted?.1)));
            return self.segments.look_ahead(&self.words, &self.facts, &places);
        }
        let places =
            wanted.map(|wanted| wanted.map(|(_, digits)| (usize::from(digits.plus), digits.start())));
        let starts = self.sorted.look_ahead(&self.words, &places);
        for (index, (start, wanted)) in starts.into_iter().zip(wanted).enumerate() {
            let Some((start, (number, digits))) = start.zip(wanted) else { continue };
            let hit = self.climb(start, digits).next();
            let entry = u32::try_from(start.0).unwrap_or(u32::MAX);
            if let Some(near) = Near::new(self, number, entry, hit) {
                found(index, near);
            }
        }
    }

    /// The checksum of its words.
    #[inline]
    pub(super) fn sum(&self) -> u64 {
        sum_in(&self.words)
    }

    /// Its rows; in order of their values, whatever the order in the file.
    #[must_use]
    pub fn rows_of(&self, entry: u32) -> Range<Row> {
        let index = entry as usize;
        if index >= self.first_odd() + self.facts.odd {
            return 0..0;
        }
        if self.shape.kind != Kind::Deck {
            return entry..entry.saturating_add(1);
        }
        let start = self.facts.runs.index(&self.words, index);
        let end = self.facts.runs.index(&self.words, index + 1);
        // The rows of an entry are all different.
        let most = start.saturating_add(u32::try_from(self.facts.tuples).unwrap_or(u32::MAX));
        start..end.min(most).max(start)
    }

    /// A value; `b""` for a key column, or none such.
    #[must_use]
    pub fn value(&self, row: Row, column: usize) -> &[u8] {
        let Some(sections) = self.facts.columns.get(column) else { return b"" };
        if row as usize >= self.rows_end() {
            return b"";
        }
        text(&self.words, sections.bytes, sections.ends, self.value_id(row, column) as usize)
    }

    /// Which of the different values of its column it is, in order of bytes; 0 for a key column.
    #[must_use]
    pub fn value_id(&self, row: Row, column: usize) -> u32 {
        let Some(sections) = self.facts.columns.get(column) else { return 0 };
        let tuple = self.tuple_of(row);
        if sections.of_tuple.len > 0 {
            return sections.of_tuple.index(&self.words, tuple as usize);
        }
        if (tuple as usize) < sections.ends.len { tuple } else { 0 }
    }

    /// The number of a row's values.
    #[inline]
    pub(super) fn tuple_of(&self, row: Row) -> u32 {
        if self.shape.kind != Kind::Exact {
            return self.facts.row_tuples.index(&self.words, row as usize);
        }
        match (row as usize).checked_sub(self.first_odd()) {
            Some(row) => self.facts.row_tuples.index(&self.words, row),
            None => self.segments.value(&self.words, &self.facts, row),
        }
    }

    /// Different rows of values.
    pub(super) fn tuples(&self) -> usize {
        self.facts.tuples
    }

    /// The different values of a column by their ids; none of a key column.
    pub fn values(&self, column: usize) -> impl ExactSizeIterator<Item = &[u8]> + '_ {
        let sections = self.facts.columns.get(column).copied().unwrap_or_default();
        (0..sections.ends.len).map(move |id| text(&self.words, sections.bytes, sections.ends, id))
    }

    /// The first line that had a value; 0 when it is not known, as in a table from an image.
    #[must_use]
    pub fn first_line(&self, column: usize, id: u32) -> u32 {
        self.lines.get(column).and_then(|lines| lines.get(id as usize)).copied().unwrap_or(0)
    }

    /// Appends the text of a key column.
    pub fn key_of(&self, entry: u32, column: usize, out: &mut Vec<u8>) {
        if !self.shape.key.contain(column) {
            return;
        }
        if let Some(odd) = (entry as usize).checked_sub(self.first_odd()) {
            out.extend_from_slice(self.odd(odd));
            return;
        }
        let Some((from, span)) = self.digits(entry) else { return };
        let last = matches!(self.shape.key, KeyColumns::Range { to, .. } if to == column);
        let value = if last { from.value.saturating_add(span) } else { from.value };
        Digits { value, ..from }.write(out);
    }

    /// The digits of a key and how many follow in its range; `None` for one kept as text.
    pub(super) fn digits(&self, entry: u32) -> Option<(Digits, u64)> {
        if self.shape.kind == Kind::Exact {
            let (lane, number) = self.segments.get(&self.words, &self.facts, entry)?;
            return Some((digits_of(Kind::Exact, lane, number), 0));
        }
        let entry = entry as usize;
        let (lane, number) = self.sorted.get(&self.words, entry)?;
        let (length, _) = self.around(entry)?;
        let key = number.wrapping_shl(LENGTH_BITS) | u64::from(length);
        let span = self.facts.spans.get(&self.words, entry).unwrap_or(0);
        Some((digits_of(self.shape.kind, lane, key), span))
    }

    /// All entries; those of numbers by their digits, then those kept as text.
    pub fn in_order(&self) -> impl Iterator<Item = u32> + '_ {
        let count = |from: usize, to: usize| (from..to).map_while(|entry| u32::try_from(entry).ok());
        // What an exact table has none of is gone through as none.
        let prefixes = if self.shape.kind == Kind::Exact { 0 } else { self.facts.numeric };
        let odd = self.first_odd();
        let numbers = self.segments.in_order(&self.words, &self.facts);
        numbers.chain(count(0, prefixes)).chain(count(odd, odd + self.facts.odd))
    }

    /// The entry of the first key that is kept as text.
    #[inline]
    pub(super) fn first_odd(&self) -> usize {
        match self.shape.kind {
            Kind::Exact => self.segments.entries_end(&self.facts),
            Kind::Prefix | Kind::Deck => self.facts.numeric,
        }
    }

    /// One more than the last row.
    fn rows_end(&self) -> usize {
        if self.shape.kind == Kind::Exact { self.first_odd() + self.facts.odd } else { self.facts.rows }
    }

    /// A key kept as text.
    pub(super) fn odd(&self, index: usize) -> &[u8] {
        text(&self.words, self.facts.odd_bytes, self.facts.odd_ends, index)
    }
}

/// Prefixes or whole numbers, whichever it has.
fn numbers(words: &[u64], facts: &Facts) -> Result<(Sorted, Segments), ImageFault> {
    match facts.kind {
        Kind::Exact => Ok((Sorted::none(), Segments::read(words, facts)?)),
        Kind::Prefix | Kind::Deck => Ok((Sorted::read(words, facts)?, Segments::none())),
    }
}

/// The text `index` of those end to end.
fn text(words: &[u64], bytes: super::packed::Packed, ends: super::packed::Packed, index: usize) -> &[u8] {
    let end = |index: usize| ends.get(words, index).and_then(|end| usize::try_from(end).ok());
    let Some(last) = end(index) else { return b"" };
    let first = index.checked_sub(1).and_then(end).unwrap_or(0);
    bytes.bytes(words).get(first..last).unwrap_or_default()
}

#[cfg(test)]
impl Table {
    /// Whether an image cannot make tests of it run forever.
    pub(super) fn facts_are_small(&self) -> bool {
        self.facts.columns.iter().all(|column| column.ends.len <= self.words.len() * 64)
    }
}
