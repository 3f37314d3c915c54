//! Access lists, short and long: what they cost an answer, beside no list at all.
//!
//! In:    `cargo bench --bench access -- measure`; see [`USAGE`].
//! Out:   a table of figures: all in one run, in turns, on the same calls.
//! Never: judges. `src/access` says that a look-up is right, `tests/access.rs` what becomes of it.

use std::{
    env,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Instant,
};

use waypost::{
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Silence, Verdict, decide},
    dns::{Cache, DnsView},
    limits::ANSWER_BYTES_ROOM,
    route::{Down, RouteTable, Transport, file},
};

const USAGE: &str = "\
Access lists: nanoseconds a decision, with lists of 1 to 400000 networks and without any.

usage: cargo bench --bench access -- measure [ROUNDS]

Each round measures every table once, one after the other; the figure is the median of all rounds (31 unless
given). Calls come from sources in no order, half of them of networks in the list; all are answered 302. The
last line is a list whose messages are passed over unread.
";

/// Sources of one measurement, in no order.
const SOURCES: usize = 65_536;

/// Sources where there are few.
const FEW_SOURCES: usize = 64;

/// Decisions of one table in one round.
const DECISIONS: usize = 20_000;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let rounds = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["measure"] => 31,
        ["measure", rounds] => rounds.parse().unwrap_or(31),
        _ => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
    };
    // Each list after the same calls without it: that sources differ costs something, too.
    let mut scenes = Vec::new();
    for is_v6 in [false, true] {
        for count in [1, 100, 10_000, 100_000, 400_000] {
            scenes.push(Scene::new(count, None, is_v6));
            scenes.push(Scene::new(count, Some("answer"), is_v6));
        }
    }
    for is_v6 in [false, true] {
        scenes.push(Scene::new(100_000, None, is_v6).of_few());
        scenes.push(Scene::new(100_000, Some("answer"), is_v6).of_few());
    }
    scenes.push(Scene::new(100_000, None, false));
    scenes.push(Scene::new(100_000, Some("silence"), false));
    let mut figures = vec![Vec::new(); scenes.len()];
    for round in 0..rounds {
        for (scene, figures) in scenes.iter_mut().zip(&mut figures) {
            figures.push(scene.ns_per_decision(round));
        }
    }
    println!("| list | ns a decision without it | with it | quartiles | more | load s |");
    println!("|---|---|---|---|---|---|");
    let of = |figures: &mut Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        [1, 2, 3].map(|part| figures[(figures.len() - 1) * part / 4])
    };
    for (scenes, figures) in scenes.chunks(2).zip(figures.chunks_mut(2)) {
        let ([_, without, _], [first, with, third]) = (of(&mut figures[0]), of(&mut figures[1]));
        let (name, load_s, more) = (&scenes[1].name, scenes[1].load_s, (with / without - 1.0) * 100.0);
        println!(
            "| {name} | {without:.0} | {with:.0} | {first:.0}, {third:.0} | {more:+.1} % | {load_s:.3} |"
        );
    }
    ExitCode::SUCCESS
}

/// A table and the calls to it.
struct Scene {
    name: String,
    table: RouteTable,
    load_s: f64,
    sources: Vec<IpAddr>,
    is_silent: bool,
    settings: Settings,
    cache: Cache,
    scratch: Scratch,
    out: Vec<u8>,
}

impl Scene {
    /// Calls from sources of so many networks, and as many others; without a policy there is no list.
    fn new(count: usize, policy: Option<&str>, is_v6: bool) -> Self {
        let networks: Vec<u8> = (0..count).flat_map(|index| line(index, is_v6).into_bytes()).collect();
        let lists =
            "defaults: { unknown: { policy: answer } }\naccess: { list: { file: l, policy: POLICY } }\n";
        let lists = policy.map_or_else(String::new, |policy| lists.replace("POLICY", policy));
        let text = format!(
            "{lists}gateways: {{ g: 'sip:g.example.net' }}\nroutes: [ {{ answer: {{ contact: g }} }} ]\n"
        );
        let source = file::Source { path: "a.yaml".to_owned(), bytes: text.into_bytes() };
        let start = Instant::now();
        let table = file::parse(&[source]).and_then(|draft| draft.build_from(&|_| Ok(networks.clone())));
        let (table, _) = table.unwrap_or_else(|errors| panic!("{errors:#?}"));
        let load_s = start.elapsed().as_secs_f64();
        let is_silent = policy == Some("silence");
        let family = if is_v6 { "IPv6" } else { "IPv4" };
        // 7919 is a prime: in no order. Every other source is of a network beyond the list, unless all are to be silent.
        let spread = if is_silent { 1 } else { 2 };
        let of = |call: usize| source_of(call * 7919 % (spread * count), is_v6);
        Self {
            name: format!("{count} networks of {family}{}", if is_silent { ", silence" } else { "" }),
            table,
            load_s,
            sources: (0..SOURCES).map(of).collect(),
            is_silent,
            settings: Settings::default(),
            cache: Cache::new(),
            scratch: Scratch::new(),
            out: vec![0; ANSWER_BYTES_ROOM],
        }
    }

    /// The same with calls of a few sources alone, as a routing tier has its proxies.
    fn of_few(mut self) -> Self {
        self.name.push_str(&format!(", {FEW_SOURCES} sources"));
        self.sources.truncate(FEW_SOURCES);
        self
    }

    fn ns_per_decision(&mut self, round: usize) -> f64 {
        let start = Instant::now();
        for call in 0..DECISIONS {
            let source = self.sources[(round * DECISIONS + call) % self.sources.len()];
            let arrival = Arrival {
                source: SocketAddr::new(source, 5060),
                local: SocketAddr::new([192, 0, 2, 99].into(), 5060),
                listener: "default",
                transport: Transport::Udp,
                identity: None,
            };
            let context = Context {
                settings: &self.settings,
                table: &self.table,
                dns: DnsView::new(&self.cache, 0),
                unix_s: 0,
                draining: false,
                down: Down::NONE,
                guess: None,
            };
            let verdict = decide(INVITE, &arrival, &context, &mut self.scratch, &mut NoTrace, &mut self.out);
            match verdict {
                Verdict::Reply(reply) if !self.is_silent => assert_eq!(reply.status, 302),
                Verdict::Silence(Silence::Access(0)) if self.is_silent => {}
                other => panic!("{other:?}"),
            }
        }
        start.elapsed().as_nanos() as f64 / DECISIONS as f64
    }
}

const INVITE: &[u8] = b"INVITE sip:+442079460123@waypost.example.net;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK776asdhds;rport\r\nMax-Forwards: 70\r\n\
    From: <sip:+441632960001@proxy.example.net>;tag=1928301774\r\nTo: <sip:+442079460123@waypost.example.net>\r\n\
    Call-ID: a84b4c76e66710\r\nCSeq: 1 INVITE\r\nContact: <sip:a@198.51.100.7>\r\nContent-Length: 0\r\n\r\n";

/// A /28 of IPv4, which do not touch; a /48 of IPv6, in blocks as registries give them.
fn line(index: usize, is_v6: bool) -> String {
    match source_of(index, is_v6) {
        IpAddr::V4(address) => format!("{}/28\n", Ipv4Addr::from(u32::from(address) & !15)),
        IpAddr::V6(address) => format!("{}/48\n", Ipv6Addr::from(u128::from(address) >> 80 << 80)),
    }
}

/// An address of the network of this index.
fn source_of(index: usize, is_v6: bool) -> IpAddr {
    if is_v6 {
        let (block, inside) = (index as u128 % 97, index as u128 / 97);
        Ipv6Addr::from((0x2a00_0000 + block * 0x3_0001) << 96 | (2 * inside) << 80 | 7).into()
    } else {
        Ipv4Addr::from(0x0b00_0000 + 32 * index as u32 + 7).into()
    }
}
