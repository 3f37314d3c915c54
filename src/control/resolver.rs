//! Outside. The resolver: questions of the loop to DNS servers, answers back. Everything about
//! hickory is in this file.
//!
//! In:    questions, from a bounded queue.
//! Out:   one answer for each, within [`DNS_QUESTION_MS_MAX`].
//! Never: caches (the engine does), reads the hosts file, tries a search list.

use std::{
    fs::File,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::{
    dns::{Answer, Failure, Kind, Naptr, Nothing, Question, Record, Srv},
    limits::{
        DNS_LOOKUPS_MAX, DNS_PAYLOAD_BYTES, DNS_QUESTION_MS_MAX, DNS_RETRIES, DNS_SERVERS_AT_ONCE,
        DNS_TRY_MS, QUESTIONS_UNDER_WAY_MAX, RESOLV_CONF_BYTES_MAX, RESOLV_CONF_SERVERS_MAX,
    },
};

/// Where the system keeps its servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Answers questions until their queue is closed and the last one is answered. Runs inside a tokio
/// runtime with time and network. `servers` empty: those of /etc/resolv.conf, at its start.
///
/// [`QUESTIONS_UNDER_WAY_MAX`] are taken off the queue, [`DNS_LOOKUPS_MAX`] of them are with the
/// servers. One that finds no place there in its time is [`Failure::Overflow`]: behind a dead
/// server no queue of questions builds up that nobody waits for any more.
pub async fn run(
    servers: Vec<SocketAddr>,
    mut questions: mpsc::Receiver<Question>,
    answer: impl Fn(Question, Answer),
) {
    let servers = if servers.is_empty() { system_servers(Path::new(RESOLV_CONF)) } else { servers };
    let resolver = match resolver(&servers) {
        Ok(resolver) => resolver,
        Err(error) => {
            tracing::error!(%error, "no DNS: every lookup fails until the server is started again");
            while let Some(question) = questions.recv().await {
                answer(question, Answer::Failed(Failure::ServFail));
            }
            return;
        }
    };
    let lookups = Arc::new(Semaphore::new(DNS_LOOKUPS_MAX));
    let mut under_way = JoinSet::new();
    let mut is_open = true;
    while is_open || !under_way.is_empty() {
        tokio::select! {
            question = questions.recv(), if is_open && under_way.len() < QUESTIONS_UNDER_WAY_MAX => {
                match question {
                    Some(question) => {
                        under_way.spawn(ask(resolver.clone(), lookups.clone(), question));
                    }
                    None => is_open = false,
                }
            }
            Some(done) = under_way.join_next(), if !under_way.is_empty() => match done {
                Ok((question, said)) => answer(question, said),
                // A panic of the library: who waits for this question gives up in its time.
                Err(error) => tracing::error!(%error, "a DNS lookup ended by a fault of its own"),
            },
        }
    }
}

/// The servers of /etc/resolv.conf; 127.0.0.1 when it names none, as the C library has it.
fn system_servers(resolv_conf: &Path) -> Vec<SocketAddr> {
    let shown = resolv_conf.display();
    let text = match read_lines(resolv_conf) {
        Ok((text, true)) => text,
        Ok((text, false)) => {
            tracing::warn!("{shown} is longer than {RESOLV_CONF_BYTES_MAX} bytes; the rest is not read");
            text
        }
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("{shown} cannot be read ({error}); asking the DNS server at 127.0.0.1");
            }
            String::new()
        }
    };
    match nameservers(&text) {
        servers if servers.is_empty() => vec![(Ipv4Addr::LOCALHOST, 53).into()],
        servers => servers,
    }
}

/// The file as far as it may be read, and whether that is all of it. What is cut off is whole lines:
/// the beginning of an address may be another address.
fn read_lines(path: &Path) -> io::Result<(String, bool)> {
    let mut bytes = Vec::new();
    File::open(path)?.take(RESOLV_CONF_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|len| len <= RESOLV_CONF_BYTES_MAX);
    if !is_whole {
        bytes.pop();
        bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end.saturating_add(1)));
    }
    // Comments may be of any alphabet.
    Ok((String::from_utf8_lossy(&bytes).into_owned(), is_whole))
}

/// The `nameserver` lines. One with a zone index (`fe80::1%eth0`) is left out: hickory takes none.
fn nameservers(resolv_conf: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    };
    resolv_conf.lines().filter_map(address).take(RESOLV_CONF_SERVERS_MAX).map(|ip| (ip, 53).into()).collect()
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let servers = servers.iter().map(name_server).collect();
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    set_options(builder.options_mut());
    builder.build()
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    // TCP for answers that do not fit a datagram.
    let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

fn set_options(options: &mut ResolverOpts) {
    options.timeout = Duration::from_millis(DNS_TRY_MS);
    options.attempts = DNS_RETRIES;
    options.num_concurrent_reqs = DNS_SERVERS_AT_ONCE;
    options.max_active_requests = QUESTIONS_UNDER_WAY_MAX;
    options.edns0 = true;
    options.edns_payload_len = DNS_PAYLOAD_BYTES;
    // Random case in the question (0x20): one more thing that a forged answer has to guess.
    options.case_randomization = true;
    // The TTLs of CNAMEs on the way count too.
    options.preserve_intermediates = true;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
}

async fn ask(resolver: TokioResolver, lookups: Arc<Semaphore>, question: Question) -> (Question, Answer) {
    let Ok(name) = Name::from_ascii(question.name()) else {
        return (question, Answer::Failed(Failure::Malformed));
    };
    let end = Instant::now() + Duration::from_millis(DNS_QUESTION_MS_MAX);
    let answer = match timeout_at(end, lookups.acquire()).await {
        // A place may come free by the very timeouts that are ours as well.
        Ok(_place) if Instant::now() < end => {
            match timeout_at(end, resolver.lookup(name, record_type(question.kind()))).await {
                Ok(Ok(lookup)) => found(question.kind(), &lookup),
                Ok(Err(error)) => not_found(&error),
                Err(_) => Answer::Failed(Failure::Timeout),
            }
        }
        _ => Answer::Failed(Failure::Overflow),
    };
    if let Answer::Failed(failure) = &answer {
        tracing::debug!(name = question.name(), kind = ?question.kind(), ?failure, "DNS lookup failed");
    }
    (question, answer)
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::Naptr => RecordType::NAPTR,
        Kind::Srv => RecordType::SRV,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
    }
}

/// The records of the type asked for, in the order of the packet, with the lowest TTL on the way.
fn found(kind: Kind, lookup: &Lookup) -> Answer {
    let answers = lookup.answers();
    let ttl_s = answers.iter().map(|record| record.ttl).min().unwrap_or(0);
    let records: Vec<_> = answers.iter().filter_map(|answer| record(kind, &answer.data)).collect();
    match records.is_empty() {
        true => Answer::Nothing { why: Nothing::NoData, ttl_s },
        false => Answer::Found { records, ttl_s },
    }
}

fn record(kind: Kind, data: &RData) -> Option<Record> {
    match (kind, data) {
        (Kind::Naptr, RData::NAPTR(naptr)) => Some(Record::Naptr(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: naptr.flags.clone(),
            services: naptr.services.clone(),
            regexp: naptr.regexp.clone(),
            replacement: text(&naptr.replacement),
        })),
        (Kind::Srv, RData::SRV(srv)) => Some(Record::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: text(&srv.target),
        })),
        (Kind::A, RData::A(address)) => Some(Record::A(address.0)),
        (Kind::Aaaa, RData::AAAA(address)) => Some(Record::Aaaa(address.0)),
        _ => None,
    }
}

/// A name as [`crate::dns`] has names: in lower case, with its final dot.
fn text(name: &Name) -> Box<str> {
    let mut name = name.to_lowercase();
    name.set_fqdn(true);
    name.to_ascii().into()
}

/// Why there is no record: one place for what the library's errors mean to us.
fn not_found(error: &NetError) -> Answer {
    let failure = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            // RFC 2308 §5: the SOA says for how long. Without one, not at all: the cache's least.
            let ttl_s = none.negative_ttl.unwrap_or(0);
            match none.response_code {
                ResponseCode::NXDomain => return Answer::Nothing { why: Nothing::NxDomain, ttl_s },
                ResponseCode::NoError => return Answer::Nothing { why: Nothing::NoData, ttl_s },
                code => failure_of(code),
            }
        }
        NetError::Dns(DnsError::ResponseCode(code)) => failure_of(*code),
        NetError::Busy => Failure::Overflow,
        // Nobody was there to answer: an unreachable server is as silent as a dead one.
        NetError::Timeout | NetError::Io(_) | NetError::NoConnections => Failure::Timeout,
        _ => Failure::Malformed,
    };
    Answer::Failed(failure)
}

fn failure_of(code: ResponseCode) -> Failure {
    match code {
        ResponseCode::Refused | ResponseCode::NotAuth => Failure::Refused,
        _ => Failure::ServFail,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        collections::{BTreeMap, BTreeSet},
        rc::Rc,
    };

    use hickory_resolver::proto::{
        op::{Message, OpCode},
        rr::{
            Record as WireRecord,
            rdata::{A, AAAA, CNAME, NAPTR, SOA, SRV},
        },
    };
    use tokio::net::UdpSocket;

    use super::*;

    /// What the server of the tests does with a question, by the first label of its name.
    fn reply(question: &Message) -> Option<Vec<u8>> {
        let query = question.queries.first()?.clone();
        let name = query.name().clone();
        let behaviour = String::from_utf8(name.iter().next()?.to_ascii_lowercase()).ok()?;
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
        match (&*behaviour, query.query_type()) {
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
                let lower =
                    hickory_resolver::proto::op::Query::query(name.to_lowercase(), query.query_type());
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
        assert!(
            seen.iter().filter(|name| name.eq_ignore_ascii_case("silent.example.")).count() > DNS_RETRIES
        );
    }

    #[test]
    fn behind_a_dead_server_every_question_is_answered_and_not_all_are_asked() {
        let names: Vec<_> = (0..=QUESTIONS_UNDER_WAY_MAX).map(|i| format!("silent.x{i}.example")).collect();
        let questions: Vec<_> = names.iter().map(|name| (&**name, Kind::A)).collect();
        let (answers, seen) = ask_all(&questions);
        assert_eq!(answers.len(), names.len());
        let count = |failure| answers.values().filter(|answer| **answer == Answer::Failed(failure)).count();
        let (timeouts, overflows) = (count(Failure::Timeout), count(Failure::Overflow));
        assert_eq!(timeouts + overflows, names.len());
        assert!(timeouts > 0 && overflows > 0, "{timeouts} {overflows}");
        let asked: BTreeSet<_> = seen.iter().map(|name| name.to_ascii_lowercase()).collect();
        assert!(asked.len() < names.len());
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

    #[test]
    fn resolv_conf_gives_its_first_servers() {
        let text = "# nameserver 192.0.2.1\nsearch example.net\nnameserver 192.0.2.2\n nameserver\t2001:db8::2 # two\n\
                    nameserver fe80::1%eth0\nnameserver nonsense\nnameserver\nnameservers 192.0.2.9\n;nameserver 192.0.2.3\n";
        let servers: [SocketAddr; 2] = ["192.0.2.2:53".parse().unwrap(), "[2001:db8::2]:53".parse().unwrap()];
        assert_eq!(nameservers(text), servers);
        let many = "nameserver 192.0.2.2\n".repeat(RESOLV_CONF_SERVERS_MAX + 1);
        assert_eq!(nameservers(&many).len(), RESOLV_CONF_SERVERS_MAX);
        assert_eq!(nameservers(""), []);
    }

    #[test]
    fn resolv_conf_is_read_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resolv.conf");
        let localhost: SocketAddr = "127.0.0.1:53".parse().unwrap();
        assert_eq!(system_servers(&path), [localhost], "no file");
        let servers = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            system_servers(&path)
        };
        let [first, last]: [SocketAddr; 2] =
            ["192.0.2.1:53", "192.0.2.12:53"].map(|text| text.parse().unwrap());
        let most = usize::try_from(RESOLV_CONF_BYTES_MAX).unwrap();
        let (head, tail) = ("nameserver 192.0.2.1\n", "nameserver 192.0.2.12");
        let of_len = |len: usize, end: &str| {
            let comment = "#".repeat(len - head.len() - 1 - tail.len() - end.len());
            format!("{head}{comment}\n{tail}{end}").into_bytes()
        };
        assert_eq!(servers(&of_len(most, "")), [first, last]);
        assert_eq!(servers(&of_len(most, "\n")), [first, last]);
        assert_eq!(servers(&of_len(most + 1, "\n")), [first], "a line is read whole or not at all");
        assert_eq!(servers(&of_len(most + 1, "")), [first]);
        assert_eq!(servers("#".repeat(most + 9).as_bytes()), [localhost], "no line at all");
        assert_eq!(servers(b"# caf\xe9\nnameserver 192.0.2.1\n"), [first], "a comment in Latin-1");
    }
}
