//! Pure. What DNS has told us: bounded, each entry with its end. Time is an argument.
//!
//! In:    answers, with the time they came.
//! Out:   records in the order they are to be used, or why there are none.
//! Never: asks, waits, or lets the order of a hash map be seen.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ahash::AHashMap;

use super::{
    Answer, Failure, Kind, Naptr, Nothing, Question, Record, Srv,
    question::LowerName,
    substitution::{Expression, expressions},
};
use crate::limits::{
    DNS_CACHE_BYTES_MAX, DNS_CACHE_ENTRIES_MAX, DNS_FAILURE_TTL_S, DNS_NEGATIVE_TTL_S_MAX,
    DNS_OVERFLOW_TTL_S, DNS_RECORDS_MAX, DNS_SECOND_CHANCES_MAX, DNS_TTL_S_MAX, DNS_TTL_S_MIN,
};

/// Answers by question. Bounded by [`crate::limits::DNS_CACHE_ENTRIES_MAX`] and
/// [`crate::limits::DNS_CACHE_BYTES_MAX`]; the oldest goes first, unless it was asked for again.
#[derive(Debug, Default)]
pub struct Cache {
    /// One map for each [`Kind`], so that a name alone is the key and can be borrowed.
    entries: [Map; 4],
    /// Every entry once, the next to go first.
    queue: VecDeque<(Kind, Arc<str>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    answer: Answer,
    /// One for each record of a NAPTR answer.
    expressions: Box<[Option<Expression>]>,
    ends_ms: u64,
    bytes: usize,
    /// Answered a second time, after its end: somebody wants it. Passed over once by eviction.
    again: bool,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps an answer until its TTL (clamped) has passed.
    ///
    /// Records are put into the order of use, which is the same whatever order they came in: NAPTR
    /// by order and preference (equals as they came), SRV by priority, weight, target and port,
    /// addresses by value. At most [`crate::limits::DNS_RECORDS_MAX`] are kept, the best ones.
    pub fn insert(&mut self, question: Question, answer: Answer, now_ms: u64) {
        let answer = in_order(question.kind(), answer);
        let ends_ms = now_ms.saturating_add(u64::from(life_s(&answer)) * 1000);
        let expressions = expressions(&answer);
        let bytes = bytes_of(question.name(), &answer, &expressions);
        let map = map_of_mut(&mut self.entries, question.kind());
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(entry) = map.get_mut(question.name()) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            *entry = Entry { answer, expressions, ends_ms, bytes, again: true };
        } else {
            let name: Arc<str> = question.name().into();
            map.insert(name.clone(), Entry { answer, expressions, ends_ms, bytes, again: false });
            self.queue.push_back((question.kind(), name));
        }
        while self.queue.len() > DNS_CACHE_ENTRIES_MAX || self.bytes > DNS_CACHE_BYTES_MAX {
            self.evict();
        }
    }

    /// Entries, those past their end included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Memory taken, as the cache counts it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn evict(&mut self) {
        for chance in 0..=DNS_SECOND_CHANCES_MAX {
            let Some((kind, name)) = self.queue.pop_front() else { return };
            let map = map_of_mut(&mut self.entries, kind);
            match map.get_mut(&name) {
                Some(entry) if entry.again && chance < DNS_SECOND_CHANCES_MAX => {
                    entry.again = false;
                    self.queue.push_back((kind, name));
                }
                _ => {
                    let gone = map.remove(&name).map_or(0, |entry| entry.bytes);
                    self.bytes = self.bytes.saturating_sub(gone);
                    return;
                }
            }
        }
    }
}

type Map = AHashMap<Arc<str>, Entry>;

fn map_of([naptr, srv, a, aaaa]: &[Map; 4], kind: Kind) -> &Map {
    match kind {
        Kind::Naptr => naptr,
        Kind::Srv => srv,
        Kind::A => a,
        Kind::Aaaa => aaaa,
    }
}

fn map_of_mut([naptr, srv, a, aaaa]: &mut [Map; 4], kind: Kind) -> &mut Map {
    match kind {
        Kind::Naptr => naptr,
        Kind::Srv => srv,
        Kind::A => a,
        Kind::Aaaa => aaaa,
    }
}

/// Sorts the records, leaves out those of another type, and keeps as many as may be.
fn in_order(kind: Kind, answer: Answer) -> Answer {
    let Answer::Found { mut records, ttl_s } = answer else { return answer };
    records.retain(|record| kind_of(record) == kind);
    // Stable: RFC 6116 §5.2 wants equal NAPTRs in the order of the packet.
    records.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    records.truncate(DNS_RECORDS_MAX);
    match records.is_empty() {
        true => Answer::Nothing { why: Nothing::NoData, ttl_s },
        false => Answer::Found { records, ttl_s },
    }
}

fn kind_of(record: &Record) -> Kind {
    match record {
        Record::Naptr(_) => Kind::Naptr,
        Record::Srv(_) => Kind::Srv,
        Record::A(_) => Kind::A,
        Record::Aaaa(_) => Kind::Aaaa,
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey<'a> {
    Naptr(u16, u16),
    Srv(u16, u16, &'a str, u16),
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
}

fn sort_key(record: &Record) -> SortKey<'_> {
    match record {
        Record::Naptr(Naptr { order, preference, .. }) => SortKey::Naptr(*order, *preference),
        Record::Srv(Srv { priority, weight, port, target }) => {
            SortKey::Srv(*priority, *weight, target, *port)
        }
        Record::A(address) => SortKey::A(*address),
        Record::Aaaa(address) => SortKey::Aaaa(*address),
    }
}

/// How long an answer is kept.
fn life_s(answer: &Answer) -> u32 {
    match answer {
        Answer::Found { ttl_s, .. } => (*ttl_s).clamp(DNS_TTL_S_MIN, DNS_TTL_S_MAX),
        Answer::Nothing { ttl_s, .. } => (*ttl_s).clamp(DNS_TTL_S_MIN, DNS_NEGATIVE_TTL_S_MAX),
        Answer::Failed(Failure::Overflow) => DNS_OVERFLOW_TTL_S,
        Answer::Failed(_) => DNS_FAILURE_TTL_S,
    }
}

/// What an entry takes, its share of map and queue included.
fn bytes_of(name: &str, answer: &Answer, expressions: &[Option<Expression>]) -> usize {
    const SHARE: usize = 2 * size_of::<Entry>() + 4 * size_of::<Arc<str>>();
    let records = match answer {
        Answer::Found { records, .. } => records.as_slice(),
        Answer::Nothing { .. } | Answer::Failed(_) => &[],
    };
    let of_record = |record: &Record| match record {
        Record::Naptr(naptr) => {
            naptr.flags.len() + naptr.services.len() + naptr.regexp.len() + naptr.replacement.len()
        }
        Record::Srv(srv) => srv.target.len(),
        Record::A(_) | Record::Aaaa(_) => 0,
    };
    let of_records = records.iter().map(|record| size_of::<Record>() + of_record(record)).sum::<usize>();
    let of_expressions = expressions.iter().flatten().map(Expression::heap_bytes).sum::<usize>();
    SHARE + name.len() + of_records + size_of_val(expressions) + of_expressions
}

/// What a question finds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Seen<'a> {
    Found(&'a [Record]),
    Nothing(Nothing),
    Failed(Failure),
    Unknown,
}

/// The cache as a decision sees it: read-only, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct DnsView<'a> {
    /// The answers.
    pub cache: &'a Cache,
    /// Milliseconds on the engine's clock.
    pub now_ms: u64,
    /// The time for lookups is over: what is unknown counts as [`Failure::Timeout`].
    pub give_up: bool,
}

impl<'a> DnsView<'a> {
    /// Looks a question up. `name` is fully qualified, with or without its final dot, in any case. A
    /// name that no question can be made of is [`Failure::Malformed`], never unknown.
    #[must_use]
    pub fn look(&self, name: &str, kind: Kind) -> Seen<'a> {
        let Some(lower) = LowerName::new(name) else { return Seen::Failed(Failure::Malformed) };
        match self.entry(&lower, kind).map(|entry| &entry.answer) {
            Some(Answer::Found { records, .. }) => Seen::Found(records),
            Some(Answer::Nothing { why, .. }) => Seen::Nothing(*why),
            Some(Answer::Failed(failure)) => Seen::Failed(*failure),
            None if Question::new(name, kind).is_none() => Seen::Failed(Failure::Malformed),
            None if self.give_up => Seen::Failed(Failure::Timeout),
            None => Seen::Unknown,
        }
    }

    /// The expressions of a name's NAPTR records, one for each that [`DnsView::look`] finds.
    pub(super) fn expressions(&self, name: &str) -> &'a [Option<Expression>] {
        let entry = LowerName::new(name).and_then(|lower| self.entry(&lower, Kind::Naptr));
        entry.map_or(&[], |entry| &entry.expressions)
    }

    /// An answer that is not past its end.
    fn entry(&self, name: &LowerName, kind: Kind) -> Option<&'a Entry> {
        map_of(&self.cache.entries, kind).get(name.as_str()).filter(|entry| self.now_ms < entry.ends_ms)
    }

    /// What a question finds, or the question itself: never [`Seen::Unknown`].
    pub(super) fn look_or_ask(&self, name: &str, kind: Kind) -> Result<Seen<'a>, Question> {
        match self.look(name, kind) {
            Seen::Unknown => Question::new(name, kind).map_or(Ok(Seen::Failed(Failure::Malformed)), Err),
            seen => Ok(seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: Kind) -> Question {
        Question::new(name, kind).unwrap()
    }

    fn a(last: u8) -> Record {
        Record::A(Ipv4Addr::new(192, 0, 2, last))
    }

    fn found(records: Vec<Record>, ttl_s: u32) -> Answer {
        Answer::Found { records, ttl_s }
    }

    fn look<'a>(cache: &'a Cache, name: &str, kind: Kind, now_ms: u64) -> Seen<'a> {
        DnsView { cache, now_ms, give_up: false }.look(name, kind)
    }

    /// Whether an answer is still there one millisecond before, and no longer at, `life_s`.
    fn lives(answer: Answer, life_s: u32) {
        let mut cache = Cache::new();
        cache.insert(question("a.example", Kind::A), answer.clone(), 7);
        let end_ms = 7 + u64::from(life_s) * 1000;
        assert_ne!(look(&cache, "a.example", Kind::A, end_ms - 1), Seen::Unknown, "{answer:?}");
        assert_eq!(look(&cache, "a.example", Kind::A, end_ms), Seen::Unknown, "{answer:?}");
    }

    #[test]
    fn a_name_is_found_in_any_case_by_its_type() {
        let mut cache = Cache::new();
        cache.insert(question("Sbc1.Example.NET", Kind::A), found(vec![a(1)], 60), 0);
        for name in ["sbc1.example.net.", "SBC1.EXAMPLE.NET.", "sbc1.example.net"] {
            assert_eq!(look(&cache, name, Kind::A, 0), Seen::Found(&[a(1)]), "{name}");
        }
        assert_eq!(look(&cache, "sbc1.example.net.", Kind::Aaaa, 0), Seen::Unknown);
        assert_eq!(look(&cache, "sbc2.example.net.", Kind::A, 0), Seen::Unknown);
    }

    #[test]
    fn lives_are_clamped() {
        lives(found(vec![a(1)], 0), DNS_TTL_S_MIN);
        lives(found(vec![a(1)], DNS_TTL_S_MIN + 1), DNS_TTL_S_MIN + 1);
        lives(found(vec![a(1)], u32::MAX), DNS_TTL_S_MAX);
        lives(Answer::Nothing { why: Nothing::NxDomain, ttl_s: 0 }, DNS_TTL_S_MIN);
        lives(Answer::Nothing { why: Nothing::NoData, ttl_s: 100 }, 100);
        lives(Answer::Nothing { why: Nothing::NoData, ttl_s: 86_400 }, DNS_NEGATIVE_TTL_S_MAX);
        lives(Answer::Failed(Failure::ServFail), DNS_FAILURE_TTL_S);
        lives(Answer::Failed(Failure::Overflow), DNS_OVERFLOW_TTL_S);
    }

    #[test]
    fn time_at_its_end_does_not_overflow() {
        let mut cache = Cache::new();
        cache.insert(question("a.example", Kind::A), found(vec![a(1)], 60), u64::MAX - 1);
        assert_ne!(look(&cache, "a.example", Kind::A, u64::MAX - 1), Seen::Unknown);
    }

    #[test]
    fn giving_up_makes_the_unknown_a_timeout_and_leaves_the_known() {
        let mut cache = Cache::new();
        cache.insert(question("a.example", Kind::A), found(vec![a(1)], 60), 0);
        let view = DnsView { cache: &cache, now_ms: 0, give_up: true };
        assert_eq!(view.look("a.example.", Kind::A), Seen::Found(&[a(1)]));
        assert_eq!(view.look("b.example.", Kind::A), Seen::Failed(Failure::Timeout));
    }

    #[test]
    fn a_name_that_cannot_be_asked_for_is_never_unknown() {
        let cache = Cache::new();
        for name in ["", ".", "a..b", "ä.example", &"a.".repeat(200), &"a".repeat(64)] {
            assert_eq!(look(&cache, name, Kind::A, 0), Seen::Failed(Failure::Malformed), "{name:?}");
        }
    }

    #[test]
    fn records_come_in_the_order_of_use() {
        let naptr = |order, preference, regexp: &str| {
            Record::Naptr(Naptr {
                order,
                preference,
                flags: Box::default(),
                services: Box::default(),
                regexp: regexp.as_bytes().into(),
                replacement: ".".into(),
            })
        };
        let srv = |priority, weight, target: &str| {
            Record::Srv(Srv { priority, weight, port: 5060, target: target.into() })
        };
        let mut cache = Cache::new();
        let mixed = vec![naptr(20, 1, "d"), naptr(10, 9, "b"), naptr(10, 9, "c"), a(1), naptr(10, 1, "a")];
        cache.insert(question("n.example", Kind::Naptr), found(mixed, 60), 0);
        let sorted = [naptr(10, 1, "a"), naptr(10, 9, "b"), naptr(10, 9, "c"), naptr(20, 1, "d")];
        assert_eq!(look(&cache, "n.example", Kind::Naptr, 0), Seen::Found(&sorted));
        let mixed = vec![srv(2, 0, "a."), srv(1, 5, "c."), srv(1, 5, "b."), srv(1, 0, "d.")];
        cache.insert(question("s.example", Kind::Srv), found(mixed, 60), 0);
        let sorted = [srv(1, 0, "d."), srv(1, 5, "b."), srv(1, 5, "c."), srv(2, 0, "a.")];
        assert_eq!(look(&cache, "s.example", Kind::Srv, 0), Seen::Found(&sorted));
    }

    #[test]
    fn an_answer_without_a_record_of_its_type_is_no_data() {
        let mut cache = Cache::new();
        cache.insert(question("n.example", Kind::Naptr), found(vec![a(1)], 60), 0);
        assert_eq!(look(&cache, "n.example", Kind::Naptr, 0), Seen::Nothing(Nothing::NoData));
    }

    #[test]
    fn an_answer_keeps_its_best_records_up_to_the_limit() {
        let mut cache = Cache::new();
        let many = (0..=DNS_RECORDS_MAX).rev().map(|last| a(last as u8)).collect();
        cache.insert(question("a.example", Kind::A), found(many, 60), 0);
        let Seen::Found(records) = look(&cache, "a.example", Kind::A, 0) else { panic!() };
        assert_eq!(records.len(), DNS_RECORDS_MAX);
        assert_eq!(records.first(), Some(&a(0)));
    }

    #[test]
    fn the_oldest_entry_makes_room_for_the_newest() {
        let mut cache = Cache::new();
        let name = |i: usize| format!("n{i}.example");
        for i in 0..DNS_CACHE_ENTRIES_MAX {
            cache.insert(question(&name(i), Kind::A), found(vec![a(1)], 60), 0);
        }
        // Asked for again: it outlives the ones after it.
        cache.insert(question(&name(0), Kind::A), found(vec![a(2)], 60), 0);
        assert_eq!(cache.len(), DNS_CACHE_ENTRIES_MAX);
        cache.insert(question("new.example", Kind::A), found(vec![a(3)], 60), 0);
        assert_eq!(cache.len(), DNS_CACHE_ENTRIES_MAX);
        assert_eq!(look(&cache, &name(0), Kind::A, 0), Seen::Found(&[a(2)]));
        assert_eq!(look(&cache, &name(1), Kind::A, 0), Seen::Unknown);
        assert_eq!(look(&cache, &name(2), Kind::A, 0), Seen::Found(&[a(1)]));
        assert_eq!(look(&cache, "new.example", Kind::A, 0), Seen::Found(&[a(3)]));
    }

    #[test]
    fn one_eviction_passes_over_a_bounded_number_of_entries() {
        let mut cache = Cache::new();
        let name = |i: usize| format!("n{i}.example");
        for _ in 0..2 {
            for i in 0..DNS_CACHE_ENTRIES_MAX {
                cache.insert(question(&name(i), Kind::A), found(vec![a(1)], 60), 0);
            }
        }
        cache.insert(question("new.example", Kind::A), found(vec![a(3)], 60), 0);
        assert_eq!(look(&cache, &name(DNS_SECOND_CHANCES_MAX - 1), Kind::A, 0), Seen::Found(&[a(1)]));
        assert_eq!(look(&cache, &name(DNS_SECOND_CHANCES_MAX), Kind::A, 0), Seen::Unknown);
    }

    #[test]
    fn compiled_expressions_count_as_memory() {
        let bytes = |regexp: &str| {
            let naptr = Record::Naptr(Naptr {
                order: 1,
                preference: 1,
                flags: b"u"[..].into(),
                services: b"E2U+sip"[..].into(),
                regexp: regexp.as_bytes().into(),
                replacement: ".".into(),
            });
            let mut cache = Cache::new();
            cache.insert(question("n.example", Kind::Naptr), found(vec![naptr], 60), 0);
            cache.bytes()
        };
        let digits = format!("!^{}$!sip:a@b!", "4".repeat(64) + "?");
        let plain = format!("!^(.*)$!sip:{}@b!", "a".repeat(63));
        assert!(bytes(&digits) > bytes(&plain) + 64 * size_of::<u128>());
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let mut cache = Cache::new();
        let naptr = Record::Naptr(Naptr {
            order: 1,
            preference: 1,
            flags: Box::default(),
            services: vec![b's'; 255].into(),
            regexp: vec![b'r'; 255].into(),
            replacement: ".".into(),
        });
        let full = found(vec![naptr; DNS_RECORDS_MAX], 60);
        let mut inserted = 0;
        while cache.len() == inserted {
            cache.insert(question(&format!("n{inserted}.example"), Kind::Naptr), full.clone(), 0);
            inserted += 1;
        }
        assert!(cache.bytes() <= DNS_CACHE_BYTES_MAX && inserted < DNS_CACHE_ENTRIES_MAX);
        for i in 0..inserted {
            let name = question(&format!("n{i}.example"), Kind::Naptr);
            cache.insert(name, Answer::Failed(Failure::Timeout), 0);
        }
        assert_eq!(cache.len(), inserted);
        assert!(cache.bytes() < inserted * 1024);
    }
}
