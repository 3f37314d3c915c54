//! Locations case by case: what is asked in each round, what is found.

use std::collections::BTreeMap;

use super::*;
use crate::{
    dns::{Answer, Cache, Family, Naptr, Nothing, Question, Record, Seen, Srv},
    limits::{CONTACTS_MAX, LOCATIONS_PER_ANSWER_MAX, QUESTIONS_PER_REQUEST_MAX, SRV_TARGETS_RESOLVED_MAX},
};

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
                let [priority, weight, port] = [priority, weight, port].map(|number| number.parse().unwrap());
                ("SRV", Ok(Record::Srv(Srv { priority, weight, port, target: target.into() })))
            }
            ["NAPTR", order, preference, flags, services, replacement] => {
                let [order, preference] = [order, preference].map(|number| number.parse().unwrap());
                let (flags, services) = (flags.as_bytes().into(), services.as_bytes().into());
                let (regexp, replacement) = (Box::default(), replacement.into());
                let naptr = Naptr { order, preference, flags, services, regexp, replacement };
                ("NAPTR", Ok(Record::Naptr(naptr)))
            }
            _ => panic!("{line}"),
        };
        let kinds = [("A", Kind::A), ("AAAA", Kind::Aaaa), ("SRV", Kind::Srv), ("NAPTR", Kind::Naptr)];
        let kind = kinds.iter().find(|(name, _)| *name == kind);
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

fn locate_with(
    uri: &str,
    dns: DnsView<'_>,
    policy: &Policy,
    draw: u64,
    questions_max: usize,
) -> (Step<LocateResult>, Vec<Located<'static>>) {
    let mut found = Vec::new();
    let how = How { dns, policy, draw, within_ms: 400, questions_max };
    let step =
        locate(&Uri::parse(uri.as_bytes()).unwrap(), &how, &mut |located| found.push(located.into_owned()));
    (step, found)
}

/// `address:port transport name`, `denied …`, `failed …`.
fn text(located: &Located<'_>) -> String {
    let of = |target: &Target<'_>| {
        let Target { address, port, transport, name } = target;
        let transport = format!("{transport:?}").to_lowercase();
        match address {
            IpAddr::V4(address) => format!("{address}:{port} {transport} {name}"),
            IpAddr::V6(address) => format!("[{address}]:{port} {transport} {name}"),
        }
    };
    match located {
        Located::Target(target) => of(target),
        Located::Denied(target) => format!("denied {}", of(target)),
        Located::Failed { name, kind, failure } => format!("failed {name} {kind:?} {failure:?}"),
    }
}

/// The questions, as `name kind, name kind`.
fn listed(questions: &[Question]) -> String {
    let texts: Vec<_> =
        questions.iter().map(|question| format!("{} {:?}", question.name(), question.kind())).collect();
    texts.join(", ")
}

fn run_all(uri: &str, zone: &[&str], policy: &Policy, draw: u64) -> (String, Vec<String>) {
    let cache = cache(zone);
    let dns = DnsView::new(&cache, 0);
    let (step, found) = locate_with(uri, dns, policy, draw, QUESTIONS_PER_REQUEST_MAX);
    let word = match step {
        Step::Ask(ask) => format!("ask {}", listed(&ask.questions)),
        Step::Done(result) => format!("{result:?}"),
    };
    (word, found.iter().map(text).collect())
}

/// Without NAPTR records of example.net, unless the zone says something; the targets only.
fn run(uri: &str, zone: &[&str], draw: u64) -> (String, Vec<String>) {
    let mut all = vec!["example.net NAPTR nx", "x.example NAPTR nx", "other.example NAPTR nx"];
    all.extend(zone);
    let (word, found) = run_all(uri, &all, &Policy::default(), draw);
    (word, found.into_iter().filter(|text| !text.starts_with("failed")).collect())
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
    for uri in ["tel:+441632960083", "sip:a@example.net;transport=sctp", "sips:a@example.net;transport=udp"] {
        assert_eq!(run(uri, &[], 0), ("Nothing".into(), vec![]), "{uri}");
    }
}

#[test]
fn questions_are_asked_in_the_order_of_the_rfc() {
    let naptr = "example.net NAPTR nx";
    let nx = [naptr, "_sip._udp.example.net SRV nx", "_sip._tcp.example.net SRV nx", "example.net A nx"];
    let both = "ask example.net. A, example.net. Aaaa";
    let tcp = "_sip._tcp.example.net SRV nx";
    let first = "ask example.net. Naptr, _sip._udp.example.net. Srv, _sip._tcp.example.net. Srv";
    let of_two = [
        "example.net NAPTR 1 1 s SIP+D2T _sip._tcp.other.example.",
        "example.net NAPTR 2 1 s SIP+D2U _sip._udp.example.net.",
    ];
    for (uri, zone, ask) in [
        ("sip:a@Example.NET", &[][..], first),
        ("sip:a@example.net.", &[][..], first),
        ("sip:a@example.net", &nx[1..], "ask example.net. Naptr"),
        ("sip:a@example.net", &nx[..1], "ask _sip._udp.example.net. Srv, _sip._tcp.example.net. Srv"),
        ("sip:a@example.net", &nx[..2], "ask _sip._tcp.example.net. Srv"),
        ("sip:a@example.net", &nx[..3], both),
        ("sip:a@example.net", &nx[..], "ask example.net. Aaaa"),
        ("sip:a@example.net", &of_two[..], "ask _sip._tcp.other.example. Srv, _sip._udp.example.net. Srv"),
        ("sip:a@example.net:5060", &[][..], both),
        ("sip:a@example.net;transport=tcp", &[][..], "ask _sip._tcp.example.net. Srv"),
        ("sip:a@example.net;transport=tcp", &[tcp][..], both),
        ("sip:a@example.net;transport=tls", &[][..], "ask _sips._tcp.example.net. Srv"),
        ("sips:a@example.net", &[][..], "ask example.net. Naptr, _sips._tcp.example.net. Srv"),
        ("sips:a@example.net", &[naptr, "_sips._tcp.example.net SRV nx"][..], both),
    ] {
        assert_eq!(run_all(uri, zone, &Policy::default(), 0), (ask.to_owned(), vec![]), "{uri} {zone:?}");
    }
}

/// RFC 3263 §4, case by case: the URI, DNS, the targets.
#[test]
fn each_case_of_rfc_3263_has_its_targets() {
    let zone = [
        // The example of §4.1.
        "example.com NAPTR 50 50 s SIPS+D2T _sips._tcp.example.com.",
        "example.com NAPTR 90 50 s SIP+D2T _sip._tcp.example.com.",
        "example.com NAPTR 100 50 s SIP+D2U _sip._udp.example.com.",
        "_sip._tcp.example.com SRV 0 1 5060 server1.example.com.",
        "_sip._tcp.example.com SRV 1 2 5060 server2.example.com.",
        "_sip._udp.example.com SRV 0 1 5070 server1.example.com.",
        "_sips._tcp.example.com SRV 0 1 5061 server1.example.com.",
        "server1.example.com A 192.0.2.1",
        "server1.example.com AAAA nx",
        "server2.example.com A 192.0.2.2",
        "server2.example.com AAAA nx",
        "example.com A 192.0.2.9",
        "example.com AAAA 2001:db8::9",
        // No NAPTR.
        "srv.example NAPTR nx",
        "_sip._udp.srv.example SRV nx",
        "_sip._tcp.srv.example SRV 0 0 5066 server1.example.com.",
        // No SRV either.
        "bare.example NAPTR nx",
        "_sip._udp.bare.example SRV nx",
        "_sip._tcp.bare.example SRV nx",
        "_sips._tcp.bare.example SRV nx",
        "bare.example A 192.0.2.7",
        "bare.example AAAA nx",
        // NAPTR of a transport that we have not.
        "sctp.example NAPTR 1 1 s SIP+D2S _sip._sctp.sctp.example.",
        "_sip._udp.sctp.example SRV 0 0 5060 server1.example.com.",
        "_sip._tcp.sctp.example SRV nx",
        // NAPTR of another domain (\"It is not necessary for the domain suffixes … to match\").
        "away.example NAPTR 1 1 s SIP+D2T _sip._tcp.example.com.",
        "_sip._udp.away.example SRV 0 0 5099 server2.example.com.",
        "_sip._tcp.away.example SRV nx",
        // NAPTR whose SRV records are not there.
        "hollow.example NAPTR 1 1 s SIP+D2T _sip._tcp.hollow.example.",
        "_sip._tcp.hollow.example SRV nx",
        "_sip._udp.hollow.example SRV nx",
        "hollow.example A 192.0.2.8",
        "hollow.example AAAA nx",
    ];
    let by_naptr = [
        "192.0.2.1:5060 tcp server1.example.com",
        "192.0.2.2:5060 tcp server2.example.com",
        "192.0.2.1:5070 udp server1.example.com",
    ];
    let table: [(&str, &[&str]); 14] = [
        ("sip:user@example.com", &by_naptr),
        ("sips:user@example.com", &["192.0.2.1:5061 tls server1.example.com"]),
        ("sip:user@example.com;transport=udp", &by_naptr[2..]),
        ("sip:user@example.com;transport=tcp", &by_naptr[..2]),
        (
            "sip:user@example.com:5080",
            &["192.0.2.9:5080 udp example.com", "[2001:db8::9]:5080 udp example.com"],
        ),
        (
            "sip:user@example.com:5060;transport=tcp",
            &["192.0.2.9:5060 tcp example.com", "[2001:db8::9]:5060 tcp example.com"],
        ),
        ("sips:user@example.com:5071", &["192.0.2.9:5071 tls example.com"]),
        ("sip:user@192.0.2.77", &["192.0.2.77:5060 udp 192.0.2.77"]),
        ("sip:user@srv.example", &["192.0.2.1:5066 tcp server1.example.com"]),
        ("sip:user@bare.example", &["192.0.2.7:5060 udp bare.example"]),
        ("sips:user@bare.example", &["192.0.2.7:5061 tls bare.example"]),
        ("sip:user@sctp.example", &["192.0.2.1:5060 udp server1.example.com"]),
        ("sip:user@away.example", &by_naptr[..2]),
        ("sip:user@hollow.example", &["192.0.2.8:5060 tcp hollow.example"]),
    ];
    for (uri, targets) in table {
        let (word, found) = run_all(uri, &zone, &Policy::default(), 0);
        assert_eq!(found, targets, "{uri}");
        assert_eq!(word, format!("Found({})", targets.len()), "{uri}");
    }
}

#[test]
fn a_branch_of_naptr_that_fails_is_left_out_and_told() {
    let naptr = [
        "example.net NAPTR 1 1 s SIP+D2T _sip._tcp.example.net.",
        "example.net NAPTR 2 1 s SIP+D2U _sip._udp.example.net.",
    ];
    let hosts = [
        "t.example.net A 192.0.2.1",
        "t.example.net AAAA nx",
        "u.example.net A 192.0.2.2",
        "u.example.net AAAA nx",
    ];
    let (tcp, udp) = ("192.0.2.1:5060 tcp t.example.net", "192.0.2.2:5060 udp u.example.net");
    let (of_tcp, of_udp) = ("1 1 5060 t.example.net.", "1 1 5060 u.example.net.");
    let table: [(&str, &str, &str, &[&str]); 6] = [
        (of_tcp, of_udp, "Found(2)", &[tcp, udp]),
        ("fail", of_udp, "Found(1)", &["failed _sip._tcp.example.net. Srv ServFail", udp]),
        (of_tcp, "nx", "Found(1)", &[tcp]),
        ("0 0 0 .", of_udp, "Found(1)", &[udp]),
        ("fail", "nx", "Failed(ServFail)", &["failed _sip._tcp.example.net. Srv ServFail"]),
        ("0 0 0 .", "nx", "Nothing", &[]),
    ];
    for (tcp, udp, word, found) in table {
        let srv = [format!("_sip._tcp.example.net SRV {tcp}"), format!("_sip._udp.example.net SRV {udp}")];
        let zone: Vec<_> = naptr.into_iter().chain(hosts).chain(srv.iter().map(String::as_str)).collect();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            run_all("sip:a@example.net", &zone, &Policy::default(), 0),
            (word.to_owned(), found),
            "{tcp} {udp}"
        );
    }
}

#[test]
fn naptr_that_fails_leaves_the_srv_records() {
    let naptr = "failed example.net Naptr ServFail".to_owned();
    let zone = [
        "example.net NAPTR fail",
        "_sip._udp.example.net SRV nx",
        "_sip._tcp.example.net SRV 1 1 5060 t.example.net.",
        "t.example.net A 192.0.2.1",
        "t.example.net AAAA nx",
    ];
    let found = vec![naptr.clone(), "192.0.2.1:5060 tcp t.example.net".to_owned()];
    assert_eq!(run_all("sip:a@example.net", &zone, &Policy::default(), 0), ("Found(1)".to_owned(), found));
    let nothing =
        [zone[0], zone[1], "_sip._tcp.example.net SRV nx", "example.net A nx", "example.net AAAA nx"];
    assert_eq!(
        run_all("sip:a@example.net", &nothing, &Policy::default(), 0),
        ("Failed(ServFail)".to_owned(), vec![naptr])
    );
}

#[test]
fn naptr_has_half_of_the_time_and_srv_three_quarters() {
    let empty = Cache::new();
    let known = cache(&["_sip._udp.example.net SRV 1 1 5060 s.example.net."]);
    let steps: Vec<_> =
        [(&empty, 0), (&empty, 199), (&empty, 200), (&empty, 300), (&empty, 400), (&known, 300)]
            .into_iter()
            .map(|(cache, waited_ms)| {
                let dns = DnsView { waited_ms, ..DnsView::new(cache, waited_ms) };
                match locate_with("sip:a@example.net", dns, &Policy::default(), 0, 64).0 {
                    Step::Ask(ask) => format!("{} {}", ask.within_ms, listed(&ask.questions)),
                    Step::Done(result) => format!("{result:?}"),
                }
            })
            .collect();
    let srv = "_sip._udp.example.net. Srv, _sip._tcp.example.net. Srv";
    let all = format!("200 example.net. Naptr, {srv}");
    assert_eq!(steps[..2], [all.clone(), all]);
    assert_eq!(steps[2], format!("300 {srv}"));
    assert_eq!(steps[3..5], ["Failed(Timeout)", "Failed(Timeout)"]);
    assert_eq!(steps[5], "400 s.example.net. A, s.example.net. Aaaa");
}

#[test]
fn families_come_in_the_order_of_the_configuration() {
    let zone = ["example.net A 192.0.2.1", "example.net AAAA 2001:db8::1"];
    let (v4, v6) = ("192.0.2.1:5060 udp example.net", "[2001:db8::1]:5060 udp example.net");
    let table: [(&[Family], &[&str], &str); 4] = [
        (&[Family::Ipv4, Family::Ipv6], &[v4, v6], "ask example.net. A, example.net. Aaaa"),
        (&[Family::Ipv6, Family::Ipv4], &[v6, v4], "ask example.net. Aaaa, example.net. A"),
        (&[Family::Ipv4], &[v4], "ask example.net. A"),
        (&[Family::Ipv6], &[v6], "ask example.net. Aaaa"),
    ];
    for (addresses, targets, ask) in table {
        let policy = Policy { addresses: addresses.to_vec(), ..Policy::default() };
        assert_eq!(run_all("sip:a@example.net:5060", &zone, &policy, 0).1, targets, "{addresses:?}");
        assert_eq!(run_all("sip:a@example.net:5060", &[], &policy, 0).0, ask);
    }
}

#[test]
fn addresses_in_denied_ranges_are_not_used() {
    let zone = [
        "_sip._udp.example.net SRV 1 1 5060 in.example.net.",
        "_sip._tcp.example.net SRV 1 1 5060 out.example.net.",
        "_sips._tcp.example.net SRV 1 1 5061 mixed.example.net.",
        "in.example.net A 10.0.0.1",
        "in.example.net AAAA nx",
        "out.example.net A 10.0.0.2",
        "out.example.net A 10.9.0.2",
        "out.example.net AAAA nx",
        "mixed.example.net A 192.0.2.1",
        "mixed.example.net AAAA ::ffff:10.0.0.3",
        "example.net NAPTR nx",
    ];
    let policy = Policy {
        deny: vec!["10.0.0.0/8".parse().unwrap()],
        allow: vec!["10.9.0.0/16".parse().unwrap()],
        ..Policy::default()
    };
    let found = |uri: &str| {
        let (word, mut found) = run_all(uri, &zone, &policy, 0);
        found.sort();
        (word, found)
    };
    // UDP leads nowhere, so that TCP is tried.
    let denied = ["denied 10.0.0.1:5060 udp in.example.net", "denied 10.0.0.2:5060 tcp out.example.net"];
    let targets = [&["10.9.0.2:5060 tcp out.example.net"][..], &denied[..]].concat();
    let targets = targets.iter().map(ToString::to_string).collect();
    assert_eq!(found("sip:a@example.net"), ("Found(1)".to_owned(), targets));
    // The Contact would be the name, of which the client may use any address.
    let mixed = vec!["denied 192.0.2.1:5061 tls mixed.example.net".to_owned()];
    assert_eq!(found("sips:a@example.net"), ("Denied".to_owned(), mixed));
    // DNS did not say this one.
    assert_eq!(found("sip:a@10.0.0.1").0, "Found(1)");
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
    let both =
        vec!["192.0.2.1:5060 udp example.net".to_owned(), "[2001:db8::1]:5060 udp example.net".to_owned()];
    assert_eq!(run("sip:a@EXAMPLE.net", &zone, 0), ("Found(2)".into(), both));
    // The Contact of a TLS target is its name: once.
    let tls = vec!["192.0.2.1:5061 tls example.net".to_owned()];
    assert_eq!(run("sips:a@example.net", &zone, 0), ("Found(1)".into(), tls));
    let port =
        vec!["192.0.2.1:5070 udp example.net".to_owned(), "[2001:db8::1]:5070 udp example.net".to_owned()];
    assert_eq!(run("sip:a@example.net:5070", &zone, 0), ("Found(2)".into(), port));
}

#[test]
fn a_tls_server_outside_the_domain_is_not_named() {
    let run = |servers: &[&str]| {
        let mut zone = Vec::new();
        for (server, last) in servers.iter().zip(1..) {
            zone.push(format!("_sips._tcp.example.net SRV {last} 1 507{last} {server}"));
            zone.push(format!("{server} A 192.0.2.{last}"));
            zone.push(format!("{server} AAAA nx"));
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
        let srv = [format!("_sip._udp.example.net SRV {udp}"), format!("_sip._tcp.example.net SRV {tcp}")];
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
    let cache = cache(&["_sip._udp.example.net SRV 1 1 5060 s.example.net.", "s.example.net A 192.0.2.1"]);
    let dns = DnsView::giving_up(&cache, 0);
    let run = |uri: &str| {
        let (step, found) = locate_with(uri, dns, &Policy::default(), 0, 64);
        (step, found.iter().map(text).filter(|text| !text.starts_with("failed")).collect::<Vec<_>>())
    };
    let targets = vec!["192.0.2.1:5060 udp s.example.net".to_owned()];
    assert_eq!(run("sip:a@example.net"), (Step::Done(LocateResult::Found(1)), targets));
    assert_eq!(run("sip:a@other.example"), (Step::Done(LocateResult::Failed(Failure::Timeout)), vec![]));
}

/// Answers every question as the zone does, else with NXDOMAIN: the questions of each round, and the targets.
fn ask_all(
    uri: &str,
    zone: &[String],
    draw: u64,
    questions_max: usize,
) -> (Vec<Vec<Question>>, Vec<Located<'static>>) {
    let lines: Vec<_> = zone.iter().map(String::as_str).collect();
    let known = cache(&lines);
    let mut cache = Cache::new();
    let mut rounds = Vec::new();
    loop {
        let dns = DnsView::new(&cache, 0);
        let (step, found) = locate_with(uri, dns, &Policy::default(), draw, questions_max);
        let Step::Ask(ask) = step else { return (rounds, found) };
        for question in &ask.questions {
            let seen = DnsView::new(&known, 0).look(question.name(), question.kind(), 400);
            let answer = match seen {
                Seen::Found(records) => Answer::Found { records: records.to_vec(), ttl_s: 60 },
                _ => Answer::Nothing { why: Nothing::NxDomain, ttl_s: 60 },
            };
            cache.insert(question.clone(), answer, 0);
        }
        rounds.push(ask.questions);
    }
}

/// How many questions there are in each round.
fn counts(rounds: &[Vec<Question>]) -> Vec<usize> {
    rounds.iter().map(Vec::len).collect()
}

fn servers(transport: &str, count: usize, addresses: usize) -> Vec<String> {
    let mut zone = Vec::new();
    for server in 0..count {
        let name = format!("{transport}{server}.example.net");
        zone.push(format!("_sip._{transport}.example.net SRV 1 {server} 5060 {name}."));
        zone.extend((0..addresses).map(|last| format!("{name} A 192.0.{server}.{last}")));
    }
    zone
}

#[test]
fn srv_targets_are_looked_up_to_the_limit_and_the_rest_left_out_each_time() {
    for (count, found) in [
        (9, 9),
        (SRV_TARGETS_RESOLVED_MAX - 1, SRV_TARGETS_RESOLVED_MAX - 1),
        (SRV_TARGETS_RESOLVED_MAX, SRV_TARGETS_RESOLVED_MAX),
        (SRV_TARGETS_RESOLVED_MAX + 1, SRV_TARGETS_RESOLVED_MAX),
        (40, SRV_TARGETS_RESOLVED_MAX),
    ] {
        let zone = servers("udp", count, 1);
        for draw in 0..20 {
            let (rounds, targets) = ask_all("sip:a@example.net", &zone, draw, QUESTIONS_PER_REQUEST_MAX);
            assert_eq!((counts(&rounds), targets.len()), (vec![3, 2 * found], found), "{count} {draw}");
        }
    }
}

#[test]
fn questions_of_one_location_are_bounded_over_all_services() {
    let naptr = |transport: &str, order: usize, domain: &str| {
        let service = if transport == "udp" { "SIP+D2U" } else { "SIP+D2T" };
        format!("example.net NAPTR {order} 1 s {service} _sip._{transport}.{domain}.")
    };
    let far = |transport: &str| -> Vec<String> {
        servers(transport, 20, 0).iter().map(|line| line.replace("example.net", "far.example")).collect()
    };
    let by_naptr = |domain: &str| vec![naptr("tcp", 1, domain), naptr("udp", 2, domain)];
    let zones = [
        [servers("udp", 4, 0), servers("tcp", 4, 1)].concat(),
        [servers("udp", 20, 0), servers("tcp", 20, 1)].concat(),
        [by_naptr("example.net"), servers("udp", 20, 0), servers("tcp", 20, 1)].concat(),
        [by_naptr("far.example"), far("udp"), far("tcp"), servers("udp", 20, 1)].concat(),
        (0..20).map(|order| naptr("udp", order, &format!("n{order}.example"))).collect(),
        Vec::new(),
    ];
    for (index, zone) in zones.iter().enumerate() {
        for questions_max in 5..=QUESTIONS_PER_REQUEST_MAX {
            let (rounds, found) = ask_all("sip:a@example.net", zone, 3, questions_max);
            let asked: usize = counts(&rounds).iter().sum();
            assert!(asked <= questions_max && rounds.len() <= 3, "{index}: {asked} of {questions_max}");
            // A retransmission asks nothing and finds the same.
            assert!(found.len() <= CONTACTS_MAX);
        }
    }
    let (rounds, found) = ask_all("sip:a@example.net", &zones[0], 0, QUESTIONS_PER_REQUEST_MAX);
    assert_eq!((counts(&rounds), found.len()), (vec![3, 16], 4));
    // The share of each of as many locations as an answer may have: still one server.
    let share = QUESTIONS_PER_REQUEST_MAX / LOCATIONS_PER_ANSWER_MAX;
    let (rounds, found) = ask_all("sip:a@example.net", &servers("udp", 4, 1), 0, share);
    assert_eq!((counts(&rounds), found.len()), (vec![1, 2, 2], 1));
}

#[test]
fn there_are_no_more_targets_than_contacts() {
    for addresses in [CONTACTS_MAX - 1, CONTACTS_MAX, CONTACTS_MAX + 1] {
        let (_, targets) = ask_all("sip:a@example.net", &servers("udp", 2, addresses), 0, 64);
        assert_eq!(targets.len(), CONTACTS_MAX, "{addresses}");
    }
}

#[test]
fn a_host_that_is_no_name_cannot_be_asked_for() {
    let long = format!("sip:a@{}.example", "a".repeat(64));
    assert_eq!(run(&long, &[], 0).0, "Failed(Malformed)");
}

#[test]
fn one_draw_is_one_order_however_the_records_came() {
    let servers =
        ["1 5 5060 a.example.", "1 5 5060 b.example.", "1 7 5060 c.example.", "1 0 5060 d.example."];
    let lines: Vec<_> = servers.iter().map(|server| format!("_sip._udp.x.example SRV {server}")).collect();
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
