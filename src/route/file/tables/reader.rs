//! Pure. The rows of a CSV file to a table.
//!
//! In:    the bytes of the file, in pieces.
//! Out:   a table with warnings, or what is wrong with the rows, by line.
//! Never: goes on through a file that is wrong from end to end.

use std::ops::ControlFlow;

use crate::{
    limits::TABLE_ROW_BYTES_MAX,
    numbers::{Builder, Built, RowFault, Shape, Table, Twin},
    route::file::Diagnostic,
};

use super::{
    columns, deck,
    records::{Record, Records, TooLong},
    report::{Report, Several},
    row::{self, Cells},
    spec::{TableSpec, error_at},
};

/// Reads the file of one table.
pub struct TableReader {
    records: Records,
    filler: Filler,
    is_over: bool,
}

/// Takes the records.
struct Filler {
    spec: TableSpec,
    report: Report,
    /// `None` until the header line was read.
    open: Option<Open>,
    rows: u64,
}

/// A table that is being filled.
struct Open {
    shape: Shape,
    builder: Builder,
}

impl TableReader {
    /// A reader of the file that `spec` names, which is no compiled table.
    #[must_use]
    pub fn new(spec: &TableSpec) -> Self {
        let mut filler = Filler {
            spec: spec.clone(),
            report: Report::new(&spec.file, spec.form.skips_bad_rows),
            open: None,
            rows: 0,
        };
        let is_open = spec.form.columns.as_deref().is_none_or(|columns| filler.open(columns, None));
        Self { records: Records::new(spec.form.separator), filler, is_over: !is_open }
    }

    /// Reads a piece; `Break`: nothing further is wanted.
    pub fn feed(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if self.is_over {
            return ControlFlow::Break(());
        }
        let Self { records, filler, .. } = self;
        let flow = records.feed(bytes, &mut |record| filler.take(record));
        self.ended(flow)
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.filler.rows
    }

    /// The table, after the last piece.
    pub fn finish(mut self) -> Result<(Table, Vec<Diagnostic>), Vec<Diagnostic>> {
        if !self.is_over {
            let Self { records, filler, .. } = &mut self;
            let flow = records.finish(&mut |record| filler.take(record));
            let _ = self.ended(flow);
        }
        self.filler.finish()
    }

    fn ended(&mut self, flow: Result<ControlFlow<()>, TooLong>) -> ControlFlow<()> {
        let flow = flow.unwrap_or_else(|TooLong { line }| {
            self.filler.report.error(line, too_long);
            ControlFlow::Break(())
        });
        self.is_over = flow.is_break();
        flow
    }
}

pub(super) fn too_long() -> String {
    format!("the row is longer than {TABLE_ROW_BYTES_MAX} bytes; is a quote not closed?")
}

/// Two rows that cannot both be right.
pub(super) fn conflict(twin: &Twin) -> String {
    let Twin { key, first_line, .. } = twin;
    match key.split_once('-') {
        // A row that was there before its changes has no line.
        Some((from, to)) if *first_line == 0 => {
            format!(
                "the range `{from}` to `{to}` overlaps in part one that is in the table; take that out first"
            )
        }
        Some((from, to)) => {
            format!(
                "the range `{from}` to `{to}` overlaps in part the one on line {first_line}, or has other values"
            )
        }
        None => {
            format!("`{key}` is in the table twice, with different values; the first is on line {first_line}")
        }
    }
}

impl Filler {
    fn take(&mut self, record: Record<'_>) -> ControlFlow<()> {
        let Some(open) = &mut self.open else {
            let columns: Vec<String> =
                record.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            let is_open = self.open(&columns, Some(record.line));
            return if is_open { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        };
        self.rows = self.rows.saturating_add(1);
        let cells = Cells::of(&record, 0);
        let (separator, is_first) = (self.spec.form.separator, self.rows == 1);
        let told = |message: &str| row::with_row(message, &record, separator);
        if let Some(fault) = row::fault(&open.shape, cells.as_slice(), record.len()) {
            self.report.bad_row(record.line, || told(&fault));
        } else if let Err(fault) = open.builder.push(cells.as_slice(), record.line) {
            let message = || told(&row::refused(&open.shape, cells.as_slice(), fault, is_first));
            if fault == RowFault::Full {
                self.report.error(record.line, message);
                return ControlFlow::Break(());
            }
            self.report.bad_row(record.line, message);
        }
        if self.report.is_hopeless() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(mut self) -> Result<(Table, Vec<Diagnostic>), Vec<Diagnostic>> {
        let Some(Open { builder, .. }) = self.open.take() else {
            if !self.report.has_errors() {
                let message = "the file is empty; expected a header line with the names of the columns";
                self.report.error(1, || message.to_owned());
            }
            return Err(self.report.finish().err().unwrap_or_default());
        };
        // Whoever corrects rows wants to know of all that are wrong.
        if self.report.is_hopeless() {
            return Err(self.report.finish().err().unwrap_or_default());
        }
        let Built { table, twins } = builder.finish();
        if twins.conflicts > 0 && !self.spec.form.keeps_first {
            for twin in twins.conflicts_shown() {
                self.report.error(twin.line, || {
                    format!("{}; correct one, or keep the first with `conflicts: first`", conflict(twin))
                });
            }
            let shown = twins.conflicts_shown().count();
            self.report
                .add_errors(usize::try_from(twins.conflicts).unwrap_or(usize::MAX).saturating_sub(shown));
        } else {
            let kept = Several::of(twins.conflicts, twins.conflicts_shown(), conflict);
            self.report.warn_of(
                kept,
                "row contradicts an earlier one and was left out",
                "rows contradict an earlier one and were left out",
            );
        }
        let repeated = Several::of(twins.equal, twins.equal_shown(), |twin| {
            format!("`{}` is that of line {}", twin.key, twin.first_line)
        });
        self.report.warn_of(repeated, "row repeats an earlier one", "rows repeat an earlier one");
        if table.rows() == 0 {
            self.report.refuse_if_skipped();
        }
        let report = &mut self.report;
        deck::check(&table, &mut |message| {
            report.error(1, || message);
            !report.is_hopeless()
        });
        Ok((table, self.report.finish()?))
    }

    /// Begins with these columns; `line` is that of the header.
    fn open(&mut self, columns: &[String], line: Option<u32>) -> bool {
        let Some(match_kind) = self.spec.form.match_kind else { return false };
        match columns::check(columns, &self.spec.form.key, match_kind) {
            Ok(shape) => {
                self.open = Some(Open { builder: Builder::new(shape.clone()), shape });
                true
            }
            Err(fault) => {
                let places = &self.spec.places;
                match line {
                    Some(line) if !fault.is_of_key => self.report.error(line, || fault.message),
                    _ => {
                        let place = if fault.is_of_key { &places.key } else { &places.columns };
                        self.report.error_elsewhere(error_at(place, fault.message));
                    }
                }
                false
            }
        }
    }
}
