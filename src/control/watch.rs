//! Outside. Watches the route files and asks for a reload when they are others.
//!
//! In:    events of the file system, which only make it quicker; a slow look at the files, which
//!        finds what events do not tell (network file systems, links to elsewhere).
//! Out:   a call for each change, after the writer has paused for a moment.
//! Never: reads a file; ends, because the directory does.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::limits::{WATCH_DELAY_MS_MAX, WATCH_POLL_MS, WATCH_QUIET_MS};

use super::{events::Events, loader::Loader};

/// How patient the watcher is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two looks without an event.
    pub poll: Duration,
    /// Quiet time that ends a burst of events.
    pub quiet: Duration,
    /// Longest burst that is waited for.
    pub delay_max: Duration,
    /// Whether events are used at all.
    pub events: bool,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(WATCH_POLL_MS),
            quiet: Duration::from_millis(WATCH_QUIET_MS),
            delay_max: Duration::from_millis(WATCH_DELAY_MS_MAX),
            events: true,
        }
    }
}

/// What is watched.
pub trait Watched: Send + Sync {
    /// Directories whose entries matter.
    fn directories(&self) -> Vec<PathBuf>;
    /// Whether the files are others than those read last.
    fn is_stale(&self) -> bool;
}

impl Watched for Loader {
    fn directories(&self) -> Vec<PathBuf> {
        self.directories()
    }

    fn is_stale(&self) -> bool {
        self.is_stale()
    }
}

/// The hold on the watching thread, which ends with it.
#[derive(Debug)]
pub struct Watcher {
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

impl Watcher {
    /// Starts watching; `changed` is called when the files are not those that were read last.
    pub fn start(
        watched: Arc<dyn Watched>,
        timing: Timing,
        changed: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (wake, wakes) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let watching =
            Watching { events: timing.events.then(|| Events::new(wake.clone())).flatten(), watched, timing };
        thread::Builder::new().name("watch".to_owned()).spawn({
            let stop = Arc::clone(&stop);
            move || watching.run(&wakes, &stop, &changed)
        })?;
        Ok(Self { stop, wake })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.wake.try_send(());
    }
}

/// The state of the thread.
struct Watching {
    watched: Arc<dyn Watched>,
    timing: Timing,
    events: Option<Events>,
}

impl Watching {
    fn run(mut self, wakes: &Receiver<()>, stop: &AtomicBool, changed: &dyn Fn()) {
        loop {
            // Watched first and looked at then: what changes after the look makes an event.
            if let Some(events) = &mut self.events {
                events.watch(&self.watched.directories());
            }
            let stale = self.watched.is_stale();
            if stale {
                changed();
            }
            // The load may meet the files half written, or written too shortly ago to be sure of
            // them: then they are stale still when we look again, and no event has to tell us.
            self.wait(wakes, stop, if stale { self.timing.delay_max } else { self.timing.poll });
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Until a burst of events is over, or it is time to look anyway.
    fn wait(&self, wakes: &Receiver<()>, stop: &AtomicBool, longest: Duration) {
        if wakes.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
            return;
        }
        let began = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let Some(left) = self.timing.delay_max.checked_sub(began.elapsed()) else { return };
            if wakes.recv_timeout(self.timing.quiet.min(left)).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
        sync::mpsc,
    };

    use super::*;

    /// Longer than any machine needs; only a test that fails waits for it.
    const PATIENCE: Duration = Duration::from_secs(60);
    /// Never, within a test.
    const NEVER: Duration = Duration::from_secs(3600);

    /// A directory, a watcher on it, and the texts that were read at each change.
    struct Bench {
        dir: tempfile::TempDir,
        seen: Receiver<String>,
        _watcher: Watcher,
    }

    impl Bench {
        fn routes(&self) -> PathBuf {
            self.dir.path().join("routes")
        }

        /// Waits until the files were read with this text, among others.
        fn wait_for(&self, text: &str) {
            let mut last = String::new();
            while last != text {
                last = self
                    .seen
                    .recv_timeout(PATIENCE)
                    .unwrap_or_else(|_| panic!("never {text:?}, last {last:?}"));
            }
        }
    }

    fn events_only() -> Timing {
        Timing { poll: NEVER, ..Timing::default() }
    }

    fn polling_only() -> Timing {
        Timing { poll: Duration::from_millis(20), events: false, ..Timing::default() }
    }

    /// Starts with a file that says "start".
    fn bench(timing: Timing) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let routes = dir.path().join("routes");
        fs::create_dir(&routes).unwrap();
        fs::write(routes.join("a.yaml"), "start").unwrap();
        let loader = Arc::new(Loader::new(&routes));
        let (tell, seen) = mpsc::channel();
        let load = Arc::clone(&loader);
        let watcher = Watcher::start(loader, timing, move || {
            let read = load.read_steadily(|sources| {
                let texts = sources.iter().map(|source| String::from_utf8_lossy(&source.bytes).into_owned());
                Ok((crate::control::loader::wanted(&["data/t.csv"]), texts.collect::<String>()))
            });
            let _ = tell.send(read.map_or_else(|_| "error".to_owned(), |read| read.draft));
        });
        let bench = Bench { dir, seen, _watcher: watcher.unwrap() };
        bench.wait_for("start");
        bench
    }

    fn replace(path: &Path, text: &str) {
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    #[test]
    fn a_file_written_in_place_and_one_moved_in_are_seen() {
        for timing in [events_only(), polling_only()] {
            let bench = bench(timing);
            fs::write(bench.routes().join("a.yaml"), "in place").unwrap();
            bench.wait_for("in place");
            replace(&bench.routes().join("a.yaml"), "moved in");
            bench.wait_for("moved in");
            fs::write(bench.routes().join("b.yaml"), ", and one more").unwrap();
            bench.wait_for("moved in, and one more");
            fs::remove_file(bench.routes().join("a.yaml")).unwrap();
            bench.wait_for(", and one more");
        }
    }

    #[test]
    fn a_directory_that_goes_and_comes_again_is_seen() {
        for timing in [events_only(), polling_only()] {
            let bench = bench(timing);
            for round in ["one", "two"] {
                fs::remove_dir_all(bench.routes()).unwrap();
                bench.wait_for("error");
                fs::create_dir(bench.routes()).unwrap();
                fs::write(bench.routes().join("a.yaml"), round).unwrap();
                bench.wait_for(round);
            }
            // Moved away and another moved in, as deployments do.
            let next = bench.dir.path().join("next");
            fs::create_dir(&next).unwrap();
            fs::write(next.join("a.yaml"), "next").unwrap();
            fs::rename(bench.routes(), bench.dir.path().join("old")).unwrap();
            fs::rename(&next, bench.routes()).unwrap();
            bench.wait_for("next");
            fs::write(bench.routes().join("a.yaml"), "next but one").unwrap();
            bench.wait_for("next but one");
        }
    }

    #[test]
    fn a_kubernetes_swap_is_seen() {
        for timing in [events_only(), polling_only()] {
            let bench = bench(timing);
            let routes = bench.routes();
            let publish = |version: &str| {
                fs::create_dir(routes.join(version)).unwrap();
                fs::write(routes.join(version).join("a.yaml"), version).unwrap();
                symlink(version, routes.join("..data_tmp")).unwrap();
                fs::rename(routes.join("..data_tmp"), routes.join("..data")).unwrap();
            };
            publish("..2026_01");
            symlink("..data/a.yaml", routes.join("link")).unwrap();
            fs::rename(routes.join("link"), routes.join("a.yaml")).unwrap();
            bench.wait_for("..2026_01");
            publish("..2026_02");
            fs::remove_dir_all(routes.join("..2026_01")).unwrap();
            bench.wait_for("..2026_02");
            publish("..2026_03");
            bench.wait_for("..2026_03");
        }
    }

    #[test]
    fn a_link_to_another_directory_is_seen() {
        for timing in [events_only(), polling_only()] {
            let bench = bench(timing);
            let release = |name: &str| {
                let path = bench.dir.path().join(name);
                fs::create_dir(&path).unwrap();
                fs::write(path.join("a.yaml"), name).unwrap();
                symlink(name, bench.dir.path().join("link")).unwrap();
            };
            release("release 1");
            fs::remove_dir_all(bench.routes()).unwrap();
            fs::rename(bench.dir.path().join("link"), bench.routes()).unwrap();
            bench.wait_for("release 1");
            release("release 2");
            fs::rename(bench.dir.path().join("link"), bench.routes()).unwrap();
            bench.wait_for("release 2");
            fs::write(bench.routes().join("a.yaml"), "edited").unwrap();
            bench.wait_for("edited");
        }
    }

    #[test]
    fn a_data_file_that_is_named_is_seen() {
        let bench = bench(polling_only());
        fs::create_dir(bench.routes().join("data")).unwrap();
        fs::write(bench.routes().join("data/t.csv"), "1").unwrap();
        bench.wait_for("start");
    }

    #[test]
    fn a_writer_that_never_pauses_does_not_keep_us_from_reading() {
        let bench = bench(events_only());
        let stop = Arc::new(AtomicBool::new(false));
        let writer = thread::spawn({
            let (stop, path) = (Arc::clone(&stop), bench.routes().join("a.yaml"));
            move || {
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return round;
                    }
                    replace(&path, &round.to_string());
                    thread::sleep(Duration::from_millis(5));
                }
                0
            }
        });
        let seen = [(); 3].map(|()| bench.seen.recv_timeout(PATIENCE).unwrap());
        stop.store(true, Ordering::Relaxed);
        let newest = (writer.join().unwrap() - 1).to_string();
        // The third reading may have been of the newest: nothing tells it a second time.
        if seen[2] != newest {
            bench.wait_for(&newest);
        }
    }
}
