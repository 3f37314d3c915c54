//! Answers with many hosts to be located: their questions are bounded, and a retransmission, which finds all
//! answers in the cache, gets the bytes of the first.

#![allow(missing_docs)]

use std::net::Ipv4Addr;

use waypost::{
    decide::{Arrival, Context, Scratch, Settings, Trace, Verdict, decide},
    dns::{Answer, Cache, DnsView, Failure, Kind, Naptr, Nothing, Policy, Question, Record, Srv},
    engine::{Engine, Now, Outcome, Path},
    limits::{ANSWER_BYTES_ROOM, LOCATIONS_PER_ANSWER_MAX, QUESTIONS_PER_REQUEST_MAX},
    route::{Down, RouteTable, Transport, file},
};

const SOURCE: ([u8; 4], u16) = ([198, 51, 100, 7], 5060);

fn table(gateways: usize, port: &str) -> RouteTable {
    let names: Vec<_> = (0..gateways).map(|index| format!("g{index}")).collect();
    let gateways: Vec<_> = names
        .iter()
        .map(|name| format!("{name}: {{ uri: 'sip:{name}.example{port}', resolve: true }}"))
        .collect();
    let text = format!(
        "gateways: {{ {} }}\ngroups: {{ all: [ {} ] }}\nroutes: [ {{ answer: {{ group: all, answer_bytes_max: 60000 }} }} ]\n",
        gateways.join(", "),
        names.join(", ")
    );
    let source = file::Source { path: "a.yaml".to_owned(), bytes: text.into_bytes() };
    let draft = file::parse(&[source]).unwrap_or_else(|errors| panic!("{errors:#?}"));
    draft.build_from(&|_| Ok(Vec::new())).unwrap_or_else(|errors| panic!("{errors:#?}")).0
}

/// A number that follows from a text.
fn drawn(text: &str, salt: u64) -> u64 {
    text.bytes().fold(salt.wrapping_mul(0x9e37_79b9), |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    })
}

/// A zone that follows from its salt: NAPTR of some hosts, up to 13 SRV records of some services, one
/// address of most servers; some questions fail.
fn zone(question: &Question, salt: u64) -> Answer {
    let name = question.name();
    let chance = drawn(&format!("{name}{:?}", question.kind()), salt);
    let nothing = Answer::Nothing { why: Nothing::NoData, ttl_s: 60 };
    let found = |records| Answer::Found { records, ttl_s: 60 };
    if chance.is_multiple_of(10) {
        return Answer::Failed(Failure::ServFail);
    }
    match question.kind() {
        Kind::Naptr if chance.is_multiple_of(3) => {
            let naptr = |(order, service, replacement): (u16, &str, String)| {
                Record::Naptr(Naptr {
                    order,
                    preference: 1,
                    flags: b"s"[..].into(),
                    services: service.as_bytes().into(),
                    regexp: Box::default(),
                    replacement: replacement.into(),
                })
            };
            let records = [
                (1, "SIP+D2T", format!("_sip._tcp.far{name}")),
                (2, "SIP+D2U", format!("_sip._udp.{name}")),
                (3, "SIP+D2U", format!("_sip._udp.other{name}")),
            ];
            found(records.into_iter().map(naptr).collect())
        }
        Kind::Srv if !chance.is_multiple_of(3) => {
            let srv = |server| {
                let target = format!("s{server}.{}", name.split_once('.').unwrap().1).into();
                Record::Srv(Srv { priority: 1, weight: server, port: 5060, target })
            };
            found((1..=u16::try_from(chance % 14).unwrap()).map(srv).collect())
        }
        Kind::A if !chance.is_multiple_of(4) => {
            found(vec![Record::A(Ipv4Addr::from(chance as u32 | 0x2000_0000))])
        }
        _ => nothing,
    }
}

fn invite(id: usize) -> String {
    format!(
        "INVITE sip:+442079460123@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{id}\r\n\
         From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: {id}\r\nCSeq: 1 INVITE\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

struct Bench {
    engine: Engine,
    out: Vec<u8>,
    /// Asked of one request.
    asked: Vec<Question>,
}

impl Bench {
    fn new() -> Self {
        let engine = Engine::new(Settings::default(), vec!["default".into()]);
        Self { engine, out: vec![0; ANSWER_BYTES_ROOM], asked: Vec::new() }
    }

    /// The answer to one call; the rounds of questions that it took.
    fn call(&mut self, id: usize, table: &RouteTable, salt: u64) -> (String, usize) {
        let text = invite(id);
        let path = Path {
            source: SOURCE.into(),
            local: ([198, 51, 100, 1], 5060).into(),
            listener: 0,
            transport: Transport::Udp,
        };
        let now = Now { ms: 10, unix_s: 1_700_000_000 };
        self.asked.clear();
        let mut outcome = self.engine.datagram(text.as_bytes(), path, table, now, &mut self.out).1;
        let mut rounds = 0;
        loop {
            let Outcome::Send { reply, .. } = outcome else {
                assert_eq!(outcome, Outcome::Wait);
                rounds += 1;
                let round: Vec<_> = std::iter::from_fn(|| self.engine.next_question(now)).collect();
                assert!(!round.is_empty(), "waits for nothing");
                for question in &round {
                    self.engine.answered(question.clone(), zone(question, salt), now);
                }
                self.asked.extend(round);
                outcome = self.engine.next_ready(table, now, &mut self.out).expect("its answers are there");
                continue;
            };
            return (String::from_utf8(self.out[..reply.len].to_vec()).expect("text"), rounds);
        }
    }
}

#[test]
fn many_hosts_take_three_rounds_and_a_retransmission_gets_the_same_bytes() {
    let (mut most, mut contacts) = (0, 0);
    for salt in 0..40 {
        for gateways in [1, 2, 3, 4, 7, LOCATIONS_PER_ANSWER_MAX, LOCATIONS_PER_ANSWER_MAX + 8] {
            let table = table(gateways, "");
            let mut bench = Bench::new();
            let (first, rounds) = bench.call(gateways, &table, salt);
            assert!(rounds <= 3, "{rounds} rounds, {gateways} gateways, {salt}");
            assert!(bench.asked.len() <= QUESTIONS_PER_REQUEST_MAX, "{} questions", bench.asked.len());
            most = most.max(bench.asked.len());
            assert_eq!(bench.engine.tallies().too_many_questions, 0);
            let (again, rounds) = bench.call(gateways, &table, salt);
            assert_eq!((again, rounds), (first.clone(), 0), "{gateways} gateways, {salt}");
            contacts += first.matches("<sip:+44").count();
        }
    }
    // Else what is asserted was hardly put to the test.
    assert!(
        most > QUESTIONS_PER_REQUEST_MAX * 3 / 4 && contacts > 1000,
        "{most} questions, {contacts} Contacts"
    );
}

#[test]
fn hosts_are_located_to_the_limit() {
    for (gateways, located) in [
        (LOCATIONS_PER_ANSWER_MAX, LOCATIONS_PER_ANSWER_MAX),
        (LOCATIONS_PER_ANSWER_MAX + 1, LOCATIONS_PER_ANSWER_MAX),
    ] {
        let mut bench = Bench::new();
        bench.call(1, &table(gateways, ":5060"), 0);
        assert_eq!(bench.asked.len(), 2 * located, "{gateways}");
    }
}

/// What `explain` is told of Contacts.
#[derive(Default)]
struct Told(Vec<String>);

impl Trace for Told {
    const ON: bool = true;
    fn contact(&mut self, uri: &[u8], _q_milli: u16) {
        self.0.push(format!("contact {}", uri.escape_ascii()));
    }
    fn dropped(&mut self, uri: &[u8], why: &'static str) {
        self.0.push(format!("dropped {}: {why}", uri.escape_ascii()));
    }
    fn note(&mut self, what: &str) {
        self.0.push(what.to_owned());
    }
}

#[test]
fn it_is_told_why_a_server_is_no_contact() {
    let table = table(3, ";transport=tcp");
    let mut cache = Cache::new();
    let srv = |target: &str| Record::Srv(Srv { priority: 1, weight: 1, port: 5070, target: target.into() });
    let found = |records| Answer::Found { records, ttl_s: 60 };
    let address = |address: &str| found(vec![Record::A(address.parse().unwrap())]);
    let nothing = Answer::Nothing { why: Nothing::NxDomain, ttl_s: 60 };
    for (name, kind, answer) in [
        ("_sip._tcp.g0.example.", Kind::Srv, found(vec![srv("in.example."), srv("out.example.")])),
        ("_sip._tcp.g1.example.", Kind::Srv, Answer::Failed(Failure::Refused)),
        ("_sip._tcp.g2.example.", Kind::Srv, nothing.clone()),
        ("g2.example.", Kind::A, nothing.clone()),
        ("g2.example.", Kind::Aaaa, nothing.clone()),
        ("in.example.", Kind::A, address("10.0.0.1")),
        ("in.example.", Kind::Aaaa, nothing.clone()),
        ("out.example.", Kind::A, address("192.0.2.1")),
        ("out.example.", Kind::Aaaa, nothing),
    ] {
        cache.insert(Question::new(name, kind).unwrap(), answer, 0);
    }
    let dns_policy = Policy { deny: vec!["10.0.0.0/8".parse().unwrap()], ..Policy::default() };
    let settings = Settings { dns_policy, ..Settings::default() };
    let context = Context {
        settings: &settings,
        table: &table,
        dns: DnsView::new(&cache, 0),
        unix_s: 0,
        draining: false,
        down: Down::NONE,
        guess: None,
    };
    let arrival = Arrival {
        source: SOURCE.into(),
        local: ([198, 51, 100, 1], 5060).into(),
        listener: "default",
        transport: Transport::Udp,
        identity: None,
    };
    let (mut told, mut out) = (Told::default(), vec![0; ANSWER_BYTES_ROOM]);
    let verdict = decide(invite(1).as_bytes(), &arrival, &context, &mut Scratch::new(), &mut told, &mut out);
    let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
    assert_eq!((reply.status, reply.contacts_dropped), (302, 3));
    told.0.sort();
    assert_eq!(
        told.0,
        [
            "DNS did not answer for _sip._tcp.g1.example Srv (Refused)",
            "contact sip:+442079460123@192.0.2.1:5070;transport=tcp",
            "dropped sip:+442079460123@10.0.0.1:5070;transport=tcp: its address is in a range of dns.deny_answers",
            "dropped sip:+442079460123@g1.example;transport=tcp: DNS did not answer for it",
            "dropped sip:+442079460123@g2.example;transport=tcp: DNS has no server for it",
        ]
    );
}
