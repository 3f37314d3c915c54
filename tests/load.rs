//! The load generator of `benches/load` must see what is wrong with an answer, or its reports are
//! worth nothing. Here it meets answers of every kind, over the event loop.

#[path = "../benches/load/args.rs"]
mod args;
#[path = "../benches/load/flow.rs"]
mod flow;
#[path = "../benches/load/message.rs"]
mod message;

use std::{
    thread,
    time::{Duration, Instant},
};

use args::Args;
use flow::Tally;
use message::{Caller, Wrong};
use waypost::{
    config::Listen,
    counters::{ConnectionEnd, ConnectionRefusal, SocketTrouble},
    dns::{Answer, Question},
    engine::{Now, Path},
    net::{Departure, EventLoop, Order, Ready, Service, StreamSettings},
    route::Transport,
};

fn caller(distinct_call_ids: bool) -> Caller {
    Caller {
        local: "192.0.2.7:5070".parse().unwrap(),
        run: 0xabc,
        flow: 2,
        flows: 3,
        uri: "sip:+4420{n}@example.net".to_owned(),
        distinct_call_ids,
        first: 0,
        numbers: args::NUMBERS_MAX,
        expect: vec![302, 404],
        contact: None,
    }
}

/// The right answer to a request.
fn answer_to(request: &str) -> String {
    let line = |name: &str| {
        let line = request.lines().find(|line| line.starts_with(name)).unwrap();
        format!("{}\r\n", line.trim_end())
    };
    [
        "SIP/2.0 302 Moved Temporarily\r\n",
        &line("Via:").replace(";rport", ";rport=5070;received=192.0.2.7"),
        &line("From:"),
        &line("To:").replace('>', ">;tag=1"),
        &line("Call-ID:"),
        &line("CSeq:"),
        "Contact: <sip:a@example.org>;q=0.99, <sip:b@example.org>;q=0.98\r\n",
        "Content-Length: 0\r\n\r\n",
    ]
    .concat()
}

fn request(caller: &Caller, call: u64) -> String {
    let mut request = String::new();
    caller.write_request(call, &mut request);
    request
}

#[test]
fn the_right_answer_is_right() {
    let caller = caller(true);
    for call in [0, 1, 999, 1000, 9_999_999] {
        assert_eq!(caller.check(answer_to(&request(&caller, call)).as_bytes()), Ok(call));
    }
}

#[test]
fn compact_names_and_a_refusal_without_contact_are_right() {
    let caller = caller(true);
    let answer = answer_to(&request(&caller, 5));
    let compact = answer
        .replace("Via:", "v :")
        .replace("From:", "f:")
        .replace("To:", "t:")
        .replace("Call-ID:", "i:")
        .replace("Contact:", "m:");
    assert_eq!(caller.check(compact.as_bytes()), Ok(5));
    let refusal = answer.replace("302 Moved Temporarily", "404 Not Found").replace("Contact:", "Warning:");
    assert_eq!(caller.check(refusal.as_bytes()), Ok(5));
}

#[test]
fn each_fault_of_an_answer_is_seen() {
    let caller = caller(true);
    let answer = answer_to(&request(&caller, 5));
    for (from, to, wrong) in [
        ("\r\n\r\n", "\r\n", Wrong::NoEnd),
        ("SIP/2.0 302", "SIP/2.0 30", Wrong::NoStatusLine),
        ("SIP/2.0 302", "SIP/3.0 302", Wrong::NoStatusLine),
        ("302", "301", Wrong::Status(301)),
        ("z9hG4bK-abc-2-5", "z9hG4bK-abc-3-5", Wrong::NoBranchOfOurs),
        ("z9hG4bK-abc-2-5", "z9hG4bK-abc-2-6", Wrong::From),
        ("z9hG4bK-abc-2-5", "z9hG4bK-abc-2-5x", Wrong::NoBranchOfOurs),
        ("192.0.2.7:5070;branch", "192.0.2.7:5071;branch", Wrong::Via),
        ("\r\nFrom:", "\r\nVia: SIP/2.0/UDP x\r\nFrom:", Wrong::NoBranchOfOurs),
        (";tag=abc-5", ";tag=abc-4", Wrong::From),
        (";tag=1", "", Wrong::To),
        ("To: <sip:+44", "To: <sip:+45", Wrong::To),
        ("abc-2-5@load", "abc-2-4@load", Wrong::CallId),
        ("6 INVITE", "7 INVITE", Wrong::CSeq),
        ("Contact:", "Kontact:", Wrong::Contacts(0)),
        ("Content-Length", "Contact: <sip:c@example.org>\r\nContent-Length", Wrong::Contacts(2)),
    ] {
        let broken = answer.replacen(from, to, 1);
        assert_ne!(broken, answer, "{from} is not in the answer");
        assert_eq!(caller.check(broken.as_bytes()), Err(wrong), "{from} → {to}");
    }
    assert_eq!(caller.check(b"\xff"), Err(Wrong::NotText));
    assert_eq!(caller.check(b""), Err(Wrong::NoEnd));
}

#[test]
fn call_ids_go_round_unless_they_are_to_be_distinct() {
    let call_id = |distinct, call| {
        let request = request(&caller(distinct), call);
        request.lines().find(|line| line.starts_with("Call-ID:")).unwrap().to_owned()
    };
    assert_eq!(call_id(false, 3), call_id(false, 1003));
    assert_ne!(call_id(true, 3), call_id(true, 1003));
    let branch = |call| request(&caller(false), call).lines().nth(1).unwrap().to_owned();
    assert_ne!(branch(3), branch(1003));
}

#[test]
fn the_content_length_of_the_request_is_true() {
    let request = request(&caller(true), 1);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
}

/// Answers 302, but every `silent`-th not at all and every `doubtful`-th with 500.
#[derive(Default)]
struct Redirect {
    seen: usize,
    silent: Option<usize>,
    doubtful: Option<usize>,
}

impl Service for Redirect {
    fn message(&mut self, bytes: &[u8], path: Path, _now: Now, out: &mut [u8]) -> Option<Departure> {
        self.seen += 1;
        let is_turn_of = |every: Option<usize>| every.is_some_and(|every| self.seen.is_multiple_of(every));
        if is_turn_of(self.silent) {
            return None;
        }
        let mut answer = answer_to(std::str::from_utf8(bytes).unwrap());
        if is_turn_of(self.doubtful) {
            answer = answer.replacen("302", "500", 1);
        }
        out[..answer.len()].copy_from_slice(answer.as_bytes());
        Some(Departure { len: answer.len(), to: path.source, path })
    }
    fn answered(&mut self, _question: Question, _answer: Answer, _now: Now) {}
    fn next_ready(&mut self, _now: Now, _out: &mut [u8]) -> Ready {
        Ready::None
    }
    fn deadline_ms(&self) -> Option<u64> {
        None
    }
    fn drain(&mut self) {}
    fn trouble(&mut self, trouble: SocketTrouble) {
        panic!("{trouble:?}");
    }
    fn connection_opened(&mut self, transport: Transport) {
        panic!("no {transport:?} is listened on");
    }
    fn connection_refused(&mut self, refusal: ConnectionRefusal) {
        panic!("{refusal:?}");
    }
    fn connection_closed(&mut self, transport: Transport, end: ConnectionEnd) {
        panic!("{transport:?} {end:?}");
    }
    fn decided_in(&mut self, _took: Duration) {}
    fn rest(&mut self) {}
}

/// Runs every flow of a command line against the service; gives what they saw and what it saw.
fn load(mut service: Redirect, words: &str) -> (Tally, usize) {
    let address = "127.0.0.1:0".parse().unwrap();
    let listen = Listen { name: "a".into(), transport: Transport::Udp, address };
    let (event_loop, handle) = EventLoop::bind(&[listen], StreamSettings::default()).unwrap();
    let words = format!("--to {} {words}", event_loop.addresses()[0]);
    let args = Args::read(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap();
    let server = thread::spawn(move || {
        event_loop.run_with(&mut service).unwrap();
        service.seen
    });
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let began = Instant::now();
        let flows: Vec<_> = (0..args.flows)
            .map(|n| {
                scope.spawn({
                    let args = &args;
                    move || flow::run(args, n, began).unwrap()
                })
            })
            .collect();
        flows.into_iter().for_each(|flow| tally.add(&flow.join().unwrap()));
    });
    handle.order(Order::Stop);
    (tally, server.join().unwrap())
}

#[test]
fn a_closed_run_counts_right_answers() {
    let (tally, seen) = load(Redirect::default(), "--calls 1001 --flows 3 --closed 10 --wait-ms 20000");
    assert_eq!((tally.sent, tally.answered, tally.wrong, seen), (1001, 1001, 0, 1001));
    assert!(tally.latency.share_ns(0.5) <= tally.latency.share_ns(0.99));
    assert!(tally.latency.share_ns(0.99) <= tally.latency.max_ns());
}

#[test]
fn an_open_run_counts_right_answers() {
    let (tally, seen) =
        load(Redirect::default(), "--calls 500 --flows 2 --rate 5000 --distinct-call-ids --wait-ms 2000");
    assert_eq!((tally.sent, tally.answered, tally.wrong, seen), (500, 500, 0, 500));
}

#[test]
fn silence_and_wrong_answers_are_counted() {
    let service = Redirect { silent: Some(10), doubtful: Some(25), ..Redirect::default() };
    let (tally, seen) = load(service, "--calls 500 --rate 5000 --wait-ms 2000");
    // 50 silent, 20 doubtful, of which 10 are silent (every 50th).
    assert_eq!((tally.sent, tally.wrong, tally.unanswered(), seen), (500, 10, 60, 500));
    assert!(tally.examples[0].starts_with("Status(500)"), "{}", tally.examples[0]);
    let (tally, _) =
        load(Redirect { silent: Some(10), ..Redirect::default() }, "--calls 20 --closed 2 --wait-ms 2000");
    assert_eq!((tally.sent, tally.unanswered()), (20, 2));
}

#[test]
fn the_answers_to_a_number_may_have_to_stay_the_same() {
    let words = "--calls 500 --rate 5000 --numbers 7 --expect 302,500 --wait-ms 2000";
    let service = || Redirect { doubtful: Some(25), ..Redirect::default() };
    let (tally, _) = load(service(), words);
    assert_eq!((tally.wrong, tally.statuses["302"], tally.statuses["500"]), (0, 480, 20));
    let (tally, _) = load(service(), &format!("{words} --same"));
    assert_eq!((tally.wrong, tally.statuses["302"]), (20, 480));
    assert!(tally.examples[0].starts_with("Changed"), "{}", tally.examples[0]);
    let (tally, _) = load(service(), "--calls 500 --rate 5000 --expect 302,500 --same --wait-ms 2000");
    assert_eq!(tally.wrong, 0, "no number came twice");
}

#[test]
fn numbers_go_round_after_those_left_out() {
    let called = |first, numbers, call| {
        let request = request(&Caller { first, numbers, ..caller(true) }, call);
        request.lines().next().unwrap().to_owned()
    };
    assert_eq!(called(0, 7, 3), called(0, 7, 10));
    assert_ne!(called(0, 8, 3), called(0, 8, 10));
    assert_eq!(called(5, 7, 9), called(4, 9, 0), "(9·3 + 2) % 7 + 5 = 2 + 4");
    let of_flow =
        |flow, call| request(&Caller { flow, ..caller(true) }, call).lines().next().unwrap().to_owned();
    let all: std::collections::BTreeSet<_> = (0..9).map(|n| of_flow(n % 3, n / 3)).collect();
    assert_eq!(all.len(), 9, "no two flows have a number in common");
}

#[test]
fn the_contact_is_the_one_expected() {
    let answer = answer_to(&request(&caller(true), 5)).replace(", <sip:b@example.org>;q=0.98", "");
    let check =
        |contact: &str| Caller { contact: Some(contact.to_owned()), ..caller(true) }.check(answer.as_bytes());
    assert_eq!(check("<sip:a@example.org>;q=0.99"), Ok(5));
    assert_eq!(check("<sip:{n}@example.org>;q=0.99"), Err(Wrong::Contact));
    let request = request(&caller(true), 5);
    let digits = request.split_once("+4420").unwrap().1.get(..8).unwrap();
    let answer = answer.replace("sip:a@", &format!("sip:{digits}@"));
    let caller = Caller { contact: Some("<sip:{n}@example.org>;q=0.99".to_owned()), ..caller(true) };
    assert_eq!(caller.check(answer.as_bytes()), Ok(5));
}

#[test]
fn the_command_line_has_limits() {
    let read = |line: &str| Args::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    for (line, error) in [
        ("--calls 1", "--to is missing: which server?"),
        ("--to here", "--to here: expected ADDRESS:PORT"),
        ("--calls 0", "--calls 0: expected a number from 1 to 100000000"),
        ("--calls 100000001", "--calls 100000001: expected a number from 1 to 100000000"),
        ("--flows 65", "--flows 65: expected a number from 1 to 64"),
        ("--expect 302,99", "--expect 302,99: 99 is not a SIP status"),
        ("--speed 3", "--speed is not known"),
        ("--rate", "--rate needs a value, or is not known"),
        ("--to [::1]:1 --flows 4 --closed 3", "--closed 3 is less than --flows 4: a flow would stand still"),
    ] {
        assert_eq!(read(line).unwrap_err(), error, "{line}");
    }
    let args = read("--to [::1]:1 --flows 3 --calls 10").unwrap();
    assert_eq!([0, 1, 2].map(|flow| args.part(args.calls, flow)), [4, 3, 3]);
}
