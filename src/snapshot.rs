//! Deterministic. One immutable route table in service, with its generation, hash and hit counters.
//!
//! In:    a table, and the snapshot it follows.
//! Out:   the snapshot that the loops borrow.
//! Never: changes, but for the counters.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    access::AccessId,
    marks::Marks,
    route::{RouteId, RouteTable},
};

/// What a loop borrows once per turn.
#[derive(Debug)]
pub struct Snapshot {
    /// The routes.
    pub table: RouteTable,
    /// From 1; grows by one with every table that differs from the one before.
    pub generation: u64,
    /// SHA-256 of all files read, in hexadecimal.
    pub hash: String,
    /// When it was loaded, in seconds since 1970.
    pub loaded_unix_s: i64,
    /// Which of its gateways are down.
    pub marks: Marks,
    /// By worker, so that each counter has one writer.
    hits: Vec<Hits>,
    /// Messages by access list, by worker.
    decided_on: Vec<Hits>,
}

/// Answers by route, in the order of the table's routes, of one worker. Routes of one name share one
/// counter: they are one line in the metrics.
type Hits = Vec<Arc<AtomicU64>>;

impl Snapshot {
    /// Puts a table into service after `previous`, for as many workers; for one, when it is the first. A
    /// route that keeps its name keeps its counters, a gateway its mark.
    #[must_use]
    pub fn new(table: RouteTable, hash: String, loaded_unix_s: i64, previous: Option<&Self>) -> Self {
        let Some(previous) = previous else { return Self::first(table, hash, loaded_unix_s, 1) };
        let hits = previous.hits.iter().map(|hits| {
            counters(names(&table), names(&previous.table).zip(hits.iter().map(Arc::clone)).collect())
        });
        let decided_on = previous.decided_on.iter().map(|hits| {
            let before = previous.table.access.names().zip(hits.iter().map(Arc::clone));
            counters(table.access.names(), before.collect())
        });
        let (hits, decided_on) = (hits.collect(), decided_on.collect());
        let generation = previous.generation.wrapping_add(1);
        let marks = previous.marks.carried_over(&previous.table, &table);
        Self { table, generation, hash, loaded_unix_s, marks, hits, decided_on }
    }

    /// Puts the first table into service, for this many workers.
    #[must_use]
    pub fn first(table: RouteTable, hash: String, loaded_unix_s: i64, workers: usize) -> Self {
        // One worker's after the other's: those of two are not mixed in one cache line.
        let hits = (0..workers).map(|_| counters(names(&table), HashMap::new())).collect();
        let decided_on = (0..workers).map(|_| counters(table.access.names(), HashMap::new())).collect();
        let marks = Marks::all_up(&table);
        Self { table, generation: 1, hash, loaded_unix_s, marks, hits, decided_on }
    }

    /// A route answered, by this worker's hand.
    pub fn hit(&self, worker: usize, route: RouteId) {
        add_one(&self.hits, worker, route);
    }

    /// An access list decided on a message, by this worker's hand.
    pub fn decided_on(&self, worker: usize, list: AccessId) {
        add_one(&self.decided_on, worker, list);
    }

    /// Messages of all workers with the name of the access list that decided on them.
    pub fn decided_on_by_name(&self) -> impl Iterator<Item = (&str, u64)> {
        self.table.access.names().enumerate().map(|(id, name)| (name, sum(&self.decided_on, id)))
    }

    /// Answers of all workers with the name of their route, in the order of the table.
    pub fn hits_by_name(&self) -> impl Iterator<Item = (&str, u64)> {
        names(&self.table).enumerate().map(|(route, name)| (name, sum(&self.hits, route)))
    }
}

fn add_one(by_worker: &[Hits], worker: usize, index: usize) {
    if let Some(count) = by_worker.get(worker).and_then(|counts| counts.get(index)) {
        // One writer: no locked addition is needed.
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

fn sum(by_worker: &[Hits], index: usize) -> u64 {
    let of = |counts: &Hits| counts.get(index).map_or(0, |count| count.load(Ordering::Relaxed));
    by_worker.iter().map(of).fold(0, u64::wrapping_add)
}

fn names(table: &RouteTable) -> impl Iterator<Item = &str> {
    table.routes.iter().map(|route| &*route.name)
}

/// The counters of one worker for these names: those there are, others new.
fn counters<'a>(names: impl Iterator<Item = &'a str>, mut there: HashMap<&'a str, Arc<AtomicU64>>) -> Hits {
    names.map(|name| Arc::clone(there.entry(name).or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{AccessLists, AccessPolicy, ListSpec, Unknown},
        route::{Place, Route, Then},
    };

    fn table(names: &[&str]) -> RouteTable {
        let route = |name: &&str| Route {
            name: (*name).into(),
            place: Place::default(),
            when: Vec::new(),
            set: Vec::new(),
            then: Then::Next,
        };
        RouteTable { routes: names.iter().map(route).collect(), ..RouteTable::default() }
    }

    fn counts(snapshot: &Snapshot) -> Vec<(&str, u64)> {
        snapshot.hits_by_name().collect()
    }

    #[test]
    fn a_route_keeps_its_counter_by_its_name() {
        let first = Snapshot::new(table(&["a", "b", "c"]), "1".into(), 10, None);
        first.hit(0, 0);
        first.hit(0, 1);
        first.hit(0, 1);
        let second = Snapshot::new(table(&["new", "b", "a"]), "2".into(), 20, Some(&first));
        assert_eq!(counts(&second), [("new", 0), ("b", 2), ("a", 1)]);
        assert_eq!((first.generation, second.generation), (1, 2));
        assert_eq!((&*second.hash, second.loaded_unix_s), ("2", 20));

        // The loop may still hold the old one for a turn: what it counts is not lost.
        first.hit(0, 0);
        assert_eq!(counts(&second)[2], ("a", 2));
    }

    #[test]
    fn workers_count_apart_and_are_read_together() {
        let first = Snapshot::first(table(&["a", "b"]), String::new(), 0, 2);
        first.hit(0, 0);
        first.hit(1, 0);
        first.hit(1, 1);
        first.hit(2, 1);
        assert_eq!(counts(&first), [("a", 2), ("b", 1)], "there is no third worker");
        let second = Snapshot::new(table(&["b", "a"]), String::new(), 0, Some(&first));
        // One of them has seen the new table, the other has not yet.
        first.hit(0, 0);
        second.hit(1, 1);
        assert_eq!(counts(&second), [("b", 1), ("a", 4)]);
    }

    #[test]
    fn routes_of_one_name_share_one_counter() {
        let first = Snapshot::new(table(&["a", "a"]), String::new(), 0, None);
        first.hit(0, 0);
        first.hit(0, 1);
        assert_eq!(counts(&first), [("a", 2), ("a", 2)]);
    }

    #[test]
    fn an_access_list_keeps_its_counter_by_its_name() {
        let of = |names: &[&str]| {
            let spec = |name: &&str| ListSpec {
                name: (*name).into(),
                networks: Vec::new(),
                listeners: Vec::new(),
                policy: AccessPolicy::Answer,
                realm: None,
            };
            let access = AccessLists::new(names.iter().map(spec).collect(), Unknown::default());
            RouteTable { access, ..RouteTable::default() }
        };
        let first = Snapshot::first(of(&["a", "b"]), String::new(), 0, 2);
        for (worker, list) in [(0, 0), (1, 1), (1, 1), (0, 2), (0, 3), (2, 0)] {
            first.decided_on(worker, list);
        }
        let counts = |snapshot: &Snapshot| -> Vec<(String, u64)> {
            snapshot.decided_on_by_name().map(|(name, count)| (name.to_owned(), count)).collect()
        };
        let expected =
            |all: &[(&str, u64)]| all.iter().map(|&(it, count)| (it.to_owned(), count)).collect::<Vec<_>>();
        assert_eq!(counts(&first), expected(&[("a", 1), ("b", 2), ("unknown", 1)]));
        let second = Snapshot::new(of(&["b", "c"]), String::new(), 0, Some(&first));
        assert_eq!(counts(&second), expected(&[("b", 2), ("c", 0), ("unknown", 1)]));
        let none = Snapshot::new(of(&[]), String::new(), 0, Some(&second));
        assert_eq!(counts(&none), expected(&[]));
    }

    #[test]
    fn a_route_that_is_not_there_is_no_hit() {
        let snapshot = Snapshot::new(table(&["a"]), String::new(), 0, None);
        snapshot.hit(0, 1);
        assert_eq!(counts(&snapshot), [("a", 0)]);
    }
}
