//! Pure. A table with rows added and removed, made of the old one without its file.
//!
//! In:    a table; keys to be removed, rows to be added.
//! Out:   the table that a build of the changed rows gives, bit for bit.
//! Never: changes the old table: calls are answered from it meanwhile.

use std::collections::BTreeSet;

use super::{
    Builder, Built, Kind, Row, RowFault, Table,
    build::read_key,
    key::{Digits, Key},
};

/// Which rows of the old table a change takes out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Digits { from: Digits, span: u64 },
    Odd(Box<[u8]>),
}

impl Place {
    fn of(key: Key<'_>) -> Self {
        match key {
            Key::Digits { from, span } => Self::Digits { from, span },
            Key::Odd(text) => Self::Odd(text.into()),
        }
    }

    fn key(&self) -> Key<'_> {
        match self {
            Self::Digits { from, span } => Key::Digits { from: *from, span: *span },
            Self::Odd(text) => Key::Odd(text),
        }
    }
}

/// Adds and removes on their way into a table. Each works on the rows of the old table, whatever their
/// order: a key that is removed and added has the added row in the end.
#[derive(Debug)]
pub struct Change<'t> {
    old: &'t Table,
    /// In a deck, the column that tells apart rows of one prefix.
    to: Option<usize>,
    /// Keys, with the value of `to` in a deck; without one, all rows of the key.
    gone: BTreeSet<(Place, Option<Box<[u8]>>)>,
    /// Key, tuple and line.
    added: Vec<(Place, u32, u32)>,
    builder: Builder,
}

impl<'t> Change<'t> {
    /// No change yet. In a deck with a column `to`, a row takes the place of that with the same prefix and
    /// the same value there; in a deck without, and in other tables, of all rows with the same key.
    #[must_use]
    pub fn new(old: &'t Table, to: Option<usize>) -> Self {
        let builder = Builder::new(old.shape().clone());
        let to = to.filter(|&to| old.shape().kind == Kind::Deck && !old.shape().key.contain(to));
        Self { old, to, gone: BTreeSet::new(), added: Vec::new(), builder }
    }

    /// Adds a row, in the place of the old one if there is one. Of several rows for one place in a deck
    /// all stay; in other tables that with the lowest line.
    pub fn add(&mut self, cells: &[&[u8]], line: u32) -> Result<(), RowFault> {
        self.remove(cells)?;
        let key = Place::of(read_key(self.old.shape(), cells)?);
        // Line 0 is that of the old rows.
        let tuple = self.builder.tuple(cells, line.max(1))?;
        self.added.push((key, tuple, line.max(1)));
        Ok(())
    }

    /// Removes the old row with the key, and in a deck the value of `to`, of these cells; the other cells may
    /// be empty. An empty `to` removes all rows of the prefix. Nothing happens if there is none.
    pub fn remove(&mut self, cells: &[&[u8]]) -> Result<(), RowFault> {
        let place = Place::of(read_key(self.old.shape(), cells)?);
        let to = self.to.and_then(|to| cells.get(to)).filter(|to| !to.is_empty());
        self.gone.insert((place, to.map(|&to| to.into())));
        Ok(())
    }

    /// The table after the change. Old rows come before added ones where two are in conflict.
    pub fn finish(mut self) -> Result<Built, RowFault> {
        let old = self.old;
        let mut tuples = vec![None; old.tuples()];
        for entry in old.in_order() {
            let key = match (entry as usize).checked_sub(old.first_odd()) {
                Some(odd) => Key::Odd(old.odd(odd)),
                None => match old.digits(entry) {
                    Some((from, span)) => Key::Digits { from, span },
                    None => continue,
                },
            };
            let touched = self.touched(key);
            for row in old.rows_of(entry) {
                if touched.as_ref().is_some_and(|place| self.is_gone(place, row)) {
                    continue;
                }
                let tuple = self.tuple(row, &mut tuples)?;
                self.builder.add(key, tuple, 0)?;
            }
        }
        // After the old rows: those come in order, and that is what takes little memory.
        for (place, tuple, line) in std::mem::take(&mut self.added) {
            self.builder.add(place.key(), tuple, line)?;
        }
        Ok(self.builder.finish())
    }

    /// The new tuple of an old row; `known` are those that were met before.
    fn tuple(&mut self, row: Row, known: &mut [Option<u32>]) -> Result<u32, RowFault> {
        let old = self.old;
        let place = known.get_mut(old.tuple_of(row) as usize);
        if let Some(&mut Some(tuple)) = place {
            return Ok(tuple);
        }
        let cells: Vec<&[u8]> = (0..old.shape().columns.len()).map(|column| old.value(row, column)).collect();
        let tuple = self.builder.tuple(&cells, 0)?;
        if let Some(place) = place {
            *place = Some(tuple);
        }
        Ok(tuple)
    }

    /// The place of a key, if the change speaks of it.
    fn touched(&self, key: Key<'_>) -> Option<Place> {
        if self.gone.is_empty() {
            return None;
        }
        let place = Place::of(key);
        let first = (place, None);
        let found = self.gone.range(&first..).next().is_some_and(|(it, _)| *it == first.0);
        found.then_some(first.0)
    }

    fn is_gone(&self, place: &Place, row: Row) -> bool {
        let has = |to: Option<&[u8]>| self.gone.contains(&(place.clone(), to.map(Into::into)));
        has(None) || self.to.is_some_and(|to| has(Some(self.old.value(row, to))))
    }
}
