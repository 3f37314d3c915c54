//! Outside. The thread that looks at the source, and what it does with what it finds.
//!
//! In:    a [`Source`], the routes directory, a seed for the moments of its looks.
//! Out:   the link of the routes directory at the newest set that loads.
//! Never: has two sets in doubt at once; tells the same trouble twice in a row.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use tokio::{runtime::Runtime, sync::oneshot};

use super::{
    Asked, Outcome, SourceError, Status, Timing,
    keys::PublicKeys,
    manifest::{Hash, Manifest},
    pace,
    sets::{Lock, Set, Sets},
};
use crate::{
    config::Source,
    control::reload::{self, Cause, Reloader, unix_s},
};

/// Reads one source, again and again.
#[derive(Debug)]
pub struct Fetcher {
    asked: Asked,
    shown: String,
    sets: Sets,
    signed_by: Option<PathBuf>,
    every_ms: u64,
    seed: u64,
    status: Status,
    /// The last manifest whose files did not load.
    refused: Option<(Hash, SourceError)>,
    told: Option<SourceError>,
    runtime: Option<Runtime>,
}

/// Why there is no first table.
#[derive(Debug)]
pub enum FirstError<E> {
    /// The files are there and do not load.
    Load(E),
    /// There are no files.
    Source(SourceError),
}

/// A set that is on disk and was not tried yet.
struct Found {
    set: Set,
    /// Until it is loaded or given up.
    _lock: Lock,
}

/// The hold on the thread, which ends with it.
#[derive(Debug)]
pub struct Running(#[allow(dead_code, reason = "its end is the message")] oneshot::Sender<()>);

impl Fetcher {
    /// A fetcher for this routes directory, which it makes. Nothing is asked yet.
    pub fn open(source: &Source, routes: &Path, seed: u64, timing: Timing) -> Result<Self, SourceError> {
        let no_runtime = |error: io::Error| SourceError::Disk { path: routes.into(), why: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            asked: Asked::new(source, timing),
            shown: source.origin.shown(),
            sets: Sets::open(routes)?,
            signed_by: source.signed_by.clone(),
            every_ms: source.every_s.saturating_mul(1000),
            seed,
            status: Status::default(),
            refused: None,
            told: None,
            runtime: Some(runtime.map_err(no_runtime)?),
        })
    }

    /// What the metrics read.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// The first table: of what was fetched last, before the source is asked, so that a node starts while it
    /// is away; otherwise of what it has now.
    pub fn first<T, E: std::fmt::Display>(
        &mut self,
        mut load: impl FnMut() -> Result<T, E>,
    ) -> Result<T, FirstError<E>> {
        let mut trouble = None;
        if let Some(current) = self.sets.current() {
            match load() {
                Ok(table) => {
                    self.status.serves(&current.manifest);
                    return Ok(table);
                }
                Err(error) => trouble = Some(error),
            }
            if let Some(table) = self.step_back(&current, &mut load) {
                return Ok(table);
            }
        }
        match self.run(Self::look) {
            Ok(Some(found)) => self.try_first(&found, load),
            Ok(None) => Err(trouble.map_or_else(
                || FirstError::Source(SourceError::NotAManifest("nothing is there".to_owned())),
                FirstError::Load,
            )),
            Err(error) => {
                self.status.note(error.outcome(), unix_s());
                Err(trouble.map_or(FirstError::Source(error), FirstError::Load))
            }
        }
    }

    /// The current set may be one that was being tried when the process before us was ended.
    fn step_back<T, E>(&self, current: &Set, load: &mut impl FnMut() -> Result<T, E>) -> Option<T> {
        let other = self.sets.other()?;
        self.sets.switch(Some(&other)).ok()?;
        match load() {
            Ok(table) => {
                let (bad, good) = (current.manifest.serial, other.manifest.serial);
                tracing::warn!("source: the files of serial {bad} do not load; serial {good} serves");
                self.status.serves(&other.manifest);
                Some(table)
            }
            Err(_) => {
                self.sets.switch(Some(current)).ok()?;
                None
            }
        }
    }

    fn try_first<T, E>(
        &mut self,
        found: &Found,
        mut load: impl FnMut() -> Result<T, E>,
    ) -> Result<T, FirstError<E>> {
        let before = self.sets.current();
        self.sets.switch(Some(&found.set)).map_err(FirstError::Source)?;
        match load() {
            Ok(table) => {
                self.accept(&found.set.manifest);
                self.status.note(Outcome::Loaded, unix_s());
                Ok(table)
            }
            Err(error) => {
                self.status.note(Outcome::Refused, unix_s());
                self.sets.switch(before.as_ref()).map_err(FirstError::Source)?;
                Err(FirstError::Load(error))
            }
        }
    }

    /// Starts the thread. It looks at once.
    pub fn start(mut self, reloader: Reloader) -> io::Result<Running> {
        let (hold, mut stop) = oneshot::channel();
        thread::Builder::new().name("source".to_owned()).spawn(move || {
            if let Some(runtime) = self.runtime.take() {
                runtime.block_on(self.go_on(&reloader, &mut stop));
                runtime.shutdown_background();
            }
        })?;
        Ok(Running(hold))
    }

    async fn go_on(mut self, reloader: &Reloader, stop: &mut oneshot::Receiver<()>) {
        let mut failures = 0_u32;
        for look in 0.. {
            let ended = tokio::select! {
                ended = self.look_and_load(reloader) => ended,
                _ = &mut *stop => return,
            };
            let is_failure = ended.as_ref().is_err_and(SourceError::is_worth_a_retry);
            failures = if is_failure { failures.saturating_add(1) } else { 0 };
            self.tell(ended);
            let wait = Duration::from_millis(pace::wait_ms(self.every_ms, failures, self.seed, look));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.asked.woken(), if failures == 0 => {}
                _ = &mut *stop => return,
            }
        }
    }

    /// Counts, and logs what is news.
    fn tell(&mut self, ended: Result<Option<u64>, SourceError>) {
        let shown = &self.shown;
        let outcome = match ended {
            Ok(Some(serial)) => {
                tracing::info!(serial, "source {shown}: serial {serial} serves");
                self.told = None;
                Outcome::Loaded
            }
            Ok(None) => {
                if self.told.take().is_some() {
                    tracing::info!("source {shown} has what serves");
                }
                Outcome::Unchanged
            }
            Err(error) => {
                let outcome = error.outcome();
                if self.told.as_ref() == Some(&error) {
                    tracing::debug!("source {shown}: as before: {error}");
                } else {
                    tracing::warn!("source {shown}: {error}");
                    self.told = Some(error);
                }
                outcome
            }
        };
        self.status.note(outcome, unix_s());
    }

    /// The serial that went into service; `None`: what is there serves already.
    async fn look_and_load(&mut self, reloader: &Reloader) -> Result<Option<u64>, SourceError> {
        let found = self.look().await;
        if matches!(found, Ok(None) | Err(SourceError::Busy(_)))
            && let Some(current) = self.sets.current()
        {
            // Another process may have moved the link.
            self.status.serves(&current.manifest);
        }
        match found? {
            Some(found) => self.load(&found, reloader).await.map(Some),
            None => Ok(None),
        }
    }

    /// Looks once; what is new is on disk then, but not in use.
    async fn look(&mut self) -> Result<Option<Found>, SourceError> {
        let keys = self.signed_by.as_deref().map(PublicKeys::read).transpose()?;
        let Some(bytes) = self.asked.manifest().await? else {
            return self.refused.clone().map_or(Ok(None), |(_, error)| Err(error));
        };
        let manifest = Manifest::read(&bytes, keys.as_ref())?;
        if let Some(current) = self.sets.current() {
            if current.manifest.hash == manifest.hash {
                self.accept(&manifest);
                return Ok(None);
            }
            is_newer(manifest.serial, current.manifest.serial)?;
        }
        if let Some((hash, error)) = &self.refused
            && *hash == manifest.hash
        {
            return Err(error.clone());
        }
        let lock = self.sets.lock()?;
        let begun = self.sets.begin(manifest, &lock)?;
        if !begun.is_there() {
            for entry in begun.files() {
                if !begun.take_over(entry)? {
                    let mut writer = begun.write(entry)?;
                    self.asked.file(entry, &mut writer).await?;
                    writer.finish()?;
                }
            }
        }
        Ok(Some(Found { set: begun.finish(&bytes)?, _lock: lock }))
    }

    async fn load(&mut self, found: &Found, reloader: &Reloader) -> Result<u64, SourceError> {
        let set = &found.set;
        let serial = set.manifest.serial;
        let before = self.sets.current();
        self.sets.switch(Some(set))?;
        let error = match reloaded(reloader).await {
            Ok(()) => {
                self.accept(&set.manifest);
                return Ok(serial);
            }
            Err(Reason::NotNow(why)) => SourceError::NotNow { serial, why },
            Err(Reason::Files(why)) => {
                let error = SourceError::Refused { serial, at: self.sets.path(set), why };
                self.refused = Some((set.manifest.hash, error.clone()));
                self.asked.settle();
                error
            }
        };
        self.sets.switch(before.as_ref())?;
        // So that whoever asks is told of the files that are there now.
        let _ = reloaded(reloader).await;
        Err(error)
    }

    fn accept(&mut self, manifest: &Manifest) {
        self.status.serves(manifest);
        self.refused = None;
        self.asked.settle();
    }

    fn run<T>(
        &mut self,
        act: impl AsyncFnOnce(&mut Self) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let Some(runtime) = self.runtime.take() else {
            return Err(SourceError::NotAManifest("the runtime is gone".to_owned()));
        };
        let ended = runtime.block_on(act(self));
        self.runtime = Some(runtime);
        ended
    }
}

/// Who repeats an old manifest, signed as it was, brings old routes back: it is not taken.
const fn is_newer(found: u64, serving: u64) -> Result<(), SourceError> {
    if found > serving {
        Ok(())
    } else if found == serving {
        Err(SourceError::SameSerial(found))
    } else {
        Err(SourceError::OldSerial { found, serving })
    }
}

/// Why a set is not in service after a reload.
enum Reason {
    /// Its files are refused, and will be again.
    Files(String),
    /// Something else is in the way.
    NotNow(String),
}

async fn reloaded(reloader: &Reloader) -> Result<(), Reason> {
    let report = reloader.request(Cause::Source).map_err(|refused| Reason::NotNow(refused.to_string()))?;
    let report = report.await.map_err(|_| Reason::NotNow("the reload thread has ended".to_owned()))?;
    if report.result != reload::Outcome::Failed {
        return Ok(());
    }
    let why = report.error.unwrap_or_default();
    Err(if report.files_at_fault { Reason::Files(why) } else { Reason::NotNow(why) })
}
