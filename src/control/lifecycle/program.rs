//! Outside. How this program was started, so that it can be started again after an upgrade.
//!
//! In:    the arguments and the executable of the process.
//! Out:   the path under which it was found, and its arguments.
//! Never: runs anything; names /proc/self/exe, which goes on to be the old file when a new one takes its place.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

/// See the file's first lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Program {
    /// This one. To be asked at the start: later the file may be another, or gone.
    pub(in crate::control) fn of_this_process() -> io::Result<Self> {
        let executable = env::current_exe()?;
        let mut arguments = env::args_os();
        let called = arguments.next().unwrap_or_default();
        let path = found(&called, &executable, &env::var_os("PATH").unwrap_or_default());
        Ok(Self { path: path.unwrap_or(executable), arguments: arguments.collect() })
    }

    /// Where it was found.
    pub(in crate::control) fn path(&self) -> &Path {
        &self.path
    }
}

/// Where a program called so was found, links not followed: an upgrade may move the link. `None` when what is
/// there is another one.
fn found(called: &OsStr, executable: &Path, search: &OsStr) -> Option<PathBuf> {
    let is_it = |path: &PathBuf| {
        let real = |path: &Path| fs::canonicalize(path).ok();
        real(path).is_some() && real(path) == real(executable)
    };
    if called.as_encoded_bytes().contains(&b'/') {
        return std::path::absolute(called).ok().filter(is_it);
    }
    env::split_paths(search).map(|directory| directory.join(called)).find(is_it)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_program_is_found_where_it_was_called_not_where_links_lead() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("bin")).unwrap();
        fs::create_dir(path("other")).unwrap();
        fs::write(path("waypost-1"), "").unwrap();
        fs::write(path("other/waypost"), "another").unwrap();
        symlink(path("waypost-1"), path("bin/waypost")).unwrap();
        let executable = path("waypost-1");
        let search = env::join_paths([path("none"), path("other"), path("bin")]).unwrap();
        let find = |called: &OsStr| found(called, &executable, &search);
        assert_eq!(find(path("bin/waypost").as_os_str()), Some(path("bin/waypost")));
        assert_eq!(find(OsStr::new("waypost")), Some(path("bin/waypost")));
        assert_eq!(find(path("other/waypost").as_os_str()), None);
        assert_eq!(find(OsStr::new("sh")), None);
        assert_eq!(find(OsStr::new("")), None);
    }

    #[test]
    fn this_process_is_found() {
        let program = Program::of_this_process().unwrap();
        assert_eq!(
            fs::canonicalize(&program.path).unwrap(),
            fs::canonicalize(env::current_exe().unwrap()).unwrap()
        );
        assert_eq!(program.arguments, env::args_os().skip(1).collect::<Vec<_>>());
    }
}
