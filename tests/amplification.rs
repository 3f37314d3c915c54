//! How many bytes a source that nobody has named gets for its own: each kind of answer to three requests, and the cap.
//!
//! The table stands in README.md: `UPDATE=1 cargo test --test amplification` writes it.

use std::{fmt::Write as _, fs, net::SocketAddr};

use proptest::prelude::*;
use waypost::{
    decide::{Capped, Reply, Settings, Silence},
    dns::{Answer, Naptr, Record},
    engine::{Engine, Now, Outcome, Path},
    limits::{AMPLIFICATION_MILLI_DEFAULT, ANSWER_BYTES_ROOM},
    route::{RouteTable, Transport, file},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const STRANGER: &str = "198.51.100.20:5060";

/// What RFC 3261 §8.1.1 demands of an INVITE, and no more.
const LEAST: &str = "INVITE sip:+441632960123@a.example SIP/2.0\r\nVia: SIP/2.0/UDP b.example;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\nFrom: <sip:a@b.example>;tag=1\r\nTo: <sip:+441632960123@a.example>\r\nCall-ID: 1\r\n\
    CSeq: 1 INVITE\r\nContact: <sip:b.example>\r\nContent-Length: 0\r\n\r\n";

fn table(text: &str) -> RouteTable {
    let source = file::Source { path: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let built = file::parse(&[source]).and_then(|draft| draft.build_from(&|_| Ok(Vec::new())));
    built.unwrap_or_else(|errors| panic!("{errors:#?}\n{text}")).0
}

/// Gateways g0 to g9, and one route.
fn routes(answer: &str) -> String {
    let gateways: String =
        (0..10).map(|at| format!("  g{at}: sip:sbc{at}.lon.example.net;transport=tcp\n")).collect();
    format!("gateways:\n{gateways}routes: [ {{ name: all, {answer} }} ]\n")
}

fn contacts(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|at| format!("g{at}")).collect();
    routes(&format!("answer: {{ code: 300, contacts: [{}] }}", names.join(", ")))
}

struct Server {
    engine: Engine,
    table: RouteTable,
    out: Vec<u8>,
}

impl Server {
    fn new(routes: &str, amplification_max_milli: Option<u32>) -> Self {
        let settings = Settings { amplification_max_milli, ..Settings::default() };
        Self {
            engine: Engine::new(settings, vec!["default".into()]),
            table: table(routes),
            out: vec![0; ANSWER_BYTES_ROOM],
        }
    }

    fn ask(&mut self, request: &str, source: &str, transport: Transport) -> Result<(Reply, String), Silence> {
        let path = Path {
            source: source.parse().expect("a source"),
            local: SocketAddr::from(([192, 0, 2, 1], 5060)),
            listener: 0,
            transport,
        };
        let now = Now { ms: 0, unix_s: 0 };
        let (_, mut outcome) =
            self.engine.datagram(request.as_bytes(), path, &self.table, now, &mut self.out);
        while outcome == Outcome::Wait {
            while let Some(question) = self.engine.next_question(now) {
                let answer = Answer::Found { records: enum_records(), ttl_s: 60 };
                self.engine.answered(question, answer, now);
            }
            outcome = self.engine.next_ready(&self.table, now, &mut self.out).expect("an outcome");
        }
        match outcome {
            Outcome::Send { reply, .. } => {
                Ok((reply, String::from_utf8(self.out[..reply.len].to_vec()).expect("text")))
            }
            Outcome::Silence(silence) => Err(silence),
            Outcome::Wait => unreachable!("it does not wait any more"),
        }
    }

    fn stranger(&mut self, request: &str) -> Result<(Reply, String), Silence> {
        self.ask(request, STRANGER, Transport::Udp)
    }
}

fn enum_records() -> Vec<Record> {
    let naptr = |at: u16| {
        let naptr = Naptr {
            order: 100,
            preference: at,
            flags: (*b"u").into(),
            services: (*b"E2U+sip").into(),
            regexp: format!("!^.*$!sip:+441632960123@sbc{at}.lon.example.net!").into_bytes().into(),
            replacement: String::new().into(),
        };
        Record::Naptr(naptr)
    };
    (0..3).map(naptr).collect()
}

/// A kind of answer: its name, the routes, and what becomes of the INVITE.
struct Kind {
    name: &'static str,
    routes: String,
    change: fn(&str) -> String,
}

fn as_it_is(invite: &str) -> String {
    invite.to_owned()
}

fn options_for_us(invite: &str) -> String {
    invite.replacen("INVITE sip:+441632960123@", "OPTIONS sip:", 1).replace(" INVITE\r\n", " OPTIONS\r\n")
}

fn kinds() -> Vec<Kind> {
    let kind = |name, routes, change| Kind { name, routes, change };
    let digest = "defaults: { unknown: { policy: refuse } }\naccess: { a: { sources: 0.0.0.0/0, policy: answer, \
                  authenticate: { realm: sip.example.net, users: u, algorithms: [SHA-256, MD5] } } }\n\
                  routes: [ { answer: 404 } ]\n";
    let malformed =
        "defaults: { unknown: { policy: answer, malformed: answer } }\nroutes: [ { answer: 404 } ]\n";
    vec![
        kind("300 with 1 Contact", contacts(1), as_it_is),
        kind("300 with 3 Contacts", contacts(3), as_it_is),
        kind("300 with 10 Contacts", contacts(10), as_it_is),
        kind(
            "302 with one Contact of 700 bytes",
            routes(&format!("answer: {{ contact: 'sip:{}@a.example' }}", "x".repeat(686))),
            as_it_is,
        ),
        kind(
            "302 with 3 Contacts of ENUM",
            routes("enum: { apexes: [e164.example.net], services: [sip] }"),
            as_it_is,
        ),
        kind(
            "380 with the body of 3GPP",
            routes(
                "answer: { code: 380, service: emergency, reason_text: Police, contacts: ['urn:service:sos'] }",
            ),
            as_it_is,
        ),
        kind("404", routes("answer: 404"), as_it_is),
        kind("401 with two challenges", digest.to_owned(), as_it_is),
        kind("200 to OPTIONS", routes("answer: 404"), options_for_us),
        kind("420", routes("answer: 404"), |invite| {
            options_for_us(invite).replacen("Max-Forwards", "Require: 100rel\r\nMax-Forwards", 1)
        }),
        kind("400", malformed.to_owned(), |invite| invite.replacen("Max-Forwards: 70", "Max-Forwards: x", 1)),
    ]
}

fn requests() -> [(&'static str, String); 3] {
    let read = |name: &str| fs::read_to_string(format!("{ROOT}/benches/requests/{name}")).expect(name);
    [
        ("carrier's", read("invite-real.sip")),
        ("without SDP", read("invite-small.sip")),
        ("the least", LEAST.to_owned()),
    ]
}

/// `1.92`, rounded up: no figure is kinder than what is so.
fn ratio(answer: usize, request: usize) -> String {
    let hundredths = (answer * 100).div_ceil(request);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// What an answer has without a cap and what is sent.
fn cell(kind: &Kind, invite: &str) -> String {
    let request = (kind.change)(invite);
    let (whole, _) = Server::new(&kind.routes, None).stranger(&request).expect("an answer");
    let whole_ratio = ratio(whole.len, request.len());
    match Server::new(&kind.routes, Some(AMPLIFICATION_MILLI_DEFAULT)).stranger(&request) {
        Ok((reply, _)) if reply.capped.is_none() => {
            assert_eq!(reply, whole);
            whole_ratio
        }
        Ok((reply, _)) => {
            let what = match reply.capped {
                Some(Capped::Refused) => "403",
                _ => "shortened",
            };
            format!("{whole_ratio} → {what}, {}", ratio(reply.len, request.len()))
        }
        Err(silence) => {
            assert_eq!(silence, Silence::Amplification);
            format!("{whole_ratio} → silence")
        }
    }
}

#[test]
fn the_readme_shows_the_factor_of_each_kind_of_answer() {
    const BEGIN: &str = "<!-- amplification -->\n";
    const END: &str = "<!-- end of amplification -->";
    let requests = requests();
    let mut shown = String::from("| Answer |");
    for (name, request) in &requests {
        write!(shown, " {name}, {} bytes |", request.len()).expect("text");
    }
    shown.push_str("\n|---|---|---|---|\n");
    for kind in kinds() {
        let cells = requests.each_ref().map(|(_, request)| cell(&kind, request));
        writeln!(shown, "| {} | {} |", kind.name, cells.join(" | ")).expect("text");
    }
    let path = format!("{ROOT}/README.md");
    let text = fs::read_to_string(&path).expect("README.md");
    let (before, rest) = text.split_once(BEGIN).expect("the mark of the table");
    let (table, after) = rest.split_once(END).expect("its end mark");
    if table != shown && std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{shown}{END}{after}")).expect("update");
        return;
    }
    assert_eq!(table, shown, "UPDATE=1 cargo test --test amplification writes the table");
}

#[test]
fn a_source_that_is_named_gets_its_whole_answer_and_so_does_a_connection() {
    let named =
        "defaults: { unknown: { policy: answer } }\naccess: { a: { sources: 192.0.2.7, policy: answer } }\n";
    let routes = format!("{named}{}", contacts(10));
    let mut server = Server::new(&routes, Some(1500));
    let status = |said: Result<(Reply, String), Silence>| {
        let (reply, answer) = said.expect("an answer");
        (reply.status, reply.capped, answer.matches("@sbc").count())
    };
    let refused = (403, Some(Capped::Refused), 0);
    assert_eq!(status(server.stranger(LEAST)), refused);
    assert_eq!(status(server.ask(LEAST, STRANGER, Transport::Tcp)), (300, None, 10));
    assert_eq!(status(server.ask(LEAST, STRANGER, Transport::Tls)), (300, None, 10));
    assert_eq!(status(server.ask(LEAST, "192.0.2.7:9", Transport::Udp)), (300, None, 10));
    assert_eq!(status(server.ask(LEAST, "192.0.2.8:9", Transport::Udp)), refused);
    // Without lists nobody is named.
    let mut open = Server::new(&contacts(10), Some(1500));
    assert_eq!(status(open.stranger(LEAST)), refused);
    // From this machine to this machine: nobody else is hit, and nobody else has sent it.
    for source in ["127.0.0.1:9", "127.9.9.9:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
        assert_eq!(status(open.ask(LEAST, source, Transport::Udp)), (300, None, 10), "{source}");
    }
    assert_eq!(status(open.ask(LEAST, "[2001:db8::1]:9", Transport::Udp)), refused);
}

#[test]
fn an_answer_may_be_just_as_long_as_the_cap_says() {
    let routes = routes(
        "answer: { contact: g0, reason: Gone to a place that has a long name, headers: { X-A: one } }",
    );
    let (whole, _) = Server::new(&routes, None).stranger(LEAST).expect("an answer");
    // The least cap in thousandths that a length is within.
    let milli = |len: usize| u32::try_from((len * 1000).div_ceil(LEAST.len())).expect("a factor");
    let said = |most: u32| Server::new(&routes, Some(most)).stranger(LEAST);
    assert_eq!(said(milli(whole.len)).expect("an answer").0, whole);
    // One byte too long: the first header that may be missing goes.
    let (reply, answer) = said(milli(whole.len) - 1).expect("an answer");
    assert_eq!((reply.len, reply.capped), (whole.len - "X-A: one\r\n".len(), Some(Capped::Shortened)));
    assert_eq!((reply.status, reply.headers_trimmed), (302, 1));
    assert!(answer.contains("Gone to a place") && answer.contains("@sbc0."), "{answer}");
    // Still too long: the usual words.
    let (reply, answer) = said(milli(reply.len) - 1).expect("an answer");
    assert!(answer.starts_with("SIP/2.0 302 Moved Temporarily\r\n"), "{answer}");
    assert!(answer.contains("@sbc0.") && answer.ends_with("\r\nContent-Length: 0\r\n\r\n"));
    // The Contact stays, or nothing does.
    let (refusal, answer) = said(milli(reply.len) - 1).expect("an answer");
    assert_eq!((refusal.status, refusal.capped, refusal.route), (403, Some(Capped::Refused), None));
    assert!(answer.starts_with("SIP/2.0 403 Forbidden\r\n") && !answer.contains("Contact"), "{answer}");
    assert_eq!(said(milli(refusal.len)).expect("an answer").0, refusal);
    assert_eq!(said(milli(refusal.len) - 1).unwrap_err(), Silence::Amplification);
}

#[test]
fn what_rfc_3261_demands_of_a_status_stays_in_it() {
    let said = |kind: &str, change: fn(&str) -> String, most: u32| {
        let kind = kinds().into_iter().find(|it| it.name == kind).expect("a kind");
        let (_, small) = &requests()[1];
        let (reply, answer) =
            Server::new(&kind.routes, Some(most)).stranger(&change(small)).expect("an answer");
        assert_eq!(reply.capped, Some(Capped::Shortened), "{answer}");
        answer
    };
    // §22.1: one challenge, the preferred one. The client may not be able to; then it could not have known anyway.
    let challenge = said("401 with two challenges", as_it_is, 1400);
    assert_eq!(challenge.matches("WWW-Authenticate: ").count(), 1, "{challenge}");
    assert!(challenge.contains("algorithm=SHA-256"), "{challenge}");
    // A Contact says as much as the body.
    let emergency = said("380 with the body of 3GPP", as_it_is, 1200);
    assert!(emergency.contains("\r\nContact: <urn:service:sos>;q="), "{emergency}");
    assert!(
        emergency.ends_with("\r\nContent-Length: 0\r\n\r\n") && !emergency.contains("xml"),
        "{emergency}"
    );
    // §11.2: a 200 is one without its lists.
    let options = said("200 to OPTIONS", options_for_us, 1200);
    assert!(options.starts_with("SIP/2.0 200 OK\r\n") && !options.contains("Allow:"), "{options}");
}

/// Requests that are whole, cut short, or have some of their bytes replaced.
fn bytes() -> impl Strategy<Value = String> {
    let whole = prop_oneof![Just(0_usize), Just(1), Just(2)].prop_map(|at| requests()[at].1.clone());
    let places = prop::collection::vec((any::<prop::sample::Index>(), " |\r|\n|;|,|:|<|>|a|1|\t|\""), 0..6);
    (whole, places, 0..400_usize, any::<bool>()).prop_map(|(mut text, places, cut, is_cut)| {
        for (place, by) in places {
            let at = place.index(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                text.replace_range(at..=at, &by);
            }
        }
        let len = if is_cut { cut.min(text.len()) } else { text.len() };
        text.chars().take(len).collect()
    })
}

proptest! {
    /// Whatever comes, and whatever the routes say: a stranger gets no more than the cap, at its own address.
    #[test]
    fn no_answer_to_a_stranger_is_longer_than_the_cap(
        request in bytes(), kind in 0..11_usize, most in 1000..3000_u32,
    ) {
        let kind = kinds().swap_remove(kind);
        let request = (kind.change)(&request);
        if let Ok((reply, answer)) = Server::new(&kind.routes, Some(most)).stranger(&request) {
            prop_assert!(reply.len * 1000 <= request.len() * most as usize, "{} bytes to {}", reply.len, request.len());
            prop_assert_eq!(reply.to.ip(), STRANGER.parse::<SocketAddr>().expect("an address").ip());
            prop_assert!(answer.starts_with("SIP/2.0 ") && answer.contains("\r\n\r\n"), "{}", answer);
        }
    }
}
