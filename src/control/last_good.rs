//! Outside. The files of the last good table, kept for a start with broken ones.
//!
//! In:    the loader whose table was put into service, and the table's hash.
//! Out:   a table of files that were kept, or why there is none.
//! Never: touches the routes directory; takes kept files that are not as they were when they were kept.
//!
//! ```text
//!  STATE/last-known-good/current/hash      the loader's hash of
//!                       /current/routes/…  route files and table files, under their names
//!                       /current/states    what the table files were copied from: the next generation shares
//!                                          those that are the same
//!                       /previous/…        the generation before
//!                       /new/…             one that is being written: it counts when it is renamed
//! ```

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock, ioctl_ficlone};

use super::{
    files::{self, Stat},
    loader::{Load, LoadError, Loaded, Loader},
    sandbox,
};
use crate::limits::LAST_GOOD_BYTES_MAX;

/// The generations, the better one first.
const GENERATIONS: [&str; 2] = ["current", "previous"];
/// Bytes of a hash in hexadecimal, and a few to see that there are more.
const HASH_FILE_BYTES_MAX: usize = 80;

/// See the file's first lines.
#[derive(Clone, Debug)]
pub struct LastGood {
    dir: PathBuf,
    bytes_max: u64,
}

/// Why a table was not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A system call failed.
    #[error("{path} cannot be {what}: {error}{hint}; is `state` a directory that the server may write?", path = .path.display(), hint = sandbox::hint(error))]
    #[allow(missing_docs)]
    System { what: &'static str, path: PathBuf, error: io::Error },
    /// The files changed since they were loaded: the load of what they are now comes.
    #[error("its files have changed meanwhile")]
    Changed,
    /// It is larger than may be kept.
    #[error(
        "its files have {found} bytes, more than the {most} that are kept: a start with broken routes will find \
         those that were kept before, or none"
    )]
    #[allow(missing_docs)]
    TooLarge { found: u64, most: u64 },
}

/// Why a generation that was kept is not taken.
#[derive(Debug)]
pub enum Refusal {
    /// It is not there.
    None(PathBuf),
    /// Its files are not those that were kept.
    #[allow(missing_docs)]
    Torn { dir: PathBuf, found: String, expected: String },
    /// They give no table.
    #[allow(missing_docs)]
    NoTable { dir: PathBuf, error: LoadError },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None(dir) => write!(f, "nothing is kept in {}", dir.display()),
            Self::Torn { dir, found, expected } => {
                write!(
                    f,
                    "{} is torn: its files have the hash {found}, they were kept with {expected}",
                    dir.display()
                )
            }
            Self::NoTable { dir, error } => {
                write!(
                    f,
                    "{} was kept and gives no table (torn, or of another version): {error}",
                    dir.display()
                )
            }
        }
    }
}

impl LastGood {
    /// In this state directory, which need not be there yet.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { dir: state.join("last-known-good"), bytes_max: LAST_GOOD_BYTES_MAX }
    }

    /// Keeps the files that `loader` has loaded last; `false` when they are kept already.
    pub fn keep(&self, loader: &Loader, hash: &str) -> Result<bool, KeepError> {
        self.make_directory(&self.dir)?;
        // Another server that is being replaced may do the same.
        let lock = self.dir.join("lock");
        let lock = File::create(&lock).map_err(system("written", &lock))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|e| system("locked", &self.dir)(e.into()))?;
        if self.hash_of(&self.dir.join("current")).as_deref() == Some(hash) {
            return Ok(false);
        }
        let (routes, data) = loader.files().map_err(system("read", loader.dir()))?;
        self.check_size(loader.dir(), routes.iter().chain(&data))?;
        let new = self.dir.join("new");
        remove(&new)?;
        for name in &routes {
            self.copy(loader, &new, name)?;
        }
        let known = self.known();
        let mut states = String::new();
        for name in &data {
            let from = loader.dir().join(name);
            let meta = fs::metadata(&from).map_err(system("read", &from))?;
            let state = format!("{} {}\n", Stat::of(&meta).text(), name.display());
            // Ours is shared, not the one in the routes directory: a link to that would look like a change of it.
            if !known.contains(&state) || self.share(&new, name).is_err() {
                self.copy(loader, &new, name)?;
            }
            states += &state;
        }
        // Read after the copy: what was copied is what was loaded, or this is refused.
        if loader.is_stale() {
            remove(&new)?;
            return Err(KeepError::Changed);
        }
        write(&new.join("states"), states.as_bytes()).map_err(system("written", &new))?;
        write(&new.join("hash"), hash.as_bytes()).map_err(system("written", &new))?;
        self.put_in_place(&new)?;
        Ok(true)
    }

    /// A table of the files that were kept: the last ones, or those before if the last ones are torn.
    pub fn load(&self) -> Result<Box<Loaded>, Vec<Refusal>> {
        let mut refused = Vec::new();
        for generation in GENERATIONS {
            match self.load_one(&self.dir.join(generation)) {
                Ok(loaded) => return Ok(loaded),
                Err(refusal) => refused.push(refusal),
            }
        }
        Err(refused)
    }

    fn load_one(&self, dir: &Path) -> Result<Box<Loaded>, Refusal> {
        let Some(expected) = self.hash_of(dir) else { return Err(Refusal::None(dir.to_path_buf())) };
        match Loader::new(dir.join("routes")).load(None) {
            Ok(Load::New(loaded)) if loaded.hash == expected => Ok(loaded),
            Ok(Load::New(loaded)) => {
                Err(Refusal::Torn { dir: dir.to_path_buf(), found: loaded.hash, expected })
            }
            // Only said to whoever names a hash.
            Ok(Load::Same) => Err(Refusal::None(dir.to_path_buf())),
            Err(error) => Err(Refusal::NoTable { dir: dir.to_path_buf(), error }),
        }
    }

    fn hash_of(&self, dir: &Path) -> Option<String> {
        String::from_utf8(files::read(&dir.join("hash"), HASH_FILE_BYTES_MAX).ok()?).ok()
    }

    fn copy(&self, loader: &Loader, new: &Path, name: &Path) -> Result<(), KeepError> {
        let (from, to) = (loader.dir().join(name), new.join("routes").join(name));
        self.make_directory(to.parent().unwrap_or(new))?;
        copy(&from, &to).map_err(system("kept", &from))
    }

    fn share(&self, new: &Path, name: &Path) -> io::Result<()> {
        let to = new.join("routes").join(name);
        fs::create_dir_all(to.parent().unwrap_or(new))?;
        fs::hard_link(self.dir.join("current/routes").join(name), to)
    }

    /// The states of the table files that are kept.
    fn known(&self) -> BTreeSet<String> {
        let states = fs::read_to_string(self.dir.join("current/states")).unwrap_or_default();
        states.split_inclusive('\n').map(str::to_owned).collect()
    }

    fn check_size<'a>(&self, dir: &Path, names: impl Iterator<Item = &'a PathBuf>) -> Result<(), KeepError> {
        let size = |name| fs::metadata(dir.join(name)).map_or(0, |meta| meta.len());
        let found = names.map(size).fold(0, u64::saturating_add);
        if found > self.bytes_max {
            return Err(KeepError::TooLarge { found, most: self.bytes_max });
        }
        Ok(())
    }

    /// Should we be stopped in between, `previous` is a whole generation.
    fn put_in_place(&self, new: &Path) -> Result<(), KeepError> {
        let [current, previous] = GENERATIONS.map(|generation| self.dir.join(generation));
        sync_directories(new).map_err(system("written", new))?;
        if current.exists() {
            remove(&previous)?;
            fs::rename(&current, &previous).map_err(system("renamed", &current))?;
        }
        fs::rename(new, &current).map_err(system("renamed", new))?;
        sync(&self.dir).map_err(system("written", &self.dir))
    }

    fn make_directory(&self, dir: &Path) -> Result<(), KeepError> {
        fs::create_dir_all(dir).map_err(system("made", dir))
    }
}

fn system(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeepError {
    let path = path.to_path_buf();
    move |error| KeepError::System { what, path, error }
}

fn remove(dir: &Path) -> Result<(), KeepError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(system("removed", dir)(error)),
        _ => Ok(()),
    }
}

/// The bytes once more: shared with the file where the file system can do that, else written.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let mut copy = File::create(to)?;
    if ioctl_ficlone(&copy, &source).is_err() {
        io::copy(&mut &source, &mut copy)?;
    }
    copy.sync_all()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The entries of a directory and of those in it.
fn sync_directories(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    sync(dir)
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    const WITH_TABLE: &str = "tables: { t: { file: numbers/t.csv, match: exact, columns: [number] } }\n\
                              routes: [ { answer: 404 } ]\n";

    struct Bench {
        dir: tempfile::TempDir,
        loader: Loader,
        kept: LastGood,
    }

    impl Bench {
        /// Routes with a table of these rows.
        fn new(rows: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let routes = dir.path().join("routes");
            fs::create_dir_all(routes.join("numbers")).unwrap();
            fs::write(routes.join("a.yaml"), WITH_TABLE).unwrap();
            fs::write(routes.join("numbers/t.csv"), rows).unwrap();
            let kept = LastGood::new(&dir.path().join("state"));
            Self { loader: Loader::new(routes), kept, dir }
        }

        /// Replaces the rows.
        fn write(&self, rows: &str) {
            let new = self.dir.path().join("new.csv");
            fs::write(&new, rows).unwrap();
            fs::rename(new, self.loader.dir().join("numbers/t.csv")).unwrap();
        }

        /// The hash of what is there now, once it is old enough to be sure of.
        fn load(&self) -> String {
            loop {
                let Ok(Load::New(loaded)) = self.loader.load(None) else { panic!("it loads") };
                if !self.loader.is_stale() {
                    return loaded.hash;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }

        fn kept_file(&self, name: &str) -> PathBuf {
            self.dir.path().join("state/last-known-good").join(name)
        }

        fn refusals(&self) -> Vec<String> {
            let refused = self.kept.load().expect_err("nothing good");
            let state = self.dir.path().join("state/last-known-good");
            refused.iter().map(|it| it.to_string().replace(state.to_str().unwrap(), "KEPT")).collect()
        }
    }

    #[test]
    fn what_was_kept_gives_the_same_table_when_the_routes_are_gone() {
        let bench = Bench::new("441\n442\n");
        let hash = bench.load();
        assert!(bench.kept.keep(&bench.loader, &hash).unwrap());
        assert!(!bench.kept.keep(&bench.loader, &hash).unwrap(), "once is enough");
        fs::remove_dir_all(bench.loader.dir()).unwrap();
        let loaded = bench.kept.load().unwrap();
        assert_eq!((loaded.hash, loaded.table.tables[0].len()), (hash, 2));
    }

    #[test]
    fn two_generations_are_kept_and_a_torn_one_is_refused() {
        let bench = Bench::new("441\n");
        let hashes: Vec<String> = ["441\n", "442\n", "443\n"]
            .map(|rows| {
                bench.write(rows);
                let hash = bench.load();
                bench.kept.keep(&bench.loader, &hash).unwrap();
                hash
            })
            .into();
        let mut found: Vec<_> =
            fs::read_dir(bench.kept_file("")).unwrap().map(|it| it.unwrap().file_name()).collect();
        found.sort_unstable();
        assert_eq!(found, ["current", "lock", "previous"]);
        assert_eq!(bench.kept.load().unwrap().hash, hashes[2]);

        fs::write(bench.kept_file("current/routes/numbers/t.csv"), "44").unwrap();
        assert_eq!(bench.kept.load().unwrap().hash, hashes[1]);

        fs::write(bench.kept_file("previous/routes/a.yaml"), "routes: [").unwrap();
        let refused = bench.refusals();
        let torn = format!("they were kept with {}", hashes[2]);
        assert!(refused[0].starts_with("KEPT/current is torn: its files have the hash "), "{refused:?}");
        assert!(refused[0].ends_with(&torn), "{refused:?}");
        assert!(refused[1].starts_with("KEPT/previous was kept and gives no table (torn, "), "{refused:?}");
        assert_eq!(refused.len(), 2);
    }

    #[test]
    fn a_file_that_did_not_change_is_there_once_for_both_generations() {
        use std::os::unix::fs::MetadataExt as _;
        let bench = Bench::new("441\n");
        let keep = || {
            let hash = bench.load();
            assert!(bench.kept.keep(&bench.loader, &hash).unwrap());
            assert!(!bench.loader.is_stale(), "keeping looks like no change");
        };
        let inode = |name: &str| fs::metadata(bench.kept_file(name)).unwrap().ino();
        keep();
        fs::write(bench.loader.dir().join("b.yaml"), "routes: []\n").unwrap();
        keep();
        let table = "routes/numbers/t.csv";
        assert_eq!(inode(&format!("current/{table}")), inode(&format!("previous/{table}")));
        bench.write("442\n");
        keep();
        assert_ne!(inode(&format!("current/{table}")), inode(&format!("previous/{table}")));
        // Route files are small: a torn one tears one generation.
        assert_ne!(inode("current/routes/a.yaml"), inode("previous/routes/a.yaml"));
        assert!(bench.kept.load().is_ok());
    }

    #[test]
    fn nothing_kept_is_told() {
        let bench = Bench::new("441\n");
        assert_eq!(bench.refusals(), ["nothing is kept in KEPT/current", "nothing is kept in KEPT/previous"]);
    }

    #[test]
    fn files_that_changed_since_they_were_loaded_are_not_kept() {
        let bench = Bench::new("441\n");
        let hash = bench.load();
        bench.write("442\n");
        assert!(matches!(bench.kept.keep(&bench.loader, &hash), Err(KeepError::Changed)));
        assert_eq!(bench.refusals().len(), 2);
        assert!(!bench.kept_file("new").exists());
    }

    #[test]
    fn what_is_stopped_half_way_leaves_the_generation_before() {
        let bench = Bench::new("441\n");
        let hash = bench.load();
        bench.kept.keep(&bench.loader, &hash).unwrap();
        // Between the two renames, with one begun.
        fs::rename(bench.kept_file("current"), bench.kept_file("previous")).unwrap();
        fs::create_dir_all(bench.kept_file("new/routes")).unwrap();
        assert_eq!(bench.kept.load().unwrap().hash, hash);
        assert!(bench.kept.keep(&bench.loader, &hash).unwrap());
        assert_eq!(bench.kept.load().unwrap().hash, hash);
    }

    #[test]
    fn more_bytes_than_the_limit_are_not_kept() {
        let bench = Bench::new("441\n");
        let hash = bench.load();
        let size = u64::try_from(WITH_TABLE.len() + 4).unwrap();
        assert!(
            LastGood::new(bench.dir.path()).bytes_max == LAST_GOOD_BYTES_MAX && size < LAST_GOOD_BYTES_MAX
        );
        let small = LastGood { bytes_max: size - 1, ..bench.kept.clone() };
        let error = small.keep(&bench.loader, &hash).unwrap_err().to_string();
        let begins = format!("its files have {size} bytes, more than the {} that are kept: ", size - 1);
        assert!(error.starts_with(&begins), "{error}");
        assert!(LastGood { bytes_max: size, ..bench.kept.clone() }.keep(&bench.loader, &hash).unwrap());
    }

    #[test]
    fn a_state_directory_that_cannot_be_is_told() {
        let bench = Bench::new("441\n");
        let hash = bench.load();
        let file = bench.dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = LastGood::new(&file).keep(&bench.loader, &hash).unwrap_err().to_string();
        assert!(error.contains("last-known-good cannot be made: Not a directory"), "{error}");
        assert!(error.ends_with("is `state` a directory that the server may write?"), "{error}");
    }
}
