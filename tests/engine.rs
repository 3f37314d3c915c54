//! The engine's waiting room, case by case and at its limits. Time is virtual. What chance makes of it is in
//! `simulator.rs`.

#![allow(missing_docs)]

use std::net::Ipv4Addr;

use waypost::{
    decide::{Arrival, Context, Reply, Settings, Silence, Verdict},
    dns::{Answer, Ask, How, Kind, Located, Nothing, Question, Record, Srv, Step, locate},
    engine::{Decide, Engine, Now, Outcome, Path},
    limits::{
        LOOKUP_MS_MAX, MESSAGE_BYTES_MAX, QUESTIONS_PER_REQUEST_MAX, QUESTIONS_UNDER_WAY_MAX,
        WAITING_BYTES_MAX, WAITING_MAX,
    },
    route::{RouteTable, Transport},
    sip::{Method, Uri},
};

/// Stands for SIP: `INVITE id within_ms name name …` needs the address of every name, one after the
/// other, and is answered with the table's code, its own text, and what was seen of each name.
#[derive(Debug)]
struct Names;

impl Decide for Names {
    fn decide(
        &mut self,
        message: &[u8],
        arrival: &Arrival<'_>,
        context: &Context<'_>,
        out: &mut [u8],
    ) -> Verdict {
        let text = std::str::from_utf8(message).unwrap();
        // What follows `#` only makes it long.
        let text = text.split(" #").next().unwrap();
        let mut words = text.split(' ');
        if words.next() != Some("INVITE") {
            return Verdict::Silence(Silence::Ack);
        }
        let within_ms = words.nth(1).unwrap().parse().unwrap();
        let mut reply = format!("{} {}|{text}|", arrival.listener, context.table.defaults.no_route_code);
        for name in words {
            match context.dns.look(name, Kind::A, within_ms) {
                waypost::dns::Seen::Unknown => {
                    let questions = vec![Question::new(name, Kind::A).unwrap()];
                    return Verdict::Ask(Ask { questions, within_ms });
                }
                seen => reply.push_str(&format!(" {seen:?}")),
            }
        }
        answer(&reply, arrival, out)
    }
}

fn answer(text: &str, arrival: &Arrival<'_>, out: &mut [u8]) -> Verdict {
    out[..text.len()].copy_from_slice(text.as_bytes());
    Verdict::Reply(Reply {
        len: text.len(),
        to: arrival.source,
        status: 302,
        method: Method::Invite,
        route: None,
        access: None,
        fault: None,
        contacts_trimmed: 0,
        contacts_dropped: 0,
        headers_trimmed: 0,
        capped: None,
    })
}

/// Stands for a route that locates `example.net` (RFC 3263): answers with the targets.
#[derive(Debug)]
struct Locates;

impl Decide for Locates {
    fn decide(
        &mut self,
        _message: &[u8],
        arrival: &Arrival<'_>,
        context: &Context<'_>,
        out: &mut [u8],
    ) -> Verdict {
        let uri = Uri::parse(b"sip:example.net").unwrap();
        let mut targets = String::new();
        let mut emit = |located: Located<'_>| match located {
            Located::Target(target) => targets.push_str(&format!("{} ", target.address)),
            other => panic!("{other:?}"),
        };
        let how = How {
            dns: context.dns,
            policy: &context.settings.dns_policy,
            draw: 7,
            within_ms: 400,
            questions_max: QUESTIONS_PER_REQUEST_MAX,
        };
        match locate(&uri, &how, &mut emit) {
            Step::Ask(ask) => Verdict::Ask(ask),
            Step::Done(_) => answer(&targets, arrival, out),
        }
    }
}

/// An outcome, with the questions that are to be put for it.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    End(Outcome),
    Wait(Vec<Question>),
}

struct Bench {
    engine: Engine<Names>,
    table: RouteTable,
    out: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let listeners = vec!["inside".into(), "outside".into()];
        let engine = Engine::with_decider(Names, Settings::default(), listeners);
        Self { engine, table: RouteTable::default(), out: vec![0; 4096] }
    }

    fn datagram(&mut self, text: &str, path: Path, ms: u64) -> Got {
        let outcome = self.engine.datagram(text.as_bytes(), path, &self.table, now(ms), &mut self.out).1;
        self.got(outcome, ms)
    }

    fn got(&mut self, outcome: Outcome, ms: u64) -> Got {
        let questions = std::iter::from_fn(|| self.engine.next_question(now(ms))).collect::<Vec<_>>();
        match outcome {
            Outcome::Wait => Got::Wait(questions),
            outcome => {
                assert_eq!(questions, []);
                Got::End(outcome)
            }
        }
    }

    fn invite(&mut self, text: &str, ms: u64) -> Got {
        self.datagram(text, path(1), ms)
    }

    fn answered(&mut self, name: &str, answer: Answer, ms: u64) {
        self.engine.answered(question(name), answer, now(ms));
    }

    fn next(&mut self, ms: u64) -> Option<Got> {
        let outcome = self.engine.next_ready(&self.table, now(ms), &mut self.out)?;
        Some(self.got(outcome, ms))
    }

    fn sent(&self, outcome: Option<Got>) -> String {
        let Some(Got::End(Outcome::Send { reply, .. })) = outcome else { panic!("not sent: {outcome:?}") };
        String::from_utf8(self.out[..reply.len].to_vec()).unwrap()
    }
}

fn now(ms: u64) -> Now {
    Now { ms, unix_s: 1_700_000_000 + ms as i64 / 1000 }
}

fn path(port: u16) -> Path {
    Path {
        source: ([192, 0, 2, 7], port).into(),
        local: ([192, 0, 2, 1], 5060).into(),
        listener: 0,
        transport: Transport::Udp,
    }
}

fn question(name: &str) -> Question {
    Question::new(name, Kind::A).unwrap()
}

fn ask(name: &str) -> Got {
    Got::Wait(vec![question(name)])
}

const JOINED: Got = Got::Wait(Vec::new());

fn address(last: u8) -> Answer {
    Answer::Found { records: vec![Record::A(Ipv4Addr::new(198, 51, 100, last))], ttl_s: 60 }
}

#[test]
fn an_answer_wakes_who_waited_in_the_order_of_arrival() {
    let mut bench = Bench::new();
    assert_eq!(bench.invite("INVITE 1 400 a.example", 0), ask("a.example"));
    assert_eq!(bench.invite("INVITE 2 300 a.example", 1), JOINED);
    assert_eq!(bench.invite("INVITE 3 400 b.example", 2), ask("b.example"));
    assert_eq!((bench.engine.waiting(), bench.engine.questions()), (3, 2));
    assert_eq!(bench.engine.deadline_ms(), Some(301));
    assert_eq!(bench.next(3), None);
    bench.answered("b.example", address(2), 4);
    bench.answered("a.example", address(1), 5);
    for id in 1..=3 {
        let next = bench.next(5);
        assert!(bench.sent(next).starts_with(&format!("inside 404|INVITE {id} ")), "{id}");
    }
    assert_eq!(bench.next(5), None);
    assert_eq!((bench.engine.waiting(), bench.engine.deadline_ms()), (0, None));
    let warm = bench.invite("INVITE 4 400 a.example", 6);
    assert!(bench.sent(Some(warm)).contains("198.51.100.1"));
}

#[test]
fn a_retransmission_joins_the_one_that_waits() {
    let mut bench = Bench::new();
    assert_eq!(bench.invite("INVITE 1 400 a.example", 0), ask("a.example"));
    assert_eq!(bench.invite("INVITE 1 400 a.example", 100), JOINED);
    assert_eq!((bench.engine.waiting(), bench.engine.tallies().retransmissions), (1, 1));
    // From elsewhere, or to elsewhere, the same bytes are another message.
    assert_eq!(bench.datagram("INVITE 1 400 a.example", path(2), 100), JOINED);
    let outside = Path { listener: 1, ..path(1) };
    assert_eq!(bench.datagram("INVITE 1 400 a.example", outside, 100), JOINED);
    assert_eq!((bench.engine.waiting(), bench.engine.tallies().retransmissions), (3, 1));
    bench.answered("a.example", address(1), 200);
    let sends: Vec<_> = std::iter::from_fn(|| bench.next(200)).collect();
    assert_eq!(sends.len(), 3);
    let method =
        bench.engine.datagram(b"INVITE 9 400 z.example", path(1), &bench.table, now(201), &mut bench.out);
    assert_eq!(method, (Some(Method::Invite), Outcome::Wait));
    let again =
        bench.engine.datagram(b"INVITE 9 400 z.example", path(1), &bench.table, now(202), &mut bench.out);
    assert_eq!(again, (Some(Method::Invite), Outcome::Wait));
}

#[test]
fn time_ends_at_the_deadline_and_counts_from_the_first_arrival() {
    let mut bench = Bench::new();
    assert_eq!(bench.invite("INVITE 1 400 a.example b.example", 1000), ask("a.example"));
    bench.answered("a.example", address(1), 1300);
    assert_eq!(bench.next(1300), Some(ask("b.example")));
    assert_eq!(bench.engine.deadline_ms(), Some(1400));
    assert_eq!(bench.next(1399), None);
    let next = bench.next(1400);
    let sent = bench.sent(next);
    assert!(sent.contains("198.51.100.1") && sent.ends_with("Failed(Timeout)"), "{sent}");
    assert_eq!(bench.engine.tallies().timeouts, 1);
    // Nobody waits for it, and it is under way all the same: a later request joins it.
    assert_eq!((bench.engine.questions(), bench.engine.tallies().questions_forgotten), (1, 0));
    assert_eq!(bench.invite("INVITE 2 400 b.example", 1450), JOINED);
    bench.answered("b.example", address(2), 1500);
    bench.answered("b.example", address(2), 1501);
    let next = bench.next(1501);
    assert!(bench.sent(next).contains("198.51.100.2"));
}

#[test]
fn a_question_is_kept_as_long_as_one_waits_for_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.invite("INVITE 1 100 a.example", 0), ask("a.example"));
    assert_eq!(bench.invite("INVITE 2 400 a.example", 50), JOINED);
    let next = bench.next(100);
    assert!(bench.sent(next).ends_with("Failed(Timeout)"));
    assert_eq!((bench.engine.questions(), bench.engine.tallies().questions_forgotten), (1, 0));
    assert_eq!(bench.invite("INVITE 3 400 a.example", 101), JOINED);
}

#[test]
fn no_route_waits_longer_than_the_limit_and_one_that_may_not_wait_does_not() {
    let mut bench = Bench::new();
    assert_eq!(bench.invite("INVITE 1 100000 a.example", 0), ask("a.example"));
    assert_eq!(bench.engine.deadline_ms(), Some(LOOKUP_MS_MAX));
    let outcome = bench.invite("INVITE 2 0 a.example", 0);
    assert!(bench.sent(Some(outcome)).ends_with("Failed(Timeout)"));
}

#[test]
fn one_request_causes_a_bounded_number_of_questions() {
    let mut bench = Bench::new();
    let names: Vec<_> = (0..=QUESTIONS_PER_REQUEST_MAX).map(|i| format!("n{i}.example")).collect();
    let mut outcome = Some(bench.invite(&format!("INVITE 1 400 {}", names.join(" ")), 0));
    for name in &names[..QUESTIONS_PER_REQUEST_MAX] {
        assert_eq!(outcome, Some(ask(name)));
        bench.answered(name, address(1), 1);
        outcome = bench.next(1);
    }
    let sent = bench.sent(outcome);
    assert_eq!(sent.matches("Found").count(), QUESTIONS_PER_REQUEST_MAX);
    assert!(sent.ends_with("Failed(Overflow)"), "{sent}");
    assert_eq!(bench.engine.tallies().too_many_questions, 1);
}

#[test]
fn a_retransmission_finds_as_many_srv_targets_as_the_first_did() {
    let mut engine = Engine::with_decider(Locates, Settings::default(), vec!["inside".into()]);
    let (table, mut out) = (RouteTable::default(), vec![0; 4096]);
    let srv = |server: u8| {
        let target = format!("s{server}.example.net.").into();
        Record::Srv(Srv { priority: 1, weight: server.into(), port: 5060, target })
    };
    let zone = |question: &Question| match question.kind() {
        Kind::Srv => Answer::Found { records: (1..=10).map(srv).collect(), ttl_s: 60 },
        Kind::A => address(question.name()[1..].split('.').next().unwrap().parse().unwrap()),
        Kind::Aaaa | Kind::Naptr => Answer::Nothing { why: Nothing::NoData, ttl_s: 60 },
    };
    let mut outcome = engine.datagram(b"INVITE", path(1), &table, now(0), &mut out).1;
    while outcome == Outcome::Wait {
        while let Some(question) = engine.next_question(now(1)) {
            let answer = zone(&question);
            engine.answered(question, answer, now(1));
        }
        outcome = engine.next_ready(&table, now(1), &mut out).expect("its answer is there");
    }
    let first = out.clone();
    let again = engine.datagram(b"INVITE", path(1), &table, now(600), &mut out).1;
    assert!(matches!(again, Outcome::Send { .. }), "{again:?}");
    assert_eq!(String::from_utf8_lossy(&first), String::from_utf8_lossy(&out));
    assert_eq!(engine.tallies().too_many_questions, 0);
    assert_eq!(String::from_utf8_lossy(&first).matches("198.51.100.").count(), 10);
}

#[test]
fn a_full_waiting_room_decides_at_once() {
    let mut bench = Bench::new();
    for id in 0..WAITING_MAX {
        assert!(matches!(bench.invite(&format!("INVITE {id} 400 a.example"), 0), Got::Wait(_)));
    }
    let outcome = bench.invite("INVITE over 400 a.example", 0);
    assert!(bench.sent(Some(outcome)).ends_with("|INVITE over 400 a.example| Failed(Overflow)"));
    assert_eq!((bench.engine.waiting(), bench.engine.tallies().overflows), (WAITING_MAX, 1));
    assert_eq!(bench.invite("INVITE 7 400 a.example", 1), JOINED);
    bench.answered("a.example", address(1), 2);
    assert_eq!(std::iter::from_fn(|| bench.next(2)).count(), WAITING_MAX);
    assert_eq!(bench.invite("INVITE room 400 b.example", 3), ask("b.example"));
}

#[test]
fn waiting_bytes_are_bounded() {
    let mut bench = Bench::new();
    let longest = |id: usize| {
        let text = format!("INVITE {id:06} 400 a.example #");
        format!("{text}{}", "#".repeat(MESSAGE_BYTES_MAX - text.len()))
    };
    let fit = WAITING_BYTES_MAX / MESSAGE_BYTES_MAX;
    assert!(fit < WAITING_MAX);
    for id in 0..fit {
        assert!(matches!(bench.invite(&longest(id), 0), Got::Wait(_)));
    }
    let outcome = bench.invite("INVITE over 400 a.example", 0);
    assert!(bench.sent(Some(outcome)).ends_with("Failed(Overflow)"));
    assert!(bench.next(400).is_some());
    assert_eq!(bench.invite("INVITE room 400 a.example", 400), JOINED);
}

#[test]
fn questions_under_way_are_bounded_also_for_those_who_wait_again() {
    assert_eq!(WAITING_MAX, QUESTIONS_UNDER_WAY_MAX, "else the waiting room is full first");
    let mut bench = Bench::new();
    for id in 0..QUESTIONS_UNDER_WAY_MAX - 1 {
        assert_eq!(
            bench.invite(&format!("INVITE {id} 400 n{id}.example"), 0),
            ask(&format!("n{id}.example"))
        );
    }
    assert_eq!(bench.invite("INVITE two 400 a.example b.example", 0), ask("a.example"));
    assert_eq!(bench.engine.questions(), QUESTIONS_UNDER_WAY_MAX);
    bench.answered("a.example", address(1), 1);
    assert_eq!(bench.next(1), Some(ask("b.example")));
    assert_eq!(bench.engine.questions(), QUESTIONS_UNDER_WAY_MAX);
}

#[test]
fn what_waits_is_decided_by_the_table_of_its_end() {
    let mut bench = Bench::new();
    assert_eq!(bench.invite("INVITE 1 400 a.example", 0), ask("a.example"));
    bench.table.defaults.no_route_code = 480;
    bench.answered("a.example", address(1), 10);
    let next = bench.next(10);
    assert!(bench.sent(next).starts_with("inside 480|"));
}
