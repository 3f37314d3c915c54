//! Pure. Number tables as routes use them: a [`Table`] and what its cells name.
//!
//! In:    a table, what `to`, `cost` and the other known columns mean; later, numbers.
//! Out:   rows and their cells.
//! Never: allocates while it looks something up.

use std::sync::Arc;

use super::{GatewayId, GroupId};
use crate::numbers::{Hit, Kind, Near, Table};

/// What a cell of `to` names, resolved at load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum RowTarget {
    Gateway(GatewayId),
    Group(GroupId),
}

/// A row, and the number or prefix it stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Row {
    pub entry: u32,
    pub row: u32,
}

/// What the cells of one column mean, by the id of the value ([`Table::value_id`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning<T> {
    /// Index of the column.
    pub column: usize,
    /// One for each distinct value.
    pub by_id: Vec<T>,
}

/// The columns that say where calls go, and on what terms. Each is there or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// `to`.
    pub targets: Option<Meaning<RowTarget>>,
    /// `cost`, in millionths.
    pub costs_micro: Option<Meaning<u64>>,
    /// `quality`, in millionths.
    pub qualities_micro: Option<Meaning<u64>>,
    /// `valid_from`: the first second, since 1970.
    pub valid_from_s: Option<Meaning<i64>>,
    /// `valid_until`: the first second that is too late, since 1970.
    pub valid_until_s: Option<Meaning<i64>>,
    /// Index of the column `customer`.
    pub customer: Option<usize>,
}

/// A number table.
#[derive(Debug)]
pub struct NumberTable {
    name: Box<str>,
    file: Box<str>,
    table: Arc<Table>,
    terms: Terms,
}

impl NumberTable {
    /// A table under its name in the route file.
    #[must_use]
    pub fn new(name: &str, table: Arc<Table>, terms: Terms) -> Self {
        Self { name: name.into(), file: Box::default(), table, terms }
    }

    /// The same, read from this file of the routes directory.
    #[must_use]
    pub fn of_file(self, file: &str) -> Self {
        Self { file: file.into(), ..self }
    }

    /// The file that it was read from, as the route file names it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The name in the route file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is looked up in.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// What the cells of the known columns mean.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.rows()
    }

    /// Whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether only whole numbers are found.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.table.shape().kind == Kind::Exact
    }

    /// Column names.
    #[must_use]
    pub fn columns(&self) -> &[Box<str>] {
        &self.table.shape().columns
    }

    /// The row of `number`: for a prefix table that of the longest prefix, the first among several.
    #[must_use]
    pub fn find(&self, number: &[u8]) -> Option<Row> {
        self.find_near(number, None)
    }

    /// The same, the sooner where [`Table::look_ahead`] has found it.
    #[must_use]
    pub fn find_near(&self, number: &[u8], near: Option<&Near>) -> Option<Row> {
        self.table
            .find_near(number, near)
            .and_then(|Hit { entry, .. }| self.table.rows_of(entry).next().map(|row| Row { entry, row }))
    }

    /// Appends a cell; `false` when it is empty or not there.
    pub fn push_value(&self, at: Row, column: usize, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        if self.is_key(column) {
            self.table.key_of(at.entry, column, out);
        } else {
            out.extend_from_slice(self.table.value(at.row, column));
        }
        out.len() > before
    }

    /// Appends the number or prefix of a row; that of a range is its first number.
    pub fn push_key(&self, at: Row, out: &mut Vec<u8>) {
        self.table.key_of(at.entry, self.table.shape().key.first(), out);
    }

    fn is_key(&self, column: usize) -> bool {
        self.table.shape().key.contain(column)
    }
}
