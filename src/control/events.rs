//! Outside. Events of the file system, of a few directories.
//!
//! In:    the directories that matter now.
//! Out:   a wake for each change in them.
//! Never: tells what changed; follows a directory that was replaced without being told again.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{self, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
};

use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};

/// The file system's events.
#[derive(Debug)]
pub(super) struct Events {
    watcher: RecommendedWatcher,
    /// What matters: events of these, and of entries in them.
    matter: Arc<Mutex<Vec<PathBuf>>>,
    /// Device and inode of the directories watched: another directory under the same name is a new watch.
    watched: HashMap<PathBuf, (u64, u64)>,
    told: bool,
}

impl Events {
    /// `None` when the system has none to give: the slow look remains.
    pub(super) fn new(wake: SyncSender<()>) -> Option<Self> {
        let matter = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&matter);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| matters(&event, &seen.lock().unwrap_or_else(PoisonError::into_inner)))
            {
                // Full: a wake is on its way already.
                let _ = wake.try_send(());
            }
        });
        match watcher {
            Ok(watcher) => Some(Self { watcher, matter, watched: HashMap::new(), told: false }),
            Err(error) => {
                tracing::warn!(
                    "no file system events ({error}): changes of routes are seen every few seconds"
                );
                None
            }
        }
    }

    /// Watches these directories and no others, and the parent of the first one, where it is made,
    /// removed, and where a link of its name is moved.
    pub(super) fn watch(&mut self, directories: &[PathBuf]) {
        let mut wanted: Vec<PathBuf> =
            directories.iter().filter_map(|path| path::absolute(path).ok()).collect();
        *self.matter.lock().unwrap_or_else(PoisonError::into_inner) = wanted.clone();
        let parent = wanted.first().and_then(|first| first.parent()).map(Path::to_path_buf);
        wanted.extend(parent.filter(|parent| !wanted.contains(parent)));

        let old: Vec<PathBuf> = self.watched.keys().filter(|path| !wanted.contains(path)).cloned().collect();
        for path in old {
            self.forget(&path);
        }
        for path in wanted {
            self.watch_one(path);
        }
    }

    fn watch_one(&mut self, path: PathBuf) {
        let Ok(meta) = fs::metadata(&path) else { return self.forget(&path) };
        let identity = (meta.dev(), meta.ino());
        if self.watched.get(&path).is_some_and(|known| *known != identity) {
            self.forget(&path);
        }
        // Again, even if it is known: a directory that was removed and made again may have the inode
        // of its predecessor, and the kernel takes a second watch of one directory for the first.
        match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(path, identity);
            }
            Err(error) => {
                if !self.told {
                    tracing::warn!(
                        "{} cannot be watched ({error}): changes are seen every few seconds",
                        path.display()
                    );
                    self.told = true;
                }
            }
        }
    }

    fn forget(&mut self, path: &Path) {
        if self.watched.remove(path).is_some() {
            // It fails when the directory is gone, and the watch with it.
            let _ = self.watcher.unwatch(path);
        }
    }
}

/// Opening and reading are no change, and our own reading would wake us for ever.
fn matters(event: &notify::Event, directories: &[PathBuf]) -> bool {
    let change = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    // An event without path says that events were lost.
    let here = event.paths.is_empty()
        || event.paths.iter().any(|path| directories.iter().any(|directory| path.starts_with(directory)));
    change && here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_what_is_elsewhere_does_not_wake() {
        let directories = [PathBuf::from("/etc/waypost/routes")];
        let event = |kind, path: &str| notify::Event::new(kind).add_path(path.into());
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let created = EventKind::Create(notify::event::CreateKind::File);
        assert!(!matters(&event(open, "/etc/waypost/routes/a.yaml"), &directories));
        assert!(matters(&event(closed, "/etc/waypost/routes/a.yaml"), &directories));
        assert!(matters(&event(created, "/etc/waypost/routes"), &directories));
        assert!(!matters(&event(created, "/etc/waypost/routes.bak"), &directories));
        assert!(!matters(&event(created, "/etc/passwd"), &directories));
        assert!(matters(&notify::Event::new(EventKind::Other), &directories));
    }
}
