//! Pure. Rows become a table.
//!
//! In:    cells of rows with their lines, in any order.
//! Out:   a table, and which rows had the same key.
//! Never: lets the order of the rows show in the table.

use std::collections::BTreeMap;

use super::{
    KeyColumns, RowFault, Shape, Table,
    assemble::{Parts, assemble},
    dictionary::Dictionary,
    key::Key,
    ranges::resolve,
    rows::{LaneRows, Stream, place, settle},
    run::Item,
    sorted::LANES,
};
use crate::limits::{TABLE_ROWS_MAX, TWINS_SHOWN_MAX};

/// A table and what was found while it was built.
#[derive(Debug)]
pub struct Built {
    /// The table.
    pub table: Table,
    /// Rows that it does not hold.
    pub twins: Twins,
}

/// Two rows of which the table holds the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The key of the row left out; a range as `from-to`.
    pub key: String,
    /// Line of the row that is held.
    pub first_line: u32,
    /// Line of the row that is left out.
    pub line: u32,
}

/// Rows that a table does not hold because of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Twins {
    /// Rows equal to an earlier one.
    pub equal: u64,
    /// Rows whose key an earlier one has with other values, and ranges that overlap an earlier one in part.
    pub conflicts: u64,
    equal_shown: BTreeMap<u32, Twin>,
    conflicts_shown: BTreeMap<u32, Twin>,
}

impl Twins {
    /// The first [`TWINS_SHOWN_MAX`] equal rows, by line.
    pub fn equal_shown(&self) -> impl Iterator<Item = &Twin> {
        self.equal_shown.values()
    }

    /// The first [`TWINS_SHOWN_MAX`] conflicts, by line.
    pub fn conflicts_shown(&self) -> impl Iterator<Item = &Twin> {
        self.conflicts_shown.values()
    }

    pub(super) fn add(&mut self, equal: bool, first_line: u32, line: u32, key: impl FnOnce() -> String) {
        let (count, shown) = if equal {
            (&mut self.equal, &mut self.equal_shown)
        } else {
            (&mut self.conflicts, &mut self.conflicts_shown)
        };
        *count += 1;
        if shown.len() >= TWINS_SHOWN_MAX && shown.last_key_value().is_some_and(|(&last, _)| last <= line) {
            return;
        }
        shown.insert(line, Twin { key: key(), first_line, line });
        if shown.len() > TWINS_SHOWN_MAX {
            shown.pop_last();
        }
    }
}

/// Rows on their way into a table.
#[derive(Debug)]
pub struct Builder {
    shape: Shape,
    dictionary: Dictionary,
    /// By lane.
    streams: Vec<Stream>,
    /// By lane, when keys are ranges.
    ranges: Vec<Vec<Item>>,
    odd: BTreeMap<Box<[u8]>, Vec<Item>>,
    rows: u32,
    pub(super) rows_max: u32,
    twins: Twins,
}

impl Builder {
    /// No rows yet.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let values = (0..shape.columns.len()).filter(|&column| !shape.key.contain(column)).count();
        Self {
            dictionary: Dictionary::new(values),
            streams: std::iter::repeat_with(Stream::default).take(LANES).collect(),
            ranges: vec![Vec::new(); 2],
            odd: BTreeMap::new(),
            rows: 0,
            rows_max: TABLE_ROWS_MAX,
            twins: Twins::default(),
            shape,
        }
    }

    /// Adds a row; `line` is where it stands in its file, and the lowest line wins among equal keys. Rows
    /// that come in order of their keys take the least memory.
    pub fn push(&mut self, cells: &[&[u8]], line: u32) -> Result<(), RowFault> {
        let key = read_key(&self.shape, cells)?;
        let tuple = self.tuple(cells, line)?;
        self.add(key, tuple, line)
    }

    /// Adds a row whose values are known.
    pub(super) fn add(&mut self, key: Key<'_>, tuple: u32, line: u32) -> Result<(), RowFault> {
        // Those that repeat another one count, too: they are in memory until the table is made.
        self.rows = self.rows.checked_add(1).filter(|&rows| rows <= self.rows_max).ok_or(RowFault::Full)?;
        let kind = self.shape.kind;
        match key {
            Key::Odd(text) => {
                let item = Item { key: 0, span: 0, tuple, line };
                if let Some(rows) = self.odd.get_mut(text) {
                    rows.push(item);
                } else {
                    self.odd.insert(text.into(), vec![item]);
                }
            }
            Key::Digits { from, span } => {
                let (lane, key) = place(kind, from);
                let item = Item { key, span, tuple, line };
                if let KeyColumns::Range { .. } = self.shape.key {
                    if let Some(ranges) = self.ranges.get_mut(lane) {
                        ranges.push(item);
                    }
                } else if let Some(stream) = self.streams.get_mut(lane) {
                    stream.push(kind, lane, item, &mut self.twins);
                }
            }
        }
        Ok(())
    }

    /// The number of the values of a row.
    pub(super) fn tuple(&mut self, cells: &[&[u8]], line: u32) -> Result<u32, RowFault> {
        let values = (0..).zip(cells).filter(|(column, _)| !self.shape.key.contain(*column));
        self.dictionary.tuple(values.map(|(_, cell)| *cell), line).ok_or(RowFault::Full)
    }

    /// The table of the rows.
    #[must_use]
    pub fn finish(self) -> Built {
        let Self { shape, dictionary, streams, ranges, mut odd, mut twins, .. } = self;
        let kind = shape.kind;
        let mut lanes: Vec<(usize, LaneRows)> = Vec::new();
        for (lane, stream) in streams.into_iter().enumerate() {
            lanes.push((lane, LaneRows::Run(stream.finish(kind, lane, &mut twins))));
        }
        if let KeyColumns::Range { .. } = shape.key {
            lanes.clear();
            for (lane, items) in ranges.into_iter().enumerate() {
                lanes.push((lane, LaneRows::Items(resolve(kind, lane, items, &mut twins))));
            }
        }
        for (key, rows) in &mut odd {
            settle(kind, rows, &mut twins, &|_| String::from_utf8_lossy(key).into_owned());
        }
        let odd = odd.into_iter().collect();
        Built { table: assemble(shape, Parts { lanes, odd, dictionary }), twins }
    }
}

/// The key of a row.
pub(super) fn read_key<'c>(shape: &Shape, cells: &[&'c [u8]]) -> Result<Key<'c>, RowFault> {
    if cells.len() != shape.columns.len() {
        return Err(RowFault::Cells);
    }
    let cell = |column: usize| cells.get(column).copied().unwrap_or_default();
    match shape.key {
        KeyColumns::One(key) => Key::read(cell(key), None),
        KeyColumns::Range { from, to } => Key::read(cell(from), Some(cell(to))),
    }
}
