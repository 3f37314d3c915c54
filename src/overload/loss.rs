//! Deterministic. What part of the requests was refused lately, and what peers are told of it (RFC 7339).
//!
//! In:    messages taken and refused, the time.
//! Out:   a [`Feedback`], with a sequence number that only grows.
//! Never: tells a peer of a refusal that another one alone has caused.

use crate::{
    engine::Now,
    limits::{OC_SEQ_FRACTION_MAX, OC_WINDOW_MS},
    sip::Feedback,
};

/// Counts of the window that runs, and what the one before has come to.
#[derive(Debug, Default)]
pub struct Loss {
    began_ms: u64,
    taken: u32,
    refused: u32,
    told: Feedback,
    is_news: bool,
}

impl Loss {
    /// A message came in.
    #[inline]
    pub fn taken(&mut self, now: Now) {
        if now.ms.saturating_sub(self.began_ms) >= OC_WINDOW_MS {
            self.end_window(now);
        }
        self.taken = self.taken.saturating_add(1);
    }

    /// The message that came in last was refused.
    pub fn refused(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Whether what peers are told has changed since this was asked last.
    #[inline]
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.is_news)
    }

    /// What peers are told.
    #[must_use]
    pub fn feedback(&self) -> Feedback {
        self.told
    }

    #[cold]
    fn end_window(&mut self, now: Now) {
        // Of a window that ended long ago nothing follows for now.
        let is_late = now.ms.saturating_sub(self.began_ms) >= OC_WINDOW_MS.saturating_mul(2);
        let percent = if is_late { 0 } else { percent(self.refused, self.taken) };
        let (seq_s, seq_fraction) = self.next_seq(now.unix_s);
        self.told = Feedback {
            loss_percent: percent,
            // RFC 7339 §5.1, §5.7: 0 says that no reduction is asked for.
            validity_ms: if percent == 0 { 0 } else { OC_WINDOW_MS.saturating_mul(2) },
            seq_s,
            seq_fraction,
        };
        (self.began_ms, self.taken, self.refused, self.is_news) = (now.ms, 0, 0, true);
    }

    /// RFC 7339 §4.4: it grows with every value, whatever the clock does; a time may be used for it.
    fn next_seq(&self, unix_s: i64) -> (u64, u32) {
        let unix_s = u64::try_from(unix_s).unwrap_or_default();
        let Feedback { seq_s, seq_fraction, .. } = self.told;
        if unix_s > seq_s {
            (unix_s, 0)
        } else if seq_fraction < OC_SEQ_FRACTION_MAX {
            (seq_s, seq_fraction + 1)
        } else {
            (seq_s.saturating_add(1), 0)
        }
    }
}

/// Rounded up: a refusal is never 0 per cent.
fn percent(refused: u32, taken: u32) -> u8 {
    let percent = u64::from(refused).saturating_mul(100).div_ceil(u64::from(taken).max(1));
    u8::try_from(percent.min(100)).unwrap_or(100)
}
