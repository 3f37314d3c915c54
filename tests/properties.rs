//! What holds for every datagram, whatever its bytes.

use std::net::SocketAddr;

use proptest::prelude::*;
use waypost::{
    decide::{Arrival, Context, NoTrace, Reply, Scratch, Settings, Verdict, decide},
    dns::{Cache, DnsView},
    limits::{ANSWER_BYTES_ROOM, CONTACTS_MAX, MESSAGE_BYTES_MAX},
    route::{Down, RouteTable, Transport, file},
    sip::Uri,
};

const ROUTES: &str = r#"
defaults: { numbers: uk }
numbers:
  uk: [ { starts: "00", strip: 2, prefix: "+" }, { starts: "0", strip: 1, prefix: "+44" } ]
gateways:
  one: sip:one.example.net
  two: { uri: "sip:198.51.100.12:5070;transport=tcp", strip: 1, prefix: "7001", params: { tgrp: uk, trunk-context: example.net } }
  three: sip:three.example.net
groups:
  all: [ { to: one, weight: 3 }, { to: two }, { to: three, tier: 2 } ]
routes:
  - { name: emergency, when: { number: ["112"] }, answer: { code: 380, service: emergency, contacts: ["urn:service:sos"] } }
  - { name: header, when: { header: { X-Class: "gold*" } }, answer: { group: all, headers: { X-Copy: "{header.X-Class} {from.uri}" } } }
  - { name: user, when: { number: "+44*" }, set: { rn: "{number|digits}", npdi: true, var: { u: "{user}" } } }
  - { name: copy, when: { host: "*.example.com" }, answer: { contact: "sip:{user}@{host}.example.org;x={param.x}?Subject={header.Subject}" } }
  - { name: next, when: { header: { Subject: "sip:*" } }, answer: { contacts: ["{header.Subject};x={header.X-Class}", "sip:{number}@a.example.net;transport={header.X-Class}", one], empty: 480 } }
  - { name: locate, when: { host: "192.0.2.*" }, answer: { locate: "{host};x={method}" } }
  - { name: enum, when: { number: "+1*" }, enum: { apexes: [e164.example.net], services: [sip] } }
  - { name: all, answer: { group: all, expires: 60 } }
"#;

fn table() -> RouteTable {
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: ROUTES.as_bytes().to_vec() };
    let draft = file::parse(&[source]).expect("routes");
    draft.build_from(&|_| Err("none".to_owned())).expect("table").0
}

/// One server: what [`decide`] is given, and its buffers.
struct Server {
    table: RouteTable,
    settings: Settings,
    scratch: Scratch,
    cache: Cache,
    out: Vec<u8>,
}

impl Server {
    fn new() -> Self {
        Self {
            table: table(),
            settings: Settings { key: [7; 16], server: Some("Waypost".into()), ..Settings::default() },
            scratch: Scratch::new(),
            cache: Cache::new(),
            out: vec![0; ANSWER_BYTES_ROOM],
        }
    }

    fn decide(&mut self, datagram: &[u8], source: SocketAddr, give_up: bool) -> (Verdict, Vec<u8>) {
        let local = "192.0.2.1:5060".parse().expect("address");
        let arrival =
            Arrival { source, local, listener: "default", transport: Transport::Udp, identity: None };
        let dns = if give_up { DnsView::giving_up(&self.cache, 0) } else { DnsView::new(&self.cache, 0) };
        let context = Context {
            settings: &self.settings,
            table: &self.table,
            dns,
            unix_s: 1_767_614_400,
            draining: false,
            down: Down::NONE,
            guess: None,
        };
        self.out.fill(0xAA);
        let verdict = decide(datagram, &arrival, &context, &mut self.scratch, &mut NoTrace, &mut self.out);
        let len = if let Verdict::Reply(Reply { len, .. }) = verdict { len } else { 0 };
        (verdict, self.out[..len].to_vec())
    }
}

fn source() -> SocketAddr {
    "198.51.100.7:5060".parse().expect("address")
}

/// An INVITE with every part that can vary drawn from what may stand there, and from what may not.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![Just("INVITE"), Just("OPTIONS"), Just("MESSAGE"), Just("ACK"), Just("JUMP")];
    let user = "(\\+44[0-9]{4,9}(;[a-z]{1,8}(=[a-z0-9+]{0,9})?){0,70}|\\+1[0-9]{10}|0[0-9]{8}|112|[a-z;=%?@<>\" ]{0,12}|[a-z]{1000,1400})";
    let host = "([a-z]{1,8}\\.example\\.(net|com)|192\\.0\\.2\\.[0-9]{1,3}|\\[2001:db8::1\\])";
    let token = "[!-~]{0,24}";
    let extra = prop::collection::vec(
        prop_oneof![
            ("[A-Za-z-]{1,16}", "[ -~\\t]{0,60}").prop_map(|(name, value)| format!("{name}: {value}")),
            token.prop_map(|value| format!("X-Class: gold{value}")),
            token.prop_map(|value| format!("Subject: {value}")),
            "sip:[a-z@;=<>.%?]{0,20}(;transport=(tls|TLS|t%6cs))?"
                .prop_map(|value| format!("Subject: {value}")),
            token.prop_map(|value| format!("Via: SIP/2.0/UDP h;branch={value}")),
        ],
        0..12,
    );
    (method, user, host, token, token, extra).prop_map(|(method, user, host, branch, call_id, extra)| {
        let mut text = format!(
            "{method} sip:{user}@{host};x=1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;rport;branch=z9hG4bK{branch}\r\n\
             From: <sip:{user}@{host}>;tag=1\r\nTo: <sip:{user}@{host}>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n"
        );
        for line in extra {
            text.push_str(&line);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    })
}

/// A request with some of its bytes changed, cut or doubled.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..8);
    (request(), changes).prop_map(|(mut bytes, changes)| {
        for (at, byte, how) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match how {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes.truncate(MESSAGE_BYTES_MAX + 1);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Server::new().decide(&bytes, source(), true);
    }

    #[test]
    fn no_mangled_request_makes_it_panic_or_answer_with_a_broken_message(bytes in mangled()) {
        let (verdict, answer) = Server::new().decide(&bytes, source(), true);
        if let Verdict::Reply(reply) = verdict {
            is_well_formed(&answer, reply.status)?;
            prop_assert_eq!(reply.to.ip(), source().ip(), "an answer goes to nobody but the source");
        }
    }

    #[test]
    fn the_same_request_gets_the_same_bytes_from_any_node(bytes in request(), other in request()) {
        let (mut a, mut b) = (Server::new(), Server::new());
        let first = a.decide(&bytes, source(), true);
        let _ = a.decide(&other, source(), true);
        prop_assert_eq!(&first, &a.decide(&bytes, source(), true), "after another call");
        prop_assert_eq!(&first, &b.decide(&bytes, source(), true), "from another node");
    }

    #[test]
    fn an_answer_keeps_its_limits(bytes in request()) {
        let mut server = Server::new();
        let (verdict, answer) = server.decide(&bytes, source(), true);
        if let Verdict::Reply(reply) = verdict {
            is_well_formed(&answer, reply.status)?;
            let text = String::from_utf8_lossy(&answer).into_owned();
            let contacts = text.lines().filter(|line| line.starts_with("Contact: ")).collect::<Vec<_>>();
            prop_assert!(contacts.len() <= 1, "one Contact line");
            let count = contacts.first().map_or(0, |line| line.matches(">;q=").count());
            prop_assert!(count <= CONTACTS_MAX);
            let budget = server.table.defaults.answer_bytes_max;
            prop_assert!(answer.len() <= budget || count <= 1, "{} bytes with {count} Contacts", answer.len());
        }
    }

    #[test]
    fn a_question_is_asked_only_while_there_is_time(bytes in request()) {
        let (verdict, _) = Server::new().decide(&bytes, source(), true);
        let asks = matches!(verdict, Verdict::Ask(_));
        prop_assert!(!asks);
    }
}

/// Every Contact is a URI that may stand there, and q falls strictly.
fn contacts_are_sound(answer: &str) -> Result<(), TestCaseError> {
    let Some(line) = answer.lines().find_map(|line| line.strip_prefix("Contact: ")) else { return Ok(()) };
    let mut last_q = 1.1;
    for contact in line.split(", <").map(|contact| contact.trim_start_matches('<')) {
        let (uri, params) = contact.split_once('>').expect("a URI in <>");
        let read = Uri::parse(uri.as_bytes());
        prop_assert!(read.is_some(), "{uri} is a URI");
        let transport = read.and_then(|uri| uri.param(b"transport").flatten());
        let is_tls = transport.is_some_and(|value| value.eq_ignore_ascii_case(b"tls"));
        prop_assert!(!is_tls, "{uri}");
        let q =
            params.strip_prefix(";q=").and_then(|q| q.split(';').next()).and_then(|q| q.parse::<f64>().ok());
        let q = q.expect("q");
        prop_assert!(q < last_q, "q falls: {line}");
        last_q = q;
    }
    Ok(())
}

/// An answer that a stranger can read: a status line, header lines, one empty line, nothing left over.
fn is_well_formed(answer: &[u8], status: u16) -> Result<(), TestCaseError> {
    let start = format!("SIP/2.0 {status} ");
    prop_assert!(answer.starts_with(start.as_bytes()), "status line");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    prop_assert!(end.is_some(), "an empty line ends the header");
    let end = end.unwrap_or(0);
    let head = &answer[..end];
    for line in head.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        prop_assert!(!line.is_empty(), "no empty line inside");
        prop_assert!(!line.iter().any(|&byte| byte == b'\r' || byte == 0), "no bare CR or NUL: {line:?}");
    }
    let bare_lf =
        head.iter().enumerate().any(|(at, &byte)| byte == b'\n' && (at == 0 || head[at - 1] != b'\r'));
    prop_assert!(!bare_lf, "no bare LF");
    let text = String::from_utf8_lossy(head).into_owned();
    contacts_are_sound(&text)?;
    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    prop_assert_eq!(
        length.and_then(|length| length.parse().ok()),
        Some(answer.len() - end - 4),
        "Content-Length"
    );
    Ok(())
}
