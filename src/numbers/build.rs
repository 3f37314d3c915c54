//! Pure. Rows become a table.
//!
//! In:    cells of rows with their lines, in any order.
//! Out:   a table, and which rows had the same key.
//! Never: lets the order of the rows show in the table.

use std::collections::BTreeMap;

use super::{
    KeyColumns, Kind, RowFault, Shape, Table,
    key::{Digits, Key},
    table::Entry,
};
use crate::limits::TWINS_SHOWN_MAX;

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
    rows: Vec<(Vec<Box<[u8]>>, u32)>,
}

impl Builder {
    /// No rows yet.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self { shape, rows: Vec::new() }
    }

    /// Adds a row; `line` is where it stands in its file, and the lowest line wins among equal keys.
    pub fn push(&mut self, cells: &[&[u8]], line: u32) -> Result<(), RowFault> {
        if cells.len() != self.shape.columns.len() {
            return Err(RowFault::Cells);
        }
        let cell = |column: usize| cells.get(column).copied().unwrap_or_default();
        match self.shape.key {
            KeyColumns::One(key) => Key::read(cell(key), None)?,
            KeyColumns::Range { from, to } => Key::read(cell(from), Some(cell(to)))?,
        };
        self.rows.push((cells.iter().map(|&cell| cell.into()).collect(), line));
        Ok(())
    }

    /// The table of the rows.
    #[must_use]
    pub fn finish(mut self) -> Built {
        let mut twins = Twins::default();
        self.rows.sort_by_key(|&(_, line)| line);
        let mut entries: BTreeMap<(Vec<u8>, Vec<u8>), Vec<(Vec<Box<[u8]>>, u32)>> = BTreeMap::new();
        for (mut cells, line) in self.rows {
            let (from, to) = match self.shape.key {
                KeyColumns::One(key) => (cells[key].to_vec(), cells[key].to_vec()),
                KeyColumns::Range { from, to } if cells[to].is_empty() => {
                    (cells[from].to_vec(), cells[from].to_vec())
                }
                KeyColumns::Range { from, to } => (cells[from].to_vec(), cells[to].to_vec()),
            };
            for (column, cell) in cells.iter_mut().enumerate() {
                if self.shape.key.contain(column) {
                    *cell = Box::default();
                }
            }
            let text = || {
                String::from_utf8_lossy(&if from == to {
                    from.clone()
                } else {
                    [&from[..], b"-", &to].concat()
                })
                .into_owned()
            };
            if from != to {
                let overlap = entries.iter().find(|((a, b), _)| overlap_in_part((a, b), (&from, &to)));
                if let Some((_, rows)) = overlap {
                    twins.add(false, rows[0].1, line, text);
                    continue;
                }
            }
            let rows = entries.entry((from.clone(), to.clone())).or_default();
            let equal = rows.iter().find(|(other, _)| *other == cells).map(|&(_, line)| line);
            match (equal, rows.first().map(|&(_, line)| line)) {
                (Some(first), _) => twins.add(true, first, line, text),
                (None, Some(first)) if self.shape.kind != Kind::Deck => twins.add(false, first, line, text),
                _ => rows.push((cells, line)),
            }
        }
        let entries = entries.into_iter().map(|((from, to), mut rows)| {
            rows.sort();
            Entry { from: from.into(), to: to.into(), rows }
        });
        Built { table: Table::of(self.shape, entries.collect()), twins }
    }
}

fn overlap_in_part(a: (&[u8], &[u8]), b: (&[u8], &[u8])) -> bool {
    let ends = |(from, to): (&[u8], &[u8])| {
        let ((from, whole), (to, _)) = (Digits::leading(from), Digits::leading(to));
        whole.then(|| (from.plus, from.start(), to.start() + super::key::unit(to.length)))
    };
    let (Some((plus_a, a, a_end)), Some((plus_b, b, b_end))) = (ends(a), ends(b)) else { return false };
    plus_a == plus_b && ((a < b && b < a_end && a_end < b_end) || (b < a && a < b_end && b_end < a_end))
}
