//! TCP as its peers meet it: framing, pings, limits, and what a stream does to the others: nothing.

use std::{
    io::{ErrorKind, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use waypost::limits::{MESSAGE_BYTES_MAX, MESSAGES_PER_VISIT_MAX};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::{
    caller::{Caller, call_id, header, invite, request, status},
    harness::{KEY, PATIENCE, Routes, Server, eventually},
};

const ROUTES: &str = "
defaults: { unknown: { policy: answer, malformed: answer } }
gateways: { lon1: sip:sbc1.lon.example.net;transport=tcp }
routes: [ { name: all, answer: { contacts: [lon1] } } ]
";

const LONDON: &str = "sip:+442079460123@waypost.example.net";

fn server(listen: &[&str], config: &str) -> (Routes, Server) {
    let routes = Routes::of(ROUTES);
    let server = Server::start_on(listen, routes.path(), &format!("{KEY}{config}"));
    (routes, server)
}

/// One connection, and the bytes that came and were not looked at.
pub(crate) struct Stream<S = TcpStream> {
    stream: S,
    read: Vec<u8>,
}

impl Stream {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::of(stream)
    }
}

impl<S: std::io::Read + std::io::Write> Stream<S> {
    pub(crate) fn of(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(crate) fn inner(&mut self) -> &mut S {
        &mut self.stream
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// The next answer, which has no body.
    pub(crate) fn answer(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            assert!(self.more(), "the connection ended after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// The next `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more(), "the connection ended after {:?}", String::from_utf8_lossy(&self.read));
        }
        self.read.drain(..count).collect()
    }

    /// Everything up to the end of the connection.
    pub(crate) fn rest(mut self) -> String {
        while self.more() {}
        String::from_utf8(self.read).unwrap()
    }

    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.send(request);
        let answer = self.answer();
        assert_eq!(call_id(&answer), call_id(request), "{answer}");
        answer
    }

    fn more(&mut self) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(count) => {
                self.read.extend_from_slice(&chunk[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn tcp(call: &str) -> String {
    invite(call, LONDON).replace("SIP/2.0/UDP", "SIP/2.0/TCP")
}

#[test]
fn an_answer_goes_back_on_its_connection() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0", "tcp:[::1]:0"], "");
    for address in server.listeners.clone() {
        let mut streams = [Stream::to(address), Stream::to(address)];
        for (number, stream) in streams.iter_mut().enumerate() {
            stream.send(tcp(&format!("c{number}")));
        }
        for (number, stream) in streams.iter_mut().enumerate().rev() {
            let local = stream.stream.local_addr().unwrap();
            assert_eq!(
                stream.answer().split("\r\n").filter(|line| !line.starts_with("To")).collect::<Vec<_>>(),
                [
                    "SIP/2.0 302 Moved Temporarily",
                    &format!(
                        "Via: SIP/2.0/TCP proxy.example.net:5070;branch=z9hG4bKc{number};rport={};received={}",
                        local.port(),
                        local.ip()
                    ),
                    "From: <sip:+441632960001@proxy.example.net>;tag=a1",
                    &format!("Call-ID: c{number}"),
                    "CSeq: 1 INVITE",
                    "Contact: <sip:+442079460123@sbc1.lon.example.net;transport=tcp>;q=0.99",
                    "Content-Length: 0",
                    "",
                    "",
                ]
            );
        }
    }
}

#[test]
fn several_messages_of_one_write_and_one_of_many() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    let mut stream = Stream::to(server.address());
    let many: Vec<String> = (0..100).map(|number| format!("m{number}")).collect();
    stream.send(many.iter().map(|call| tcp(call)).collect::<String>());
    for call in &many {
        assert_eq!(call_id(&stream.answer()), call);
    }
    let body = "v=0\r\n\r\n\r\n";
    let slow = tcp("slow").replace("Length: 0", &format!("Length: {}", body.len())) + body;
    for byte in slow.as_bytes() {
        stream.send([*byte]);
    }
    assert_eq!(call_id(&stream.answer()), "slow");
}

#[test]
fn line_ends_before_a_message_are_passed_over() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    let mut stream = Stream::to(server.address());
    assert_eq!(status(&stream.ask(&format!("\r\n{}", tcp("a")))), 302);
    assert_eq!(status(&stream.ask(&format!("\n{}", tcp("b")))), 302);
}

#[test]
fn a_ping_gets_its_pong_at_once() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    let mut stream = Stream::to(server.address());
    stream.send("\r\n\r\n");
    assert_eq!(stream.bytes(2), b"\r\n");
    stream.send(format!("\r\n\r\n{}\r\n\r\n", tcp("a")));
    assert_eq!(stream.bytes(2), b"\r\n");
    assert_eq!(call_id(&stream.answer()), "a");
    assert_eq!(stream.bytes(2), b"\r\n");
}

#[test]
fn a_ping_split_over_two_reads_gets_one_pong_and_a_single_crlf_none() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    let mut stream = Stream::to(server.address());
    for byte in b"\r\n\r\n" {
        stream.send([*byte]);
    }
    assert_eq!(stream.bytes(2), b"\r\n");
    stream.send("\r\n");
    // Had it been answered, the answer would begin with it.
    assert!(stream.ask(&tcp("a")).starts_with("SIP/2.0 302 "));
}

#[test]
fn crlfs_inside_a_body_are_no_ping() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    let mut stream = Stream::to(server.address());
    stream.send(tcp("a").replace("Length: 0", "Length: 8") + "\r\n\r\n\r\n\r\n");
    assert_eq!(call_id(&stream.answer()), "a");
    assert!(stream.ask(&tcp("b")).starts_with("SIP/2.0 302 "));
}

#[test]
fn a_message_without_content_length_ends_the_connection() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    for (from, to, line) in [
        ("Content-Length: 0\r\n", "", "SIP/2.0 400 Missing Content-Length Header Field"),
        ("Length: 0", "Length: x", "SIP/2.0 400 Malformed Content-Length Header Field"),
        ("Length: 0", "Length: 4294967328", "SIP/2.0 400 Malformed Content-Length Header Field"),
        ("Length: 0", "Length: 2147483609", "SIP/2.0 513 Message Too Large"),
        ("Content-Length: 0", "l: 1\r\nl: 2", "SIP/2.0 400 Conflicting Content-Length Header Fields"),
    ] {
        let mut stream = Stream::to(server.address());
        stream.send(tcp("a").replace(from, to) + &tcp("b"));
        let all = stream.rest();
        assert_eq!(all.split("\r\n").next(), Some(line));
        assert_eq!(all.matches("SIP/2.0 ").count(), 1, "{all}");
    }
    server.until(r#"waypost_connections_closed_total{reason="unframed"}"#, 5.0);
}

#[test]
fn what_is_no_sip_ends_the_connection_in_silence() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    for bytes in [&b"\x16\x03\x01\x02\x00"[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[0; 70_000]] {
        let mut stream = Stream::to(server.address());
        // The server may have ended its side before all was sent.
        let _ = stream.stream.write_all(bytes);
        assert_eq!(stream.rest(), "");
    }
    assert_eq!(status(&Stream::to(server.address()).ask(&tcp("a"))), 302);
}

#[test]
fn a_peer_that_ends_its_side_still_gets_its_answers() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    let mut stream = Stream::to(server.address());
    stream.send(tcp("a") + &tcp("b") + "INVITE half");
    stream.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.rest().matches("SIP/2.0 302 ").count(), 2);
}

#[test]
fn acks_and_responses_are_silent_and_the_connection_stays() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    let mut stream = Stream::to(server.address());
    let response = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
    stream.send(request("ACK", "a", LONDON) + response);
    let options = request("OPTIONS", "o", &format!("sip:{}", server.address()));
    assert_eq!(status(&stream.ask(&options)), 200);
}

#[test]
fn a_source_has_its_share_of_connections_and_no_more() {
    let config = "connections: { max: 5, per_source: 3 }\n";
    let (_routes, server) = server(&["tcp:127.0.0.1:0", "udp:127.0.0.1:0"], config);
    let mut kept: Vec<Stream> = (0..3).map(|_| Stream::to(server.address())).collect();
    for stream in &mut kept {
        assert_eq!(status(&stream.ask(&tcp("a"))), 302);
    }
    assert_eq!(Stream::to(server.address()).rest(), "", "the fourth of one source");
    let mut others: Vec<Stream> = (0..2).map(|_| connect("127.0.0.2", server.address())).collect();
    for stream in &mut others {
        assert_eq!(status(&stream.ask(&tcp("b"))), 302);
    }
    assert_eq!(connect("127.0.0.3", server.address()).rest(), "", "the sixth in all");
    assert_eq!(server.sample(r#"waypost_connections_refused_total{reason="source"}"#), 1.0);
    assert_eq!(server.sample(r#"waypost_connections_refused_total{reason="total"}"#), 1.0);
    assert_eq!(server.sample(r#"waypost_connections{transport="tcp"}"#), 5.0);
    drop(kept);
    eventually("the places are free again", || {
        server.sample(r#"waypost_connections{transport="tcp"}"#) == 2.0
    });
    assert_eq!(status(&Stream::to(server.address()).ask(&tcp("c"))), 302);
}

/// Longer than what is answered, and read, in one visit.
#[test]
fn more_than_the_share_of_one_visit_is_answered_in_the_next() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "");
    let mut stream = Stream::to(server.address());
    let body = "x".repeat(MESSAGE_BYTES_MAX - 400);
    let calls: Vec<String> = (0..10 * MESSAGES_PER_VISIT_MAX).map(|number| format!("v{number}")).collect();
    let long = |call: &String| tcp(call).replace("Length: 0", &format!("Length: {}", body.len())) + &body;
    stream.send(calls.iter().map(long).collect::<String>());
    for call in &calls {
        assert_eq!(call_id(&stream.answer()), call);
    }
}

#[test]
fn an_idle_connection_is_ended() {
    let (_routes, server) = server(&["tcp:127.0.0.1:0"], "connections: { idle_s: 1 }\n");
    let mut stream = Stream::to(server.address());
    assert_eq!(status(&stream.ask(&tcp("a"))), 302);
    assert_eq!(stream.rest(), "");
    server.until(r#"waypost_connections_closed_total{reason="idle"}"#, 1.0);
}

/// Ten thousand connections of which half have sent the beginning of a message: datagrams are answered
/// as if there were none, and so is a new connection.
#[test]
fn ten_thousand_idle_or_half_open_connections_leave_udp_untouched() {
    const CONNECTIONS: usize = 10_000;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let (_routes, server) = server(&["udp:127.0.0.1:0", "tcp:127.0.0.1:0"], "");
    let [udp, tcp_address] = server.listeners[..] else { panic!("{:?}", server.listeners) };
    let caller = Caller::here();
    let alone = caller.ask(udp, &invite("alone", LONDON));
    let streams: Vec<Stream> = (0..CONNECTIONS)
        .map(|number| {
            let mut stream = connect(&format!("127.0.1.{}", 1 + number % 50), tcp_address);
            if number % 2 == 0 {
                stream.send(&tcp("half")[..60]);
            }
            stream
        })
        .collect();
    eventually("all are taken", || {
        server.sample(r#"waypost_connections_opened_total{transport="tcp"}"#) == 10_000.0
    });
    for number in 0..2_000 {
        let call = format!("call-{number}");
        let answer = caller.ask(udp, &invite(&call, LONDON));
        assert_eq!(header(&answer, "Contact"), header(&alone, "Contact"));
        assert_eq!(status(&answer), 302);
    }
    assert!(caller.heard_nothing());
    assert_eq!(status(&Stream::to(tcp_address).ask(&tcp("one-more"))), 302);
    assert_eq!(server.sample(r#"waypost_answers_total{code="302"}"#), 2_002.0);
    assert_eq!(streams.len(), CONNECTIONS);
}

/// A connection from this address of the loopback network.
fn connect(from: &str, to: SocketAddr) -> Stream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Stream::of(stream)
}
