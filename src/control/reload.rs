//! Outside. The reload thread: one load at a time, for whoever asks.
//!
//! In:    requests of SIGHUP, the admin port and the watcher.
//! Out:   the new table in service, or the old one and the reason; a [`Report`] for each that asked.
//! Never: runs two loads at once, answers with a load that began before the question, frees a table
//! on the loop.

use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};

use crate::{
    limits::{
        DIAGNOSTICS_MAX, RELOADS_WAITING_MAX, RETIRED_GRACE_MS, RETIRED_TABLES_MAX, RETIRED_WAIT_MS_MAX,
    },
    route::file::Diagnostic,
    snapshot::Snapshot,
};

use super::{
    loader::{Load, LoadError, Loaded},
    lock::lock,
    reload_history::{Changes, History, Past},
    retired::Retired,
};

/// Who asks for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Cause {
    Signal,
    Http,
    Watch,
    Source,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal => "SIGHUP",
            Self::Http => "HTTP",
            Self::Watch => "a change of the files",
            Self::Source => "a new serial of the source",
        })
    }
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A new table serves.
    Loaded,
    /// The files are the same; nothing was touched.
    Unchanged,
    /// The old table serves on.
    Failed,
}

impl Outcome {
    /// Every outcome, in the order of the metrics.
    pub const ALL: [Self; 3] = [Self::Loaded, Self::Unchanged, Self::Failed];

    /// Value of the metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// What is told to whoever asked for a reload. The generation, hash and routes are of the table
/// that serves now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReloadReport")]
#[allow(missing_docs)]
pub struct Report {
    pub result: Outcome,
    pub generation: u64,
    pub hash: String,
    pub routes: usize,
    pub duration_ms: u64,
    /// The whole error for people; `None` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it is the files that are wrong, so that the same ones would fail again.
    #[serde(skip)]
    pub files_at_fault: bool,
    /// What is wrong, or should be looked at, place by place; the first of them.
    pub diagnostics: Vec<Diagnostic>,
}

/// What the metrics and probes say about reloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Reloads by outcome, in the order of [`Outcome::ALL`]. The load at the start is not one.
    pub counts: [u64; Outcome::ALL.len()],
    /// Whether the last load failed.
    pub failing: bool,
    /// When the last load succeeded, in seconds since 1970.
    pub success_unix_s: i64,
    /// How long the last load took.
    pub duration: Duration,
    /// Whether the table in service was kept from before the start, for want of a better one.
    pub last_known_good: bool,
}

/// A load; given the hash of the table in service.
pub type LoadFn = Box<dyn Fn(Option<&str>) -> Result<Load, LoadError> + Send>;

/// Called on the reload thread: once at its start, and after each load whose report was given.
pub type AfterFn = Box<dyn FnMut(Option<&Report>) + Send>;

/// A request that found no room: as many wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many requests wait.
    #[error("{RELOADS_WAITING_MAX} reload requests wait already")]
    Busy,
    /// The reload thread is gone.
    #[error("the reload thread has ended")]
    Ended,
}

/// The hold on the reload thread. The thread ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Reloader {
    requests: SyncSender<Request>,
    /// A nudge waits in the queue: a second one would get the same load.
    nudged: Arc<AtomicBool>,
    status: Arc<Mutex<Status>>,
    history: Arc<Mutex<History>>,
    loaded: Arc<Notify>,
}

#[derive(Debug)]
struct Request {
    cause: Cause,
    report: Option<oneshot::Sender<Report>>,
}

impl Reloader {
    /// Starts the thread. `table` holds the first table already, loaded just now.
    pub fn start(table: Arc<ArcSwap<Snapshot>>, load: LoadFn) -> io::Result<Self> {
        Self::start_with(table, load, Box::new(|_| {}))
    }

    /// The same, with something to do after each load.
    pub fn start_with(table: Arc<ArcSwap<Snapshot>>, load: LoadFn, after: AfterFn) -> io::Result<Self> {
        let (requests, queue) = sync_channel(RELOADS_WAITING_MAX);
        let status = Status { success_unix_s: table.load().loaded_unix_s, ..Status::default() };
        let status = Arc::new(Mutex::new(status));
        let nudged = Arc::new(AtomicBool::new(false));
        let history = Arc::default();
        let loaded = Arc::new(Notify::new());
        let worker = Worker {
            table,
            load,
            after,
            loaded: Arc::clone(&loaded),
            nudged: Arc::clone(&nudged),
            status: Arc::clone(&status),
            history: Arc::clone(&history),
            retired: Retired::default(),
        };
        thread::Builder::new().name("reload".to_owned()).spawn(move || worker.run(&queue))?;
        Ok(Self { requests, nudged, status, history, loaded })
    }

    /// Asks for a load that begins after this call, and for its report.
    pub fn request(&self, cause: Cause) -> Result<oneshot::Receiver<Report>, Refused> {
        let (report, reported) = oneshot::channel();
        match self.requests.try_send(Request { cause, report: Some(report) }) {
            Ok(()) => Ok(reported),
            Err(TrySendError::Full(_)) => Err(Refused::Busy),
            Err(TrySendError::Disconnected(_)) => Err(Refused::Ended),
        }
    }

    /// Asks for a load that begins after this call. A full queue is as good as a place in it: those
    /// who wait there get a load that has not begun.
    pub fn nudge(&self, cause: Cause) {
        if !self.nudged.swap(true, Ordering::AcqRel)
            && self.requests.try_send(Request { cause, report: None }).is_err()
        {
            self.nudged.store(false, Ordering::Release);
        }
    }

    /// The first table was kept from before, since the files of now gave none.
    pub fn begin_with_last_known_good(&self) {
        let mut status = lock(&self.status);
        // A load that was quicker than this has said what counts.
        if status.counts == Status::default().counts {
            *status = Status { failing: true, last_known_good: true, success_unix_s: 0, ..*status };
        }
    }

    /// Told each time that another table is in service. It is for one listener.
    #[must_use]
    pub fn loaded(&self) -> Arc<Notify> {
        Arc::clone(&self.loaded)
    }

    /// How reloads went.
    #[must_use]
    pub fn status(&self) -> Status {
        *lock(&self.status)
    }

    /// The last reloads.
    #[must_use]
    pub fn history(&self) -> History {
        lock(&self.history).clone()
    }
}

/// The state of the thread.
struct Worker {
    table: Arc<ArcSwap<Snapshot>>,
    load: LoadFn,
    after: AfterFn,
    loaded: Arc<Notify>,
    nudged: Arc<AtomicBool>,
    status: Arc<Mutex<Status>>,
    history: Arc<Mutex<History>>,
    retired: Retired<Snapshot>,
}

/// How often the thread looks whether old tables are free, while there are some.
const SWEEP_EVERY: Duration = Duration::from_millis(20);

impl Worker {
    fn run(mut self, queue: &Receiver<Request>) {
        (self.after)(None);
        while let Some(first) = self.next_request(queue) {
            // Whoever is in the queue now is answered by the load that begins now.
            let together: Vec<Request> = std::iter::once(first).chain(queue.try_iter()).collect();
            // After the queue is empty and before the load begins: a nudge that still found the flag
            // set gets this load, one that did not has a place in the queue.
            self.nudged.store(false, Ordering::Release);
            self.serve(together);
        }
    }

    /// One load for all of these.
    fn serve(&mut self, together: Vec<Request>) {
        let (report, is_news, changes) = self.reload();
        log(&together, &report, is_news);
        if !is_watcher_looking_twice(&together, &report) {
            let mut causes: Vec<_> = together.iter().map(|request| request.cause.to_string()).collect();
            causes.sort_unstable();
            causes.dedup();
            let past = Past { unix_s: unix_s(), causes, times: 1, report: report.clone(), changes };
            lock(&self.history).add(past, is_news);
        }
        for report_to in together.into_iter().filter_map(|request| request.report) {
            // An HTTP caller may have gone: it does not want to know any more.
            let _ = report_to.send(report.clone());
        }
        (self.after)(Some(&report));
    }

    /// Waits for a request; frees old tables meanwhile. `None`: nobody is left to ask.
    fn next_request(&mut self, queue: &Receiver<Request>) -> Option<Request> {
        loop {
            if self.retired.sweep() == 0 {
                return queue.recv().ok();
            }
            match queue.recv_timeout(SWEEP_EVERY) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// The report, whether it says what the one before did not, and what is new in a new table.
    fn reload(&mut self) -> (Report, bool, Option<Changes>) {
        let began = Instant::now();
        let result = self.wait_for_room().and_then(|()| self.load_guarded());
        let files_at_fault = result.as_ref().is_err_and(LoadError::is_of_the_files);
        let is_news = !matches!(result, Ok(Load::Same) | Err(LoadError::Again(_)));
        let mut changes = None;
        let (outcome, error, diagnostics) = match result {
            Ok(Load::Same) => (Outcome::Unchanged, None, Vec::new()),
            Ok(Load::New(loaded)) => {
                let Loaded { table, warnings, hash } = *loaded;
                changes = Some(self.put_into_service(table, hash));
                (Outcome::Loaded, None, warnings)
            }
            Err(error) => (Outcome::Failed, Some(error.to_string()), error.diagnostics().to_vec()),
        };
        let duration = began.elapsed();
        self.note(outcome, duration);
        let serving = self.table.load();
        let report = Report {
            result: outcome,
            generation: serving.generation,
            hash: serving.hash.clone(),
            routes: serving.table.routes.len(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            error,
            files_at_fault,
            diagnostics: diagnostics.into_iter().take(DIAGNOSTICS_MAX).collect(),
        };
        (report, is_news, changes)
    }

    /// Old tables are memory: a new one comes when the old ones are gone, later when somebody holds on to
    /// one, and not at all while too many are held.
    fn wait_for_room(&mut self) -> Result<(), LoadError> {
        let began = Instant::now();
        loop {
            let held = self.retired.sweep();
            let waited = began.elapsed();
            if held == 0 || (held < RETIRED_TABLES_MAX && waited >= Duration::from_millis(RETIRED_GRACE_MS)) {
                return Ok(());
            }
            if waited >= Duration::from_millis(RETIRED_WAIT_MS_MAX) {
                let what = format!("{RETIRED_TABLES_MAX} old route tables are still in use");
                return Err(LoadError::Internal { what });
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A panic in here is our bug, but no reason to serve old routes for ever.
    fn load_guarded(&self) -> Result<Load, LoadError> {
        let serving = self.table.load_full();
        catch_unwind(AssertUnwindSafe(|| (self.load)(Some(&serving.hash)))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(LoadError::Internal { what: text.unwrap_or_else(|| "a panic".to_owned()) })
        })
    }

    fn put_into_service(&mut self, table: crate::route::RouteTable, hash: String) -> Changes {
        let previous = self.table.load_full();
        let next = Arc::new(Snapshot::new(table, hash, unix_s(), Some(&previous)));
        drop(previous);
        let previous = self.table.swap(Arc::clone(&next));
        self.loaded.notify_one();
        // Compared when the new one serves: nobody waits for it to be counted.
        let changes = Changes::between(&previous.table, &next.table);
        self.retired.keep(previous);
        changes
    }

    fn note(&self, outcome: Outcome, duration: Duration) {
        let mut status = lock(&self.status);
        for (count, known) in status.counts.iter_mut().zip(Outcome::ALL) {
            *count = count.wrapping_add(u64::from(known == outcome));
        }
        status.failing = outcome == Outcome::Failed;
        status.duration = duration;
        if outcome != Outcome::Failed {
            status.success_unix_s = unix_s();
            status.last_known_good = false;
        }
    }
}

/// The watcher looks twice at what was written a moment ago.
fn is_watcher_looking_twice(requests: &[Request], report: &Report) -> bool {
    report.result == Outcome::Unchanged && requests.iter().all(|request| request.cause == Cause::Watch)
}

fn log(requests: &[Request], report: &Report, is_news: bool) {
    let cause = requests.first().map_or_else(String::new, |request| request.cause.to_string());
    let Report { generation, routes, duration_ms, .. } = report;
    let short = report.hash.get(..12).unwrap_or(&report.hash);
    match report.result {
        Outcome::Loaded => {
            tracing::info!(generation, hash = short, routes, duration_ms, "routes reloaded for {cause}");
            for warning in &report.diagnostics {
                let Diagnostic { file, line, column, message, .. } = warning;
                tracing::warn!("{file}:{line}:{column}: {message}");
            }
        }
        Outcome::Unchanged if is_watcher_looking_twice(requests, report) => {
            tracing::debug!(generation, hash = short, "routes unchanged, asked by {cause}");
        }
        Outcome::Unchanged => tracing::info!(generation, hash = short, "routes unchanged, asked by {cause}"),
        Outcome::Failed => {
            let error = report.error.as_deref().unwrap_or_default();
            // Whoever sent a signal has the log only; an HTTP caller has the report.
            if is_news || requests.iter().any(|request| request.cause == Cause::Signal) {
                tracing::error!("reload for {cause} failed, generation {generation} serves on:\n{error}");
            } else {
                tracing::debug!(
                    "reload for {cause} failed as before, generation {generation} serves on:\n{error}"
                );
            }
        }
    }
}

/// Seconds since 1970, now.
pub(crate) fn unix_s() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, io::Write};

    use tracing::{Level, subscriber::with_default};

    use super::*;
    use crate::route::RouteTable;

    /// What the log says, line by line, of loads that end so, each for one of these causes.
    fn logged(loads: Vec<(Cause, Result<Load, LoadError>)>) -> (Vec<String>, Vec<Report>, Status, History) {
        #[derive(Clone, Default)]
        struct Lines(Arc<Mutex<Vec<u8>>>);
        impl Write for Lines {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::default();
        let written = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .with_writer(move || written.clone())
            .finish();
        let (causes, results): (Vec<_>, VecDeque<_>) = loads.into_iter().unzip();
        let results = Mutex::new(results);
        let (status, history) = (Arc::new(Mutex::new(Status::default())), Arc::default());
        let mut worker = Worker {
            table: Arc::new(ArcSwap::from_pointee(Snapshot::new(RouteTable::default(), "".into(), 0, None))),
            load: Box::new(move |_| results.lock().unwrap().pop_front().unwrap()),
            after: Box::new(|_| {}),
            loaded: Arc::default(),
            nudged: Arc::default(),
            status: Arc::clone(&status),
            history: Arc::clone(&history),
            retired: Retired::default(),
        };
        let mut reports = Vec::new();
        with_default(subscriber, || {
            for cause in causes {
                let (report, mut reported) = oneshot::channel();
                worker.serve(vec![Request { cause, report: Some(report) }]);
                reports.push(reported.try_recv().unwrap());
            }
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let status = *status.lock().unwrap();
        let history = lock(&history).clone();
        (text.lines().map(|line| line.trim().to_owned()).collect(), reports, status, history)
    }

    #[test]
    fn a_failure_is_logged_once_and_told_and_counted_each_time() {
        let error = || LoadError::NotADirectory { dir: "routes".into() };
        let again = || Err(LoadError::Again(Box::new(error())));
        let (lines, reports, status, history) = logged(vec![
            (Cause::Watch, Err(error())),
            (Cause::Watch, again()),
            (Cause::Http, again()),
            (Cause::Signal, again()),
            (Cause::Watch, Err(error())),
            (Cause::Watch, Ok(Load::Same)),
        ]);
        let first = |level: &str, cause: &str, as_before: &str| {
            format!("{level} reload for {cause} failed{as_before}, generation 1 serves on:")
        };
        let said = error().to_string();
        let expected = [
            first("ERROR", "a change of the files", ""),
            said.clone(),
            first("DEBUG", "a change of the files", " as before"),
            said.clone(),
            first("DEBUG", "HTTP", " as before"),
            said.clone(),
            first("ERROR", "SIGHUP", ""),
            said.clone(),
            first("ERROR", "a change of the files", ""),
            said.clone(),
        ];
        assert_eq!(lines[..expected.len()], expected);
        assert!(lines[expected.len()].starts_with("DEBUG routes unchanged"), "{lines:?}");
        assert_eq!(reports[2].result, Outcome::Failed);
        assert_eq!(reports[2].error, Some(said));
        assert_eq!(status.counts, [0, 1, 5]);
        let kept: Vec<_> = history.iter().map(|past| (past.causes.join(", "), past.times)).collect();
        let kept: Vec<_> = kept.iter().map(|(cause, times)| (&**cause, *times)).collect();
        let files = "a change of the files";
        assert_eq!(kept, [(files, 1), ("SIGHUP", 1), ("HTTP", 1), (files, 2)], "the newest first");
    }
}
