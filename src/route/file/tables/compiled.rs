//! Pure. Tables that `waypost compile` made: whether one is what the route file says.
//!
//! In:    the words of a file.
//! Out:   its table, or why it is none, or another one.
//! Never: believes a word of it before the checksum is right.

use crate::{
    numbers::{Kind, Table, Words},
    route::file::{Diagnostic, near::listed},
};

use super::spec::{Match, TableSpec, error_at};

/// Takes the words of the file over.
pub fn open(spec: &TableSpec, words: Words) -> Result<Table, Diagnostic> {
    let table = Table::from_image(words).map_err(|fault| spec.refused(format!("`{}` {fault}", spec.file)))?;
    let shape = table.shape();
    if let Some(wanted) = spec.form.match_kind {
        let has = if shape.kind == Kind::Exact { Match::Exact } else { Match::Prefix };
        if wanted != has {
            let word = |kind| if kind == Match::Exact { "exact" } else { "prefix" };
            let message = format!(
                "`{}` was compiled with `match: {}`; write that, leave `match` out, or compile it again",
                spec.file,
                word(has)
            );
            return Err(error_at(&spec.places.match_kind, message));
        }
    }
    if let Some(columns) = &spec.form.columns
        && !columns.iter().map(String::as_str).eq(shape.columns.iter().map(|column| &**column))
    {
        let message = format!(
            "`{}` was compiled with the columns {}; write these, leave `columns` out, or compile it again",
            spec.file,
            listed(shape.columns.iter().map(|column| &**column))
        );
        return Err(error_at(&spec.places.columns, message));
    }
    Ok(table)
}

/// The same of bytes.
pub(super) fn of_bytes(spec: &TableSpec, bytes: &[u8]) -> Result<Table, Diagnostic> {
    let (words, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(spec.refused(odd_length(&spec.file, bytes.len())));
    }
    let words: Vec<u64> = words.iter().map(|&word| u64::from_ne_bytes(word)).collect();
    open(spec, words.into())
}

/// What to say of a file that is not made of words.
fn odd_length(file: &str, len: usize) -> String {
    format!(
        "`{file}` has {len} bytes, and a compiled table a multiple of 8: it is torn, or something else; compile it again"
    )
}
