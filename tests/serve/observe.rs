//! Those who look on: Homer, the log of decisions, the numbers about the loop.

use std::net::{SocketAddr, UdpSocket};

use waypost::limits::TAP_RECORDS_OF_TOP;

use crate::{
    caller::{Caller, header, invite, request, status},
    harness::{KEY, PATIENCE, Routes, Server, eventually},
    names::{ENUM, Names, Reply, naptr},
};

const ROUTES: &str = "
gateways: { lon1: \"sip:sbc1.lon.example.net\", lon2: \"sip:sbc2.lon.example.net\" }
routes:
- { name: hole, when: { user: hole }, silence: true }
- { name: to London, when: { number: \"+44*\" }, answer: { contacts: [lon1, lon2] } }
- { name: default, answer: { code: 404 } }
";
const LONDON: &str = "sip:+442079460123@waypost.example.net";

/// The lines of decisions, without their time, the address of the caller, and the draw of each call.
fn decisions(server: &Server, caller: &Caller) -> Vec<String> {
    let source = format!("source=127.0.0.1:{} ", caller.port());
    let line = |line: String| {
        let (_, fields) = line.split_once("decided call=")?;
        let (call, fields) = fields.split_once(' ')?;
        assert!(call.len() == 16 && call.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
        Some(fields.strip_prefix(&source).unwrap_or_else(|| panic!("{line}")).to_owned())
    };
    server.log().into_iter().filter_map(line).collect()
}

#[test]
fn decisions_are_logged_for_people() {
    let routes = Routes::of(ROUTES);
    let server = Server::start(routes.path(), &format!("{KEY}log: {{decisions: {{sample: 1}}}}\n"));
    let (caller, to) = (Caller::here(), server.address());
    assert_eq!(status(&caller.ask(to, &invite("a", LONDON))), 302);
    assert_eq!(status(&caller.ask(to, &invite("b", "sip:112@emergency.example.net"))), 404);
    caller.send(to, request("ACK", "b", "sip:112@emergency.example.net"));
    caller.send(to, invite("c", "sip:hole@waypost.example.net"));
    caller.send(to, "hello");
    assert_eq!(status(&caller.ask(to, &invite("d", LONDON).replace("sip:+441632960001@", "sip:"))), 302);
    eventually("six lines", || decisions(&server, &caller).len() == 6);
    let lines = decisions(&server, &caller);
    // The same hash for the same number, and none for a short code.
    let london = lines[0].split_once("called=").unwrap().1.split_once(' ').unwrap().0;
    assert!(london.starts_with("+442~") && london.len() == 15, "{london}");
    let from = lines[0].split_once("caller=").unwrap().1.split_once(' ').unwrap().0;
    assert!(from.starts_with("+441~") && from.len() == 15, "{from}");
    let hole = lines[3].split_once("called=").unwrap().1.split_once(' ').unwrap().0;
    assert!(hole.starts_with('~') && hole.len() == 11, "{hole}");
    assert_eq!(
        lines,
        [
            format!(
                "transport=udp method=INVITE called={london} caller={from} domain=waypost.example.net route=\"to London\" status=302 contacts=2"
            ),
            format!(
                "transport=udp method=INVITE called=112 caller={from} domain=emergency.example.net route=\"default\" status=404 contacts=0"
            ),
            format!(
                "transport=udp method=ACK called=112 caller={from} domain=emergency.example.net silence=ack"
            ),
            format!(
                "transport=udp method=INVITE called={hole} caller={from} domain=waypost.example.net route=\"hole\" silence=route"
            ),
            "transport=udp method=unreadable silence=not_sip".to_owned(),
            format!(
                "transport=udp method=INVITE called={london} domain=waypost.example.net route=\"to London\" status=302 contacts=2"
            ),
        ]
    );
}

/// Messages with what ends lines, colours terminals, closes quotes or is no UTF-8, where they are read and where not.
fn hostile() -> Vec<Vec<u8>> {
    let evil = b"\x1b[31m\"\\ \xff\xfe%0d%0A={}\x07";
    let with = |place: &str, bytes: &[u8]| {
        let message = invite("evil", "sip:USER@HOST").replace("+441632960001@", "FROM@").into_bytes();
        let (mut out, mut rest) = (Vec::new(), &message[..]);
        while let Some(at) = rest.windows(place.len()).position(|window| window == place.as_bytes()) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(bytes);
            rest = &rest[at + place.len()..];
        }
        out.extend_from_slice(rest);
        out
    };
    let mut all: Vec<_> = ["USER", "HOST", "FROM", "INVITE"].map(|place| with(place, evil)).into();
    all.push(with("USER", b"x\nFAKE decided call=0 y"));
    all.push(with("USER", b"u%22%5c%0a"));
    all.push(with("HOST", &[b'h'; 1000]));
    all.push(evil.to_vec());
    all
}

#[test]
fn hostile_bytes_write_no_line_of_their_own() {
    let routes = Routes::of(ROUTES);
    for format in ["human", "json"] {
        let config = format!("{KEY}log: {{format: {format}, decisions: {{numbers: full}}}}\n");
        let server = Server::start(routes.path(), &config);
        let before = server.log().len();
        let caller = Caller::here();
        for message in hostile() {
            caller.send(server.address(), message);
        }
        // What is before it has been served when it is answered, and is logged before it.
        caller.send(server.address(), request("ACK", "last", LONDON));
        let is_over = |line: &String| line.contains("method=ACK") || line.contains(r#""method":"ACK""#);
        eventually("the last line", || server.log().iter().any(is_over));
        let lines = server.log().split_off(before);
        assert_eq!(lines.len(), hostile().len() + 1, "{lines:#?}");
        for line in &lines {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
            assert!(!line.contains("FAKE decided"), "{line}");
            if format == "json" {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!((&value["message"], &value["transport"]), (&"decided".into(), &"udp".into()));
                let source = format!("127.0.0.1:{}", caller.port());
                assert_eq!(value["source"], source.as_str());
            } else {
                assert_eq!(line.matches(" decided call=").count(), 1, "{line}");
                assert_eq!(line.matches('"').count() % 2, 0, "{line}");
            }
        }
    }
}

/// What a packet of HEP3 has, by the type of its chunk.
fn chunks(packet: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let number = |bytes: &[u8]| u16::from_be_bytes(bytes.try_into().unwrap());
    assert_eq!((&packet[..4], usize::from(number(&packet[4..6]))), (&b"HEP3"[..], packet.len()));
    let (mut chunks, mut rest) = (Vec::new(), &packet[6..]);
    while !rest.is_empty() {
        let len = usize::from(number(&rest[4..6]));
        assert_eq!(number(&rest[..2]), 0, "vendor");
        chunks.push((number(&rest[2..4]), rest[6..len].to_vec()));
        rest = &rest[len..];
    }
    chunks
}

struct Homer(UdpSocket);

impl Homer {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn config(&self, more: &str) -> String {
        format!("{KEY}hep: {{to: \"{}\"{more}}}\n", self.0.local_addr().unwrap())
    }

    fn next(&self) -> Vec<(u16, Vec<u8>)> {
        let mut bytes = [0; 65_535];
        let (len, _) = self.0.recv_from(&mut bytes).expect("a packet comes");
        chunks(&bytes[..len])
    }

    /// The next packet shows this message, from and to these ports of 127.0.0.1.
    fn shows(&self, message: &str, call: &str, [from, to]: [u16; 2]) -> u64 {
        let packet = self.next();
        let chunk = |kind: u16| packet.iter().find(|(of, _)| *of == kind).map(|(_, value)| &value[..]);
        assert_eq!(String::from_utf8_lossy(chunk(0x0f).unwrap()), message);
        assert_eq!((chunk(1), chunk(2), chunk(0x0b)), (Some(&[2][..]), Some(&[17][..]), Some(&[1][..])));
        assert_eq!((chunk(3), chunk(4)), (Some(&[127, 0, 0, 1][..]), Some(&[127, 0, 0, 1][..])));
        assert_eq!((chunk(7), chunk(8)), (Some(&from.to_be_bytes()[..]), Some(&to.to_be_bytes()[..])));
        assert_eq!(chunk(0x11), Some(call.as_bytes()));
        assert_eq!((chunk(0x0c), chunk(0x0e)), (Some(&[0, 0, 0, 7][..]), None));
        assert_eq!(chunk(0x13), Some(&b"lon-1"[..]));
        let number = |kind| u64::from(u32::from_be_bytes(chunk(kind).unwrap().try_into().unwrap()));
        number(9) * 1_000_000 + number(0x0a)
    }
}

#[test]
fn homer_is_shown_each_request_and_its_answer() {
    let (homer, routes) = (Homer::start(), Routes::of(ROUTES));
    let server = Server::start(routes.path(), &homer.config(", agent_id: 7, node: lon-1"));
    let (caller, to) = (Caller::here(), server.address());
    let asked = invite("shown", LONDON);
    let answer = caller.ask(to, &asked);
    let at = homer.shows(&asked, "shown", [caller.port(), to.port()]);
    let answered_at = homer.shows(&answer, "shown", [to.port(), caller.port()]);
    assert_eq!(answered_at, at + 1, "microseconds");
    assert!(at > 1_700_000_000_000_000, "{at}");
    // What has no answer is one packet.
    let ack = request("ACK", "shown", LONDON);
    caller.send(to, &ack);
    homer.shows(&ack, "shown", [caller.port(), to.port()]);
    server.until("waypost_hep_packets_total{result=\"sent\"}", 3.0);
    let samples = server.samples();
    assert_eq!(samples[r#"waypost_tap_messages_total{result="shown"}"#], 2.0);
    assert_eq!(samples[r#"waypost_hep_packets_total{result="failed"}"#], 0.0);
}

#[test]
fn a_call_that_waited_for_dns_is_shown_once_with_its_answer() {
    let names = Names::start(|_, _| Reply::Records(vec![naptr(1, 1, "E2U+sip", "sip:a@example.net")]));
    let (homer, routes) = (Homer::start(), Routes::of(ENUM));
    let config = homer.config(", agent_id: 7, node: lon-1") + &names.config();
    let server = Server::start(routes.path(), &config);
    let (caller, to) = (Caller::here(), server.address());
    let asked = invite("waits", LONDON);
    let answer = caller.ask(to, &asked);
    assert_eq!(header(&answer, "Contact"), "<sip:a@example.net>;q=0.99");
    let at = homer.shows(&asked, "waits", [caller.port(), to.port()]);
    let answered_at = homer.shows(&answer, "waits", [to.port(), caller.port()]);
    assert!(answered_at > at, "the question took its time");
    server.until("waypost_tap_messages_total{result=\"shown\"}", 1.0);
}

#[test]
fn homer_that_is_not_there_costs_no_answer() {
    let routes = Routes::of(ROUTES);
    // A port that nobody has: it was one's who has gone.
    let nobody: SocketAddr = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start(routes.path(), &format!("{KEY}hep: {{to: \"{nobody}\"}}\n"));
    let caller = Caller::here();
    let mut call = 0;
    eventually("failures are counted", || {
        call += 1;
        assert_eq!(status(&caller.ask(server.address(), &invite(&format!("c{call}"), LONDON))), 302);
        server.sample("waypost_hep_packets_total{result=\"failed\"}") > 0.0
    });
}

#[test]
fn what_the_loops_had_to_show_is_shown_before_the_end() {
    let (homer, routes) = (Homer::start(), Routes::of(ROUTES));
    let server = Server::start(routes.path(), &homer.config(""));
    let caller = Caller::here();
    for call in 0..50 {
        caller.ask(server.address(), &invite(&format!("c{call}"), LONDON));
    }
    server.signal("TERM");
    let (ended, _) = server.ended();
    assert!(ended.success());
    for _ in 0..100 {
        homer.next();
    }
}

#[test]
fn numbers_about_the_loop_tell_what_it_does() {
    let routes = Routes::of(ROUTES);
    let server = Server::start(routes.path(), &format!("{KEY}workers: 2\ntop: {{sample: 1}}\n"));
    let caller = Caller::here();
    let busy = || {
        let samples = server.samples();
        ["1", "2"].map(|worker| samples[&format!("waypost_loop_busy_seconds_total{{worker=\"{worker}\"}}")])
    };
    let before = busy();
    assert!(before.iter().all(|busy_s| *busy_s > 0.0), "{before:?}");
    // As many as there are records for: one worker has all of this caller's, and who looks on may sleep meanwhile.
    for call in 0..TAP_RECORDS_OF_TOP {
        caller.ask(server.address(), &invite(&format!("c{call}"), LONDON));
    }
    eventually("one has worked", || busy().iter().sum::<f64>() > before.iter().sum());
    let samples = server.samples();
    assert_eq!(samples["waypost_ready"], 1.0);
    assert_eq!(samples["waypost_socket_receive_queue_bytes{listener=\"udp:127.0.0.1:0\"}"], 0.0);
    server.until("waypost_tap_messages_total{result=\"shown\"}", TAP_RECORDS_OF_TOP as f64);
    assert_eq!(server.sample("waypost_tap_messages_total{result=\"dropped\"}"), 0.0);
}
