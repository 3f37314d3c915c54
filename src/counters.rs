//! Deterministic. What a loop counts and the control thread reads: plain numbers, one writer each.
//!
//! A counter here is one relaxed load and one relaxed store; nothing is locked or hashed per packet.
//! Each worker has its own; what is read is their sum. [`crate::control`] gives them their metric names.
//!
//! In:    what a loop did.
//! Out:   sums, with the label that each has.
//! Never: blocks, allocates while counting, holds a number or an address of a caller.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

mod connections;
mod dns;
mod overload;

pub use connections::{ConnectionEnd, ConnectionRefusal};
pub use dns::Waits;

use self::{connections::ConnectionCounters, dns::DnsCounters, overload::OverloadCounters};
use crate::{
    decide::{Capped, Silence},
    dns::{Answer, Kind},
    engine::Outcome,
    overload::Tallies,
    route::Transport,
    sip::{Fault, Method},
};

/// Why a system call on a socket failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SocketTrouble {
    Receive,
    Send,
    SendWouldBlock,
    Truncated,
    Accept,
    ConnectionGone,
}

impl SocketTrouble {
    /// Every trouble, in the order of the metrics.
    pub const ALL: [Self; 6] = [
        Self::Receive,
        Self::Send,
        Self::SendWouldBlock,
        Self::Truncated,
        Self::Accept,
        Self::ConnectionGone,
    ];

    /// Value of the metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Send => "send",
            Self::SendWouldBlock => "send_would_block",
            Self::Truncated => "truncated",
            Self::Accept => "accept",
            Self::ConnectionGone => "connection_gone",
        }
    }
}

/// Upper bounds of the decision-time histogram, in nanoseconds. A decision takes 1 to 5 µs; the
/// lower steps tell a change of a tenth, the upper ones a machine that swaps.
pub const DECISION_BOUNDS_NS: [u64; 15] = [
    250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 125_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];

/// The decision times counted so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionTimes {
    /// Decisions no longer than the bound of the same index.
    pub at_most: [u64; DECISION_BOUNDS_NS.len()],
    /// All decisions timed.
    pub count: u64,
    /// Their times together, in nanoseconds.
    pub sum_ns: u64,
}

/// Label of a message whose method could not be read.
const NO_METHOD: &str = "unreadable";
/// Rows of the request counters: the methods and [`NO_METHOD`].
const METHOD_ROWS: usize = Method::ALL.len() + 1;
/// Status codes counted: 100 to 699.
const CODES: usize = 600;
/// All counters of one loop. Two loops' have no cache line in common, nor two that are fetched together.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters {
    requests: [[AtomicU64; Transport::ALL.len()]; METHOD_ROWS],
    answers: [AtomicU64; CODES],
    silences: [AtomicU64; Silence::KINDS],
    faults: [AtomicU64; Fault::ALL.len()],
    contacts_trimmed: AtomicU64,
    contacts_dropped: AtomicU64,
    headers_trimmed: AtomicU64,
    capped: [AtomicU64; Capped::ALL.len()],
    /// By the first bound that is not exceeded; the last is for what exceeds all.
    decisions: [AtomicU64; DECISION_BOUNDS_NS.len() + 1],
    decision_sum_ns: AtomicU64,
    socket_troubles: [AtomicU64; SocketTrouble::ALL.len()],
    /// Messages shown to whoever looks on, and those that were to be.
    tap_shown: AtomicU64,
    tap_dropped: AtomicU64,
    busy_ns: AtomicU64,
    connections: ConnectionCounters,
    dns: DnsCounters,
    overload: OverloadCounters,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            requests: array::from_fn(|_| zeros()),
            answers: zeros(),
            silences: zeros(),
            faults: zeros(),
            contacts_trimmed: AtomicU64::new(0),
            contacts_dropped: AtomicU64::new(0),
            headers_trimmed: AtomicU64::new(0),
            capped: zeros(),
            decisions: zeros(),
            decision_sum_ns: AtomicU64::new(0),
            socket_troubles: zeros(),
            tap_shown: AtomicU64::new(0),
            tap_dropped: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            connections: ConnectionCounters::default(),
            dns: DnsCounters::default(),
            overload: OverloadCounters::default(),
        }
    }
}

/// What the loop calls.
impl Counters {
    /// One message came in.
    pub fn request(&self, method: Option<Method>, transport: Transport) {
        let row = method.and_then(|method| place(&Method::ALL, method)).unwrap_or(Method::ALL.len());
        let column = place(&Transport::ALL, transport);
        add(self.requests.get(row).zip(column).and_then(|(row, column)| row.get(column)), 1);
    }

    /// What became of one message. A datagram that waits for DNS is counted when that is over.
    pub fn outcome(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Send { reply, .. } => {
                add(self.answers.get(usize::from(reply.status).wrapping_sub(100)), 1);
                if let Some(fault) = reply.fault {
                    let index = place(Fault::ALL, fault);
                    add(index.and_then(|index| self.faults.get(index)), 1);
                }
                add(Some(&self.contacts_trimmed), u64::from(reply.contacts_trimmed));
                add(Some(&self.contacts_dropped), u64::from(reply.contacts_dropped));
                add(Some(&self.headers_trimmed), u64::from(reply.headers_trimmed));
                if let Some(capped) = reply.capped {
                    let index = place(&Capped::ALL, capped);
                    add(index.and_then(|index| self.capped.get(index)), 1);
                }
            }
            Outcome::Silence(silence) => {
                add(self.silences.get(silence.index()), 1);
            }
            Outcome::Wait => {}
        }
    }

    /// How long one decision took (the first of each batch is timed).
    pub fn decision_ns(&self, ns: u64) {
        let bucket = DECISION_BOUNDS_NS.partition_point(|bound| *bound < ns);
        add(self.decisions.get(bucket), 1);
        add(Some(&self.decision_sum_ns), ns);
    }

    /// A system call failed; the loop goes on.
    pub fn socket_trouble(&self, trouble: SocketTrouble) {
        let index = place(&SocketTrouble::ALL, trouble);
        add(index.and_then(|index| self.socket_troubles.get(index)), 1);
    }

    /// One message was shown to whoever looks on; or it should have been, and they were behind.
    pub fn tapped(&self, shown: bool) {
        add(Some(if shown { &self.tap_shown } else { &self.tap_dropped }), 1);
    }

    /// How long the loop has not slept so far.
    pub fn set_busy_ns(&self, ns: u64) {
        self.busy_ns.store(ns, Relaxed);
    }

    /// A connection was taken.
    pub fn connection_opened(&self, transport: Transport) {
        self.connections.opened(transport);
    }

    /// A connection was refused.
    pub fn connection_refused(&self, refusal: ConnectionRefusal) {
        self.connections.refused(refusal);
    }

    /// A connection has ended.
    pub fn connection_closed(&self, transport: Transport, end: ConnectionEnd) {
        self.connections.closed(transport, end);
    }

    /// A question was answered, by DNS or, when the resolver has no room for it, by ourselves.
    pub fn dns_answer(&self, kind: Kind, answer: &Answer) {
        self.dns.answer(kind, answer);
    }

    /// What was refused so that the rest was answered, as the engine says at the end of a turn.
    pub fn set_overload(&self, tallies: Tallies) {
        self.overload.set(tallies);
    }

    /// What the engine says at the end of a turn.
    pub fn set_waits(&self, waits: Waits) {
        self.dns.set_waits(waits);
    }
}

/// What the metrics read.
impl Counters {
    /// The counters of several loops in one: sums, of what stands now (messages that wait, entries of the
    /// cache) as well.
    #[must_use]
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let sum = Self::default();
        all.into_iter().for_each(|counters| sum.add_all(counters));
        sum
    }

    fn add_all(&self, other: &Self) {
        // By name, so that no counter is forgotten.
        let Self {
            requests,
            answers,
            silences,
            faults,
            contacts_trimmed,
            contacts_dropped,
            headers_trimmed,
            capped,
            decisions,
            decision_sum_ns,
            socket_troubles,
            tap_shown,
            tap_dropped,
            busy_ns,
            connections,
            dns,
            overload,
        } = other;
        add_each(self.requests.as_flattened(), requests.as_flattened());
        add_each(&self.answers, answers);
        add_each(&self.silences, silences);
        add_each(&self.faults, faults);
        add(Some(&self.contacts_trimmed), contacts_trimmed.load(Relaxed));
        add(Some(&self.contacts_dropped), contacts_dropped.load(Relaxed));
        add(Some(&self.headers_trimmed), headers_trimmed.load(Relaxed));
        add_each(&self.capped, capped);
        add_each(&self.decisions, decisions);
        add(Some(&self.decision_sum_ns), decision_sum_ns.load(Relaxed));
        add_each(&self.socket_troubles, socket_troubles);
        add(Some(&self.tap_shown), tap_shown.load(Relaxed));
        add(Some(&self.tap_dropped), tap_dropped.load(Relaxed));
        add(Some(&self.busy_ns), busy_ns.load(Relaxed));
        self.connections.add_all(connections);
        self.dns.add_all(dns);
        self.overload.add_all(overload);
    }

    /// Messages by method and transport.
    pub fn requests(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        let methods = Method::ALL.iter().map(|method| method.name()).chain([NO_METHOD]);
        self.requests.iter().zip(methods).flat_map(|(row, method)| {
            row.iter()
                .zip(Transport::ALL)
                .map(move |(count, transport)| (method, transport.name(), count.load(Relaxed)))
        })
    }

    /// Answers by status code, 100 to 699.
    pub fn answers(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        (100..).zip(&self.answers).map(|(code, count)| (code, count.load(Relaxed)))
    }

    /// Messages that were not answered, by reason.
    pub fn silences(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let labels = (0..Silence::KINDS).map(Silence::label_of);
        labels.zip(self.silences.iter().map(|count| count.load(Relaxed)))
    }

    /// Requests refused for what they are, by reason.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Fault::ALL.iter().map(|fault| fault.label()).zip(self.faults.iter().map(|count| count.load(Relaxed)))
    }

    /// Contacts left out for the byte budget or the cap.
    #[must_use]
    pub fn contacts_trimmed(&self) -> u64 {
        self.contacts_trimmed.load(Relaxed)
    }

    /// Contacts dropped: ourselves, the Request-URI again, twice the same, no URI after rendering.
    #[must_use]
    pub fn contacts_dropped(&self) -> u64 {
        self.contacts_dropped.load(Relaxed)
    }

    /// Extra headers left out of answers.
    #[must_use]
    pub fn headers_trimmed(&self) -> u64 {
        self.headers_trimmed.load(Relaxed)
    }

    /// Answers that the cap on amplification changed, by how.
    pub fn capped(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Capped::ALL.iter().map(|way| way.label()).zip(self.capped.iter().map(|count| count.load(Relaxed)))
    }

    /// Decision times. The buckets and the count agree; the sum may be a decision ahead.
    #[must_use]
    pub fn decisions(&self) -> DecisionTimes {
        let mut count = 0_u64;
        let mut up_to_here = self.decisions.iter().map(|bucket| {
            count = count.wrapping_add(bucket.load(Relaxed));
            count
        });
        let at_most = array::from_fn(|_| up_to_here.next().unwrap_or_default());
        let over = up_to_here.next();
        let last = at_most.last().copied().unwrap_or_default();
        DecisionTimes { at_most, count: over.unwrap_or(last), sum_ns: self.decision_sum_ns.load(Relaxed) }
    }

    /// Failed system calls on sockets, by kind.
    pub fn socket_troubles(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        SocketTrouble::ALL
            .iter()
            .map(|trouble| trouble.label())
            .zip(self.socket_troubles.iter().map(|count| count.load(Relaxed)))
    }

    /// Messages shown to whoever looks on, and those that were to be and were not.
    #[must_use]
    pub fn taps(&self) -> (u64, u64) {
        (self.tap_shown.load(Relaxed), self.tap_dropped.load(Relaxed))
    }

    /// How long the loop has not slept, in nanoseconds.
    #[must_use]
    pub fn busy_ns(&self) -> u64 {
        self.busy_ns.load(Relaxed)
    }

    /// Connections open now, by transport.
    pub fn connections(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.connections.open()
    }

    /// Connections taken so far, by transport.
    pub fn connections_opened(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.connections.opened_so_far()
    }

    /// Connections that ended so far, by reason.
    pub fn connections_closed(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.connections.ends()
    }

    /// Connections refused so far, by reason.
    pub fn connections_refused(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.connections.refusals()
    }

    /// Answers of DNS by result and type.
    pub fn dns_answers(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        self.dns.answers()
    }

    /// What was refused so that the rest was answered.
    #[must_use]
    pub fn overload(&self) -> Tallies {
        self.overload.tallies()
    }

    /// What the engine last said. Read while it says so again, some numbers may be a turn ahead.
    #[must_use]
    pub fn waits(&self) -> Waits {
        self.dns.waits()
    }
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    array::from_fn(|_| AtomicU64::new(0))
}

/// Where one stands among all.
fn place<T: PartialEq>(all: &[T], one: T) -> Option<usize> {
    all.iter().position(|known| *known == one)
}

/// Adds each of some counters to the one in its place.
fn add_each(sums: &[AtomicU64], counters: &[AtomicU64]) {
    sums.iter().zip(counters).for_each(|(sum, counter)| add(Some(sum), counter.load(Relaxed)));
}

/// One writer: a load and a store do what a locked read-modify-write would, for less.
fn add(counter: Option<&AtomicU64>, by: u64) {
    if let Some(counter) = counter {
        counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, net::SocketAddr};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        decide::Reply,
        dns::{CacheTallies, Failure},
        engine::{self, Path},
        sip::Unanswerable,
    };

    fn sent(status: u16, fault: Option<Fault>) -> Outcome {
        let here = SocketAddr::from(([127, 0, 0, 1], 5060));
        let reply = Reply {
            len: 0,
            to: here,
            status,
            method: Method::Invite,
            route: None,
            access: None,
            fault,
            contacts_trimmed: 2,
            contacts_dropped: 3,
            headers_trimmed: 1,
            capped: Some(Capped::Refused),
        };
        Outcome::Send {
            reply,
            path: Path { source: here, local: here, listener: 0, transport: Transport::Udp },
        }
    }

    #[test]
    fn requests_are_counted_by_method_and_transport() {
        let counters = Counters::default();
        counters.request(Some(Method::Invite), Transport::Udp);
        counters.request(Some(Method::Invite), Transport::Udp);
        counters.request(Some(Method::Other), Transport::Tls);
        counters.request(None, Transport::Tcp);
        let counted: Vec<_> = counters.requests().filter(|(.., count)| *count > 0).collect();
        assert_eq!(counted, [("INVITE", "udp", 2), ("other", "tls", 1), ("unreadable", "tcp", 1)]);
        assert_eq!(counters.requests().count(), 16 * 3);
    }

    #[test]
    fn answers_are_counted_by_code_and_others_by_none() {
        let counters = Counters::default();
        for status in [100, 302, 302, 699, 99, 700, 0, u16::MAX] {
            counters.outcome(&sent(status, None));
        }
        let counted: Vec<_> = counters.answers().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(100, 1), (302, 2), (699, 1)]);
        assert_eq!((counters.contacts_trimmed(), counters.contacts_dropped()), (16, 24));
        assert_eq!(counters.headers_trimmed(), 8);
        assert_eq!(counters.capped().collect::<Vec<_>>(), [("shortened", 0), ("refused", 8)]);
    }

    #[test]
    fn every_fault_has_its_own_place() {
        for fault in Fault::ALL {
            let counters = Counters::default();
            counters.outcome(&sent(400, Some(*fault)));
            let counted: Vec<_> = counters.faults().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(fault.label(), 1)]);
        }
    }

    #[test]
    fn every_silence_has_its_own_place() {
        let unanswerable = Unanswerable::ALL.iter().map(|why| Silence::Unanswerable(*why));
        let others =
            [Silence::Ack, Silence::Cancel, Silence::Route(0), Silence::Route(7), Silence::AnswerTooLong];
        for silence in unanswerable.chain(others) {
            let counters = Counters::default();
            counters.outcome(&Outcome::Silence(silence));
            let counted: Vec<_> = counters.silences().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(Silence::label_of(silence.index()), 1)]);
        }
    }

    #[test]
    fn no_label_is_given_twice() {
        let counters = Counters::default();
        for labels in [
            counters.faults().map(|(label, _)| label).collect::<Vec<_>>(),
            counters.silences().map(|(label, _)| label).collect(),
            counters.socket_troubles().map(|(label, _)| label).collect(),
        ] {
            assert_eq!(labels.len(), labels.iter().collect::<HashSet<_>>().len(), "{labels:?}");
        }
    }

    #[test]
    fn what_waits_is_not_counted_yet() {
        let counters = Counters::default();
        counters.outcome(&Outcome::Wait);
        assert_eq!(counters.answers().map(|(_, count)| count).sum::<u64>(), 0);
        assert_eq!(counters.silences().map(|(_, count)| count).sum::<u64>(), 0);
    }

    #[test]
    fn decision_times_fall_on_their_side_of_each_bound() {
        let counters = Counters::default();
        for ns in [0, 250, 251, 10_000_000, 10_000_001] {
            counters.decision_ns(ns);
        }
        let times = counters.decisions();
        assert_eq!(times.at_most[..2], [2, 3]);
        assert_eq!(times.at_most.last(), Some(&4));
        assert_eq!((times.count, times.sum_ns), (5, 20_000_502));
        assert!(times.at_most.is_sorted());
    }

    /// Counts one thing of any kind.
    fn count(counters: &Counters, (kind, which): (u8, usize)) {
        fn one<T: Copy>(all: &[T], which: usize) -> T {
            all[which % all.len()]
        }
        let transport = one(&[Transport::Tcp, Transport::Tls], which);
        match kind {
            0 => counters.request(Some(one(&Method::ALL, which)), one(&Transport::ALL, which)),
            1 => counters.request(None, one(&Transport::ALL, which)),
            2 => counters.outcome(&sent(100 + which as u16 % 600, Some(one(Fault::ALL, which)))),
            3 => counters.outcome(&Outcome::Silence(Silence::Unanswerable(one(Unanswerable::ALL, which)))),
            4 => counters.decision_ns(which as u64 * 20),
            5 => counters.socket_trouble(one(&SocketTrouble::ALL, which)),
            6 => counters.connection_opened(transport),
            7 => counters.connection_closed(transport, one(&ConnectionEnd::ALL, which)),
            8 => counters.connection_refused(one(&ConnectionRefusal::ALL, which)),
            9 => counters.tapped(which % 2 == 0),
            _ => counters.dns_answer(
                one(&[Kind::Naptr, Kind::Srv, Kind::A, Kind::Aaaa], which),
                &Answer::Failed(one(&[Failure::Timeout, Failure::Refused, Failure::Lame], which)),
            ),
        }
    }

    fn waits(number: u64) -> Waits {
        Waits {
            tallies: engine::Tallies { waited: number, timeouts: 2 * number, ..engine::Tallies::default() },
            cache: CacheTallies { fresh: 3 * number, mended: 4 * number, ..CacheTallies::default() },
            waiting: 5 * number,
            questions: 6 * number,
            cache_entries: 7 * number,
            cache_bytes: 8 * number,
        }
    }

    fn refused(number: u64, level: u64) -> Tallies {
        Tallies { refused: [number, 2 * number, 3 * number], loss_percent: level, age_ms: level }
    }

    proptest! {
        #[test]
        fn the_sum_of_two_counters_is_the_counter_of_both_streams(
            events in proptest::collection::vec((any::<bool>(), (0..11_u8, 0..1_000_000_usize)), 0..200),
            levels in any::<[u32; 2]>(),
        ) {
            let (one, other, both) = (Counters::default(), Counters::default(), Counters::default());
            for (which, event) in events {
                count(if which { &one } else { &other }, event);
                count(&both, event);
            }
            let [level_of_one, level_of_other] = levels.map(u64::from);
            one.set_busy_ns(level_of_one);
            other.set_busy_ns(level_of_other);
            both.set_busy_ns(level_of_one + level_of_other);
            one.set_waits(waits(level_of_one));
            other.set_waits(waits(level_of_other));
            both.set_waits(waits(level_of_one + level_of_other));
            one.set_overload(refused(level_of_one, level_of_one));
            other.set_overload(refused(level_of_other, level_of_other));
            both.set_overload(refused(level_of_one + level_of_other, level_of_one.max(level_of_other)));
            prop_assert_eq!(format!("{:?}", Counters::sum([&one, &other])), format!("{both:?}"));
            prop_assert_eq!(format!("{:?}", Counters::sum([&one])), format!("{one:?}"));
        }
    }

    #[test]
    fn every_trouble_has_its_own_place() {
        let counters = Counters::default();
        for trouble in SocketTrouble::ALL {
            counters.socket_trouble(trouble);
        }
        assert!(counters.socket_troubles().all(|(_, count)| count == 1));
    }
}
