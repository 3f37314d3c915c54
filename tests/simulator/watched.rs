//! The server's own decisions, each judged as it is made: by a second node that knows nothing but what
//! the first one could see, and by every earlier decision on the same.

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc};

use waypost::{
    decide::{Arrival, Context, NoTrace, Scratch, Verdict, decide},
    dns::{Answer, Cache, DnsView, Question, Seen},
    engine::{Decide, Decider},
    limits::ANSWER_BYTES_ROOM,
    route::{RouteTable, Transport},
    sip::{HeaderIndex, Parsed, parse},
};

use super::targets::{answer, echo};

/// All that an answer may depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known {
    message: Vec<u8>,
    arrival: String,
    table: usize,
    draining: bool,
    /// Calendars are of whole hours in the tables here.
    hour: i64,
    /// Questions, and what was seen of each.
    dns: Vec<(Question, String)>,
}

/// [`Decider`], watched.
#[derive(Debug)]
pub(crate) struct Watched {
    decider: Decider,
    tables: Rc<Vec<RouteTable>>,
    answers: HashMap<Known, Vec<u8>>,
    log: Rc<RefCell<Log>>,
}

/// What the run sees of it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The message decided last, and where it came.
    pub(crate) last: Key,
    /// Answers that had been given before, and how many of them DNS had to do with.
    pub(crate) equal_again: usize,
    pub(crate) equal_again_by_dns: usize,
}

/// A datagram: its bytes, and where it came from and to.
pub(crate) type Key = (Vec<u8>, String);

pub(crate) fn key(message: &[u8], source: SocketAddr, listener: &str, transport: Transport) -> Key {
    (message.to_vec(), format!("{source} {listener} {transport:?}"))
}

impl Watched {
    pub(crate) fn new(tables: Rc<Vec<RouteTable>>, log: Rc<RefCell<Log>>) -> Self {
        Self { decider: Decider::new(), tables, answers: HashMap::new(), log }
    }

    fn known(&self, message: &[u8], arrival: &Arrival<'_>, context: &Context<'_>) -> Known {
        let table = self.tables.iter().position(|table| std::ptr::eq(table, context.table));
        Known {
            message: message.to_vec(),
            arrival: format!("{arrival:?}"),
            table: table.expect("a table of ours"),
            draining: context.draining,
            hour: context.unix_s.div_euclid(3600),
            dns: Vec::new(),
        }
    }
}

impl Decide for Watched {
    fn decide(
        &mut self,
        message: &[u8],
        arrival: &Arrival<'_>,
        context: &Context<'_>,
        out: &mut [u8],
    ) -> Verdict {
        self.log.borrow_mut().last = key(message, arrival.source, arrival.listener, arrival.transport);
        let verdict = self.decider.decide(message, arrival, context, out);
        let has_given_up = context.dns.waited_ms == u64::MAX;
        assert!(!has_given_up || !matches!(verdict, Verdict::Ask(_)), "asked after giving up");
        let len = if let Verdict::Reply(reply) = &verdict { reply.len } else { 0 };
        let mut known = self.known(message, arrival, context);
        let (other_verdict, other_bytes) = by_another_node(message, arrival, context, &mut known.dns);
        assert_eq!(verdict, other_verdict, "another node decides otherwise");
        assert_eq!(
            out[..len].escape_ascii().to_string(),
            other_bytes.escape_ascii().to_string(),
            "other bytes"
        );
        if let Verdict::Reply(reply) = &verdict {
            check_answer(message, arrival, &out[..len], reply.status);
            self.remember(known, &out[..len]);
        }
        verdict
    }
}

impl Watched {
    fn remember(&mut self, known: Known, bytes: &[u8]) {
        let by_dns = !known.dns.is_empty();
        if let Some(before) = self.answers.get(&known) {
            assert_eq!(before.escape_ascii().to_string(), bytes.escape_ascii().to_string(), "equal requests");
            let mut log = self.log.borrow_mut();
            log.equal_again += 1;
            log.equal_again_by_dns += usize::from(by_dns);
        } else {
            self.answers.insert(known, bytes.to_vec());
        }
    }
}

/// What a node decides whose cache holds only what this decision asks for, as the first node sees it.
fn by_another_node(
    message: &[u8],
    arrival: &Arrival<'_>,
    context: &Context<'_>,
    seen: &mut Vec<(Question, String)>,
) -> (Verdict, Vec<u8>) {
    let (mut cache, mut out) = (Cache::new(), vec![0; ANSWER_BYTES_ROOM]);
    let DnsView { now_ms, waited_ms, .. } = context.dns;
    let mut decide_there = |cache: &Cache, waited_ms: u64| {
        let context = Context { dns: DnsView { cache, waited_ms, ..context.dns }, ..*context };
        let verdict = decide(message, arrival, &context, &mut Scratch::new(), &mut NoTrace, &mut out);
        let len = if let Verdict::Reply(reply) = &verdict { reply.len } else { 0 };
        (verdict, out[..len].to_vec())
    };
    loop {
        let there = decide_there(&cache, 0);
        let Verdict::Ask(ask) = &there.0 else { return there };
        let seen_within = |question: &Question, within_ms| {
            let found = context.dns.look_for(question, within_ms);
            (found != Seen::Unknown).then(|| (question.clone(), found))
        };
        let mut found: Vec<_> =
            ask.questions.iter().filter_map(|question| seen_within(question, u64::MAX)).collect();
        if found.is_empty() {
            // What had no answer in its time there has none here: it is not asked for any more.
            let later = decide_there(&cache, waited_ms).0;
            let open = if let Verdict::Ask(ask) = later { ask.questions } else { Vec::new() };
            let late = ask.questions.iter().filter(|question| !open.contains(question));
            found = late.filter_map(|question| seen_within(question, 0)).collect();
        }
        if found.is_empty() {
            return there;
        }
        for (question, found) in found {
            let answer = match found {
                Seen::Found(records) => Answer::Found { records: records.to_vec(), ttl_s: 60 },
                Seen::Nothing(why) => Answer::Nothing { why, ttl_s: 60 },
                Seen::Failed(failure) => Answer::Failed(failure),
                Seen::Unknown => continue,
            };
            assert!(seen.iter().all(|(other, _)| *other != question), "asked twice: {question:?}");
            seen.push((question.clone(), format!("{found:?}")));
            cache.insert(question, answer, now_ms);
        }
    }
}

/// It is well-formed and echoes what stood in the request.
fn check_answer(message: &[u8], arrival: &Arrival<'_>, bytes: &[u8], status: u16) {
    let read = answer::Answer::read(bytes);
    assert_eq!(read.status, status);
    let mut index = HeaderIndex::new();
    let (Parsed::Sound(request) | Parsed::Faulty(request, _)) = parse(message, &mut index) else {
        panic!("an answer to what is no request");
    };
    echo::check(&request, &read, arrival.source);
}
