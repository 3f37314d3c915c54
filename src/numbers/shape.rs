//! Pure. What a table is: how its keys are looked up, and its columns.
//!
//! In:    the words of a route file, through the loader.
//! Out:   the same, as types.
//! Never: holds rows.

/// How keys are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The whole number; one row for each.
    Exact,
    /// Leading digits, or a range of them; one row for each.
    Prefix,
    /// As [`Kind::Prefix`], with any number of rows for each prefix: a rate deck.
    Deck,
}

/// Which columns are the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyColumns {
    /// One column: a number or a prefix.
    One(usize),
    /// Two columns: the first and the last of a range, both of one length. They count as leading digits.
    /// When they are equal, or `to` is empty, the row is a prefix. Not for [`Kind::Exact`].
    Range {
        /// Column of the first.
        from: usize,
        /// Column of the last.
        to: usize,
    },
}

impl KeyColumns {
    /// Whether `column` is one of them.
    #[must_use]
    pub fn contain(self, column: usize) -> bool {
        match self {
            Self::One(key) => column == key,
            Self::Range { from, to } => column == from || column == to,
        }
    }

    /// The column of the key, or of the first of the range.
    #[must_use]
    pub fn first(self) -> usize {
        match self {
            Self::One(key) => key,
            Self::Range { from, .. } => from,
        }
    }
}

/// What a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How keys are looked up.
    pub kind: Kind,
    /// Column names, in file order; at most [`crate::limits::TABLE_COLUMNS_MAX`].
    pub columns: Vec<Box<str>>,
    /// Indexes into `columns`.
    pub key: KeyColumns,
}

/// Index of a row.
pub type Row = u32;
