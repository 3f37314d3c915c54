//! Outside. What the resolver counts for the metrics.
//!
//! In:    how long each question took, by apex.
//! Out:   a histogram for each of [`DNS_APEX_LABELS_MAX`] apexes and one for the rest.
//! Never: holds a name that was asked for.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use crate::{dns::Standing, limits::DNS_APEX_LABELS_MAX};

/// Upper bounds of the histograms, in microseconds: from a server on this machine to the end of a
/// question's time.
pub const QUESTION_BOUNDS_US: [u64; 10] =
    [500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 350_000];

/// The label of questions to the servers of the configuration.
const DEFAULT_APEX: &str = "default";
/// The label of apexes beyond the limit.
const OTHER_APEXES: &str = "other";

/// The resolver's numbers, now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Servers asked although the one before them had not failed.
    pub hedges: u64,
    /// How long questions took, by apex.
    pub apexes: Vec<(Box<str>, QuestionTimes)>,
    /// What is known of the servers.
    pub servers: Vec<(SocketAddr, Standing)>,
}

/// How long questions took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuestionTimes {
    /// Of those up to each of [`QUESTION_BOUNDS_US`], how many.
    pub at_most: [u64; QUESTION_BOUNDS_US.len()],
    /// How many in all.
    pub count: u64,
    /// All their times together, in microseconds.
    pub sum_us: u64,
}

#[derive(Debug)]
pub(super) struct Times {
    by_apex: BTreeMap<Box<str>, QuestionTimes>,
}

impl Default for Times {
    /// With zeros of those that are always there.
    fn default() -> Self {
        Self { by_apex: [(DEFAULT_APEX.into(), QuestionTimes::default())].into() }
    }
}

impl Times {
    pub(super) fn add(&mut self, label: &str, took: Duration) {
        let label = if label.is_empty() { DEFAULT_APEX } else { label };
        if let Some(times) = self.by_apex.get_mut(label) {
            return times.add(took);
        }
        let has_room = self.by_apex.len() < DNS_APEX_LABELS_MAX;
        let label = if has_room { label } else { OTHER_APEXES };
        self.by_apex.entry(label.into()).or_default().add(took);
    }

    pub(super) fn all(&self) -> Vec<(Box<str>, QuestionTimes)> {
        self.by_apex.iter().map(|(label, times)| (label.clone(), *times)).collect()
    }
}

impl QuestionTimes {
    fn add(&mut self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for (at_most, bound_us) in self.at_most.iter_mut().zip(QUESTION_BOUNDS_US) {
            *at_most = at_most.saturating_add(u64::from(took_us <= bound_us));
        }
        self.count = self.count.saturating_add(1);
        self.sum_us = self.sum_us.saturating_add(took_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_all_buckets_from_its_own_on() {
        let mut times = Times::default();
        for took_us in [400, 500, 501, 350_001] {
            times.add("", Duration::from_micros(took_us));
        }
        let mut at_most = [3; QUESTION_BOUNDS_US.len()];
        at_most[0] = 2;
        assert_eq!(times.all(), [("default".into(), QuestionTimes { at_most, count: 4, sum_us: 351_402 })]);
    }

    #[test]
    fn apexes_beyond_the_limit_are_one() {
        let mut times = Times::default();
        for nth in (0..DNS_APEX_LABELS_MAX + 2).chain(0..1) {
            times.add(&format!("apex{nth}"), Duration::ZERO);
        }
        let all = times.all();
        assert_eq!(all.len(), DNS_APEX_LABELS_MAX + 1);
        let count =
            |label: &str| all.iter().find(|(known, _)| **known == *label).map(|(_, times)| times.count);
        assert_eq!(
            [count("apex0"), count("other"), count("apex62"), count("apex63")],
            [Some(2), Some(3), Some(1), None]
        );
    }
}
