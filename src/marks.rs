//! Deterministic. Which gateways of a table are down, shared by all loops.
//!
//! In:    a gateway of the table, and whether it is down, from the control side.
//! Out:   all of them as one [`Down`], for the decisions of a turn.
//! Never: locks, or changes under a decision: what a loop reads is its own copy.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::route::{Down, Gateway, GatewayId, RouteTable};

/// One bit for each gateway of one table.
#[derive(Debug, Default)]
pub struct Marks {
    words: Box<[AtomicU64]>,
    /// Grows with each change.
    version: AtomicU64,
}

impl Marks {
    /// No gateway of the table is down.
    #[must_use]
    pub fn all_up(table: &RouteTable) -> Self {
        let words = (0..table.gateways.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { words, version: AtomicU64::new(0) }
    }

    /// The marks of a table that follows: gateways keep theirs by their names.
    #[must_use]
    pub fn carried_over(&self, from: &RouteTable, to: &RouteTable) -> Self {
        let is_down = |(id, _): &(GatewayId, &Gateway)| self.is_down(*id);
        let down = from.gateways.iter().enumerate().filter(is_down);
        let names: HashSet<&str> = down.map(|(_, gateway)| &*gateway.name).collect();
        let marks = Self::all_up(to);
        if !names.is_empty() {
            let kept = to.gateways.iter().enumerate().filter(|(_, gateway)| names.contains(&*gateway.name));
            for (id, _) in kept {
                marks.set(id, true);
            }
        }
        marks
    }

    /// Marks a gateway; whether that changes anything.
    pub fn set(&self, gateway: GatewayId, is_down: bool) -> bool {
        let Some(word) = self.words.get(gateway / 64) else { return false };
        let bit = 1 << (gateway % 64);
        let before = if is_down {
            word.fetch_or(bit, Ordering::Relaxed)
        } else {
            word.fetch_and(!bit, Ordering::Relaxed)
        };
        let changes = (before & bit != 0) != is_down;
        if changes {
            // After the word: whoever reads this version reads that.
            self.version.fetch_add(1, Ordering::Release);
        }
        changes
    }

    /// Whether a gateway is down.
    #[must_use]
    pub fn is_down(&self, gateway: GatewayId) -> bool {
        self.words
            .get(gateway / 64)
            .is_some_and(|word| word.load(Ordering::Relaxed) >> (gateway % 64) & 1 == 1)
    }

    /// Tells states apart. Read before [`Marks::copy_to`]: a change between the two is copied again.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Copies them.
    pub fn copy_to(&self, down: &mut Down) {
        down.copy(self.words.iter().map(|word| word.load(Ordering::Relaxed)));
    }

    /// A copy of them.
    #[must_use]
    pub fn down(&self) -> Down {
        let mut down = Down::default();
        self.copy_to(&mut down);
        down
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::file::{Source, parse};

    fn table(names: &[&str]) -> RouteTable {
        let gateways: String = names.iter().map(|name| format!("  {name}: sip:a.example\n")).collect();
        let text = format!("gateways:\n{gateways}routes: [ {{ answer: 404 }} ]\n");
        let source = Source { path: "a.yaml".to_owned(), bytes: text.into_bytes() };
        parse(&[source]).unwrap().build_from(&|_| Ok(Vec::new())).unwrap().0
    }

    #[test]
    fn a_gateway_keeps_its_mark_by_its_name() {
        let (old, new) = (table(&["a", "b", "c"]), table(&["c", "d", "a"]));
        let marks = Marks::all_up(&old);
        assert!(marks.set(0, true) && marks.set(1, true));
        let next = marks.carried_over(&old, &new);
        assert_eq!(next.down(), Down::of([2]));
        assert_eq!(Marks::all_up(&new).carried_over(&new, &old).down(), Down::default());
    }

    #[test]
    fn only_a_change_is_a_new_version() {
        let marks = Marks::all_up(&table(&["a"]));
        let said =
            [(0, true), (0, true), (0, false), (0, false), (64, true)].map(|(id, down)| marks.set(id, down));
        assert_eq!(said, [true, false, true, false, false], "there is no gateway 64");
        assert_eq!((marks.version(), marks.down().is_empty()), (2, true));
    }

    #[test]
    fn a_copy_with_room_takes_no_memory_and_forgets_what_was_there() {
        let names: Vec<String> = (0..200).map(|number| format!("g{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let marks = Marks::all_up(&table(&names));
        let mut down = Down::with_room();
        for gateway in [199, 3] {
            marks.set(gateway, true);
            marks.copy_to(&mut down);
            assert_eq!(down, Down::of([199, gateway]));
        }
        marks.set(199, false);
        marks.copy_to(&mut down);
        assert_eq!(down, Down::of([3]));
    }
}
