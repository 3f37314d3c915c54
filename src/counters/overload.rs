//! Deterministic. What was refused so that the rest was answered, as the engine last said.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{add_each, zeros};
use crate::overload::{Reason, Tallies};

#[derive(Debug)]
pub(super) struct OverloadCounters {
    refused: [AtomicU64; Reason::ALL.len()],
    /// `oc`, and the age of the queue: of several loops the greatest.
    levels: [AtomicU64; 2],
}

impl Default for OverloadCounters {
    fn default() -> Self {
        Self { refused: zeros(), levels: zeros() }
    }
}

impl OverloadCounters {
    pub(super) fn set(&self, tallies: Tallies) {
        self.refused.iter().zip(tallies.refused).for_each(|(place, count)| place.store(count, Relaxed));
        let levels = [tallies.loss_percent, tallies.age_ms];
        self.levels.iter().zip(levels).for_each(|(place, level)| place.store(level, Relaxed));
    }

    pub(super) fn add_all(&self, other: &Self) {
        let Self { refused, levels } = other;
        add_each(&self.refused, refused);
        for (place, level) in self.levels.iter().zip(levels) {
            place.store(place.load(Relaxed).max(level.load(Relaxed)), Relaxed);
        }
    }

    pub(super) fn tallies(&self) -> Tallies {
        let [loss_percent, age_ms] = self.levels.each_ref().map(|level| level.load(Relaxed));
        Tallies { refused: self.refused.each_ref().map(|count| count.load(Relaxed)), loss_percent, age_ms }
    }
}
