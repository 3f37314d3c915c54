//! Outside. From the numbers of the loops, the table and the reloader to metric families.
//!
//! In:    [`Sources`], read at each scrape.
//! Out:   one family for each entry of the catalogue.
//! Never: keeps a number of its own; has a family that the catalogue has not.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use prometheus::{
    core::{Collector, Desc},
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use crate::{
    control::{
        admin::Readiness,
        health::Gateways,
        mirror::HepNumbers,
        reload::{Outcome, Reloader, unix_s},
        resolver::Resolver,
        source::Status,
    },
    counters::{Counters, DECISION_BOUNDS_NS},
    limits::ROUTE_LABELS_MAX,
    overload::Reason,
    route::NumberTable,
    snapshot::Snapshot,
};

use super::{Drops, Entry, Kind, OTHER_ROUTES, OURS, dns, drops::AtListener, gateways, source};

/// Where the numbers are.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Sources {
    /// By worker; what is served is their sum.
    pub counters: Vec<Arc<Counters>>,
    pub table: Arc<ArcSwap<Snapshot>>,
    pub reloader: Reloader,
    pub resolver: Resolver,
    pub readiness: Arc<Readiness>,
    pub hep: Arc<HepNumbers>,
    pub gateways: Gateways,
    /// `None`: there is none, and no metric of one.
    pub source: Option<Status>,
    pub drops: Drops,
}

/// The collector of all that is ours.
pub(super) struct Collected {
    descs: Vec<Desc>,
    counters: Vec<Arc<Counters>>,
    table: Arc<ArcSwap<Snapshot>>,
    reloader: Reloader,
    resolver: Resolver,
    readiness: Arc<Readiness>,
    hep: Arc<HepNumbers>,
    gateways: Gateways,
    source: Option<Status>,
    drops: Mutex<Drops>,
}

impl Collected {
    pub(super) fn new(sources: Sources) -> prometheus::Result<Self> {
        let desc = |entry: &&Entry| {
            let labels = entry.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(entry.name.to_owned(), entry.help.to_owned(), labels, HashMap::new())
        };
        Ok(Self {
            descs: OURS.iter().map(desc).collect::<prometheus::Result<_>>()?,
            counters: sources.counters,
            table: sources.table,
            reloader: sources.reloader,
            resolver: sources.resolver,
            readiness: sources.readiness,
            hep: sources.hep,
            gateways: sources.gateways,
            source: sources.source,
            drops: Mutex::new(sources.drops),
        })
    }
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected").finish_non_exhaustive()
    }
}

impl Collector for Collected {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = vec![family(&super::BUILD_INFO, [(vec![env!("CARGO_PKG_VERSION")], 1.0)])];
        let ready = f64::from(u8::from(self.readiness.missing().is_empty()));
        families.push(single(&super::READY, ready));
        self.of_the_loops(&mut families);
        self.of_those_who_look_on(&mut families);
        self.of_the_table(&mut families);
        self.of_reloads(&mut families);
        families.extend(gateways::families(&self.gateways.numbers()));
        families.extend(self.source.as_ref().map(Status::numbers).iter().flat_map(source::families));
        families
    }
}

impl Collected {
    fn of_the_loops(&self, families: &mut Vec<MetricFamily>) {
        let counters = &Counters::sum(self.counters.iter().map(|counters| &**counters));
        // Methods that did not come over TCP and TLS are left out: 48 lines of zeros help nobody.
        let requests = counters.requests().filter(|(_, transport, count)| *count > 0 || *transport == "udp");
        families.push(family(
            &super::REQUESTS,
            requests.map(|(m, transport, count)| (vec![m, transport], float(count))),
        ));
        // The redirects are there from the start, other codes once they were sent.
        let answers =
            counters.answers().filter(|(code, count)| *count > 0 || matches!(code, 300..=305 | 380));
        families.push(family(
            &super::ANSWERS,
            answers.map(|(code, count)| (vec![code.to_string()], float(count))),
        ));
        let labelled = |(label, count)| (vec![label], float(count));
        families.push(family(&super::SILENCES, counters.silences().map(labelled)));
        families.push(family(&super::REFUSED, counters.faults().map(labelled)));
        families.push(family(&super::SOCKET_ERRORS, counters.socket_troubles().map(labelled)));
        families.push(family(&super::CONNECTIONS, counters.connections().map(labelled)));
        families.push(family(&super::CONNECTIONS_OPENED, counters.connections_opened().map(labelled)));
        families.push(family(&super::CONNECTIONS_CLOSED, counters.connections_closed().map(labelled)));
        families.push(family(&super::CONNECTIONS_REFUSED, counters.connections_refused().map(labelled)));
        families.push(single(&super::CONTACTS_TRIMMED, float(counters.contacts_trimmed())));
        families.push(single(&super::CONTACTS_DROPPED, float(counters.contacts_dropped())));
        families.push(single(&super::HEADERS_TRIMMED, float(counters.headers_trimmed())));
        let overload = counters.overload();
        let refused = Reason::ALL.iter().map(|reason| reason.label()).zip(overload.refused);
        families.push(family(&super::OVERLOAD_REFUSED, refused.map(labelled)));
        families.push(single(&super::OVERLOAD_OC, float(overload.loss_percent)));
        families.push(single(&super::QUEUE_AGE, Duration::from_millis(overload.age_ms).as_secs_f64()));
        families.push(family(&super::CAPPED, counters.capped().map(labelled)));
        families.extend(dns::families(counters, &self.resolver.numbers()));
        families.push(decision_duration(counters));
        let mut drops = self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        let listeners = drops.read();
        let by_listener = |number: fn(&AtListener) -> u64| {
            listeners.iter().map(move |of| (vec![&*of.listener], float(number(of))))
        };
        families.push(family(&super::SOCKET_DROPS, by_listener(|of| of.dropped)));
        families.push(family(&super::SOCKET_QUEUE, by_listener(|of| of.queued_bytes)));
        let busy = (1..).zip(&self.counters).map(|(worker, counters)| {
            let busy_s = Duration::from_nanos(counters.busy_ns()).as_secs_f64();
            (vec![worker.to_string()], busy_s)
        });
        families.push(family::<String>(&super::LOOP_BUSY, busy));
    }

    fn of_those_who_look_on(&self, families: &mut Vec<MetricFamily>) {
        let taps = self.counters.iter().map(|counters| counters.taps());
        let (shown, dropped) = taps.fold((0, 0), |(shown, dropped), of| (shown + of.0, dropped + of.1));
        let messages = [("shown", shown), ("dropped", dropped)];
        families.push(family(&super::TAP, messages.map(|(result, count)| (vec![result], float(count)))));
        let packets = [("sent", self.hep.sent()), ("failed", self.hep.failed())];
        families
            .push(family(&super::HEP_PACKETS, packets.map(|(result, count)| (vec![result], float(count)))));
    }

    fn of_the_table(&self, families: &mut Vec<MetricFamily>) {
        let snapshot = self.table.load();
        families.push(family(&super::ROUTE_ANSWERS, route_answers(&snapshot)));
        let lists = snapshot.decided_on_by_name().map(|(list, count)| (vec![list], float(count)));
        families.push(family(&super::ACCESS, lists));
        families.push(single(&super::TABLE_GENERATION, float(snapshot.generation)));
        families.push(family(&super::TABLE_INFO, [(vec![snapshot.hash.as_str()], 1.0)]));
        let age_s = u64::try_from(unix_s().saturating_sub(snapshot.loaded_unix_s)).unwrap_or_default();
        families.push(single(&super::TABLE_AGE, float(age_s)));
        families.push(single(&super::TABLE_ROUTES, size(snapshot.table.routes.len())));
        let tables = snapshot.table.tables.iter().map(|table| (vec![table.name()], size(table.len())));
        families.push(family(&super::TABLE_ENTRIES, tables));
        let bytes = |table: &NumberTable| size(table.table().resident_bytes());
        let tables = snapshot.table.tables.iter().map(|table| (vec![table.name()], bytes(table)));
        families.push(family(&super::TABLE_BYTES, tables));
    }

    fn of_reloads(&self, families: &mut Vec<MetricFamily>) {
        let status = self.reloader.status();
        let reloads = Outcome::ALL.iter().zip(status.counts);
        families.push(family(
            &super::RELOADS,
            reloads.map(|(outcome, count)| (vec![outcome.label()], float(count))),
        ));
        families.push(single(&super::RELOAD_SUCCESSFUL, if status.failing { 0.0 } else { 1.0 }));
        let success_s = u64::try_from(status.success_unix_s).unwrap_or_default();
        families.push(single(&super::RELOAD_SUCCESS_TIMESTAMP, float(success_s)));
        families.push(single(&super::RELOAD_DURATION, status.duration.as_secs_f64()));
        families.push(single(&super::LAST_KNOWN_GOOD, if status.last_known_good { 1.0 } else { 0.0 }));
    }
}

fn decision_duration(counters: &Counters) -> MetricFamily {
    let times = counters.decisions();
    let bounds_s = DECISION_BOUNDS_NS.map(|bound_ns| float(bound_ns) / 1e9);
    let metric = histogram(bounds_s.into_iter().zip(times.at_most), times.count, float(times.sum_ns) / 1e9);
    with_metrics(&super::DECISION_DURATION, vec![metric])
}

/// Answers by route name, as many as there may be, the rest as one. A route that is called like the
/// rest counts with it.
fn route_answers(snapshot: &Snapshot) -> Vec<(Vec<String>, f64)> {
    let mut named: BTreeMap<&str, u64> = BTreeMap::new();
    let mut rest: HashMap<&str, u64> = HashMap::new();
    // Routes of one name share one counter: once is enough.
    for (name, hits) in snapshot.hits_by_name() {
        if name != OTHER_ROUTES && (named.len() < ROUTE_LABELS_MAX || named.contains_key(name)) {
            named.insert(name, hits);
        } else {
            rest.insert(name, hits);
        }
    }
    let rest = rest.into_values().fold(0, u64::wrapping_add);
    let named = named.into_iter().chain([(OTHER_ROUTES, rest)]);
    named.map(|(name, hits)| (vec![name.to_owned()], float(hits))).collect()
}

/// A family of counters or gauges: label values in the order of the entry, and the number.
pub(super) fn family<T: ToString>(
    entry: &Entry,
    values: impl IntoIterator<Item = (Vec<T>, f64)>,
) -> MetricFamily {
    let metric = |(labels, value): (Vec<T>, f64)| {
        let mut metric = if entry.kind == Kind::Counter {
            let mut counter = Counter::default();
            counter.set_value(value);
            let mut metric = Metric::default();
            metric.set_counter(counter);
            metric
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            Metric::from_gauge(gauge)
        };
        metric.set_label(
            entry.labels.iter().zip(labels).map(|(name, value)| label(name, value.to_string())).collect(),
        );
        metric
    };
    let metrics = values.into_iter().map(metric).collect();
    with_metrics(entry, metrics)
}

/// Of each upper bound, how many are not above it; how many there are, and their sum.
pub(super) fn histogram(at_most: impl Iterator<Item = (f64, u64)>, count: u64, sum: f64) -> Metric {
    let bucket = |(bound, at_most)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(at_most);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(at_most.map(bucket).collect());
    histogram.set_sample_count(count);
    histogram.set_sample_sum(sum);
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    metric
}

/// A family of one number without labels.
pub(super) fn single(entry: &Entry, value: f64) -> MetricFamily {
    family::<&str>(entry, [(Vec::new(), value)])
}

pub(super) fn with_metrics(entry: &Entry, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(entry.name.to_owned());
    family.set_help(entry.help.to_owned());
    family.set_field_type(match entry.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    family.set_metric(metrics);
    family
}

pub(super) fn label(name: &str, value: String) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value);
    pair
}

/// Exact up to 2^53, which is what Prometheus keeps.
pub(super) fn float(value: u64) -> f64 {
    value as f64
}

fn size(value: usize) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Place, Route, RouteTable, Then};

    fn snapshot(names: impl IntoIterator<Item = String>) -> Snapshot {
        let route = |name: String| Route {
            name: name.into(),
            place: Place::default(),
            when: Vec::new(),
            set: Vec::new(),
            then: Then::Next,
        };
        let table = RouteTable { routes: names.into_iter().map(route).collect(), ..RouteTable::default() };
        let snapshot = Snapshot::new(table, String::new(), 0, None);
        for index in 0..snapshot.table.routes.len() {
            snapshot.hit(0, index);
        }
        snapshot
    }

    fn value(answers: &[(Vec<String>, f64)], route: &str) -> Option<f64> {
        answers.iter().find(|(labels, _)| labels[0] == route).map(|(_, value)| *value)
    }

    #[test]
    fn routes_beyond_the_limit_are_one() {
        let at_limit = route_answers(&snapshot((0..ROUTE_LABELS_MAX).map(|n| format!("r{n}"))));
        assert_eq!(at_limit.len(), ROUTE_LABELS_MAX + 1);
        assert_eq!(value(&at_limit, "other"), Some(0.0));
        let over = route_answers(&snapshot((0..ROUTE_LABELS_MAX + 3).map(|n| format!("r{n}"))));
        assert_eq!(over.len(), ROUTE_LABELS_MAX + 1);
        assert_eq!(value(&over, "other"), Some(3.0));
        assert_eq!(value(&over, "r1000"), None);
    }

    #[test]
    fn no_label_value_comes_twice() {
        let answers = route_answers(&snapshot(["a", "other", "a", "b"].map(str::to_owned)));
        assert_eq!(answers.len(), 3);
        assert_eq!(value(&answers, "a"), Some(2.0));
        assert_eq!(value(&answers, "b"), Some(1.0));
        assert_eq!(value(&answers, "other"), Some(1.0));
    }
}
