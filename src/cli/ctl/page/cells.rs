//! Outside. Values of an answer as text, and rows of them.
//!
//! In:    JSON.
//! Out:   text, aligned.
//! Never: lets a byte of the server's steer the terminal.

use serde_json::Value;

use crate::cli::output::shown;

/// Rows under a head.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|word| (*word).to_owned()).collect();
    aligned(std::iter::once(head).chain(rows))
}

/// Columns as wide as their widest cell; the last one as it is.
pub(super) fn aligned(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut page = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        page.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        page.push('\n');
    }
    page
}

pub(super) fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn count(value: &Value, key: &str) -> usize {
    value.get(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
}

pub(super) fn text(value: &Value, key: &str) -> String {
    value.get(key).map_or_else(|| "?".to_owned(), plain)
}

pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text.as_bytes()),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Line ends as they are.
pub(super) fn lines(text: &str) -> String {
    text.replace("\\x0a", "\n")
}

pub(super) fn moment(value: &Value, key: &str) -> String {
    let unix_s = value.get(key).and_then(Value::as_i64).unwrap_or_default();
    jiff::Timestamp::from_second(unix_s).map_or_else(|_| unix_s.to_string(), |at| at.to_string())
}

pub(super) fn uptime(said: &Value) -> String {
    let s = count(said, "uptime_s");
    let (days, hours, minutes) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
