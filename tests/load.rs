//! The load generator of `benches/load` must see what is wrong with an answer, or its reports are
//! worth nothing. Here it meets answers of every kind, over the event loop.

#[path = "../benches/load/args.rs"]
mod args;
#[path = "../benches/load/batched.rs"]
mod batched;
#[path = "../benches/echo/echo.rs"]
mod echo;
#[path = "../benches/load/flow.rs"]
mod flow;
#[path = "../benches/load/message.rs"]
mod message;
#[path = "../benches/load/packets.rs"]
mod packets;
#[path = "../benches/load/process.rs"]
mod process;
#[path = "../benches/load/report.rs"]
mod report;
#[path = "../benches/load/stalls.rs"]
mod stalls;
#[path = "../benches/load/template.rs"]
mod template;

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::Path as FilePath,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use args::Args;
use echo::{Echo, Mode};
use flow::Tally;
use message::{Caller, Wrong};
use stalls::{Count, KNOWN_AFTER_NS, SLICE_NS, STALL_NS, Stalls, Waits};
use template::{Expected, Judge, Numbers, Template};
use waypost::{
    config::Listen,
    counters::{ConnectionEnd, ConnectionRefusal, SocketTrouble},
    dns::{Answer, Question},
    engine::{Now, Peer},
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

/// The right answer to a request of `caller`.
fn answer_to(request: &str) -> String {
    redirect(request, "192.0.2.7:5070".parse().unwrap())
}

/// The right answer to a request from this address.
fn redirect(request: &str, from: SocketAddr) -> String {
    let lines = |name: &str| -> String {
        let lines = request.lines().filter(|line| line.starts_with(name));
        lines.flat_map(|line| [line.trim_end(), "\r\n"]).collect()
    };
    let (first, others) =
        lines("Via:").split_once("\r\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let first = match first.strip_suffix(";rport") {
        Some(first) => format!("{first};rport={};received={}\r\n", from.port(), from.ip()),
        None => format!("{first};received={}\r\n", from.ip()),
    };
    [
        "SIP/2.0 302 Moved Temporarily\r\n",
        &first,
        &others,
        &lines("From:"),
        &lines("To:").replace('>', ">;tag=1"),
        &lines("Call-ID:"),
        &lines("CSeq:"),
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
    fn message(
        &mut self,
        bytes: &[u8],
        Peer { path, .. }: Peer<'_>,
        _now: Now,
        out: &mut [u8],
    ) -> Option<Departure> {
        self.seen += 1;
        let is_turn_of = |every: Option<usize>| every.is_some_and(|every| self.seen.is_multiple_of(every));
        if is_turn_of(self.silent) {
            return None;
        }
        let mut answer = redirect(std::str::from_utf8(bytes).unwrap(), path.source);
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
    fn drain(&mut self, _: bool) {}
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

/// Runs `calls` with the address of a server that has the service; gives what they saw and what it saw.
fn served<T>(mut service: Redirect, calls: impl FnOnce(SocketAddr) -> T) -> (T, usize) {
    let address = "127.0.0.1:0".parse().unwrap();
    let listen = Listen { name: "a".into(), transport: Transport::Udp, address };
    let (event_loop, handle) = EventLoop::bind(&[listen], StreamSettings::default()).unwrap();
    let address = event_loop.addresses()[0];
    let server = thread::spawn(move || {
        event_loop.run_with(&mut service).unwrap();
        service.seen
    });
    let seen = calls(address);
    handle.order(Order::Stop);
    (seen, server.join().unwrap())
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Runs every flow of a command line against the service; gives what they saw and what it saw.
fn load(service: Redirect, line: &str) -> (Tally, usize) {
    served(service, |address| {
        report::measured(&Args::read(&words(&format!("--to {address} {line}"))).unwrap()).unwrap()
    })
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
    // So few that the receive buffers hold all of them, however long this process is kept from reading.
    let (tally, seen) =
        load(Redirect::default(), "--calls 200 --flows 2 --rate 2000 --distinct-call-ids --wait-ms 20000");
    assert_eq!((tally.sent, tally.answered, tally.wrong, seen), (200, 200, 0, 200));
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
    let all: BTreeSet<_> = (0..9).map(|n| of_flow(n % 3, n / 3)).collect();
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
fn a_run_that_is_told_to_stop_sends_no_more_and_waits_for_what_it_sent() {
    for pace in ["--rate 1000", "--closed 10"] {
        let ((tally, stopped), seen) = served(Redirect::default(), |address| {
            let line =
                format!("--to {address} --calls 100000000 {pace} --seconds 600 --wait-ms 2000 --until-eof");
            let args = Args::read(&words(&line)).unwrap();
            assert!(args.until_eof);
            let stop = Arc::clone(&args.stop);
            let run = thread::spawn(move || report::measured(&args).unwrap());
            thread::sleep(Duration::from_millis(50));
            let stopped = !run.is_finished();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            (run.join().unwrap(), stopped)
        });
        assert!(stopped, "{pace}: it was still under way");
        assert!(tally.sent > 0 && tally.sent < 100_000_000, "{pace}: {}", tally.sent);
        assert_eq!((tally.answered, tally.unanswered(), seen as u64), (tally.sent, 0, tally.sent), "{pace}");
    }
}

#[test]
fn the_command_line_has_limits() {
    let read = |line: &str| Args::read(&words(line));
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

const CONTACTS: &str = "<sip:a@example.org>;q=0.99, <sip:b@example.org>;q=0.98";
const SIZES: [(&str, usize); 2] = [("small", 364), ("real", 1461)];

fn request_file(size: &str) -> String {
    let file = format!("benches/requests/invite-{size}.sip");
    FilePath::new(env!("CARGO_MANIFEST_DIR")).join(file).to_str().unwrap().to_owned()
}

fn template(size: &str) -> Template {
    Template::new(fs::read(request_file(size)).unwrap()).unwrap()
}

fn varied(template: &Template, id: u64, numbers: &Numbers) -> String {
    let mut request = template.bytes().to_vec();
    template.vary(&mut request, id, numbers);
    String::from_utf8(request).unwrap()
}

fn judge(size: &str, numbers: Numbers, expected: Expected) -> Judge {
    Judge::new(Arc::new(template(size)), Arc::new(numbers), expected, "192.0.2.7:5070".parse().unwrap())
}

fn expected(contacts: &str) -> Expected {
    Expected::Answer { statuses: vec![302], contacts: Some(contacts.to_owned()) }
}

#[test]
fn calls_of_a_file_differ_in_branch_tag_call_id_and_number_and_not_in_length() {
    for (size, len) in SIZES {
        let template = template(size);
        assert_eq!(template.port, 5060);
        let requests: Vec<String> = (0..3).map(|id| varied(&template, id, &Numbers::Spread(2))).collect();
        assert!(requests.iter().all(|request| request.len() == len));
        let line = |call: usize, name: &str| -> String {
            requests[call].lines().find(|line| line.starts_with(name)).unwrap().to_owned()
        };
        for name in ["INVITE", "Via:", "From:", "To:", "Call-ID:"] {
            assert_ne!(line(0, name), line(1, name));
        }
        assert_eq!((line(0, "INVITE"), line(0, "To:")), (line(2, "INVITE"), line(2, "To:")), "two numbers");
        assert_eq!(line(0, "CSeq:"), line(1, "CSeq:"));
    }
}

#[test]
fn each_fault_of_an_answer_to_a_request_of_a_file_is_seen() {
    for (size, _) in SIZES {
        let mut judge = judge(size, Numbers::Spread(1000), expected(CONTACTS));
        let answer = answer_to(&varied(&template(size), 0x1234, &Numbers::Spread(1000)));
        assert_eq!(judge.check(answer.as_bytes()), Ok((0x1234, 302)));
        let split = answer.replace(", <sip:b", "\r\nm: <sip:b");
        assert_eq!(judge.check(split.as_bytes()), Ok((0x1234, 302)), "a list in two lines");
        let padded = answer.replace("CSeq: ", "CSeq:     ").replace("Length: 0", "Length: 0    ");
        assert_eq!(judge.check(padded.as_bytes()), Ok((0x1234, 302)), "white space that means nothing");
        for (from, to, wrong) in [
            ("\r\n\r\n", "\r\n", Wrong::NoEnd),
            ("\r\n\r\n", "\r\n\r\nv=0\r\n\r\n", Wrong::NoEnd),
            ("SIP/2.0 302", "SIP/3.0 302", Wrong::NoStatusLine),
            ("302", "301", Wrong::Status(301)),
            ("198.51.100.20:5060;branch", "198.51.100.20:5061;branch", Wrong::Via),
            (";received=192.0.2.7", "", Wrong::Via),
            (";received=192.0.2.7", ";received=192.0.2.8", Wrong::Via),
            ("\r\nFrom:", "\r\nVia: SIP/2.0/UDP x\r\nFrom:", Wrong::Via),
            ("00001234\r\nTo:", "00001235\r\nTo:", Wrong::From),
            ("\r\nTo:", "\r\nFrom: <sip:a@b>\r\nTo:", Wrong::From),
            (";tag=1", "", Wrong::To),
            ("To: <sip:+44", "To: <sip:+45", Wrong::To),
            ("Call-ID: 00001234", "Call-ID: 00001235", Wrong::CallId),
            (" INVITE\r\n", " OPTIONS\r\n", Wrong::CSeq),
            ("Contact:", "Kontact:", Wrong::Contacts(0)),
            (", <sip:b@example.org>;q=0.98", "", Wrong::Contacts(1)),
            ("q=0.98", "q=0.97", Wrong::Contact),
            ("Content-Length", "Contact: <sip:c@example.org>\r\nContent-Length", Wrong::Contact),
        ] {
            let broken = answer.replacen(from, to, 1);
            // Where a tag stands at the end of its line, in one request and not in the other.
            assert_ne!(broken, answer, "{from} is not in the answer to {size}");
            assert_eq!(judge.check(broken.as_bytes()), Err(wrong), "{size}: {from} → {to}");
        }
        assert_eq!(judge.check(b""), Err(Wrong::NoEnd));
        let other = answer.replace("z9hG4bK", "z9hG4bL");
        assert!(judge.check(other.as_bytes()).is_err());
    }
}

#[test]
fn every_via_of_the_request_must_come_back_in_its_order() {
    let mut judge = judge("real", Numbers::Spread(1), expected(CONTACTS));
    let answer = answer_to(&varied(&template("real"), 7, &Numbers::Spread(1)));
    let vias: Vec<&str> = answer.lines().filter(|line| line.starts_with("Via:")).collect();
    assert_eq!(vias.len(), 3);
    let without = answer.replace(&format!("{}\r\n", vias[2]), "");
    assert_eq!(judge.check(without.as_bytes()), Err(Wrong::Via));
    let swapped = answer.replace(vias[1], "?").replace(vias[2], vias[1]).replace('?', vias[2]);
    assert_eq!(judge.check(swapped.as_bytes()), Err(Wrong::Via));
}

#[test]
fn a_list_says_which_contacts_are_right_for_its_numbers() {
    let list = "+441632960001,gw-1\n+441632960002,gw-2\n";
    let numbers = Numbers::listed(list, &template("small")).unwrap();
    let mut judge = judge(
        "small",
        numbers.clone(),
        expected("<sip:{n}@{v}.example.org>;q=0.99, <sip:b@example.org>;q=0.98"),
    );
    for (id, number, value) in
        [(0, "+441632960001", "gw-1"), (1, "+441632960002", "gw-2"), (2, "+441632960001", "gw-1")]
    {
        let request = varied(&template("small"), id, &numbers);
        assert!(request.starts_with(&format!("INVITE sip:{number}@")), "{request}");
        let answer = answer_to(&request).replace("sip:a@", &format!("sip:{number}@{value}."));
        assert_eq!(judge.check(answer.as_bytes()), Ok((id, 302)));
        let other = answer.replace("gw-", "gw-0");
        assert_eq!(judge.check(other.as_bytes()), Err(Wrong::Contact));
    }
    let error = |list: &str| Numbers::listed(list, &template("small")).unwrap_err();
    assert_eq!(error("+441632960001"), "line 1: expected NUMBER,VALUE: +441632960001");
    assert_eq!(error("+44,gw-1"), "line 1: +44 has not 13 characters");
    assert_eq!(error(""), "no calls");
}

#[test]
fn an_echo_is_the_request_at_the_length_asked_for() {
    let request = varied(&template("small"), 9, &Numbers::Spread(1));
    for len in [300, 364, 500] {
        let mut judge = judge("small", Numbers::Spread(1), Expected::Echo(len));
        let mut echo = request.clone().into_bytes();
        echo.resize(len, b' ');
        assert_eq!(judge.check(&echo), Ok((9, 0)));
        assert_eq!(judge.check(&echo[1..]), Err(Wrong::NoBranchOfOurs));
        assert_eq!(judge.check(&echo[..len - 1]), Err(Wrong::Changed));
        *echo.last_mut().unwrap() = b'!';
        assert_eq!(judge.check(&echo), Err(Wrong::Changed));
    }
}

#[test]
fn requests_that_cannot_be_varied_are_refused() {
    let request = String::from_utf8(template("small").bytes().to_vec()).unwrap();
    for (from, to, error) in [
        ("\r\n\r\n", "\r\n", "the request has no end of its head"),
        ("Via:", "Vial:", "the request has no Via"),
        ("Call-ID:", "Call:", "the request has no call-id"),
        (";branch=", ";twig=", "the first Via has no branch"),
        (";tag=", ";label=", "From has no tag"),
        ("tag=9fxced76sl", "tag=9", "branch, tag and Call-ID must have 8 characters"),
        ("sip:+441632960123", "sip:1", "the called number has fewer than 8 characters"),
    ] {
        let broken = request.replacen(from, to, 1);
        assert_ne!(broken, request);
        assert_eq!(Template::new(broken.into_bytes()).unwrap_err(), error, "{from} → {to}");
    }
}

#[test]
fn a_batched_run_is_right_only_when_every_answer_is() {
    // Addresses that no other test process has: the port is that of the request.
    let id = std::process::id();
    let from = |test: u32| format!("127.{}.{}.{}", 110 + test, id / 250 % 250, id % 250 + 1);
    let run = |test: u32, size: &str, service: Redirect, more: &str| {
        let line = format!("--request {} --from {} --wait-ms 3000 {more}", request_file(size), from(test));
        served(service, |to| batched::measured(&words(&format!("{line} --to {to}"))).unwrap())
    };
    // What is under way fits into the buffer that a socket has by default.
    for (test, size, pace) in [
        (0, "small", "--closed 50 --flows 3"),
        (1, "real", "--closed 50 --flows 3 --gso"),
        (2, "real", "--rate 500 --flows 2"),
        (5, "small", "--rate 500 --flows 2 --steady"),
    ] {
        let (right, seen) = run(test, size, Redirect::default(), &format!("--calls 301 {pace}"));
        assert_eq!((right, seen), (Ok(true), 301), "{size} {pace}");
    }
    let doubtful = Redirect { doubtful: Some(25), ..Redirect::default() };
    assert_eq!(run(3, "small", doubtful, "--calls 100 --rate 500 --wait-ms 300").0, Ok(false));
    let silent = Redirect { silent: Some(25), ..Redirect::default() };
    assert_eq!(run(4, "small", silent, "--calls 100 --closed 10 --wait-ms 300").0, Ok(false));
}

#[test]
fn the_echo_gives_back_every_request_at_the_length_asked_for() {
    let id = std::process::id();
    for (test, mode) in (0..).zip([Mode::Batched, Mode::Single, Mode::Segments]) {
        for (len, size, test) in [(500, "small", 2 * test), (700, "real", 2 * test + 1)] {
            let listen = "127.0.0.1:0".parse().unwrap();
            let (tell, address) = mpsc::channel();
            // Serves until the process ends.
            thread::spawn(move || {
                let mut echo = Echo::bind(&echo::Args { listen, mode, answer_bytes: Some(len) }).unwrap();
                tell.send(echo.address().unwrap()).unwrap();
                echo.serve()
            });
            let to = address.recv().unwrap();
            let from = format!("127.{}.{}.{}", 120 + test, id / 250 % 250, id % 250 + 1);
            let line = format!(
                "--request {} --from {from} --to {to} --echo {len} --calls 1001 --closed 50 --flows 3 --wait-ms 3000",
                request_file(size)
            );
            assert_eq!(batched::measured(&words(&line)), Some(Ok(true)), "{mode:?} {len}");
        }
    }
}

#[test]
fn the_command_line_of_a_batched_run_is_checked() {
    let read = |line: &str| batched::measured(&words(line));
    assert_eq!(read("--to 127.0.0.1:1"), None);
    let file = request_file("small");
    for (line, error) in [
        ("--to 127.0.0.1:1 --request", "--request needs a value"),
        ("--to 127.0.0.1:1 --request FILE --uri a", "--uri is not for --request"),
        ("--request FILE", "--to is missing: which server?"),
        ("--to 127.0.0.1:1 --request FILE --closed 5 --steady", "--steady is for --rate"),
        ("--to 127.0.0.1:1 --request FILE --echo x", "--echo x: expected a number of bytes"),
        ("--to 127.0.0.1:1 --request FILE --from x", "--from x: expected an address"),
        (
            "--to 127.0.0.1:1 --request FILE",
            "--from is missing: answers go to the port of the first Via, of which address?",
        ),
    ] {
        assert_eq!(read(&line.replace("FILE", &file)).unwrap().unwrap_err(), error, "{line}");
    }
}

/// Looks at the clock every 100 us, up to and with `to_ns`.
fn look_until(stalls: &mut Stalls, from_ns: u64, to_ns: u64) {
    (from_ns..=to_ns).step_by(100_000).for_each(|now_ns| stalls.look(now_ns));
}

#[test]
fn calls_under_way_while_the_generator_stood_still_are_told_apart() {
    let mut stalls = Stalls::new(Waits::default());
    look_until(&mut stalls, 0, 900_000);
    stalls.answered(500_000, 400_000);
    assert_eq!(stalls.own, Count::default());
    // Until 1,400 us; what piled up in 500 us may take as long again.
    stalls.look(1_400_000);
    assert_eq!(stalls.own, Count { times: 1, ns: 500_000 });
    stalls.answered(800_000, 600_000);
    stalls.answered(1_400_000, 10_000);
    stalls.answered(1_899_999, 10_000);
    stalls.answered(1_900_000, 20_000);
    stalls.look(1_400_000 + STALL_NS);
    stalls.settle(2_000_000);
    assert_eq!((stalls.stalled, stalls.own.times), (3, 1));
    assert_eq!((stalls.clear.share_ns(0.0) / 1000, stalls.clear.share_ns(1.0) / 1000), (20, 400));
}

#[test]
fn a_call_is_never_left_out_for_its_own_latency() {
    let mut stalls = Stalls::new(Waits::default());
    look_until(&mut stalls, 0, 5_000_000_000);
    stalls.answered(1, 4_999_999_999);
    stalls.settle(5_000_000_000);
    assert_eq!((stalls.stalled, stalls.clear.max_ns() / 1_000_000_000), (0, 5));
}

#[test]
fn calls_under_way_while_the_server_had_no_processor_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let says = |thread: &str, ran_ns: u64, waited_ns: u64| {
        let path = folder.path().join(thread);
        fs::write(&path, format!("{ran_ns} {waited_ns} 7\n")).unwrap();
        path
    };
    let files = [says("old", 900_000_000, 50), says("answers", 0, 50), folder.path().join("none")];
    let mut stalls = Stalls::new(Waits::by(files.into_iter()));
    says("old", 900_000_100, 50);
    says("answers", 200, 50);
    look_until(&mut stalls, 0, KNOWN_AFTER_NS);
    let mut now_ns = KNOWN_AFTER_NS;
    // How long each thread waited in a slice, and whether that touched what was answered in it.
    for (old_ns, answers_ns, stalled) in [(5_000_000, STALL_NS, 0), (0, STALL_NS + 1, 1)] {
        let (old_ns, answers_ns) = (50 + old_ns, 50 + answers_ns + stalled * STALL_NS);
        stalls.answered(now_ns, 1000);
        says("old", 900_000_100, old_ns);
        says("answers", 300, answers_ns);
        look_until(&mut stalls, now_ns, now_ns + SLICE_NS);
        now_ns += SLICE_NS;
        assert_eq!((stalls.stalled, stalls.server.times), (stalled, stalled));
    }
    assert_eq!(stalls.server.ns, STALL_NS + 1);
    stalls.answered(now_ns + STALL_NS, 1000);
    stalls.answered(now_ns + STALL_NS + 1, 1000);
    stalls.settle(now_ns + 1);
    assert_eq!((stalls.stalled, stalls.clear.share_ns(1.0) / 1000), (2, 1));
}
