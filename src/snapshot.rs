//! Deterministic. One immutable route table in service, with its generation, hash and hit counters.
//!
//! In:    a table, and the snapshot it follows.
//! Out:   the snapshot that the loop borrows.
//! Never: changes, but for the counters.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::route::{RouteId, RouteTable};

/// What the loop borrows once per turn.
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
    /// Answers by route, in the order of `table.routes`. A route that keeps its name over a reload
    /// keeps its counter.
    pub hits: Vec<Arc<AtomicU64>>,
}

impl Snapshot {
    /// Puts a table into service after `previous`. Routes of one name share one counter: they are
    /// one line in the metrics.
    #[must_use]
    pub fn new(table: RouteTable, hash: String, loaded_unix_s: i64, previous: Option<&Self>) -> Self {
        let mut by_name: HashMap<&str, Arc<AtomicU64>> = HashMap::new();
        for (name, hits) in previous.into_iter().flat_map(Self::hits_by_name) {
            by_name.insert(name, Arc::clone(hits));
        }
        let hits =
            table.routes.iter().map(|route| Arc::clone(by_name.entry(&route.name).or_default())).collect();
        let generation = previous.map_or(0, |previous| previous.generation).wrapping_add(1);
        Self { table, generation, hash, loaded_unix_s, hits }
    }

    /// A route answered.
    pub fn hit(&self, route: RouteId) {
        if let Some(hits) = self.hits.get(route) {
            hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counters with the name of their route, in the order of the table.
    pub fn hits_by_name(&self) -> impl Iterator<Item = (&str, &Arc<AtomicU64>)> {
        self.table.routes.iter().map(|route| &*route.name).zip(&self.hits)
    }
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
        snapshot.hits_by_name().map(|(name, hits)| (name, hits.load(Ordering::Relaxed))).collect()
    }

    #[test]
    fn a_route_keeps_its_counter_by_its_name() {
        let first = Snapshot::new(table(&["a", "b", "c"]), "1".into(), 10, None);
        first.hit(0);
        first.hit(1);
        first.hit(1);
        let second = Snapshot::new(table(&["new", "b", "a"]), "2".into(), 20, Some(&first));
        assert_eq!(counts(&second), [("new", 0), ("b", 2), ("a", 1)]);
        assert_eq!((first.generation, second.generation), (1, 2));
        assert_eq!((&*second.hash, second.loaded_unix_s), ("2", 20));

        // The loop may still hold the old one for a turn: what it counts is not lost.
        first.hit(0);
        assert_eq!(counts(&second)[2], ("a", 2));
    }

    #[test]
    fn routes_of_one_name_share_one_counter() {
        let first = Snapshot::new(table(&["a", "a"]), String::new(), 0, None);
        first.hit(0);
        first.hit(1);
        assert_eq!(counts(&first), [("a", 2), ("a", 2)]);
    }

    #[test]
    fn a_route_that_is_not_there_is_no_hit() {
        let snapshot = Snapshot::new(table(&["a"]), String::new(), 0, None);
        snapshot.hit(1);
        assert_eq!(counts(&snapshot), [("a", 0)]);
    }
}
