use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    rc::Rc,
    time::Duration,
};

use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record as WireRecord, RecordType,
        rdata::{A, AAAA, CNAME, NAPTR, NS, SOA, SRV},
    },
};
use tokio::net::UdpSocket;

use super::*;
use crate::{
    dns::{Kind, Naptr, Nothing, OwnLives, Record, Srv, Upstream},
    limits::{DNS_DOWN_MS_MIN, DNS_PAYLOAD_BYTES, DNS_RETRIES, DNS_SILENCES_MAX, DNS_UPSTREAM_SERVERS_MAX},
};

/// What the server of the tests does with a question, by the first label of its name.
fn reply(question: &Message) -> Option<Vec<u8>> {
    let name = question.queries.first()?.name();
    let behaviour = String::from_utf8(name.iter().next()?.to_ascii_lowercase()).ok()?;
    reply_as(question, &behaviour)
}

fn reply_as(question: &Message, behaviour: &str) -> Option<Vec<u8>> {
    let query = question.queries.first()?.clone();
    let name = query.name().clone();
    let mut message = Message::response(question.id, OpCode::Query);
    message.metadata.recursion_available = true;
    message.add_query(query.clone());
    let root = Name::root();
    let target = |text: &str| Name::from_ascii(text).unwrap();
    let record = |ttl, data| WireRecord::from_rdata(name.clone(), ttl, data);
    let soa = || {
        let soa = SOA::new(root.clone(), root.clone(), 1, 1, 1, 1, 77);
        WireRecord::from_rdata(target("example."), 900, RData::SOA(soa))
    };
    match (behaviour, query.query_type()) {
        ("silent", _) => return None,
        ("garbage", _) => {
            let id = question.id.to_be_bytes();
            return Some([&id[..], &[0xff; 30]].concat());
        }
        ("forged", _) => {
            message.metadata.id = question.id.wrapping_add(1);
            message.add_answer(record(60, RData::A(A(Ipv4Addr::LOCALHOST))));
        }
        ("othercase", _) => {
            message.queries.clear();
            let lower = hickory_resolver::proto::op::Query::query(name.to_lowercase(), query.query_type());
            message.add_query(lower);
            message.add_answer(record(60, RData::A(A(Ipv4Addr::LOCALHOST))));
        }
        ("nx", _) => {
            message.metadata.response_code = ResponseCode::NXDomain;
            message.add_authority(soa());
        }
        ("nxbare", _) => message.metadata.response_code = ResponseCode::NXDomain,
        ("empty", _) => {
            message.add_authority(soa());
        }
        ("refused", _) => message.metadata.response_code = ResponseCode::Refused,
        ("notauth", _) => message.metadata.response_code = ResponseCode::NotAuth,
        ("lame", _) => {
            let elsewhere = RData::NS(NS(target("ns.example.")));
            message.add_authority(WireRecord::from_rdata(root.clone(), 900, elsewhere));
        }
        ("servfail", _) => message.metadata.response_code = ResponseCode::ServFail,
        ("alias", RecordType::A) => {
            message.add_answer(record(5, RData::CNAME(CNAME(target("a.example.")))));
            let answer = RData::A(A(Ipv4Addr::new(192, 0, 2, 9)));
            message.add_answer(WireRecord::from_rdata(target("a.example."), 60, answer));
        }
        (_, RecordType::A) => {
            message.add_answer(record(60, RData::A(A(Ipv4Addr::new(192, 0, 2, 2)))));
            message.add_answer(record(50, RData::A(A(Ipv4Addr::new(192, 0, 2, 1)))));
        }
        (_, RecordType::AAAA) => {
            message.add_answer(record(60, RData::AAAA(AAAA("2001:db8::1".parse().unwrap()))));
        }
        (_, RecordType::SRV) => {
            message.add_answer(record(60, RData::SRV(SRV::new(1, 2, 5062, target("SBC1.Example.")))));
            message.add_answer(record(60, RData::SRV(SRV::new(9, 0, 0, root.clone()))));
        }
        (_, RecordType::NAPTR) => {
            let [flags, services, regexp] =
                ["u", "E2U+sip", r"!^(.*)$!sip:\1@a.example!"].map(|text| text.as_bytes().into());
            message.add_answer(record(
                3,
                RData::NAPTR(NAPTR::new(100, 10, flags, services, regexp, root.clone())),
            ));
        }
        _ => message.metadata.response_code = ResponseCode::NotImp,
    }
    message.to_vec().ok()
}

/// Asks the server of the tests; the answers, and the names as the server saw them.
fn ask_all(questions: &[(&str, Kind)]) -> (BTreeMap<Question, Answer>, Vec<String>) {
    let questions: Vec<_> =
        questions.iter().map(|(name, kind)| Question::new(name, *kind).unwrap()).collect();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let answers = RefCell::new(BTreeMap::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = socket.local_addr().unwrap();
        let serve = async {
            let mut bytes = [0; 4096];
            loop {
                let (len, from) = socket.recv_from(&mut bytes).await.unwrap();
                let question = Message::from_vec(&bytes[..len]).unwrap();
                assert_eq!(question.max_payload(), DNS_PAYLOAD_BYTES);
                seen.borrow_mut().push(question.queries[0].name().to_ascii());
                if let Some(reply) = reply(&question) {
                    socket.send_to(&reply, from).await.unwrap();
                }
            }
        };
        let (sender, receiver) = mpsc::channel(questions.len());
        questions.iter().for_each(|question| sender.try_send(question.clone()).unwrap());
        drop(sender);
        tokio::select! {
            () = serve => {}
            () = run(vec![server], receiver, |question, answer| {
                assert_eq!(answers.borrow_mut().insert(question, answer), None, "one answer each");
            }) => {}
        }
    });
    let seen = seen.borrow().clone();
    (answers.into_inner(), seen)
}

fn ask_one(name: &str, kind: Kind) -> Answer {
    let (answers, _) = ask_all(&[(name, kind)]);
    answers.into_values().next().unwrap()
}

#[test]
fn records_of_every_kind_come_through() {
    let (answers, _) = ask_all(&[
        ("x.example", Kind::A),
        ("x.example", Kind::Aaaa),
        ("x.example", Kind::Srv),
        ("x.example", Kind::Naptr),
    ]);
    let a = |last| Record::A(Ipv4Addr::new(192, 0, 2, last));
    let srv = |priority, weight, port, target: &str| {
        Record::Srv(Srv { priority, weight, port, target: target.into() })
    };
    let naptr = Record::Naptr(Naptr {
        order: 100,
        preference: 10,
        flags: b"u"[..].into(),
        services: b"E2U+sip"[..].into(),
        regexp: br"!^(.*)$!sip:\1@a.example!"[..].into(),
        replacement: ".".into(),
    });
    let expected = [
        (Kind::Naptr, vec![naptr], 3),
        (Kind::Srv, vec![srv(1, 2, 5062, "sbc1.example."), srv(9, 0, 0, ".")], 60),
        (Kind::A, vec![a(2), a(1)], 50),
        (Kind::Aaaa, vec![Record::Aaaa("2001:db8::1".parse().unwrap())], 60),
    ];
    for (kind, records, ttl_s) in expected {
        let answer = answers.get(&Question::new("x.example", kind).unwrap());
        assert_eq!(answer, Some(&Answer::Found { records, ttl_s }), "{kind:?}");
    }
}

#[test]
fn a_cname_is_followed_and_its_ttl_counts() {
    let records = vec![Record::A(Ipv4Addr::new(192, 0, 2, 9))];
    assert_eq!(ask_one("alias.example", Kind::A), Answer::Found { records, ttl_s: 5 });
}

#[test]
fn nothing_and_failure_are_told_apart() {
    let nothing = |why, ttl_s| Answer::Nothing { why, ttl_s };
    for (name, answer) in [
        ("nx.example", nothing(Nothing::NxDomain, 77)),
        ("nxbare.example", nothing(Nothing::NxDomain, 0)),
        ("empty.example", nothing(Nothing::NoData, 77)),
        ("refused.example", Answer::Failed(Failure::Refused)),
        ("notauth.example", Answer::Failed(Failure::Lame)),
        ("lame.example", Answer::Failed(Failure::Lame)),
        ("servfail.example", Answer::Failed(Failure::ServFail)),
        ("garbage.example", Answer::Failed(Failure::Malformed)),
        ("silent.example", Answer::Failed(Failure::Timeout)),
        ("forged.example", Answer::Failed(Failure::Timeout)),
    ] {
        assert_eq!(ask_one(name, Kind::A), answer, "{name}");
    }
}

#[test]
fn an_answer_to_another_spelling_is_not_believed() {
    // 0x20 leaves a name of letters unchanged in one of 2^16 cases.
    let answer = ask_one("othercase.example", Kind::A);
    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    let (_, seen) = ask_all(&[("abcdefghijklmnopqrstuvwxyz.example", Kind::A)]);
    assert!(seen.iter().any(|name| name.bytes().any(|byte| byte.is_ascii_uppercase())), "{seen:?}");
    assert!(seen.iter().all(|name| name.ends_with('.')), "no search list: {seen:?}");
}

#[test]
fn a_silent_name_delays_no_other() {
    let names: Vec<_> = (0..50).map(|i| format!("x{i}.example")).collect();
    let mut questions = vec![("silent.example", Kind::A)];
    questions.extend(names.iter().map(|name| (&**name, Kind::A)));
    let (answers, seen) = ask_all(&questions);
    let found = answers.values().filter(|answer| matches!(answer, Answer::Found { .. })).count();
    assert_eq!((answers.len(), found), (51, 50));
    // Lost packets are made good: it was asked again.
    assert!(seen.iter().filter(|name| name.eq_ignore_ascii_case("silent.example.")).count() > DNS_RETRIES);
}

/// Questions of which the server of the tests answers only the first.
fn silent_but_for_one() -> Vec<String> {
    let silent = (0..QUESTIONS_UNDER_WAY_MAX).map(|i| format!("silent.x{i}.example"));
    ["x.example".to_owned()].into_iter().chain(silent).collect()
}

#[test]
fn behind_a_dead_server_every_question_is_answered_and_not_all_are_asked() {
    let names = silent_but_for_one();
    let questions: Vec<_> = names.iter().map(|name| (&**name, Kind::A)).collect();
    let count = |answers: &BTreeMap<_, _>, failure| {
        answers.values().filter(|answer| **answer == Answer::Failed(failure)).count()
    };
    let asked =
        |seen: Vec<String>| seen.iter().map(|name| name.to_ascii_lowercase()).collect::<BTreeSet<_>>().len();
    // The whole server is dead.
    let (answers, seen) = ask_all(&questions[1..]);
    let (timeouts, overflows) = (count(&answers, Failure::Timeout), count(&answers, Failure::Overflow));
    assert_eq!(timeouts + overflows, names.len() - 1);
    assert!(timeouts > 0 && asked(seen) < names.len());

    // It is alive, and these names are dead.
    let (answers, seen) = ask_all(&questions);
    let (timeouts, overflows) = (count(&answers, Failure::Timeout), count(&answers, Failure::Overflow));
    assert_eq!((answers.len(), timeouts + overflows), (names.len(), names.len() - 1));
    assert!(timeouts > 0 && overflows > 0, "{timeouts} {overflows}");
    assert!(asked(seen) < names.len());
}

#[test]
fn it_can_run_as_a_task_of_its_own() {
    fn is_task(_: impl Future<Output = ()> + Send + 'static) {}
    let (_, receiver) = mpsc::channel(1);
    is_task(run(Vec::new(), receiver, |_, _| ()));
}

#[test]
fn nobody_at_the_address_is_a_timeout() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = RefCell::new(Vec::new());
    runtime.block_on(async {
        // Bound and dropped: nobody listens there.
        let address = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let (sender, receiver) = mpsc::channel(1);
        sender.try_send(Question::new("x.example", Kind::A).unwrap()).unwrap();
        drop(sender);
        run(vec![address], receiver, |_, answer| answers.borrow_mut().push(answer)).await;
    });
    assert_eq!(answers.into_inner(), [Answer::Failed(Failure::Timeout)]);
}

/// A server that treats all names alike.
#[derive(Clone, Copy)]
enum Behaviour {
    /// As the first label says.
    ByName,
    /// Whatever the name is, what [`reply`] makes of this label.
    Always(&'static str),
    /// A good answer, after a while.
    Slow,
}

struct TestServer {
    address: SocketAddr,
    behaviour: Rc<Cell<Behaviour>>,
    /// Names in lower case.
    seen: Rc<RefCell<Vec<String>>>,
}

impl TestServer {
    /// Serves until the set of tasks ends.
    async fn start(behaviour: Behaviour) -> Self {
        let socket = Rc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let this = Self {
            address: socket.local_addr().unwrap(),
            behaviour: Rc::new(Cell::new(behaviour)),
            seen: Rc::default(),
        };
        let (behaviour, seen) = (Rc::clone(&this.behaviour), Rc::clone(&this.seen));
        tokio::task::spawn_local(async move {
            let mut bytes = [0; 4096];
            loop {
                let (len, from) = socket.recv_from(&mut bytes).await.unwrap();
                let question = Message::from_vec(&bytes[..len]).unwrap();
                seen.borrow_mut().push(question.queries[0].name().to_ascii().to_ascii_lowercase());
                let reply = match behaviour.get() {
                    Behaviour::Always(label) => reply_as(&question, label),
                    Behaviour::ByName | Behaviour::Slow => reply(&question),
                };
                let is_slow = matches!(behaviour.get(), Behaviour::Slow);
                let socket = Rc::clone(&socket);
                tokio::task::spawn_local(async move {
                    if is_slow {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    if let Some(reply) = reply {
                        socket.send_to(&reply, from).await.unwrap();
                    }
                });
            }
        });
        this
    }

    fn count(&self) -> usize {
        self.seen.borrow().len()
    }
}

fn with_servers<F: Future<Output = ()>>(behaviours: &[Behaviour], test: impl FnOnce(Vec<TestServer>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut servers = Vec::new();
        for behaviour in behaviours {
            servers.push(TestServer::start(*behaviour).await);
        }
        test(servers).await;
    });
}

fn resolver_of(servers: &[TestServer]) -> Resolver {
    Resolver::new(servers.iter().map(|server| server.address).collect())
}

async fn answers(resolver: &Resolver, questions: &[Question]) -> Vec<Answer> {
    let said = RefCell::new(BTreeMap::new());
    let (sender, receiver) = mpsc::channel(questions.len());
    questions.iter().for_each(|question| sender.try_send(question.clone()).unwrap());
    drop(sender);
    resolver
        .clone()
        .run(receiver, |question, answer| assert_eq!(said.borrow_mut().insert(question, answer), None))
        .await;
    let said = said.into_inner();
    questions.iter().map(|question| said[question].clone()).collect()
}

async fn answer_of(resolver: &Resolver, name: &str) -> Answer {
    answers(resolver, &[Question::new(name, Kind::A).unwrap()]).await.remove(0)
}

fn good() -> Answer {
    let address = |last| Record::A(Ipv4Addr::new(192, 0, 2, last));
    Answer::Found { records: vec![address(2), address(1)], ttl_s: 50 }
}

#[test]
fn beside_a_good_server_a_bad_one_costs_no_answer_and_is_soon_left_alone() {
    const QUESTIONS: usize = 40;
    for behaviour in [
        Behaviour::Always("silent"),
        Behaviour::Slow,
        Behaviour::Always("refused"),
        Behaviour::Always("servfail"),
        Behaviour::Always("lame"),
        Behaviour::Always("garbage"),
    ] {
        with_servers(&[behaviour, Behaviour::ByName], async |servers| {
            let resolver = resolver_of(&servers);
            for nth in 0..QUESTIONS {
                assert_eq!(answer_of(&resolver, &format!("x{nth}.example")).await, good(), "{nth}");
            }
            let [bad, better] = &servers[..] else { panic!("two servers") };
            assert!(bad.count() > 0 && bad.count() < QUESTIONS / 2, "{}", bad.count());
            let seen: BTreeSet<_> = better.seen.borrow().iter().cloned().collect();
            assert_eq!(seen.len(), QUESTIONS, "{seen:?}");
            let numbers = resolver.numbers();
            let is_hedged = matches!(behaviour, Behaviour::Always("silent") | Behaviour::Slow);
            assert!(numbers.hedges > 0 || !is_hedged);
            let [(label, times)] = &numbers.apexes[..] else { panic!("{numbers:?}") };
            assert_eq!((&**label, times.count), ("default", QUESTIONS as u64));
            assert_eq!(numbers.servers.len(), 2);
        });
    }
}

#[test]
fn the_failure_that_tells_most_is_told() {
    for (labels, failure) in [
        (&["servfail", "refused", "lame"][..], Failure::Refused),
        (&["garbage", "lame", "servfail"], Failure::ServFail),
        (&["garbage", "lame", "silent"], Failure::Lame),
        (&["silent", "garbage"], Failure::Malformed),
        (&["silent", "silent"], Failure::Timeout),
    ] {
        let behaviours: Vec<_> = labels.iter().map(|label| Behaviour::Always(label)).collect();
        with_servers(&behaviours, async |servers| {
            let answer = answer_of(&resolver_of(&servers), "x.example").await;
            assert_eq!(answer, Answer::Failed(failure), "{labels:?}");
            assert!(servers.iter().all(|server| server.count() > 0), "{labels:?}");
        });
    }
}

#[test]
fn who_has_answered_is_not_asked_again() {
    for label in ["refused", "servfail", "lame", "nx", "x"] {
        with_servers(&[Behaviour::Always(label)], async |servers| {
            answer_of(&resolver_of(&servers), "a.example").await;
            assert_eq!(servers[0].count(), 1, "{label}");
        });
    }
}

#[test]
fn a_dead_server_costs_nobody_once_it_is_known_and_is_found_when_it_is_back() {
    with_servers(&[Behaviour::Always("silent")], async |servers| {
        let resolver = resolver_of(&servers);
        let names = |word: &str| -> Vec<_> {
            (0..200).map(|nth| Question::new(&format!("{word}{nth}.example"), Kind::A).unwrap()).collect()
        };
        let timeouts = vec![Answer::Failed(Failure::Timeout); 200];
        assert_eq!(answers(&resolver, &names("a")).await, timeouts);
        assert!(!resolver.numbers().servers[0].1.is_up);
        assert_eq!(answers(&resolver, &names("b")).await, timeouts);
        assert_eq!(resolver.numbers().apexes[0].1.count, 200, "and nobody waited");

        servers[0].behaviour.set(Behaviour::ByName);
        tokio::time::sleep(Duration::from_millis(DNS_DOWN_MS_MIN)).await;
        assert!(!servers[0].seen.borrow().iter().any(|name| name.starts_with('b')), "nobody asked");
        assert_eq!(answer_of(&resolver, "x.example").await, good());
        assert!(resolver.numbers().servers[0].1.is_up);
    });
}

#[test]
fn names_without_an_answer_do_not_make_a_server_dead() {
    with_servers(&[Behaviour::ByName], async |servers| {
        let resolver = resolver_of(&servers);
        assert_eq!(answer_of(&resolver, "x.example").await, good());
        let silent: Vec<_> = (0..3 * DNS_SILENCES_MAX)
            .map(|nth| Question::new(&format!("silent.x{nth}.example"), Kind::A).unwrap())
            .collect();
        for _ in 0..2 {
            let all = answers(&resolver, &silent).await;
            assert!(all.iter().all(|answer| *answer == Answer::Failed(Failure::Timeout)));
            assert_eq!(answer_of(&resolver, "y.example").await, good());
        }
        let checks = servers[0].seen.borrow().iter().filter(|name| *name == "x.example.").count();
        assert!(checks > 1, "it was asked what it had answered");
    });
}

#[test]
fn names_that_nobody_is_asked_for_do_not_make_a_dead_server_live() {
    with_servers(&[Behaviour::Always("silent")], async |servers| {
        let resolver = resolver_of(&servers);
        let nx = Answer::Nothing { why: Nothing::NxDomain, ttl_s: 0 };
        assert_eq!(answer_of(&resolver, "x.invalid").await, nx);
        let [(_, standing)] = resolver.numbers().servers[..] else { panic!("one server") };
        assert_eq!((servers[0].count(), standing.rtt_us), (0, None));
    });
}

#[test]
fn an_apex_has_its_own_servers_and_its_own_times() {
    with_servers(&[Behaviour::ByName, Behaviour::Always("nx")], async |servers| {
        let resolver = resolver_of(&servers[..1]);
        let own = Arc::new(Upstream::new("e164.example", &[servers[1].address], OwnLives::default()));
        let without = Arc::new(Upstream::new("", &[], OwnLives::default()));
        let question = Question::new("x.example", Kind::A).unwrap();
        let questions =
            [question.clone(), question.clone().at(Some(&own)), question.clone().at(Some(&without))];
        let nx = Answer::Nothing { why: Nothing::NxDomain, ttl_s: 77 };
        assert_eq!(answers(&resolver, &questions).await, [good(), nx, good()]);
        assert_eq!(servers[1].count(), 1);
        let counts: Vec<_> =
            resolver.numbers().apexes.iter().map(|(label, times)| (label.to_string(), times.count)).collect();
        assert_eq!(counts, [("default".to_owned(), 2), ("e164.example".to_owned(), 1)]);
    });
}

#[test]
fn so_many_servers_are_known() {
    with_servers(&[Behaviour::Always("silent")], async |servers| {
        let resolver = resolver_of(&servers);
        let port = servers[0].address.port();
        // The one of the configuration is known already.
        let questions: Vec<_> = (0..DNS_UPSTREAM_SERVERS_MAX)
            .map(|nth| {
                let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + u32::try_from(nth).unwrap());
                let upstream = Upstream::new("own", &[(ip, port).into()], OwnLives::default());
                Question::new("x.example", Kind::A).unwrap().at(Some(&Arc::new(upstream)))
            })
            .collect();
        let all = answers(&resolver, &questions).await;
        let overflows = all.iter().filter(|answer| **answer == Answer::Failed(Failure::Overflow)).count();
        assert_eq!((all.len(), overflows), (DNS_UPSTREAM_SERVERS_MAX, 1));
        assert_eq!(resolver.numbers().servers.len(), DNS_UPSTREAM_SERVERS_MAX);
    });
}
