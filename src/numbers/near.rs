//! Pure. What a table has for a number, found ahead of its look-up.
//!
//! In:    a number, what was found.
//! Out:   the same for the look-up of that number in that table, and for no other.
//! Never: trusts that the table is still the one that was looked in.

use super::{Hit, Table, key::DIGITS_MAX};

/// Bytes of a number with its `+`.
const BYTES_MAX: usize = DIGITS_MAX + 1;

/// What [`Table::look_ahead`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// Of the table; that of another has another sum.
    sum: u64,
    number: [u8; BYTES_MAX],
    len: u8,
    /// The entry that the look-up begins with.
    pub(super) entry: u32,
    /// What it finds; `None`: nothing.
    hit: Option<Hit>,
}

impl Near {
    /// `None` for a number that is too long.
    #[inline]
    pub(super) fn new(table: &Table, number: &[u8], entry: u32, hit: Option<Hit>) -> Option<Self> {
        let mut kept = [0; BYTES_MAX];
        kept.get_mut(..number.len())?.copy_from_slice(number);
        let len = u8::try_from(number.len()).ok()?;
        Some(Self { sum: table.sum(), number: kept, len, entry, hit })
    }

    /// What this table has for this number, if that is what was looked for.
    #[inline]
    pub(super) fn found(&self, table: &Table, number: &[u8]) -> Option<Option<Hit>> {
        let is_it = self.sum == table.sum() && self.number.get(..self.len.into()) == Some(number);
        is_it.then_some(self.hit)
    }

    /// Of a table that is not there.
    #[cfg(test)]
    pub(crate) fn elsewhere(entry: u32) -> Self {
        Self { sum: 0, number: [0; BYTES_MAX], len: 0, entry, hit: None }
    }
}
