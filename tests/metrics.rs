//! The metrics as a scraper sees them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use arc_swap::ArcSwap;
use waypost::{
    control::{
        admin::Readiness,
        health::Gateways,
        loader::{Load, Loader},
        metrics::{Drops, Metrics, Sources, catalogue},
        reload::{Cause, Reloader},
        resolver::Resolver,
        source::{
            Outcome as Look, Status,
            manifest::{Entry, Manifest},
        },
    },
    counters::{Counters, SocketTrouble, Waits},
    decide::{Reply, Silence},
    dns::{Answer, CacheTallies, Failure, Kind, Nothing, OwnLives, Question, Upstream},
    engine::{Outcome, Path, Tallies},
    health::Mark,
    limits::DNS_SERVER_MS_MAX,
    route::{Place, Route, RouteTable, Then, Transport},
    sip::Method,
    snapshot::Snapshot,
};

struct Bench {
    counters: Arc<Counters>,
    table: Arc<ArcSwap<Snapshot>>,
    reloader: Reloader,
    resolver: Resolver,
    gateways: Gateways,
    source: Status,
    metrics: Metrics,
}

fn bench(routes: &[&str]) -> Bench {
    let route = |name: &&str| Route {
        name: (*name).into(),
        place: Place::default(),
        when: Vec::new(),
        set: Vec::new(),
        then: Then::Next,
    };
    bench_of(RouteTable { routes: routes.iter().map(route).collect(), ..RouteTable::default() })
}

fn bench_of(table: RouteTable) -> Bench {
    let table = Arc::new(ArcSwap::from_pointee(Snapshot::new(table, "abc123".into(), 1_000, None)));
    let counters = Arc::new(Counters::default());
    let reloader = Reloader::start(Arc::clone(&table), Box::new(|_| Ok(Load::Same))).unwrap();
    // Nobody is there: a server that stays silent has numbers, too.
    let resolver = Resolver::new(vec![([127, 0, 0, 1], 1).into()]);
    let gateways = Gateways::new(Arc::clone(&table));
    let source = Status::default();
    let metrics = Metrics::new(Sources {
        counters: vec![Arc::clone(&counters)],
        table: Arc::clone(&table),
        gateways: gateways.clone(),
        reloader: reloader.clone(),
        resolver: resolver.clone(),
        readiness: Arc::new(Readiness::default()),
        hep: Arc::default(),
        source: Some(source.clone()),
        drops: Drops::new([("edge".into(), 0)]),
    })
    .unwrap();
    Bench { counters, table, reloader, resolver, gateways, source, metrics }
}

impl Bench {
    /// Puts a question to the servers of the configuration, and to those of an apex.
    fn ask(&self) {
        let question = Question::new("x.example", Kind::Naptr).unwrap();
        let apex =
            Arc::new(Upstream::new("e164.example", &[([127, 0, 0, 1], 2).into()], OwnLives::default()));
        let (sender, receiver) = tokio::sync::mpsc::channel(2);
        sender.try_send(question.clone().at(Some(&apex))).unwrap();
        sender.try_send(question).unwrap();
        drop(sender);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let is_timeout = |answer| assert_eq!(answer, Answer::Failed(Failure::Timeout));
        runtime.block_on(self.resolver.clone().run(receiver, |_, answer| is_timeout(answer)));
    }

    fn text(&self) -> String {
        self.metrics.render().unwrap()
    }

    /// Samples by `name{labels}`.
    fn samples(&self) -> BTreeMap<String, f64> {
        parse(&self.text()).into_values().flat_map(|family| family.samples).collect()
    }
}

#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    samples: BTreeMap<String, f64>,
}

/// Reads the text format, strictly: HELP, TYPE, then samples of that family, none twice.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            current = name.to_owned();
            let family = Family { help: help.to_owned(), ..Family::default() };
            assert!(families.insert(current.clone(), family).is_none(), "{name} twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current);
            families.get_mut(name).unwrap().kind = kind.to_owned();
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(sample.starts_with(&current), "{sample} in {current}");
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let before = families.get_mut(&current).unwrap().samples.insert(sample.to_owned(), value);
            assert!(before.is_none(), "{sample} twice");
        }
    }
    families
}

fn answered(counters: &Counters, status: u16) {
    let here = SocketAddr::from(([127, 0, 0, 1], 5060));
    let reply = Reply {
        len: 0,
        to: here,
        status,
        method: Method::Invite,
        route: Some(0),
        access: None,
        fault: None,
        contacts_trimmed: 1,
        contacts_dropped: 2,
        headers_trimmed: 3,
        capped: None,
    };
    let path = Path { source: here, local: here, listener: 0, transport: Transport::Udp };
    counters.outcome(&Outcome::Send { reply, path });
}

#[test]
fn what_is_served_is_what_the_catalogue_lists() {
    let load = |dir: &str| match Loader::new(dir).load(None) {
        Ok(Load::New(loaded)) => loaded.table,
        other => panic!("no table in {dir}: {other:?}"),
    };
    // The one has tables, the other access lists.
    let bench = bench_of(RouteTable { access: load("routes").access, ..load("tests/cli/routes") });
    assert_eq!(bench.samples()[r#"waypost_table_entries{table="rates"}"#], 3.0);
    bench.ask();
    // Of a gateway that nobody probes or marks nothing is known.
    bench.gateways.mark("lon1", Mark::Down).unwrap();
    assert_eq!(bench.samples()[r#"waypost_gateway_up{gateway="lon1"}"#], 0.0);
    let served = parse(&bench.text());
    for entry in catalogue() {
        let family = served.get(entry.name).unwrap_or_else(|| panic!("{} is not served", entry.name));
        assert_eq!((&*family.kind, &*family.help), (entry.kind.label(), entry.help), "{}", entry.name);
        for sample in family.samples.keys().filter(|_| entry.kind.label() != "histogram") {
            let labels = sample.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
            let labels: Vec<&str> =
                labels.split(',').filter(|l| !l.is_empty()).map(|l| l.split_once('=').unwrap().0).collect();
            assert_eq!(labels, entry.labels, "{sample}");
        }
    }
    let listed: BTreeSet<&str> = catalogue().map(|entry| entry.name).collect();
    let unlisted: Vec<&String> = served.keys().filter(|name| !listed.contains(name.as_str())).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
}

#[test]
fn traffic_shows() {
    let bench = bench(&["emergency", "default"]);
    let counters = &bench.counters;
    counters.request(Some(Method::Invite), Transport::Udp);
    counters.request(Some(Method::Invite), Transport::Udp);
    counters.request(None, Transport::Udp);
    answered(counters, 302);
    answered(counters, 404);
    counters.outcome(&Outcome::Silence(Silence::Ack));
    counters.decision_ns(3_000);
    counters.decision_ns(50_000_000);
    counters.socket_trouble(SocketTrouble::Truncated);
    bench.table.load().hit(0, 1);
    let samples = bench.samples();
    for (sample, value) in [
        (r#"waypost_requests_total{method="INVITE",transport="udp"}"#, 2.0),
        (r#"waypost_requests_total{method="unreadable",transport="udp"}"#, 1.0),
        (r#"waypost_requests_total{method="OPTIONS",transport="udp"}"#, 0.0),
        (r#"waypost_answers_total{code="302"}"#, 1.0),
        (r#"waypost_answers_total{code="404"}"#, 1.0),
        (r#"waypost_answers_total{code="380"}"#, 0.0),
        (r#"waypost_silences_total{reason="ack"}"#, 1.0),
        (r#"waypost_route_answers_total{route="emergency"}"#, 0.0),
        (r#"waypost_route_answers_total{route="default"}"#, 1.0),
        (r#"waypost_route_answers_total{route="other"}"#, 0.0),
        ("waypost_contacts_trimmed_total", 2.0),
        ("waypost_contacts_dropped_total", 4.0),
        ("waypost_headers_trimmed_total", 6.0),
        (r#"waypost_decision_duration_seconds_bucket{le="0.000002"}"#, 0.0),
        (r#"waypost_decision_duration_seconds_bucket{le="0.000004"}"#, 1.0),
        (r#"waypost_decision_duration_seconds_bucket{le="0.01"}"#, 1.0),
        (r#"waypost_decision_duration_seconds_bucket{le="+Inf"}"#, 2.0),
        ("waypost_decision_duration_seconds_count", 2.0),
        ("waypost_decision_duration_seconds_sum", 0.050_003),
        (r#"waypost_socket_errors_total{kind="truncated"}"#, 1.0),
        (r#"waypost_socket_drops_total{listener="edge"}"#, 0.0),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample}");
    }
    assert_eq!(samples.get(r#"waypost_answers_total{code="500"}"#), None);
    assert_eq!(samples.get(r#"waypost_requests_total{method="INVITE",transport="tls"}"#), None);
}

#[test]
fn what_dns_is_waited_for_shows() {
    let bench = bench(&["default"]);
    let tallies = Tallies {
        waited: 1,
        retransmissions: 2,
        questions: 3,
        questions_shared: 4,
        questions_forgotten: 5,
        overflows: 6,
        timeouts: 7,
        too_many_questions: 8,
    };
    let cache = CacheTallies {
        fresh: 13,
        stale: 14,
        negative: 15,
        failed: 16,
        missed: 17,
        refreshes: 18,
        mended: 19,
    };
    let waits = Waits { tallies, cache, waiting: 9, questions: 10, cache_entries: 11, cache_bytes: 12 };
    bench.counters.set_waits(waits);
    bench.counters.dns_answer(Kind::Naptr, &Answer::Failed(Failure::Timeout));
    bench.counters.dns_answer(Kind::Naptr, &Answer::Failed(Failure::Timeout));
    bench.counters.dns_answer(Kind::Aaaa, &Answer::Nothing { why: Nothing::NoData, ttl_s: 60 });
    let samples = bench.samples();
    for (sample, value) in [
        ("waypost_dns_waits_total", 1.0),
        ("waypost_dns_retransmissions_total", 2.0),
        ("waypost_dns_questions_total", 3.0),
        ("waypost_dns_questions_shared_total", 4.0),
        ("waypost_dns_questions_forgotten_total", 5.0),
        (r#"waypost_dns_gave_up_total{reason="overflow"}"#, 6.0),
        (r#"waypost_dns_gave_up_total{reason="timeout"}"#, 7.0),
        (r#"waypost_dns_gave_up_total{reason="too_many_questions"}"#, 8.0),
        ("waypost_waiting", 9.0),
        ("waypost_dns_questions_under_way", 10.0),
        ("waypost_dns_cache_entries", 11.0),
        ("waypost_dns_cache_bytes", 12.0),
        (r#"waypost_dns_cache_lookups_total{result="fresh"}"#, 13.0),
        (r#"waypost_dns_cache_lookups_total{result="stale"}"#, 14.0),
        (r#"waypost_dns_cache_lookups_total{result="negative"}"#, 15.0),
        (r#"waypost_dns_cache_lookups_total{result="failed"}"#, 16.0),
        (r#"waypost_dns_cache_lookups_total{result="missed"}"#, 17.0),
        ("waypost_dns_refreshes_total", 18.0),
        ("waypost_dns_expressions_mended_total", 19.0),
        (r#"waypost_dns_answers_total{result="timeout",type="NAPTR"}"#, 2.0),
        (r#"waypost_dns_answers_total{result="nodata",type="AAAA"}"#, 1.0),
        (r#"waypost_dns_answers_total{result="found",type="A"}"#, 0.0),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample}");
    }
}

#[test]
fn what_the_resolver_knows_shows() {
    let bench = bench(&["default"]);
    let server = r#"waypost_dns_server_up{server="127.0.0.1:1"}"#;
    assert_eq!(bench.samples().get(server), Some(&1.0), "not asked yet");
    (0..3).for_each(|_| bench.ask());
    let samples = bench.samples();
    for (sample, value) in [
        (server, 0.0),
        (r#"waypost_dns_server_up{server="127.0.0.1:2"}"#, 0.0),
        ("waypost_dns_hedges_total", 0.0),
        (r#"waypost_dns_question_seconds_bucket{apex="default",le="0.1"}"#, 0.0),
        (r#"waypost_dns_question_seconds_bucket{apex="default",le="+Inf"}"#, 3.0),
        (r#"waypost_dns_question_seconds_count{apex="e164.example"}"#, 3.0),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample}");
    }
    // Nobody answered: that is how long was waited.
    let rtt_s = samples[r#"waypost_dns_server_rtt_seconds{server="127.0.0.1:1"}"#];
    assert!(rtt_s * 1000.0 >= DNS_SERVER_MS_MAX as f64, "{rtt_s}");
}

#[test]
fn the_source_shows() {
    let bench = bench(&["default"]);
    let file = Entry { path: "a.yaml".into(), bytes: 1, sha256: [0; 32] };
    bench.source.serves(&Manifest::write(42, 1_767_614_400, &[file], None).unwrap().1);
    bench.source.note(Look::Loaded, 1_767_614_500);
    bench.source.note(Look::Refused, 1_767_614_600);
    let samples = bench.samples();
    for (sample, value) in [
        ("waypost_source_serial", 42.0),
        ("waypost_source_published_timestamp_seconds", 1_767_614_400.0),
        ("waypost_source_last_success_timestamp_seconds", 1_767_614_500.0),
        (r#"waypost_source_fetches_total{result="loaded"}"#, 1.0),
        (r#"waypost_source_fetches_total{result="refused"}"#, 1.0),
        (r#"waypost_source_fetches_total{result="bad_signature"}"#, 0.0),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample}");
    }
}

#[test]
fn the_table_and_its_reloads_show() {
    let bench = bench(&["a", "b"]);
    bench.reloader.request(Cause::Http).unwrap().blocking_recv().unwrap();
    let samples = bench.samples();
    for (sample, value) in [
        ("waypost_table_generation", 1.0),
        (r#"waypost_table_info{hash="abc123"}"#, 1.0),
        ("waypost_table_routes", 2.0),
        ("waypost_reload_successful", 1.0),
        (r#"waypost_reloads_total{result="unchanged"}"#, 1.0),
        (r#"waypost_reloads_total{result="loaded"}"#, 0.0),
        (r#"waypost_reloads_total{result="failed"}"#, 0.0),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample}");
    }
    // Loaded in the year 1970, found unchanged a moment ago.
    let (age, success) =
        (samples["waypost_table_age_seconds"], samples["waypost_reload_success_timestamp_seconds"]);
    assert!((age + 1_000.0 - success).abs() < 60.0, "{age} {success}");
}

#[test]
fn label_values_are_escaped() {
    let bench = bench(&["a \"quoted\" \\ name\nof two lines"]);
    let text = bench.text();
    assert!(
        text.contains(r#"waypost_route_answers_total{route="a \"quoted\" \\ name\nof two lines"} 0"#),
        "{text}"
    );
    parse(&text);
}
