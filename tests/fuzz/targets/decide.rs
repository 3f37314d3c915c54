//! Target `decide`: any bytes as a datagram, decided to its end by real routes and a name server that
//! lies. The first four bytes choose routes, source, transport and the seed of the lies.

use std::{net::SocketAddr, sync::OnceLock};

use waypost::{
    decide::{Arrival, CancelPolicy, Context, NoTrace, Reply, Scratch, Settings, Silence, Verdict, decide},
    dns::{Cache, DnsView},
    limits::{ANSWER_BYTES_ROOM, CONTACTS_MAX, LOOKUP_MS_MAX, QUESTIONS_PER_REQUEST_MAX},
    route::{Down, Ourselves, RouteTable, Transport, file},
    sip::{HeaderIndex, Method, Parsed, Request, Scheme, Uri, parse, same_name, same_uri},
};

use super::{answer::Answer, echo, liar, via::SOURCES};

pub fn check(bytes: &[u8]) {
    let Some((&[tables_by, source_by, transport_by, seed], datagram)) = bytes.split_first_chunk() else {
        return;
    };
    let world = World {
        table: &tables()[usize::from(tables_by) % tables().len()],
        source: SOURCES[usize::from(source_by) % SOURCES.len()].parse().expect("an address"),
        transport: [Transport::Udp, Transport::Tcp, Transport::Tls][usize::from(transport_by) % 3],
        draining: transport_by & 8 != 0,
        seed: seed.into(),
        settings: settings(if transport_by & 16 != 0 { CancelPolicy::Ok } else { CancelPolicy::Ignore }),
    };
    let mut cache = Cache::new();
    let (verdict, answer) = world.decide(datagram, &mut cache);
    // The same from a cache that knows all, by another node, and after giving up at once.
    assert_eq!(
        (&verdict, &answer),
        (&world.decide(datagram, &mut cache).0, &world.decide(datagram, &mut cache).1)
    );
    let (other_verdict, other_answer) = world.decide(datagram, &mut Cache::new());
    assert_eq!((&verdict, &answer), (&other_verdict, &other_answer));
    world.check(datagram, &verdict, &answer);
    let mut out = vec![0; ANSWER_BYTES_ROOM];
    let given_up = world.verdict(datagram, &Cache::new(), true, &mut out);
    let len = if let Verdict::Reply(reply) = &given_up { reply.len } else { 0 };
    world.check(datagram, &given_up, &out[..len]);
}

struct World {
    table: &'static RouteTable,
    source: SocketAddr,
    transport: Transport,
    draining: bool,
    seed: u64,
    settings: Settings,
}

impl World {
    /// Decides, and answers every question, to the end.
    fn decide(&self, datagram: &[u8], cache: &mut Cache) -> (Verdict, Vec<u8>) {
        let mut out = vec![0; ANSWER_BYTES_ROOM];
        for round in 0..=QUESTIONS_PER_REQUEST_MAX {
            let verdict = self.verdict(datagram, cache, round == QUESTIONS_PER_REQUEST_MAX, &mut out);
            match verdict {
                Verdict::Ask(ask) => {
                    assert!(ask.within_ms <= LOOKUP_MS_MAX && !ask.questions.is_empty(), "{ask:?}");
                    for question in ask.questions {
                        let answer = liar::answer(&question, self.seed);
                        cache.insert(question, answer, 0);
                    }
                }
                Verdict::Reply(reply) => {
                    out.truncate(reply.len);
                    return (verdict, out);
                }
                Verdict::Silence(_) => return (verdict, Vec::new()),
            }
        }
        panic!("asked after giving up");
    }

    fn verdict(&self, datagram: &[u8], cache: &Cache, give_up: bool, out: &mut [u8]) -> Verdict {
        let local = "192.0.2.1:5060".parse().expect("an address");
        let arrival = Arrival {
            source: self.source,
            local,
            listener: "default",
            transport: self.transport,
            identity: None,
        };
        let context = Context {
            settings: &self.settings,
            table: self.table,
            dns: if give_up { DnsView::giving_up(cache, 0) } else { DnsView::new(cache, 0) },
            unix_s: 1_767_614_400,
            draining: self.draining,
            down: Down::NONE,
            guess: None,
        };
        decide(datagram, &arrival, &context, &mut Scratch::new(), &mut NoTrace, out)
    }

    fn check(&self, datagram: &[u8], verdict: &Verdict, answer: &[u8]) {
        let mut index = HeaderIndex::new();
        let parsed = parse(datagram, &mut index);
        let parsed = if self.transport == Transport::Udp { parsed } else { parsed.of_stream() };
        match (verdict, &parsed) {
            (Verdict::Ask(_), _) => panic!("a question is no end"),
            (Verdict::Silence(Silence::Unanswerable(why)), Parsed::Unanswerable(reason)) => {
                assert_eq!(why, reason)
            }
            (Verdict::Silence(Silence::Unanswerable(_)), _)
            | (Verdict::Reply(_), Parsed::Unanswerable(_)) => {
                panic!("{verdict:?} to {parsed:?}")
            }
            (Verdict::Silence(Silence::AnswerTooLong), _) => panic!("there is room for the longest"),
            (Verdict::Silence(silence), Parsed::Sound(request)) => match silence {
                Silence::Ack => assert_eq!(request.method(), Method::Ack),
                Silence::Cancel => assert_eq!(request.method(), Method::Cancel),
                _ => {}
            },
            (Verdict::Silence(_), _) => panic!("{verdict:?} to {parsed:?}"),
            (Verdict::Reply(reply), Parsed::Faulty(request, fault)) => {
                assert_eq!((reply.fault, reply.status), (Some(*fault), fault.status()));
                self.check_reply(request, reply, answer);
            }
            (Verdict::Reply(reply), Parsed::Sound(request)) => {
                assert_eq!(reply.fault, None);
                self.check_reply(request, reply, answer);
            }
        }
    }

    fn check_reply(&self, request: &Request<'_>, reply: &Reply, answer: &[u8]) {
        assert!(request.method() != Method::Ack, "an ACK is never answered");
        let read = Answer::read(answer);
        assert_eq!(read.status, reply.status);
        echo::check(request, &read, self.source);
        let is_xml = read.values(b"Content-Type").eq([b"application/3gpp-ims+xml"]);
        assert_eq!(read.body.starts_with(b"<?xml"), is_xml && reply.status == 380, "a body is of a 380");
        assert!(is_xml || read.body.is_empty());
        if self.transport == Transport::Udp {
            echo::check_address(request.top_via(), self.source, reply.to);
        } else {
            assert_eq!(reply.to, self.source, "the connection it came by");
        }
        let count = self.check_contacts(request, &read);
        let route = reply.route.map(|id| &self.table.routes[id]);
        assert!(
            count == 0 || route.is_some() && (300..400).contains(&reply.status),
            "{count} Contacts in {}",
            reply.status
        );
        let budget = self.table.defaults.answer_bytes_max;
        let fits = answer.len() <= budget || count <= 1 || self.transport != Transport::Udp;
        assert!(fits, "{} bytes with {count} Contacts", answer.len());
    }

    /// Every Contact is a URI that may stand there, and q falls strictly.
    fn check_contacts(&self, request: &Request<'_>, answer: &Answer<'_>) -> usize {
        let lines: Vec<_> = answer.values(b"Contact").collect();
        assert!(lines.len() <= 1, "one Contact line");
        let Some(line) = lines.first() else { return 0 };
        let mut rest = std::str::from_utf8(line).expect("a Contact is ASCII");
        let (mut uris, mut last_q) = (Vec::new(), 1.1);
        while let Some(after) = rest.strip_prefix('<') {
            let (uri, after) = after.split_once('>').expect("a URI in <>");
            let (params, after) = after.split_once(", ").unwrap_or((after, ""));
            let q =
                params.strip_prefix(";q=").and_then(|q| q.split(';').next()?.parse::<f64>().ok()).expect("q");
            assert!((0.0..last_q).contains(&q) || q == 0.0 && last_q > 0.0, "q falls: {line:?}");
            (last_q, rest) = (q, after);
            uris.push(Uri::parse(uri.as_bytes()).unwrap_or_else(|| panic!("{uri} is no URI")));
        }
        assert!(rest.is_empty() && uris.len() <= CONTACTS_MAX, "{rest}");
        for (place, uri) in uris.iter().enumerate() {
            let transport = uri.param(b"transport").flatten();
            assert!(!transport.is_some_and(|value| same_name(value, b"tls")), "RFC 5630 §5.4");
            let is_there = same_uri(uri, request.request_uri());
            assert!(!is_there, "RFC 3261 §8.3: the Request-URI itself");
            assert!(uris[..place].iter().all(|other| !same_uri(uri, other)), "twice the same");
            let sip = matches!(uri.scheme, Scheme::Sip | Scheme::Sips);
            assert!(!sip || !uri.host.eq_ignore_ascii_case(b"waypost.example.net"), "ourselves");
        }
        uris.len()
    }
}

fn settings(cancel: CancelPolicy) -> Settings {
    let listeners = vec![("192.0.2.1".parse().expect("an address"), 5060)];
    let ourselves = Ourselves { names: vec!["waypost.example.net".into()], listeners };
    Settings {
        key: *b"a fuzzed server!",
        cancel,
        server: Some("Waypost".into()),
        ourselves,
        ..Settings::default()
    }
}

/// The routes that requests are decided by: the example set, the rich one, none.
pub fn tables() -> &'static [RouteTable; 3] {
    static TABLES: OnceLock<[RouteTable; 3]> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut tables =
            [example(), table(&[("rich.yaml", include_str!("rich.yaml"))]), RouteTable::default()];
        // Nobody has named the source of these requests, and what they are refused for shall be seen.
        tables.iter_mut().for_each(|table| table.access.unknown.answer_malformed = true);
        tables
    })
}

pub fn example() -> RouteTable {
    table(&[
        ("00-defaults.yaml", include_str!("../../../routes/00-defaults.yaml")),
        ("10-gateways.yaml", include_str!("../../../routes/10-gateways.yaml")),
        ("20-emergency.yaml", include_str!("../../../routes/20-emergency.yaml")),
        ("30-domains.yaml", include_str!("../../../routes/30-domains.yaml")),
        ("40-ported.yaml", include_str!("../../../routes/40-ported.yaml")),
        ("50-carriers.yaml", include_str!("../../../routes/50-carriers.yaml")),
        ("90-default.yaml", include_str!("../../../routes/90-default.yaml")),
    ])
}

/// A table of these files.
pub fn table(files: &[(&str, &str)]) -> RouteTable {
    let source = |(path, text): &(&str, &str)| file::Source {
        path: (*path).to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let sources: Vec<_> = files.iter().map(source).collect();
    let draft = file::parse(&sources).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let data = |path: &str| match path {
        "data/ported.csv" => Ok(include_bytes!("../../../routes/data/ported.csv").to_vec()),
        "data/rates.csv" => Ok(include_bytes!("../../../routes/data/rates.csv").to_vec()),
        _ => Err("no such file".to_owned()),
    };
    draft.build_from(&data).unwrap_or_else(|errors| panic!("{errors:#?}")).0
}
