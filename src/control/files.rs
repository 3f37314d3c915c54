//! Outside. The files of a routes directory: which they are, their bytes, and whether they changed.
//!
//! In:    a directory.
//! Out:   bytes within the limits, or why not; a [`Print`] to tell one state from another.
//! Never: understands what it reads; leaves the directory, but by symbolic links that someone put there.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

use super::sandbox;
use crate::limits::ROUTE_FILES_MAX;

/// What is cheap to know of one file and changes when its bytes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Unlike the one above, no tool sets this one back.
    changed: (i64, i64),
}

impl Stat {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// In one word, for another process to compare.
    pub(super) fn text(&self) -> String {
        let Self { device, inode, size, modified, changed } = self;
        format!("{device}:{inode}:{size}:{}.{}:{}.{}", modified.0, modified.1, changed.0, changed.1)
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether the file was written so shortly before the reading from `began` to `ended` that a further
    /// write might not show. A time to come is of another clock, or of this one before it was set back, and
    /// says nothing: it would count as fresh for as long as the clocks differ.
    pub(super) fn is_fresh(&self, began: SystemTime, ended: SystemTime) -> bool {
        let (began_ns, ended_ns) = (unix_ns(began), unix_ns(ended));
        let changed_ns = i128::from(self.changed.0) * 1_000_000_000 + i128::from(self.changed.1);
        changed_ns <= ended_ns && began_ns.saturating_sub(changed_ns) < CLOCK_STEP_NS
    }
}

/// The state of a set of files. Equal prints: nothing was written between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Print {
    /// The directory itself: it may be removed and made again, or be a link that moves.
    directory: Option<(u64, u64)>,
    /// Where Kubernetes' `..data` points to: all files of a volume move with it at once.
    data_link: Option<PathBuf>,
    routes: Vec<(PathBuf, Option<Stat>)>,
    others: Vec<(PathBuf, Option<Stat>)>,
}

/// Two writes to one file within this time may leave the same [`Print`]: the kernel's clock for
/// files moves in steps of up to 10 ms.
const CLOCK_STEP_NS: i128 = 20_000_000;

impl Print {
    /// Print of the route files in `dir` and of these files besides.
    #[must_use]
    pub fn take(dir: &Path, others: &[String]) -> Self {
        let stat = |file: PathBuf| {
            let stat = fs::metadata(dir.join(&file)).ok().map(|meta| Stat::of(&meta));
            (file, stat)
        };
        Self {
            directory: fs::metadata(dir).ok().map(|meta| (meta.dev(), meta.ino())),
            data_link: fs::read_link(dir.join("..data")).ok(),
            routes: route_files(dir).unwrap_or_default().into_iter().map(stat).collect(),
            others: others.iter().map(PathBuf::from).map(stat).collect(),
        }
    }

    /// Whether the route files are the same; the others may be.
    #[must_use]
    pub fn same_routes(&self, other: &Self) -> bool {
        (&self.directory, &self.data_link, &self.routes)
            == (&other.directory, &other.data_link, &other.routes)
    }

    /// Whether one of the files was written so shortly before the reading from `began` to `ended` that a
    /// further write might not show.
    #[must_use]
    pub fn is_fresh(&self, began: SystemTime, ended: SystemTime) -> bool {
        let mut stats = self.routes.iter().chain(&self.others).filter_map(|(_, stat)| stat.as_ref());
        stats.any(|stat| stat.is_fresh(began, ended))
    }
}

fn unix_ns(time: SystemTime) -> i128 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

/// Names of the route files in `dir`, in order: `*.yaml` and `*.yml`. Hidden ones are not: `..data`
/// and `..2026_…` of Kubernetes, swap and lock files of editors. At most one more than the limit.
pub fn route_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = PathBuf::from(entry?.file_name());
        let hidden = name.as_os_str().as_encoded_bytes().first() == Some(&b'.');
        let yaml = name.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden {
            names.push(name);
            if names.len() > ROUTE_FILES_MAX {
                break;
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says so.
    #[error("cannot be read: {0}{hint}", hint = sandbox::hint(.0))]
    System(#[from] io::Error),
    /// A directory, pipe or device.
    #[error("is not a regular file")]
    NotAFile,
    /// It is longer than it may be.
    #[error("is longer than {0} bytes, the most that is read")]
    TooLong(usize),
    /// A path that would leave the routes directory.
    #[error("leaves the routes directory: write a path relative to it, without \"..\"")]
    Outside,
}

/// Reads a regular file of at most `bytes_max`.
pub fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, ReadError> {
    read_open(open(path)?, bytes_max)
}

/// Reads a file of `dir` by a path that was written in a route file.
pub(super) fn read_inside(dir: &Path, path: &str, bytes_max: usize) -> Result<Vec<u8>, ReadError> {
    read_open(open_inside(dir, path)?, bytes_max)
}

fn read_open((file, stat): (File, Stat), bytes_max: usize) -> Result<Vec<u8>, ReadError> {
    let len = usize::try_from(stat.size()).unwrap_or(usize::MAX);
    if len > bytes_max {
        return Err(ReadError::TooLong(bytes_max));
    }
    // One byte more than is allowed, so that a file that grew meanwhile is seen.
    let mut bytes = Vec::with_capacity(len.saturating_add(1));
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(ReadError::TooLong(bytes_max)) } else { Ok(bytes) }
}

/// Opens a regular file.
fn open(path: &Path) -> Result<(File, Stat), ReadError> {
    // O_NONBLOCK: opening a pipe must not wait for its writer; regular files do not know it.
    let file: File = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() { Ok((file, Stat::of(&meta))) } else { Err(ReadError::NotAFile) }
}

/// Opens a file of `dir` by a path that was written in a route file.
pub(super) fn open_inside(dir: &Path, path: &str) -> Result<(File, Stat), ReadError> {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if path.is_empty() || !Path::new(path).components().all(inside) {
        return Err(ReadError::Outside);
    }
    open(&dir.join(path))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, time::Duration};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        route_files(dir).unwrap().iter().map(|name| name.display().to_string()).collect()
    }

    #[test]
    fn yaml_files_are_found_in_order_and_hidden_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["20.yml", "10.yaml", "3.yaml", ".swp.yaml", "10.yaml~", "a.csv", "yaml", "#x.yaml#"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        assert_eq!(names(dir.path()), ["10.yaml", "20.yml", "3.yaml"]);
    }

    #[test]
    fn a_kubernetes_volume_shows_each_file_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("..2026_01")).unwrap();
        fs::write(dir.path().join("..2026_01/10.yaml"), "x").unwrap();
        symlink("..2026_01", dir.path().join("..data")).unwrap();
        symlink("..data/10.yaml", dir.path().join("10.yaml")).unwrap();
        assert_eq!(names(dir.path()), ["10.yaml"]);
        assert_eq!(read(&dir.path().join("10.yaml"), 1).unwrap(), b"x");
    }

    #[test]
    fn one_file_more_than_the_limit_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        for index in 0..ROUTE_FILES_MAX + 10 {
            fs::write(dir.path().join(format!("{index}.yaml")), "").unwrap();
        }
        assert_eq!(names(dir.path()).len(), ROUTE_FILES_MAX + 1);
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, [b'x'; 10]).unwrap();
        assert_eq!(read(&path, 10).unwrap().len(), 10);
        assert_eq!(read(&path, 9).unwrap_err().to_string(), "is longer than 9 bytes, the most that is read");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path(), 1), Err(ReadError::NotAFile)));
        let pipe = dir.path().join("pipe.yaml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(matches!(read(&pipe, 1), Err(ReadError::NotAFile)));
        assert!(matches!(read(&dir.path().join("none"), 1), Err(ReadError::System(_))));
    }

    #[test]
    fn a_written_path_does_not_leave_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let routes = dir.path().join("routes");
        fs::create_dir_all(routes.join("data")).unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        fs::write(routes.join("data/a.csv"), "a").unwrap();
        for path in ["data/a.csv", "./data/a.csv"] {
            assert_eq!(open_inside(&routes, path).unwrap().1.size(), 1);
        }
        let absolute = routes.join("data/a.csv").display().to_string();
        for path in ["../secret", "data/../../secret", "data/../data/a.csv", &absolute, "", "/etc/passwd"] {
            assert!(matches!(open_inside(&routes, path), Err(ReadError::Outside)), "{path}");
        }
    }

    #[test]
    fn every_kind_of_change_changes_the_print() {
        let dir = tempfile::tempdir().unwrap();
        let routes = dir.path().join("routes");
        let data = ["d.csv".to_owned()];
        let mut seen: Vec<Print> = vec![Print::take(&routes, &data)];
        let mut step = |what: &str, change: &dyn Fn()| {
            change();
            let print = Print::take(&routes, &data);
            assert_eq!(print, Print::take(&routes, &data), "{what}: steady");
            assert!(!seen.contains(&print), "{what}: seen before");
            seen.push(print);
        };
        step("directory made", &|| fs::create_dir(&routes).unwrap());
        step("file added", &|| fs::write(routes.join("a.yaml"), "a").unwrap());
        step("file longer", &|| fs::write(routes.join("a.yaml"), "ab").unwrap());
        step("file replaced", &|| {
            fs::write(routes.join("new"), "ab").unwrap();
            fs::rename(routes.join("new"), routes.join("a.yaml")).unwrap();
        });
        step("data file added", &|| fs::write(routes.join("d.csv"), "1").unwrap());
        step("link added", &|| symlink("v1", routes.join("..data")).unwrap());
        step("link moved", &|| {
            symlink("v2", routes.join("new")).unwrap();
            fs::rename(routes.join("new"), routes.join("..data")).unwrap();
        });
        step("file renamed", &|| fs::rename(routes.join("a.yaml"), routes.join("b.yaml")).unwrap());
        step("directory replaced", &|| {
            fs::rename(&routes, dir.path().join("old")).unwrap();
            fs::create_dir(&routes).unwrap();
        });
    }

    #[test]
    fn a_print_is_fresh_until_the_clock_has_moved() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        assert!(!Print::take(dir.path(), &[]).is_fresh(now, now));
        fs::write(dir.path().join("a.yaml"), "").unwrap();
        let print = Print::take(dir.path(), &[]);
        let written = fs::metadata(dir.path().join("a.yaml")).unwrap().modified().unwrap();
        let after = |ms| written + Duration::from_millis(ms);
        let before = |ms| written - Duration::from_millis(ms);
        for (began, ended, fresh) in [
            (written, written, true),
            (after(19), after(19), true),
            (after(21), after(21), false),
            (after(21), after(60_000), false),
            // Written while it was read.
            (before(1), after(1), true),
            (before(60_000), written, true),
            // Written at a time to come.
            (before(1), before(1), false),
            (before(3_600_000), before(3_600_000), false),
            (SystemTime::UNIX_EPOCH, before(1), false),
        ] {
            assert_eq!(print.is_fresh(began, ended), fresh, "{began:?} {ended:?}, written {written:?}");
        }
        let other = Print::take(dir.path(), &["b.csv".into()]);
        assert!(print != other && print.same_routes(&other));
    }

    #[test]
    fn what_is_not_a_route_file_does_not_change_the_print() {
        let dir = tempfile::tempdir().unwrap();
        let print = Print::take(dir.path(), &[]);
        fs::write(dir.path().join(".a.yaml.swp"), "x").unwrap();
        fs::write(dir.path().join("README"), "x").unwrap();
        assert_eq!(print, Print::take(dir.path(), &[]));
    }
}
