//! Pure. Counts by cause and by route, and the first calls that differ.

use std::{collections::BTreeMap, fmt::Display};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Cause, Difference, made::By, shown::by_name};
use crate::{
    limits::{DIFF_PAIRS_MAX, DIFF_SHOWN_MAX, DIFF_SKIPPED_SHOWN_MAX},
    route::RouteTable,
};

/// What came out. Keys are part of the interface: they are added to, never changed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DiffReport")]
pub struct Report {
    /// Calls compared.
    pub calls: u64,
    /// Of them, those whose caller would see a difference.
    pub differing: u64,
    /// Of the calls, those that ask DNS on a side: they are compared by question, and by the answer when
    /// DNS says nothing.
    pub asking_dns: u64,
    /// Calls by cause, also the causes of none.
    pub causes: BTreeMap<Cause, u64>,
    /// Old and new route of the calls, most differing first.
    pub routes: Vec<Pair>,
    /// Calls of pairs for which there was no room.
    pub routes_left_out: u64,
    /// The first calls that differ.
    pub shown: Vec<Difference>,
    /// What was read and is no call.
    pub skipped: u64,
    /// The first of them.
    pub skipped_shown: Vec<Skipped>,
    /// Packets of captures that are no calls.
    pub passed_over: Vec<PassedOver>,
}

/// The calls that went by one route and go by another, or by the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Pair {
    pub old: String,
    pub new: String,
    pub calls: u64,
    pub differing: u64,
}

/// Packets that are no calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct PassedOver {
    pub why: &'static str,
    pub packets: u64,
}

/// Something that is no call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Skipped {
    pub place: String,
    pub why: String,
}

/// The counts while they grow.
#[derive(Debug)]
pub(super) struct Tally {
    calls: u64,
    differing: u64,
    asking_dns: u64,
    causes: [u64; Cause::ALL.len()],
    pairs: BTreeMap<(By, By), (u64, u64)>,
    pairs_left_out: u64,
    shown: Vec<Difference>,
    shown_max: usize,
    skipped: u64,
    skipped_shown: Vec<Skipped>,
    /// By reasons that are constants of the code: few.
    passed_over: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn new(shown_max: usize) -> Self {
        Self {
            calls: 0,
            differing: 0,
            asking_dns: 0,
            causes: [0; Cause::ALL.len()],
            pairs: BTreeMap::new(),
            pairs_left_out: 0,
            shown: Vec::new(),
            shown_max: shown_max.min(DIFF_SHOWN_MAX),
            skipped: 0,
            skipped_shown: Vec::new(),
            passed_over: BTreeMap::new(),
        }
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    pub(super) fn count(&mut self, cause: Cause, pair: (By, By), asks_dns: bool) {
        let differs = u64::from(cause.is_difference());
        self.calls += 1;
        self.differing += differs;
        self.asking_dns += u64::from(asks_dns);
        for (count, known) in self.causes.iter_mut().zip(Cause::ALL) {
            *count += u64::from(known == cause);
        }
        if let Some((calls, differing)) = self.pairs.get_mut(&pair) {
            *calls += 1;
            *differing += differs;
        } else if self.pairs.len() < DIFF_PAIRS_MAX {
            self.pairs.insert(pair, (1, differs));
        } else {
            self.pairs_left_out += 1;
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.shown.len() < self.shown_max
    }

    pub(super) fn show(&mut self, difference: Difference) {
        self.shown.push(difference);
    }

    pub(super) fn skip(&mut self, why: &str, place: impl Display) {
        self.skipped += 1;
        if self.skipped_shown.len() < DIFF_SKIPPED_SHOWN_MAX {
            self.skipped_shown.push(Skipped { place: place.to_string(), why: why.to_owned() });
        }
    }

    pub(super) fn pass_over(&mut self, why: &'static str) {
        *self.passed_over.entry(why).or_default() += 1;
    }

    pub(super) fn report(self, old: &RouteTable, new: &RouteTable) -> Report {
        let mut routes: Vec<Pair> = self
            .pairs
            .into_iter()
            .map(|((of_old, of_new), (calls, differing))| Pair {
                old: by_name(of_old, old),
                new: by_name(of_new, new),
                calls,
                differing,
            })
            .collect();
        // Stable: pairs of the same counts stay in the order of the routes.
        routes.sort_by_key(|pair| std::cmp::Reverse((pair.differing, pair.calls)));
        Report {
            calls: self.calls,
            differing: self.differing,
            asking_dns: self.asking_dns,
            causes: Cause::ALL.into_iter().zip(self.causes).collect(),
            routes,
            routes_left_out: self.pairs_left_out,
            shown: self.shown,
            skipped: self.skipped,
            skipped_shown: self.skipped_shown,
            passed_over: self
                .passed_over
                .into_iter()
                .map(|(why, packets)| PassedOver { why, packets })
                .collect(),
        }
    }
}
