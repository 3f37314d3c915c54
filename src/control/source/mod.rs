//! Outside. Route files that come from elsewhere: many nodes, one publisher, the same answers.
//!
//! In:    a manifest with a serial, from a web server or NATS; the files that it names by their SHA-256.
//! Out:   a directory of files, moved into place by one rename. From there on it is as if somebody had
//!        put them there: the loader reads them, the reload thread puts the table into service.
//! Never: goes back to an older serial; leaves half a set; takes what fails to load for good; makes a
//!        call wait. Thread: `source`.
//!
//! ```text
//!  look ─→ manifest ─→ signature, serial, paths ─→ files that are new ─→ a whole set on disk
//!   ↑                                                                        │ the link moves
//!   └── wait ←── serial in service ←── loaded ←── reload thread ←────────────┘
//!                 the link moves back ←── refused ←──┘
//! ```

mod error;
mod hex;
pub mod keys;
pub mod manifest;
#[cfg(feature = "nats")]
mod nats;
pub mod pace;
pub mod publish;
mod run;
pub mod sets;
mod web;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

pub use error::{Outcome, SourceError};
pub use run::{Fetcher, FirstError, Running};

use super::{files, lock::lock};
use crate::{
    config::{Origin, Source},
    limits::{SOURCE_ANSWER_MS_MAX, SOURCE_BYTES_PER_S_MIN, TLS_FILE_BYTES_MAX},
};
use manifest::{Entry, Manifest};
use writer::Writer;

/// How patient the fetcher is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// For a manifest, and for the beginning of a file.
    pub answer_ms: u64,
    /// The slowest that a file may come.
    pub bytes_per_s_min: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { answer_ms: SOURCE_ANSWER_MS_MAX, bytes_per_s_min: SOURCE_BYTES_PER_S_MIN }
    }
}

impl Timing {
    /// The time that a file of this size may take.
    #[must_use]
    pub const fn file_ms(&self, bytes: u64) -> u64 {
        self.answer_ms.saturating_add(bytes.saturating_mul(1000) / self.bytes_per_s_min)
    }

    async fn bounded(
        &self,
        entry: &Entry,
        come: impl Future<Output = Result<(), SourceError>>,
    ) -> Result<(), SourceError> {
        let ms = self.file_ms(entry.bytes);
        let come = tokio::time::timeout(Duration::from_millis(ms), come).await;
        come.map_err(|_| SourceError::TooSlow { what: format!("file {}", entry.path), ms })?
    }
}

/// What the metrics say of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Of the files in service.
    pub serial: u64,
    /// When those were published, by the publisher's clock.
    pub published_unix_s: i64,
    /// When the source was last found to have what serves, in seconds since 1970; 0: not yet.
    pub success_unix_s: i64,
    /// Looks by their outcome, in the order of [`Outcome::ALL`].
    pub counts: [u64; Outcome::ALL.len()],
}

/// The numbers of a source that is read elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Status(Arc<Mutex<Numbers>>);

impl Status {
    /// As they are now.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        *self.lock()
    }

    /// Counts a look, at this time.
    pub fn note(&self, outcome: Outcome, unix_s: i64) {
        let mut numbers = self.lock();
        for (count, known) in numbers.counts.iter_mut().zip(Outcome::ALL) {
            *count = count.wrapping_add(u64::from(known == outcome));
        }
        if matches!(outcome, Outcome::Loaded | Outcome::Unchanged) {
            numbers.success_unix_s = unix_s;
        }
    }

    /// The files of this manifest are in service.
    pub fn serves(&self, manifest: &Manifest) {
        let mut numbers = self.lock();
        numbers.serial = manifest.serial;
        numbers.published_unix_s = manifest.published_unix_s;
    }

    /// A thread that panicked with the lock held left whole numbers behind.
    fn lock(&self) -> MutexGuard<'_, Numbers> {
        lock(&self.0)
    }
}

/// What is asked.
#[derive(Debug)]
enum Asked {
    Web(Box<web::Web>),
    #[cfg(feature = "nats")]
    Nats(Box<nats::Nats>),
}

impl Asked {
    fn new(source: &Source, timing: Timing) -> Self {
        match &source.origin {
            Origin::Web(url) => Self::Web(Box::new(web::Web::new(url.clone(), source, timing))),
            #[cfg(feature = "nats")]
            Origin::Nats { .. } => Self::Nats(Box::new(nats::Nats::new(source, timing))),
            // The configuration refuses it.
            #[cfg(not(feature = "nats"))]
            Origin::Nats { server, .. } => Self::Web(Box::new(web::Web::new(server.clone(), source, timing))),
        }
    }

    async fn manifest(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        match self {
            Self::Web(web) => web.manifest().await,
            #[cfg(feature = "nats")]
            Self::Nats(nats) => nats.manifest().await,
        }
    }

    async fn file(&mut self, entry: &Entry, writer: &mut Writer) -> Result<(), SourceError> {
        match self {
            Self::Web(web) => web.file(entry, writer).await,
            #[cfg(feature = "nats")]
            Self::Nats(nats) => nats.file(entry, writer).await,
        }
    }

    fn settle(&mut self) {
        match self {
            Self::Web(web) => web.settle(),
            #[cfg(feature = "nats")]
            Self::Nats(nats) => nats.settle(),
        }
    }

    /// Returns when there may be something new before the next regular look; a web server never says so.
    async fn woken(&mut self) {
        match self {
            Self::Web(_) => std::future::pending().await,
            #[cfg(feature = "nats")]
            Self::Nats(nats) => nats.woken().await,
        }
    }
}

/// A key, a token or certificates: read again whenever they are used.
fn small_file(path: &Path) -> Result<Vec<u8>, SourceError> {
    files::read(path, TLS_FILE_BYTES_MAX)
        .map_err(|error| SourceError::Local { path: path.to_path_buf(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_time_for_its_length() {
        let timing = Timing::default();
        assert_eq!(timing.file_ms(0), SOURCE_ANSWER_MS_MAX);
        assert_eq!(timing.file_ms(SOURCE_BYTES_PER_S_MIN * 60), SOURCE_ANSWER_MS_MAX + 60_000);
        assert!(timing.file_ms(u64::MAX) > u64::MAX / 1000 / SOURCE_BYTES_PER_S_MIN);
    }

    #[test]
    fn looks_are_counted_by_their_outcome() {
        let status = Status::default();
        for (unix_s, outcome) in (1..).zip(Outcome::ALL) {
            status.note(outcome, unix_s);
        }
        status.note(Outcome::Refused, 99);
        assert_eq!(status.numbers().counts, [1, 1, 1, 1, 1, 1, 1, 1, 2, 1]);
        assert_eq!(status.numbers().success_unix_s, 2, "loaded and unchanged are successes");
    }
}
