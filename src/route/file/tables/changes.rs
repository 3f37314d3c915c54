//! Pure. A file of changes: rows put in, put in place of others, and taken away.
//!
//! In:    a table; the bytes of the file, in pieces.
//! Out:   the table that a new file with all of it would make, bit for bit, or what is wrong with the rows.
//! Never: touches the table that it begins with: it may serve.

use std::{collections::BTreeMap, ops::ControlFlow};

use crate::{
    limits::{TABLE_CHANGED_ROWS_MAX, TABLE_COLUMNS_MAX},
    numbers::{Built, Change, KeyColumns, Kind, RowFault, Shape, Table},
    route::{file::Diagnostic, pattern::number_fault},
};

use super::{
    deck,
    reader::{conflict, too_long},
    records::{Record, Records, TooLong},
    report::{Report, Several},
    row,
    spec::TableSpec,
};

/// Reads one file of changes.
pub struct ChangesReader<'t> {
    records: Records,
    changes: Changes<'t>,
    is_over: bool,
}

/// Takes the records.
struct Changes<'t> {
    base: &'t Table,
    report: Report,
    separator: u8,
    rows: u64,
    of_keys: BTreeMap<KeyText, Vec<Line>>,
    /// Keys that are taken away and are not there.
    missing: Several,
}

/// The number or prefix, or both ends of a range.
type KeyText = (Box<[u8]>, Box<[u8]>);

/// The cells of one row.
type Cells = Box<[Box<[u8]>]>;

/// One line of the file.
struct Line {
    line: u32,
    what: What,
}

enum What {
    /// This row is there from now on.
    Put(Cells),
    /// No row of the key.
    Remove,
    /// Not the row of the key that is for the same as this one.
    RemoveRow(Cells),
}

impl<'t> ChangesReader<'t> {
    /// A reader of the changes to `base` in the file `path` of `spec`.
    #[must_use]
    pub fn new(spec: &TableSpec, path: &str, base: &'t Table) -> Self {
        let separator = spec.form.separator;
        let changes = Changes {
            base,
            report: Report::new(path, spec.form.skips_bad_rows),
            separator,
            rows: 0,
            of_keys: BTreeMap::new(),
            missing: Several::default(),
        };
        Self { records: Records::new(separator), changes, is_over: false }
    }

    /// Reads a piece; `Break`: nothing further is wanted.
    pub fn feed(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if self.is_over {
            return ControlFlow::Break(());
        }
        let Self { records, changes, .. } = self;
        let flow = records.feed(bytes, &mut |record| changes.take(record));
        self.ended(flow)
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.changes.rows
    }

    /// The changed table, after the last piece.
    pub fn finish(mut self) -> Result<(Table, Vec<Diagnostic>), Vec<Diagnostic>> {
        if !self.is_over {
            let Self { records, changes, .. } = &mut self;
            let flow = records.finish(&mut |record| changes.take(record));
            let _ = self.ended(flow);
        }
        self.changes.finish()
    }

    fn ended(&mut self, flow: Result<ControlFlow<()>, TooLong>) -> ControlFlow<()> {
        let flow = flow.unwrap_or_else(|TooLong { line }| {
            self.changes.report.error(line, too_long);
            ControlFlow::Break(())
        });
        self.is_over = flow.is_break();
        flow
    }
}

impl Changes<'_> {
    fn take(&mut self, record: Record<'_>) -> ControlFlow<()> {
        self.rows = self.rows.saturating_add(1);
        if self.rows > TABLE_CHANGED_ROWS_MAX {
            self.report.error(record.line, || {
                format!(
                    "more than {TABLE_CHANGED_ROWS_MAX} changes in one file; make a new file of the table of them"
                )
            });
            return ControlFlow::Break(());
        }
        match change(self.base.shape(), &record, self.separator) {
            Ok((key, what)) => {
                self.of_keys.entry(key).or_default().push(Line { line: record.line, what });
            }
            Err(message) => {
                let separator = self.separator;
                self.report.bad_row(record.line, || row::with_row(&message, &record, separator));
            }
        }
        if self.report.is_hopeless() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(mut self) -> Result<(Table, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut change = Change::new(self.base, None);
        for (key, changes) in std::mem::take(&mut self.of_keys) {
            self.apply(&mut change, &key, changes);
        }
        let Built { table, twins } = match change.finish() {
            Ok(built) => built,
            Err(fault) => {
                self.report.error(1, || format!("the table {fault}"));
                return Err(self.report.finish().err().unwrap_or_default());
            }
        };
        for twin in twins.conflicts_shown() {
            self.report.error(twin.line, || conflict(twin));
        }
        let report = &mut self.report;
        deck::check(&table, &mut |message| {
            report.error(1, || message);
            !report.is_hopeless()
        });
        let missing = std::mem::take(&mut self.missing);
        self.report.warn_of(
            missing,
            "number is taken away and not there",
            "numbers are taken away and not there",
        );
        Ok((table, self.report.finish()?))
    }

    /// Does the changes of one key one after the other.
    fn apply(&mut self, change: &mut Change<'_>, key: &KeyText, changes: Vec<Line>) {
        let shape = self.base.shape();
        let telling = deck::telling(shape);
        let same = |row: &[Box<[u8]>], other: &[Box<[u8]>]| {
            shape.kind != Kind::Deck || telling.iter().all(|&column| row.get(column) == other.get(column))
        };
        let entry = self.base.matches(&key.0).find(|hit| key_of(self.base, hit.entry) == *key);
        let rows = entry.into_iter().flat_map(|hit| self.base.rows_of(hit.entry));
        let mut rows: Vec<(Cells, u32)> = rows.map(|row| (cells_of(self.base, row, key), 0)).collect();
        let last = changes.last().map_or(0, |last| last.line);
        for Line { line, what } in changes {
            let before = rows.len();
            let is_removal = !matches!(what, What::Put(_));
            match what {
                What::Put(row) => {
                    rows.retain(|(other, _)| !same(other, &row));
                    rows.push((row, line));
                }
                What::Remove => rows.clear(),
                What::RemoveRow(row) => rows.retain(|(other, _)| !same(other, &row)),
            }
            if is_removal && rows.len() == before {
                let text = String::from_utf8_lossy(&key.0);
                self.missing.add(line, || format!("line {line}: `{text}`"));
            }
        }
        self.say(last, &only_key(shape, key), |cells| change.remove(cells));
        for (row, line) in rows {
            self.say(line, &row, |cells| change.add(cells, line));
        }
    }

    /// Does something with cells, and says what is wrong with them.
    fn say(&mut self, line: u32, cells: &[Box<[u8]>], run: impl FnOnce(&[&[u8]]) -> Result<(), RowFault>) {
        let mut room: [&[u8]; TABLE_COLUMNS_MAX] = [b""; TABLE_COLUMNS_MAX];
        for (place, cell) in room.iter_mut().zip(cells) {
            *place = cell;
        }
        let cells = room.get(..cells.len()).unwrap_or_default();
        if let Err(fault) = run(cells) {
            self.report.bad_row(line.max(1), || row::refused(self.base.shape(), cells, fault, false));
        }
    }
}

const SIGNS: &str =
    "expected `+` and the cells of a row that is put in, or `-` and the number of one that is taken away";

/// What a line says.
fn change(shape: &Shape, record: &Record<'_>, separator: u8) -> Result<(KeyText, What), String> {
    let cells = row::Cells::of(record, 1);
    let (cells, has) = (cells.as_slice(), record.len().saturating_sub(1));
    let owned = |cells: &[&[u8]]| cells.iter().map(|&cell| Box::from(cell)).collect();
    match record.cell(0) {
        b"+" => {
            if let Some(fault) = row::fault(shape, cells, has) {
                return Err(format!("{fault}; the sign not counted"));
            }
            let key = key_in(shape, cells)?;
            Ok((key, What::Put(owned(cells))))
        }
        b"-" => {
            let keys = if matches!(shape.key, KeyColumns::One(_)) { 1 } else { 2 };
            if (1..=keys).contains(&has) {
                let (from, until) = (cells.first(), cells.get(1));
                let from = checked("number", from.copied().unwrap_or_default())?;
                let until = until.copied().filter(|until| !until.is_empty()).unwrap_or(from);
                return Ok(((from.into(), until.into()), What::Remove));
            }
            if has == shape.columns.len() {
                return Ok((key_in(shape, cells)?, What::RemoveRow(owned(cells))));
            }
            let separator = char::from(separator);
            Err(format!(
                "`-` has {has} cells after it; expected the number alone, as `-{separator}+441632960000`, or a whole row"
            ))
        }
        sign => Err(format!("the first cell is `{}`; {SIGNS}", String::from_utf8_lossy(sign))),
    }
}

/// The key of a whole row.
fn key_in(shape: &Shape, cells: &[&[u8]]) -> Result<KeyText, String> {
    let cell = |column: usize| cells.get(column).copied().unwrap_or_default();
    let name = |column: usize| shape.columns.get(column).map_or("", |name| name);
    let first = shape.key.first();
    let from = checked(name(first), cell(first))?;
    let until = match shape.key {
        KeyColumns::Range { to, .. } if !cell(to).is_empty() => checked(name(to), cell(to))?,
        _ => from,
    };
    Ok((from.into(), until.into()))
}

fn checked<'c>(name: &str, key: &'c [u8]) -> Result<&'c [u8], String> {
    match number_fault(key) {
        Some(fault) => Err(format!("`{name}` is `{}`, which {fault}", String::from_utf8_lossy(key))),
        None => Ok(key),
    }
}

/// The key of an entry, as [`key_in`] has it.
fn key_of(table: &Table, entry: u32) -> KeyText {
    let text = |column: usize| {
        let mut text = Vec::new();
        table.key_of(entry, column, &mut text);
        text.into_boxed_slice()
    };
    let from = text(table.shape().key.first());
    let until = match table.shape().key {
        KeyColumns::Range { to, .. } => Some(text(to)).filter(|until| !until.is_empty()),
        KeyColumns::One(_) => None,
    };
    (from.clone(), until.unwrap_or(from))
}

fn cells_of(table: &Table, row: u32, key: &KeyText) -> Cells {
    let mut cells = only_key(table.shape(), key);
    for (column, cell) in
        cells.iter_mut().enumerate().filter(|(column, _)| !table.shape().key.contain(*column))
    {
        *cell = table.value(row, column).into();
    }
    cells
}

/// The cells of a row of which the key alone is known.
fn only_key(shape: &Shape, key: &KeyText) -> Cells {
    let cell = |column: usize| match shape.key {
        KeyColumns::Range { to, .. } if column == to => key.1.clone(),
        of if of.contain(column) => key.0.clone(),
        _ => Box::default(),
    };
    (0..shape.columns.len()).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        numbers::Builder,
        route::file::{Source, parse},
    };

    #[test]
    fn changes_have_a_limit() {
        let text = "tables: { t: { file: t.csv, match: exact, columns: [number], changes: [c.csv] } }\n";
        let source = Source { path: "a.yaml".to_owned(), bytes: text.into() };
        let spec = parse(&[source]).expect("a table").tables().remove(0);
        let base = Builder::new(Shape {
            kind: Kind::Exact,
            columns: vec!["number".into()],
            key: KeyColumns::One(0),
        });
        let base = base.finish().table;
        let read = |rows: &[u8]| {
            let mut reader = ChangesReader::new(&spec, "c.csv", &base);
            // Two million rows before these would take a test a minute.
            reader.changes.rows = TABLE_CHANGED_ROWS_MAX - 2;
            let _ = reader.feed(rows);
            reader.finish().map(|(table, _)| table.rows())
        };
        assert_eq!(read(b"+,1\n+,2\n"), Ok(2));
        let errors = read(b"+,1\n+,2\n+,3\n").expect_err("one too many");
        assert_eq!(
            errors.iter().map(|error| (error.line, &*error.message)).collect::<Vec<_>>(),
            [(3, "more than 2000000 changes in one file; make a new file of the table of them")]
        );
    }
}
