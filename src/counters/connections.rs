//! Deterministic. Counts of connections: taken, refused, ended.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{add, add_each, place, zeros};
use crate::route::Transport;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// Its peer ended it.
    Peer,
    /// It was without a message for too long.
    Idle,
    /// A message, or a TLS handshake, took too long.
    SlowSender,
    /// Its peer did not take our answers in time.
    SlowReader,
    /// The end of a message could not be told.
    Unframed,
    /// What came was no SIP.
    Garbage,
    /// TLS failed.
    Tls,
    /// The network, or its peer, broke it.
    Broken,
    /// The server ends.
    Stopped,
}

impl ConnectionEnd {
    /// Every end, in the order of the metrics.
    pub const ALL: [Self; 9] = [
        Self::Peer,
        Self::Idle,
        Self::SlowSender,
        Self::SlowReader,
        Self::Unframed,
        Self::Garbage,
        Self::Tls,
        Self::Broken,
        Self::Stopped,
    ];

    /// Value of the metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Idle => "idle",
            Self::SlowSender => "slow_sender",
            Self::SlowReader => "slow_reader",
            Self::Unframed => "unframed",
            Self::Garbage => "garbage",
            Self::Tls => "tls",
            Self::Broken => "broken",
            Self::Stopped => "stopped",
        }
    }
}

/// Why a connection was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionRefusal {
    /// There are as many in all as may be.
    Total,
    /// Its source has as many as one may have.
    Source,
}

impl ConnectionRefusal {
    /// Every refusal, in the order of the metrics.
    pub const ALL: [Self; 2] = [Self::Total, Self::Source];

    /// Value of the metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Source => "source",
        }
    }
}

/// Transports with connections, in the order of the metrics.
const TRANSPORTS: [Transport; 2] = [Transport::Tcp, Transport::Tls];

#[derive(Debug)]
pub(super) struct ConnectionCounters {
    opened: [AtomicU64; TRANSPORTS.len()],
    closed: [AtomicU64; TRANSPORTS.len()],
    ends: [AtomicU64; ConnectionEnd::ALL.len()],
    refusals: [AtomicU64; ConnectionRefusal::ALL.len()],
}

impl Default for ConnectionCounters {
    fn default() -> Self {
        Self { opened: zeros(), closed: zeros(), ends: zeros(), refusals: zeros() }
    }
}

impl ConnectionCounters {
    pub(super) fn opened(&self, transport: Transport) {
        add(place(&TRANSPORTS, transport).and_then(|at| self.opened.get(at)), 1);
    }

    pub(super) fn closed(&self, transport: Transport, end: ConnectionEnd) {
        add(place(&TRANSPORTS, transport).and_then(|at| self.closed.get(at)), 1);
        add(place(&ConnectionEnd::ALL, end).and_then(|at| self.ends.get(at)), 1);
    }

    pub(super) fn refused(&self, refusal: ConnectionRefusal) {
        add(place(&ConnectionRefusal::ALL, refusal).and_then(|at| self.refusals.get(at)), 1);
    }

    pub(super) fn add_all(&self, other: &Self) {
        let Self { opened, closed, ends, refusals } = other;
        // Closed first, as in `open`.
        add_each(&self.closed, closed);
        add_each(&self.opened, opened);
        add_each(&self.ends, ends);
        add_each(&self.refusals, refusals);
    }

    pub(super) fn open(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        // Closed first: one that opens and closes between the two readings must not make it negative.
        let closed: Vec<u64> = self.closed.iter().map(|count| count.load(Relaxed)).collect();
        self.opened_so_far()
            .zip(closed)
            .map(|((label, opened), closed)| (label, opened.saturating_sub(closed)))
    }

    pub(super) fn opened_so_far(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let labels = TRANSPORTS.iter().map(|transport| transport.name());
        labels.zip(self.opened.iter().map(|count| count.load(Relaxed)))
    }

    pub(super) fn ends(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let labels = ConnectionEnd::ALL.iter().map(|end| end.label());
        labels.zip(self.ends.iter().map(|count| count.load(Relaxed)))
    }

    pub(super) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let labels = ConnectionRefusal::ALL.iter().map(|refusal| refusal.label());
        labels.zip(self.refusals.iter().map(|count| count.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<(&'a str, u64)> {
        counts.filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn what_is_open_is_what_was_opened_and_has_not_ended() {
        let counters = ConnectionCounters::default();
        for _ in 0..3 {
            counters.opened(Transport::Tls);
        }
        counters.closed(Transport::Tls, ConnectionEnd::Idle);
        assert_eq!(counted(counters.open()), [("tls", 2)]);
        assert_eq!(counted(counters.opened_so_far()), [("tls", 3)]);
        assert_eq!(counted(counters.ends()), [("idle", 1)]);
    }

    #[test]
    fn every_end_and_refusal_has_its_own_place() {
        for end in ConnectionEnd::ALL {
            let counters = ConnectionCounters::default();
            counters.opened(Transport::Tcp);
            counters.closed(Transport::Tcp, end);
            assert_eq!(counted(counters.ends()), [(end.label(), 1)]);
            assert_eq!(counted(counters.open()), []);
        }
        for refusal in ConnectionRefusal::ALL {
            let counters = ConnectionCounters::default();
            counters.refused(refusal);
            assert_eq!(counted(counters.refusals()), [(refusal.label(), 1)]);
        }
    }
}
