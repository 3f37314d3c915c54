//! The real server over real TCP connections, each message whole and in pieces: what a client reads, and
//! how the server leaves its connection, is what the framer and the engine make of the same bytes.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::{
    floods::{GROWTH_KIB_MAX, call, memory_kib, message},
    harness::PATIENCE,
    messages::{Message, SETS},
    play::{End, Player},
    shown::text_of,
    wire::{Ports, is_answer_to, options},
};

#[test]
fn over_tcp_every_message_gets_the_same_from_the_real_server() {
    let ports = Ports::start();
    let mut player = Player::new();
    let mut failed = Vec::new();
    for set in SETS {
        let to = ports.tcp(set.source());
        let clock = Stream::connect(set.source(), to);
        for message in set.messages() {
            let played = player.play(&message.bytes, set.source());
            for pieces in [1, 2, 5] {
                let (text, end) = through_tcp(&message, pieces, played.end, set.source(), to, &clock);
                let expected = text_of(&played.tcp_bytes());
                if text != expected || end != played.end {
                    failed.push(format!(
                        "{} in {pieces} pieces:\nexpected\n{expected}{:?}\ngot\n{text}{end:?}",
                        message.name, played.end
                    ));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What a connection reads that sends this message in pieces, and how the server leaves it; `expected`
/// says only what to look for. `clock` is another connection: when its request is answered, the server
/// has seen what was sent before.
fn through_tcp(
    message: &Message,
    pieces: usize,
    expected: End,
    source: SocketAddr,
    to: SocketAddr,
    clock: &Stream,
) -> (String, End) {
    let mut stream = Stream::connect(source, to);
    for piece in message.bytes.chunks(message.bytes.len().div_ceil(pieces)) {
        // The server may have closed after a piece before.
        let _ = (&stream.socket).write_all(piece);
        clock.tick();
    }
    match expected {
        // The server does it: this client closes nothing.
        End::Closed => stream.read_until(|_| false),
        End::Open => {
            let _ = (&stream.socket).write_all(&options("later", stream.local));
            stream.read_until(|read| read.ends_with(b"\r\n\r\n") && last_answer(read).is_some());
        }
        End::Waits => {
            stream.read_what_is_there();
            if !stream.ended {
                stream.socket.shutdown(Shutdown::Write).unwrap();
                stream.read_until(|_| false);
                assert!(stream.ended, "{}: half-closed by the client, and not closed", message.name);
                return (from_any_port(&text_of(&stream.read), stream.local), End::Waits);
            }
        }
    }
    let end = match last_answer(&stream.read) {
        Some(at) => {
            stream.read.truncate(at);
            End::Open
        }
        None if stream.ended => End::Closed,
        None => End::Waits,
    };
    (from_any_port(&text_of(&stream.read), stream.local), end)
}

/// Where the answer to the later request begins, if that is the last one.
fn last_answer(read: &[u8]) -> Option<usize> {
    let at = read.windows(8).rposition(|window| window == b"SIP/2.0 ")?;
    is_answer_to("later", &read[at..]).then_some(at)
}

/// One connection and all that it has read.
pub(crate) struct Stream {
    pub(crate) socket: TcpStream,
    local: SocketAddr,
    read: Vec<u8>,
    ended: bool,
}

impl Stream {
    /// From any port of this address.
    pub(crate) fn connect(source: SocketAddr, to: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(source.ip(), 0).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        let socket: TcpStream = socket.into();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { local: socket.local_addr().unwrap(), socket, read: Vec::new(), ended: false }
    }

    /// A request and its answer: by then, the event loop has been at every connection that was ready.
    pub(crate) fn tick(&self) {
        for _ in 0..2 {
            (&self.socket).write_all(&options("tick", self.local)).unwrap();
            let answer = self.one_answer();
            assert!(is_answer_to("tick", &answer), "{}", text_of(&answer));
        }
    }

    /// An answer without body.
    pub(crate) fn one_answer(&self) -> Vec<u8> {
        let (mut answer, mut byte) = (Vec::new(), [0; 1]);
        while !answer.ends_with(b"\r\n\r\n") {
            (&self.socket).read_exact(&mut byte).expect("an answer");
            answer.push(byte[0]);
        }
        answer
    }

    fn read_what_is_there(&mut self) {
        self.socket.set_nonblocking(true).unwrap();
        self.read_until(|_| false);
        self.socket.set_nonblocking(false).unwrap();
    }

    /// Reads until this is enough, the connection ends, or nothing comes.
    fn read_until(&mut self, enough: impl Fn(&[u8]) -> bool) {
        let mut room = [0; 16 * 1024];
        while !self.ended && !enough(&self.read) {
            match self.socket.read(&mut room) {
                Ok(0) => self.ended = true,
                Ok(len) => self.read.extend_from_slice(&room[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // What we sent after the server had closed.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => self.ended = true,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Connections have ports of their own; the files have that of the source.
fn from_any_port(text: &str, local: SocketAddr) -> String {
    text.replace(&format!(";rport={};", local.port()), ";rport=5060;")
}

/// Connections of a flood, and calls on each.
const CONNECTIONS: usize = 20;
const CALLS: usize = 500;

/// CVE-2018-7286: clients that sent INVITEs and closed abruptly, their answers unread, ended the server.
#[test]
fn connections_that_end_abruptly_leave_the_server_answering() {
    let ports = Ports::start();
    let source = SETS[2].source();
    let to = ports.tcp(source);
    let invite = message("cve/04-invite-then-close");
    let first = answer_over_tcp(&invite, source, to);
    for number in 0..10 * CONNECTIONS {
        let stream = Stream::connect(source, to);
        let calls: Vec<u8> = (0..10).flat_map(|nth| call(&invite, 10 * number + nth)).collect();
        // Whole calls, one cut off, or none at all.
        let len = [calls.len(), calls.len() - 100, 0][number % 3];
        (&stream.socket).write_all(&calls[..len]).unwrap();
        // No linger: the server gets RST instead of FIN, whatever it has sent.
        socket2::SockRef::from(&stream.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(answer_over_tcp(&invite, source, to), first);
    Stream::connect(source, to).tick();
}

/// CVE-2020-28327: a flood of INVITEs over TCP.
#[test]
fn a_flood_over_tcp_is_answered_whole() {
    let ports = Ports::start();
    let source = SETS[2].source();
    let to = ports.tcp(source);
    let invite = message("cve/10-invite-flood-tcp");
    let first = answer_over_tcp(&invite, source, to);
    let flood = || {
        let streams: Vec<_> = (0..CONNECTIONS).map(|_| Stream::connect(source, to)).collect();
        for number in 0..CALLS {
            for stream in &streams {
                (&stream.socket).write_all(&call(&invite, number)).unwrap();
            }
            for stream in &streams {
                let answer = stream.one_answer();
                assert!(answer.starts_with(b"SIP/2.0 302 "), "{}", text_of(&answer));
                let id = format!("\r\nCall-ID: {number}-10-flood\r\n").into_bytes();
                assert!(answer.windows(id.len()).any(|window| window == id), "{}", text_of(&answer));
            }
        }
    };
    flood();
    let before = memory_kib(&ports);
    flood();
    let growth = memory_kib(&ports).saturating_sub(before);
    assert!(growth <= GROWTH_KIB_MAX, "{growth} KiB after {} calls", CONNECTIONS * CALLS);
    assert_eq!(answer_over_tcp(&invite, source, to), first);
}

/// The answer on a new connection.
fn answer_over_tcp(message: &Message, source: SocketAddr, to: SocketAddr) -> String {
    let stream = Stream::connect(source, to);
    (&stream.socket).write_all(&message.bytes).unwrap();
    from_any_port(&text_of(&stream.one_answer()), stream.local)
}
