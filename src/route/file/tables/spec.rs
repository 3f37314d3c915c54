//! Pure. What a route file says of one table.

use crate::{
    limits::TABLE_CHANGES_MAX,
    route::{
        Place,
        file::{
            Diagnostic, Severity,
            marks::At,
            written::{BadRowsWritten, ConflictsWritten, MatchWritten, TableWritten},
        },
    },
};

use super::columns::{self, Key};

/// One table: the files to read, and how.
#[derive(Clone, Debug)]
pub struct TableSpec {
    /// Its name.
    pub name: String,
    /// Path of its file, relative to the routes directory.
    pub file: String,
    /// Paths of the files that change it, in order.
    pub changes: Vec<String>,
    pub(super) form: Form,
    /// Where the route file says so.
    pub(super) places: Places,
}

/// How keys are looked up, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Exact,
    Prefix,
}

/// How the rows are written and what is wanted of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) separator: u8,
    /// `None`: the header line names them, or the compiled table.
    pub(super) columns: Option<Vec<String>>,
    pub(super) key: Key,
    pub(super) match_kind: Option<Match>,
    pub(super) skips_bad_rows: bool,
    pub(super) keeps_first: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) file: Place,
    pub(super) columns: Place,
    pub(super) key: Place,
    pub(super) match_kind: Place,
    pub(super) changes: Vec<Place>,
}

impl TableSpec {
    /// Paths of all its files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.file).chain(self.changes.iter().map(String::as_str))
    }

    /// Whether the file is a table of `waypost compile`, by its name.
    #[must_use]
    pub fn is_compiled(&self) -> bool {
        is_compiled(&self.file)
    }

    /// Whether the same bytes make the same table of the file, changes left aside.
    #[must_use]
    pub fn is_read_like(&self, other: &Self) -> bool {
        self.file == other.file && self.form == other.form
    }

    /// What to say when a file cannot be read.
    #[must_use]
    pub fn unreadable(&self, file: &str, why: &str) -> Diagnostic {
        let place = self.changes.iter().position(|changes| changes == file);
        let place = place.filter(|_| file != self.file).and_then(|index| self.places.changes.get(index));
        let message = format!("cannot read `{file}`: {why}; paths are relative to the routes directory");
        error_at(place.unwrap_or(&self.places.file), message)
    }

    /// What to say when the file as a whole is not what was expected.
    #[must_use]
    pub fn refused(&self, message: String) -> Diagnostic {
        error_at(&self.places.file, message)
    }
}

pub(in crate::route::file) fn error_at(place: &Place, message: String) -> Diagnostic {
    let Place { file, line, column } = place;
    Diagnostic { file: file.to_string(), line: *line, column: *column, severity: Severity::Error, message }
}

fn is_compiled(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, end)| end == "wpt")
}

/// Reads one entry of `tables:`, or says where it is wrong, and how.
pub(in crate::route::file) fn of(
    at: At<'_>,
    name: &str,
    written: &TableWritten,
) -> Result<TableSpec, (Place, String)> {
    let fault = |at: At<'_>, message: &str| Err((at.place(), message.to_owned()));
    let Some(separator) = separator(written) else {
        return fault(
            at.key("separator"),
            "expected one sign that no number has, such as `,` `;` `|`, or `tab`",
        );
    };
    let key = match written.key.as_ref().map(|key| key.as_slice()) {
        None => Key::ByName,
        Some([one]) => Key::One(one.0.clone()),
        Some([from, until]) => Key::Range(from.0.clone(), until.0.clone()),
        Some(_) => {
            return fault(
                at.key("key"),
                "expected one column, or two with the first and the last number of a range: `[from, until]`",
            );
        }
    };
    let columns: Option<Vec<String>> =
        written.columns.as_ref().map(|columns| columns.iter().map(|column| column.0.clone()).collect());
    let match_kind = written.match_kind.map(|kind| match kind {
        MatchWritten::Exact => Match::Exact,
        MatchWritten::Prefix => Match::Prefix,
    });
    if is_compiled(&written.file.0) {
        if written.header || written.key.is_some() {
            let extra = if written.header { "header" } else { "key" };
            return fault(
                at.key(extra),
                "a compiled table knows its columns and its key; take this out, or name the CSV file it was made of",
            );
        }
    } else {
        check_csv(at, written, columns.as_deref(), &key, match_kind)?;
    }
    let changes: Vec<String> = written.changes.iter().flatten().map(|path| path.0.clone()).collect();
    if changes.len() > TABLE_CHANGES_MAX {
        let message = format!(
            "{} files of changes; expected at most {TABLE_CHANGES_MAX}: make a new file of the table, and begin again",
            changes.len()
        );
        return Err((at.key("changes").place(), message));
    }
    let places = Places {
        file: at.key("file").place(),
        columns: at.key("columns").place(),
        key: at.key("key").place(),
        match_kind: at.key("match").place(),
        changes: (0..changes.len()).map(|index| at.key("changes").item(index).place()).collect(),
    };
    let form = Form {
        separator,
        columns,
        key,
        match_kind,
        skips_bad_rows: written.bad_rows.unwrap_or_default() == BadRowsWritten::Skip,
        keeps_first: written.conflicts.unwrap_or_default() == ConflictsWritten::First,
    };
    Ok(TableSpec { name: name.to_owned(), file: written.file.0.clone(), changes, form, places })
}

fn check_csv(
    at: At<'_>,
    written: &TableWritten,
    columns: Option<&[String]>,
    key: &Key,
    match_kind: Option<Match>,
) -> Result<(), (Place, String)> {
    let Some(match_kind) = match_kind else {
        let message = "`match` is missing; add `match: exact` for whole numbers, or `match: prefix` for the longest beginning";
        return Err((at.place(), message.to_owned()));
    };
    if columns.is_some() == written.header {
        let message = if written.header {
            "either `columns` or `header: true`, not both: the header line names the columns"
        } else {
            "the columns have no names; add `columns: [number, …]`, or `header: true` when the first line names them"
        };
        return Err((at.place(), message.to_owned()));
    }
    if let Some(columns) = columns {
        columns::check(columns, key, match_kind).map_err(|fault| {
            let at = if fault.is_of_key { at.key("key") } else { at.key("columns") };
            (at.place(), fault.message)
        })?;
    }
    Ok(())
}

fn separator(written: &TableWritten) -> Option<u8> {
    match written.separator.as_ref().map(|text| text.0.as_bytes()) {
        None => Some(b','),
        Some(b"tab") => Some(b'\t'),
        Some(&[byte])
            if matches!(byte, b'\t' | b' ')
                || (byte.is_ascii_punctuation() && !b"\"#+*-".contains(&byte)) =>
        {
            Some(byte)
        }
        Some(_) => None,
    }
}
