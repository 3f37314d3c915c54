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
                let [priority, weight, port] = [priority, weight, port].map(|number| number.parse().unwrap());
                ("SRV", Ok(Record::Srv(Srv { priority, weight, port, target: target.into() })))
            }
            _ => panic!("{line}"),
        };
        let kind =
            [("A", Kind::A), ("AAAA", Kind::Aaaa), ("SRV", Kind::Srv)].iter().find(|(name, _)| *name == kind);
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
    let step = locate(&Uri::parse(uri.as_bytes()).unwrap(), &dns, draw, &mut |target| {
        let Target { address, port, transport, name } = target;
        let transport = format!("{transport:?}").to_lowercase();
        targets.push(match address {
            IpAddr::V4(address) => format!("{address}:{port} {transport} {name}"),
            IpAddr::V6(address) => format!("[{address}]:{port} {transport} {name}"),
        });
    });
    let word = match step {
        Step::Ask(question) => format!("ask {} {:?}", question.name(), question.kind()),
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
    for uri in ["tel:+441632960083", "sip:a@example.net;transport=sctp", "sips:a@example.net;transport=udp"] {
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
    let dns = DnsView { cache: &cache, now_ms: 0, give_up: true };
    let mut count = 0;
    let uri = Uri::parse(b"sip:a@example.net").unwrap();
    assert_eq!(locate(&uri, &dns, 0, &mut |_| count += 1), Step::Done(LocateResult::Found(1)));
    assert_eq!(count, 1);
    let uri = Uri::parse(b"sip:a@other.example").unwrap();
    let step = locate(&uri, &dns, 0, &mut |_| count += 1);
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
        let Step::Ask(question) = locate(&uri, &dns, draw, &mut |target| targets.push(target)) else {
            return (asked, targets);
        };
        let seen = DnsView { cache: &known, now_ms: 0, give_up: false };
        let answer = match seen.look(question.name(), question.kind()) {
            Seen::Found(records) => Answer::Found { records: records.to_vec(), ttl_s: 60 },
            _ => Answer::Nothing { why: Nothing::NxDomain, ttl_s: 60 },
        };
        cache.insert(question.clone(), answer, 0);
        asked.push(question);
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
