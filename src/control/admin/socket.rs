//! Outside. The Unix socket of the admin port: its file, made and taken away.
//!
//! In:    a path.
//! Out:   a socket that its owner and group may use; the file is gone when it is dropped.
//! Never: takes away a file that is no socket, or one that a server listens on.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Read and write for owner and group: who may connect.
const MODE: u32 = 0o660;

/// The file, until it is dropped.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Where it is to be.
    to: Option<PathBuf>,
    /// Of ours: another server may have put its own in its place.
    identity: Identity,
    left: Left,
}

/// Whether the place is left to a process that replaces us. That one puts its own socket over ours, sooner or later, and
/// must find it neither gone nor taken away behind its back.
#[derive(Clone, Debug, Default)]
pub(super) struct Left(Arc<AtomicBool>);

impl Left {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl SocketFile {
    pub(super) fn left(&self) -> Left {
        self.left.clone()
    }

    fn going(mut self, to: &Path) -> Self {
        self.to = Some(to.to_path_buf());
        self
    }

    /// Goes where it is to be. There is no moment without a socket there.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if let Some(to) = self.to.take() {
            fs::rename(&self.path, &to)?;
            self.path = to;
            self.identity = identity(&self.path)?;
        }
        Ok(())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_left = self.left.0.load(Ordering::Relaxed);
        if !is_left && identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // Who starts next takes it away, should this fail.
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub(super) fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    remove_left_over(path)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    let file =
        SocketFile { path: path.to_path_buf(), to: None, identity: identity(path)?, left: Left::default() };
    listener.set_nonblocking(true)?;
    Ok((listener, file))
}

/// The same beside a socket that another server listens on: [`SocketFile::settle`] puts it into its place.
pub(super) fn listen_beside(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".next");
    let (listener, file) = listen(Path::new(&beside))?;
    Ok((listener, file.going(path)))
}

/// A server that was killed leaves its socket behind, and nobody answers there.
fn remove_left_over(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    match UnixStream::connect(path) {
        Err(error) if is_socket && error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // What is there stays; bind says so.
        _ => Ok(()),
    }
}

/// Device and inode, and when it was made: a new file may get the inode of one that is gone.
type Identity = (u64, u64, i64, i64);

fn identity(path: &Path) -> io::Result<Identity> {
    fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_owner_and_group_and_goes_with_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let (listener, file) = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(listen(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        drop(listener);
        // Left over, as after a kill: the next one takes its place, and the first leaves that alone.
        let (_listener, next) = listen(&path).unwrap();
        drop(file);
        assert!(path.exists());
        drop(next);
        assert!(!path.exists());
    }

    #[test]
    fn who_replaces_a_server_takes_its_place_while_it_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let (listener, file) = listen(&path).unwrap();
        let (next, mut next_file) = listen_beside(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
        next_file.settle().unwrap();
        drop((listener, file));
        UnixStream::connect(&path).unwrap();
        next.accept().unwrap();
        drop(next_file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_place_that_is_left_to_who_replaces_a_server_is_never_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let (listener, file) = listen(&path).unwrap();
        let (_next, mut next_file) = listen_beside(&path).unwrap();
        file.left().set();
        drop((listener, file));
        assert!(path.exists());
        next_file.settle().unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        fs::write(&path, "mine").unwrap();
        assert_eq!(listen(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
