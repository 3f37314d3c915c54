//! Plays the text files of `tests/scenarios` against the engine and compares every byte it sends.
//!
//! A file is a sentence of intent, then what the world is (`ROUTES`, `FILE`, `SETTINGS`, `AT`), then what
//! happens (`RECV`, `DNS`, `PASS`, `DOWN` with the gateways that are down from here on, `BATCH` with the milliseconds that what is
//! received from here on has waited in its socket), each followed by what comes of it (`SEND`, `ASK`, `SILENCE`, `WAIT`).
//! What is received with `certificate` comes over TLS, and has shown one with the names that follow.
//! The whole file is written anew from what happens and compared with what stands there:
//! `UPDATE=1 cargo test --test scenarios` accepts the new text, for review.

#[path = "scenarios/shown.rs"]
mod shown;

use std::{collections::BTreeMap, fmt::Write as _, fs, net::SocketAddr, path::Path as FilePath};

use waypost::{
    access::Identity,
    config,
    decide::{CancelPolicy, Settings, Silence},
    dns::{Answer, Failure, Family, Kind, Naptr, Nothing, Question, Record, Srv},
    engine::{Engine, Now, Outcome, Path, Peer, Routes},
    limits::ANSWER_BYTES_ROOM,
    overload::{Admission, Keys},
    route::{Down, RouteTable, Transport, file},
};

use shown::{first_difference, text_of};

/// As many as there are: a folder that is not found must not pass.
const SCENARIOS: usize = 121;

const LOCAL: &str = "192.0.2.1:5060";

#[test]
fn every_scenario_holds() {
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("tests/scenarios")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    assert_eq!(files.len(), SCENARIOS, "scenario files found; correct SCENARIOS when one is added");
    let mut failed = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("scenario");
        let played = play(&text, &path.display().to_string());
        if played == text {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, played).expect("update");
        } else {
            failed.push(format!("{}\n{}", path.display(), first_difference(&text, &played)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// One scenario being played.
struct Play {
    engine: Engine,
    table: RouteTable,
    down: Down,
    unix_s: i64,
    out: Vec<u8>,
    /// Questions put and not answered yet.
    asked: Vec<Question>,
    /// The file as it ought to be.
    text: String,
}

fn play(text: &str, name: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let events_at =
        lines.iter().position(|line| is_event(line)).unwrap_or_else(|| panic!("{name}: no event"));
    let (world, events) = lines.split_at(events_at);
    let mut play = Play::new(world, name);
    let mut rest = events;
    while let Some((&line, after)) = rest.split_first() {
        let body = after.iter().take_while(|line| line.starts_with('|')).count();
        if is_event(line) {
            play.event(line, &after[..body], name);
        }
        rest = &after[body..];
    }
    while play.text.ends_with("\n\n") {
        play.text.pop();
    }
    play.text
}

fn is_event(line: &str) -> bool {
    ["RECV ", "DNS ", "PASS ", "DOWN", "BATCH "].iter().any(|word| line.starts_with(word))
}

impl Play {
    fn new(world: &[&str], name: &str) -> Self {
        let mut text = String::new();
        let mut sections: BTreeMap<String, String> = BTreeMap::new();
        let mut current = None;
        for line in world {
            text.push_str(line);
            text.push('\n');
            if let Some(body) = line.strip_prefix("  ").or_else(|| line.is_empty().then_some("")) {
                if let Some(section) = &current {
                    let body_text: &mut String = sections.entry(String::clone(section)).or_default();
                    body_text.push_str(body);
                    body_text.push('\n');
                }
            } else if ["ROUTES", "FILE ", "SETTINGS", "AT "].iter().any(|word| line.starts_with(word)) {
                current = Some((*line).to_owned());
                sections.entry((*line).to_owned()).or_default();
            }
        }
        let routes = sections.get("ROUTES").unwrap_or_else(|| panic!("{name}: no ROUTES"));
        let at = sections.keys().find_map(|key| key.strip_prefix("AT ")).unwrap_or("2026-01-05T12:00:00Z");
        let written = sections.get("SETTINGS").map_or("", String::as_str);
        let engine = Engine::new(settings(written, name), vec!["default".into()]);
        Self {
            engine: match written.lines().find(|line| line.starts_with("overload: ")) {
                Some(line) => engine.with_admission(admission(line, name)),
                None => engine,
            },
            table: table(routes, &sections, name),
            down: Down::default(),
            unix_s: at.parse::<jiff::Timestamp>().expect("AT").as_second(),
            out: vec![0; ANSWER_BYTES_ROOM],
            asked: Vec::new(),
            text,
        }
    }

    fn event(&mut self, line: &str, body: &[&str], name: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        for line in body {
            self.text.push_str(line);
            self.text.push('\n');
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "DOWN" {
            self.down = down(&words[1..], &self.table, name);
            return;
        }
        if words[0] == "BATCH" {
            self.engine.batch_ended(1);
            self.engine.batch_begins(0, words[1].parse().expect("an age"));
            self.text.push('\n');
            return;
        }
        let ms: u64 = words.get(1).and_then(|ms| ms.parse().ok()).unwrap_or_else(|| panic!("{name}: {line}"));
        let now = Now { ms, unix_s: self.unix_s + i64::try_from(ms / 1000).expect("ms") };
        match words[0] {
            "RECV" => {
                let identity = identity(&words, name);
                let after = |word: &str| {
                    let at = words.iter().position(|found| *found == word)?;
                    words.get(at + 1).copied()
                };
                let path = Path {
                    source: words[3].parse().expect("source"),
                    local: after("at").unwrap_or(LOCAL).parse::<SocketAddr>().expect("local"),
                    listener: 0,
                    transport: if identity.is_some() { Transport::Tls } else { Transport::Udp },
                };
                let bytes = bytes_of(body);
                let routes = Routes { table: &self.table, down: &self.down };
                let peer = Peer { path, identity: identity.as_ref() };
                let (_, outcome) = self.engine.datagram(&bytes, peer, routes, now, &mut self.out);
                self.outcome(outcome, now);
            }
            "DNS" => {
                let (question, answer) = dns_answer(&words[3..], body);
                // Who asked it asked servers of its own, perhaps.
                let is_it =
                    |asked: &Question| (asked.name(), asked.kind()) == (question.name(), question.kind());
                let question = match self.asked.iter().position(is_it) {
                    Some(index) => self.asked.remove(index),
                    None => question,
                };
                self.engine.answered(question, answer, now);
                self.ready(now);
            }
            _ => self.ready(now),
        }
        self.text.push('\n');
    }

    fn ready(&mut self, now: Now) {
        loop {
            let routes = Routes { table: &self.table, down: &self.down };
            let Some(outcome) = self.engine.next_ready(routes, now, &mut self.out) else { break };
            self.outcome(outcome, now);
        }
    }

    fn outcome(&mut self, outcome: Outcome, now: Now) {
        let waits = outcome == Outcome::Wait;
        match outcome {
            Outcome::Send { reply, .. } => {
                writeln!(self.text, "SEND {}", reply.to).expect("text");
                self.text.push_str(&text_of(&self.out[..reply.len]));
            }
            Outcome::Silence(silence) => {
                writeln!(self.text, "SILENCE {}", Silence::label_of(silence.index())).expect("text");
            }
            Outcome::Wait => {}
        }
        let mut asked = 0;
        while let Some(question) = self.engine.next_question(now) {
            asked += 1;
            let servers = question.upstream().map_or(&[][..], |upstream| upstream.servers());
            let at: String = servers.iter().map(|server| format!(" {server}")).collect();
            let at = if at.is_empty() { at } else { format!(" AT{at}") };
            writeln!(self.text, "ASK {} {:?}{at}", question.name(), question.kind()).expect("text");
            self.asked.push(question);
        }
        if waits && asked == 0 {
            self.text.push_str("WAIT\n");
        }
    }
}

/// `certificate` and the names in it, to the end of the line: the message comes over TLS.
fn identity(words: &[&str], name: &str) -> Option<Identity> {
    let at = words.iter().position(|word| *word == "certificate")?;
    let names = &words[at + 1..];
    let identity = Identity::named(names.iter().copied());
    assert_eq!(identity.names().len(), names.len(), "{name}: {words:?}");
    Some(identity)
}

fn down(names: &[&str], table: &RouteTable, name: &str) -> Down {
    let id = |gateway: &&str| {
        let found = table.gateways.iter().position(|known| *known.name == **gateway);
        found.unwrap_or_else(|| panic!("{name}: no gateway {gateway}"))
    };
    Down::of(names.iter().map(id))
}

fn settings(text: &str, name: &str) -> Settings {
    let mut settings = Settings { key: *b"a scenario's key", ..Settings::default() };
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once(": ").unwrap_or_else(|| panic!("{name}: {line}")) {
            // It is the engine's.
            ("overload", _) => {}
            ("cancel", "ok") => settings.cancel = CancelPolicy::Ok,
            ("server", value) => settings.server = Some(value.into()),
            ("amplification_max_milli", value) => {
                settings.amplification_max_milli = Some(value.parse().expect("thousandths"));
            }
            ("addresses", value) => {
                let family = |word| if word == "ipv4" { Family::Ipv4 } else { Family::Ipv6 };
                settings.dns_policy.addresses = value.split(' ').map(family).collect();
            }
            ("deny_answers", value) => settings.dns_policy.deny = ranges(value),
            ("allow_answers", value) => settings.dns_policy.allow = ranges(value),
            ("name", value) => settings.ourselves.names.push(value.into()),
            ("listen", value) => {
                let address: SocketAddr = value.parse().expect("listen");
                settings.ourselves.listeners.push((address.ip(), address.port()));
            }
            _ => panic!("{name}: no such setting: {line}"),
        }
    }
    settings
}

/// As in the configuration of the server.
fn admission(line: &str, name: &str) -> Admission {
    let config = config::parse(name, line).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
    let keys = Keys { of_answers: *b"a scenario's key", of_table: [0; 16] };
    Admission::new(config.overload, 1, keys)
}

fn ranges(text: &str) -> Vec<ipnet::IpNet> {
    text.split(' ').map(|range| range.parse().expect("range")).collect()
}

fn table(routes: &str, sections: &BTreeMap<String, String>, name: &str) -> RouteTable {
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: routes.as_bytes().to_vec() };
    let draft = file::parse(&[source]).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
    let data = |path: &str| {
        let section = sections.get(&format!("FILE {path}"));
        section.map(|text| text.trim_end().as_bytes().to_vec()).ok_or_else(|| "no such FILE".to_owned())
    };
    draft.build_from(&data).unwrap_or_else(|errors| panic!("{name}: {errors:#?}")).0
}

/// The other way round than [`shown::text_of`].
fn bytes_of(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let (text, end) = match line.strip_prefix("|=") {
            Some(text) => (text, &b""[..]),
            None => (&line[1..], &b"\r\n"[..]),
        };
        let mut rest = text.strip_prefix(' ').unwrap_or(text).as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = match (byte, after) {
                (b'\\', [b'x', high, low, tail @ ..]) => {
                    let hex = [*high, *low];
                    let hex = std::str::from_utf8(&hex).expect("hex");
                    bytes.push(u8::from_str_radix(hex, 16).expect("hex"));
                    tail
                }
                (b'\\', [b'\\', tail @ ..]) => {
                    bytes.push(b'\\');
                    tail
                }
                _ => {
                    bytes.push(byte);
                    after
                }
            };
        }
        bytes.extend_from_slice(end);
    }
    bytes
}

/// `NAME TYPE WORD [TTL]` for what is no record, else `NAME TYPE TTL` with a record on each `|` line.
fn dns_answer(words: &[&str], body: &[&str]) -> (Question, Answer) {
    let kind = match words[1] {
        "Naptr" => Kind::Naptr,
        "Srv" => Kind::Srv,
        "A" => Kind::A,
        "Aaaa" => Kind::Aaaa,
        other => panic!("no such type: {other}"),
    };
    let question = Question::new(words[0], kind).expect("question");
    let ttl_s = || words[3].parse().expect("TTL");
    let answer = match words[2] {
        "nxdomain" => Answer::Nothing { why: Nothing::NxDomain, ttl_s: ttl_s() },
        "nodata" => Answer::Nothing { why: Nothing::NoData, ttl_s: ttl_s() },
        "servfail" => Answer::Failed(Failure::ServFail),
        "refused" => Answer::Failed(Failure::Refused),
        "lame" => Answer::Failed(Failure::Lame),
        "timeout" => Answer::Failed(Failure::Timeout),
        ttl => Answer::Found {
            records: body.iter().map(|line| record(kind, line[1..].trim())).collect(),
            ttl_s: ttl.parse().expect("TTL"),
        },
    };
    (question, answer)
}

fn record(kind: Kind, text: &str) -> Record {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |at: usize| words[at].parse().expect("number");
    let quoted = |at: usize| words[at].trim_matches('"').as_bytes().into();
    match kind {
        Kind::A => Record::A(text.parse().expect("A")),
        Kind::Aaaa => Record::Aaaa(text.parse().expect("AAAA")),
        Kind::Srv => Record::Srv(Srv {
            priority: number(0),
            weight: number(1),
            port: number(2),
            target: words[3].into(),
        }),
        Kind::Naptr => Record::Naptr(Naptr {
            order: number(0),
            preference: number(1),
            flags: quoted(2),
            services: quoted(3),
            regexp: quoted(4),
            replacement: words[5].into(),
        }),
    }
}
