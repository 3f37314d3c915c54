//! Outside. One file as it comes in: never longer than it should be, and what its hash says when it ends.
//!
//! In:    pieces, from a network or another file.
//! Out:   the file on disk, or why it is not the one that was named.
//! Never: takes a byte beyond the size in the manifest.

use std::{fs::File, io::Write as _, path::PathBuf};

use sha2::{Digest as _, Sha256};

use super::{
    SourceError,
    manifest::{Entry, Hash},
};

/// A file that is being written.
#[derive(Debug)]
pub struct Writer {
    file: File,
    at: PathBuf,
    path: String,
    left: u64,
    expected: Hash,
    hasher: Sha256,
}

impl Writer {
    pub(super) fn create(at: PathBuf, entry: &Entry) -> Result<Self, SourceError> {
        let file = File::create(&at).map_err(|error| SourceError::disk(&at, &error))?;
        let Entry { path, bytes, sha256 } = entry.clone();
        Ok(Self { file, at, path, left: bytes, expected: sha256, hasher: Sha256::new() })
    }

    /// Takes the next piece.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), SourceError> {
        let len = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.left =
            self.left.checked_sub(len).ok_or_else(|| self.wrong("is longer than its manifest says"))?;
        self.hasher.update(piece);
        self.file.write_all(piece).map_err(|error| SourceError::disk(&self.at, &error))
    }

    /// The end: the whole file is on disk, and is what the manifest names.
    pub fn finish(mut self) -> Result<(), SourceError> {
        if self.left > 0 {
            return Err(self.wrong(&format!("ends {} bytes before its manifest says", self.left)));
        }
        let hash: Hash = std::mem::take(&mut self.hasher).finalize().into();
        if hash != self.expected {
            return Err(self.wrong("has other bytes than its manifest says (SHA-256)"));
        }
        self.file.sync_all().map_err(|error| SourceError::disk(&self.at, &error))
    }

    fn wrong(&self, why: &str) -> SourceError {
        SourceError::WrongFile { path: self.path.clone(), why: why.to_owned() }
    }
}
