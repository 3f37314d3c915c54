//! Outside. A routes directory on disk → a route table with the hash of all that it was made of.
//!
//! In:    the directory.
//! Out:   a table of one state of the directory, or everything that is wrong with it.
//! Never: puts a table into service; mixes two states of the directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::{Duration, SystemTime},
};

use sha2::{Digest as _, Sha256};

use crate::{
    limits::{
        ACCESS_FILE_BYTES_MAX, ACCESS_LISTS_MAX, LOAD_TRIES_MAX, ROUTE_FILE_BYTES_MAX, ROUTE_FILES_MAX,
        TABLES_MAX,
    },
    route::{
        RouteTable,
        file::{self, Diagnostic, Source, TableSpec},
    },
};

use super::{
    files::{self, Print},
    lock::lock,
    tables::{
        Outcome, ReadTables, Tables,
        progress::{LogWatcher, Watcher},
    },
};

pub use super::load_error::{LoadError, Shown};

/// A table that can be put into service.
#[derive(Debug)]
pub struct Loaded {
    /// The routes.
    pub table: RouteTable,
    /// What should be looked at, but does not keep the table from serving.
    pub warnings: Vec<Diagnostic>,
    /// SHA-256 of all files' names and bytes, in hexadecimal. The same on every node that has the
    /// same files, wherever its directory is.
    pub hash: String,
}

/// What a load came to.
#[derive(Debug)]
pub enum Load {
    /// The files are those of the table that serves.
    Same,
    /// A new table.
    New(Box<Loaded>),
}

/// Loads one directory, again and again.
#[derive(Debug)]
pub struct Loader {
    dir: PathBuf,
    /// The data files that the last readable route files named: what there is to watch besides.
    data_files: Mutex<Vec<String>>,
    /// The state that the last load read, or failed to. `None`: it must be read again.
    seen: Mutex<Option<Print>>,
    /// The hash of the files of the last load and why it failed; `None`: it did not.
    failed: Mutex<Option<(String, LoadError)>>,
    /// The number tables of the last load: those whose files did not change are not read again.
    tables: Mutex<Tables>,
}

impl Loader {
    /// A loader of `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            data_files: Mutex::default(),
            seen: Mutex::default(),
            failed: Mutex::default(),
            tables: Mutex::default(),
        }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Loads the directory as it is now. `serving` is the hash of the table in service: the same
    /// files are not built again. What fails as it did before is [`LoadError::Again`].
    pub fn load(&self, serving: Option<&str>) -> Result<Load, LoadError> {
        // Empty when no file could be read.
        let mut of = String::new();
        let result = self.load_noting(serving, &mut of);
        let failed = result.as_ref().err().map(|error| (of, error.clone()));
        let before = std::mem::replace(&mut *lock(&self.failed), failed.clone());
        match result {
            Err(error) if before == failed => Err(LoadError::Again(Box::new(error))),
            result => result,
        }
    }

    /// Puts the hash of what was read into `of`, as far as it came.
    fn load_noting(&self, serving: Option<&str>, of: &mut String) -> Result<Load, LoadError> {
        let read = self.read_steadily(|sources| {
            let parsed = file::parse(sources)
                .map(|draft| (Wanted { tables: draft.tables(), texts: draft.access_files() }, draft));
            *of = if parsed.is_err() {
                hash(sources, &ReadTables::default(), &Texts::default())
            } else {
                String::new()
            };
            parsed
        })?;
        of.clone_from(&read.hash);
        if serving == Some(&*read.hash) {
            return Ok(Load::Same);
        }
        let mut outcomes = read.outcomes.into_iter();
        // Asked for in the order in which the draft named them.
        let mut table = |_: &TableSpec| outcomes.next().unwrap_or_else(|| Err(Vec::new()));
        let (table, warnings) = read
            .draft
            .build(&mut table, &|path| text(&read.texts, path))
            .map_err(|diagnostics| LoadError::Rejected { dir: self.dir.clone(), diagnostics })?;
        Ok(Load::New(Box::new(Loaded { table, warnings, hash: read.hash })))
    }

    /// Reads one table, as the route files say, and nothing else of the data.
    pub fn table(&self, name: &str, watcher: &mut dyn Watcher) -> Result<Outcome, LoadError> {
        let rejected = |diagnostics| LoadError::Rejected { dir: self.dir.clone(), diagnostics };
        let draft = file::parse(&read_sources(&self.dir)?).map_err(rejected)?;
        let specs = [draft.table(name).map_err(rejected)?];
        let mut outcomes = Tables::default().read(&self.dir, &specs, watcher).outcomes;
        Ok(outcomes.pop().unwrap_or_else(|| Err(Vec::new())))
    }

    /// Files of tables whose content was read, since the beginning.
    #[must_use]
    pub fn table_reads(&self) -> u64 {
        lock(&self.tables).reads()
    }

    /// Whether the files are others than the last load has seen. Reads no file.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let now = Print::take(&self.dir, &self.data_files());
        lock(&self.seen).as_ref() != Some(&now)
    }

    /// Directories whose entries matter: the routes directory and those of the data files.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.dir.clone()];
        for file in self.data_files() {
            let parent = self.dir.join(&file).parent().map(Path::to_path_buf);
            directories.extend(parent.filter(|parent| !directories.contains(parent)));
        }
        directories
    }

    /// The files of the last load, as they are named in the directory: route files, then data files.
    pub(super) fn files(&self) -> std::io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let data_files = self.data_files().into_iter().map(PathBuf::from).collect();
        Ok((files::route_files(&self.dir)?, data_files))
    }

    /// Reads until the files were the same before and after.
    pub(super) fn read_steadily<D>(
        &self,
        mut parse: impl FnMut(&[Source]) -> Result<(Wanted, D), Vec<Diagnostic>>,
    ) -> Result<Read<D>, LoadError> {
        for tries in 1..=LOAD_TRIES_MAX {
            let began = SystemTime::now();
            let names = self.data_files();
            let before = Print::take(&self.dir, &names);
            // Should the parser panic, the same files do not make it do so again and again.
            self.remember(before.clone(), began);
            match self.read_once(&before, &mut parse) {
                Ok(Some((read, print))) => {
                    self.remember(print, began);
                    return Ok(read);
                }
                // What was rejected may have been half a state: it counts only if nothing changed.
                Err(error) if before == Print::take(&self.dir, &names) => {
                    self.remember(before, began);
                    return Err(error);
                }
                Ok(None) | Err(_) => thread::sleep(pause(tries)),
            }
        }
        *lock(&self.seen) = None;
        Err(LoadError::Unsteady { dir: self.dir.clone() })
    }

    /// Reads once, with the state that was read; `None` when the files changed meanwhile.
    fn read_once<D>(
        &self,
        before: &Print,
        parse: &mut impl FnMut(&[Source]) -> Result<(Wanted, D), Vec<Diagnostic>>,
    ) -> Result<Option<(Read<D>, Print)>, LoadError> {
        let sources = read_sources(&self.dir)?;
        let (wanted, draft) = parse(&sources)
            .map_err(|diagnostics| LoadError::Rejected { dir: self.dir.clone(), diagnostics })?;
        let names = names(&wanted);
        *lock(&self.data_files) = names.clone();
        let print = Print::take(&self.dir, &names);
        let read = lock(&self.tables).read(&self.dir, &wanted.tables, &mut LogWatcher::default());
        let texts = read_texts(&self.dir, wanted.texts);
        let steady = print.same_routes(before) && print == Print::take(&self.dir, &names);
        if !steady {
            return Ok(None);
        }
        lock(&self.tables).retain(&wanted.tables);
        let hash = hash(&sources, &read, &texts);
        Ok(Some((Read { draft, outcomes: read.outcomes, texts, hash }, print)))
    }

    /// A state that a further write might leave looking the same is not to be relied on.
    fn remember(&self, print: Print, began: SystemTime) {
        *lock(&self.seen) = (!print.is_fresh(began, SystemTime::now())).then_some(print);
    }

    fn data_files(&self) -> Vec<String> {
        lock(&self.data_files).clone()
    }
}

/// One state of a directory.
pub(super) struct Read<D> {
    pub(super) draft: D,
    outcomes: Vec<Outcome>,
    texts: Texts,
    hash: String,
}

/// What the route files want to be read besides.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Number tables.
    pub(super) tables: Vec<TableSpec>,
    /// Files of access lists.
    pub(super) texts: Vec<String>,
}

/// Files of all lists: of sources, and of users.
const TEXTS_MAX: usize = 2 * ACCESS_LISTS_MAX;

/// The bytes of files, or why they could not be read, by path.
type Texts = BTreeMap<String, Result<Vec<u8>, String>>;

fn read_texts(dir: &Path, paths: Vec<String>) -> Texts {
    let read = |path: String| {
        let bytes = files::read_inside(dir, &path, ACCESS_FILE_BYTES_MAX).map_err(|error| error.to_string());
        (path, bytes)
    };
    paths.into_iter().take(TEXTS_MAX).map(read).collect()
}

fn text(texts: &Texts, path: &str) -> Result<Vec<u8>, String> {
    texts.get(path).cloned().unwrap_or_else(|| Err("it is one of too many files".to_owned()))
}

/// The files of all tables and access lists, each once.
fn names(wanted: &Wanted) -> Vec<String> {
    let tables = wanted.tables.iter().take(TABLES_MAX).flat_map(TableSpec::files);
    let texts = wanted.texts.iter().take(TEXTS_MAX).map(String::as_str);
    let names: BTreeSet<&str> = tables.chain(texts).collect();
    names.into_iter().map(str::to_owned).collect()
}

fn pause(tries: usize) -> Duration {
    Duration::from_millis(10_u64.saturating_mul(u64::try_from(tries).unwrap_or(1)))
}

fn read_sources(dir: &Path) -> Result<Vec<Source>, LoadError> {
    let dir = dir.to_path_buf();
    match fs::metadata(&dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(LoadError::NoDirectory { dir });
        }
        Ok(meta) if !meta.is_dir() => return Err(LoadError::NotADirectory { dir }),
        _ => {}
    }
    let names = files::route_files(&dir).map_err(|error| LoadError::Unreadable {
        path: dir.clone(),
        why: files::ReadError::from(error).to_string(),
    })?;
    if names.is_empty() {
        return Err(LoadError::NoFiles { dir });
    }
    if names.len() > ROUTE_FILES_MAX {
        return Err(LoadError::TooManyFiles { dir });
    }
    let mut sources = Vec::new();
    for name in names {
        let path = dir.join(&name);
        match files::read(&path, ROUTE_FILE_BYTES_MAX) {
            Ok(bytes) => sources.push(Source { path: name.display().to_string(), bytes }),
            Err(error) => return Err(LoadError::Unreadable { path, why: error.to_string() }),
        }
    }
    Ok(sources)
}

/// Lengths go in, too: no two sets of files may look the same when put one behind the other. Of a table's
/// file it is the hash that goes in: it is not read again for this.
fn hash(sources: &[Source], tables: &ReadTables, texts: &Texts) -> String {
    let mut sha = Sha256::new();
    let mut put = |bytes: &[u8]| {
        sha.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        sha.update(bytes);
    };
    for source in sources {
        put(source.path.as_bytes());
        put(&source.bytes);
    }
    put(b"");
    for (name, file) in &tables.hashes {
        put(name.as_bytes());
        match file {
            Ok(hash) => put(hash),
            Err(why) => put(why.as_bytes()),
        }
    }
    put(b"");
    for (name, file) in texts {
        put(name.as_bytes());
        put(match file {
            Ok(bytes) => bytes,
            Err(why) => why.as_bytes(),
        });
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tables of these files.
#[cfg(test)]
pub(super) fn specs(files: &[&str]) -> Vec<TableSpec> {
    let table = |(index, file): (usize, &&str)| {
        format!("  t{index}: {{ file: '{file}', match: exact, columns: [number] }}\n")
    };
    let bytes = files.iter().enumerate().map(table).collect::<String>();
    let bytes = format!("tables:\n{bytes}").into_bytes();
    file::parse(&[Source { path: "a.yaml".to_owned(), bytes }]).unwrap().tables()
}

/// Tables of these files are wanted, and nothing else.
#[cfg(test)]
pub(super) fn wanted(files: &[&str]) -> Wanted {
    Wanted { tables: specs(files), texts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    type Parsed = Result<(Wanted, ()), Vec<Diagnostic>>;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn no_data(_: &[Source]) -> Parsed {
        Ok((Wanted::default(), ()))
    }

    fn wants(names: &'static [&'static str]) -> impl Fn(&[Source]) -> Parsed {
        move |_| Ok((wanted(names), ()))
    }

    fn error(dir: &Path) -> String {
        Loader::new(dir).read_steadily(no_data).map(|read| read.hash).unwrap_err().to_string()
    }

    fn hash_of(files: &[(&str, &str)], parse: impl Fn(&[Source]) -> Parsed) -> String {
        let dir = directory(files);
        Loader::new(dir.path()).read_steadily(parse).unwrap().hash
    }

    /// Waits until what was written is not fresh any more.
    fn rest(loader: &Loader) {
        let is_fresh = |now| Print::take(loader.dir(), &loader.data_files()).is_fresh(now, now);
        while is_fresh(SystemTime::now()) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_was_seen_is_not_stale_be_it_good_or_bad() {
        let dir = directory(&[("a.yaml", "")]);
        let loader = Loader::new(dir.path());
        assert!(loader.is_stale(), "nothing was read yet");
        rest(&loader);
        loader.read_steadily(no_data).unwrap();
        assert!(!loader.is_stale());
        fs::write(dir.path().join("a.yaml"), "1").unwrap();
        assert!(loader.is_stale());
        rest(&loader);
        assert!(loader.read_steadily(|_| Err::<(Wanted, ()), _>(Vec::new())).is_err());
        assert!(!loader.is_stale());
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(loader.is_stale());
        assert!(loader.read_steadily(no_data).is_err());
        assert!(!loader.is_stale());
    }

    #[test]
    fn the_same_failure_of_the_same_files_is_told_from_a_new_one() {
        let wrong = "routes:\n  - answer: 999\n";
        let dir = directory(&[("a.yaml", wrong)]);
        let loader = Loader::new(dir.path());
        let fails = |what: &str, is_again: bool| {
            let error = loader.load(None).unwrap_err();
            assert_eq!(matches!(&error, LoadError::Again(_)), is_again, "{what}: {error}");
            (error.to_string(), error.diagnostics().to_vec())
        };
        let first = fails("first", false);
        assert_eq!(first.1.len(), 1);
        assert_eq!(fails("second", true), first);
        assert_eq!(fails("third", true), first);
        // Edited, and wrong in the same place still.
        fs::write(dir.path().join("a.yaml"), format!("{wrong}# hm")).unwrap();
        assert_eq!(fails("edited", false), first);
        fails("edited, second", true);
        fs::write(dir.path().join("a.yaml"), "routes:\n  - answer: 404\n").unwrap();
        assert!(matches!(loader.load(None), Ok(Load::New(_))));
        fs::write(dir.path().join("a.yaml"), wrong).unwrap();
        assert_eq!(fails("wrong again", false), first);

        // What is known only when the table is built: the data decide as well.
        let table = "tables: { t: { file: t.csv, match: exact, columns: [number] } }\nroutes: [ { when: { in: t }, answer: 404 } ]\n";
        fs::write(dir.path().join("a.yaml"), table).unwrap();
        fails("no data file", false);
        fails("no data file, second", true);
        fs::write(dir.path().join("t.csv"), "1\nx\n").unwrap();
        let no_number = fails("no number", false);
        assert_eq!(fails("no number, second", true), no_number);
        fs::write(dir.path().join("t.csv"), "1\nx\n2\n").unwrap();
        assert_eq!(fails("no number, edited", false), no_number);

        fs::remove_dir_all(dir.path()).unwrap();
        fails("no directory", false);
        fails("no directory, second", true);
    }

    #[test]
    fn a_file_written_just_now_is_read_once_more() {
        let dir = directory(&[("a.yaml", "")]);
        let loader = Loader::new(dir.path());
        let soon = SystemTime::now() + Duration::from_secs(3600);
        loader.remember(Print::take(dir.path(), &[]), soon);
        assert!(!loader.is_stale());
        let written = fs::metadata(dir.path().join("a.yaml")).unwrap().modified().unwrap();
        loader.remember(Print::take(dir.path(), &[]), written);
        assert!(loader.is_stale());
    }

    #[test]
    fn a_missing_or_empty_directory_says_how_to_make_one() {
        assert_eq!(
            error(Path::new("./no-such-routes")),
            "no routes directory ./no-such-routes: make one, e.g. mkdir -p ./no-such-routes && echo 'routes: [{answer: {code: 404}}]' > ./no-such-routes/90-default.yaml"
        );
        let dir = directory(&[("README", ""), (".hidden.yaml", "")]);
        let shown = dir.path().display();
        assert_eq!(
            error(dir.path()),
            format!(
                "no route file in {shown}, expected at least one *.yaml or *.yml: make one, e.g. mkdir -p {shown} && echo 'routes: [{{answer: {{code: 404}}}}]' > {shown}/90-default.yaml"
            )
        );
        let file = dir.path().join("README");
        assert!(
            error(&file)
                .ends_with("README is not a directory: routes are read from a directory of YAML files")
        );
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let dir = directory(&[("a.yaml", "")]);
        std::os::unix::fs::symlink("nowhere", dir.path().join("b.yaml")).unwrap();
        assert!(error(dir.path()).contains("b.yaml cannot be read: No such file"), "{}", error(dir.path()));
        fs::remove_file(dir.path().join("b.yaml")).unwrap();
        fs::create_dir(dir.path().join("c.yml")).unwrap();
        assert!(error(dir.path()).ends_with("c.yml is not a regular file"));
    }

    #[test]
    fn a_file_over_the_limit_is_refused_and_one_at_it_is_not() {
        let dir = directory(&[]);
        let file = fs::File::create(dir.path().join("a.yaml")).unwrap();
        file.set_len(u64::try_from(ROUTE_FILE_BYTES_MAX).unwrap()).unwrap();
        assert!(Loader::new(dir.path()).read_steadily(no_data).is_ok());
        file.set_len(u64::try_from(ROUTE_FILE_BYTES_MAX).unwrap() + 1).unwrap();
        assert!(error(dir.path()).ends_with("a.yaml is longer than 8388608 bytes, the most that is read"));
    }

    #[test]
    fn a_file_too_many_is_refused() {
        let dir = directory(&[]);
        for index in 0..ROUTE_FILES_MAX {
            fs::write(dir.path().join(format!("{index}.yaml")), "").unwrap();
        }
        assert!(Loader::new(dir.path()).read_steadily(no_data).is_ok());
        fs::write(dir.path().join("one-more.yaml"), "").unwrap();
        assert!(error(dir.path()).starts_with("more than 256 route files in "));
    }

    #[test]
    fn the_hash_is_of_names_and_bytes() {
        let base = hash_of(&[("a.yaml", "1"), ("b.yaml", "2")], no_data);
        assert_eq!(base.len(), 64);
        assert_eq!(base, hash_of(&[("b.yaml", "2"), ("a.yaml", "1"), ("ignored", "x")], no_data));
        for (other, files) in [
            ("other bytes", [("a.yaml", "1"), ("b.yaml", "3")]),
            ("other name", [("a.yaml", "1"), ("c.yaml", "2")]),
            ("bytes moved", [("a.yaml", "12"), ("b.yaml", "")]),
        ] {
            assert_ne!(base, hash_of(&files, no_data), "{other}");
        }
        let files = [("a.yaml", ""), ("data/t.csv", "1")];
        let with_data = hash_of(&files, wants(&["data/t.csv"]));
        assert_ne!(with_data, hash_of(&files, no_data));
        assert_ne!(with_data, hash_of(&[("a.yaml", ""), ("data/t.csv", "2")], wants(&["data/t.csv"])));
        assert_ne!(with_data, hash_of(&[("a.yaml", "")], wants(&["data/t.csv"])));
    }

    #[test]
    fn sources_have_names_without_the_directory() {
        let dir = directory(&[("b.yaml", "2"), ("a.yml", "1")]);
        let sources = read_sources(dir.path()).unwrap();
        let seen: Vec<_> = sources.iter().map(|s| (&*s.path, &*s.bytes)).collect();
        assert_eq!(seen, [("a.yml", &b"1"[..]), ("b.yaml", b"2")]);
    }

    #[test]
    fn a_change_while_reading_begins_again() {
        let dir = directory(&[("a.yaml", "old"), ("d.csv", "")]);
        let tries = Cell::new(0);
        let read = Loader::new(dir.path())
            .read_steadily(|sources| {
                tries.set(tries.get() + 1);
                if tries.get() == 1 {
                    // The directory moves on between the reading of the routes and of the data.
                    fs::write(dir.path().join("new"), "newer").unwrap();
                    fs::rename(dir.path().join("new"), dir.path().join("a.yaml")).unwrap();
                    assert_eq!(sources[0].bytes, b"old");
                }
                Ok((wanted(&["d.csv"]), sources[0].bytes.clone()))
            })
            .unwrap();
        assert_eq!((tries.get(), &*read.draft), (2, &b"newer"[..]));
    }

    #[test]
    fn an_error_of_half_a_state_is_not_told() {
        let dir = directory(&[("a.yaml", "half")]);
        let read = Loader::new(dir.path()).read_steadily(|sources| {
            if sources[0].bytes == b"half" {
                fs::write(dir.path().join("a.yaml"), "whole!").unwrap();
                return Err(Vec::new());
            }
            Ok((Wanted::default(), ()))
        });
        assert!(read.is_ok());
    }

    #[test]
    fn what_never_rests_is_given_up() {
        let dir = directory(&[("a.yaml", "")]);
        let tries = Cell::new(0);
        let read = Loader::new(dir.path()).read_steadily(|_| {
            tries.set(tries.get() + 1);
            fs::write(dir.path().join("a.yaml"), "x".repeat(tries.get())).unwrap();
            Ok((Wanted::default(), ()))
        });
        assert_eq!(read.map(|read| read.hash), Err(LoadError::Unsteady { dir: dir.path().to_path_buf() }));
        assert_eq!(tries.get(), LOAD_TRIES_MAX);
    }

    #[test]
    fn data_files_are_watched_once_they_are_named() {
        let dir = directory(&[("a.yaml", ""), ("data/t.csv", "1")]);
        let loader = Loader::new(dir.path());
        assert_eq!(loader.directories(), [dir.path().to_path_buf()]);
        loader.read_steadily(wants(&["data/t.csv", "u.csv", "data/v.csv"])).unwrap();
        assert_eq!(loader.directories(), [dir.path().to_path_buf(), dir.path().join("data")]);
        rest(&loader);
        loader.read_steadily(wants(&["data/t.csv"])).unwrap();
        assert!(!loader.is_stale());
        fs::write(dir.path().join("data/t.csv"), "12").unwrap();
        assert!(loader.is_stale());
    }
}
