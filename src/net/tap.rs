//! Outside. The tap: shows some of the messages, with what became of them, to whoever looks on.
//!
//! In:    what the loop decided, message by message.
//! Out:   copies of those that are sampled, to the other end; of the rest nothing.
//! Never: blocks, allocates after the start, makes the loop wait for who looks on: what finds no free record is dropped
//!        and counted.
//!
//! Calls are sampled by a keyed hash of the Call-ID: the request, its retransmission, its ACK and a CANCEL are shown
//! together or not at all, by every worker and every node of a fleet that has the same key, and a stranger cannot tell
//! which calls are shown. Who wants one in a hundred has calls that are among those of who wants one in ten.
//!
//! What is counted for the top talkers is sampled otherwise, message by message: a flood with one Call-ID would be
//! all or nothing by its hash. The gaps are drawn, since traffic that repeats itself (INVITE, ACK, INVITE, ACK) would
//! show one side to whoever took every nth.
//!
//! Records come from a pool, go to the other end by a bounded queue, and come back by another one.

use std::{
    hash::Hasher as _,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{self, Thread},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use siphasher::sip::SipHasher13;

use crate::{
    decide::Silence,
    engine::Path,
    limits::{TAP_RECORD_BYTES, TAP_RECORDS, TAP_RECORDS_OF_TOP, TAP_REQUEST_BYTES_MAX, TAP_ROUTE_BYTES_MAX},
    route::Transport,
    sip::call_id_in,
};

/// Which messages are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// Of the draws; the same on every node of a fleet.
    pub key: [u8; 16],
    /// One call in so many; `None`: no calls.
    pub calls: Option<NonZeroU32>,
    /// One message in so many is counted, on the average; `None`: none.
    pub messages: Option<NonZeroU32>,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an answer of this status code.
    Answer(u16),
    /// Without one.
    Silence(Silence),
}

/// What the loop has decided.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Seen<'a> {
    pub request: &'a [u8],
    /// Empty when there is none.
    pub answer: &'a [u8],
    /// Where the answer goes.
    pub to: SocketAddr,
    pub path: Path,
    pub end: End,
    /// Name of the route that gave the answer, or said that there is none.
    pub route: Option<&'a str>,
    /// How long it waited for DNS.
    pub waited_ms: u64,
}

/// A copy of what was decided.
#[derive(Debug)]
pub struct Record {
    bytes: Box<[u8]>,
    request_len: usize,
    answer_len: usize,
    route: String,
    path: Path,
    to: SocketAddr,
    end: End,
    waited_ms: u64,
    decided_at: Duration,
    draw: u64,
    is_counted: bool,
    worker: usize,
}

/// The loop's end.
#[derive(Debug)]
pub struct Tap {
    key: [u8; 16],
    calls: Option<NonZeroU32>,
    messages: Option<NonZeroU32>,
    /// Messages until the next one that is counted, and those counted so far, which draw it.
    until_counted: u32,
    counted: u64,
    // A record goes from hand to hand as a pointer, not as some hundred bytes.
    #[allow(clippy::vec_box)]
    free: Vec<Box<Record>>,
    back: Receiver<Box<Record>>,
    /// `None` only while it is dropped.
    out: Option<SyncSender<Box<Record>>>,
    reader: Arc<OnceLock<Thread>>,
}

/// The other end, of all workers.
#[derive(Debug)]
pub struct Outlet {
    records: Receiver<Box<Record>>,
    /// By worker.
    back: Vec<SyncSender<Box<Record>>>,
    reader: Arc<OnceLock<Thread>>,
}

/// What there is at the other end.
#[derive(Debug)]
pub enum Next {
    /// A record, to be given back.
    Record(Box<Record>),
    /// Nothing yet.
    Nothing,
    /// Nothing any more: all loops have ended.
    Ended,
}

/// A tap for each worker, and their other end. `None`: nothing is to be shown.
#[must_use]
pub fn taps(workers: usize, sampling: Sampling) -> Option<(Vec<Tap>, Outlet)> {
    let Sampling { key, calls, messages } = sampling;
    let records = match (calls, messages) {
        (None, None) => return None,
        (None, Some(_)) => TAP_RECORDS_OF_TOP,
        (Some(_), _) => TAP_RECORDS,
    };
    let (out, received) = sync_channel(records.saturating_mul(workers));
    let reader = Arc::new(OnceLock::new());
    let mut givers = Vec::new();
    let mut tap = |worker| {
        let (giver, back) = sync_channel(records);
        givers.push(giver);
        let free = (0..records).map(|_| Box::new(Record::empty(worker))).collect();
        let (out, reader) = (Some(out.clone()), Arc::clone(&reader));
        Tap { key, calls, messages, until_counted: 1, counted: 0, free, back, out, reader }
    };
    let taps = (0..workers).map(&mut tap).collect();
    Some((taps, Outlet { records: received, back: givers, reader }))
}

impl Tap {
    /// Shows what was decided, if it is one of those to be shown: `Some(false)` when it should have been and no record
    /// is free.
    pub fn offer(&mut self, seen: &Seen<'_>) -> Option<bool> {
        let is_counted = self.is_counted();
        let draw = self.calls.map(|_| draw(&self.key, seen.request));
        let is_shown = draw.zip(self.calls).is_some_and(|(draw, one_in)| is_drawn(draw, one_in));
        if !is_shown && !is_counted {
            return None;
        }
        self.free.extend(self.back.try_recv());
        let Some(mut record) = self.free.pop() else { return Some(false) };
        // Who does not look at calls does not look at draws.
        record.take(seen, draw.filter(|_| is_shown).unwrap_or(u64::MAX), is_counted);
        // The queue has room for all records that there are; only who has ended takes none.
        let taken = self.out.as_ref().map_or(Ok(()), |out| out.try_send(record)).is_ok();
        self.wake();
        Some(taken)
    }

    fn is_counted(&mut self) -> bool {
        let Some(one_in) = self.messages else { return false };
        self.until_counted = self.until_counted.saturating_sub(1);
        if self.until_counted > 0 {
            return false;
        }
        self.counted = self.counted.wrapping_add(1);
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(&self.counted.to_le_bytes());
        // From 1 to twice the mean less 1.
        let spread = u64::from(one_in.get()).saturating_mul(2).saturating_sub(1);
        let gap = hasher.finish().checked_rem(spread).unwrap_or(0).saturating_add(1);
        self.until_counted = u32::try_from(gap).unwrap_or(u32::MAX);
        true
    }

    /// Costs a system call only when the other end sleeps.
    fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.out = None;
        self.wake();
    }
}

impl Outlet {
    /// The next record, without waiting.
    #[must_use]
    pub fn next(&self) -> Next {
        match self.records.try_recv() {
            Ok(record) => Next::Record(record),
            Err(TryRecvError::Empty) => Next::Nothing,
            Err(TryRecvError::Disconnected) => Next::Ended,
        }
    }

    /// Sleeps until there may be something. One thread calls this, always the same.
    pub fn wait(&self) {
        // Whoever offered before it was known that we sleep could not wake us.
        if self.reader.set(thread::current()).is_err() {
            thread::park();
        }
    }

    /// Gives a record back, to be used again.
    pub fn give_back(&self, record: Box<Record>) {
        if let Some(back) = self.back.get(record.worker) {
            // There is room for all of them; the loop may have ended.
            let _ = back.try_send(record);
        }
    }
}

impl Record {
    fn empty(worker: usize) -> Self {
        let nowhere = SocketAddr::from(([0; 4], 0));
        Self {
            // Not zero: all pages are written now, so that no later burst makes the process grow.
            bytes: vec![b' '; TAP_RECORD_BYTES].into_boxed_slice(),
            request_len: 0,
            answer_len: 0,
            route: String::with_capacity(TAP_ROUTE_BYTES_MAX),
            path: Path { source: nowhere, local: nowhere, listener: 0, transport: Transport::Udp },
            to: nowhere,
            end: End::Silence(Silence::Ack),
            waited_ms: 0,
            decided_at: Duration::ZERO,
            draw: 0,
            is_counted: false,
            worker,
        }
    }

    fn take(&mut self, seen: &Seen<'_>, draw: u64, is_counted: bool) {
        let (for_request, for_answer) =
            self.bytes.split_at_mut(seen.request.len().min(TAP_REQUEST_BYTES_MAX));
        self.request_len = copy(seen.request, for_request);
        self.answer_len = copy(seen.answer, for_answer);
        self.route.clear();
        self.route.push_str(seen.route.map_or("", |route| beginning(route, TAP_ROUTE_BYTES_MAX)));
        self.path = seen.path;
        self.to = seen.to;
        self.end = seen.end;
        self.waited_ms = seen.waited_ms;
        self.decided_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.draw = draw;
        self.is_counted = is_counted;
    }

    /// The message, cut at [`TAP_REQUEST_BYTES_MAX`].
    #[must_use]
    pub fn request(&self) -> &[u8] {
        self.bytes.get(..self.request_len).unwrap_or_default()
    }

    /// Its answer, cut at what room is left; empty when there is none.
    #[must_use]
    pub fn answer(&self) -> &[u8] {
        let end = self.request_len.saturating_add(self.answer_len);
        self.bytes.get(self.request_len..end).unwrap_or_default()
    }

    /// Where it came from and to.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }

    /// Where its answer went.
    #[must_use]
    pub fn to(&self) -> SocketAddr {
        self.to
    }

    /// What became of it.
    #[must_use]
    pub fn end(&self) -> End {
        self.end
    }

    /// Name of the route that gave the answer, or said that there is none.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        (!self.route.is_empty()).then_some(&self.route)
    }

    /// When it was decided, since 1970.
    #[must_use]
    pub fn decided_at(&self) -> Duration {
        self.decided_at
    }

    /// How long it had waited for DNS then.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited_ms)
    }

    /// Whether its call is one of so many.
    #[must_use]
    pub fn is_one_in(&self, many: NonZeroU32) -> bool {
        is_drawn(self.draw, many)
    }

    /// The draw of its call: the same for all its messages, on every node.
    #[must_use]
    pub fn draw(&self) -> u64 {
        self.draw
    }

    /// Whether it is to be counted for the top talkers.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.is_counted
    }
}

/// Copies as much as there is room for; how much.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
    len
}

/// As many bytes of a text as there may be, and no half character.
fn beginning(text: &str, bytes_max: usize) -> &str {
    let len = text.len().min(bytes_max);
    (0..=len).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// The draw of a call.
fn draw(key: &[u8; 16], message: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(key);
    hasher.write(b"tap");
    // What has no Call-ID is no call: each such message is drawn by itself.
    hasher.write(call_id_in(message).unwrap_or(message));
    // Never the draw of those that are shown to nobody.
    hasher.finish().min(u64::MAX - 1)
}

/// Whether a draw is among one in so many: low ones are, so that rarer samples are part of denser ones.
fn is_drawn(draw: u64, one_in: NonZeroU32) -> bool {
    draw != u64::MAX && draw <= u64::MAX / u64::from(one_in.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];

    fn one_in(many: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(many)
    }

    fn one(sampling: Sampling) -> (Tap, Outlet) {
        let (mut taps, outlet) = taps(1, sampling).unwrap();
        (taps.remove(0), outlet)
    }

    fn of_calls(many: u32) -> (Tap, Outlet) {
        one(Sampling { key: KEY, calls: one_in(many), messages: None })
    }

    fn message(method: &str, call: u32) -> Vec<u8> {
        format!("{method} sip:+442079460000@example.net SIP/2.0\r\nCall-ID: {call}@here\r\n\r\n").into_bytes()
    }

    fn seen<'a>(request: &'a [u8], answer: &'a [u8]) -> Seen<'a> {
        let path = Path {
            source: ([192, 0, 2, 7], 5070).into(),
            local: ([192, 0, 2, 1], 5060).into(),
            listener: 0,
            transport: Transport::Udp,
        };
        Seen {
            request,
            answer,
            to: ([192, 0, 2, 7], 5060).into(),
            path,
            end: End::Answer(302),
            route: Some("london"),
            waited_ms: 3,
        }
    }

    fn record(outlet: &Outlet) -> Box<Record> {
        match outlet.next() {
            Next::Record(record) => record,
            other => panic!("{other:?}"),
        }
    }

    /// Which of a thousand calls are shown.
    fn shown(many: u32, key: [u8; 16], method: &str) -> Vec<u32> {
        let (mut tap, outlet) = one(Sampling { key, calls: one_in(many), messages: None });
        let is_shown = |call: &u32| {
            let shown = tap.offer(&seen(&message(method, *call), b"")).is_some();
            if let Next::Record(record) = outlet.next() {
                outlet.give_back(record);
            }
            shown
        };
        (0..1000).filter(is_shown).collect()
    }

    #[test]
    fn what_is_shown_is_a_copy_of_all() {
        let (mut tap, outlet) = of_calls(1);
        assert_eq!(tap.offer(&seen(&message("INVITE", 1), b"SIP/2.0 302 Moved\r\n\r\n")), Some(true));
        let record = record(&outlet);
        assert_eq!(record.request(), message("INVITE", 1));
        assert_eq!(record.answer(), b"SIP/2.0 302 Moved\r\n\r\n");
        assert_eq!((record.end(), record.route()), (End::Answer(302), Some("london")));
        assert_eq!((record.path(), record.to()), (seen(b"", b"").path, seen(b"", b"").to));
        assert_eq!(record.waited(), Duration::from_millis(3));
        assert!(record.decided_at() > Duration::from_secs(1_700_000_000));
        assert!(!record.is_counted());
        outlet.give_back(record);
    }

    #[test]
    fn nothing_asked_for_is_no_tap() {
        assert!(taps(1, Sampling { key: KEY, calls: None, messages: None }).is_none());
    }

    #[test]
    fn all_messages_of_a_call_are_shown_or_none() {
        let invites = shown(10, KEY, "INVITE");
        assert!((50..200).contains(&invites.len()), "{}", invites.len());
        for method in ["INVITE", "ACK", "CANCEL"] {
            assert_eq!(shown(10, KEY, method), invites, "another worker, another node");
        }
        assert_ne!(shown(10, [8; 16], "INVITE"), invites, "a stranger cannot tell which");
        let rarer = shown(100, KEY, "INVITE");
        assert!(!rarer.is_empty() && rarer.iter().all(|call| invites.contains(call)));
        assert_eq!(shown(1, KEY, "INVITE").len(), 1000);
    }

    #[test]
    fn messages_are_counted_one_by_one() {
        let (mut tap, outlet) = one(Sampling { key: KEY, calls: None, messages: one_in(8) });
        // One call, again and again: its hash would make it all or nothing.
        let flood = message("INVITE", 1);
        let mut counted = Vec::new();
        for number in 0..8_000 {
            if tap.offer(&seen(&flood, b"")) == Some(true) {
                let record = record(&outlet);
                assert!(record.is_counted() && !record.is_one_in(NonZeroU32::MIN));
                outlet.give_back(record);
                counted.push(number);
            }
        }
        assert!((800..1200).contains(&counted.len()), "{}", counted.len());
        let gaps: std::collections::BTreeSet<_> = counted.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps, (1..16).collect(), "of all lengths up to twice the mean");
    }

    #[test]
    fn who_is_behind_loses_what_no_record_is_free_for() {
        for (sampling, records) in [
            (Sampling { key: KEY, calls: one_in(1), messages: None }, TAP_RECORDS),
            (Sampling { key: KEY, calls: None, messages: one_in(1) }, TAP_RECORDS_OF_TOP),
        ] {
            let (mut tap, outlet) = one(sampling);
            let invite = message("INVITE", 1);
            for _ in 0..records {
                assert_eq!(tap.offer(&seen(&invite, b"")), Some(true));
            }
            assert_eq!(tap.offer(&seen(&invite, b"")), Some(false));
            outlet.give_back(record(&outlet));
            assert_eq!(tap.offer(&seen(&invite, b"")), Some(true));
            assert_eq!(tap.offer(&seen(&invite, b"")), Some(false));
        }
    }

    #[test]
    fn what_is_too_long_is_shown_cut() {
        let (mut tap, outlet) = of_calls(1);
        let (request, answer) = (vec![b'r'; TAP_REQUEST_BYTES_MAX + 1], vec![b'a'; TAP_RECORD_BYTES]);
        let name = "ü".repeat(TAP_ROUTE_BYTES_MAX);
        tap.offer(&Seen { route: Some(&name), ..seen(&request, &answer) });
        let record = record(&outlet);
        assert_eq!(record.request(), &request[1..]);
        assert_eq!(record.answer(), &answer[TAP_REQUEST_BYTES_MAX..]);
        assert_eq!(record.route(), Some(&*"ü".repeat(TAP_ROUTE_BYTES_MAX / 2)));
        assert_eq!(beginning("aü", 2), "a", "no half character");
    }

    #[test]
    fn it_ends_when_all_loops_have_and_nothing_is_lost() {
        let (mut all, outlet) = taps(2, Sampling { key: KEY, calls: one_in(1), messages: None }).unwrap();
        all[0].offer(&seen(&message("INVITE", 1), b""));
        drop(all.remove(0));
        assert!(matches!(outlet.next(), Next::Record(_)));
        assert!(matches!(outlet.next(), Next::Nothing));
        let reader = thread::spawn(move || {
            loop {
                match outlet.next() {
                    Next::Nothing => outlet.wait(),
                    Next::Record(_) => panic!("nothing was offered"),
                    Next::Ended => break,
                }
            }
        });
        drop(all);
        reader.join().unwrap();
    }

    #[test]
    fn who_has_gone_holds_nobody_up() {
        let (mut tap, outlet) = of_calls(1);
        drop(outlet);
        for _ in 0..TAP_RECORDS + 1 {
            assert_eq!(tap.offer(&seen(&message("INVITE", 1), b"")), Some(false));
        }
    }
}
