//! Deterministic. A token bucket in whole numbers: thousandths of a message.
//!
//! In:    the rate, the time in milliseconds.
//! Out:   whether there is a message's worth in it.
//! Never: gives more than its burst and what its rate has brought since.

use crate::config::Rate;

/// A message, in the unit of a level.
const ONE: u32 = 1000;

/// A bucket with its rate.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    rate: Rate,
    level: Level,
}

/// What is in a bucket whose rate stands elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    /// In thousandths of a message, at [`Level::at_ms`].
    pub(super) milli: u32,
    pub(super) at_ms: u64,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn full(rate: Rate) -> Self {
        Self { rate, level: Level::full(rate) }
    }

    /// Takes a message's worth if so much, and `keep` thousandths besides, are there.
    pub fn take(&mut self, keep: u32, now_ms: u64) -> bool {
        self.level.take(self.rate, keep, now_ms)
    }
}

impl Level {
    pub(super) fn full(rate: Rate) -> Self {
        Self { milli: burst(rate), at_ms: 0 }
    }

    /// What is in it now. A clock that goes back brings nothing.
    pub(super) fn now(self, rate: Rate, now_ms: u64) -> u32 {
        // A thousandth in a millisecond is one message in a second.
        let brought = now_ms.saturating_sub(self.at_ms).saturating_mul(rate.per_s.into());
        let level = u64::from(self.milli).saturating_add(brought);
        u32::try_from(level).unwrap_or(u32::MAX).min(burst(rate))
    }

    pub(super) fn take(&mut self, rate: Rate, keep: u32, now_ms: u64) -> bool {
        let milli = self.now(rate, now_ms);
        let left = milli.checked_sub(ONE).filter(|left| *left >= keep);
        *self = Self { milli: left.unwrap_or(milli), at_ms: self.at_ms.max(now_ms) };
        left.is_some()
    }
}

fn burst(rate: Rate) -> u32 {
    rate.burst.saturating_mul(ONE)
}
