//! The real server over a real UDP socket: what its client reads is what the engine makes of the same
//! bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, UdpSocket},
};

use crate::{
    harness::{KEY, PATIENCE, Routes, Server, eventually},
    messages::SETS,
    play::{Event, Played, Player, ROUTES},
    shown::text_of,
};

/// A server with a UDP and a TCP port of either family.
pub(crate) struct Ports {
    pub(crate) server: Server,
    _routes: Routes,
}

impl Ports {
    pub(crate) fn start() -> Self {
        let routes = Routes::of(ROUTES);
        let listen = ["udp:127.0.0.1:0", "udp:[::1]:0", "tcp:127.0.0.1:0", "tcp:[::1]:0"];
        let server = Server::start_on(&listen, routes.path(), KEY);
        assert_eq!(server.listeners.len(), listen.len());
        Self { server, _routes: routes }
    }

    pub(crate) fn udp(&self, caller: SocketAddr) -> SocketAddr {
        self.server.listeners[usize::from(caller.is_ipv6())]
    }

    pub(crate) fn tcp(&self, caller: SocketAddr) -> SocketAddr {
        self.server.listeners[2 + usize::from(caller.is_ipv6())]
    }
}

#[test]
fn over_udp_every_message_gets_the_same_from_the_real_server() {
    let ports = Ports::start();
    let mut player = Player::new();
    let mut failed = Vec::new();
    for set in SETS {
        let messages = set.messages();
        let played: Vec<_> = messages.iter().map(|m| player.play(&m.bytes, set.source())).collect();
        let caller = Caller::new(set.source(), &played);
        for (message, played) in messages.iter().zip(&played) {
            let expected = match &played.udp {
                Event::Send { to, bytes } => vec![(to.port(), text_of(bytes))],
                Event::Silence(_) => vec![],
            };
            let got = caller.ask(ports.udp(set.source()), &message.bytes);
            if got != expected {
                failed.push(format!("{}:\n  expected {expected:?}\n  got      {got:?}", message.name));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The address that all messages of a set come from, with a socket on every port that sent-by names.
struct Caller {
    source: SocketAddr,
    sockets: BTreeMap<u16, UdpSocket>,
}

impl Caller {
    fn new(source: SocketAddr, played: &[Played]) -> Self {
        let answered = played.iter().filter_map(|played| match &played.udp {
            Event::Send { to, .. } => Some(to.port()),
            Event::Silence(_) => None,
        });
        let ports: BTreeSet<u16> = answered.chain([source.port()]).collect();
        let bind = |port| {
            let mut socket = None;
            // Another run of this test may have the port.
            eventually("a port that sent-by names is free", || {
                socket = UdpSocket::bind(SocketAddr::new(source.ip(), port)).ok();
                socket.is_some()
            });
            let socket = socket.unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            (port, socket)
        };
        Self { source, sockets: ports.into_iter().map(bind).collect() }
    }

    /// Sends a message, and returns what came for it at any port before the answer to a later request.
    fn ask(&self, to: SocketAddr, message: &[u8]) -> Vec<(u16, String)> {
        let main = &self.sockets[&self.source.port()];
        main.send_to(message, to).unwrap();
        main.send_to(&options("later", self.source), to).unwrap();
        let mut got = Vec::new();
        let mut room = [0; 65_535];
        loop {
            let (len, from) = main.recv_from(&mut room).expect("the answer to the later request");
            assert_eq!(from, to);
            if is_answer_to("later", &room[..len]) {
                break;
            }
            got.push((self.source.port(), text_of(&room[..len])));
        }
        for (port, socket) in &self.sockets {
            socket.set_nonblocking(true).unwrap();
            while let Ok((len, _)) = socket.recv_from(&mut room) {
                got.push((*port, text_of(&room[..len])));
            }
            socket.set_nonblocking(false).unwrap();
        }
        got
    }
}

/// A request for the server itself, to see how far it has come.
pub(crate) fn options(call: &str, source: SocketAddr) -> Vec<u8> {
    format!(
        "OPTIONS sip:waypost.example.net SIP/2.0\r\n\
         Via: SIP/2.0/UDP {source};branch=z9hG4bK{call};rport\r\n\
         From: <sip:test@example.net>;tag=1\r\n\
         To: <sip:waypost.example.net>\r\n\
         Call-ID: {call}\r\n\
         CSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Whether this is the 200 to such a request.
pub(crate) fn is_answer_to(call: &str, answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    text.starts_with("SIP/2.0 200 OK\r\n") && text.contains(&format!("\r\nCall-ID: {call}\r\n"))
}
