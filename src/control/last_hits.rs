//! Outside. When each route last answered.
//!
//! In:    the hit counters of the table in service, once a second.
//! Out:   the second of the last look that found a counter higher.
//! Never: costs a loop anything; holds a table.

use std::collections::HashMap;

use crate::snapshot::Snapshot;

/// Of one table: by route, in its order.
#[derive(Debug, Default)]
pub struct LastHits {
    generation: u64,
    routes: Vec<Hits>,
}

#[derive(Clone, Debug)]
struct Hits {
    name: Box<str>,
    count: u64,
    last_unix_s: Option<i64>,
}

impl LastHits {
    /// Looks which counters have moved.
    pub fn note(&mut self, snapshot: &Snapshot, unix_s: i64) {
        if self.generation != snapshot.generation {
            self.follow(snapshot);
        }
        for (hits, (_, count)) in self.routes.iter_mut().zip(snapshot.hits_by_name()) {
            if hits.count != count {
                (hits.count, hits.last_unix_s) = (count, Some(unix_s));
            }
        }
    }

    /// When each route of this table last answered; nothing while it was not looked at yet.
    pub fn of(&self, snapshot: &Snapshot) -> impl Fn(usize) -> Option<i64> {
        let is_of_it = self.generation == snapshot.generation;
        move |route| self.routes.get(route).filter(|_| is_of_it)?.last_unix_s
    }

    /// A route that keeps its name keeps its counter, and the time of its last hit.
    fn follow(&mut self, snapshot: &Snapshot) {
        let old: HashMap<Box<str>, Hits> =
            std::mem::take(&mut self.routes).into_iter().map(|hits| (hits.name.clone(), hits)).collect();
        let new = |(name, _): (&str, u64)| {
            old.get(name).cloned().unwrap_or_else(|| Hits { name: name.into(), count: 0, last_unix_s: None })
        };
        self.routes = snapshot.hits_by_name().map(new).collect();
        self.generation = snapshot.generation;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Place, Route, RouteTable, Then};

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

    fn seen<const N: usize>(last: &LastHits, snapshot: &Snapshot) -> [Option<i64>; N] {
        std::array::from_fn(last.of(snapshot))
    }

    #[test]
    fn the_last_hit_is_that_of_the_look_that_saw_it() {
        let snapshot = Snapshot::first(table(&["a", "b", "c"]), String::new(), 0, 2);
        let mut last = LastHits::default();
        snapshot.hit(0, 2);
        last.note(&snapshot, 10);
        assert_eq!(seen(&last, &snapshot), [None, None, Some(10)], "hit before the first look");
        snapshot.hit(1, 0);
        last.note(&snapshot, 11);
        last.note(&snapshot, 12);
        assert_eq!(seen(&last, &snapshot), [Some(11), None, Some(10)]);
    }

    #[test]
    fn a_route_keeps_its_time_by_its_name() {
        let first = Snapshot::first(table(&["a", "b"]), String::new(), 0, 1);
        let mut last = LastHits::default();
        first.hit(0, 0);
        first.hit(0, 1);
        last.note(&first, 10);
        let second = Snapshot::new(table(&["new", "b"]), String::new(), 0, Some(&first));
        assert_eq!(seen(&last, &second), [None, None], "not looked at yet");
        last.note(&second, 11);
        assert_eq!(seen(&last, &second), [None, Some(10)]);
        assert_eq!(seen(&last, &first), [None, None], "out of service");
    }
}
