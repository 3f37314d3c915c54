//! Pure. Rate decks: whether each row of a carrier for a prefix is a row of its own.

use crate::{
    limits::ROWS_PER_PREFIX_MAX,
    numbers::{KeyColumns, Kind, Shape, Table},
};

/// Columns that tell the rows of one prefix apart.
const TELLING: [&str; 4] = ["to", "customer", "valid_from", "valid_to"];

/// The columns of a deck that tell the rows of one prefix apart.
pub(super) fn telling(shape: &Shape) -> Vec<usize> {
    let position = |name: &str| shape.columns.iter().position(|column| **column == *name);
    TELLING.into_iter().filter_map(position).collect()
}

/// Says of each prefix whose rows cannot be told apart, or are too many. `say` returns whether it wants more.
pub(super) fn check(table: &Table, say: &mut dyn FnMut(String) -> bool) {
    let shape = table.shape();
    if shape.kind != Kind::Deck {
        return;
    }
    let telling = telling(shape);
    let mut seen: Vec<[u32; TELLING.len()]> = Vec::new();
    for entry in (0..table.entries()).map_while(|entry| u32::try_from(entry).ok()) {
        let rows = table.rows_of(entry);
        if rows.len() < 2 {
            continue;
        }
        if rows.len() > ROWS_PER_PREFIX_MAX {
            let message =
                format!("more than {ROWS_PER_PREFIX_MAX} rows for the prefix `{}`", key(table, entry));
            if !say(message) {
                return;
            }
            continue;
        }
        seen.clear();
        for row in rows {
            let mut ids = [0; TELLING.len()];
            for (id, &column) in ids.iter_mut().zip(&telling) {
                *id = table.value_id(row, column);
            }
            if seen.contains(&ids) {
                let names = telling.iter().filter_map(|&column| shape.columns.get(column));
                let names: Vec<&str> = names.map(|name| &**name).collect();
                let cells = telling.iter().map(|&column| table.value(row, column));
                let cells: Vec<_> = cells.map(String::from_utf8_lossy).collect();
                let message = format!(
                    "the prefix `{}` has two rows with the same {}: {}; take one out",
                    key(table, entry),
                    names.join(", "),
                    cells.join(", ")
                );
                if !say(message) {
                    return;
                }
                break;
            }
            seen.push(ids);
        }
    }
}

fn key(table: &Table, entry: u32) -> String {
    let mut text = Vec::new();
    table.key_of(entry, table.shape().key.first(), &mut text);
    if let KeyColumns::Range { to, .. } = table.shape().key {
        text.push(b'-');
        table.key_of(entry, to, &mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}
