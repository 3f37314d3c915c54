//! Pure. `tables:` of all files; `csv_rows` reads the files they name.

use std::sync::Arc;

use super::{Builder, Data, DraftFile, csv_rows::Rows, with_roots};
use crate::{
    limits::{TABLE_COLUMNS_MAX, TABLE_FILE_BYTES_MAX},
    numbers::{self, KeyColumns, Kind, Shape, Table},
    route::{
        Place,
        file::{
            marks::At,
            near::{instead, listed},
            written::{MatchWritten, TableWritten},
        },
    },
};

impl Builder<'_> {
    pub(super) fn tables(&mut self, files: &[DraftFile], data: Data<'_>) {
        for (file, root) in with_roots(files) {
            let section = root.key("tables");
            for (index, (name, written)) in file.written.tables.iter().flat_map(|it| &it.0).enumerate() {
                let at = section.entry(index).1;
                let table = self.table_of(at, written, data);
                let columns = table.as_ref().map(|table| table.shape().columns.clone());
                self.names.columns.borrow_mut().push(columns);
                // A table that could not be read keeps its place, so that the indices stay right.
                let empty = Shape { kind: Kind::Exact, columns: Vec::new(), key: KeyColumns::One(0) };
                let table = table.unwrap_or_else(|| numbers::Builder::new(empty).finish().table);
                let table = self.number_table(at, name, Arc::new(table));
                self.table.tables.push(table);
            }
        }
    }

    fn table_of(&mut self, at: At<'_>, written: &TableWritten, data: Data<'_>) -> Option<Table> {
        let separator = self.separator(at, written)?;
        if written.columns.is_some() == written.header {
            let message = if written.header {
                "either `columns` or `header: true`, not both: the header line names the columns"
            } else {
                "the columns have no names; add `columns: [number, …]`, or `header: true` when the first line names them"
            };
            self.error(at, message);
            return None;
        }
        let file_at = at.key("file");
        let mut bytes = match data(&written.file.0) {
            Ok(bytes) if bytes.len() <= TABLE_FILE_BYTES_MAX => bytes,
            Ok(bytes) => {
                let (has, most) = (bytes.len(), TABLE_FILE_BYTES_MAX);
                self.error(file_at, format!("`{}` has {has} bytes; expected at most {most}", written.file.0));
                return None;
            }
            Err(why) => {
                let path = &written.file.0;
                self.error(
                    file_at,
                    format!("cannot read `{path}`: {why}; paths are relative to the routes directory"),
                );
                return None;
            }
        };
        let mark = b"\xef\xbb\xbf";
        let begin = if bytes.starts_with(mark) { mark.len() } else { 0 };
        let bytes = bytes.get_mut(begin..).unwrap_or_default();
        let mut rows = Rows::new(&written.file.0, bytes, separator);
        let (columns, columns_at) = if let Some(columns) = &written.columns {
            (columns.iter().map(|column| column.0.clone()).collect(), at.key("columns").place())
        } else {
            rows.header(self)?
        };
        let key = self.check_columns(&columns, &columns_at, at, written)?;
        let has_to = columns.iter().any(|column| column == "to");
        let kind = match written.match_kind {
            MatchWritten::Exact => Kind::Exact,
            MatchWritten::Prefix if has_to => Kind::Deck,
            MatchWritten::Prefix => Kind::Prefix,
        };
        let columns = columns.into_iter().map(String::into_boxed_str).collect();
        let table = rows.fill(Shape { kind, columns, key: KeyColumns::One(key) }, self);
        if table.rows() == 0 {
            self.findings.warning(&file_at.place(), format!("`{}` has no rows", written.file.0));
        }
        Some(table)
    }

    fn separator(&mut self, at: At<'_>, written: &TableWritten) -> Option<u8> {
        match written.separator.as_ref().map(|text| text.0.as_bytes()) {
            None => Some(b','),
            Some(b"tab") => Some(b'\t'),
            Some(&[byte])
                if matches!(byte, b'\t' | b' ')
                    || (byte.is_ascii_punctuation() && !b"\"#+*".contains(&byte)) =>
            {
                Some(byte)
            }
            Some(_) => {
                self.error(
                    at.key("separator"),
                    "expected one sign that no number has, such as `,` `;` `|`, or `tab`",
                );
                None
            }
        }
    }

    /// The index of the key column.
    fn check_columns(
        &mut self,
        columns: &[String],
        place: &Place,
        at: At<'_>,
        written: &TableWritten,
    ) -> Option<usize> {
        if columns.len() > TABLE_COLUMNS_MAX {
            let count = columns.len();
            self.findings.error(place, format!("{count} columns; expected at most {TABLE_COLUMNS_MAX}"));
            return None;
        }
        for (index, column) in columns.iter().enumerate() {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if column.is_empty() || !column.bytes().all(known) {
                let message = format!(
                    "`{column}` cannot name a column; expected letters, digits, `-` and `_`, for templates name it \
                     `{{TABLE.COLUMN}}`"
                );
                self.findings.error(place, message);
                return None;
            }
            if columns.iter().take(index).any(|before| before == column) {
                self.findings.error(place, format!("two columns are named `{column}`; rename one"));
                return None;
            }
        }
        let names = || columns.iter().map(String::as_str);
        if let Some(key) = &written.key {
            let index = columns.iter().position(|column| *column == key.0);
            if index.is_none() {
                let rest = instead(&key.0, names, "the columns are");
                self.error(at.key("key"), format!("no column `{}`{rest}", key.0));
            }
            return index;
        }
        let index = columns.iter().position(|column| column == "number" || column == "prefix");
        if index.is_none() {
            let message = format!(
                "no column is named `number` or `prefix`; add `key: NAME` with the column to look up: {}",
                listed(names())
            );
            self.findings.error(place, message);
        }
        index
    }
}
