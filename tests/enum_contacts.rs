//! URIs of ENUM that were read together when their answer came make the same Contacts as each by itself.

#[path = "dispatch/calls.rs"]
#[allow(dead_code)]
mod calls;
#[path = "dispatch/contacts.rs"]
mod contacts;

use calls::{Call, Played, play_knowing};
use contacts::{EachStep, hosts, table_of};
use proptest::{
    collection::vec, prelude::*, sample::select, strategy::ValueTree as _, test_runner::TestRunner,
};
use waypost::{
    decide::{NoTrace, Settings},
    dns::{Answer, Cache, DnsView, EnumPlan, EnumResult, Found, Naptr, Record, Step, lookup, lookup_found},
    limits::{ANSWER_BYTES_MIN, NAPTR_TRIED_MAX},
    route::{Down, Ourselves, RouteTable, Then},
};

/// How the only route looks numbers up.
fn plan(table: &RouteTable) -> &EnumPlan {
    match &table.routes[0].then {
        Then::Enum(route) => &route.plan,
        other => panic!("{other:?}"),
    }
}

/// What is cached when DNS has these records for the number of the call.
fn cache(table: &RouteTable, records: &[(&str, String)]) -> Cache {
    let records = records.iter().enumerate().map(|(at, (services, uri))| {
        Record::Naptr(Naptr {
            order: 1,
            preference: u16::try_from(at).expect("few records"),
            flags: b"u"[..].into(),
            services: services.as_bytes().into(),
            regexp: format!("!^(.*)$!{uri}!").into_bytes().into(),
            replacement: ".".into(),
        })
    });
    let answer = Answer::Found { records: records.collect(), ttl_s: 60 };
    let mut cache = Cache::new();
    match lookup(b"+4411", plan(table), &DnsView::new(&cache, 0), &mut |_| {}) {
        Step::Ask(ask) => cache.insert(ask.questions[0].clone(), answer, 0),
        known @ Step::Done(_) => panic!("{known:?}"),
    }
    cache
}

fn table(defaults: &str) -> RouteTable {
    let text = format!(
        "defaults: {{ {defaults} }}\n\
         routes: [ {{ enum: {{ apexes: e164.example.net, services: [sip, 'pstn:sip'], empty: 410 }} }} ]\n"
    );
    table_of(&text, "")
}

/// What becomes of a call with its Contacts together, and with each by itself.
fn both_ways(cache: &Cache, table: &RouteTable, call: &Call, settings: &Settings) -> [Played; 2] {
    let world = (settings, Down::NONE);
    [
        play_knowing(cache, table, call, world, &mut NoTrace),
        play_knowing(cache, table, call, world, &mut EachStep),
    ]
}

fn settings(names: &[&str]) -> Settings {
    let names = names.iter().map(|&name| name.into()).collect();
    Settings { ourselves: Ourselves { listeners: Vec::new(), names }, ..Settings::default() }
}

/// Whether the URIs of the number come all at once, and how many.
fn are_together(table: &RouteTable, records: &[(&str, String)]) -> Option<usize> {
    let cache = cache(table, records);
    let mut together = None;
    let step = lookup_found(b"+4411", plan(table), &DnsView::new(&cache, 0), &mut |found| {
        if let Found::All(all) = found {
            together = Some(all.len());
            assert_eq!((all.each().count(), all.is_empty()), (all.len(), false));
        }
        true
    });
    if together.is_some() {
        assert_eq!(step, Step::Done(EnumResult::Found(together.unwrap_or_default())));
    }
    together
}

fn record() -> impl Strategy<Value = (&'static str, String)> {
    let hosts = vec![
        "a.example.net",
        "A.example.NET",
        "b.example.net",
        "c.example.net",
        "d.example.net:5061",
        "e.example.net;transport=tcp",
        "f.example.net",
        "192.0.2.99",
        "g.example.net;maddr=192.0.2.9",
        "[2001:db8::1]",
    ];
    let services = vec!["E2U+sip", "E2U+sip", "E2U+sip", "e2u+SIP", "E2U+pstn:sip", "E2U+sips"];
    let users = vec![r"sip:\1@", r"sip:\1@", "sip:", "mailto:x@", "sips:+44@"];
    (select(services), select(users), select(hosts))
        .prop_map(|(services, user, host)| (services, format!("{user}{host}")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn an_answer_out_of_enum_is_the_same_by_both_ways(
        records in vec(record(), 1..5),
        (contacts_max, bytes_max) in (1..5, ANSWER_BYTES_MIN..700),
        host in select(vec!["a.example.net", "c.example.net", "h.example.net"]),
        names in select(vec![&[][..], &["b.example.net"], &["F.example.net", "x.example.net"]]),
    ) {
        let table = table(&format!("contacts_max: {contacts_max}, answer_bytes_max: {bytes_max}"));
        let call = Call { host: host.to_owned(), ..Call::default() };
        let [together, each] = both_ways(&cache(&table, &records), &table, &call, &settings(names));
        prop_assert_eq!(together, each, "{:?}", records);
    }
}

/// The property is worth its name: some lists come together, and some do not.
#[test]
fn what_is_generated_comes_together_now_and_then() {
    let (mut runner, table) = (TestRunner::deterministic(), table("code: 302"));
    let lists = 200;
    let list = |_| vec(record(), 1..5).new_tree(&mut runner).expect("a list").current();
    let together = (0..lists).map(list).filter(|records| are_together(&table, records).is_some()).count();
    assert!((lists / 10..lists * 2 / 3).contains(&together), "{together} of {lists}");
}

#[test]
fn uris_of_one_service_that_lead_to_different_names_come_together() {
    let table = table("code: 302");
    let sip = |host: &str| ("E2U+sip", format!(r"sip:\1@{host}"));
    for (what, records, expected) in [
        ("three", vec![sip("a.net"), sip("b.net:5061"), sip("c.net;transport=tcp")], Some(3)),
        ("one", vec![sip("a.net")], Some(1)),
        ("in other letters", vec![sip("a.net"), ("e2u+SIP", r"sips:\1@b.net".to_owned())], Some(2)),
        ("another service", vec![sip("a.net"), ("E2U+pstn:sip", r"sip:\1@b.net".to_owned())], None),
        ("a service that is not wanted", vec![("E2U+sips", r"sips:\1@a.net".to_owned())], None),
        ("one name twice", vec![sip("a.net"), sip("A.net")], None),
        ("an address", vec![sip("a.net"), sip("192.0.2.1")], None),
        ("another next hop", vec![sip("a.net;maddr=b.net")], None),
        ("no SIP", vec![sip("a.net"), ("E2U+sip", "mailto:x@b.net".to_owned())], None),
    ] {
        assert_eq!(are_together(&table, &records), expected, "{what}");
    }
    let many = |count: usize| (0..count).map(|at| sip(&format!("h{at}.net"))).collect::<Vec<_>>();
    assert_eq!(are_together(&table, &many(NAPTR_TRIED_MAX)), Some(NAPTR_TRIED_MAX));
    assert_eq!(are_together(&table, &many(NAPTR_TRIED_MAX + 1)), None, "more than are tried");
}

#[test]
fn uris_that_come_together_are_judged_as_ever() {
    let records = ["a", "b", "c"].map(|host| ("E2U+sip", format!(r"sip:\1@{host}.example.net")));
    assert_eq!(are_together(&table("code: 302"), &records), Some(3));
    for (what, host, names, defaults, expected) in [
        ("three", "h.example.net", &[][..], "code: 302", &["a", "b", "c"][..]),
        ("one is the Request-URI", "b.example.net", &[], "code: 302", &["a", "c"]),
        ("one is ours", "h.example.net", &["c.example.net"], "code: 302", &["a", "b"]),
        ("more than there may be", "h.example.net", &[], "contacts_max: 2", &["a", "b"]),
        ("as many as there may be", "h.example.net", &[], "contacts_max: 3", &["a", "b", "c"]),
    ] {
        let call = Call { host: host.to_owned(), ..Call::default() };
        let table = table(defaults);
        let [together, each] = both_ways(&cache(&table, &records), &table, &call, &settings(names));
        assert_eq!(together, each, "{what}");
        assert_eq!(hosts(&together), expected, "{what}: {}", together.answer);
    }
}
