//! Outside. Files of compiled tables: images as they lie in memory.
//!
//! In:    an open file; a table.
//! Out:   its words; a file that is there as a whole or not at all.
//! Never: maps a file: one that is cut short under the server would end it, and a page that is not there would
//! hold up every call.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{
    input::{Hash, give_way},
    progress::Watcher,
};
use crate::{
    limits::TABLE_PIECE_BYTES,
    numbers::{Table, Words},
};

const WORD: u64 = 8;

/// Reads the words of a file of so many bytes, and its hash.
pub(super) fn read(file: &mut File, size: u64, watcher: &mut dyn Watcher) -> Result<(Words, Hash), String> {
    if !size.is_multiple_of(WORD) {
        return Err(format!(
            "has {size} bytes, and a compiled table a multiple of {WORD}: it is torn, or something else; compile it again"
        ));
    }
    let count = usize::try_from(size / WORD).map_err(|_| "is longer than the memory".to_owned())?;
    let mut words = Words::zeroed(count).for_lookup();
    let mut sha = Sha256::new();
    let mut read = 0_u64;
    for piece in bytemuck::cast_slice_mut::<u64, u8>(&mut words).chunks_mut(TABLE_PIECE_BYTES) {
        file.read_exact(piece).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "became shorter while it was read".to_owned(),
            _ => format!("cannot be read: {error}"),
        })?;
        sha.update(&*piece);
        read = read.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        watcher.at(read, 0);
        give_way();
    }
    if file.read(&mut [0]).map_err(|error| format!("cannot be read: {error}"))? > 0 {
        return Err("became longer while it was read".to_owned());
    }
    Ok((words, sha.finalize().into()))
}

/// Writes a table to a file, whose place it takes only when all of it is on the disk.
pub fn write(table: &Table, out: &Path) -> io::Result<u64> {
    let beside = beside(out)?;
    let written = write_whole(table, &beside).and_then(|bytes| {
        fs::rename(&beside, out)?;
        // The new name is on the disk when its directory is.
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
        Ok(bytes)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn beside(out: &Path) -> io::Result<PathBuf> {
    let name = out.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(out.with_file_name(hidden))
}

fn write_whole(table: &Table, path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let bytes: &[u8] = bytemuck::cast_slice(table.image());
    for piece in bytes.chunks(TABLE_PIECE_BYTES) {
        file.write_all(piece)?;
    }
    file.sync_all()?;
    Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}
