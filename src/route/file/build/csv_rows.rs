//! Pure. The rows of a CSV file to those of a number table.
//!
//! In:    the bytes of the file.
//! Out:   rows, or what is wrong with them, by line.
//! Never: goes on through a file that is wrong from end to end.

use super::Builder;
use crate::{
    limits::DIAGNOSTICS_MAX,
    numbers::{self, KeyColumns, Shape, Table},
    route::{Place, pattern::number_fault},
};

const COMMENT_HINT: &str = "; a comment begins with `#` and a space";

/// The lines of one CSV file.
pub(super) struct Rows<'a> {
    path: &'a str,
    bytes: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    record: csv::ByteRecord,
    line: u32,
    /// Bytes whose line breaks are counted in `line`.
    counted: usize,
    /// Errors so far: a file that is wrong from end to end is not read to the end.
    errors: usize,
    /// Rows so far.
    rows: u32,
}

impl<'a> Rows<'a> {
    /// Comments in `bytes` are blanked.
    pub(super) fn new(path: &'a str, bytes: &'a mut [u8], separator: u8) -> Self {
        blank_comments(bytes);
        let bytes: &[u8] = bytes;
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let record = csv::ByteRecord::new();
        Self { path, bytes, reader, record, line: 1, counted: 0, errors: 0, rows: 0 }
    }

    fn place(&self) -> Place {
        Place { file: self.path.into(), line: self.line, column: 1 }
    }

    fn error(&mut self, builder: &mut Builder<'_>, message: String) {
        self.errors += 1;
        builder.findings.error(&self.place(), message);
    }

    /// Goes to the next line that is not empty and no comment.
    fn next(&mut self, builder: &mut Builder<'_>) -> bool {
        self.count_lines();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(more) => more,
            Err(error) => {
                self.error(builder, format!("not CSV: {error}"));
                false
            }
        }
    }

    /// The reader's own number is that of the first empty line before the row.
    fn count_lines(&mut self) {
        let begin = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        let rest = self.bytes.get(begin..).unwrap_or_default();
        let breaks = rest.iter().take_while(|&&byte| matches!(byte, b'\r' | b'\n')).count();
        let end = begin.saturating_add(breaks);
        let passed = self.bytes.get(self.counted..end).unwrap_or_default();
        let lines = u32::try_from(memchr::memchr_iter(b'\n', passed).count()).unwrap_or(u32::MAX);
        self.line = self.line.saturating_add(lines);
        self.counted = end;
    }

    pub(super) fn header(&mut self, builder: &mut Builder<'_>) -> Option<(Vec<String>, Place)> {
        if !self.next(builder) {
            self.line = 1;
            self.error(
                builder,
                "the file is empty; expected a header line with the names of the columns".to_owned(),
            );
            return None;
        }
        let columns = self.record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        Some((columns, self.place()))
    }

    pub(super) fn fill(&mut self, shape: Shape, builder: &mut Builder<'_>) -> Table {
        let mut table = numbers::Builder::new(shape.clone());
        while self.next(builder) {
            if let Err(message) = self.row(&shape, &mut table) {
                self.error(builder, message);
                if self.errors > DIAGNOSTICS_MAX {
                    self.error(builder, "too many errors; the rest of this file was not read".to_owned());
                    break;
                }
            }
        }
        table.finish().table
    }

    fn row(&mut self, shape: &Shape, table: &mut numbers::Builder) -> Result<(), String> {
        self.check_cells(shape)?;
        self.rows += 1;
        let cells: Vec<&[u8]> = self.record.iter().collect();
        table.push(&cells, self.line).map_err(|_| "the table is full".to_owned())
    }

    fn check_cells(&self, table: &Shape) -> Result<(), String> {
        let columns = table.columns.len();
        if self.record.len() != columns {
            let has = self.record.len();
            let hint = match self.record.get(0) {
                Some([b'#', ..]) => COMMENT_HINT,
                _ if has == 1 => "; is the `separator` right?",
                _ => "",
            };
            return Err(format!("the row has {has} cells, the table {columns} columns{hint}"));
        }
        for (cell, column) in self.record.iter().zip(&table.columns) {
            let text = std::str::from_utf8(cell)
                .map_err(|_| format!("`{column}` holds a byte that is not UTF-8; save the file as UTF-8"))?;
            if text.contains(|char: char| char.is_control()) {
                // Values go into headers and URIs, where a line break would begin a header of its own.
                return Err(format!(
                    "`{column}` holds a control character or line break; is a quote not closed?"
                ));
            }
        }
        let KeyColumns::One(key_column) = table.key else { return Ok(()) };
        let key = self.record.get(key_column).unwrap_or_default();
        let Some(fault) = number_fault(key) else { return Ok(()) };
        let key = String::from_utf8_lossy(key);
        let name = table.columns.get(key_column).map_or("", |name| name);
        let hint = if self.rows == 0 && *key == *name {
            "; when this line names the columns, write `header: true` instead of `columns`"
        } else if key.starts_with('#') {
            COMMENT_HINT
        } else if key.contains("E+") {
            "; a spreadsheet has turned the number into a decimal: format the column as text and export again"
        } else {
            ""
        };
        Err(format!("`{name}` is `{key}`, which {fault}{hint}"))
    }
}

/// Makes empty lines of comments: of lines that begin with `#` and then a space, a letter, or nothing.
/// `#31#` is a key. Line feeds stay, so that lines keep their numbers.
fn blank_comments(bytes: &mut [u8]) {
    let mut begin = 0;
    while let Some(found) = bytes.get(begin..).and_then(|rest| memchr::memchr(b'#', rest)) {
        let sign = begin.saturating_add(found);
        let is_break = |&byte: &u8| matches!(byte, b'\r' | b'\n');
        let begins_line = sign.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(is_break);
        // A byte that is not ASCII is of a letter of another alphabet; no number has one.
        let comments = bytes
            .get(sign.saturating_add(1))
            .is_none_or(|&next| next.is_ascii_whitespace() || next.is_ascii_alphabetic() || !next.is_ascii());
        begin = sign.saturating_add(1);
        if begins_line && comments {
            let rest = bytes.get_mut(sign..).unwrap_or_default();
            let length = rest.iter().position(is_break).unwrap_or(rest.len());
            rest.iter_mut().take(length).for_each(|byte| *byte = b'\r');
            begin = sign.saturating_add(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_told_from_keys() {
        for (line, is_comment) in [
            ("# a, \"b", true),
            ("#", true),
            ("#\ttab", true),
            ("#number,rn", true),
            ("#Überschrift", true),
            ("#31#,x", false),
            ("#1", false),
            ("##", false),
            ("#*", false),
            ("#,x", false),
            ("\"#A1\",x", false),
            (" # a", false),
            ("1# a", false),
            ("", false),
        ] {
            for (before, after) in [("", ""), ("1\n", "\n2"), ("1\r\n", "\r\n#\r\n")] {
                let mut bytes = [before, line, after].concat().into_bytes();
                blank_comments(&mut bytes);
                let blank = if is_comment { "\r".repeat(line.len()) } else { line.to_owned() };
                let expected = [before, &blank, &after.replace('#', "\r")].concat();
                assert_eq!(String::from_utf8_lossy(&bytes), expected, "{line} after {before:?}");
            }
        }
    }
}
