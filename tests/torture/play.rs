//! What the engine makes of a message: over UDP, and over a stream that the framer cuts up.

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

use crate::shown::text_of;
use waypost::{
    decide::{Settings, Silence},
    engine::{Engine, Now, Outcome, Path},
    limits::ANSWER_BYTES_ROOM,
    route::{RouteTable, Transport, file},
    sip::{Framed, Framer, HeaderIndex, Unanswerable},
};

/// Every request that may be redirected is, to the one Contact; every fault is told.
pub(crate) const ROUTES: &str = "\
defaults: { unknown: { policy: answer, malformed: answer } }
gateways: { next: sip:next.example.net }
routes: [{ name: all, answer: { contacts: [next] } }]
";

/// What [`crate::harness::KEY`] says.
const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// How the server leaves a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The next message is answered.
    Open,
    /// The server closes it: where the next message begins cannot be told.
    Closed,
    /// The message is not complete: what comes next is taken for the rest of it.
    Waits,
}

impl End {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Closed => "CLOSED",
            Self::Waits => "WAITS",
        }
    }
}

/// What comes of one message.
pub(crate) enum Event {
    Send { to: SocketAddr, bytes: Vec<u8> },
    Silence(&'static str),
}

/// What comes of the bytes of one file.
pub(crate) struct Played {
    pub(crate) udp: Event,
    pub(crate) tcp: Vec<Event>,
    pub(crate) end: End,
}

/// The engine with the routes above.
pub(crate) struct Player {
    engine: Engine,
    table: RouteTable,
    out: Vec<u8>,
}

impl Player {
    pub(crate) fn new() -> Self {
        let source = file::Source { path: "routes.yaml".to_owned(), bytes: ROUTES.as_bytes().to_vec() };
        let draft = file::parse(&[source]).expect("routes");
        let no_data = |_: &str| Err("no data".to_owned());
        Self {
            engine: Engine::new(Settings { key: KEY, ..Settings::default() }, vec!["default".into()]),
            table: draft.build_from(&no_data).expect("routes").0,
            out: vec![0; ANSWER_BYTES_ROOM],
        }
    }

    pub(crate) fn play(&mut self, bytes: &[u8], source: SocketAddr) -> Played {
        let udp = self.message(bytes, source, Transport::Udp);
        let (tcp, end) = self.stream(bytes, source);
        Played { udp, tcp, end }
    }

    fn stream(&mut self, bytes: &[u8], source: SocketAddr) -> (Vec<Event>, End) {
        let (mut framer, mut index) = (Framer::default(), HeaderIndex::new());
        let (mut events, mut rest) = (Vec::new(), bytes);
        loop {
            let len = match framer.next(rest, &mut index) {
                Framed::Part => {
                    return (events, if framer.in_message() { End::Waits } else { End::Open });
                }
                Framed::Garbage => {
                    events.push(Event::Silence(Unanswerable::NotSip.label()));
                    return (events, End::Closed);
                }
                Framed::Last { len } => {
                    events.push(self.message(&rest[..len], source, Transport::Tcp));
                    return (events, End::Closed);
                }
                Framed::Message { len } => {
                    events.push(self.message(&rest[..len], source, Transport::Tcp));
                    if matches!(events.last(), Some(Event::Silence(why)) if *why == Unanswerable::NotSip.label())
                    {
                        return (events, End::Closed);
                    }
                    len
                }
                Framed::Blank { len, pings } => {
                    for _ in 0..pings {
                        events.push(Event::Send { to: source, bytes: b"\r\n".to_vec() });
                    }
                    len
                }
            };
            rest = &rest[len..];
        }
    }

    fn message(&mut self, bytes: &[u8], source: SocketAddr, transport: Transport) -> Event {
        let local = SocketAddr::new(server_ip(source), 5060);
        let path = Path { source, local, listener: 0, transport };
        let now = Now { ms: 0, unix_s: 1_767_614_400 };
        match self.engine.datagram(bytes, path, &self.table, now, &mut self.out).1 {
            Outcome::Send { reply, .. } => {
                Event::Send { to: reply.to, bytes: self.out[..reply.len].to_vec() }
            }
            Outcome::Silence(silence) => Event::Silence(Silence::label_of(silence.index())),
            Outcome::Wait => panic!("these routes ask no DNS"),
        }
    }
}

/// The loopback address of the server, of the family of its caller.
pub(crate) fn server_ip(source: SocketAddr) -> IpAddr {
    if source.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1_u16].into() }
}

impl Played {
    /// As it stands in the file, after the reason.
    pub(crate) fn text(&self) -> String {
        let mut text = "UDP\n".to_owned();
        match &self.udp {
            Event::Send { to, bytes } => push_sent(&mut text, &format!("SEND {to}"), bytes),
            Event::Silence(why) => writeln!(text, "SILENCE {why}").expect("text"),
        }
        text.push_str("TCP\n");
        for event in &self.tcp {
            match event {
                Event::Send { bytes, .. } => push_sent(&mut text, "SEND", bytes),
                Event::Silence(why) => writeln!(text, "SILENCE {why}").expect("text"),
            }
        }
        writeln!(text, "{}", self.end.word()).expect("text");
        text
    }

    /// The verdicts in short, as the first line of the file gives them: `UDP: 405. TCP: 405 302 OPEN.`
    pub(crate) fn verdict(&self) -> String {
        let mut text = format!("UDP: {}. TCP:", self.udp.verdict());
        for event in &self.tcp {
            write!(text, " {}", event.verdict()).expect("text");
        }
        write!(text, " {}.", self.end.word()).expect("text");
        text
    }

    /// All that a TCP client reads.
    pub(crate) fn tcp_bytes(&self) -> Vec<u8> {
        let sent = self.tcp.iter().filter_map(|event| match event {
            Event::Send { bytes, .. } => Some(&bytes[..]),
            Event::Silence(_) => None,
        });
        sent.collect::<Vec<_>>().concat()
    }
}

impl Event {
    fn verdict(&self) -> String {
        match self {
            Self::Send { bytes, .. } if bytes == b"\r\n" => "pong".to_owned(),
            Self::Send { bytes, .. } => String::from_utf8_lossy(&bytes[8..11]).into_owned(),
            Self::Silence(_) => "silence".to_owned(),
        }
    }
}

fn push_sent(text: &mut String, word: &str, bytes: &[u8]) {
    text.push_str(word);
    text.push('\n');
    text.push_str(&text_of(bytes));
}
