//! Connections on a real loop with times of the tests' own, and a service that is not SIP: who sends
//! slowly, who reads slowly, who says nothing. None keeps the loop from serving the others.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use waypost::{
    config::Listen,
    counters::{ConnectionEnd, ConnectionRefusal, SocketTrouble},
    dns::{Answer, Question},
    engine::{Now, Path, Peer},
    limits::{LINGER_MS_MAX, UNSENT_BYTES_MAX},
    net::{Departure, EventLoop, Handle, Order, Ready, Service, StreamSettings},
    route::Transport,
};

/// Answers each message with as many bytes as its Content-Length says, or later when it begins with W.
#[derive(Debug, Default)]
struct Counted {
    messages: usize,
    ends: Vec<ConnectionEnd>,
    refusals: usize,
    troubles: Vec<SocketTrouble>,
    waiting: Vec<(u64, Path)>,
}

/// The longest answer there is room for.
const ANSWER_BYTES: usize = 60_000;

impl Service for Counted {
    fn message(
        &mut self,
        bytes: &[u8],
        Peer { path, .. }: Peer<'_>,
        now: Now,
        out: &mut [u8],
    ) -> Option<Departure> {
        self.messages += 1;
        if bytes[0] == b'W' {
            self.waiting.push((now.ms + 50, path));
            return None;
        }
        out[..ANSWER_BYTES].fill(b'a');
        Some(Departure { len: ANSWER_BYTES, to: path.source, path })
    }

    fn answered(&mut self, _question: Question, _answer: Answer, _now: Now) {}

    fn next_ready(&mut self, now: Now, out: &mut [u8]) -> Ready {
        let Some(place) = self.waiting.iter().position(|(at_ms, _)| *at_ms <= now.ms) else {
            return Ready::None;
        };
        let (_, path) = self.waiting.remove(place);
        out[..4].copy_from_slice(b"late");
        Ready::Send(Departure { len: 4, to: path.source, path })
    }

    fn deadline_ms(&self) -> Option<u64> {
        self.waiting.iter().map(|(at_ms, _)| *at_ms).min()
    }

    fn drain(&mut self, _: bool) {}

    fn trouble(&mut self, trouble: SocketTrouble) {
        self.troubles.push(trouble);
    }

    fn connection_opened(&mut self, transport: Transport) {
        assert_eq!(transport, Transport::Tcp);
    }

    fn connection_refused(&mut self, _refusal: ConnectionRefusal) {
        self.refusals += 1;
    }

    fn connection_closed(&mut self, _transport: Transport, end: ConnectionEnd) {
        self.ends.push(end);
    }

    fn decided_in(&mut self, _took: Duration) {}

    fn rest(&mut self) {}
}

struct Running {
    thread: JoinHandle<Counted>,
    handle: Handle,
    address: SocketAddr,
}

impl Running {
    fn start(settings: StreamSettings) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let listen = Listen { name: "a".into(), transport: Transport::Tcp, address };
        let (event_loop, handle) = EventLoop::bind(&[listen], settings).unwrap();
        let address = event_loop.addresses()[0];
        let thread = thread::spawn(move || {
            let mut counted = Counted::default();
            event_loop.run_with(&mut counted).unwrap();
            counted
        });
        Self { thread, handle, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn stop(self) -> Counted {
        self.handle.order(Order::Stop);
        self.thread.join().unwrap()
    }
}

const MESSAGE: &[u8] = b"M x\r\nContent-Length: 0\r\n\r\n";
const LATER: &[u8] = b"W x\r\nContent-Length: 0\r\n\r\n";

fn settings() -> StreamSettings {
    StreamSettings { idle_ms: 60_000, message_ms: 60_000, unsent_ms: 60_000, ..StreamSettings::default() }
}

/// The bytes up to the end of the connection.
fn rest(stream: &mut TcpStream) -> usize {
    let (mut bytes, mut chunk) = (0, [0; 65_536]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return bytes,
            Ok(count) => bytes += count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return bytes,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn who_sends_a_byte_now_and_then_is_ended_all_the_same() {
    let running = Running::start(StreamSettings { message_ms: 300, ..settings() });
    let mut stream = running.connect();
    let began = Instant::now();
    while stream.write_all(b"M").is_ok() && began.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(rest(&mut stream), 0);
    assert_eq!(running.stop().ends, [ConnectionEnd::SlowSender]);
}

#[test]
fn who_takes_no_answers_has_no_more_requests_read_and_is_ended() {
    let running = Running::start(StreamSettings { unsent_ms: 300, ..settings() });
    let mut stream = running.connect();
    stream.set_nonblocking(true).unwrap();
    // More than both kernels hold: the server stops reading before it has answered all of these.
    let mut sent = 0;
    let began = Instant::now();
    while sent < 100_000 && began.elapsed() < Duration::from_secs(60) {
        match stream.write(MESSAGE) {
            Ok(_) => sent += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(1)),
            Err(_) => break,
        }
    }
    let mut other = running.connect();
    other.write_all(MESSAGE).unwrap();
    other.read_exact(&mut [0; ANSWER_BYTES]).unwrap();
    let counted = running.stop();
    assert_eq!(counted.ends[0], ConnectionEnd::SlowReader);
    let held_bytes = counted.messages * ANSWER_BYTES;
    assert!(
        held_bytes > UNSENT_BYTES_MAX && held_bytes < 64 * 1024 * 1024,
        "{held_bytes} bytes were written"
    );
}

#[test]
fn who_reads_slowly_gets_all_in_the_end() {
    let running = Running::start(settings());
    let mut stream = running.connect();
    let sender = thread::spawn({
        let mut stream = stream.try_clone().unwrap();
        move || (0..200).for_each(|_| stream.write_all(MESSAGE).unwrap())
    });
    let mut left = 200 * ANSWER_BYTES;
    while left > 0 {
        let mut chunk = vec![0; left.min(100_000)];
        stream.read_exact(&mut chunk).unwrap();
        left -= chunk.len();
        thread::sleep(Duration::from_micros(200));
    }
    sender.join().unwrap();
    let counted = running.stop();
    assert_eq!((counted.messages, counted.troubles), (200, vec![]));
}

#[test]
fn an_answer_that_waited_finds_its_connection_even_half_closed() {
    let running = Running::start(settings());
    let mut stream = running.connect();
    stream.write_all(LATER).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rest(&mut stream), 4);
    let gone = running.connect();
    (&gone).write_all(LATER).unwrap();
    thread::sleep(Duration::from_millis(20));
    socket2::SockRef::from(&gone).set_linger(Some(Duration::ZERO)).unwrap();
    drop(gone);
    thread::sleep(Duration::from_millis(100));
    let counted = running.stop();
    assert_eq!(counted.messages, 2);
    assert_eq!(counted.troubles, [SocketTrouble::ConnectionGone]);
}

#[test]
fn a_peer_that_does_not_end_its_side_is_waited_for_a_moment_only() {
    let running = Running::start(settings());
    let mut stream = running.connect();
    stream.write_all(b"M x\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; ANSWER_BYTES]).unwrap();
    assert_eq!(rest(&mut stream), 0, "our side has ended");
    let began = Instant::now();
    while stream.write_all(b"more").is_ok() {
        assert!(began.elapsed() < Duration::from_millis(LINGER_MS_MAX) + Duration::from_secs(60));
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(running.stop().ends, [ConnectionEnd::Unframed]);
}

#[test]
fn connections_that_are_open_when_the_loop_stops_get_their_answers() {
    let running = Running::start(settings());
    let mut streams: Vec<_> = (0..100).map(|_| running.connect()).collect();
    for stream in &mut streams {
        stream.write_all(MESSAGE).unwrap();
    }
    streams[99].read_exact(&mut [0; ANSWER_BYTES]).unwrap();
    for stream in streams.iter_mut().take(99) {
        stream.write_all(MESSAGE).unwrap();
    }
    running.handle.order(Order::Stop);
    let answered: usize = streams.iter_mut().take(99).map(|stream| rest(stream) / ANSWER_BYTES).sum();
    assert_eq!(answered, 2 * 99);
    assert_eq!(running.thread.join().unwrap().messages, 199);
}
