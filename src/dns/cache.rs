//! Pure. What DNS has told us: bounded, each entry with its end. Time is an argument.
//!
//! In:    answers, with the time they came.
//! Out:   records in the order they are to be used, or why there are none; questions whose answers are
//!        wanted so often that they should be asked before the answers end.
//! Never: asks, waits, or lets the order of a hash map be seen.
//!
//! An answer past its end is kept for `stale_s` more. It is used when its question was asked again and
//! the servers did not say, and for half a minute after that without asking (RFC 8767 §5).

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    hint::black_box,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ahash::RandomState;
use hashbrown::HashTable;

use super::{
    Answer, Failure, Kind, Lives, Naptr, Nothing, OwnLives, Question, Record, Srv, Upstream,
    ahead::{Slot, touch_lines},
    name_key::NameKey,
    ready::Ready,
    rule::{Rule, rules},
};
use crate::limits::{
    DNS_CACHE_ENTRIES_DEFAULT, DNS_CACHE_ENTRY_BYTES, DNS_FAILURE_TTL_S, DNS_OVERFLOW_TTL_S, DNS_RECORDS_MAX,
    DNS_REFRESHES_WAITING_MAX, DNS_SECOND_CHANCES_MAX, DNS_STALE_RETRY_S,
};

/// Answers by question. Bounded in count, and in memory by [`DNS_CACHE_ENTRY_BYTES`] for each; the oldest
/// goes first, unless it was asked for since.
#[derive(Debug)]
pub struct Cache {
    slots: Vec<Option<Entry>>,
    /// Slots by question.
    index: HashTable<u32>,
    hasher: RandomState,
    free: Vec<u32>,
    /// The slot whose turn to go is next.
    hand: usize,
    bytes: usize,
    entries_max: usize,
    lives: Lives,
    /// Questions to be asked again. Behind cells: a decision only reads, and what it reads is counted.
    refreshes: RefCell<VecDeque<Question>>,
    tallies: Cell<CacheTallies>,
}

/// What look-ups found, counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheTallies {
    /// Records, not past their end.
    pub fresh: u64,
    /// What was past its end, and better than nothing.
    pub stale: u64,
    /// That there is no record.
    pub negative: u64,
    /// That the servers did not say, a moment ago.
    pub failed: u64,
    /// Nothing.
    pub missed: u64,
    /// Questions asked again before the end of their answer, for nobody in particular.
    pub refreshes: u64,
    /// Expressions that were read as they are meant, and not as they are (`^+44`).
    pub mended: u64,
}

/// An answer in the cache.
#[derive(Debug)]
pub(super) struct Entry {
    question: Question,
    pub(super) answer: Answer,
    /// One for each record of a NAPTR answer.
    pub(super) rules: Box<[Option<Rule>]>,
    /// What they make of the number of the question.
    pub(super) ready: Option<Ready>,
    born_ms: u64,
    ends_ms: u64,
    stale_ends_ms: u64,
    bytes: usize,
    /// The servers have just failed to say anything newer: until then, it is used at once when it is stale.
    silent_until_ms: u64,
    /// No refresh before this time: one is under way, or the last one failed.
    no_refresh_before_ms: Cell<u64>,
    /// Asked for since it came: somebody wants it.
    is_wanted: Cell<bool>,
    /// Asked for since the hand passed: passed over once by eviction.
    again: Cell<bool>,
}

/// How an entry may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    /// Past its end, and the servers are known not to say.
    Stale,
    /// Past its end: to be used when the servers do not say in time.
    LastResort,
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::with(DNS_CACHE_ENTRIES_DEFAULT, Lives::default(), &[0; 16])
    }

    /// An empty cache of `entries_max` answers. `lives` is for answers of servers that have none of their own; with a `key` that
    /// strangers do not know, they cannot choose names that all meet in one place.
    #[must_use]
    pub fn with(entries_max: usize, lives: Lives, key: &[u8; 16]) -> Self {
        let (left, right) = key.split_at(8);
        let seed = |half: &[u8]| half.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        Self {
            slots: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::with_seeds(seed(left), seed(right), 0, 0),
            free: Vec::new(),
            hand: 0,
            bytes: 0,
            entries_max,
            lives,
            refreshes: RefCell::default(),
            tallies: Cell::default(),
        }
    }

    /// Keeps an answer until its TTL (clamped) has passed. A failure does not replace an answer that can
    /// still be used.
    ///
    /// Records are put into the order of use, which is the same whatever order they came in: NAPTR
    /// by order and preference (equals as they came), SRV by priority, weight, target and port,
    /// addresses by value. At most [`DNS_RECORDS_MAX`] are kept, the best ones.
    pub fn insert(&mut self, question: Question, answer: Answer, now_ms: u64) {
        let found = self.find(question.name(), question.kind(), question.upstream());
        if let Answer::Failed(why) = &answer
            && let Some(entry) = found.and_then(|slot| self.slots.get_mut(slot)?.as_mut())
            && entry.outlives(*why, now_ms)
        {
            return;
        }
        let entry = self.entry_of(question, answer, now_ms);
        let mended = entry.rules.iter().flatten().filter(|rule| rule.tolerated_plus());
        mended.for_each(|_| self.tally(|tallies| &mut tallies.mended));
        self.bytes = self.bytes.saturating_add(entry.bytes);
        match found.and_then(|slot| self.slots.get_mut(slot)?.as_mut()) {
            Some(old) => {
                self.bytes = self.bytes.saturating_sub(old.bytes);
                *old = entry;
                old.again.set(true);
            }
            None => self.add(entry),
        }
        let bytes_max = self.entries_max.saturating_mul(DNS_CACHE_ENTRY_BYTES);
        while self.len() > self.entries_max || (self.bytes > bytes_max && !self.is_empty()) {
            self.evict();
        }
    }

    /// Forgets the answer to this question; whether there was one.
    pub fn forget(&mut self, question: &Question) -> bool {
        let found = self.find(question.name(), question.kind(), question.upstream());
        if let Some(slot) = found {
            self.remove(slot);
        }
        found.is_some()
    }

    /// Empties the cache into the one returned. What was counted stays.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let empty = Self {
            slots: Vec::new(),
            index: HashTable::new(),
            hasher: self.hasher.clone(),
            free: Vec::new(),
            hand: 0,
            bytes: 0,
            entries_max: self.entries_max,
            lives: self.lives,
            refreshes: RefCell::default(),
            tallies: self.tallies.clone(),
        };
        std::mem::replace(self, empty)
    }

    /// Entries, those past their end included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Memory taken, as the cache counts it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What look-ups found.
    #[must_use]
    pub fn tallies(&self) -> CacheTallies {
        self.tallies.get()
    }

    /// The next question that should be asked again although nobody waits for its answer.
    pub fn next_refresh(&mut self) -> Option<Question> {
        self.refreshes.get_mut().pop_front()
    }

    /// What is kept of a question, whatever its age, and for how many milliseconds more it is fresh.
    #[must_use]
    pub fn peek(&self, question: &Question, now_ms: u64) -> Option<(&Answer, u64)> {
        let slot = self.find(question.name(), question.kind(), question.upstream())?;
        let entry = self.slots.get(slot)?.as_ref().filter(|entry| now_ms < entry.stale_ends_ms)?;
        Some((&entry.answer, entry.ends_ms.saturating_sub(now_ms)))
    }

    /// An answer that can be used. `name` as questions have it.
    pub(super) fn look(
        &self,
        name: &str,
        kind: Kind,
        upstream: Option<&Arc<Upstream>>,
        now_ms: u64,
    ) -> Option<(&Entry, Age)> {
        let slot = self.find(name, kind, upstream)?;
        let entry = self.slots.get(slot)?.as_ref()?;
        Some((entry, entry.age(now_ms)?))
    }

    /// The answer for the name of a number, when it is known what becomes of that. `None` says nothing: then it is to be
    /// looked for by its name. It may be in the slot `guess`.
    pub(super) fn look_ready(
        &self,
        digits: &[u8],
        apex: &str,
        upstream: Option<&Arc<Upstream>>,
        guess: Option<Slot>,
        now_ms: u64,
    ) -> Option<(&Entry, &Ready, Age)> {
        let is_it = |entry: &Entry| entry.is_of_number(digits, apex, upstream);
        let guessed = guess.and_then(|slot| self.entry_at(slot)).filter(|entry| is_it(entry));
        let entry = match guessed {
            Some(entry) => entry,
            None => {
                let key = NameKey::of_number(digits, apex)?;
                self.slots.get(self.find_by(key, Kind::Naptr, upstream, is_it)?)?.as_ref()?
            }
        };
        Some((entry, entry.ready.as_ref()?, entry.age(now_ms)?))
    }

    /// The first slot that may be the one of a key: its entry is not looked at.
    pub(super) fn likely(
        &self,
        key: NameKey<'_>,
        kind: Kind,
        upstream: Option<&Arc<Upstream>>,
    ) -> Option<Slot> {
        self.index.find(hash(&self.hasher, key, kind, upstream), |_| true).copied().map(Slot)
    }

    /// What is in a slot.
    pub(super) fn entry_at(&self, slot: Slot) -> Option<&Entry> {
        self.slots.get(index_of(slot.0))?.as_ref()
    }

    /// Notes that an answer was used.
    pub(super) fn used(&self, entry: &Entry, age: Age, now_ms: u64) {
        self.tally(|tallies| match (&entry.answer, age) {
            (Answer::Found { .. } | Answer::Nothing { .. }, Age::Stale | Age::LastResort) => {
                &mut tallies.stale
            }
            (Answer::Found { .. }, Age::Fresh) => &mut tallies.fresh,
            (Answer::Nothing { .. }, Age::Fresh) => &mut tallies.negative,
            (Answer::Failed(_), _) => &mut tallies.failed,
        });
        entry.again.set(true);
        if entry.wants_refresh(age, now_ms) {
            self.refresh(entry, now_ms);
        }
        entry.is_wanted.set(true);
    }

    pub(super) fn tally(&self, count: impl FnOnce(&mut CacheTallies) -> &mut u64) {
        let mut tallies = self.tallies.get();
        let tally = count(&mut tallies);
        *tally = tally.saturating_add(1);
        self.tallies.set(tallies);
    }

    fn refresh(&self, entry: &Entry, now_ms: u64) {
        let mut refreshes = self.refreshes.borrow_mut();
        if refreshes.len() < DNS_REFRESHES_WAITING_MAX {
            refreshes.push_back(entry.question.clone());
            entry.no_refresh_before_ms.set(now_ms.saturating_add(ms(DNS_STALE_RETRY_S)));
            self.tally(|tallies| &mut tallies.refreshes);
        }
    }

    fn entry_of(&self, question: Question, answer: Answer, now_ms: u64) -> Entry {
        let answer = in_order(question.kind(), answer);
        let own = question.upstream().map_or_else(OwnLives::default, |upstream| upstream.lives());
        let lives = own.over(self.lives);
        let ends_ms = now_ms.saturating_add(ms(life_s(&answer, lives)));
        let stale_ms = if is_failure(&answer) { 0 } else { ms(lives.stale_s) };
        let rules = rules(&answer);
        let ready = Ready::of(question.name(), &answer, &rules);
        let bytes_ready = ready.as_ref().map_or(0, Ready::heap_bytes);
        let bytes = bytes_of(question.name(), &answer, &rules) + bytes_ready;
        Entry {
            question,
            answer,
            rules,
            ready,
            born_ms: now_ms,
            ends_ms,
            stale_ends_ms: ends_ms.saturating_add(stale_ms),
            bytes,
            silent_until_ms: 0,
            no_refresh_before_ms: Cell::new(0),
            is_wanted: Cell::new(false),
            again: Cell::new(false),
        }
    }

    fn find(&self, name: &str, kind: Kind, upstream: Option<&Arc<Upstream>>) -> Option<usize> {
        self.find_by(NameKey::of_name(name), kind, upstream, |entry| entry.is_of(name, kind, upstream))
    }

    fn find_by(
        &self,
        key: NameKey<'_>,
        kind: Kind,
        upstream: Option<&Arc<Upstream>>,
        is_it: impl Fn(&Entry) -> bool,
    ) -> Option<usize> {
        let entry = |slot: &u32| self.slots.get(index_of(*slot)).and_then(Option::as_ref);
        let found =
            self.index.find(hash(&self.hasher, key, kind, upstream), |slot| entry(slot).is_some_and(&is_it));
        found.map(|slot| index_of(*slot))
    }

    fn add(&mut self, entry: Entry) {
        let hash = hash_of(&self.hasher, &entry.question);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
            }
        };
        if let Some(place) = self.slots.get_mut(index_of(slot)) {
            *place = Some(entry);
        }
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, slot, |slot| {
            let question = slots.get(index_of(*slot)).and_then(Option::as_ref).map(|entry| &entry.question);
            question.map_or(0, |question| hash_of(hasher, question))
        });
    }

    /// Takes out the entry whose turn it is. Those asked for since the hand last passed keep their place
    /// once.
    fn evict(&mut self) {
        let mut chances = DNS_SECOND_CHANCES_MAX;
        for _ in 0..self.slots.len() {
            let slot = self.hand;
            self.hand = if slot.saturating_add(1) < self.slots.len() { slot + 1 } else { 0 };
            let Some(entry) = self.slots.get(slot).and_then(Option::as_ref) else { continue };
            if chances > 0 && entry.again.replace(false) {
                chances -= 1;
                continue;
            }
            return self.remove(slot);
        }
    }

    fn remove(&mut self, slot: usize) {
        let Some(entry) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        let hash = hash_of(&self.hasher, &entry.question);
        if let Ok(found) = self.index.find_entry(hash, |other| index_of(*other) == slot) {
            let (number, _) = found.remove();
            self.free.push(number);
        }
        self.bytes = self.bytes.saturating_sub(entry.bytes);
    }
}

impl Entry {
    /// Reads what is looked at of it.
    pub(super) fn touch(&self) {
        black_box((self.question.kind(), self.ends_ms, self.again.get()));
        black_box(self.ready.as_ref().map(Ready::len));
    }

    /// Reads what it leads to.
    pub(super) fn touch_ready(&self) {
        touch_lines(self.question.name().as_bytes());
        if let Some(ready) = &self.ready {
            ready.touch();
        }
    }

    /// Whether it is of the name of a number under an apex, and what becomes of that number is known.
    #[inline]
    fn is_of_number(&self, digits: &[u8], apex: &str, upstream: Option<&Arc<Upstream>>) -> bool {
        let question = &self.question;
        self.ready.as_ref().is_some_and(|ready| ready.is_of(digits))
            && question.name().get(2 * digits.len()..) == Some(apex)
            && question.kind() == Kind::Naptr
            && question.upstream() == upstream
    }

    fn is_of(&self, name: &str, kind: Kind, upstream: Option<&Arc<Upstream>>) -> bool {
        let question = &self.question;
        question.kind() == kind && question.name() == name && question.upstream() == upstream
    }

    fn age(&self, now_ms: u64) -> Option<Age> {
        if now_ms < self.ends_ms {
            return Some(Age::Fresh);
        }
        let age = if now_ms < self.silent_until_ms { Age::Stale } else { Age::LastResort };
        (now_ms < self.stale_ends_ms).then_some(age)
    }

    /// A hot name is asked for again in the last tenth of its answer's life, so that no call waits for it.
    fn wants_refresh(&self, age: Age, now_ms: u64) -> bool {
        let left_ms = self.ends_ms.saturating_sub(now_ms);
        let life_ms = self.ends_ms.saturating_sub(self.born_ms);
        let is_hot = age == Age::Fresh && self.is_wanted.get() && !is_failure(&self.answer);
        is_hot && left_ms < life_ms / 10 && now_ms >= self.no_refresh_before_ms.get()
    }

    /// Whether the entry stays when its question was asked again and failed. For a while, nobody waits for
    /// the servers then (RFC 8767 §5: "no more frequently than every 30 seconds").
    fn outlives(&mut self, why: Failure, now_ms: u64) -> bool {
        let stays = !is_failure(&self.answer) && now_ms < self.stale_ends_ms;
        if stays {
            let silent_s = if why == Failure::Overflow { DNS_OVERFLOW_TTL_S } else { DNS_STALE_RETRY_S };
            self.silent_until_ms = now_ms.saturating_add(ms(silent_s));
        }
        stays
    }
}

fn hash(hasher: &RandomState, name: NameKey<'_>, kind: Kind, upstream: Option<&Arc<Upstream>>) -> u64 {
    hasher.hash_one((name, kind, upstream))
}

fn hash_of(hasher: &RandomState, question: &Question) -> u64 {
    hash(hasher, NameKey::of_name(question.name()), question.kind(), question.upstream())
}

fn index_of(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

fn ms(seconds: u32) -> u64 {
    u64::from(seconds).saturating_mul(1000)
}

/// Sorts the records, leaves out those of another type, and keeps as many as may be.
fn in_order(kind: Kind, answer: Answer) -> Answer {
    let Answer::Found { mut records, ttl_s } = answer else { return answer };
    records.retain(|record| kind_of(record) == kind);
    // Stable: RFC 6116 §5.2 wants equal NAPTRs in the order of the packet.
    records.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    records.truncate(DNS_RECORDS_MAX);
    // What is counted is what is kept: a stranger's answer may have had thousands.
    records.shrink_to_fit();
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
fn life_s(answer: &Answer, lives: Lives) -> u32 {
    match answer {
        Answer::Found { ttl_s, .. } => (*ttl_s).max(lives.ttl_s_min).min(lives.ttl_s_max),
        Answer::Nothing { ttl_s, .. } => (*ttl_s).max(lives.ttl_s_min).min(lives.negative_s_max),
        Answer::Failed(Failure::Overflow) => DNS_OVERFLOW_TTL_S,
        Answer::Failed(_) => DNS_FAILURE_TTL_S,
    }
}

fn is_failure(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed(_))
}

/// What an entry takes, its share of map and queue included.
fn bytes_of(name: &str, answer: &Answer, rules: &[Option<Rule>]) -> usize {
    // The index is at most half empty, and a shared name has two counts before it.
    const SHARE: usize = size_of::<Option<Entry>>() + 2 * (size_of::<u32>() + 1) + 2 * size_of::<usize>();
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
    let of_rules = rules.iter().flatten().map(Rule::heap_bytes).sum::<usize>();
    SHARE + name.len() + of_records + size_of_val(rules) + of_rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dns::{DnsView, Seen},
        limits::{DNS_NEGATIVE_TTL_S_MAX, DNS_STALE_S_DEFAULT, DNS_TTL_S_MAX, DNS_TTL_S_MIN},
    };

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
        DnsView::new(cache, now_ms).look(name, kind, 400)
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
    fn what_becomes_of_a_number_is_found_where_its_name_is() {
        const NAME: &str = "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa.";
        const DIGITS: &[u8] = b"441632960083";
        let upstream = |name: &str| {
            Some(Arc::new(Upstream::new(name, &[([192, 0, 2, 1], 53).into()], OwnLives::default())))
        };
        let (own, other) = (upstream("own"), upstream("other"));
        let sip = |flags: &str| {
            Record::Naptr(Naptr {
                order: 1,
                preference: 1,
                flags: flags.as_bytes().into(),
                services: b"E2U+sip".as_slice().into(),
                regexp: b"!^(.*)$!sip:\\1@a.example!".as_slice().into(),
                replacement: "b.example.".into(),
            })
        };
        let mut cache = Cache::new();
        cache.insert(question(NAME, Kind::Naptr).at(own.as_ref()), found(vec![sip("u")], 60), 0);
        cache.insert(question("4.4.e164.arpa.", Kind::Naptr), found(vec![sip("")], 60), 0);
        for (what, digits, apex, upstream, now_ms, age) in [
            ("fresh", DIGITS, "e164.arpa.", &own, 0, Some(Age::Fresh)),
            ("past its end", DIGITS, "e164.arpa.", &own, 60_000, Some(Age::LastResort)),
            ("of other servers", DIGITS, "e164.arpa.", &other, 0, None),
            ("of the servers of the configuration", DIGITS, "e164.arpa.", &None, 0, None),
            ("of another apex", DIGITS, "e164.example.", &own, 0, None),
            ("of another number", b"441632960084", "e164.arpa.", &own, 0, None),
            ("of a longer number", b"4416329600830", "e164.arpa.", &own, 0, None),
            ("with a record that leads on", b"44", "e164.arpa.", &None, 0, None),
        ] {
            let ready = cache.look_ready(digits, apex, upstream.as_ref(), None, now_ms);
            assert_eq!(ready.map(|(_, _, age)| age), age, "{what}");
            // A guess is proved: a wrong one changes nothing.
            for slot in [0, 1, 2, u32::MAX] {
                let near = cache.look_ready(digits, apex, upstream.as_ref(), Some(Slot(slot)), now_ms);
                let entry = |(entry, _, age)| (std::ptr::from_ref::<Entry>(entry), age);
                assert_eq!(near.map(entry), ready.map(entry), "{what}, {slot}");
            }
            if let Some((entry, _, age)) = ready {
                let by_name = cache.look(NAME, Kind::Naptr, upstream.as_ref(), now_ms);
                let by_name = by_name.map(|(entry, age)| (std::ptr::from_ref(entry), age));
                assert_eq!(by_name, Some((std::ptr::from_ref(entry), age)), "{what}");
            }
        }
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
        let view = DnsView::giving_up(&cache, 0);
        assert_eq!(view.look("a.example.", Kind::A, 400), Seen::Found(&[a(1)]));
        assert_eq!(view.look("b.example.", Kind::A, 400), Seen::Failed(Failure::Timeout));
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
        for i in 0..DNS_CACHE_ENTRIES_DEFAULT {
            cache.insert(question(&name(i), Kind::A), found(vec![a(1)], 60), 0);
        }
        // Asked for again: it outlives the ones after it.
        cache.insert(question(&name(0), Kind::A), found(vec![a(2)], 60), 0);
        assert_eq!(cache.len(), DNS_CACHE_ENTRIES_DEFAULT);
        cache.insert(question("new.example", Kind::A), found(vec![a(3)], 60), 0);
        assert_eq!(cache.len(), DNS_CACHE_ENTRIES_DEFAULT);
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
            for i in 0..DNS_CACHE_ENTRIES_DEFAULT {
                cache.insert(question(&name(i), Kind::A), found(vec![a(1)], 60), 0);
            }
        }
        cache.insert(question("new.example", Kind::A), found(vec![a(3)], 60), 0);
        assert_eq!(look(&cache, &name(DNS_SECOND_CHANCES_MAX - 1), Kind::A, 0), Seen::Found(&[a(1)]));
        assert_eq!(look(&cache, &name(DNS_SECOND_CHANCES_MAX), Kind::A, 0), Seen::Unknown);
    }

    fn sip_naptr(regexp: &str) -> Record {
        Record::Naptr(Naptr {
            order: 1,
            preference: 1,
            flags: b"u"[..].into(),
            services: b"E2U+sip"[..].into(),
            regexp: regexp.as_bytes().into(),
            replacement: ".".into(),
        })
    }

    #[test]
    fn compiled_expressions_count_as_memory() {
        let bytes = |regexp: &str| {
            let naptr = sip_naptr(regexp);
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
        assert!(
            cache.bytes() <= DNS_CACHE_ENTRIES_DEFAULT * DNS_CACHE_ENTRY_BYTES
                && inserted < DNS_CACHE_ENTRIES_DEFAULT
        );
        for i in 0..inserted {
            let name = question(&format!("n{i}.example"), Kind::Naptr);
            cache.insert(name, Answer::Nothing { why: Nothing::NoData, ttl_s: 60 }, 0);
        }
        assert_eq!(cache.len(), inserted);
        assert!(cache.bytes() < inserted * 1024);
    }

    const S: u64 = 1000;

    #[test]
    fn an_answer_past_its_end_is_better_than_none_and_worse_than_waiting() {
        let mut cache = Cache::new();
        cache.insert(question("a.example", Kind::A), found(vec![a(1)], 60), 0);
        fn late(cache: &Cache, now_ms: u64) -> Seen<'_> {
            DnsView::giving_up(cache, now_ms).look("a.example", Kind::A, 400)
        }
        assert_eq!(look(&cache, "a.example", Kind::A, 60 * S), Seen::Unknown);
        assert_eq!(late(&cache, 60 * S), Seen::Found(&[a(1)]));
        // That we asked too much is known for a moment only.
        cache.insert(question("a.example", Kind::A), Answer::Failed(Failure::Overflow), 60 * S);
        let overflow_end_ms = (60 + u64::from(DNS_OVERFLOW_TTL_S)) * S;
        assert_eq!(look(&cache, "a.example", Kind::A, overflow_end_ms - 1), Seen::Found(&[a(1)]));
        assert_eq!(look(&cache, "a.example", Kind::A, overflow_end_ms), Seen::Unknown);
        // The servers do not say: for a while nobody waits for them.
        cache.insert(question("a.example", Kind::A), Answer::Failed(Failure::Timeout), 61 * S);
        let end_ms = (60 + u64::from(DNS_STALE_S_DEFAULT)) * S;
        assert_eq!(look(&cache, "a.example", Kind::A, 61 * S), Seen::Found(&[a(1)]));
        let retry_ms = (61 + u64::from(DNS_STALE_RETRY_S)) * S;
        assert_eq!(look(&cache, "a.example", Kind::A, retry_ms - 1), Seen::Found(&[a(1)]));
        assert_eq!(look(&cache, "a.example", Kind::A, retry_ms), Seen::Unknown);
        assert_eq!(late(&cache, end_ms - 1), Seen::Found(&[a(1)]));
        assert_eq!(late(&cache, end_ms), Seen::Failed(Failure::Timeout));
        assert_eq!(cache.tallies(), CacheTallies { stale: 5, missed: 3, ..CacheTallies::default() });
    }

    #[test]
    fn no_record_is_an_answer_too_and_a_failure_is_none() {
        let mut cache = Cache::new();
        let failed = || Answer::Failed(Failure::ServFail);
        cache.insert(
            question("n.example", Kind::A),
            Answer::Nothing { why: Nothing::NxDomain, ttl_s: 60 },
            0,
        );
        cache.insert(question("n.example", Kind::A), failed(), 61 * S);
        assert_eq!(look(&cache, "n.example", Kind::A, 61 * S), Seen::Nothing(Nothing::NxDomain));
        cache.insert(question("f.example", Kind::A), failed(), 0);
        let end_ms = u64::from(DNS_FAILURE_TTL_S) * S;
        assert_eq!(
            DnsView::giving_up(&cache, end_ms).look("f.example", Kind::A, 400),
            Seen::Failed(Failure::Timeout)
        );
    }

    #[test]
    fn an_answer_keeps_no_more_memory_than_its_records() {
        let mut many = Vec::with_capacity(4096);
        many.push(a(1));
        let answer = in_order(Kind::A, Answer::Found { records: many, ttl_s: 60 });
        let Answer::Found { records, .. } = answer else { panic!("records") };
        assert_eq!(records.capacity(), 1);
    }

    #[test]
    fn what_is_wanted_often_is_asked_for_before_its_end() {
        let mut cache = Cache::new();
        for name in ["hot.example", "cold.example"] {
            cache.insert(question(name, Kind::A), found(vec![a(1)], 100), 0);
        }
        let _ = look(&cache, "hot.example", Kind::A, 50 * S);
        let _ = look(&cache, "hot.example", Kind::A, 90 * S);
        assert_eq!(cache.next_refresh(), None);
        let _ = look(&cache, "hot.example", Kind::A, 90 * S + 1);
        // For the first time: perhaps nobody asks again.
        let _ = look(&cache, "cold.example", Kind::A, 95 * S);
        assert_eq!(cache.next_refresh(), Some(question("hot.example", Kind::A)));
        let _ = look(&cache, "hot.example", Kind::A, 99 * S);
        assert_eq!(cache.next_refresh(), None, "one is under way");
        // It fails before the end: nobody waits at the end.
        cache.insert(question("hot.example", Kind::A), Answer::Failed(Failure::Timeout), 99 * S);
        assert_eq!(look(&cache, "hot.example", Kind::A, 101 * S), Seen::Found(&[a(1)]));
    }

    #[test]
    fn no_more_questions_wait_for_nobody_than_may() {
        let mut cache = Cache::new();
        let name = |i: usize| format!("n{i}.example");
        for i in 0..=DNS_REFRESHES_WAITING_MAX {
            cache.insert(question(&name(i), Kind::A), found(vec![a(1)], 100), 0);
            let _ = look(&cache, &name(i), Kind::A, 0);
        }
        for i in 0..=DNS_REFRESHES_WAITING_MAX {
            let _ = look(&cache, &name(i), Kind::A, 95 * S);
        }
        assert_eq!(std::iter::from_fn(|| cache.next_refresh()).count(), DNS_REFRESHES_WAITING_MAX);
        let _ = look(&cache, &name(DNS_REFRESHES_WAITING_MAX), Kind::A, 96 * S);
        assert_eq!(cache.next_refresh(), Some(question(&name(DNS_REFRESHES_WAITING_MAX), Kind::A)));
    }

    #[test]
    fn servers_of_their_own_have_answers_and_lives_of_their_own() {
        let upstream =
            |port: u16, lives| Some(Arc::new(Upstream::new("x", &[([192, 0, 2, 1], port).into()], lives)));
        let short =
            OwnLives { ttl_s_min: Some(1), ttl_s_max: Some(3), negative_s_max: Some(2), stale_s: Some(0) };
        let usual = OwnLives::default();
        let (one, other) = (upstream(53, short), upstream(5353, usual));
        let mut cache = Cache::new();
        let nothing = || Answer::Nothing { why: Nothing::NoData, ttl_s: 900 };
        for (upstream, last) in [(&None, 1), (&one, 2), (&other, 3)] {
            cache.insert(question("a.example", Kind::A).at(upstream.as_ref()), found(vec![a(last)], 900), 0);
            cache.insert(question("n.example", Kind::A).at(upstream.as_ref()), nothing(), 0);
        }
        assert_eq!(cache.len(), 6);
        let seen = |upstream: &Option<Arc<Upstream>>, name, now_ms| {
            let entry = cache.look(name, Kind::A, upstream.as_ref(), now_ms);
            entry.map(|(entry, _)| entry.answer.clone())
        };
        for (upstream, last, now_ms) in [(&None, 1, 899 * S), (&one, 2, 3 * S - 1), (&other, 3, 899 * S)] {
            assert_eq!(seen(upstream, "a.example.", now_ms), Some(found(vec![a(last)], 900)));
        }
        assert_eq!(seen(&one, "a.example.", 3 * S), None);
        assert_eq!(seen(&one, "n.example.", 2 * S - 1), Some(nothing()));
        assert_eq!(seen(&one, "n.example.", 2 * S), None);
        // An equal upstream of a newer table finds the same answers.
        assert!(seen(&upstream(53, short), "a.example.", 0).is_some());
    }

    #[test]
    fn what_is_forgotten_is_asked_for_again_and_stays_counted() {
        let mut cache = Cache::with(2, Lives::default(), &[1; 16]);
        for name in ["a.example", "b.example"] {
            cache.insert(question(name, Kind::A), found(vec![a(1)], 60), 0);
        }
        assert!(cache.forget(&question("A.example.", Kind::A)));
        assert!(
            !cache.forget(&question("a.example", Kind::A))
                && !cache.forget(&question("b.example", Kind::Srv))
        );
        assert_eq!((cache.len(), look(&cache, "a.example", Kind::A, 0)), (1, Seen::Unknown));
        assert_eq!(look(&cache, "b.example", Kind::A, 0), Seen::Found(&[a(1)]));
        let tallies = cache.tallies();

        let all = cache.take();
        assert_eq!((all.len(), cache.len(), cache.bytes()), (1, 0, 0));
        assert_eq!(cache.tallies(), tallies);
        // It is as large as before.
        for name in ["a.example", "b.example", "c.example"] {
            cache.insert(question(name, Kind::A), found(vec![a(2)], 60), 0);
        }
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn peeking_shows_what_is_kept_and_for_how_long() {
        let mut cache = Cache::new();
        cache.insert(question("a.example", Kind::A), found(vec![a(1)], 60), 0);
        let peeked = |now_ms| cache.peek(&question("a.example", Kind::A), now_ms).map(|(_, left_ms)| left_ms);
        assert_eq!([peeked(0), peeked(61 * S), peeked(u64::MAX)], [Some(60 * S), Some(0), None]);
        assert_eq!(cache.peek(&question("b.example", Kind::A), 0), None);
    }

    #[test]
    fn expressions_that_are_mended_are_counted() {
        let mut cache = Cache::new();
        let records = ["!^+44(.*)$!sip:a@b!", r"!^\+44(.*)$!sip:a@b!", "!^+44(1|2)!sip:a@b!"].map(sip_naptr);
        cache.insert(question("n.example", Kind::Naptr), found(records.to_vec(), 60), 0);
        assert_eq!(cache.tallies().mended, 2);
    }

    #[test]
    fn a_cache_keeps_as_many_answers_as_it_was_made_for() {
        let mut cache = Cache::with(2, Lives::default(), &[7; 16]);
        for name in ["a.example", "b.example", "c.example"] {
            cache.insert(question(name, Kind::A), found(vec![a(1)], 60), 0);
        }
        assert_eq!(cache.len(), 2);
        assert_eq!(look(&cache, "a.example", Kind::A, 0), Seen::Unknown);
        assert_eq!(look(&cache, "c.example", Kind::A, 0), Seen::Found(&[a(1)]));
    }
}
