//! Deterministic. The waiting room: datagrams that wait for an answer of DNS, bounded in count,
//! bytes and time, and the questions they wait for.
//!
//! In:    datagrams with the question each waits for, answers, the time.
//! Out:   datagrams that need wait no longer, in the order they arrived.
//! Never: decides.

use std::collections::{BTreeMap, BTreeSet};

use ahash::{AHashMap, RandomState};

use super::Path;
use crate::{
    dns::Question,
    limits::{QUESTIONS_UNDER_WAY_MAX, WAITING_BYTES_MAX, WAITING_MAX},
};

/// A datagram's place in the order of arrival.
pub(super) type Ticket = u64;

/// One datagram that waits, or is about to.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) bytes: Box<[u8]>,
    pub(super) path: Path,
    pub(super) arrived_ms: u64,
    /// From here on it is decided with what there is.
    pub(super) deadline_ms: u64,
    /// Questions it has caused so far.
    pub(super) rounds: usize,
    /// Kept when it waits again, for another question.
    pub(super) ticket: Ticket,
}

/// The waiting room.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    seats: BTreeMap<Ticket, Seat>,
    bytes: usize,
    next_ticket: Ticket,
    /// Those whose answer is there.
    ready: BTreeSet<Ticket>,
    deadlines: BTreeSet<(u64, Ticket)>,
    /// Who waits for what.
    under_way: AHashMap<Question, BTreeSet<Ticket>>,
    /// By hash of path and bytes: a retransmission is found without comparing it with all.
    digests: AHashMap<u64, Ticket>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Seat {
    waiting: Waiting,
    /// `None`: ready.
    question: Option<Question>,
    digest: u64,
}

/// What became of a datagram that was to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parked {
    /// It is the first that waits for its question, which is to be asked.
    First,
    /// Its question is under way already.
    Joined,
}

impl WaitingRoom {
    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn questions(&self) -> usize {
        self.under_way.len()
    }

    /// A new place in the order of arrival.
    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Whether the same bytes, on the same path, wait already.
    pub(super) fn holds(&self, bytes: &[u8], path: &Path) -> bool {
        if self.seats.is_empty() {
            return false;
        }
        let found = self.digests.get(&self.digest(bytes, path)).and_then(|ticket| self.seats.get(ticket));
        found.is_some_and(|seat| *seat.waiting.bytes == *bytes && seat.waiting.path == *path)
    }

    /// Whether there is room for one more datagram of this length, waiting for this question.
    pub(super) fn admits(&self, bytes_len: usize, question: &Question) -> bool {
        self.seats.len() < WAITING_MAX
            && self.bytes.saturating_add(bytes_len) <= WAITING_BYTES_MAX
            && (self.under_way.len() < QUESTIONS_UNDER_WAY_MAX || self.under_way.contains_key(question))
    }

    /// Takes a datagram in. The caller has asked [`WaitingRoom::admits`].
    pub(super) fn park(&mut self, waiting: Waiting, question: Question) -> Parked {
        debug_assert!(self.admits(waiting.bytes.len(), &question));
        let ticket = waiting.ticket;
        let digest = self.digest(&waiting.bytes, &waiting.path);
        self.bytes = self.bytes.saturating_add(waiting.bytes.len());
        self.deadlines.insert((waiting.deadline_ms, ticket));
        self.digests.insert(digest, ticket);
        let waiters = self.under_way.entry(question.clone()).or_default();
        let parked = if waiters.is_empty() { Parked::First } else { Parked::Joined };
        waiters.insert(ticket);
        self.seats.insert(ticket, Seat { waiting, question: Some(question), digest });
        parked
    }

    /// An answer came: who waited for it is ready.
    pub(super) fn answered(&mut self, question: &Question) {
        for ticket in self.under_way.remove(question).unwrap_or_default() {
            if let Some(seat) = self.seats.get_mut(&ticket) {
                seat.question = None;
                self.ready.insert(ticket);
            }
        }
    }

    /// Takes out the first that is ready, then the first whose time is over. Beside it: whether a
    /// question was forgotten with it, since nobody waits for it any more.
    pub(super) fn take_due(&mut self, now_ms: u64) -> Option<(Waiting, bool)> {
        let late = || {
            let (deadline_ms, ticket) = self.deadlines.first()?;
            (*deadline_ms <= now_ms).then_some(*ticket)
        };
        let ticket = self.ready.first().copied().or_else(late)?;
        let Seat { waiting, question, digest } = self.seats.remove(&ticket)?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes.len());
        self.ready.remove(&ticket);
        self.deadlines.remove(&(waiting.deadline_ms, ticket));
        if self.digests.get(&digest) == Some(&ticket) {
            self.digests.remove(&digest);
        }
        let forgotten = question.is_some_and(|question| self.leave(&question, ticket));
        Some((waiting, forgotten))
    }

    /// When the first one's time is over.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Strikes one off a question's list; whether it was the last one.
    fn leave(&mut self, question: &Question, ticket: Ticket) -> bool {
        let Some(waiters) = self.under_way.get_mut(question) else { return false };
        waiters.remove(&ticket);
        let was_last = waiters.is_empty();
        if was_last {
            self.under_way.remove(question);
        }
        was_last
    }

    fn digest(&self, bytes: &[u8], path: &Path) -> u64 {
        self.hasher.hash_one((path, bytes))
    }

    /// Every index says the same, and every bound holds. A full room is looked through once in a
    /// while: each look takes time in its size.
    pub(super) fn check_invariants(&self) {
        const SMALL: usize = 128;
        if self.seats.len() > SMALL && !self.seats.len().is_multiple_of(SMALL) {
            return;
        }
        assert!(self.seats.len() <= WAITING_MAX && self.under_way.len() <= QUESTIONS_UNDER_WAY_MAX);
        assert!(self.bytes <= WAITING_BYTES_MAX);
        assert_eq!(self.bytes, self.seats.values().map(|seat| seat.waiting.bytes.len()).sum::<usize>());
        assert_eq!(self.deadlines.len(), self.seats.len());
        assert!(self.digests.len() <= self.seats.len());
        for (ticket, seat) in &self.seats {
            assert_eq!(*ticket, seat.waiting.ticket);
            assert!(self.deadlines.contains(&(seat.waiting.deadline_ms, *ticket)));
            let listed = seat.question.as_ref().map(|question| self.under_way.get(question));
            match listed {
                None => assert!(self.ready.contains(ticket)),
                Some(waiters) => {
                    assert!(waiters.is_some_and(|waiters| waiters.contains(ticket)));
                    assert!(!self.ready.contains(ticket));
                }
            }
        }
        let waiters: usize = self.under_way.values().map(BTreeSet::len).sum();
        assert_eq!(waiters + self.ready.len(), self.seats.len());
        assert!(self.under_way.values().all(|waiters| !waiters.is_empty()));
        assert!(self.digests.values().all(|ticket| self.seats.contains_key(ticket)));
    }
}
