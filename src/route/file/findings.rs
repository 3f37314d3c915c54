//! Pure. Collects what is wrong, in all files, up to a limit.

use super::{Diagnostic, Severity};
use crate::{limits::DIAGNOSTICS_MAX, route::Place};

/// Findings in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    errors_more: usize,
    warnings_more: usize,
}

impl Findings {
    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        push(&mut self.errors, &mut self.errors_more, place, Severity::Error, message.into());
    }

    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>) {
        push(&mut self.warnings, &mut self.warnings_more, place, Severity::Warning, message.into());
    }

    /// Takes a result apart: an error is noted at `place`.
    pub(super) fn ok<T>(&mut self, place: &Place, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.error(place, message)).ok()
    }

    /// Takes over the findings of another.
    pub(super) fn append(&mut self, other: Self) {
        self.add(other.errors.into_iter().chain(other.warnings));
        self.errors_more = self.errors_more.saturating_add(other.errors_more);
        self.warnings_more = self.warnings_more.saturating_add(other.warnings_more);
    }

    /// Takes over what was found elsewhere.
    pub(super) fn add(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for Diagnostic { file, line, column, severity, message } in diagnostics {
            let place = Place { file: file.into(), line, column };
            match severity {
                Severity::Error => self.error(&place, message),
                Severity::Warning => self.warning(&place, message),
            }
        }
    }

    /// Whether a further error is only counted, so that its words need not be good.
    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= DIAGNOSTICS_MAX
    }

    /// Errors so far, those that are only counted included.
    pub(super) fn count(&self) -> usize {
        self.errors.len().saturating_add(self.errors_more)
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Warnings, or all errors; each by file, line and column, files in the order of `files`.
    pub(super) fn finish(self, files: &[String]) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        if self.errors.is_empty() {
            Ok(in_order(self.warnings, self.warnings_more, "warnings", files))
        } else {
            Err(in_order(self.errors, self.errors_more, "errors", files))
        }
    }
}

fn push(list: &mut Vec<Diagnostic>, more: &mut usize, place: &Place, severity: Severity, message: String) {
    if list.len() >= DIAGNOSTICS_MAX {
        *more = more.saturating_add(1);
        return;
    }
    let Place { file, line, column } = place;
    let message = one_line(&message);
    list.push(Diagnostic { file: file.to_string(), line: *line, column: *column, severity, message });
}

/// A message is one line for a log and a terminal, whatever texts of the file it shows.
pub(super) fn one_line(message: &str) -> String {
    const CHARS_MAX: usize = 1000;
    let mut line = String::with_capacity(message.len());
    for char in message.chars().take(CHARS_MAX) {
        if char.is_control() {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
    }
    if message.chars().nth(CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

fn in_order(mut list: Vec<Diagnostic>, more: usize, word: &str, files: &[String]) -> Vec<Diagnostic> {
    // Files that are not among the sources are data files: they come last, by name.
    let rank = |file: &str| files.iter().position(|known| known == file).unwrap_or(files.len());
    list.sort_by_cached_key(|it| (rank(&it.file), it.file.clone(), it.line, it.column));
    list.dedup();
    if more > 0
        && let Some(last) = list.last().cloned()
    {
        list.push(Diagnostic { message: format!("and {more} more {word}"), ..last });
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, line: u32) -> Place {
        Place { file: file.into(), line, column: 1 }
    }

    #[test]
    fn errors_come_by_file_and_line_and_hide_warnings() {
        let mut findings = Findings::default();
        findings.warning(&place("b", 1), "w");
        findings.error(&place("data.csv", 1), "3");
        findings.error(&place("a", 7), "2");
        findings.error(&place("b", 9), "1");
        let errors = findings.finish(&["b".to_owned(), "a".to_owned()]).expect_err("errors");
        assert_eq!(errors.iter().map(|it| it.message.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        assert_eq!(one_line("a `b\r\n\u{1b}[31m` é"), "a `b\\r\\n\\u{1b}[31m` é");
        assert_eq!(one_line(&"é".repeat(1000)), "é".repeat(1000));
        assert_eq!(one_line(&"é".repeat(1001)), format!("{}…", "é".repeat(1000)));
    }

    #[test]
    fn the_rest_is_counted() {
        for extra in [0, 1] {
            let mut findings = Findings::default();
            for line in 0..DIAGNOSTICS_MAX + extra {
                findings.error(&place("a", u32::try_from(line).expect("line")), "x");
            }
            let errors = findings.finish(&[]).expect_err("errors");
            assert_eq!(errors.len(), DIAGNOSTICS_MAX + extra);
            assert_eq!(errors.last().expect("last").message == "and 1 more errors", extra == 1);
        }
    }
}
