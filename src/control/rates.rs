//! Outside. How much there was to do, second by second, for plots.
//!
//! In:    the counters, once a second.
//! Out:   the last [`RATES_KEPT_S`] seconds, the oldest first.
//! Never: costs a loop anything: it reads what is counted anyway.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    counters::{Counters, DECISION_BOUNDS_NS},
    limits::RATES_KEPT_S,
};

/// What happened in about a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Second {
    /// Its end, in seconds since 1970.
    pub unix_s: i64,
    /// How long it was, in milliseconds: counts are of this time.
    pub over_ms: u64,
    /// Messages received.
    pub requests: u64,
    /// Answers by class.
    pub answers: Classes,
    /// Messages that were not answered.
    pub silences: u64,
    /// Messages that had to wait for DNS.
    pub dns_waits: u64,
    /// How long decisions took; null where none was timed.
    pub decision_ns: Option<Quantiles>,
}

/// Answers by the first digit of their code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Classes {
    #[serde(rename = "2xx")]
    pub success: u64,
    #[serde(rename = "3xx")]
    pub redirect: u64,
    #[serde(rename = "4xx")]
    pub client: u64,
    #[serde(rename = "5xx")]
    pub server: u64,
    #[serde(rename = "6xx")]
    pub global: u64,
}

/// Of the decisions that were timed, half, nine tenths, all but a hundredth took no longer. Between the bounds of the
/// histogram they are reckoned to lie evenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Quantiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
}

/// The seconds kept.
#[derive(Debug, Default)]
pub struct Rates {
    seconds: VecDeque<Second>,
    before: Option<(u64, Totals)>,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    requests: u64,
    answers: Classes,
    silences: u64,
    dns_waits: u64,
    /// Not longer than each bound, and all.
    at_most: [u64; DECISION_BOUNDS_NS.len()],
    timed: u64,
}

impl Rates {
    /// Notes what was counted up to now. The first time there is nothing to compare it with.
    pub fn note(&mut self, counters: &Counters, now_ms: u64, unix_s: i64) {
        let totals = Totals::of(counters);
        let before = self.before.replace((now_ms, totals));
        let Some((before_ms, before)) = before else { return };
        if self.seconds.len() >= RATES_KEPT_S {
            self.seconds.pop_front();
        }
        self.seconds.push_back(totals.since(&before, now_ms.saturating_sub(before_ms), unix_s));
    }

    /// The oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Second> {
        self.seconds.iter()
    }
}

impl Totals {
    fn of(counters: &Counters) -> Self {
        let mut answers = Classes::default();
        for (code, count) in counters.answers() {
            let class = match code / 100 {
                2 => &mut answers.success,
                3 => &mut answers.redirect,
                4 => &mut answers.client,
                5 => &mut answers.server,
                6 => &mut answers.global,
                _ => continue,
            };
            *class = class.wrapping_add(count);
        }
        let decisions = counters.decisions();
        Self {
            requests: sum(counters.requests().map(|(.., count)| count)),
            answers,
            silences: sum(counters.silences().map(|(_, count)| count)),
            dns_waits: counters.waits().tallies.waited,
            at_most: decisions.at_most,
            timed: decisions.count,
        }
    }

    fn since(&self, before: &Self, over_ms: u64, unix_s: i64) -> Second {
        let mut at_most = self.at_most;
        for (bucket, old) in at_most.iter_mut().zip(before.at_most) {
            *bucket = bucket.wrapping_sub(old);
        }
        let (now, old) = (&self.answers, &before.answers);
        Second {
            unix_s,
            over_ms,
            requests: self.requests.wrapping_sub(before.requests),
            answers: Classes {
                success: now.success.wrapping_sub(old.success),
                redirect: now.redirect.wrapping_sub(old.redirect),
                client: now.client.wrapping_sub(old.client),
                server: now.server.wrapping_sub(old.server),
                global: now.global.wrapping_sub(old.global),
            },
            silences: self.silences.wrapping_sub(before.silences),
            dns_waits: self.dns_waits.wrapping_sub(before.dns_waits),
            decision_ns: Quantiles::of(&at_most, self.timed.wrapping_sub(before.timed)),
        }
    }
}

impl Quantiles {
    fn of(at_most: &[u64; DECISION_BOUNDS_NS.len()], count: u64) -> Option<Self> {
        let quantile = |hundredths: u64| quantile(at_most, count.saturating_mul(hundredths).div_ceil(100));
        (count > 0).then(|| Self { p50: quantile(50), p90: quantile(90), p99: quantile(99) })
    }
}

/// How long the decision of this rank took, from 1. Beyond the last bound, that is all that is known.
fn quantile(at_most: &[u64; DECISION_BOUNDS_NS.len()], rank: u64) -> u64 {
    let (mut below_ns, mut below) = (0, 0);
    for (bound_ns, up_to) in DECISION_BOUNDS_NS.into_iter().zip(*at_most) {
        if up_to >= rank {
            let (into, inside) = (rank.saturating_sub(below), up_to.saturating_sub(below).max(1));
            return below_ns + (bound_ns - below_ns).saturating_mul(into) / inside;
        }
        (below_ns, below) = (bound_ns, up_to);
    }
    below_ns
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decide::Silence, engine::Outcome, route::Transport, sip::Method};

    #[test]
    fn each_second_has_what_was_counted_in_it() {
        let (counters, mut rates) = (Counters::default(), Rates::default());
        counters.request(Some(Method::Invite), Transport::Udp);
        rates.note(&counters, 5_000, 100);
        assert_eq!(rates.iter().count(), 0, "there is nothing to compare it with");
        for _ in 0..3 {
            counters.request(Some(Method::Invite), Transport::Udp);
        }
        counters.request(None, Transport::Tcp);
        counters.outcome(&Outcome::Silence(Silence::Ack));
        for ns in [100, 200, 300, 400] {
            counters.decision_ns(ns);
        }
        rates.note(&counters, 6_050, 101);
        rates.note(&counters, 7_000, 102);
        let seconds: Vec<_> = rates.iter().copied().collect();
        let quiet = Second {
            unix_s: 102,
            over_ms: 950,
            requests: 0,
            answers: Classes::default(),
            silences: 0,
            dns_waits: 0,
            decision_ns: None,
        };
        // Two of four up to 250 ns, all up to 500.
        let decision_ns = Some(Quantiles { p50: 250, p90: 500, p99: 500 });
        let busy = Second { unix_s: 101, over_ms: 1_050, requests: 4, silences: 1, decision_ns, ..quiet };
        assert_eq!(seconds, [busy, quiet]);
    }

    #[test]
    fn quantiles_lie_between_the_bounds_and_not_beyond_the_last() {
        let counters = Counters::default();
        (0..100).for_each(|_| counters.decision_ns(3_000));
        let times = counters.decisions();
        // The hundred lie evenly between 2 and 4 µs.
        let quantiles = Quantiles::of(&times.at_most, times.count).unwrap();
        assert_eq!(quantiles, Quantiles { p50: 3_000, p90: 3_800, p99: 3_980 });
        let counters = Counters::default();
        counters.decision_ns(u64::MAX);
        let times = counters.decisions();
        let last = DECISION_BOUNDS_NS[DECISION_BOUNDS_NS.len() - 1];
        assert_eq!(Quantiles::of(&times.at_most, times.count).unwrap().p50, last);
    }

    #[test]
    fn the_oldest_second_makes_room() {
        let (counters, mut rates) = (Counters::default(), Rates::default());
        for second in 0..=RATES_KEPT_S + 2 {
            rates.note(&counters, second as u64 * 1_000, second as i64);
        }
        assert_eq!(rates.iter().count(), RATES_KEPT_S);
        assert_eq!(rates.iter().next().map(|second| second.unix_s), Some(3));
    }
}
