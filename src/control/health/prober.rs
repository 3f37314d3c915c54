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
            let may_start = next.is_some() && self.has_room();
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

    fn has_room(&self) -> bool {
        self.under_way.len() < PROBES_UNDER_WAY_MAX
    }

    fn start(&mut self) {
        if !self.has_room() {
            return;
        }
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

#[cfg(test)]
mod tests {
    use arc_swap::ArcSwap;

    use super::*;
    use crate::{
        control::{health::client_config, resolver::Resolver},
        decide::Settings,
        route::{
            RouteTable,
            file::{Source, parse},
        },
        snapshot::Snapshot,
    };

    fn table(gateways: &str) -> RouteTable {
        let text = format!("gateways:\n{gateways}routes: [ {{ answer: 404 }} ]\n");
        let source = Source { path: "a.yaml".to_owned(), bytes: text.into_bytes() };
        parse(&[source]).unwrap().build_from(&|_| Ok(Vec::new())).unwrap().0
    }

    fn probed(count: usize, uri: &str) -> String {
        (0..count).map(|nth| format!("  g{nth}: {{ uri: '{uri}', health: true }}\n")).collect()
    }

    fn prober(gateways: &str) -> (Prober, Arc<ArcSwap<Snapshot>>) {
        let snapshot = Snapshot::first(table(gateways), String::new(), 0, 1);
        let table = Arc::new(ArcSwap::from_pointee(snapshot));
        let tls = Arc::new(ArcSwap::from_pointee(client_config(None).unwrap()));
        let resolver = Resolver::new(vec![([127, 0, 0, 1], 53).into()]);
        let asking = Asking::new(resolver, Settings::default(), tls);
        (Prober::new(Gateways::new(Arc::clone(&table)), asking, 1), table)
    }

    fn replace(table: &ArcSwap<Snapshot>, gateways: &str) {
        let next = Snapshot::new(self::table(gateways), String::new(), 0, Some(&table.load()));
        table.store(Arc::new(next));
    }

    #[tokio::test]
    async fn no_more_probes_are_under_way_than_may() {
        // Nobody is asked: a task of this runtime runs when the test waits, which it does not.
        let (mut prober, _table) = prober(&probed(PROBES_UNDER_WAY_MAX + 5, "sip:127.0.0.1:9"));
        prober.follow();
        for _ in 0..PROBES_UNDER_WAY_MAX + 5 {
            prober.start();
        }
        assert_eq!((prober.under_way.len(), prober.due.len()), (PROBES_UNDER_WAY_MAX, 5));
    }

    #[tokio::test]
    async fn a_reload_leaves_probes_of_what_stays_in_their_time() {
        let (mut prober, table) = prober(&probed(2, "sip:127.0.0.1:9"));
        prober.follow();
        let ids = |prober: &Prober| ["g0", "g1", "g2"].map(|name| prober.plans.get(name).map(|plan| plan.id));
        let [g0, g1, _] = ids(&prober);
        prober.start();
        let running = 1;

        replace(&table, &probed(3, "sip:127.0.0.1:9"));
        prober.follow();
        let [same_g0, same_g1, g2] = ids(&prober);
        assert_eq!((same_g0, same_g1, g2.is_some()), (g0, g1, true));
        assert_eq!(prober.due.len() + running, 3, "each has one probe to come");

        replace(&table, &probed(1, "sip:127.0.0.1:10"));
        prober.follow();
        let [elsewhere, ..] = ids(&prober);
        assert!(elsewhere.is_some() && elsewhere != g0);
        assert_eq!(prober.due.len(), 1, "what was planned for the old places is gone");
        let ended = prober.under_way.join_next().await.unwrap();
        prober.ended(ended);
        assert_eq!(prober.due.len(), 1, "nor does a probe that has ended bring it back");
    }
}
