//! Pure. One row: what is wrong with it, in words.

use crate::{
    limits::TABLE_COLUMNS_MAX,
    numbers::{KeyColumns, RowFault, Shape},
    route::pattern::number_fault,
};

use super::records::Record;

/// Characters of a row that a message shows.
const SHOWN_CHARS: usize = 80;

const COMMENT_HINT: &str = "; a comment begins with `#` and a space";

/// The cells of a row, with room for one of every table.
pub(super) struct Cells<'r> {
    room: [&'r [u8]; TABLE_COLUMNS_MAX],
    len: usize,
}

impl<'r> Cells<'r> {
    /// Those of a record after the first `skip`; what is too many is left out, and [`fault`] says so.
    pub(super) fn of(record: &Record<'r>, skip: usize) -> Self {
        let mut room: [&[u8]; TABLE_COLUMNS_MAX] = [b""; TABLE_COLUMNS_MAX];
        for (place, cell) in room.iter_mut().zip(record.cells().skip(skip)) {
            *place = cell;
        }
        Self { room, len: record.len().saturating_sub(skip).min(TABLE_COLUMNS_MAX) }
    }

    pub(super) fn as_slice(&self) -> &[&'r [u8]] {
        self.room.get(..self.len).unwrap_or_default()
    }
}

/// What is wrong with the cells of a row, its key aside; `has` is how many there are.
pub(super) fn fault(shape: &Shape, cells: &[&[u8]], has: usize) -> Option<String> {
    let columns = shape.columns.len();
    if has != columns {
        let hint = match cells.first() {
            Some([b'#', ..]) => COMMENT_HINT,
            _ if has == 1 => "; is the `separator` right?",
            _ => "",
        };
        return Some(format!("the row has {has} cells, the table {columns} columns{hint}"));
    }
    let is_plain = cells.iter().all(|cell| cell.iter().all(|&byte| matches!(byte, b' '..=b'~')));
    if is_plain { None } else { text_fault(shape, cells) }
}

fn text_fault(shape: &Shape, cells: &[&[u8]]) -> Option<String> {
    cells.iter().zip(&shape.columns).find_map(|(cell, column)| {
        let Ok(text) = std::str::from_utf8(cell) else {
            return Some(format!("`{column}` holds a byte that is not UTF-8; save the file as UTF-8"));
        };
        // Values go into headers and URIs, where a line break would begin a header of its own.
        text.contains(char::is_control)
            .then(|| format!("`{column}` holds a control character or line break; is a quote not closed?"))
    })
}

/// What to say of a row that the table does not take; `is_first`: it is the first of the file.
pub(super) fn refused(shape: &Shape, cells: &[&[u8]], fault: RowFault, is_first: bool) -> String {
    let cell = |column: usize| cells.get(column).copied().unwrap_or_default();
    let shown = |column: usize| String::from_utf8_lossy(cell(column)).into_owned();
    let column = match (fault, shape.key) {
        (RowFault::Cells | RowFault::Full, _) => return format!("the row {fault}"),
        (
            RowFault::RangeLengths | RowFault::RangeOrder | RowFault::RangeDigits,
            KeyColumns::Range { from, to },
        ) => return format!("`{}` to `{}` {fault}", shown(from), shown(to)),
        // An empty end of a range means a prefix.
        (_, KeyColumns::Range { from, to }) if number_fault(cell(from)).is_none() => to,
        (_, key) => key.first(),
    };
    let (key, name) = (shown(column), shape.columns.get(column).map_or("", |name| name));
    let hint = if is_first && *key == *name {
        "; when this line names the columns, write `header: true` instead of `columns`"
    } else if key.starts_with('#') {
        COMMENT_HINT
    } else if key.contains("E+") {
        "; a spreadsheet has turned the number into a decimal: format the column as text and export again"
    } else {
        ""
    };
    format!("`{name}` is `{key}`, which {fault}{hint}")
}

/// A message with the row that it is about, as far as there is room for it.
pub(super) fn with_row(message: &str, record: &Record<'_>, separator: u8) -> String {
    let mut row = String::new();
    for (index, cell) in record.cells().enumerate() {
        if index > 0 {
            row.push(char::from(separator));
        }
        row.push_str(&String::from_utf8_lossy(cell.get(..SHOWN_CHARS * 4).unwrap_or(cell)));
        if row.len() > SHOWN_CHARS * 4 {
            break;
        }
    }
    let shown: String = row.chars().take(SHOWN_CHARS).collect();
    let more = if shown.len() < row.len() { "…" } else { "" };
    format!("{message}; the row: {shown}{more}")
}
