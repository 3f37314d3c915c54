//! What is refused so that the rest is answered: the engine beside many forged sources, and the loop on a real socket
//! whose queue has grown old. What each refusal looks like is in `scenarios/overload-*.txt`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use waypost::{
    config::{Listen, Overload, Rate, Refuse},
    counters::Counters,
    decide::{Settings, Silence},
    engine::{Engine, Now, Outcome, Path},
    limits::{ANSWER_BYTES_ROOM, DATAGRAMS_PER_BATCH},
    net::{EventLoop, Order, StreamSettings},
    overload::{Admission, Keys},
    route::{RouteTable, Transport, file},
    snapshot::Snapshot,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn table() -> RouteTable {
    let text = "defaults: { unknown: { policy: answer } }\n\
                access: { peers: { sources: 192.0.2.0/24, policy: answer } }\n\
                routes: [ { name: all, answer: { contacts: [\"sip:{user}@gw.example.net\"] } } ]\n";
    let source = file::Source { path: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    file::parse(&[source]).unwrap().build_from(&|_| Ok(Vec::new())).unwrap().0
}

fn invite(number: usize, uri: &str) -> Vec<u8> {
    let text = format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a.example.net;branch=z9hG4bK{number};rport\r\n\
         From: <sip:alice@example.net>;tag=1\r\nTo: <{uri}>\r\nCall-ID: {number}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    );
    text.into_bytes()
}

fn engine(overload: Overload) -> Engine {
    let keys = Keys { of_answers: [1; 16], of_table: [2; 16] };
    Engine::new(Settings::default(), vec!["a".into()]).with_admission(Admission::new(overload, 1, keys))
}

/// Requests of one engine, each at its time and from its source.
struct Asked {
    engine: Engine,
    table: RouteTable,
    out: Vec<u8>,
}

impl Asked {
    fn new(overload: Overload) -> Self {
        Self { engine: engine(overload), table: table(), out: vec![0; ANSWER_BYTES_ROOM] }
    }

    /// The status, or 0 for silence.
    fn ask(&mut self, ms: u64, source: IpAddr, transport: Transport, message: &[u8]) -> u16 {
        let path = Path {
            source: SocketAddr::new(source, 5060),
            local: "192.0.2.1:5060".parse().unwrap(),
            listener: 0,
            transport,
        };
        let now = Now { ms, unix_s: 1_800_000_000 };
        match self.engine.datagram(message, path, &self.table, now, &mut self.out).1 {
            Outcome::Send { reply, .. } => reply.status,
            Outcome::Silence(Silence::Overload) => 0,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn listed_peers_and_emergencies_are_answered_beside_a_hundred_thousand_forged_sources() {
    let overload = Overload {
        per_source: Some(Rate { per_s: 10, burst: 10 }),
        budget: Some(Rate { per_s: 2000, burst: 2000 }),
        emergency: vec!["112".into()],
        ..Overload::default()
    };
    let mut asked = Asked::new(overload);
    let (ordinary, help) = (invite(1, "sip:+442079460123@h"), invite(2, "sip:112@h"));
    let peer = IpAddr::from([192, 0, 2, 7]);
    let (mut forged_answered, mut peers, mut emergencies) = (0, 0, 0);
    for number in 0..100_000_u32 {
        // All in one second.
        let ms = u64::from(number / 100);
        let source = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + number));
        forged_answered += u32::from(asked.ask(ms, source, Transport::Udp, &ordinary) == 302);
        if number % 1000 == 0 {
            peers += u32::from(asked.ask(ms, peer, Transport::Udp, &ordinary) == 302);
            emergencies += u32::from(asked.ask(ms, source, Transport::Udp, &help) == 302);
        }
    }
    assert_eq!((peers, emergencies), (100, 100), "each of them");
    // 2000 at once and 2000 in the second, without the reserve and what the others had of it.
    assert!((3000..=3700).contains(&forged_answered), "{forged_answered}");
    let refused = asked.engine.end_turn().refused;
    assert_eq!(refused, [0, u64::from(100_000 - forged_answered), 0]);
}

#[test]
fn buckets_and_budget_count_on_connections_too() {
    for transport in Transport::ALL {
        let mut asked = Asked::new(Overload {
            per_source: Some(Rate { per_s: 1, burst: 2 }),
            refuse: Refuse::Answer,
            ..Overload::default()
        });
        let message = invite(1, "sip:+44@h");
        let source = IpAddr::from([198, 51, 100, 1]);
        let statuses = [0, 0, 0, 1000].map(|ms| asked.ask(ms, source, transport, &message));
        assert_eq!(statuses, [302, 302, 503, 302], "{transport:?}");
    }
}

#[test]
fn the_age_of_a_queue_says_nothing_of_connections() {
    let mut asked = Asked::new(Overload { refuse: Refuse::Silence, ..Overload::default() });
    let (message, source) = (invite(1, "sip:+44@h"), IpAddr::from([198, 51, 100, 1]));
    assert!(asked.engine.batch_begins(0, 300));
    assert_eq!(asked.ask(0, source, Transport::Udp, &message), 0);
    asked.engine.batch_ended(1);
    assert_eq!(asked.ask(0, source, Transport::Tcp, &message), 302);
}

/// Asks a socket that nobody reads yet, lets its queue grow old, and reads the answers of the loop then.
fn answers_of_an_old_queue(overload: Overload, messages: &[Vec<u8>]) -> (Vec<String>, Arc<Counters>) {
    let listen = Listen { name: "a".into(), transport: Transport::Udp, address: ([127, 0, 0, 1], 0).into() };
    let (event_loop, handle) = EventLoop::bind(&[listen], StreamSettings::default()).unwrap();
    let to = event_loop.addresses()[0];
    let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
    caller.set_read_timeout(Some(PATIENCE)).unwrap();
    // The kernel begins to stamp packets a moment after the first socket of a machine asks for it.
    thread::sleep(Duration::from_millis(50));
    for message in messages {
        caller.send_to(message, to).unwrap();
    }
    thread::sleep(Duration::from_millis(60));
    let counters = Arc::new(Counters::default());
    let counted = Arc::clone(&counters);
    let serving = thread::spawn(move || {
        let table = ArcSwap::from_pointee(Snapshot::first(table(), String::new(), 0, 1));
        event_loop.run(engine(overload), &table, &counted, &mut |_| false).unwrap();
    });
    let mut answers: Vec<String> = messages.iter().map(|_| answer(&caller)).collect();
    // What comes now has not waited.
    caller.send_to(&invite(1_000_000, "sip:+44@h"), to).unwrap();
    answers.push(answer(&caller));
    handle.order(Order::Stop);
    serving.join().unwrap();
    (answers, counters)
}

fn answer(caller: &UdpSocket) -> String {
    let mut bytes = [0; 2048];
    let len = caller.recv(&mut bytes).expect("an answer comes");
    String::from_utf8(bytes[..len].to_vec()).unwrap()
}

#[test]
fn what_waited_too_long_in_a_real_socket_is_refused_for_a_part_of_the_time() {
    let ordinary = (0..2 * DATAGRAMS_PER_BATCH).map(|number| invite(number, "sip:+442079460123@h"));
    let mut messages: Vec<_> = ordinary.collect();
    messages[5] = invite(5, "sip:112@h");
    let overload =
        Overload { queue_age_ms: 20, emergency: vec!["112".into()], retry_after_s: 7, ..Overload::default() };
    let (answers, counters) = answers_of_an_old_queue(overload, &messages);
    let refused = |answer: &str| {
        let is_refused = answer.starts_with("SIP/2.0 503 ");
        assert_eq!(is_refused, answer.contains("\r\nRetry-After: "), "{answer}");
        assert!(is_refused || answer.starts_with("SIP/2.0 302 "), "{answer}");
        is_refused
    };
    let numbers: Vec<usize> = (0..answers.len()).filter(|number| refused(&answers[*number])).collect();
    // The first batch, but for the call for help; the second has its turn, since the first took all of the time so far.
    let expected: Vec<usize> = (0..DATAGRAMS_PER_BATCH).filter(|number| *number != 5).collect();
    assert_eq!(numbers, expected);
    assert_eq!(counters.overload().refused, [0, 0, expected.len() as u64]);
}

#[test]
fn with_an_age_of_0_everything_is_answered_however_old() {
    let messages: Vec<_> = (0..DATAGRAMS_PER_BATCH).map(|number| invite(number, "sip:+44@h")).collect();
    let (answers, counters) =
        answers_of_an_old_queue(Overload { queue_age_ms: 0, ..Overload::default() }, &messages);
    assert!(answers.iter().all(|answer| answer.starts_with("SIP/2.0 302 ")));
    assert_eq!(counters.overload().refused, [0; 3]);
}
