//! Pure. Locating SIP servers (RFC 3263): a URI to addresses, ports and transports.
//!
//! In:    a sip: or sips: URI, what DNS has told us so far, the call's stable hash.
//! Out:   targets best first, the question that stands before them, or why there are none.
//! Never: draws at random: a stateless server must give a retransmission the same list (§4.4).
//!
//! The transport is taken from the URI or from the SRV records there are; NAPTR is not asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Ask, DnsView, Failure, Kind, Question, Record, Seen, Srv, Step, view::Wanted};
use crate::{
    limits::{CONTACTS_MAX, SRV_TARGETS_RESOLVED_MAX},
    sip::{Scheme, Uri},
};

/// Transports a target can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum TargetTransport {
    Udp,
    Tcp,
    Tls,
}

impl TargetTransport {
    /// RFC 3261 §19.1.2.
    fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// RFC 3263 §4.2: what stands before the domain in an SRV question.
    fn srv_prefix(self) -> &'static str {
        match self {
            Self::Udp => "_sip._udp.",
            Self::Tcp => "_sip._tcp.",
            Self::Tls => "_sips._tcp.",
        }
    }
}

/// One place to send a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The transport.
    pub transport: TargetTransport,
    /// The name the certificate must have, for [`TargetTransport::Tls`]: a Contact then carries the
    /// name, not the address. It is the host of the URI, or a server inside that domain. In lower case,
    /// without final dot; an IPv6 address has its brackets.
    pub name: Box<str>,
}

/// What became of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocateResult {
    /// This many targets were emitted.
    Found(usize),
    /// DNS says that there is none, or the URI names no server.
    Nothing,
    /// None, and something could not be asked.
    Failed(Failure),
}

/// Locates the servers of `uri`, best first (RFC 3263 §4). `draw` is the call's stable hash: the
/// order among equal SRV records is the same for every retransmission (§4.4). Nothing is emitted
/// before [`Step::Ask`].
pub fn locate(
    uri: &Uri<'_>,
    dns: &DnsView<'_>,
    draw: u64,
    within_ms: u64,
    emit: &mut dyn FnMut(Target),
) -> Step<LocateResult> {
    let Some((host, wanted)) = host_and_transport(uri) else { return Step::Done(LocateResult::Nothing) };
    let secure = uri.scheme == Scheme::Sips;
    let mut search = Search { dns, draw, within_ms, targets: Vec::new(), names: 0, failure: None };
    // RFC 3263 §4.1: without a transport parameter it is UDP, for sips: TLS over TCP.
    let plain = wanted.unwrap_or(if secure { TargetTransport::Tls } else { TargetTransport::Udp });
    let done = match (numeric(host), uri.port) {
        (Some(address), port) => {
            search.add(address, port, plain, host);
            Ok(())
        }
        // §4.2: a port rules SRV out.
        (None, Some(port)) => search.by_addresses(host, Some(port), plain),
        (None, None) => match (wanted, secure) {
            (Some(transport), _) => search.by_srv(host, &[transport], plain),
            (None, true) => search.by_srv(host, &[TargetTransport::Tls], plain),
            (None, false) => search.by_srv(host, &[TargetTransport::Udp, TargetTransport::Tcp], plain),
        },
    };
    if let Err(question) = done {
        return Step::Ask(Ask { questions: vec![question], within_ms });
    }
    let count = search.targets.len();
    search.targets.into_iter().for_each(emit);
    Step::Done(match (count, search.failure) {
        (0, None) => LocateResult::Nothing,
        (0, Some(failure)) => LocateResult::Failed(failure),
        _ => LocateResult::Found(count),
    })
}

/// TARGET of RFC 3263 §4, and the transport the URI asks for. `None` when no server of ours can be
/// meant: another scheme, a transport we do not know, UDP for sips:.
fn host_and_transport<'u>(uri: &Uri<'u>) -> Option<(&'u str, Option<TargetTransport>)> {
    let secure = match uri.scheme {
        Scheme::Sip => false,
        Scheme::Sips => true,
        Scheme::Tel | Scheme::Other => return None,
    };
    let host = uri.param(b"maddr").flatten().unwrap_or(uri.host);
    let host = std::str::from_utf8(host).ok().filter(|host| !host.is_empty())?;
    let transport = match uri.param(b"transport").flatten() {
        None => None,
        Some(name) if name.eq_ignore_ascii_case(b"tcp") && secure => Some(TargetTransport::Tls),
        Some(name) if name.eq_ignore_ascii_case(b"tcp") => Some(TargetTransport::Tcp),
        // Deprecated by RFC 3261 §26.2.2, and still sent.
        Some(name) if name.eq_ignore_ascii_case(b"tls") => Some(TargetTransport::Tls),
        Some(name) if name.eq_ignore_ascii_case(b"udp") && !secure => Some(TargetTransport::Udp),
        Some(_) => return None,
    };
    Some((host, transport))
}

fn numeric(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

struct Search<'v> {
    dns: &'v DnsView<'v>,
    draw: u64,
    within_ms: u64,
    targets: Vec<Target>,
    /// Names of SRV targets looked up so far.
    names: usize,
    /// The first thing that could not be asked.
    failure: Option<Failure>,
}

impl<'v> Search<'v> {
    /// The first of `transports` whose SRV records lead somewhere; the addresses of `host` when it
    /// has no SRV record at all.
    fn by_srv(
        &mut self,
        host: &str,
        transports: &[TargetTransport],
        plain: TargetTransport,
    ) -> Result<(), Question> {
        let mut has_srv = false;
        for transport in transports {
            let name = format!("{}{host}", transport.srv_prefix());
            match self.look(&name, Kind::Srv)? {
                Seen::Found(records) => {
                    has_srv = true;
                    self.by_srv_records(records, host, *transport)?;
                }
                Seen::Nothing(_) | Seen::Unknown => {}
                Seen::Failed(failure) => self.fail(failure),
            }
            if !self.targets.is_empty() {
                return Ok(());
            }
        }
        // An SRV question that failed is not one without records: its addresses would be a guess.
        if has_srv || self.failure.is_some() {
            return Ok(());
        }
        self.by_addresses(host, None, plain)
    }

    fn by_srv_records(
        &mut self,
        records: &[Record],
        domain: &str,
        transport: TargetTransport,
    ) -> Result<(), Question> {
        let servers = records.iter().filter_map(|record| match record {
            // RFC 2782: a target of `.` says that there is no such service here.
            Record::Srv(srv) if &*srv.target != "." => Some(srv),
            _ => None,
        });
        for srv in weighted_order(servers.collect(), self.draw) {
            // What a first decision has no questions left for, a later one must not find either.
            if self.names >= SRV_TARGETS_RESOLVED_MAX || self.is_full() {
                break;
            }
            self.names += 1;
            let before = self.targets.len();
            self.by_addresses(&srv.target, Some(srv.port), transport)?;
            if transport == TargetTransport::Tls && !is_inside(&srv.target, domain) {
                self.keep_domain(domain, before);
            }
        }
        Ok(())
    }

    /// Has the targets from `first` on asked for by the domain. RFC 3263 §4.1: the certificate must be valid
    /// for that, or whoever forges an SRV record leads the call to a name of his own. A Contact that named
    /// the server would have the client check that name only.
    fn keep_domain(&mut self, domain: &str, first: usize) {
        let domain = bare_name(domain);
        if self.targets.iter().take(first).any(|target| target.name == domain) {
            self.targets.truncate(first);
        }
        self.targets.iter_mut().skip(first).for_each(|target| target.name.clone_from(&domain));
    }

    /// All addresses of a name, IPv4 first. One that cannot be had is left out.
    fn by_addresses(
        &mut self,
        name: &str,
        port: Option<u16>,
        transport: TargetTransport,
    ) -> Result<(), Question> {
        let before = self.targets.len();
        for kind in [Kind::A, Kind::Aaaa] {
            // The Contact of a TLS target carries its name: one address of it is enough.
            let has_enough = transport == TargetTransport::Tls && self.targets.len() > before;
            if has_enough || self.is_full() {
                break;
            }
            let records = match self.look(name, kind)? {
                Seen::Found(records) => records,
                Seen::Nothing(_) | Seen::Unknown => continue,
                Seen::Failed(failure) => {
                    self.fail(failure);
                    continue;
                }
            };
            // The cache sorts addresses, so that all nodes see one order; the call says where to begin.
            let start = usize::try_from(mix(self.draw) % records.len().max(1) as u64).unwrap_or(0);
            let (after, first) = records.split_at_checked(start).unwrap_or((records, &[]));
            let most = if transport == TargetTransport::Tls { 1 } else { records.len() };
            for record in first.iter().chain(after).take(most) {
                match record {
                    Record::A(address) => self.add(IpAddr::V4(*address), port, transport, name),
                    Record::Aaaa(address) => self.add(IpAddr::V6(*address), port, transport, name),
                    Record::Srv(_) | Record::Naptr(_) => {}
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, address: IpAddr, port: Option<u16>, transport: TargetTransport, name: &str) {
        if self.is_full() {
            return;
        }
        let name = bare_name(name);
        let port = port.unwrap_or_else(|| transport.default_port());
        self.targets.push(Target { address, port, transport, name });
    }

    fn look(&self, name: &str, kind: Kind) -> Result<Seen<'v>, Question> {
        let wanted = Wanted { name, kind, upstream: None, within_ms: self.within_ms };
        self.dns.look_or_ask(wanted).map(|(seen, _)| seen)
    }

    fn is_full(&self) -> bool {
        self.targets.len() >= CONTACTS_MAX
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = self.failure.or(Some(failure));
    }
}

/// Whether a server's name is the domain or inside it.
fn is_inside(server: &str, domain: &str) -> bool {
    let (server, domain) = (bare_name(server), bare_name(domain));
    server.strip_suffix(&*domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// In lower case, without final dot.
fn bare_name(name: &str) -> Box<str> {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into()
}

/// RFC 2782: the records of each priority in an order drawn by weight. `records` come by priority,
/// then weight, as the cache has them, so that those of weight 0 stand first among equals.
fn weighted_order(mut records: Vec<&Srv>, draw: u64) -> Vec<&Srv> {
    let mut ordered = Vec::with_capacity(records.len());
    let mut state = draw;
    while let Some(priority) = records.first().map(|srv| srv.priority) {
        let same = records.iter().take_while(|srv| srv.priority == priority);
        let sum: u64 = same.clone().map(|srv| u64::from(srv.weight)).sum();
        // "A uniform random number between 0 and the sum (inclusive)", of which the first record
        // whose running sum reaches it is chosen.
        state = mix(state);
        let chosen = state % (sum + 1);
        let mut running = 0;
        let index = same.map(|srv| u64::from(srv.weight)).position(|weight| {
            running += weight;
            running >= chosen
        });
        ordered.push(records.remove(index.unwrap_or(0)));
    }
    ordered
}

/// SplitMix64: a published sequence, so that every node draws alike.
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::dns::{Answer, Cache, Nothing};

    /// DNS in short: `name type data`, where data `nx`, `fail` stand for no record and a failure.
    fn cache(zone: &[&str]) -> Cache {
        let mut answers: BTreeMap<Question, Answer> = BTreeMap::new();
        for line in zone {
            let words: Vec<_> = line.split(' ').collect();
            let (kind, record) = match words[1..] {
                [kind, "nx"] => (kind, Err(Answer::Nothing { why: Nothing::NxDomain, ttl_s: 60 })),
                [kind, "fail"] => (kind, Err(Answer::Failed(Failure::ServFail))),
                ["A", address] => ("A", Ok(Record::A(address.parse().unwrap()))),
                ["AAAA", address] => ("AAAA", Ok(Record::Aaaa(address.parse().unwrap()))),
                ["SRV", priority, weight, port, target] => {
                    let [priority, weight, port] =
                        [priority, weight, port].map(|number| number.parse().unwrap());
                    ("SRV", Ok(Record::Srv(Srv { priority, weight, port, target: target.into() })))
                }
                _ => panic!("{line}"),
            };
            let kind = [("A", Kind::A), ("AAAA", Kind::Aaaa), ("SRV", Kind::Srv)]
                .iter()
                .find(|(name, _)| *name == kind);
            let question = Question::new(words[0], kind.unwrap().1).unwrap();
            match (answers.get_mut(&question), record) {
                (Some(Answer::Found { records, .. }), Ok(record)) => records.push(record),
                (_, Ok(record)) => {
                    answers.insert(question, Answer::Found { records: vec![record], ttl_s: 60 });
                }
                (_, Err(answer)) => {
                    answers.insert(question, answer);
                }
            }
        }
        let mut cache = Cache::new();
        answers.into_iter().for_each(|(question, answer)| cache.insert(question, answer, 0));
        cache
    }

    fn run(uri: &str, zone: &[&str], draw: u64) -> (String, Vec<String>) {
        let cache = cache(zone);
        let dns = DnsView::new(&cache, 0);
        let mut targets = Vec::new();
        let step = locate(&Uri::parse(uri.as_bytes()).unwrap(), &dns, draw, 400, &mut |target| {
            let Target { address, port, transport, name } = target;
            let transport = format!("{transport:?}").to_lowercase();
            targets.push(match address {
                IpAddr::V4(address) => format!("{address}:{port} {transport} {name}"),
                IpAddr::V6(address) => format!("[{address}]:{port} {transport} {name}"),
            });
        });
        let word = match step {
            Step::Ask(ask) => {
                let questions = ask.questions.iter();
                let shown =
                    questions.map(|question| format!("ask {} {:?}", question.name(), question.kind()));
                shown.collect::<Vec<_>>().join("; ")
            }
            Step::Done(result) => format!("{result:?}"),
        };
        (word, targets)
    }

    #[test]
    fn a_numeric_host_needs_no_dns() {
        for (uri, target) in [
            ("sip:a@192.0.2.1", "192.0.2.1:5060 udp 192.0.2.1"),
            ("sip:a@192.0.2.1:5070", "192.0.2.1:5070 udp 192.0.2.1"),
            ("sip:a@192.0.2.1;transport=tcp", "192.0.2.1:5060 tcp 192.0.2.1"),
            ("sip:a@192.0.2.1;transport=TLS", "192.0.2.1:5061 tls 192.0.2.1"),
            ("sips:a@192.0.2.1", "192.0.2.1:5061 tls 192.0.2.1"),
            ("sips:a@192.0.2.1;transport=tcp", "192.0.2.1:5061 tls 192.0.2.1"),
            ("sip:a@[2001:db8::1]:5080", "[2001:db8::1]:5080 udp [2001:db8::1]"),
            ("sip:a@example.net;maddr=192.0.2.9", "192.0.2.9:5060 udp 192.0.2.9"),
        ] {
            assert_eq!(run(uri, &[], 0), ("Found(1)".into(), vec![target.to_owned()]), "{uri}");
        }
    }

    #[test]
    fn what_names_no_server_of_ours_is_nothing() {
        for uri in
            ["tel:+441632960083", "sip:a@example.net;transport=sctp", "sips:a@example.net;transport=udp"]
        {
            assert_eq!(run(uri, &[], 0), ("Nothing".into(), vec![]), "{uri}");
        }
    }

    #[test]
    fn questions_are_asked_in_the_order_of_the_rfc() {
        let nx = ["_sip._udp.example.net SRV nx", "_sip._tcp.example.net SRV nx", "example.net A nx"];
        let a = "_sips._tcp.example.net SRV nx";
        for (uri, zone, ask) in [
            ("sip:a@Example.NET", &[][..], "ask _sip._udp.example.net. Srv"),
            ("sip:a@example.net.", &[][..], "ask _sip._udp.example.net. Srv"),
            ("sip:a@example.net", &nx[..1], "ask _sip._tcp.example.net. Srv"),
            ("sip:a@example.net", &nx[..2], "ask example.net. A"),
            ("sip:a@example.net", &nx[..], "ask example.net. Aaaa"),
            ("sip:a@example.net:5060", &[][..], "ask example.net. A"),
            ("sip:a@example.net;transport=tcp", &[][..], "ask _sip._tcp.example.net. Srv"),
            ("sip:a@example.net;transport=tls", &[][..], "ask _sips._tcp.example.net. Srv"),
            ("sips:a@example.net", &[][..], "ask _sips._tcp.example.net. Srv"),
            ("sips:a@example.net", &[a][..], "ask example.net. A"),
        ] {
            assert_eq!(run(uri, zone, 0), (ask.to_owned(), vec![]), "{uri} {zone:?}");
        }
    }

    #[test]
    fn addresses_follow_when_there_is_no_srv_record() {
        let zone = [
            "_sip._udp.example.net SRV nx",
            "_sip._tcp.example.net SRV nx",
            "_sips._tcp.example.net SRV nx",
            "example.net A 192.0.2.1",
            "example.net AAAA 2001:db8::1",
        ];
        let both = vec![
            "192.0.2.1:5060 udp example.net".to_owned(),
            "[2001:db8::1]:5060 udp example.net".to_owned(),
        ];
        assert_eq!(run("sip:a@EXAMPLE.net", &zone, 0), ("Found(2)".into(), both));
        // The Contact of a TLS target is its name: once.
        let tls = vec!["192.0.2.1:5061 tls example.net".to_owned()];
        assert_eq!(run("sips:a@example.net", &zone, 0), ("Found(1)".into(), tls));
        let port = vec![
            "192.0.2.1:5070 udp example.net".to_owned(),
            "[2001:db8::1]:5070 udp example.net".to_owned(),
        ];
        assert_eq!(run("sip:a@example.net:5070", &zone, 0), ("Found(2)".into(), port));
    }

    #[test]
    fn a_tls_server_outside_the_domain_is_not_named() {
        let run = |servers: &[&str]| {
            let mut zone = Vec::new();
            for (server, last) in servers.iter().zip(1..) {
                zone.push(format!("_sips._tcp.example.net SRV {last} 1 507{last} {server}"));
                zone.push(format!("{server} A 192.0.2.{last}"));
            }
            let zone: Vec<_> = zone.iter().map(String::as_str).collect();
            run("sips:a@Example.NET.", &zone, 0).1
        };
        let table: [(&[&str], &[&str]); 4] = [
            (
                &["s.example.net.", "a.b.Example.net."],
                &["192.0.2.1:5071 tls s.example.net", "192.0.2.2:5072 tls a.b.example.net"],
            ),
            (&["example.net."], &["192.0.2.1:5071 tls example.net"]),
            (&["evilexample.net.", "net."], &["192.0.2.1:5071 tls example.net"]),
            (
                &["s.example.org.", "s.example.net.", "s.example.com."],
                &["192.0.2.1:5071 tls example.net", "192.0.2.2:5072 tls s.example.net"],
            ),
        ];
        for (servers, targets) in table {
            assert_eq!(run(servers), targets, "{servers:?}");
        }
    }

    #[test]
    fn srv_records_come_by_priority_and_failing_branches_are_left_out() {
        let zone = [
            "_sip._udp.example.net SRV 20 0 5062 s3.example.net.",
            "_sip._udp.example.net SRV 10 0 5061 s1.example.net.",
            "_sip._udp.example.net SRV 15 0 5060 s2.example.net.",
            "s1.example.net A 192.0.2.1",
            "s1.example.net AAAA fail",
            "s2.example.net A fail",
            "s2.example.net AAAA nx",
            "s3.example.net A nx",
            "s3.example.net AAAA 2001:db8::3",
        ];
        let targets = vec![
            "192.0.2.1:5061 udp s1.example.net".to_owned(),
            "[2001:db8::3]:5062 udp s3.example.net".to_owned(),
        ];
        assert_eq!(run("sip:a@example.net", &zone, 0), ("Found(2)".into(), targets));
    }

    #[test]
    fn the_next_transport_is_tried_when_one_leads_nowhere() {
        let zone = |udp: &str| {
            let udp = format!("_sip._udp.example.net SRV {udp}");
            let tcp = "_sip._tcp.example.net SRV 1 1 5060 s.example.net.";
            let rest = [
                "u.example.net A nx",
                "u.example.net AAAA nx",
                "s.example.net A 192.0.2.1",
                "s.example.net AAAA nx",
            ];
            run("sip:a@example.net", &[&[&*udp, tcp][..], &rest[..]].concat(), 0)
        };
        let tcp = ("Found(1)".to_owned(), vec!["192.0.2.1:5060 tcp s.example.net".to_owned()]);
        for udp in ["nx", "fail", "0 0 0 .", "1 1 5060 u.example.net."] {
            assert_eq!(zone(udp), tcp, "{udp}");
        }
    }

    #[test]
    fn there_is_no_way_round_a_refusal_or_a_failure() {
        let address = ["example.net A 192.0.2.1", "example.net AAAA nx"];
        for (udp, tcp, result) in [
            ("0 0 0 .", "nx", "Nothing"),
            ("0 0 0 .", "0 0 0 .", "Nothing"),
            ("fail", "nx", "Failed(ServFail)"),
            ("1 1 5060 gone.example.net.", "nx", "Nothing"),
            ("1 1 5060 dead.example.net.", "nx", "Failed(ServFail)"),
            ("nx", "nx", "Found(1)"),
        ] {
            let srv =
                [format!("_sip._udp.example.net SRV {udp}"), format!("_sip._tcp.example.net SRV {tcp}")];
            let hosts = [
                "gone.example.net A nx",
                "gone.example.net AAAA nx",
                "dead.example.net A fail",
                "dead.example.net AAAA nx",
            ];
            let zone: Vec<_> = srv.iter().map(String::as_str).chain(address).chain(hosts).collect();
            assert_eq!(run("sip:a@example.net", &zone, 0).0, result, "{udp} {tcp}");
        }
    }

    #[test]
    fn giving_up_uses_what_is_known() {
        let cache =
            cache(&["_sip._udp.example.net SRV 1 1 5060 s.example.net.", "s.example.net A 192.0.2.1"]);
        let dns = DnsView::giving_up(&cache, 0);
        let mut count = 0;
        let uri = Uri::parse(b"sip:a@example.net").unwrap();
        assert_eq!(locate(&uri, &dns, 0, 400, &mut |_| count += 1), Step::Done(LocateResult::Found(1)));
        assert_eq!(count, 1);
        let uri = Uri::parse(b"sip:a@other.example").unwrap();
        let step = locate(&uri, &dns, 0, 400, &mut |_| count += 1);
        assert_eq!(step, Step::Done(LocateResult::Failed(Failure::Timeout)));
    }

    /// Answers every question as the zone does, else with NXDOMAIN; the questions, and the targets.
    fn ask_all(uri: &str, zone: &[String], draw: u64) -> (Vec<Question>, Vec<Target>) {
        let uri = Uri::parse(uri.as_bytes()).unwrap();
        let lines: Vec<_> = zone.iter().map(String::as_str).collect();
        let known = cache(&lines);
        let mut cache = Cache::new();
        let (mut asked, mut targets) = (Vec::new(), Vec::new());
        loop {
            let dns = DnsView::new(&cache, 0);
            let Step::Ask(ask) = locate(&uri, &dns, draw, 400, &mut |target| targets.push(target)) else {
                return (asked, targets);
            };
            let seen = DnsView::new(&known, 0);
            for question in ask.questions {
                let answer = match seen.look(question.name(), question.kind(), 400) {
                    Seen::Found(records) => Answer::Found { records: records.to_vec(), ttl_s: 60 },
                    _ => Answer::Nothing { why: Nothing::NxDomain, ttl_s: 60 },
                };
                cache.insert(question.clone(), answer, 0);
                asked.push(question);
            }
        }
    }

    fn servers(transport: &str, count: usize, addresses: usize) -> Vec<String> {
        let mut zone = Vec::new();
        for server in 0..count {
            let name = format!("{transport}{server}.example.net");
            zone.push(format!("_sip._{transport}.example.net SRV 1 {server} 5060 {name}."));
            zone.extend((0..addresses).map(|last| format!("{name} A 192.0.2.{}", 1 + server * 20 + last)));
        }
        zone
    }

    #[test]
    fn srv_targets_are_looked_up_to_the_limit_and_the_rest_left_out_each_time() {
        for (count, found) in [
            (SRV_TARGETS_RESOLVED_MAX - 1, SRV_TARGETS_RESOLVED_MAX - 1),
            (SRV_TARGETS_RESOLVED_MAX, SRV_TARGETS_RESOLVED_MAX),
            (SRV_TARGETS_RESOLVED_MAX + 1, SRV_TARGETS_RESOLVED_MAX),
            (CONTACTS_MAX, SRV_TARGETS_RESOLVED_MAX),
        ] {
            let zone = servers("udp", count, 1);
            for draw in 0..20 {
                let (asked, targets) = ask_all("sip:a@example.net", &zone, draw);
                assert_eq!((asked.len(), targets.len()), (1 + 2 * found, found), "{count} {draw}");
                assert_eq!(ask_all("sip:a@example.net", &zone, draw), (asked, targets));
            }
        }
    }

    #[test]
    fn questions_of_one_location_are_bounded_over_all_transports() {
        // No UDP server has an address, so that TCP is tried: with what is left.
        let zone = [servers("udp", 4, 0), servers("tcp", 4, 1)].concat();
        let (asked, targets) = ask_all("sip:a@example.net", &zone, 0);
        assert_eq!(
            (asked.len(), targets.len()),
            (2 + 2 * SRV_TARGETS_RESOLVED_MAX, SRV_TARGETS_RESOLVED_MAX - 4)
        );
        let zone = [servers("udp", 40, 0), servers("tcp", 4, 1)].concat();
        let (asked, targets) = ask_all("sip:a@example.net", &zone, 0);
        assert_eq!((asked.len(), targets.len()), (2 + 2 * SRV_TARGETS_RESOLVED_MAX, 0));
    }

    #[test]
    fn nothing_is_asked_once_there_are_enough_targets() {
        // SRV and A of the first server; if that is one too few, also its AAAA and the A of the second.
        for (addresses, questions) in [(CONTACTS_MAX - 1, 4), (CONTACTS_MAX, 2), (CONTACTS_MAX + 1, 2)] {
            let (asked, targets) = ask_all("sip:a@example.net", &servers("udp", 2, addresses), 0);
            assert_eq!((asked.len(), targets.len()), (questions, CONTACTS_MAX), "{addresses}");
        }
    }

    #[test]
    fn a_host_that_is_no_name_cannot_be_asked_for() {
        let long = format!("sip:a@{}.example", "a".repeat(64));
        assert_eq!(run(&long, &[], 0).0, "Failed(Malformed)");
    }

    fn srv(priority: u16, weight: u16, port: u16) -> Srv {
        Srv { priority, weight, port, target: "a.".into() }
    }

    #[test]
    fn weights_split_the_calls() {
        let records = [srv(1, 0, 0), srv(1, 10, 1), srv(1, 30, 3), srv(1, 60, 6), srv(2, 0, 9)];
        let mut first = [0_u32; 10];
        for draw in 0..100_000_u64 {
            // Hashes, as calls have them.
            let order = weighted_order(records.iter().collect(), mix(draw));
            first[usize::from(order[0].port)] += 1;
            assert_eq!(order.len(), 5);
            assert_eq!(order[4].priority, 2);
        }
        // Of 101 draws one is 0, which is the record of weight 0.
        for (port, share) in [(0, 1.0 / 101.0), (1, 10.0 / 101.0), (3, 30.0 / 101.0), (6, 60.0 / 101.0)] {
            let got = f64::from(first[port]) / 100_000.0;
            assert!((got - share).abs() < 0.01, "port {port}: {got} for {share}");
        }
    }

    #[test]
    fn one_draw_is_one_order_however_the_records_came() {
        let servers =
            ["1 5 5060 a.example.", "1 5 5060 b.example.", "1 7 5060 c.example.", "1 0 5060 d.example."];
        let lines: Vec<_> =
            servers.iter().map(|server| format!("_sip._udp.x.example SRV {server}")).collect();
        let mut hosts = Vec::new();
        for (host, last) in ["a", "b", "c", "d"].iter().zip(1..) {
            hosts.extend([
                format!("{host}.example A 192.0.2.{last}"),
                format!("{host}.example A 198.51.100.{last}"),
            ]);
            hosts.push(format!("{host}.example AAAA nx"));
        }
        let zone: Vec<_> = lines.iter().chain(&hosts).map(String::as_str).collect();
        let backwards: Vec<_> = zone.iter().rev().copied().collect();
        let mut orders = std::collections::BTreeSet::new();
        for draw in 0..200 {
            let order = run("sip:a@x.example", &zone, draw);
            assert_eq!(order.0, "Found(8)");
            assert_eq!(order, run("sip:a@x.example", &backwards, draw), "draw {draw}");
            orders.insert(order.1);
        }
        assert!(orders.len() > 20, "{}", orders.len());
    }

    #[test]
    fn a_list_ends_where_a_first_decision_would_run_out_of_questions() {
        let mut zone: Vec<String> = vec!["_sip._tcp.example.com. nx".replace(" nx", " SRV nx")];
        for number in 0..SRV_TARGETS_RESOLVED_MAX + 4 {
            zone.push(format!("_sip._udp.example.com. SRV {number} 1 5060 s{number}.example.com."));
            zone.push(format!("s{number}.example.com. A 192.0.2.{number}"));
            zone.push(format!("s{number}.example.com. AAAA nx"));
        }
        let zone: Vec<&str> = zone.iter().map(String::as_str).collect();
        let (word, targets) = run("sip:example.com", &zone, 0);
        assert_eq!(word, format!("Found({SRV_TARGETS_RESOLVED_MAX})"));
        assert_eq!(targets.len(), SRV_TARGETS_RESOLVED_MAX);
    }
}
