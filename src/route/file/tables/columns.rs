//! Pure. The columns of a table: their names, and which of them are looked up.

use crate::{
    limits::TABLE_COLUMNS_MAX,
    numbers::{KeyColumns, Kind, Shape},
    route::file::near::{instead, listed},
};

use super::spec::Match;

/// The columns that are looked up, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// `number` or `prefix`, or `from` and `until`.
    ByName,
    One(String),
    /// The first and the last number of a range.
    Range(String, String),
}

/// What is wrong with the columns.
#[derive(Debug)]
pub(super) struct ColumnFault {
    /// Whether it is the key that is wrong.
    pub(super) is_of_key: bool,
    pub(super) message: String,
}

/// What a table with these columns looks like.
pub(super) fn check(columns: &[String], key: &Key, match_kind: Match) -> Result<Shape, ColumnFault> {
    check_names(columns).map_err(|message| ColumnFault { is_of_key: false, message })?;
    let key = key_columns(columns, key)?;
    let is_range = matches!(key, KeyColumns::Range { .. });
    if is_range && match_kind == Match::Exact {
        let message =
            "ranges are looked up by `match: prefix`; expected it, or one column as the key".to_owned();
        return Err(ColumnFault { is_of_key: false, message });
    }
    let kind = match match_kind {
        Match::Exact => Kind::Exact,
        // Least-cost routing: one prefix may have a row for each carrier.
        Match::Prefix if columns.iter().any(|column| column == "to") => Kind::Deck,
        Match::Prefix => Kind::Prefix,
    };
    let columns = columns.iter().map(|column| column.as_str().into()).collect();
    Ok(Shape { kind, columns, key })
}

fn check_names(columns: &[String]) -> Result<(), String> {
    if columns.len() > TABLE_COLUMNS_MAX {
        return Err(format!("{} columns; expected at most {TABLE_COLUMNS_MAX}", columns.len()));
    }
    for (index, column) in columns.iter().enumerate() {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if column.is_empty() || !column.bytes().all(known) {
            return Err(format!(
                "`{column}` cannot name a column; expected letters, digits, `-` and `_`, for templates name it \
                 `{{TABLE.COLUMN}}`"
            ));
        }
        if columns.iter().take(index).any(|before| before == column) {
            return Err(format!("two columns are named `{column}`; rename one"));
        }
    }
    Ok(())
}

fn key_columns(columns: &[String], key: &Key) -> Result<KeyColumns, ColumnFault> {
    let position = |name: &str| columns.iter().position(|column| column == name);
    let names = || columns.iter().map(String::as_str);
    let named = |name: &str| {
        position(name).ok_or_else(|| {
            let rest = instead(name, names, "the columns are");
            ColumnFault { is_of_key: true, message: format!("no column `{name}`{rest}") }
        })
    };
    match key {
        Key::One(name) => Ok(KeyColumns::One(named(name)?)),
        Key::Range(from, until) => {
            let (from, to) = (named(from)?, named(until)?);
            if from == to {
                let message =
                    "the first and the last number of a range are in two columns; expected two names"
                        .to_owned();
                return Err(ColumnFault { is_of_key: true, message });
            }
            Ok(KeyColumns::Range { from, to })
        }
        Key::ByName => {
            if let Some(one) = columns.iter().position(|column| column == "number" || column == "prefix") {
                return Ok(KeyColumns::One(one));
            }
            if let (Some(from), Some(to)) = (position("from"), position("until")) {
                return Ok(KeyColumns::Range { from, to });
            }
            let message = format!(
                "no column is named `number` or `prefix`; add `key: NAME` with the column to look up: {}",
                listed(names())
            );
            Err(ColumnFault { is_of_key: false, message })
        }
    }
}
