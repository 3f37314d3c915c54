//! Pure. What is wrong with the rows of one file, up to a limit.

use crate::{
    limits::{DIAGNOSTICS_MAX, TABLE_ERRORS_MAX},
    numbers::Twin,
    route::file::{Diagnostic, Severity, findings::one_line},
};

/// Rows that a warning shows; the rest is counted.
const SHOWN_IN_WARNING: usize = 3;

/// Findings of one file.
#[derive(Debug)]
pub(super) struct Report {
    path: String,
    /// Rows that are wrong do not refuse the file.
    skips: bool,
    errors: Vec<Diagnostic>,
    errors_count: usize,
    warnings: Vec<Diagnostic>,
    skipped: Several,
}

/// Rows of one kind: the first few, and how many in all.
#[derive(Debug, Default)]
pub(super) struct Several {
    shown: Vec<String>,
    line: u32,
    count: u64,
}

impl Several {
    pub(super) fn add(&mut self, line: u32, text: impl FnOnce() -> String) {
        self.count = self.count.saturating_add(1);
        if self.shown.is_empty() {
            self.line = line;
        }
        if self.shown.len() < SHOWN_IN_WARNING {
            self.shown.push(text());
        }
    }

    /// So many, of which the first are known.
    pub(super) fn of<'t>(
        count: u64,
        twins: impl Iterator<Item = &'t Twin>,
        text: impl Fn(&Twin) -> String,
    ) -> Self {
        let mut several = Self::default();
        for twin in twins.take(SHOWN_IN_WARNING) {
            several.add(twin.line, || format!("line {}: {}", twin.line, text(twin)));
        }
        several.count = count;
        several
    }
}

impl Report {
    pub(super) fn new(path: &str, skips: bool) -> Self {
        let path = path.to_owned();
        Self {
            path,
            skips,
            errors: Vec::new(),
            errors_count: 0,
            warnings: Vec::new(),
            skipped: Several::default(),
        }
    }

    /// A row that cannot be taken.
    pub(super) fn bad_row(&mut self, line: u32, message: impl FnOnce() -> String) {
        if self.skips {
            self.skipped.add(line, || format!("line {line}: {}", message()));
        } else {
            self.error(line, message);
        }
    }

    /// What refuses the file, whatever becomes of rows.
    pub(super) fn error(&mut self, line: u32, message: impl FnOnce() -> String) {
        self.errors_count = self.errors_count.saturating_add(1);
        // One place is kept for the number of the rest.
        if self.errors.len() < DIAGNOSTICS_MAX.saturating_sub(1) {
            let error = self.diagnostic(line, Severity::Error, &message());
            self.errors.push(error);
        }
    }

    /// Refuses the file when all of its rows were left out.
    pub(super) fn refuse_if_skipped(&mut self) {
        if let Some(first) = self.skipped.shown.first().cloned() {
            let line = self.skipped.line;
            self.error(line, || format!("no row is right, and none would be left: {first}"));
        }
    }

    /// Errors that are only counted.
    pub(super) fn add_errors(&mut self, more: usize) {
        self.errors_count = self.errors_count.saturating_add(more);
    }

    /// An error of which the place is known.
    pub(super) fn error_elsewhere(&mut self, error: Diagnostic) {
        self.errors_count = self.errors_count.saturating_add(1);
        self.errors.push(error);
    }

    /// One warning for rows of one kind.
    pub(super) fn warn_of(&mut self, rows: Several, one: &str, many: &str) {
        if rows.count == 0 {
            return;
        }
        let words = if rows.count == 1 { one } else { many };
        let shown = rows.shown.join("; ");
        let more = if rows.count > u64::try_from(rows.shown.len()).unwrap_or(0) { "; and more" } else { "" };
        let message = format!("{} {words}: {shown}{more}", rows.count);
        let warning = self.diagnostic(rows.line, Severity::Warning, &message);
        self.warnings.push(warning);
    }

    /// Whether so much is wrong that the rest need not be read.
    pub(super) fn is_hopeless(&self) -> bool {
        self.errors_count >= TABLE_ERRORS_MAX
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors_count > 0
    }

    /// The warnings, or all errors with the number of those that are not shown.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        if self.errors_count == 0 {
            let skipped = std::mem::take(&mut self.skipped);
            self.warn_of(skipped, "row is wrong and was left out", "rows are wrong and were left out");
            return Ok(self.warnings);
        }
        let more = self.errors_count.saturating_sub(self.errors.len());
        if more > 0
            && let Some(last) = self.errors.last().cloned()
        {
            let rest = if self.is_hopeless() { "; the rest of this file was not read" } else { "" };
            let message = format!("and {more} more errors in this file{rest}");
            self.errors.push(Diagnostic { message, ..last });
        }
        Err(self.errors)
    }

    fn diagnostic(&self, line: u32, severity: Severity, message: &str) -> Diagnostic {
        Diagnostic { file: self.path.clone(), line, column: 1, severity, message: one_line(message) }
    }
}
