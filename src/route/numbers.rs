//! Pure. Number tables: a set of numbers or prefixes with the columns of a CSV file.
//!
//! In:    rows, once; later, numbers.
//! Out:   rows.
//! Never: allocates while it looks something up.

use std::hash::{BuildHasher, BuildHasherDefault};

use super::{GatewayId, GroupId};
use crate::limits::{NUMBER_BYTES_MAX, ROWS_PER_PREFIX_MAX};

/// How a key is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Match {
    Exact,
    Prefix,
}

/// Column names, in file order.
pub type Columns = Vec<Box<str>>;

/// Index of a row.
pub type Row = u32;

/// What the `to` column of a row names, resolved at load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RowTarget {
    Gateway(GatewayId),
    Group(GroupId),
}

/// No row.
const NONE: Row = Row::MAX;

/// A number table.
#[derive(Debug)]
pub struct NumberTable {
    name: Box<str>,
    match_kind: Match,
    columns: Columns,
    key_column: usize,
    /// All cells, row after row.
    cells: Vec<u8>,
    /// Where each cell ends in `cells`.
    ends: Vec<u32>,
    /// Of the `to` column, one for each row; empty without one.
    targets: Vec<RowTarget>,
    /// Of the `cost` column in millionths, one for each row; empty without one.
    costs_micro: Vec<u64>,
    /// Open addressing by the hash of the key: the first row of each key. At most half full.
    slots: Vec<Row>,
    /// The next row with the same key; empty while no key comes twice.
    next: Vec<Row>,
    /// Bit N - 1: some key has N bytes.
    lengths: u64,
    /// Of a fixed key: a table is the same on every node and after every start. Who chooses the numbers
    /// of calls does not choose the keys, so there is nothing to be gained from collisions.
    hasher: BuildHasherDefault<ahash::AHasher>,
}

const _: () = assert!(NUMBER_BYTES_MAX <= u64::BITS as usize);

impl NumberTable {
    /// A table without rows. `key_column` is an index into `columns`.
    #[must_use]
    pub fn new(name: &str, match_kind: Match, columns: Columns, key_column: usize) -> Self {
        Self {
            name: name.into(),
            match_kind,
            columns,
            key_column,
            cells: Vec::new(),
            ends: Vec::new(),
            targets: Vec::new(),
            costs_micro: Vec::new(),
            slots: vec![NONE; 16],
            next: Vec::new(),
            lengths: 0,
            hasher: BuildHasherDefault::default(),
        }
    }

    /// Adds a row. `cells` must be as many as the columns, with a key of 1 to [`NUMBER_BYTES_MAX`]
    /// bytes; `target` and `cost_micro` are given for every row or for none. Returns the rows that had
    /// the same key, or `None`, and adds nothing, when the table is full.
    pub fn push<'c>(
        &mut self,
        cells: impl Iterator<Item = &'c [u8]>,
        target: Option<RowTarget>,
        cost_micro: Option<u64>,
    ) -> Option<SameKey> {
        let row = Row::try_from(self.len()).ok().filter(|&row| row < NONE - 1)?;
        let start = self.cells.len();
        for cell in cells.take(self.columns.len()) {
            self.cells.extend_from_slice(cell);
            self.ends.push(u32::try_from(self.cells.len()).unwrap_or(u32::MAX));
        }
        let whole = self.ends.len() == (row as usize + 1) * self.columns.len();
        if !whole || self.cells.len() > u32::MAX as usize {
            self.ends.truncate(row as usize * self.columns.len());
            self.cells.truncate(start);
            return None;
        }
        self.targets.extend(target);
        self.costs_micro.extend(cost_micro);
        Some(self.index(row))
    }

    fn index(&mut self, row: Row) -> SameKey {
        let length = self.key(row).len().clamp(1, NUMBER_BYTES_MAX);
        self.lengths |= 1 << (length - 1);
        if self.len() * 2 > self.slots.len() {
            self.grow();
        }
        if !self.next.is_empty() {
            self.next.push(NONE);
        }
        let slot = self.slot(self.key(row));
        let first = self.slots.get(slot).copied().unwrap_or(NONE);
        if first == NONE {
            if let Some(free) = self.slots.get_mut(slot) {
                *free = row;
            }
            return SameKey { first: None, rows: 0 };
        }
        if self.next.is_empty() {
            self.next = vec![NONE; self.len()];
        }
        let (mut last, mut rows) = (first, 1);
        while let Some(&after) = self.next.get(last as usize).filter(|&&after| after != NONE) {
            last = after;
            rows += 1;
        }
        // The loader refuses more; linking them would make a long file of one key quadratic.
        if let Some(link) = self.next.get_mut(last as usize).filter(|_| rows < ROWS_PER_PREFIX_MAX) {
            *link = row;
        }
        SameKey { first: Some(first), rows }
    }

    fn grow(&mut self) {
        let firsts: Vec<Row> = self.slots.iter().copied().filter(|&row| row != NONE).collect();
        self.slots = vec![NONE; self.slots.len() * 2];
        for row in firsts {
            let slot = self.slot(self.key(row));
            if let Some(free) = self.slots.get_mut(slot) {
                *free = row;
            }
        }
    }

    /// The slot of a key, or the free one in which it belongs. Ends because half the slots are free.
    fn slot(&self, key: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        // Only the low bits of the hash are wanted.
        #[allow(clippy::cast_possible_truncation)]
        let mut slot = self.hasher.hash_one(key) as usize & mask;
        while let Some(&row) = self.slots.get(slot) {
            if row == NONE || self.key(row) == key {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// The first row with this key.
    fn first(&self, key: &[u8]) -> Option<Row> {
        self.slots.get(self.slot(key)).copied().filter(|&row| row != NONE)
    }

    /// All rows that share the key of `first`, in file order.
    fn same_key(&self, first: Row) -> impl Iterator<Item = Row> {
        std::iter::successors(Some(first), |&row| {
            self.next.get(row as usize).copied().filter(|&after| after != NONE)
        })
    }

    /// The beginnings of `number` that have the length of some key, longest first.
    fn beginnings<'n>(&self, number: &'n [u8]) -> impl Iterator<Item = &'n [u8]> {
        let mut lengths = self.lengths;
        if number.len() < NUMBER_BYTES_MAX {
            lengths &= (1 << number.len()) - 1;
        }
        std::iter::from_fn(move || {
            let length = (u64::BITS - lengths.leading_zeros()) as usize;
            lengths &= !1_u64.checked_shl(u32::try_from(length).ok()?.checked_sub(1)?)?;
            number.get(..length)
        })
    }

    /// The name in the route file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() / self.columns.len().max(1)
    }

    /// Whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exact or prefix.
    #[must_use]
    pub fn match_kind(&self) -> Match {
        self.match_kind
    }

    /// Column names.
    #[must_use]
    pub fn columns(&self) -> &[Box<str>] {
        &self.columns
    }

    /// Index of the column that is looked up.
    #[must_use]
    pub fn key_column(&self) -> usize {
        self.key_column
    }

    /// The row of `number`: for a prefix table that of the longest prefix, the first in the file
    /// among several.
    #[must_use]
    pub fn find(&self, number: &[u8]) -> Option<Row> {
        match self.match_kind {
            Match::Exact => self.first(number),
            Match::Prefix => self.beginnings(number).find_map(|beginning| self.first(beginning)),
        }
    }

    /// The number or prefix of a row.
    #[must_use]
    pub fn key(&self, row: Row) -> &[u8] {
        self.value(row, self.key_column)
    }

    /// A value.
    #[must_use]
    pub fn value(&self, row: Row, column: usize) -> &[u8] {
        if column >= self.columns.len() {
            return b"";
        }
        let cell = row as usize * self.columns.len() + column;
        let end = self.ends.get(cell).copied().unwrap_or(0);
        let start = cell.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.cells.get(start as usize..end as usize).unwrap_or_default()
    }

    /// What the row's `to` column names.
    #[must_use]
    pub fn target(&self, row: Row) -> Option<RowTarget> {
        self.targets.get(row as usize).copied()
    }

    /// The row's `cost` in millionths; 0 without that column.
    #[must_use]
    pub fn cost_micro(&self, row: Row) -> u64 {
        self.costs_micro.get(row as usize).copied().unwrap_or(0)
    }

    /// Rows with the key of `first`, in file order, for the loader's checks.
    pub fn rows_of_key(&self, first: Row) -> impl Iterator<Item = Row> {
        self.same_key(first)
    }

    /// Rows for least-cost routing: for each target the row of its own longest prefix of `number`,
    /// cheapest first; equal cost in the order of `tie(row)`. In an exact table only the row of the
    /// whole number.
    ///
    /// The loader allows [`crate::limits::CARRIERS_PER_TABLE_MAX`] targets in one table, which bounds `out`.
    pub fn cheapest(&self, number: &[u8], tie: &dyn Fn(Row) -> u64, out: &mut Vec<Row>) {
        let start = out.len();
        let whole = (self.match_kind == Match::Exact).then_some(number);
        let parts = (self.match_kind == Match::Prefix).then(|| self.beginnings(number)).into_iter().flatten();
        for beginning in parts.chain(whole) {
            let rows = self.first(beginning).into_iter().flat_map(|first| self.same_key(first));
            for row in rows {
                let target = self.target(row);
                let known = out.iter().skip(start).any(|&longer| self.target(longer) == target);
                if target.is_some() && !known {
                    out.push(row);
                }
            }
        }
        if let Some(found) = out.get_mut(start..) {
            found.sort_unstable_by_key(|&row| (self.cost_micro(row), tie(row), row));
        }
    }

    /// Gives back memory that growing left over.
    pub fn shrink(&mut self) {
        self.cells.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.targets.shrink_to_fit();
        self.costs_micro.shrink_to_fit();
        self.next.shrink_to_fit();
    }
}

/// What [`NumberTable::push`] found under the key of the new row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameKey {
    /// The first row that has the key, if the new one is not it.
    pub first: Option<Row>,
    /// Rows that had the key before.
    pub rows: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(match_kind: Match, rows: &[(&str, usize, u64)]) -> NumberTable {
        let columns = vec!["prefix".into(), "to".into()];
        let mut table = NumberTable::new("t", match_kind, columns, 0);
        for (key, target, cost) in rows {
            let name = target.to_string();
            let cells = [key.as_bytes(), name.as_bytes()];
            table
                .push(cells.into_iter(), Some(RowTarget::Gateway(*target)), Some(*cost))
                .expect("room for the row");
        }
        table
    }

    fn exact(rows: &[(&str, usize, u64)]) -> NumberTable {
        table(Match::Exact, rows)
    }

    #[test]
    fn exact_tables_know_whole_numbers_only() {
        let table = table(Match::Exact, &[("+441632960000", 0, 0), ("112", 1, 0)]);
        assert_eq!(table.find(b"112"), Some(1));
        assert_eq!(table.find(b"+441632960000"), Some(0));
        assert_eq!(table.find(b"+44163296000"), None);
        assert_eq!(table.find(b"+4416329600001"), None);
        assert_eq!(table.find(b""), None);
    }

    #[test]
    fn the_longest_prefix_wins_and_the_first_row_among_equals() {
        let table = table(Match::Prefix, &[("+4", 0, 0), ("+441", 1, 0), ("+44", 2, 0), ("+44", 3, 0)]);
        for (number, expected) in [
            ("+441632960000", Some(1)),
            ("+441", Some(1)),
            ("+442", Some(2)),
            ("+44", Some(2)),
            ("+4", Some(0)),
            ("+", None),
            ("", None),
            ("4", None),
        ] {
            assert_eq!(table.find(number.as_bytes()), expected, "{number}");
        }
        assert_eq!(table.value(1, 1), b"1");
        assert_eq!(table.key(1), b"+441");
        assert_eq!(table.value(1, 2), b"", "no such column");
        assert_eq!(table.value(9, 0), b"", "no such row");
    }

    #[test]
    fn prefixes_of_the_greatest_length_are_found() {
        let longest = "1".repeat(NUMBER_BYTES_MAX);
        let table = table(Match::Prefix, &[(&longest, 0, 0), (&longest[1..], 1, 0)]);
        assert_eq!(table.find(longest.as_bytes()), Some(0));
        assert_eq!(table.find(&longest.as_bytes()[1..]), Some(1));
        assert_eq!(table.find(&longest.as_bytes()[2..]), None);
        assert_eq!(table.find(format!("{longest}1").as_bytes()), Some(0));
    }

    #[test]
    fn each_carrier_bids_with_its_own_longest_prefix() {
        let table = table(
            Match::Prefix,
            &[("+44", 0, 100), ("+44", 1, 200), ("+4416", 0, 300), ("+44", 2, 200), ("+1", 3, 1)],
        );
        let mut out = vec![7];
        // Carrier 0 has a dear row for +4416, so its cheap one for +44 does not count.
        table.cheapest(b"+441632960000", &|row| u64::from(row), &mut out);
        assert_eq!(out, [7, 1, 3, 2]);
        out.clear();
        table.cheapest(b"+441632960000", &|row| u64::from(100 - row), &mut out);
        assert_eq!(out, [3, 1, 2], "equal cost in the order of the tie");
        out.clear();
        table.cheapest(b"+4420", &|row| u64::from(row), &mut out);
        assert_eq!(out, [0, 1, 3]);
        out.clear();
        exact(&[("+44", 0, 2), ("+441", 1, 1)]).cheapest(b"+44", &|row| u64::from(row), &mut out);
        assert_eq!(out, [0], "the whole number only");
        out.clear();
        table.cheapest(b"+33", &|row| u64::from(row), &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn a_key_links_no_more_rows_than_allowed() {
        let rows: Vec<_> = (0..=ROWS_PER_PREFIX_MAX).map(|target| ("+44", target, 1)).collect();
        let table = table(Match::Prefix, &rows);
        assert_eq!(table.rows_of_key(0).count(), ROWS_PER_PREFIX_MAX);
    }

    #[test]
    fn push_says_what_the_key_had_before() {
        let mut table = NumberTable::new("t", Match::Exact, vec!["number".into()], 0);
        let push = |table: &mut NumberTable, key: &[u8]| table.push([key].into_iter(), None, None);
        assert_eq!(push(&mut table, b"1"), Some(SameKey { first: None, rows: 0 }));
        assert_eq!(push(&mut table, b"2"), Some(SameKey { first: None, rows: 0 }));
        assert_eq!(push(&mut table, b"1"), Some(SameKey { first: Some(0), rows: 1 }));
        assert_eq!(push(&mut table, b"1"), Some(SameKey { first: Some(0), rows: 2 }));
        assert_eq!(table.rows_of_key(0).collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!(table.push([].into_iter(), None, None), None, "a row without cells");
        assert_eq!(table.len(), 4);
    }

    proptest! {
        #[test]
        fn lookups_agree_with_a_plain_search(
            keys in proptest::collection::vec("[0-3]{1,5}", 0..200),
            numbers in proptest::collection::vec("[0-3]{0,7}", 1..50),
        ) {
            let rows: Vec<_> = keys.iter().enumerate().map(|(at, key)| (key.as_str(), at % 5, at as u64)).collect();
            let (exact, prefix) = (table(Match::Exact, &rows), table(Match::Prefix, &rows));
            for number in &numbers {
                let same = keys.iter().position(|key| key == number);
                prop_assert_eq!(exact.find(number.as_bytes()).map(|row| row as usize), same);
                let longest = keys
                    .iter()
                    .enumerate()
                    .filter(|(_, key)| number.starts_with(key.as_str()))
                    .max_by_key(|(at, key)| (key.len(), usize::MAX - at))
                    .map(|(at, _)| at);
                prop_assert_eq!(prefix.find(number.as_bytes()).map(|row| row as usize), longest);
            }
        }
    }
}
