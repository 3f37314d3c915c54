//! The numbers, after traffic that is known.

use crate::{
    admin::nonzero,
    caller::{Caller, invite, request, status},
    harness::{KEY, Routes, Server},
    names::{Names, Reply, a, naptr},
};

const ROUTES: &str = "
defaults: { unknown: { policy: answer, malformed: answer } }
gateways: { lon1: \"sip:sbc1.lon.example.net\" }
routes:
  - { name: london, when: { number: \"+4420*\" }, answer: { contacts: [lon1] } }
  - { name: black hole, when: { user: hole }, silence: true }
  - { name: default, answer: { code: 404 } }
";

const LONDON: &str = "sip:+442079460123@waypost.example.net";
const ALICE: &str = "sip:alice@waypost.example.net";

#[test]
fn known_requests_make_known_numbers() {
    let routes = Routes::of(ROUTES);
    let server = Server::start(routes.path(), KEY);
    // An address that would be seen in a label.
    let caller = Caller::at("127.0.0.77");
    let to = server.address();
    let us = format!("sip:{to}");
    let without = |line: &str| {
        let sound = invite("faulty", LONDON);
        let line = sound.split_inclusive("\r\n").find(|whole| whole.starts_with(line)).unwrap();
        sound.replacen(line, "", 1)
    };
    for (message, expected) in [
        (invite("a", LONDON), 302),
        (invite("b", LONDON), 302),
        (invite("c", LONDON), 302),
        (invite("d", ALICE), 404),
        (invite("e", ALICE), 404),
        (request("MESSAGE", "f", LONDON), 302),
        (request("FROBNICATE", "g", LONDON), 302),
        (request("OPTIONS", "h", &us), 200),
        (request("REGISTER", "i", &us), 405),
        (request("BYE", "j", LONDON), 481),
        (without("Call-ID"), 400),
        (without("To"), 400),
        (without("To"), 400),
        (invite("k", LONDON).replace("CSeq: 1 INVITE", "CSeq: 1 MESSAGE"), 400),
        (invite("l", LONDON).replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505),
    ] {
        caller.send(to, &message);
        assert_eq!(status(&caller.receive().1), expected, "{message}");
    }
    for message in [
        request("ACK", "m", LONDON),
        request("ACK", "n", LONDON),
        request("CANCEL", "o", LONDON),
        invite("p", "sip:hole@waypost.example.net"),
        "\r\n\r\n".to_owned(),
        "\r\n\r\n".to_owned(),
        String::new(),
        "hello".to_owned(),
        "SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\n".to_owned(),
        without("Via"),
        format!("INVITE {LONDON} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n\r\n"),
        request("ACK", "q", LONDON).replace("Call-ID: q\r\n", ""),
    ] {
        caller.send(to, message);
    }
    // What is before it in the socket has been served when it is answered.
    caller.ask(to, &invite("last", LONDON));
    assert!(caller.heard_nothing());

    // A message is counted before its answer is sent.
    let samples = server.samples();
    let counted = |family| nonzero(&samples, family);
    assert_eq!(
        counted("waypost_requests_total"),
        [
            (r#"method="ACK",transport="udp""#, 2.0),
            (r#"method="BYE",transport="udp""#, 1.0),
            (r#"method="CANCEL",transport="udp""#, 1.0),
            (r#"method="INVITE",transport="udp""#, 12.0),
            (r#"method="MESSAGE",transport="udp""#, 1.0),
            (r#"method="OPTIONS",transport="udp""#, 1.0),
            (r#"method="REGISTER",transport="udp""#, 1.0),
            (r#"method="other",transport="udp""#, 1.0),
            (r#"method="unreadable",transport="udp""#, 8.0),
        ]
    );
    assert_eq!(
        counted("waypost_answers_total"),
        [
            (r#"code="200""#, 1.0),
            (r#"code="302""#, 6.0),
            (r#"code="400""#, 4.0),
            (r#"code="404""#, 2.0),
            (r#"code="405""#, 1.0),
            (r#"code="481""#, 1.0),
            (r#"code="505""#, 1.0),
        ]
    );
    assert_eq!(
        counted("waypost_silences_total"),
        [
            (r#"reason="ack""#, 2.0),
            (r#"reason="bad_ack""#, 1.0),
            (r#"reason="cancel""#, 1.0),
            (r#"reason="empty""#, 1.0),
            (r#"reason="keep_alive""#, 2.0),
            (r#"reason="no_via""#, 1.0),
            (r#"reason="not_sip""#, 1.0),
            (r#"reason="nothing_to_echo""#, 1.0),
            (r#"reason="response""#, 1.0),
            (r#"reason="route""#, 1.0),
        ]
    );
    assert_eq!(
        counted("waypost_refused_requests_total"),
        [
            (r#"reason="bad_version""#, 1.0),
            (r#"reason="cseq_method_mismatch""#, 1.0),
            (r#"reason="missing_call_id""#, 1.0),
            (r#"reason="missing_to""#, 2.0),
        ]
    );
    assert_eq!(
        counted("waypost_route_answers_total"),
        [(r#"route="default""#, 2.0), (r#"route="london""#, 6.0)]
    );
    assert_eq!(samples["waypost_contacts_dropped_total"] + samples["waypost_contacts_trimmed_total"], 0.0);
    assert!(samples["waypost_decision_duration_seconds_count"] >= 1.0);
    no_label_tells_of_a_caller(&server);
}

/// No number of seven digits, and nothing of who called.
fn no_label_tells_of_a_caller(server: &Server) {
    let text = server.get("/metrics").body;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            !["127.0.0.77", "alice", "example", "hole@"].iter().any(|word| line.contains(word)),
            "{line}"
        );
        // A hash has such digits by chance, bounds of a histogram by their unit.
        if line.starts_with("waypost_table_info") || line.contains("_bucket{le=") {
            continue;
        }
        let labels = line.rsplit_once(' ').unwrap().0;
        let mut digits = labels.split(|c: char| !c.is_ascii_digit());
        assert!(digits.all(|run| run.len() < 7), "{line}");
    }
}

#[test]
fn garbage_writes_no_line_into_the_log() {
    const DATAGRAMS: usize = 10_000;
    const LOT: usize = 100;
    // What reaches the DNS library is a stranger's too, on both sides.
    let names = Names::start(|name, kind| {
        let then = match (name.len() % 4, kind) {
            (0, _) => Reply::Garbage,
            (1, _) => Reply::NoData,
            (_, hickory_resolver::proto::rr::RecordType::NAPTR) => {
                Reply::Records(vec![naptr(1, 1, "E2U+sip", "sip:a@example.net")])
            }
            _ => Reply::Records(vec![a([192, 0, 2, 1])]),
        };
        Reply::Short(Box::new(then))
    });
    let routes = Routes::of(
        "defaults: { unknown: { policy: answer, malformed: answer } }\nroutes:\n\
         - name: enum\n  when: {number: \"+*\"}\n  enum: {apexes: [e164.example.net], services: [sip]}\n\
         - {name: by domain, answer: {locate: \"{host}\"}}\n",
    );
    let server = Server::start(routes.path(), &format!("{KEY}{}", names.config()));
    let before = server.log();
    let caller = Caller::here();
    let to = server.address();
    let ping = |lot| request("OPTIONS", &format!("ping-{lot}"), &format!("sip:{to}"));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for lot in 0..DATAGRAMS / LOT {
        for number in 0..LOT {
            let junk = if number % 2 == 0 { random.bytes() } else { random.broken_invite(lot, number) };
            caller.send(to, junk);
        }
        caller.send(to, ping(lot));
        // The lot has been read, so that no socket overflows.
        while !caller.receive().1.contains(&format!("\r\nCall-ID: ping-{lot}\r\n")) {}
    }
    server.until("waypost_waiting", 0.0);
    let samples = server.samples();
    let requests: f64 = nonzero(&samples, "waypost_requests_total").iter().map(|(_, count)| count).sum();
    assert_eq!(requests, (DATAGRAMS + DATAGRAMS / LOT) as f64);
    for (family, least) in [
        ("waypost_refused_requests_total", 10),
        ("waypost_silences_total", 3),
        ("waypost_dns_answers_total", 4),
    ] {
        let found = nonzero(&samples, family);
        assert!(found.len() >= least, "the garbage is of too few kinds: {found:?}");
    }
    let lines = server.log();
    assert_eq!(lines.len(), before.len(), "{:#?}", lines.get(before.len()));
}

/// xorshift64: the same garbage in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = self.below(600);
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// An INVITE of its own, with up to three bytes changed, lost or doubled.
    fn broken_invite(&mut self, lot: usize, number: usize) -> Vec<u8> {
        let uri = match number % 4 {
            1 => format!("sip:+4420{:08}@example.net", self.below(100_000_000)),
            _ => format!("sip:bob@host{}.example.org", self.below(1000)),
        };
        let mut bytes = invite(&format!("junk-{lot}-{number}"), &uri).into_bytes();
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len());
            match self.below(3) {
                0 => bytes[at] = self.next().to_le_bytes()[0],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        bytes
    }
}
