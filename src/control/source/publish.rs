//! Outside. The other end: a routes directory → a manifest and files that any web server can serve.
//!
//! In:    a directory that the loader takes, what was published before, a serial, a key.
//! Out:   `manifest.json`, and `files/SHA256` for each file; the manifest last, by one rename.
//! Never: publishes what a node would refuse; removes a file that a node may be fetching.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{
    SourceError,
    keys::SigningKey,
    manifest::{Entry, Manifest},
    sets::sync_directory,
    writer::Writer,
};
use crate::{
    control::{
        files,
        loader::{Load, LoadError, Loader},
    },
    limits::SOURCE_MANIFEST_BYTES_MAX,
    route::file::Diagnostic,
};

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The loader refuses the files, as every node would.
    #[error("{0}")]
    Load(LoadError),
    /// A manifest cannot be made, a file not be written.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// `--nats`.
    #[cfg(feature = "nats")]
    #[error("--nats: {0}")]
    Where(String),
    /// Somebody was at it.
    #[error("the files changed while they were being published: run it again")]
    Changed,
    /// `--serial`.
    #[error(
        "--serial {asked}: serial {before} is published already, and nodes take higher ones only; leave --serial out for the next one"
    )]
    Serial {
        /// What was asked for.
        asked: u64,
        /// What there is.
        before: u64,
    },
}

/// Files that load, and what they are called where they are published.
#[derive(Debug)]
pub struct Publication {
    dir: PathBuf,
    files: Vec<Entry>,
    /// What the loader said of them.
    pub warnings: Vec<Diagnostic>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// In the manifest.
    pub serial: u64,
    /// In all.
    pub files: usize,
    /// Of them.
    pub bytes: u64,
    /// Whether it is a new manifest.
    pub is_new: bool,
}

/// Under which serial, by whom, and when.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// `None`: the next one.
    pub serial: Option<u64>,
    /// `None`: unsigned.
    pub key: Option<&'a SigningKey>,
    /// Now. It is the least serial that is given unasked: a publisher that lost what it had published before
    /// goes on from there.
    pub unix_s: i64,
}

impl Publication {
    /// Loads the directory as a node would, and hashes each file.
    pub fn prepare(dir: &Path) -> Result<Self, PublishError> {
        let loader = Loader::new(dir);
        let Load::New(loaded) = loader.load(None).map_err(PublishError::Load)? else {
            return Err(PublishError::Changed);
        };
        let mut files = Vec::new();
        let (routes, data) = loader.files().map_err(|error| SourceError::disk(dir, &error))?;
        for path in routes.into_iter().chain(data).map(|path| path.display().to_string()) {
            let (bytes, sha256) =
                hashed(&dir.join(&path)).map_err(|error| SourceError::disk(&dir.join(&path), &error))?;
            files.push(Entry { path, bytes, sha256 });
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        // What was hashed is what was loaded.
        match loader.load(Some(&loaded.hash)) {
            Ok(Load::Same) => Ok(Self { dir: dir.to_path_buf(), files, warnings: loaded.warnings }),
            _ => Err(PublishError::Changed),
        }
    }

    /// The manifest to publish; the bytes of the one before when that is the same but for its serial.
    pub fn manifest(
        &self,
        before: Option<&[u8]>,
        stamp: Stamp<'_>,
    ) -> Result<(Vec<u8>, Published), PublishError> {
        let known = before.and_then(|bytes| Some((bytes, Manifest::read(bytes, None).ok()?)));
        let done = |serial, is_new| Published {
            serial,
            files: self.files.len(),
            bytes: self.files.iter().map(|entry| entry.bytes).sum(),
            is_new,
        };
        if let (Some((bytes, known)), None) = (&known, stamp.serial) {
            // A signature of Ed25519 is the same each time.
            let again = Manifest::write(known.serial, known.published_unix_s, &self.files, stamp.key)?.0;
            if again == *bytes {
                return Ok((again, done(known.serial, false)));
            }
        }
        let before = known.map(|(_, known)| known.serial);
        let serial = match (stamp.serial, before) {
            (Some(asked), Some(before)) if asked <= before => {
                return Err(PublishError::Serial { asked, before });
            }
            (Some(asked), _) => asked,
            (None, before) => {
                let next = before.map_or(0, |before| before.saturating_add(1));
                next.max(u64::try_from(stamp.unix_s).unwrap_or_default())
            }
        };
        let (bytes, _) = Manifest::write(serial, stamp.unix_s, &self.files, stamp.key)?;
        Ok((bytes, done(serial, true)))
    }

    /// Publishes into a directory.
    pub fn into_directory(&self, out: &Path, stamp: Stamp<'_>) -> Result<Published, PublishError> {
        let disk = |path: &Path| {
            let path = path.to_path_buf();
            move |error: io::Error| SourceError::disk(&path, &error)
        };
        let (store, manifest) = (out.join("files"), out.join("manifest.json"));
        fs::create_dir_all(&store).map_err(disk(&store))?;
        let before = match files::read(&manifest, SOURCE_MANIFEST_BYTES_MAX) {
            Ok(bytes) => Some(bytes),
            Err(files::ReadError::System(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(SourceError::Disk { path: manifest, why: error.to_string() }.into()),
        };
        let (bytes, published) = self.manifest(before.as_deref(), stamp)?;
        for entry in &self.files {
            self.store(entry, &store)?;
        }
        sync_directory(&store)?;
        if published.is_new {
            let new = out.join(".manifest.json.new");
            let written = File::create(&new).and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            });
            written.map_err(disk(&new))?;
            fs::rename(&new, &manifest).map_err(disk(&manifest))?;
            sync_directory(out)?;
            self.prune(before.as_deref(), &store).map_err(disk(&store))?;
        }
        Ok(published)
    }

    /// Copies a file, unless it is there.
    fn store(&self, entry: &Entry, store: &Path) -> Result<(), PublishError> {
        let (place, new) = (store.join(entry.name()), store.join(".new"));
        if place.exists() {
            return Ok(());
        }
        let mut writer = Writer::create(new.clone(), entry)?;
        self.read(entry, |piece| writer.write(piece))?;
        // The name is that of the bytes: the writer has seen to it.
        writer.finish().map_err(|_| PublishError::Changed)?;
        fs::rename(&new, &place).map_err(|error| SourceError::disk(&place, &error))?;
        Ok(())
    }

    /// The bytes of a file, piece by piece.
    fn read(
        &self,
        entry: &Entry,
        mut sink: impl FnMut(&[u8]) -> Result<(), SourceError>,
    ) -> Result<(), PublishError> {
        let path = self.dir.join(&entry.path);
        let disk = |error| SourceError::disk(&path, &error);
        let mut file = File::open(&path).map_err(disk)?;
        let mut piece = vec![0; 256 * 1024];
        loop {
            match file.read(&mut piece).map_err(disk)? {
                0 => return Ok(()),
                len => sink(&piece[..len])?,
            }
        }
    }

    /// Files that neither this manifest nor the one before it names. A node that has just read the one
    /// before may still fetch.
    fn prune(&self, before: Option<&[u8]>, store: &Path) -> io::Result<()> {
        let before = before.and_then(|bytes| Manifest::read(bytes, None).ok());
        let keep = self.names_kept(before.as_ref());
        for entry in fs::read_dir(store)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let is_ours = super::hex::read::<32>(&name).is_some();
            if is_ours && !keep.contains(&name) {
                fs::remove_file(store.join(name))?;
            }
        }
        Ok(())
    }

    /// What stays published beside the manifest before this one.
    pub(super) fn names_kept(&self, before: Option<&Manifest>) -> BTreeSet<String> {
        let before = before.map_or(&[][..], |before| &before.files);
        self.files.iter().chain(before).map(Entry::name).collect()
    }
}

/// What it takes to publish elsewhere than into a directory.
#[cfg(feature = "nats")]
impl Publication {
    pub(super) fn files(&self) -> &[Entry] {
        &self.files
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn is_still(&self, entry: &Entry) -> bool {
        let now = hashed(&self.dir.join(&entry.path));
        now.is_ok_and(|now| now == (entry.bytes, entry.sha256))
    }

    /// Publishes to a key of NATS JetStream, whose bucket is made if it is not there.
    pub fn into_nats(
        &self,
        source: &crate::config::Source,
        stamp: Stamp<'_>,
    ) -> Result<Published, PublishError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| SourceError::Unreachable { what: "NATS".to_owned(), why: error.to_string() })?;
        runtime.block_on(super::nats::publish(self, source, stamp))
    }
}

fn hashed(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut piece = vec![0; 256 * 1024];
    let mut bytes = 0_u64;
    loop {
        let len = file.read(&mut piece)?;
        if len == 0 {
            return Ok((bytes, hasher.finalize().into()));
        }
        hasher.update(&piece[..len]);
        bytes = bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }
}
