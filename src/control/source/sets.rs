//! Outside. Fetched files on disk: whole sets, each in a directory of its own, and a link to the one in use.
//!
//! In:    the path of the routes directory.
//! Out:   `ROUTES → ROUTES.sets/SERIAL-HASH`, moved by one rename; what a set was made of.
//! Never: touches a directory or link that it did not make; shows half a set, after a loss of power either.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{
    SourceError, hex,
    manifest::{Entry, Manifest},
    writer::Writer,
};
use crate::{
    control::files,
    limits::{SOURCE_MANIFEST_BYTES_MAX, SOURCE_SETS_MAX},
};

/// The manifest as it was fetched, inside its set: hidden, so that it is no route file.
const MANIFEST: &str = ".manifest.json";
/// What begins the names of things that are being made.
const NEW: &str = ".new";
const LOCK: &str = ".lock";

/// The sets of one routes directory.
#[derive(Debug)]
pub struct Sets {
    link: PathBuf,
    home: PathBuf,
    /// What ours begin with: the name of `home`, relative to the link.
    home_name: PathBuf,
}

/// One set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its directory's name.
    pub name: String,
    /// What it is made of.
    pub manifest: Manifest,
}

/// No other process makes or removes sets while this is there.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "it is held, not read")] File);

impl Sets {
    /// The sets of `routes`, which must be our link, or not be there yet.
    pub fn open(routes: &Path) -> Result<Self, SourceError> {
        let name = routes.file_name().ok_or_else(|| SourceError::NotOurs(routes.to_path_buf()))?;
        let parent = routes.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        let mut home_name = name.to_os_string();
        home_name.push(".sets");
        let sets =
            Self { link: parent.join(name), home: parent.join(&home_name), home_name: home_name.into() };
        fs::create_dir_all(&sets.home).map_err(|error| SourceError::disk(&sets.home, &error))?;
        match fs::symlink_metadata(&sets.link) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(sets),
            Err(error) => Err(SourceError::disk(&sets.link, &error)),
            Ok(_) if sets.linked().is_some() => Ok(sets),
            Ok(_) => Err(SourceError::NotOurs(sets.link)),
        }
    }

    /// Keeps other processes from making sets here: two may run while one replaces the other.
    pub fn lock(&self) -> Result<Lock, SourceError> {
        let path = self.home.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| SourceError::disk(&path, &error))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| SourceError::Busy(self.link.clone()))?;
        Ok(Lock(file))
    }

    /// The set that the link leads to. `None`: none does, or somebody changed what it was made of.
    #[must_use]
    pub fn current(&self) -> Option<Set> {
        self.set(self.linked()?)
    }

    /// A set beside the current one: what was in use before it.
    #[must_use]
    pub fn other(&self) -> Option<Set> {
        let current = self.linked();
        let others = self.names().into_iter().filter(|name| Some(name) != current.as_ref());
        others.filter_map(|name| self.set(name)).max_by_key(|set| set.manifest.serial)
    }

    /// The directory of a set.
    #[must_use]
    pub fn path(&self, set: &Set) -> PathBuf {
        self.home.join(&set.name)
    }

    /// Begins a set. What was begun before and never ended goes, and so do all sets but the current one.
    pub fn begin(&self, manifest: Manifest, _lock: &Lock) -> Result<Begun<'_>, SourceError> {
        let name = format!("{}-{}", manifest.serial, &hex::write(&manifest.hash)[..12]);
        self.keep(&self.linked().into_iter().chain([name.clone()]).collect::<Vec<_>>())?;
        let path = self.home.join(NEW);
        make_directory(&path)?;
        Ok(Begun { sets: self, set: Set { name, manifest }, path })
    }

    /// Moves the link to this set; `None`: removes it.
    pub fn switch(&self, set: Option<&Set>) -> Result<(), SourceError> {
        let disk = |error| SourceError::disk(&self.link, &error);
        match set {
            Some(set) => {
                let new = self.home.join(format!("{NEW}-link"));
                let _ = fs::remove_file(&new);
                symlink(self.home_name.join(&set.name), &new).map_err(disk)?;
                fs::rename(&new, &self.link).map_err(disk)?;
            }
            None => fs::remove_file(&self.link).map_err(disk)?,
        }
        self.link.parent().map_or(Ok(()), sync_directory)
    }

    /// The name of the set that the link leads to, if the link is ours.
    fn linked(&self) -> Option<String> {
        let target = fs::read_link(&self.link).ok()?;
        let name = target.strip_prefix(&self.home_name).ok()?.to_str()?;
        let is_one = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
        is_one.then(|| name.to_owned())
    }

    fn set(&self, name: String) -> Option<Set> {
        let bytes = files::read(&self.home.join(&name).join(MANIFEST), SOURCE_MANIFEST_BYTES_MAX).ok()?;
        // It was believed when it was fetched.
        Some(Set { name, manifest: Manifest::read(&bytes, None).ok()? })
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.home).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// Removes every set but these, and whatever was begun.
    fn keep(&self, names: &[String]) -> Result<(), SourceError> {
        debug_assert!(names.len() <= SOURCE_SETS_MAX);
        let others = self.names().into_iter().filter(|name| !names.contains(name));
        for path in others.map(|name| self.home.join(name)).chain([self.home.join(NEW)]) {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(SourceError::disk(&path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A set that is being made.
#[derive(Debug)]
pub struct Begun<'a> {
    sets: &'a Sets,
    set: Set,
    path: PathBuf,
}

impl Begun<'_> {
    /// The files.
    #[must_use]
    pub fn files(&self) -> &[Entry] {
        &self.set.manifest.files
    }

    /// Whether this very set is there already: it was refused before, or another process made it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.sets.set(self.set.name.clone()).as_ref() == Some(&self.set)
    }

    /// Opens a file of the set for writing.
    pub fn write(&self, entry: &Entry) -> Result<Writer, SourceError> {
        let path = self.path.join(&entry.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| SourceError::disk(parent, &error))?;
        }
        Writer::create(path, entry)
    }

    /// Takes the file from a set that has it; whether one had. A copy, not a second name: whoever edits
    /// a set edits that one, and the loader tells changed files by the time of their last link, too.
    pub fn take_over(&self, entry: &Entry) -> Result<bool, SourceError> {
        for set in self.sets.names().into_iter().filter_map(|name| self.sets.set(name)) {
            let Some(same) = set.manifest.files.iter().find(|file| file.sha256 == entry.sha256) else {
                continue;
            };
            let copied = self.copy(&self.sets.path(&set).join(&same.path), entry);
            match copied {
                Ok(()) => return Ok(true),
                // It was changed, or is gone: then it is fetched.
                Err(SourceError::WrongFile { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn copy(&self, from: &Path, entry: &Entry) -> Result<(), SourceError> {
        let wrong =
            |error: io::Error| SourceError::WrongFile { path: entry.path.clone(), why: error.to_string() };
        let mut from = File::open(from).map_err(wrong)?;
        let mut to = self.write(entry)?;
        let mut piece = vec![0; 256 * 1024];
        loop {
            let len = from.read(&mut piece).map_err(wrong)?;
            if len == 0 {
                return to.finish();
            }
            to.write(&piece[..len])?;
        }
    }

    /// Makes the set one of the others, with the manifest as it was fetched. All of it is on disk before its name is.
    pub fn finish(self, manifest: &[u8]) -> Result<Set, SourceError> {
        if self.is_there() {
            self.sets
                .keep(&self.sets.linked().into_iter().chain([self.set.name.clone()]).collect::<Vec<_>>())?;
            return Ok(self.set);
        }
        let path = self.path.join(MANIFEST);
        fs::write(&path, manifest).map_err(|error| SourceError::disk(&path, &error))?;
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(|error| SourceError::disk(&path, &error))?;
        let mut directories: Vec<PathBuf> =
            self.files().iter().flat_map(|entry| parents(&entry.path)).collect();
        directories.sort_unstable();
        directories.dedup();
        for directory in directories.iter().rev() {
            sync_directory(&self.path.join(directory))?;
        }
        let name = self.sets.path(&self.set);
        // One of this name that does not count as a set: somebody was at it.
        let _ = fs::remove_dir_all(&name);
        fs::rename(&self.path, &name).map_err(|error| SourceError::disk(&name, &error))?;
        sync_directory(&self.sets.home)?;
        Ok(self.set)
    }
}

/// The directories of a path, from the set's own on.
fn parents(path: &str) -> impl Iterator<Item = PathBuf> {
    Path::new(path).ancestors().skip(1).map(Path::to_path_buf)
}

fn make_directory(path: &Path) -> Result<(), SourceError> {
    fs::create_dir(path).map_err(|error| SourceError::disk(path, &error))
}

pub(super) fn sync_directory(path: &Path) -> Result<(), SourceError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| SourceError::disk(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, text: &str) -> Entry {
        use sha2::{Digest as _, Sha256};
        Entry { path: path.into(), bytes: text.len() as u64, sha256: Sha256::digest(text).into() }
    }

    /// Makes a set of these files.
    fn make(sets: &Sets, serial: u64, files: &[(&str, &str)]) -> Set {
        let entries: Vec<Entry> = files.iter().map(|(path, text)| entry(path, text)).collect();
        let (bytes, manifest) = Manifest::write(serial, 0, &entries, None).unwrap();
        let lock = sets.lock().unwrap();
        let begun = sets.begin(manifest, &lock).unwrap();
        for (path, text) in files {
            let mut writer = begun.write(&entry(path, text)).unwrap();
            writer.write(text.as_bytes()).unwrap();
            writer.finish().unwrap();
        }
        begun.finish(&bytes).unwrap()
    }

    fn listed(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_link_moves_from_set_to_set_and_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let routes = dir.path().join("routes");
        let sets = Sets::open(&routes).unwrap();
        assert_eq!(sets.current(), None);
        for serial in 1..=4 {
            let text = serial.to_string();
            let set = make(&sets, serial, &[("a.yaml", &text), ("data/b.csv", "same")]);
            sets.switch(Some(&set)).unwrap();
            assert_eq!(sets.current(), Some(set.clone()));
            assert_eq!(fs::read_to_string(routes.join("a.yaml")).unwrap(), text);
            assert_eq!(listed(&routes), [".manifest.json", "a.yaml", "data"]);
            assert!(sets.names().len() <= SOURCE_SETS_MAX);
            assert_eq!(sets.other().map(|set| set.manifest.serial), (serial > 1).then(|| serial - 1));
        }
        sets.switch(None).unwrap();
        assert_eq!((sets.current(), listed(dir.path())), (None, vec!["routes.sets".to_owned()]));
    }

    #[test]
    fn what_others_made_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let routes = dir.path().join("routes");
        fs::create_dir(&routes).unwrap();
        assert_eq!(Sets::open(&routes).unwrap_err(), SourceError::NotOurs(routes.clone()));
        fs::remove_dir(&routes).unwrap();
        for target in ["elsewhere", "routes.sets", "routes.sets/.new", "routes.sets/a/b"] {
            symlink(target, &routes).unwrap();
            assert_eq!(Sets::open(&routes).unwrap_err(), SourceError::NotOurs(routes.clone()), "{target}");
            fs::remove_file(&routes).unwrap();
        }
        assert!(Sets::open(Path::new("..")).is_err());
    }

    #[test]
    fn one_process_at_a_time_makes_sets() {
        let dir = tempfile::tempdir().unwrap();
        let sets = Sets::open(&dir.path().join("routes")).unwrap();
        let lock = sets.lock().unwrap();
        assert!(matches!(sets.lock(), Err(SourceError::Busy(_))));
        drop(lock);
        sets.lock().unwrap();
    }

    #[test]
    fn what_was_never_finished_is_removed_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let sets = Sets::open(&dir.path().join("routes")).unwrap();
        let (_, manifest) = Manifest::write(1, 0, &[entry("a", "a")], None).unwrap();
        let lock = sets.lock().unwrap();
        let begun = sets.begin(manifest, &lock).unwrap();
        drop(begun.write(&entry("a", "a")).unwrap());
        drop((begun, lock));
        make(&sets, 2, &[("b.yaml", "b")]);
        assert_eq!(listed(&sets.home).len(), 2, "{:?}", listed(&sets.home));
    }

    #[test]
    fn a_file_is_taken_over_unless_it_was_changed() {
        let dir = tempfile::tempdir().unwrap();
        let sets = Sets::open(&dir.path().join("routes")).unwrap();
        let set = make(&sets, 1, &[("a.csv", "kept"), ("b.csv", "edited")]);
        sets.switch(Some(&set)).unwrap();
        fs::write(dir.path().join("routes/b.csv"), "EDITED").unwrap();
        let files = [entry("new/name.csv", "kept"), entry("b.csv", "edited"), entry("c.csv", "new")];
        let (_, manifest) = Manifest::write(2, 0, &files, None).unwrap();
        let lock = sets.lock().unwrap();
        let begun = sets.begin(manifest, &lock).unwrap();
        let taken = files.each_ref().map(|entry| begun.take_over(entry).unwrap());
        assert_eq!(taken, [true, false, false]);
        assert_eq!(fs::read(begun.path.join("new/name.csv")).unwrap(), b"kept");
    }
}
