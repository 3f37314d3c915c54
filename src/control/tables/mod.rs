//! Outside. The files of number tables → tables. What did not change is not read again.
//!
//! In:    the routes directory and what the route files say of their tables.
//! Out:   tables, or what is wrong with their files; the hash of every file.
//! Never: holds the text of a file in memory; decides whether the directory was steady.

mod compiled;
mod input;
pub mod progress;
mod zstd;

use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc, time::SystemTime};

use crate::{
    limits::ROUTE_DATA_BYTES_MAX,
    numbers::Table,
    route::file::{ChangesReader, Diagnostic, TableReader, TableSpec},
};

use super::files::{self, ReadError, Stat};
pub use compiled::write;
use input::{BOUNDS, Bounds, Hash, Sink};
use progress::Watcher;

/// A table with warnings, or errors.
pub type Outcome = Result<(Arc<Table>, Vec<Diagnostic>), Vec<Diagnostic>>;

/// What came of reading all tables.
#[derive(Debug, Default)]
pub(super) struct ReadTables {
    /// In the order asked for.
    pub(super) outcomes: Vec<Outcome>,
    /// Hash of each file, or why it has none.
    pub(super) hashes: BTreeMap<String, Result<Hash, String>>,
}

/// The tables of the last loads.
#[derive(Debug)]
pub(super) struct Tables {
    kept: Vec<Kept>,
    bounds: Bounds,
    bytes_max: u64,
    /// Files whose content was read, since the beginning.
    reads: u64,
}

impl Default for Tables {
    fn default() -> Self {
        Self { kept: Vec::new(), bounds: BOUNDS, bytes_max: ROUTE_DATA_BYTES_MAX as u64, reads: 0 }
    }
}

/// A table and what it was made of.
#[derive(Debug)]
struct Kept {
    spec: TableSpec,
    /// Its file, then its changes.
    files: Vec<Seen>,
    table: Arc<Table>,
    warnings: Vec<Diagnostic>,
}

/// The state of a file that was read.
#[derive(Clone, Debug)]
struct Seen {
    /// `None`: it was written so lately that the same state may be of other bytes.
    stat: Option<Stat>,
    size: u64,
    hash: Hash,
}

impl Seen {
    /// The state `before` the reading counts when it is that after it, too.
    fn of(before: Stat, after: Option<Stat>, began: SystemTime, hash: Hash) -> Self {
        let is_sure = after == Some(before) && !before.is_fresh(began, SystemTime::now());
        Self { stat: is_sure.then_some(before), size: before.size(), hash }
    }
}

impl Tables {
    /// Reads what must be read.
    pub(super) fn read(&mut self, dir: &Path, specs: &[TableSpec], watcher: &mut dyn Watcher) -> ReadTables {
        let mut all = ReadTables::default();
        let mut room = Room { left: self.bytes_max, most: self.bytes_max, seen: Vec::new() };
        for spec in specs {
            let mut one = One { dir, spec, watcher, room: &mut room, hashes: &mut all.hashes, tables: self };
            let outcome = one.read();
            all.outcomes.push(outcome);
        }
        all
    }

    /// Lets go of the tables that none of these is.
    pub(super) fn retain(&mut self, specs: &[TableSpec]) {
        self.kept.retain(|kept| specs.iter().any(|spec| kept.spec.is_read_like(spec)));
    }

    /// Files whose content was read, since the beginning.
    pub(super) fn reads(&self) -> u64 {
        self.reads
    }
}

/// Bytes that all files together may still have.
struct Room {
    left: u64,
    most: u64,
    seen: Vec<String>,
}

impl Room {
    fn take(&mut self, path: &str, size: u64) -> Result<(), String> {
        if self.seen.iter().any(|seen| seen == path) {
            return Ok(());
        }
        self.seen.push(path.to_owned());
        self.left = self
            .left
            .checked_sub(size)
            .ok_or_else(|| format!("does not fit: all data files together may have {} bytes", self.most))?;
        Ok(())
    }
}

/// One table that is read.
struct One<'a> {
    dir: &'a Path,
    spec: &'a TableSpec,
    watcher: &'a mut dyn Watcher,
    room: &'a mut Room,
    hashes: &'a mut BTreeMap<String, Result<Hash, String>>,
    tables: &'a mut Tables,
}

/// A file that is open.
struct Opened<'a> {
    path: &'a str,
    file: File,
    stat: Stat,
    began: SystemTime,
}

impl<'a> One<'a> {
    fn read(&mut self) -> Outcome {
        let spec = self.spec;
        let mut opened = Vec::new();
        let mut errors = Vec::new();
        for path in spec.files() {
            match self.open(path) {
                Ok(file) => opened.push(file),
                Err(why) => errors.push(self.unreadable(path, why)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let before = self.tables.kept.iter().position(|kept| kept.spec.is_read_like(spec));
        let mut kept = match before.and_then(|index| self.reusable(index, &mut opened)) {
            Some(kept) => kept,
            None => self.base(opened.first_mut())?,
        };
        for file in opened.iter_mut().skip(kept.files.len()) {
            self.change(&mut kept, file)?;
        }
        for (path, seen) in spec.files().zip(&kept.files) {
            self.hashes.insert(path.to_owned(), Ok(seen.hash));
        }
        let outcome = (Arc::clone(&kept.table), kept.warnings.clone());
        match before.and_then(|index| self.tables.kept.get_mut(index)) {
            Some(place) => *place = kept,
            None => self.tables.kept.push(kept),
        }
        Ok(outcome)
    }

    fn open(&mut self, path: &'a str) -> Result<Opened<'a>, String> {
        let (file, stat) = files::open_inside(self.dir, path).map_err(|error| error.to_string())?;
        if stat.size() > self.tables.bounds.file {
            let most = usize::try_from(self.tables.bounds.file).unwrap_or(usize::MAX);
            return Err(ReadError::TooLong(most).to_string());
        }
        self.room.take(path, stat.size())?;
        Ok(Opened { path, file, stat, began: SystemTime::now() })
    }

    fn unreadable(&mut self, path: &str, why: String) -> Diagnostic {
        let diagnostic = self.spec.unreadable(path, &why);
        self.hashes.insert(path.to_owned(), Err(why));
        diagnostic
    }

    /// What was kept, as far as its files are the same: all of them, or all there were and new changes after
    /// them.
    fn reusable(&mut self, index: usize, opened: &mut [Opened<'_>]) -> Option<Kept> {
        let kept = self.tables.kept.get(index)?;
        let same_changes = self.spec.changes.starts_with(&kept.spec.changes);
        if !same_changes || opened.len() < kept.files.len() {
            return None;
        }
        let bounds = self.tables.bounds;
        let mut files = Vec::new();
        for (seen, file) in kept.files.iter().zip(opened) {
            files.push(still(seen, file, bounds)?);
        }
        let (table, warnings) = (Arc::clone(&kept.table), kept.warnings.clone());
        Some(Kept { spec: self.spec.clone(), files, table, warnings })
    }

    fn base(&mut self, opened: Option<&mut Opened<'_>>) -> Result<Kept, Vec<Diagnostic>> {
        let Some(opened) = opened else { return Err(Vec::new()) };
        self.tables.reads = self.tables.reads.saturating_add(1);
        self.watcher.begins(opened.path, opened.stat.size());
        let (seen, made) = if self.spec.is_compiled() { self.image(opened)? } else { self.rows(opened)? };
        self.watcher.ends();
        let (table, warnings) = made?;
        Ok(Kept { spec: self.spec.clone(), files: vec![seen], table: Arc::new(table), warnings })
    }

    fn rows(&mut self, opened: &mut Opened<'_>) -> Result<(Seen, Made), Vec<Diagnostic>> {
        let mut reader = TableReader::new(self.spec);
        let seen = self.pour(opened, &mut |piece| {
            let flow = reader.feed(piece);
            (flow, reader.rows())
        })?;
        self.watcher.read();
        Ok((seen, reader.finish()))
    }

    fn image(&mut self, opened: &mut Opened<'_>) -> Result<(Seen, Made), Vec<Diagnostic>> {
        let words = compiled::read(&mut opened.file, opened.stat.size(), self.watcher);
        let (words, hash) = words.map_err(|why| vec![self.unreadable(opened.path, why)])?;
        self.watcher.read();
        let seen = self.seen(opened, hash);
        let table = crate::route::file::open_compiled(self.spec, words).map_err(|error| vec![error]);
        Ok((seen, table.map(|table| (table, Vec::new()))))
    }

    fn change(&mut self, kept: &mut Kept, opened: &mut Opened<'_>) -> Result<(), Vec<Diagnostic>> {
        self.tables.reads = self.tables.reads.saturating_add(1);
        self.watcher.begins(opened.path, opened.stat.size());
        let mut reader = ChangesReader::new(self.spec, opened.path, &kept.table);
        let seen = self.pour(opened, &mut |piece| {
            let flow = reader.feed(piece);
            (flow, reader.rows())
        })?;
        self.watcher.read();
        let made = reader.finish();
        self.watcher.ends();
        let (table, warnings) = made?;
        kept.table = Arc::new(table);
        kept.warnings.extend(warnings);
        kept.files.push(seen);
        Ok(())
    }

    fn pour(&mut self, opened: &mut Opened<'_>, sink: &mut Sink<'_>) -> Result<Seen, Vec<Diagnostic>> {
        let poured = input::pour(&mut opened.file, self.tables.bounds, self.watcher, sink)
            .map_err(|error| vec![self.unreadable(opened.path, error.to_string())])?;
        let seen = self.seen(opened, poured.hash);
        match poured.fault {
            Some(why) => Err(vec![self.spec.unreadable(opened.path, &why)]),
            None => Ok(seen),
        }
    }

    /// The hash is noted also of a file that turns out to be wrong: the same mistake is told from a new one
    /// by it.
    fn seen(&mut self, opened: &Opened<'_>, hash: Hash) -> Seen {
        self.hashes.insert(opened.path.to_owned(), Ok(hash));
        Seen::of(opened.stat, stat(&opened.file), opened.began, hash)
    }
}

type Made = Result<(Table, Vec<Diagnostic>), Vec<Diagnostic>>;

fn stat(file: &File) -> Option<Stat> {
    file.metadata().ok().map(|meta| Stat::of(&meta))
}

/// The state of a file that has the bytes it had: by what the system says of it, else by its hash.
fn still(seen: &Seen, opened: &mut Opened<'_>, bounds: Bounds) -> Option<Seen> {
    if seen.stat == Some(opened.stat) {
        return Some(seen.clone());
    }
    if seen.size != opened.stat.size() {
        return None;
    }
    let hash = input::hash(&mut opened.file, bounds).ok();
    let now = hash.filter(|hash| *hash == seen.hash);
    let now = now.map(|hash| Seen::of(opened.stat, stat(&opened.file), opened.began, hash));
    if now.is_none() {
        // It is read again from its beginning.
        std::io::Seek::rewind(&mut opened.file).ok()?;
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{loader::specs, tables::progress::LogWatcher};

    #[test]
    fn all_files_together_have_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        for (name, len) in [("a.csv", 6), ("b.csv", 4), ("c.csv", 1)] {
            std::fs::write(dir.path().join(name), "1".repeat(len)).unwrap();
        }
        let mut tables = Tables::default();
        assert_eq!(tables.bytes_max, u64::try_from(ROUTE_DATA_BYTES_MAX).unwrap());
        tables.bytes_max = 10;
        // One that is named twice counts once.
        let specs = specs(&["a.csv", "a.csv", "b.csv", "c.csv"]);
        let read = tables.read(dir.path(), &specs, &mut LogWatcher::default());
        let told: Vec<_> = read.outcomes.iter().map(|outcome| outcome.as_ref().err()).collect();
        let [None, None, None, Some(errors)] = &told[..] else { panic!("{told:?}") };
        assert_eq!(
            errors[0].message,
            "cannot read `c.csv`: does not fit: all data files together may have 10 bytes; \
             paths are relative to the routes directory"
        );
        assert_eq!(
            read.hashes["c.csv"].as_ref().unwrap_err(),
            "does not fit: all data files together may have 10 bytes"
        );
    }
}
