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
        let names = || previous.table.routes.iter().map(|route| &*route.name);
        let follow = |hits: &Hits| counters(&table, names().zip(hits.iter().map(Arc::clone)).collect());
        let hits = previous.hits.iter().map(follow).collect();
        let generation = previous.generation.wrapping_add(1);
        let marks = previous.marks.carried_over(&previous.table, &table);
        Self { table, generation, hash, loaded_unix_s, marks, hits }
    }

    /// Puts the first table into service, for this many workers.
    #[must_use]
    pub fn first(table: RouteTable, hash: String, loaded_unix_s: i64, workers: usize) -> Self {
        // One worker's after the other's: those of two are not mixed in one cache line.
        let hits = (0..workers).map(|_| counters(&table, HashMap::new())).collect();
        let marks = Marks::all_up(&table);
        Self { table, generation: 1, hash, loaded_unix_s, marks, hits }
    }

    /// A route answered, by this worker's hand.
    pub fn hit(&self, worker: usize, route: RouteId) {
        if let Some(hits) = self.hits.get(worker).and_then(|hits| hits.get(route)) {
            // One writer: no locked addition is needed.
            hits.store(hits.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Answers of all workers with the name of their route, in the order of the table.
    pub fn hits_by_name(&self) -> impl Iterator<Item = (&str, u64)> {
        let count = |hits: &Arc<AtomicU64>| hits.load(Ordering::Relaxed);
        let sum = move |route| {
            self.hits.iter().filter_map(|hits| hits.get(route).map(count)).fold(0, u64::wrapping_add)
        };
        self.table.routes.iter().enumerate().map(move |(index, route)| (&*route.name, sum(index)))
    }
}

/// The counters of one worker for this table: those there are by their names, others new.
fn counters<'a>(table: &'a RouteTable, mut by_name: HashMap<&'a str, Arc<AtomicU64>>) -> Hits {
    table.routes.iter().map(|route| Arc::clone(by_name.entry(&route.name).or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Place, Route, Then};

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
    fn a_route_that_is_not_there_is_no_hit() {
        let snapshot = Snapshot::new(table(&["a"]), String::new(), 0, None);
        snapshot.hit(0, 1);
        assert_eq!(counts(&snapshot), [("a", 0)]);
    }
}
