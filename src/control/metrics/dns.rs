//! Outside. The metrics about DNS.
//!
//! In:    what the loop counts, and what the resolver does.
//! Out:   their families.
//! Never: has a name that was asked for in a label.

use prometheus::proto::MetricFamily;

use super::collect::{family, float, histogram, label, single, with_metrics};
use crate::{
    control::resolver::{Numbers, QUESTION_BOUNDS_US, QuestionTimes},
    counters::{Counters, Waits},
    dns::Standing,
};

/// In the order of the catalogue.
pub(super) fn families(counters: &Counters, numbers: &Numbers) -> Vec<MetricFamily> {
    let mut families = of_the_waiting(counters);
    families.extend(of_the_resolver(numbers));
    families.extend(of_the_cache(counters));
    families
}

fn of_the_waiting(counters: &Counters) -> Vec<MetricFamily> {
    let Waits { tallies, waiting, questions, .. } = counters.waits();
    let gave_up = [
        ("overflow", tallies.overflows),
        ("timeout", tallies.timeouts),
        ("too_many_questions", tallies.too_many_questions),
    ];
    let gave_up = gave_up.map(|(reason, count)| (vec![reason], float(count)));
    let answers = counters.dns_answers();
    vec![
        single(&super::WAITING, float(waiting)),
        single(&super::DNS_WAITS, float(tallies.waited)),
        single(&super::DNS_RETRANSMISSIONS, float(tallies.retransmissions)),
        family(&super::DNS_GAVE_UP, gave_up),
        single(&super::DNS_QUESTIONS, float(tallies.questions)),
        single(&super::DNS_QUESTIONS_SHARED, float(tallies.questions_shared)),
        single(&super::DNS_QUESTIONS_FORGOTTEN, float(tallies.questions_forgotten)),
        single(&super::DNS_QUESTIONS_UNDER_WAY, float(questions)),
        family(&super::DNS_ANSWERS, answers.map(|(result, kind, count)| (vec![result, kind], float(count)))),
    ]
}

fn of_the_resolver(numbers: &Numbers) -> Vec<MetricFamily> {
    let servers = || numbers.servers.iter().map(|(address, standing)| (vec![address.to_string()], standing));
    let is_up = |(labels, standing): (_, &Standing)| (labels, f64::from(u8::from(standing.is_up)));
    // One that was never asked has none.
    let rtt_s = |(labels, standing): (_, &Standing)| Some((labels, float(standing.rtt_us?) / 1e6));
    let apexes = numbers.apexes.iter().map(|(apex, times)| {
        let QuestionTimes { at_most, count, sum_us } = *times;
        let bounds_s = QUESTION_BOUNDS_US.map(|bound_us| float(bound_us) / 1e6);
        let mut metric = histogram(bounds_s.into_iter().zip(at_most), count, float(sum_us) / 1e6);
        metric.set_label(vec![label("apex", apex.to_string())]);
        metric
    });
    vec![
        with_metrics(&super::DNS_QUESTION, apexes.collect()),
        single(&super::DNS_HEDGES, float(numbers.hedges)),
        family(&super::DNS_SERVER_UP, servers().map(is_up)),
        family(&super::DNS_SERVER_RTT, servers().filter_map(rtt_s)),
    ]
}

fn of_the_cache(counters: &Counters) -> Vec<MetricFamily> {
    let Waits { cache, cache_entries, cache_bytes, .. } = counters.waits();
    let lookups = [
        ("fresh", cache.fresh),
        ("stale", cache.stale),
        ("negative", cache.negative),
        ("failed", cache.failed),
        ("missed", cache.missed),
    ];
    vec![
        family(&super::DNS_CACHE_LOOKUPS, lookups.map(|(result, count)| (vec![result], float(count)))),
        single(&super::DNS_REFRESHES, float(cache.refreshes)),
        single(&super::DNS_EXPRESSIONS_MENDED, float(cache.mended)),
        single(&super::DNS_CACHE_ENTRIES, float(cache_entries)),
        single(&super::DNS_CACHE_BYTES, float(cache_bytes)),
    ]
}
