//! Outside. Looks at the counters once a second, and remembers.
//!
//! In:    the counters of the loops, the table in service.
//! Out:   rates, and when each route last answered.
//! Never: makes a loop wait; holds the control thread up: a hundred thousand counters are read beside it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::time::MissedTickBehavior;

use super::{last_hits::LastHits, lock::lock, rates::Rates, reload::unix_s};
use crate::{counters::Counters, snapshot::Snapshot};

/// What is looked at, and what was seen.
#[derive(Debug)]
pub struct Sampling {
    /// By worker.
    counters: Vec<Arc<Counters>>,
    table: Arc<ArcSwap<Snapshot>>,
    began: Instant,
    rates: Mutex<Rates>,
    hits: Mutex<LastHits>,
}

impl Sampling {
    /// Of a server.
    #[must_use]
    pub fn of(counters: Vec<Arc<Counters>>, table: Arc<ArcSwap<Snapshot>>) -> Self {
        Self { counters, table, began: Instant::now(), rates: Mutex::default(), hits: Mutex::default() }
    }

    /// Looks once a second, for ever. Inside a tokio runtime.
    pub async fn run(self: Arc<Self>) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        // One second, whatever held the last one up.
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            seconds.tick().await;
            let this = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || this.look()).await {
                tracing::error!("a look at the counters failed: {error}; please report it");
            }
        }
    }

    /// The counters of all loops.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::sum(self.counters.iter().map(|counters| &**counters))
    }

    /// What there was to do.
    pub fn rates(&self) -> MutexGuard<'_, Rates> {
        lock(&self.rates)
    }

    /// When routes last answered.
    pub fn hits(&self) -> MutexGuard<'_, LastHits> {
        lock(&self.hits)
    }

    fn look(&self) {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.rates().note(&self.counters(), now_ms, unix_s());
        self.hits().note(&self.table.load(), unix_s());
    }
}
