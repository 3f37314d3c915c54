//! The weights of a group, seen from outside: 100,000 calls with Call-IDs of their own, counted by their
//! first Contact.

use std::collections::BTreeMap;

use waypost::{
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Verdict, decide},
    dns::{Cache, DnsView},
    limits::ANSWER_BYTES_ROOM,
    route::{Down, Transport, file},
};

const CALLS: u32 = 100_000;

const ROUTES: &str = "
gateways: { a: sip:a.example.net, b: sip:b.example.net, c: sip:c.example.net, d: sip:d.example.net }
groups: { all: [ { to: a, weight: 5 }, { to: b, weight: 3 }, { to: c, weight: 2 }, { to: d, tier: 2 } ] }
routes: [ { name: all, answer: { group: all } } ]
";

#[test]
fn a_hundred_thousand_calls_split_by_weight_within_one_percent() {
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: ROUTES.as_bytes().to_vec() };
    let draft = file::parse(&[source]).expect("routes");
    let (table, _) = draft.build_from(&|_| Err("no file".to_owned())).expect("table");
    let (settings, cache) = (Settings { key: *b"a fleet's secret", ..Settings::default() }, Cache::new());
    let dns = DnsView::giving_up(&cache, 0);
    let context = Context {
        settings: &settings,
        table: &table,
        dns,
        unix_s: 0,
        draining: false,
        down: Down::NONE,
        guess: None,
    };
    let arrival = Arrival {
        source: "198.51.100.7:5060".parse().expect("address"),
        local: "192.0.2.1:5060".parse().expect("address"),
        listener: "default",
        transport: Transport::Udp,
        identity: None,
    };
    let (mut scratch, mut out) = (Scratch::new(), vec![0; ANSWER_BYTES_ROOM]);
    let mut firsts = BTreeMap::new();
    for call in 0..CALLS {
        let request = format!(
            "INVITE sip:+1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{call}\r\n\
             From: <sip:b@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: {call}@198.51.100.7\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        let verdict = decide(request.as_bytes(), &arrival, &context, &mut scratch, &mut NoTrace, &mut out);
        let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
        let answer = std::str::from_utf8(&out[..reply.len]).expect("text");
        let contacts = answer.split_once("Contact: <sip:+1@").expect("Contacts").1;
        *firsts.entry(contacts.as_bytes()[0]).or_insert(0_u32) += 1;
        assert_eq!(contacts.matches(";q=").count(), 4);
        assert!(contacts.contains("<sip:+1@d.example.net>;q=0.96\r\n"), "the second tier comes last");
    }
    for (gateway, expected) in [(b'a', 50_000), (b'b', 30_000), (b'c', 20_000)] {
        let got = firsts[&gateway];
        assert!(
            got.abs_diff(expected) <= CALLS / 100,
            "{} got {got}, {expected} expected",
            char::from(gateway)
        );
    }
}
