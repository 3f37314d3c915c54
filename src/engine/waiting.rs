//! Deterministic. The waiting room: datagrams that wait for an answer of DNS, bounded in count,
//! bytes and time, and the questions they wait for.
//!
//! In:    datagrams with the question each waits for, answers, the time.
//! Out:   datagrams that need wait no longer, in the order they arrived.
//! Never: decides.

use std::collections::{BTreeMap, BTreeSet};

use ahash::{AHashMap, RandomState};

use super::{Path, Peer};
use crate::{
    access::Identity,
    dns::Question,
    limits::{QUESTION_LOST_MS, QUESTIONS_UNDER_WAY_MAX, WAITING_BYTES_MAX, WAITING_MAX},
};

/// A datagram's place in the order of arrival.
pub(super) type Ticket = u64;

/// One datagram that waits, or is about to.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) bytes: Box<[u8]>,
    pub(super) path: Path,
    pub(super) identity: Option<Identity>,
    pub(super) arrived_ms: u64,
    /// From here on it is decided with what there is.
    pub(super) deadline_ms: u64,
    /// Questions it has waited for so far.
    pub(super) asked: usize,
    /// Those of them that were not answered when it was last decided.
    pub(super) open: Vec<Question>,
    /// Kept when it waits again, for another question.
    pub(super) ticket: Ticket,
}

impl Waiting {
    /// Who sent it.
    pub(super) fn peer(&self) -> Peer<'_> {
        Peer { path: self.path, identity: self.identity.as_ref() }
    }
}

/// The waiting room.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    seats: BTreeMap<Ticket, Seat>,
    bytes: usize,
    next_ticket: Ticket,
    /// Those of whose answers one is there.
    ready: BTreeSet<Ticket>,
    deadlines: BTreeSet<(u64, Ticket)>,
    /// Questions that were put and not answered yet, with those who wait for them; nobody, when their time
    /// is over or it was asked for the cache's sake.
    under_way: AHashMap<Question, UnderWay>,
    /// When each of them is given up, so that a lost answer is asked for again.
    ends: BTreeMap<(u64, u64), Question>,
    next_end: u64,
    /// By hash of sender and bytes: a retransmission is found without comparing it with all.
    digests: AHashMap<u64, Ticket>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Seat {
    waiting: Waiting,
    digest: u64,
}

#[derive(Debug)]
struct UnderWay {
    waiters: BTreeSet<Ticket>,
    end: (u64, u64),
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

    /// Whether the same bytes, on the same path, wait already. Another certificate is another sender: it has come again
    /// from the port of the one before.
    pub(super) fn holds(&self, bytes: &[u8], peer: &Peer<'_>) -> bool {
        let found = self.digests.get(&self.digest(bytes, peer)).and_then(|ticket| self.seats.get(ticket));
        found.is_some_and(|Seat { waiting, .. }| {
            *waiting.bytes == *bytes
                && waiting.path == peer.path
                && waiting.identity.as_ref() == peer.identity
        })
    }

    /// Whether there is room for one more datagram of this length, waiting for these questions.
    pub(super) fn admits(&self, bytes_len: usize, questions: &[Question]) -> bool {
        let new = questions.iter().filter(|question| !self.under_way.contains_key(question)).count();
        self.seats.len() < WAITING_MAX
            && self.bytes.saturating_add(bytes_len) <= WAITING_BYTES_MAX
            && self.under_way.len().saturating_add(new) <= QUESTIONS_UNDER_WAY_MAX
    }

    /// Takes a datagram in, with the questions it waits for in `open`: those that are not under way are
    /// given to `put`. The caller has asked [`WaitingRoom::admits`].
    pub(super) fn park(&mut self, waiting: Waiting, now_ms: u64, put: &mut dyn FnMut(&Question)) {
        debug_assert!(self.admits(waiting.bytes.len(), &waiting.open));
        let ticket = waiting.ticket;
        let digest = self.digest(&waiting.bytes, &waiting.peer());
        self.bytes = self.bytes.saturating_add(waiting.bytes.len());
        self.deadlines.insert((waiting.deadline_ms, ticket));
        self.digests.insert(digest, ticket);
        for question in &waiting.open {
            if self.start(question, now_ms) {
                put(question);
            }
            if let Some(under_way) = self.under_way.get_mut(question) {
                under_way.waiters.insert(ticket);
            }
        }
        self.seats.insert(ticket, Seat { waiting, digest });
    }

    /// Notes that a question is under way; `false` when it is already, or there is no room for it.
    pub(super) fn start(&mut self, question: &Question, now_ms: u64) -> bool {
        if self.under_way.contains_key(question) || self.under_way.len() >= QUESTIONS_UNDER_WAY_MAX {
            return false;
        }
        self.next_end += 1;
        let end = (now_ms.saturating_add(QUESTION_LOST_MS), self.next_end);
        self.ends.insert(end, question.clone());
        self.under_way.insert(question.clone(), UnderWay { waiters: BTreeSet::new(), end });
        true
    }

    /// Forgets questions whose answers must have been lost; how many. Those who wait for them still have
    /// their own time.
    pub(super) fn forget_lost(&mut self, now_ms: u64) -> u64 {
        let mut forgotten = 0;
        while let Some(first) = self.ends.first_entry().filter(|first| first.key().0 <= now_ms) {
            let question = first.remove();
            self.under_way.remove(&question);
            forgotten += 1;
        }
        forgotten
    }

    /// An answer came: who waited for it is ready.
    pub(super) fn answered(&mut self, question: &Question) {
        let Some(under_way) = self.under_way.remove(question) else { return };
        self.ends.remove(&under_way.end);
        for ticket in under_way.waiters {
            if let Some(seat) = self.seats.get_mut(&ticket) {
                seat.waiting.open.retain(|open| open != question);
                self.ready.insert(ticket);
            }
        }
    }

    /// Takes out the first that is ready, then the first whose time is over.
    pub(super) fn take_due(&mut self, now_ms: u64) -> Option<Waiting> {
        let late = || {
            let (deadline_ms, ticket) = self.deadlines.first()?;
            (*deadline_ms <= now_ms).then_some(*ticket)
        };
        let ticket = self.ready.first().copied().or_else(late)?;
        let Seat { waiting, digest } = self.seats.remove(&ticket)?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes.len());
        self.ready.remove(&ticket);
        self.deadlines.remove(&(waiting.deadline_ms, ticket));
        if self.digests.get(&digest) == Some(&ticket) {
            self.digests.remove(&digest);
        }
        for question in &waiting.open {
            if let Some(under_way) = self.under_way.get_mut(question) {
                under_way.waiters.remove(&ticket);
            }
        }
        Some(waiting)
    }

    /// When the first one's time is over.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    fn digest(&self, bytes: &[u8], Peer { path, identity }: &Peer<'_>) -> u64 {
        self.hasher.hash_one((path, identity.map(Identity::names), bytes))
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
        assert_eq!(self.ends.len(), self.under_way.len());
        for (ticket, seat) in &self.seats {
            assert_eq!(*ticket, seat.waiting.ticket);
            assert!(self.deadlines.contains(&(seat.waiting.deadline_ms, *ticket)));
            // A lost question is under way no more; who waits for it has its deadline.
            for under_way in seat.waiting.open.iter().filter_map(|open| self.under_way.get(open)) {
                assert!(under_way.waiters.contains(ticket) || under_way.end.0 > seat.waiting.deadline_ms);
            }
        }
        let waits = |ticket: &Ticket| self.seats.contains_key(ticket);
        assert!(self.ready.iter().all(waits));
        assert!(self.under_way.values().flat_map(|under_way| &under_way.waiters).all(waits));
        assert!(self.digests.values().all(waits));
    }
}
