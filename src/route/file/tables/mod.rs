//! Pure. The files of number tables: what a route file says of them, and their rows.
//!
//! In:    `tables:` of the route files; the bytes of a file, in pieces.
//! Out:   a [`TableSpec`] for whoever opens files; a table of rows, or what is wrong with them, by line.
//! Never: opens a file, or holds one in memory.

mod changes;
mod columns;
mod compiled;
mod deck;
mod reader;
mod records;
mod report;
mod row;
mod spec;

pub use changes::ChangesReader;
pub use compiled::open as open_compiled;
pub use reader::TableReader;
pub use spec::TableSpec;
pub(super) use spec::{error_at, of};

use std::sync::Arc;

use super::TableOutcome;

/// Reads the files of a table that are in memory.
pub(super) fn from_memory(spec: &TableSpec, data: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> TableOutcome {
    let bytes = |path: &str| data(path).map_err(|why| vec![spec.unreadable(path, &why)]);
    let base = bytes(&spec.file)?;
    let (mut table, mut warnings) = if spec.is_compiled() {
        (compiled::of_bytes(spec, &base).map_err(|error| vec![error])?, Vec::new())
    } else {
        let mut reader = TableReader::new(spec);
        let _ = reader.feed(&base);
        reader.finish()?
    };
    for path in &spec.changes {
        let changes = bytes(path)?;
        let mut reader = ChangesReader::new(spec, path, &table);
        let _ = reader.feed(&changes);
        let (changed, more) = reader.finish()?;
        table = changed;
        warnings.extend(more);
    }
    Ok((Arc::new(table), warnings))
}
