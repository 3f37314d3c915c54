//! Calls that DNS decides, over a real DNS server: its answers, its silence, and those who need
//! none of it.

use std::collections::BTreeSet;

use hickory_resolver::proto::{op::ResponseCode, rr::RecordType};

use crate::{
    admin::nonzero,
    caller::{Caller, call_id, header, invite, status},
    harness::{KEY, Routes, Server},
    names::{Names, Reply, a, name_of, naptr, srv},
};

const ENUM: &str = "
routes:
  - name: enum
    when: { number: \"+*\" }
    enum: { apexes: [e164.example.net], services: [sip, \"pstn:sip\"], within: 500ms, not_found: next, failed: 503 }
  - name: fallback
    answer: { code: 404 }
";

fn start(routes: &Routes, names: &Names) -> Server {
    Server::start(routes.path(), &format!("{KEY}{}", names.config()))
}

fn uri(digits: &str) -> String {
    format!("sip:+{digits}@waypost.example.net")
}

#[test]
fn a_number_that_enum_knows_gets_its_contacts_and_is_asked_for_once() {
    let known = name_of("442079460123", "e164.example.net");
    let asked = format!("{known} NAPTR");
    let names = Names::start(move |name, _| {
        if name != known {
            return Reply::Code(ResponseCode::NXDomain);
        }
        Reply::Records(vec![
            naptr(100, 20, "E2U+sip", "sip:last@example.net"),
            naptr(100, 10, "E2U+sip", "sip:next@example.org;transport=tcp"),
            naptr(50, 10, "E2U+email", "mailto:nobody@example.net"),
            naptr(90, 10, "E2U+pstn:sip", "sip:first@example.net"),
        ])
    });
    let routes = Routes::of(ENUM);
    let (server, caller) = (start(&routes, &names), Caller::here());
    for call in ["one", "two"] {
        let answer = caller.ask(server.address(), &invite(call, &uri("442079460123")));
        assert_eq!(status(&answer), 302);
        assert_eq!(
            header(&answer, "Contact"),
            "<sip:first@example.net>;q=0.99, <sip:next@example.org;transport=tcp>;q=0.98, \
             <sip:last@example.net>;q=0.97"
        );
    }
    assert_eq!(names.seen(), [asked]);

    let unknown = caller.ask(server.address(), &invite("three", &uri("442079460124")));
    assert_eq!(status(&unknown), 404, "{unknown}");
    // The engine's numbers are told at the end of a turn, after its answers are sent.
    server.until("waypost_dns_cache_entries", 2.0);
    let samples = server.samples();
    assert_eq!(
        nonzero(&samples, "waypost_dns_answers_total"),
        [(r#"result="found",type="NAPTR""#, 1.0), (r#"result="nxdomain",type="NAPTR""#, 1.0)]
    );
    assert_eq!((samples["waypost_dns_waits_total"], samples["waypost_dns_questions_total"]), (2.0, 2.0));
    assert_eq!((samples["waypost_waiting"], samples["waypost_dns_questions_under_way"]), (0.0, 0.0));
}

#[test]
fn each_way_in_which_dns_fails_has_its_answer_and_its_count() {
    // By the last digit.
    let names = Names::start(|name, _| match name.as_bytes()[0] {
        b'0' => Reply::NoData,
        b'1' => Reply::Code(ResponseCode::NXDomain),
        b'2' => Reply::Code(ResponseCode::Refused),
        b'3' => Reply::Code(ResponseCode::ServFail),
        b'4' => Reply::Garbage,
        b'5' => Reply::Records(vec![naptr(1, 1, "E2U+email", "mailto:nobody@example.net")]),
        _ => Reply::Silence,
    });
    let routes = Routes::of(ENUM);
    let (server, caller) = (start(&routes, &names), Caller::here());
    for (digit, expected) in
        [('0', 404), ('1', 404), ('2', 503), ('3', 503), ('4', 503), ('5', 404), ('6', 503)]
    {
        let answer = caller
            .ask(server.address(), &invite(&format!("number-{digit}"), &uri(&format!("44207946000{digit}"))));
        assert_eq!(status(&answer), expected, "{digit}");
    }
    server.until(r#"waypost_dns_answers_total{result="timeout",type="NAPTR"}"#, 1.0);
    let samples = server.samples();
    let of_naptr = |result: &str| format!(r#"result="{result}",type="NAPTR""#);
    let expected = ["found", "malformed", "nodata", "nxdomain", "refused", "servfail", "timeout"];
    let counted: Vec<_> = nonzero(&samples, "waypost_dns_answers_total")
        .into_iter()
        .map(|(labels, count)| (labels.to_owned(), count))
        .collect();
    assert_eq!(counted, expected.map(|result| (of_naptr(result), 1.0)));
}

#[test]
fn a_domain_is_located_by_srv_and_addresses() {
    let names = Names::start(|name, kind| match (name, kind) {
        ("_sip._tcp.example.org.", RecordType::SRV) => {
            Reply::Records(vec![srv(20, 5062, "b.example.org."), srv(10, 5080, "a.example.org.")])
        }
        ("a.example.org.", RecordType::A) => Reply::Records(vec![a([192, 0, 2, 81]), a([192, 0, 2, 80])]),
        ("b.example.org.", RecordType::A) => Reply::Records(vec![a([192, 0, 2, 90])]),
        _ => Reply::NoData,
    });
    let routes =
        Routes::of("routes: [{name: by domain, answer: {locate: \"{host};transport=tcp\", empty: 480}}]");
    let (server, caller) = (start(&routes, &names), Caller::here());
    let answer = caller.ask(server.address(), &invite("located", "sip:alice@example.org"));
    assert_eq!(
        header(&answer, "Contact"),
        "<sip:alice@192.0.2.80:5080;transport=tcp>;q=0.99, <sip:alice@192.0.2.81:5080;transport=tcp>;q=0.98, \
         <sip:alice@192.0.2.90:5062;transport=tcp>;q=0.97"
    );
    let nothing = caller.ask(server.address(), &invite("nowhere", "sip:alice@example.com"));
    assert_eq!(status(&nothing), 480, "{nothing}");
}

/// Calls that need DNS. With those that do not, an unoptimised server and caller on a slow machine must be through with all
/// of them before the first lookup has failed.
const WAITING: usize = 50;
/// Calls that do not, sent behind each of those.
const PLAIN_EACH: usize = 10;
/// How often all is repeated, should this machine stand still for the 320 ms that the first lookup
/// needs to fail. A server that lets calls wait behind a lookup fails every time.
const ROUNDS_MAX: usize = 10;

#[test]
fn a_dead_dns_server_keeps_no_call_waiting_that_does_not_need_it() {
    let routes = Routes::of(&ENUM.replace("failed: 503", "failed: next"));
    let waited = WAITING as f64;
    let mut rounds = 0;
    // Each with a server that does not know yet that this one is dead.
    let server = loop {
        rounds += 1;
        let names = Names::dead();
        let (server, caller) = (start(&routes, &names), Caller::here());
        let Answers { overtaken, codes } = call_all(&server, &caller, rounds);
        assert_eq!(codes, BTreeSet::from([404]), "the fallback's and nothing else");
        // A call that comes when the first lookups have failed finds the server dead, and does not wait.
        let waits = server.samples()["waypost_dns_waits_total"];
        let asked = names.seen().into_iter().collect::<BTreeSet<String>>().len();
        if overtaken == 0 && waits == waited && asked == WAITING {
            break server;
        }
        assert!(
            rounds < ROUNDS_MAX,
            "{overtaken} fallbacks came before a plain call sent with them, {waits} calls of {waited} waited, \
             DNS was asked for {asked}"
        );
    };
    // Calls may have given up before; the answers of the resolver come all the same.
    server.until(r#"waypost_dns_answers_total{result="timeout",type="NAPTR"}"#, waited);
    server.until("waypost_waiting", 0.0);
    let samples = server.samples();
    assert_eq!(samples["waypost_dns_questions_total"], waited);
    let answers = [(r#"route="fallback""#, waited * (1 + PLAIN_EACH) as f64)];
    assert_eq!(nonzero(&samples, "waypost_route_answers_total"), answers);
}

/// What came of one round.
struct Answers {
    /// Fallbacks of calls that waited which came before the answer to a plain call that was sent
    /// before them or right behind them.
    overtaken: usize,
    codes: BTreeSet<u16>,
}

/// Sends [`WAITING`] calls that need DNS, each with [`PLAIN_EACH`] behind it that do not, and receives
/// one answer to each of them.
fn call_all(server: &Server, caller: &Caller, round: usize) -> Answers {
    /// Plain calls that have no answer yet: so that no socket overflows.
    const UNDER_WAY_MAX: usize = 64;
    let mut answers = Answers { overtaken: 0, codes: BTreeSet::new() };
    let (mut waiting_answered, mut plain_answered) = (BTreeSet::new(), BTreeSet::new());
    // How many of each kind have their answer now.
    let mut receive = |answers: &mut Answers| {
        let (_, answer) = caller.receive();
        answers.codes.insert(status(&answer));
        let (kind, number) = call_id(&answer).split_once(&format!("-{round}-")).unwrap();
        let number: usize = number.parse().unwrap();
        if kind == "plain" {
            assert!(plain_answered.insert(number), "twice: {answer}");
        } else {
            assert!(waiting_answered.insert(number), "twice: {answer}");
            let mut sent_with_it = 0..(number + 1) * PLAIN_EACH;
            answers.overtaken += usize::from(!sent_with_it.all(|plain| plain_answered.contains(&plain)));
        }
        (waiting_answered.len(), plain_answered.len())
    };
    let (mut plain_sent, mut seen) = (0, (0, 0));
    for number in 0..WAITING {
        let digits = format!("4420{round:02}{number:06}");
        caller.send(server.address(), invite(&format!("waiting-{round}-{number}"), &uri(&digits)));
        for _ in 0..PLAIN_EACH {
            let call = format!("plain-{round}-{plain_sent}");
            caller.send(server.address(), invite(&call, "sip:alice@waypost.example.net"));
            plain_sent += 1;
            while plain_sent - seen.1 >= UNDER_WAY_MAX {
                seen = receive(&mut answers);
            }
        }
    }
    while seen != (WAITING, plain_sent) {
        seen = receive(&mut answers);
    }
    answers
}
