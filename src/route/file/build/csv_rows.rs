//! Pure. The rows of a CSV file to those of a number table.
//!
//! In:    the bytes of the file.
//! Out:   rows, or what is wrong with them, by line.
//! Never: goes on through a file that is wrong from end to end.

use std::{collections::HashMap, hash::BuildHasherDefault};

use super::{Builder, names::TargetName};
use crate::{
    limits::{CARRIERS_PER_TABLE_MAX, DIAGNOSTICS_MAX, ROWS_PER_PREFIX_MAX},
    route::{
        Match, NumberTable, Place, Row,
        numbers::{RowTarget, SameKey},
        pattern::number_fault,
    },
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
    targets: HashMap<Vec<u8>, RowTarget, BuildHasherDefault<ahash::AHasher>>,
    /// Line of each row.
    lines: Vec<u32>,
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
        let targets = HashMap::default();
        Self { path, bytes, reader, record, line: 1, counted: 0, errors: 0, targets, lines: Vec::new() }
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

    pub(super) fn fill(&mut self, table: &mut NumberTable, builder: &mut Builder<'_>) {
        let columns = table.columns();
        let position = |name: &str| columns.iter().position(|column| **column == *name);
        let (to, cost) = (position("to"), position("cost"));
        while self.next(builder) {
            if let Err(message) = self.row(table, to, cost, builder) {
                self.error(builder, message);
                if self.errors > DIAGNOSTICS_MAX {
                    self.error(builder, "too many errors; the rest of this file was not read".to_owned());
                    return;
                }
            }
        }
    }

    fn row(
        &mut self,
        table: &mut NumberTable,
        to: Option<usize>,
        cost: Option<usize>,
        builder: &mut Builder<'_>,
    ) -> Result<(), String> {
        self.check_cells(table)?;
        let cell = |column: usize| self.record.get(column).unwrap_or_default();
        let target = match to {
            Some(column) => Some(match self.targets.get(cell(column)) {
                Some(&target) => target,
                None => {
                    let target = row_target(cell(column), builder)?;
                    self.targets.insert(cell(column).to_vec(), target);
                    target
                }
            }),
            None => None,
        };
        if self.targets.len() > CARRIERS_PER_TABLE_MAX {
            return Err(format!("more than {CARRIERS_PER_TABLE_MAX} different names in the column `to`"));
        }
        let cost_micro = cost.map(|column| cost_micro(cell(column))).transpose()?;
        let Some(same) = table.push(self.record.iter(), target, cost_micro) else {
            return Err("the table is full; carrier-size tables need another format".to_owned());
        };
        self.lines.push(self.line);
        self.check_same_key(table, same, target)
    }

    fn check_cells(&self, table: &NumberTable) -> Result<(), String> {
        let columns = table.columns().len();
        if self.record.len() != columns {
            let has = self.record.len();
            let hint = match self.record.get(0) {
                Some([b'#', ..]) => COMMENT_HINT,
                _ if has == 1 => "; is the `separator` right?",
                _ => "",
            };
            return Err(format!("the row has {has} cells, the table {columns} columns{hint}"));
        }
        for (cell, column) in self.record.iter().zip(table.columns()) {
            let text = std::str::from_utf8(cell)
                .map_err(|_| format!("`{column}` holds a byte that is not UTF-8; save the file as UTF-8"))?;
            if text.contains(|char: char| char.is_control()) {
                // Values go into headers and URIs, where a line break would begin a header of its own.
                return Err(format!(
                    "`{column}` holds a control character or line break; is a quote not closed?"
                ));
            }
        }
        let key_column = table.key_column();
        let key = self.record.get(key_column).unwrap_or_default();
        let Some(fault) = number_fault(key) else { return Ok(()) };
        let key = String::from_utf8_lossy(key);
        let name = table.columns().get(key_column).map_or("", |name| name);
        let hint = if self.lines.is_empty() && *key == *name {
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

    /// One number, one row; one prefix, one row for each target.
    fn check_same_key(
        &self,
        table: &NumberTable,
        same: SameKey,
        target: Option<RowTarget>,
    ) -> Result<(), String> {
        let Some(first) = same.first else { return Ok(()) };
        let line = |row: Row| self.lines.get(row as usize).copied().unwrap_or(0);
        let key = String::from_utf8_lossy(table.key(first)).into_owned();
        if table.match_kind() == Match::Exact || target.is_none() {
            return Err(format!("`{key}` is in the table twice; the first is on line {}", line(first)));
        }
        if same.rows >= ROWS_PER_PREFIX_MAX {
            return Err(format!("more than {ROWS_PER_PREFIX_MAX} rows for the prefix `{key}`"));
        }
        match table.rows_of_key(first).take(same.rows).find(|&row| table.target(row) == target) {
            Some(row) => Err(format!(
                "the same prefix `{key}` and the same target twice; the first is on line {}",
                line(row)
            )),
            None => Ok(()),
        }
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

fn row_target(cell: &[u8], builder: &Builder<'_>) -> Result<RowTarget, String> {
    let name = String::from_utf8_lossy(cell);
    if name.is_empty() {
        return Err("`to` is empty; expected the name of a gateway or group".to_owned());
    }
    Ok(match builder.names.target(&name).map_err(|message| format!("`to`: {message}"))? {
        TargetName::Gateway(id) => RowTarget::Gateway(id),
        TargetName::Group(id) => RowTarget::Group(id),
    })
}

/// A decimal in millionths.
fn cost_micro(cell: &[u8]) -> Result<u64, String> {
    let shown = || String::from_utf8_lossy(cell).into_owned();
    let form = || {
        let hint = if cell.contains(&b',') { "; write the decimal point as `.`" } else { "" };
        format!("`cost` is `{}`; expected a decimal such as 0.0125, with at most six decimals{hint}", shown())
    };
    let text = std::str::from_utf8(cell).map_err(|_| form())?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 6 || text.ends_with('.') {
        return Err(form());
    }
    let micro = format!("{decimals:0<6}").parse::<u64>().map_err(|_| form())?;
    let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(1_000_000));
    whole
        .and_then(|whole| whole.checked_add(micro))
        .ok_or_else(|| format!("`cost` is `{}`, more than can be compared", shown()))
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

    #[test]
    fn costs_are_exact_decimals() {
        for (text, micro) in [
            ("0", 0),
            ("1", 1_000_000),
            ("0.0125", 12_500),
            ("0.000001", 1),
            ("12.345678", 12_345_678),
            ("18446744073709.551615", u64::MAX),
        ] {
            assert_eq!(cost_micro(text.as_bytes()), Ok(micro), "{text}");
        }
        for text in ["", ".5", "1.", "-1", "+1", "1e3", "0,5", "0.0000001", "18446744073709.551616", "1 "] {
            assert!(cost_micro(text.as_bytes()).is_err(), "{text}");
        }
    }
}
