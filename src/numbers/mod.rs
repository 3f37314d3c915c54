//! Pure. Number tables: millions of telephone numbers or prefixes in a few bytes each.
//!
//! In:    rows, once; later, numbers.
//! Out:   rows.
//! Never: allocates while it looks something up.

use std::{collections::BTreeMap, ops::Range};

/// How a key is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Exact,
    Prefix,
    Deck,
}

/// The columns that are the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum KeyColumns {
    One(usize),
    Range { from: usize, to: usize },
}

impl KeyColumns {
    /// Whether a column is part of the key.
    #[must_use]
    pub fn has(self, column: usize) -> bool {
        match self {
            Self::One(key) => key == column,
            Self::Range { from, to } => from == column || to == column,
        }
    }
}

/// What a table is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Shape {
    pub kind: Kind,
    pub columns: Vec<Box<str>>,
    pub key: KeyColumns,
}

/// Index of a row.
pub type Row = u32;

/// An entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Hit {
    pub entry: u32,
    pub length: usize,
}

/// Why a row is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RowFault {
    Full,
}

/// Makes a table.
#[derive(Debug)]
pub struct Builder {
    shape: Shape,
    rows: Vec<(Vec<Vec<u8>>, u32)>,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    shape: Shape,
    keys: BTreeMap<Vec<u8>, u32>,
    by_entry: Vec<(Vec<u8>, Range<u32>)>,
    cells: Vec<Vec<u32>>,
    values: Vec<Vec<(Vec<u8>, u32)>>,
}

/// A table, and what was in it twice.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Built {
    pub table: Table,
}

impl Builder {
    /// An empty one.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self { shape, rows: Vec::new() }
    }
    /// Adds a row.
    pub fn push(&mut self, cells: &[&[u8]], line: u32) -> Result<(), RowFault> {
        self.rows.push((cells.iter().map(|cell| cell.to_vec()).collect(), line));
        Ok(())
    }
    /// The table.
    #[must_use]
    pub fn finish(mut self) -> Built {
        let KeyColumns::One(key) = self.shape.key else {
            return Built {
                table: Table {
                    shape: self.shape,
                    keys: BTreeMap::new(),
                    by_entry: vec![],
                    cells: vec![],
                    values: vec![],
                },
            };
        };
        self.rows.sort_by(|a, b| a.0.get(key).cmp(&b.0.get(key)));
        let mut values: Vec<Vec<(Vec<u8>, u32)>> = vec![Vec::new(); self.shape.columns.len()];
        let (mut keys, mut by_entry, mut cells): (
            BTreeMap<Vec<u8>, u32>,
            Vec<(Vec<u8>, Range<u32>)>,
            Vec<Vec<u32>>,
        ) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (row, line) in &self.rows {
            let text = row.get(key).cloned().unwrap_or_default();
            if keys.contains_key(&text) && self.shape.kind != Kind::Deck {
                continue;
            }
            let at = u32::try_from(cells.len()).unwrap_or(0);
            let entry = *keys.entry(text.clone()).or_insert_with(|| {
                by_entry.push((text, at..at));
                u32::try_from(by_entry.len() - 1).unwrap_or(0)
            });
            if let Some((_, range)) = by_entry.get_mut(entry as usize) {
                range.end = at + 1;
            }
            cells.push(
                row.iter()
                    .zip(&mut values)
                    .map(|(cell, known)| {
                        let id = known.iter().position(|(value, _)| value == cell).unwrap_or_else(|| {
                            known.push((cell.clone(), *line));
                            known.len() - 1
                        });
                        u32::try_from(id).unwrap_or(0)
                    })
                    .collect(),
            );
        }
        Built { table: Table { shape: self.shape, keys, by_entry, cells, values } }
    }
}

impl Table {
    /// Its columns.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.cells.len()
    }
    /// The entry of a number.
    #[must_use]
    pub fn find(&self, number: &[u8]) -> Option<Hit> {
        self.matches(number).next()
    }
    /// All entries, longest first.
    pub fn matches<'t>(&'t self, number: &'t [u8]) -> impl Iterator<Item = Hit> + 't {
        let least = if self.shape.kind == Kind::Exact { number.len() } else { 1 };
        (least..=number.len()).rev().filter_map(move |length| {
            self.keys.get(number.get(..length)?).map(|&entry| Hit { entry, length })
        })
    }
    /// Rows of an entry.
    #[must_use]
    pub fn rows_of(&self, entry: u32) -> Range<Row> {
        self.by_entry.get(entry as usize).map_or(0..0, |(_, rows)| rows.clone())
    }
    /// A cell.
    #[must_use]
    pub fn value(&self, row: Row, column: usize) -> &[u8] {
        self.values
            .get(column)
            .and_then(|values| values.get(self.value_id(row, column) as usize))
            .map_or(b"", |(value, _)| value)
    }
    /// The id of its value.
    #[must_use]
    pub fn value_id(&self, row: Row, column: usize) -> u32 {
        self.cells.get(row as usize).and_then(|row| row.get(column)).copied().unwrap_or(u32::MAX)
    }
    /// The distinct values of a column.
    pub fn values(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        self.values.get(column).into_iter().flatten().map(|(value, _)| &**value)
    }
    /// Where a value first stood.
    #[must_use]
    pub fn first_line(&self, column: usize, id: u32) -> u32 {
        self.values.get(column).and_then(|values| values.get(id as usize)).map_or(0, |(_, line)| *line)
    }
    /// Appends the text of a key column.
    pub fn key_of(&self, entry: u32, _column: usize, out: &mut Vec<u8>) {
        if let Some((key, _)) = self.by_entry.get(entry as usize) {
            out.extend_from_slice(key);
        }
    }
}
