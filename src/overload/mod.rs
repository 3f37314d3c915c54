//! Deterministic. What is refused so that the rest is answered: sources that ask too much, more than all may ask, and
//! what has waited too long in the socket.
//!
//! In:    the source and the first line of each message, the age and the time of each batch, the settings.
//! Out:   why a message is refused, or that it is not; what peers are told (RFC 7339); counts.
//! Never: reads a clock, grows with the number of sources, asks the access lists of a message that nothing refuses.
//!
//! ```text
//!  message ─→ batch refused by age? ─→ bucket of its source ─→ budget of all ─→ decide
//!                     └──────────────────────┴─────────────────────┴─→ rank: listed, emergency ─→ decide
//!                                                                          └─→ ordinary ─→ 503 or silence
//! ```

use std::{hash::Hasher as _, net::IpAddr};

use siphasher::sip::SipHasher13;

use crate::{
    config::{Overload, Refuse},
    engine::Now,
    limits::{BUDGET_BURST_MIN, BUDGET_RESERVE_SHARE},
    sip::Feedback,
};

mod behind;
mod bucket;
mod emergency;
mod loss;
mod sources;

pub use behind::Behind;
pub use bucket::Bucket;
pub use emergency::is_emergency;
pub use loss::Loss;
pub use sources::Sources;

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its source has asked more than one source may.
    Source,
    /// All together have asked more than all may.
    Budget,
    /// What comes in waits too long.
    QueueAge,
}

impl Reason {
    /// Every reason, in the order of the metrics.
    pub const ALL: [Self; 3] = [Self::Source, Self::Budget, Self::QueueAge];

    /// Value of the metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Budget => "budget",
            Self::QueueAge => "queue_age",
        }
    }
}

/// Who is refused last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Everybody else.
    Ordinary,
    /// An emergency call. What it may take is less than what listed peers may: anyone can write that it is one.
    Emergency,
    /// From a source that an access list or `overload.networks` names.
    Listed,
}

/// What was refused, and how things stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Messages refused, by the position of [`Reason::ALL`].
    pub refused: [u64; Reason::ALL.len()],
    /// What peers are asked to send less, in per cent.
    pub loss_percent: u64,
    /// How long the oldest datagram of this turn had waited in its socket.
    pub age_ms: u64,
}

/// See the file's first lines.
#[derive(Debug)]
pub struct Admission {
    settings: Overload,
    keys: Keys,
    sources: Option<Sources>,
    budget: Option<Budget>,
    behind: Behind,
    loss: Loss,
    refused: [u64; Reason::ALL.len()],
}

/// Keys of the hashes of sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys {
    /// What is seen in answers: the same on every node of a fleet.
    pub of_answers: [u8; 16],
    /// Where a source has its bucket: a secret of this process.
    pub of_table: [u8; 16],
}

/// What all together may ask.
#[derive(Debug)]
struct Budget {
    bucket: Bucket,
    /// What each rank leaves in it, in thousandths of a message.
    keep: [u32; 3],
}

impl Admission {
    /// For one of `workers`, which share the budget.
    #[must_use]
    pub fn new(settings: Overload, workers: usize, keys: Keys) -> Self {
        let budget = settings.budget.map(|rate| {
            let rate = rate.shared_by(workers, BUDGET_BURST_MIN);
            let reserve = rate.burst.saturating_mul(1000) / BUDGET_RESERVE_SHARE;
            Budget { bucket: Bucket::full(rate), keep: [reserve, reserve / 2, 0] }
        });
        Self {
            sources: settings.per_source.map(|rate| Sources::new(rate, keys.of_table)),
            budget,
            behind: Behind::new(settings.queue_age_ms),
            loss: Loss::default(),
            refused: [0; Reason::ALL.len()],
            keys,
            settings,
        }
    }

    /// Whether a message is judged by its source or by the budget: then those that nobody answers are not
    /// to be charged.
    #[must_use]
    pub fn charges(&self) -> bool {
        self.sources.is_some() || self.budget.is_some()
    }

    /// Why a message is refused; `None`: it is not. `rank` is asked only when it matters.
    #[inline]
    pub fn judge(&mut self, source: IpAddr, now: Now, rank: impl FnOnce(&Self) -> Rank) -> Option<Reason> {
        if self.passes(now) { None } else { self.judge_counted(source, now, rank) }
    }

    /// Counts a message. `true`: as things stand none is refused, and it need not be judged.
    #[inline]
    pub fn passes(&mut self, now: Now) -> bool {
        self.loss.taken(now);
        !self.behind.refuses() && !self.charges()
    }

    /// [`Admission::judge`] of a message that [`Admission::passes`] has counted.
    pub fn judge_counted(
        &mut self,
        source: IpAddr,
        now: Now,
        rank: impl FnOnce(&Self) -> Rank,
    ) -> Option<Reason> {
        let reason = self.judge_strictly(source, now, rank)?;
        self.refused
            .iter_mut()
            .zip(Reason::ALL)
            .filter(|(_, it)| *it == reason)
            .for_each(|(sum, _)| *sum += 1);
        // One source that asks too much is no reason for others to ask less.
        if reason != Reason::Source {
            self.loss.refused();
        }
        Some(reason)
    }

    fn judge_strictly(
        &mut self,
        source: IpAddr,
        now: Now,
        rank: impl FnOnce(&Self) -> Rank,
    ) -> Option<Reason> {
        let within = self.sources.as_mut().is_none_or(|sources| sources.take(source, now.ms));
        let behind = self.behind.refuses();
        let budget = self.budget.as_mut();
        if within && !behind && budget.is_none_or(|budget| budget.take(Rank::Ordinary, now.ms)) {
            return None;
        }
        let rank = rank(self);
        match (rank, within, behind) {
            (Rank::Ordinary, _, true) => Some(Reason::QueueAge),
            (Rank::Ordinary, false, _) => Some(Reason::Source),
            (Rank::Ordinary, ..) => Some(Reason::Budget),
            _ if self.budget.as_mut().is_none_or(|budget| budget.take(rank, now.ms)) => None,
            _ => Some(Reason::Budget),
        }
    }

    /// Whether `overload.networks` names this source.
    #[must_use]
    pub fn lists(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.settings.networks.iter().any(|network| network.contains(&source))
    }

    /// Whether the Request-URI of a message is one of an emergency.
    #[must_use]
    pub fn is_emergency(&self, message: &[u8]) -> bool {
        is_emergency(message, &self.settings.emergency)
    }

    /// How a refusal is said.
    #[must_use]
    pub fn refuse(&self) -> Refuse {
        if self.behind.in_silence() { Refuse::Silence } else { self.settings.refuse }
    }

    /// What a refused source is told to wait for: up to twice what is set, each its own, so that they do not all come
    /// back at once. `None`: it is told nothing.
    #[must_use]
    pub fn retry_after_s(&self, source: IpAddr) -> Option<u32> {
        let least_s = Some(self.settings.retry_after_s).filter(|seconds| *seconds > 0)?;
        let more_s = source_hash(&self.keys.of_answers, source) % u64::from(least_s.saturating_add(1));
        Some(least_s.saturating_add(u32::try_from(more_s).unwrap_or_default()))
    }

    /// A batch begins at this listener, whose first datagram had waited so long. `true`: [`Admission::batch_ended`] is to
    /// be told how long it took.
    pub fn batch_begins(&mut self, listener: usize, age_ms: u64) -> bool {
        self.behind.batch_begins(listener, age_ms)
    }

    /// The batch has ended; what comes now is of no batch.
    pub fn batch_ended(&mut self, took_ns: u64) {
        self.behind.batch_ended(took_ns);
    }

    /// Whether [`Admission::feedback`] says something else than when this was asked last.
    #[inline]
    pub fn take_news(&mut self) -> bool {
        self.loss.take_news()
    }

    /// What peers that offer overload control are told now.
    #[must_use]
    pub fn feedback(&self) -> Option<Feedback> {
        self.settings.oc.then(|| self.loss.feedback())
    }

    /// What was refused so far, and the age of this turn, which ends.
    pub fn end_turn(&mut self) -> Tallies {
        Tallies {
            refused: self.refused,
            loss_percent: self.loss.feedback().loss_percent.into(),
            age_ms: self.behind.take_age_ms(),
        }
    }
}

impl Budget {
    fn take(&mut self, rank: Rank, now_ms: u64) -> bool {
        let keep = self.keep.get(rank as usize).copied().unwrap_or_default();
        self.bucket.take(keep, now_ms)
    }
}

/// A hash of what counts as one source: an IPv4 address, or an IPv6 /64, of which one subscriber has all.
fn source_hash(key: &[u8; 16], source: IpAddr) -> u64 {
    let mut hasher = SipHasher13::new_with_key(key);
    match source.to_canonical() {
        IpAddr::V4(address) => hasher.write_u32(u32::from_be_bytes(address.octets())),
        IpAddr::V6(address) => hasher.write_u64((u128::from(address) >> 64) as u64),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
