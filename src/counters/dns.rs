//! Deterministic. What is counted about DNS: answers by type and result, and what the engine says of
//! those who waited for them.
//!
//! In:    each answer; the engine's own numbers, at the end of a turn.
//! Out:   sums and levels, with the label that each has.
//! Never: holds a name that was asked for.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{add, add_each, zeros};
use crate::{
    dns::{Answer, CacheTallies, Failure, Kind, Nothing},
    engine::Tallies,
};

/// The engine's numbers as they stood at the end of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// What happened since the start.
    pub tallies: Tallies,
    /// What the cache was asked for since the start.
    pub cache: CacheTallies,
    /// Datagrams that wait now.
    pub waiting: u64,
    /// Questions that somebody waits for now.
    pub questions: u64,
    /// Answers in the cache.
    pub cache_entries: u64,
    /// Memory that they take, in bytes.
    pub cache_bytes: u64,
}

/// Record types in the order of the metrics, with their label.
const TYPES: [(Kind, &str); 4] =
    [(Kind::Naptr, "NAPTR"), (Kind::Srv, "SRV"), (Kind::A, "A"), (Kind::Aaaa, "AAAA")];
/// Labels of [`result_of`], by its index.
const RESULTS: [&str; 9] =
    ["found", "nxdomain", "nodata", "timeout", "refused", "servfail", "lame", "malformed", "overflow"];
/// Numbers of one [`Waits`].
const WAITS: usize = 19;

/// The counters about DNS of one loop.
#[derive(Debug)]
pub(super) struct DnsCounters {
    answers: [[AtomicU64; RESULTS.len()]; TYPES.len()],
    waits: [AtomicU64; WAITS],
}

impl Default for DnsCounters {
    fn default() -> Self {
        Self { answers: std::array::from_fn(|_| zeros()), waits: zeros() }
    }
}

impl DnsCounters {
    pub(super) fn answer(&self, kind: Kind, answer: &Answer) {
        let row = TYPES.iter().zip(&self.answers).find(|((known, _), _)| *known == kind);
        add(row.and_then(|(_, row)| row.get(result_of(answer))), 1);
    }

    pub(super) fn answers(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        self.answers.iter().zip(TYPES).flat_map(|(row, (_, kind))| {
            row.iter().zip(RESULTS).map(move |(count, result)| (result, kind, count.load(Relaxed)))
        })
    }

    pub(super) fn set_waits(&self, waits: Waits) {
        for (kept, number) in self.waits.iter().zip(numbers_of(waits)) {
            kept.store(number, Relaxed);
        }
    }

    pub(super) fn add_all(&self, other: &Self) {
        let Self { answers, waits } = other;
        add_each(self.answers.as_flattened(), answers.as_flattened());
        add_each(&self.waits, waits);
    }

    pub(super) fn waits(&self) -> Waits {
        waits_of(std::array::from_fn(|index| self.waits.get(index).map_or(0, |number| number.load(Relaxed))))
    }
}

fn result_of(answer: &Answer) -> usize {
    match answer {
        Answer::Found { .. } => 0,
        Answer::Nothing { why: Nothing::NxDomain, .. } => 1,
        Answer::Nothing { why: Nothing::NoData, .. } => 2,
        Answer::Failed(Failure::Timeout) => 3,
        Answer::Failed(Failure::Refused) => 4,
        Answer::Failed(Failure::ServFail) => 5,
        Answer::Failed(Failure::Lame) => 6,
        Answer::Failed(Failure::Malformed) => 7,
        Answer::Failed(Failure::Overflow) => 8,
    }
}

fn numbers_of(waits: Waits) -> [u64; WAITS] {
    let Waits { tallies, cache, waiting, questions, cache_entries, cache_bytes } = waits;
    [
        waiting,
        questions,
        cache_entries,
        cache_bytes,
        tallies.waited,
        tallies.retransmissions,
        tallies.questions,
        tallies.questions_shared,
        tallies.questions_forgotten,
        tallies.overflows,
        tallies.timeouts,
        tallies.too_many_questions,
        cache.fresh,
        cache.stale,
        cache.negative,
        cache.failed,
        cache.missed,
        cache.refreshes,
        cache.mended,
    ]
}

/// The other way round.
fn waits_of(numbers: [u64; WAITS]) -> Waits {
    let [
        waiting,
        questions,
        cache_entries,
        cache_bytes,
        waited,
        retransmissions,
        asked,
        questions_shared,
        questions_forgotten,
        overflows,
        timeouts,
        too_many_questions,
        fresh,
        stale,
        negative,
        failed,
        missed,
        refreshes,
        mended,
    ] = numbers;
    let tallies = Tallies {
        waited,
        retransmissions,
        questions: asked,
        questions_shared,
        questions_forgotten,
        overflows,
        timeouts,
        too_many_questions,
    };
    let cache = CacheTallies { fresh, stale, negative, failed, missed, refreshes, mended };
    Waits { tallies, cache, waiting, questions, cache_entries, cache_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_and_result_has_its_own_place() {
        let nothing = |why| Answer::Nothing { why, ttl_s: 1 };
        let answers = [
            Answer::Found { records: vec![], ttl_s: 1 },
            nothing(Nothing::NxDomain),
            nothing(Nothing::NoData),
            Answer::Failed(Failure::Timeout),
            Answer::Failed(Failure::Refused),
            Answer::Failed(Failure::ServFail),
            Answer::Failed(Failure::Lame),
            Answer::Failed(Failure::Malformed),
            Answer::Failed(Failure::Overflow),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for (kind, label) in TYPES {
            for answer in &answers {
                let counters = DnsCounters::default();
                counters.answer(kind, answer);
                let counted: Vec<_> = counters.answers().filter(|(.., count)| *count > 0).collect();
                let [(result, known, 1)] = counted[..] else { panic!("{counted:?}") };
                assert_eq!(known, label);
                assert!(seen.insert((result, known)), "{answer:?}");
            }
        }
        assert_eq!(seen.len(), TYPES.len() * RESULTS.len());
        assert!(seen.contains(&("nxdomain", "NAPTR")) && seen.contains(&("overflow", "A")), "{seen:?}");
    }

    #[test]
    fn every_number_of_the_engine_comes_back_from_its_place() {
        let waits = waits_of(std::array::from_fn(|index| index as u64 + 1));
        assert_eq!((waits.waiting, waits.cache_bytes, waits.tallies.too_many_questions), (1, 4, 12));
        assert_eq!((waits.cache.fresh, waits.cache.mended), (13, 19));
        let counters = DnsCounters::default();
        assert_eq!(counters.waits(), Waits::default());
        counters.set_waits(waits);
        assert_eq!(counters.waits(), waits);
    }
}
