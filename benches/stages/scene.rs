//! What the stages are measured with, and what tests/allocations.rs counts: an engine with its routes,
//! its DNS answers in the cache, and requests that differ as those of different calls do.
//!
//! In:    one of [`KINDS`]; the size of the request.
//! Out:   a [`Scene`] that answers one request after the other.
//! Never: has a request that is answered otherwise than its kind says.

use std::{fmt::Write as _, net::Ipv4Addr, path::Path as FilePath};

use waypost::{
    config::{Overload, Rate},
    decide::Settings,
    dns::{Answer, Kind, Naptr, Nothing, Question, Record, Srv},
    engine::{Engine, Now, Outcome, Path, Routes},
    limits::{ANSWER_BYTES_ROOM, CACHE_AHEAD_FROM_BYTES, NUMBERS_AHEAD_MAX},
    overload::{Admission, Keys},
    route::{
        Down, RouteTable, Transport,
        file::{Source, parse},
    },
};

/// One way to an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WayToAnswer {
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) contacts: usize,
    routes: &'static str,
}

const GATEWAYS: &str = "\
gateways:
  lon1: sip:sbc1.lon.example.net;transport=tcp
  lon2: sip:198.51.100.112:5070
  nyc1: sip:sbc1.nyc.example.net
groups:
  london: [ { to: lon1, weight: 3 }, { to: lon2, weight: 1 }, { to: nyc1, tier: 2 } ]
";

/// Every way to an answer that is measured or counted.
pub(crate) const KINDS: &[WayToAnswer] = &[
    WayToAnswer {
        name: "static",
        status: 302,
        contacts: 3,
        routes: "routes: [ { name: all, answer: { contacts: [lon1, lon2, nyc1] } } ]\n",
    },
    WayToAnswer {
        name: "prefix",
        status: 302,
        contacts: 3,
        routes: "\
tables:
  hosts: { file: hosts.csv, match: prefix, columns: [prefix, host] }
routes:
  - when: { in: hosts }
    answer: { contacts: [ 'sip:{number}@{hosts.host}', lon2, nyc1 ] }
",
    },
    WayToAnswer {
        name: "group",
        status: 302,
        contacts: 3,
        routes: "routes: [ { name: all, answer: { group: london } } ]\n",
    },
    WayToAnswer {
        name: "dip",
        status: 302,
        contacts: 3,
        routes: "\
tables:
  ported: { file: ported.csv, match: exact, columns: [number, rn, cic] }
routes:
  - dip: { table: ported, only: '+44*', cic: cic }
  - when: { routing: '+4477*' }
    answer: { contacts: [lon1, lon2, nyc1] }
",
    },
    WayToAnswer {
        name: "deck",
        status: 302,
        contacts: 3,
        routes: "\
tables:
  rates: { file: rates.csv, match: prefix, columns: [prefix, to, cost] }
routes:
  - when: { in: rates }
    answer: { lcr: rates, contacts_max: 3 }
",
    },
    WayToAnswer {
        name: "enum",
        status: 302,
        contacts: 3,
        routes: "\
routes:
  - when: { number: '+*' }
    enum: { apexes: [e164.example.net], services: [sip], within: 400ms }
",
    },
    WayToAnswer {
        name: "locate",
        status: 302,
        contacts: 3,
        routes: "routes: [ { answer: { locate: 'sip:{user}@carrier.example.net' } } ]\n",
    },
    WayToAnswer {
        name: "not-found",
        status: 404,
        contacts: 0,
        routes: "routes: [ { when: { number: '+1*' }, answer: { contacts: [lon1] } } ]\n",
    },
    WayToAnswer {
        name: "options",
        status: 200,
        contacts: 0,
        routes: "routes: [ { answer: { contacts: [lon1] } } ]\n",
    },
    // The static answer, with what the configuration says of overload where it says nothing.
    WayToAnswer {
        name: "idle",
        status: 302,
        contacts: 3,
        routes: "routes: [ { name: all, answer: { contacts: [lon1, lon2, nyc1] } } ]\n",
    },
    // The static answer, of a source within its bucket and the budget.
    WayToAnswer {
        name: "admitted",
        status: 302,
        contacts: 3,
        routes: "routes: [ { name: all, answer: { contacts: [lon1, lon2, nyc1] } } ]\n",
    },
    // The same, while what comes in is refused for its age.
    WayToAnswer {
        name: "refused",
        status: 503,
        contacts: 0,
        routes: "routes: [ { name: all, answer: { contacts: [lon1, lon2, nyc1] } } ]\n",
    },
];

/// An engine for this way.
fn engine(way: &str) -> Engine {
    let engine = Engine::new(Settings::default(), vec!["default".into()]);
    let rate = Some(Rate { per_s: 1_000_000, burst: 1_000_000 });
    let limited = Overload { per_source: rate, budget: rate, ..Overload::default() };
    match way {
        "idle" => engine.with_admission(Admission::new(Overload::default(), 1, Keys::default())),
        "admitted" => engine.with_admission(Admission::new(limited, 1, Keys::default())),
        "refused" => {
            let mut engine = engine.with_admission(Admission::new(Overload::default(), 1, Keys::default()));
            // A batch that does not end.
            engine.batch_begins(0, 300);
            engine
        }
        _ => engine,
    }
}

/// Requests of one scene: enough for a processor not to know them by heart, few enough for its caches.
const REQUESTS: u32 = 64;

/// Numbers of ENUM that nobody calls.
const NUMBERS_BESIDE: u32 = 1000;

/// An engine in service, and the requests that it is asked.
pub(crate) struct Scene {
    pub(crate) table: RouteTable,
    /// Its gateways that are down.
    pub(crate) down: Down,
    pub(crate) engine: Engine,
    pub(crate) requests: Vec<Vec<u8>>,
    pub(crate) out: Vec<u8>,
    way: WayToAnswer,
    next: usize,
}

impl Scene {
    /// `request` is one of [`SIZES`]; a prefix table has `prefixes` rows.
    pub(crate) fn new(way: &str, request: &str, prefixes: u32) -> Option<Self> {
        let way = *KINDS.iter().find(|kind| kind.name == way)?;
        let requests = match (way.name, request) {
            ("options", _) => (0..REQUESTS).map(options).collect(),
            (_, size) if SIZES.contains(&size) => (0..REQUESTS).map(|call| invite(request, call)).collect(),
            _ => return None,
        };
        let mut scene = Self {
            table: table(way.routes, prefixes),
            down: Down::default(),
            engine: engine(way.name),
            requests,
            out: vec![0; ANSWER_BYTES_ROOM],
            way,
            next: 0,
        };
        scene.warm_up();
        scene.verify();
        Some(scene)
    }

    /// Answers the next request: the whole of what the server does between two system calls but the
    /// counters. The length of the answer; 0 for none.
    pub(crate) fn answer(&mut self) -> usize {
        let routes = Routes { table: &self.table, down: &self.down };
        if self.next.is_multiple_of(NUMBERS_AHEAD_MAX) {
            let line = self.requests.iter().skip(self.next).map(Vec::as_slice);
            self.engine.look_ahead(line, routes);
        }
        let bytes = &self.requests[self.next];
        self.next = (self.next + 1) % self.requests.len();
        match self.engine.datagram(bytes, PATH, routes, NOW, &mut self.out) {
            (_, Outcome::Send { reply, .. }) if reply.status == self.way.status => reply.len,
            _ => 0,
        }
    }

    /// Every request once; what is asked for is answered. Of ENUM, there are answers of other numbers, too: so many that they
    /// are looked ahead in.
    fn warm_up(&mut self) {
        if self.way.name == "enum" {
            for number in 0..NUMBERS_BESIDE {
                let labels: String =
                    format!("44207{number:06}").chars().rev().flat_map(|digit| [digit, '.']).collect();
                let question =
                    Question::new(&format!("{labels}e164.example.net."), Kind::Naptr).expect("a name");
                let answer = answer_of_dns(&question);
                self.engine.answered(question, answer, NOW);
            }
            assert!(self.engine.cache().bytes() >= CACHE_AHEAD_FROM_BYTES);
        }
        for request in &self.requests {
            self.engine.datagram(request, PATH, &self.table, NOW, &mut self.out);
            loop {
                while let Some(question) = self.engine.next_question(NOW) {
                    let answer = answer_of_dns(&question);
                    self.engine.answered(question, answer, NOW);
                }
                if self.engine.next_ready(&self.table, NOW, &mut self.out).is_none() {
                    break;
                }
            }
        }
    }

    fn verify(&mut self) {
        for request in &self.requests {
            let (_, outcome) = self.engine.datagram(request, PATH, &self.table, NOW, &mut self.out);
            let Outcome::Send { reply, .. } = outcome else { panic!("{}: {outcome:?}", self.way.name) };
            let answer = String::from_utf8_lossy(&self.out[..reply.len]);
            let contacts = answer.matches(";q=").count();
            let is_right = reply.status == self.way.status && contacts == self.way.contacts;
            assert!(is_right, "{}: {answer}", self.way.name);
        }
    }
}

/// The moment of every request.
pub(crate) const NOW: Now = Now { ms: 1_000, unix_s: 1_800_000_000 };

/// The way of every request.
pub(crate) const PATH: Path =
    Path { source: address(20), local: address(10), listener: 0, transport: Transport::Udp };

const fn address(host: u8) -> std::net::SocketAddr {
    std::net::SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(198, 51, 100, host)), 5060)
}

/// What requests there are: of the two fixtures, all of one length each; and the longer one with numbers of several lengths, and
/// with one more line that is longer in each, so that none can be read by what is known of another.
pub(crate) const SIZES: &[&str] = &["small", "real", "mixed", "unlike"];

fn fixture(size: &str) -> String {
    let size = if size == "small" { "small" } else { "real" };
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("benches/requests");
    std::fs::read_to_string(folder.join(format!("invite-{size}.sip"))).expect("a request")
}

/// The fixture as another call has it: its own number, branch and Call-ID, and From tag.
fn invite(size: &str, call: u32) -> Vec<u8> {
    let own = [
        ("9601", format!("96{:02}", call % 100)),
        ("74bf9f0c", format!("74bf{call:04x}")),
        ("7a8c09e4", format!("7a8c{call:04x}")),
        ("3848276298", format!("38482{call:05}")),
        ("436749572_", format!("43674{call:04}_")),
        ("fxced76sl", format!("fx{call:04x}6sl")),
        ("gK0c8a3f1d", format!("gK0c{call:04x}1d")),
    ];
    let text = own.iter().fold(fixture(size), |text, (old, new)| text.replace(old, new));
    let digits = |of: u32| "1234".chars().take(of as usize % 4).collect::<String>();
    let text = match size {
        "mixed" => text
            .replace("23@", &format!("23{}@", digits(call)))
            .replace("999@", &format!("999{}@", digits(call / 4))),
        "unlike" => {
            text.replace("Min-SE: 90", &format!("Min-SE: 90\r\nSubject: {}", "x".repeat(call as usize)))
        }
        _ => text,
    };
    text.into_bytes()
}

fn options(call: u32) -> Vec<u8> {
    format!(
        "OPTIONS sip:198.51.100.10 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.20;branch=z9hG4bK{call:08x};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:ping@198.51.100.20>;tag={call:06x}\r\nTo: <sip:198.51.100.10>\r\n\
         Call-ID: {call:016x}@198.51.100.20\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn table(routes: &str, prefixes: u32) -> RouteTable {
    let source = Source { path: "routes.yaml".to_owned(), bytes: format!("{GATEWAYS}{routes}").into_bytes() };
    let data = |path: &str| match path {
        "hosts.csv" => Ok(hosts(prefixes)),
        "ported.csv" => Ok(numbers(|line, number| writeln!(line, "{number},+4477009{:05},10", number % 977))),
        "rates.csv" => Ok(b"+44,lon1,0.010\n+44,lon2,0.020\n+4416,nyc1,0.005\n+441632,lon2,0.004\n".to_vec()),
        _ => Err("no file".to_owned()),
    };
    let draft = parse(&[source]).unwrap_or_else(|errors| panic!("{errors:#?}"));
    draft.build_from(&data).unwrap_or_else(|errors| panic!("{errors:#?}")).0
}

/// Ten thousand numbers of the fixtures' block, a line for each.
fn numbers(write: impl Fn(&mut String, u64) -> std::fmt::Result) -> Vec<u8> {
    let mut text = String::new();
    for number in 441_632_960_000..441_632_970_000_u64 {
        text.push('+');
        write(&mut text, number).expect("a String");
    }
    text.into_bytes()
}

/// That many prefixes, of which some begin every number of the fixtures.
fn hosts(prefixes: u32) -> Vec<u8> {
    let mut text = String::from("+44,sbc0.example.net\n+441632,sbc1.example.net\n");
    for at in 0..100 {
        writeln!(text, "+44163296{at:02},sbc{at}.example.net").expect("a String");
    }
    for at in 0..prefixes.saturating_sub(102) {
        // An odd factor spreads them; none begins with 44.
        let digits = 1_000_000_000_u64 + u64::from(at) * 7_919 % 3_000_000_000;
        writeln!(text, "+{digits},sbc{}.example.net", at % 997).expect("a String");
    }
    text.into_bytes()
}

/// What DNS has: three records of each kind, and nothing of IPv6.
fn answer_of_dns(question: &Question) -> Answer {
    let found = |records| Answer::Found { records, ttl_s: 3_600 };
    let name = question.name();
    match question.kind() {
        Kind::Naptr if name.ends_with("e164.example.net.") => {
            let result = |at| format!("!^(.*)$!sip:\\1@sbc{at}.example.net!");
            found((1..=3).map(|at| terminal(at, &result(at))).collect())
        }
        Kind::Naptr => found(vec![Record::Naptr(Naptr {
            order: 1,
            preference: 1,
            flags: b"s".as_slice().into(),
            services: b"SIP+D2U".as_slice().into(),
            regexp: Box::default(),
            replacement: "_sip._udp.carrier.example.net.".into(),
        })]),
        Kind::Srv => {
            let server = |at: u16| Srv {
                priority: 1,
                weight: at * 10,
                port: 5060 + at,
                target: format!("sbc{at}.carrier.example.net.").into(),
            };
            found((1..=3).map(|at| Record::Srv(server(at))).collect())
        }
        Kind::A => {
            let last = name.bytes().find(u8::is_ascii_digit).unwrap_or(b'0') - b'0';
            found(vec![Record::A(Ipv4Addr::new(203, 0, 113, last))])
        }
        Kind::Aaaa => Answer::Nothing { why: Nothing::NoData, ttl_s: 3_600 },
    }
}

fn terminal(preference: u16, regexp: &str) -> Record {
    Record::Naptr(Naptr {
        order: 100,
        preference,
        flags: b"u".as_slice().into(),
        services: b"E2U+sip".as_slice().into(),
        regexp: regexp.as_bytes().into(),
        replacement: ".".into(),
    })
}
