//! Those who look on, beside a real loop: what they are shown, and that nothing they do or leave undone is felt by a
//! call.

#![allow(missing_docs)]

use std::{
    net::{SocketAddr, UdpSocket},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use waypost::{
    config::{Config, Listen},
    control::mirror::Mirror,
    counters::Counters,
    decide::Settings,
    engine::Engine,
    limits::TAP_RECORDS,
    net::{End, EventLoop, Handle, Next, Order, Sampling, StreamSettings, Tap, taps},
    route::{
        RouteTable, Transport,
        file::{Source, parse},
    },
    snapshot::Snapshot,
};

/// Longer than any machine needs; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn table() -> RouteTable {
    let text = "routes:\n- { name: london, when: { number: '+44*' }, answer: { contact: 'sip:{number}@lon.example.net' } }\n";
    let source = Source { path: "routes.yaml".into(), bytes: text.into() };
    let draft = parse(&[source]).unwrap();
    draft.build_from(&|_| Ok(Vec::new())).unwrap().0
}

/// A loop with this tap, and a caller.
struct Served {
    caller: UdpSocket,
    to: SocketAddr,
    counters: Arc<Counters>,
    handle: Handle,
    thread: JoinHandle<()>,
}

impl Served {
    fn start(tap: Tap) -> Self {
        let address = ([127, 0, 0, 1], 0).into();
        let listen = Listen { name: "a".into(), transport: Transport::Udp, address };
        let (event_loop, handle) = EventLoop::bind(&[listen], StreamSettings::default()).unwrap();
        let to = event_loop.addresses()[0];
        let counters = Arc::new(Counters::default());
        let counted = Arc::clone(&counters);
        let thread = thread::spawn(move || {
            let table = ArcSwap::from_pointee(Snapshot::first(table(), String::new(), 0, 1));
            let engine = Engine::new(Settings::default(), vec!["a".into()]);
            event_loop.with_tap(Some(tap)).run(engine, &table, &counted, &mut |_| false).unwrap();
        });
        let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
        caller.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { caller, to, counters, handle, thread }
    }

    /// Calls, and reads the answer.
    fn call(&self, number: u32, user: &str) -> (String, String) {
        let invite = format!(
            "INVITE sip:{user}@waypost.example.net SIP/2.0\r\nVia: SIP/2.0/UDP a.example.net;branch=z9hG4bK{number};rport\r\n\
             From: <sip:alice@example.net>;tag=1\r\nTo: <sip:{user}@waypost.example.net>\r\nCall-ID: {number}\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        self.caller.send_to(invite.as_bytes(), self.to).unwrap();
        let mut bytes = [0; 4096];
        let len = self.caller.recv(&mut bytes).expect("an answer comes");
        (invite, String::from_utf8(bytes[..len].to_vec()).unwrap())
    }

    fn end(self) -> Arc<Counters> {
        self.handle.order(Order::Stop);
        self.thread.join().unwrap();
        self.counters
    }
}

fn every_call() -> Sampling {
    Sampling { calls: Some(NonZeroU32::MIN), ..Sampling::default() }
}

#[test]
fn what_was_sent_is_what_is_shown() {
    let (mut taps, outlet) = taps(1, every_call()).unwrap();
    let served = Served::start(taps.remove(0));
    let calls = [(1, "+442079460123"), (2, "nobody")].map(|(number, user)| served.call(number, user));
    let to = served.to;
    let source = served.caller.local_addr().unwrap();
    served.end();
    for ((invite, answer), (status, route)) in calls.iter().zip([(302, Some("london")), (404, None)]) {
        let Next::Record(record) = outlet.next() else { panic!("no record of {invite}") };
        assert_eq!((record.request(), record.answer()), (invite.as_bytes(), answer.as_bytes()));
        assert_eq!((record.path().source, record.path().local, record.to()), (source, to, source));
        assert_eq!((record.end(), record.route()), (End::Answer(status), route));
    }
    assert!(matches!(outlet.next(), Next::Ended));
}

#[test]
fn who_does_not_look_holds_no_call_up() {
    const CALLS: usize = TAP_RECORDS + 100;
    let (mut taps, outlet) = taps(1, every_call()).unwrap();
    let served = Served::start(taps.remove(0));
    for number in 0..CALLS {
        let (_, answer) = served.call(u32::try_from(number).unwrap(), "+442079460123");
        assert!(answer.starts_with("SIP/2.0 302 "), "{answer}");
    }
    let counters = served.end();
    assert_eq!(counters.taps(), (TAP_RECORDS as u64, (CALLS - TAP_RECORDS) as u64));
    drop(outlet);
}

#[test]
fn two_workers_show_the_same_calls() {
    let one_in = NonZeroU32::new(4);
    let shown = Arc::new(AtomicU32::new(0));
    let of_worker = |worker: usize| {
        let (mut taps, outlet) = taps(2, Sampling { calls: one_in, ..Sampling::default() }).unwrap();
        let served = Served::start(taps.remove(worker));
        drop(taps);
        (0..64).for_each(|number| drop(served.call(number, "+442079460123")));
        served.end();
        let mut calls = Vec::new();
        while let Next::Record(record) = outlet.next() {
            let text = String::from_utf8(record.request().to_vec()).unwrap();
            calls.push(text.split("Call-ID: ").nth(1).unwrap().split('\r').next().unwrap().to_owned());
            shown.fetch_add(1, Ordering::Relaxed);
            outlet.give_back(record);
        }
        calls
    };
    assert_eq!(of_worker(0), of_worker(1));
    assert!((4..64).contains(&shown.load(Ordering::Relaxed)), "{shown:?}");
}

#[test]
fn the_top_talkers_are_those_who_called() {
    let config = Config { top_one_in: Some(NonZeroU32::MIN), ..Config::default() };
    let (mirror, mut taps) = Mirror::start(&config, 1).unwrap();
    let top = mirror.top();
    let served = Served::start(taps.remove(0));
    for number in 0..30 {
        served.call(number, if number % 3 == 0 { "+12025550123" } else { "+442079460123" });
    }
    let messages = || top.told(1).unwrap().messages;
    let began = Instant::now();
    while messages() != 30 {
        assert!(began.elapsed() < PATIENCE, "{}", messages());
        thread::sleep(Duration::from_millis(1));
    }
    served.end();
    mirror.finish();
    let shown = json!(top.told(5));
    let item = |key: &str, messages: u64| json!({ "key": key, "messages": messages, "at_least": messages });
    let lists: Vec<&Value> = ["sources", "numbers", "prefixes", "domains"].map(|list| &shown[list]).into();
    assert_eq!(
        lists,
        [
            &json!([item("127.0.0.1", 30)]),
            &json!([item("+442079460123", 20), item("+12025550123", 10)]),
            &json!([item("+44207", 20), item("+12025", 10)]),
            &json!([item("waypost.example.net", 30)]),
        ]
    );
}

#[test]
fn nothing_asked_for_starts_nothing() {
    let config = Config { top_one_in: None, ..Config::default() };
    let (mirror, taps) = Mirror::start(&config, 3).unwrap();
    assert!(taps.is_empty());
    mirror.finish();
}
