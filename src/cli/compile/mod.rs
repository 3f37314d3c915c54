//! Outside. `compile`: the file of one number table → a file that is loaded as it lies in memory.
//!
//! In:    a routes directory, the name of a table, where to write.
//! Out:   the compiled table, whole or not at all; what was wrong with the rows.
//! Never: leaves half a file; changes a route file.

mod bar;

use std::{path::Path, time::Instant};

use super::{
    Exit, adapters,
    args::CompileArgs,
    output::{self, counted},
};
use crate::{
    control::{
        loader::Loader,
        tables::{self, Outcome},
    },
    numbers::Table,
    route::file::Diagnostic,
};

/// Reads the table as the route files say and writes it.
pub(crate) fn run(args: &CompileArgs) -> Exit {
    let began = Instant::now();
    let (table, warnings) = match read(args) {
        Ok(read) => read,
        Err(findings) => {
            output::diagnostics(&findings);
            return Exit::Refused;
        }
    };
    output::diagnostics(&warnings);
    match tables::write(&table, &args.out) {
        Ok(bytes) => {
            output::stdout(done(&table, &args.out, bytes, began).as_bytes());
            if warnings.is_empty() { Exit::Ok } else { Exit::Warnings }
        }
        Err(error) => {
            output::stderr(&format!("error: cannot write {}: {error}", args.out.display()));
            Exit::Refused
        }
    }
}

type Read = (std::sync::Arc<Table>, Vec<Diagnostic>);

fn read(args: &CompileArgs) -> Result<Read, Vec<Diagnostic>> {
    let dir = &args.routes_dir;
    let loader = Loader::new(dir);
    let mut watcher = bar::watcher();
    let outcome: Outcome = match loader.table(&args.table, &mut *watcher) {
        Ok(outcome) => outcome,
        Err(error) => return Err(adapters::findings_of_load(dir, error)),
    };
    outcome
        .map(|(table, warnings)| (table, adapters::found_from_here(dir, warnings)))
        .map_err(|errors| adapters::found_from_here(dir, errors))
}

fn done(table: &Table, out: &Path, bytes: u64, began: Instant) -> String {
    let rows = table.rows();
    let per_row = bytes.saturating_mul(10) / u64::try_from(rows.max(1)).unwrap_or(u64::MAX);
    format!(
        "{}: {}, {bytes} bytes ({}.{} for each), {:.1} s\n",
        out.display(),
        counted(rows, "row", "rows"),
        per_row / 10,
        per_row % 10,
        began.elapsed().as_secs_f64()
    )
}
