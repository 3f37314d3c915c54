//! Outside. Probes the gateways of the table in service, each in its own time.
//!
//! In:    the table, again with each reload.
//! Out:   what came of each probe, to [`Gateways`].
//! Never: more than [`PROBES_UNDER_WAY_MAX`] at one time, or two of one gateway; touches a loop.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};

use super::{Asking, Gateways, Heard};
use crate::{
    health::{first_probe_ms, pause_ms},
    limits::PROBES_UNDER_WAY_MAX,
    route::Health,
};

/// Probes until it is dropped.
#[derive(Debug)]
pub struct Prober {
    gateways: Gateways,
    asking: Arc<Asking>,
    seed: u64,
    plans: HashMap<Box<str>, Plan>,
    /// Those to come, the next one first. One whose plan is another by now is passed over.
    due: BinaryHeap<Reverse<(Instant, Box<str>, u64)>>,
    under_way: JoinSet<Ended>,
    /// Of the next plan.
    id: u64,
}

/// How one gateway is probed.
#[derive(Debug)]
struct Plan {
    id: u64,
    health: Arc<Health>,
    /// Of the probe to come, from 1.
    nth: u64,
}

/// A probe that has ended.
#[derive(Debug)]
struct Ended {
    name: Box<str>,
    id: u64,
    began: Instant,
    health: Arc<Health>,
    heard: Heard,
}

impl Prober {
    /// `seed` is of this server alone, so that those of a fleet do not probe in step.
    #[must_use]
    pub fn new(gateways: Gateways, asking: Asking, seed: u64) -> Self {
        Self {
            gateways,
            asking: Arc::new(asking),
            seed,
            plans: HashMap::new(),
            due: BinaryHeap::new(),
            under_way: JoinSet::new(),
            id: 0,
        }
    }

    /// Probes for ever. `loaded` tells of each new table.
    pub async fn run(mut self, loaded: Arc<Notify>) {
        self.follow();
        loop {
            let next = self.due.peek().map(|Reverse((at, ..))| *at);
            let may_start = next.is_some() && self.under_way.len() < PROBES_UNDER_WAY_MAX;
            tokio::select! {
                () = loaded.notified() => self.follow(),
                Some(ended) = self.under_way.join_next(), if !self.under_way.is_empty() => self.ended(ended),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if may_start => self.start(),
            }
        }
    }

    /// Gateways that are probed as before go on as before.
    fn follow(&mut self) {
        self.gateways.follow();
        let mut before = std::mem::take(&mut self.plans);
        for (name, health) in self.gateways.probed() {
            let plan = match before.remove(&name) {
                Some(plan) if *plan.health == health => plan,
                _ => self.new_plan(&name, health),
            };
            self.plans.insert(name, plan);
        }
        let plans = &self.plans;
        self.due.retain(|Reverse((_, name, id))| plans.get(name).is_some_and(|plan| plan.id == *id));
    }

    fn new_plan(&mut self, name: &str, health: Health) -> Plan {
        self.id = self.id.wrapping_add(1);
        let first = Duration::from_millis(first_probe_ms(self.seed, name, &health));
        self.due.push(Reverse((Instant::now() + first, name.into(), self.id)));
        Plan { id: self.id, health: Arc::new(health), nth: 1 }
    }

    fn start(&mut self) {
        let Some(Reverse((_, name, id))) = self.due.pop() else { return };
        let Some(plan) = self.plans.get(&name).filter(|plan| plan.id == id) else { return };
        let (asking, health, began) = (Arc::clone(&self.asking), Arc::clone(&plan.health), Instant::now());
        self.under_way.spawn(async move {
            let heard = asking.probe(&health).await;
            Ended { name, id, began, health, heard }
        });
    }

    fn ended(&mut self, ended: Result<Ended, JoinError>) {
        let Ended { name, id, began, health, heard } = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // Nobody says whose it was: all begin anew.
                tracing::error!(%error, "a probe ended by a fault of its own: a bug, please report it");
                self.plans.clear();
                return self.follow();
            }
        };
        let Some(plan) = self.plans.get_mut(&name).filter(|plan| plan.id == id) else { return };
        self.gateways.probe_ended(&name, &health, heard);
        let pause = Duration::from_millis(pause_ms(self.seed, &name, plan.nth, &plan.health));
        plan.nth = plan.nth.wrapping_add(1);
        self.due.push(Reverse((began + pause, name, id)));
    }
}
