//! Deterministic. Whether the loop is behind, by the age of what it takes out of a socket, and which batches it refuses then.
//!
//! In:    for each batch its listener, the age of its first datagram, and the time that it took.
//! Out:   whether what is in it is refused.
//! Never: spends more than a part of [`REFUSAL_TIME_SHARE`] of the time on refusals.
//!
//! To refuse is cheaper than to answer, but not free: where an answer is a static one, most of its price is the two system
//! calls, and a refusal pays those, too. A server that is asked three times what it can answer, and refuses whatever is old,
//! is soon busy with refusals alone. So refusals get a fixed part of the time: where answers are dear, that is many
//! refusals for each answer, and the queue gets short; where answers are cheap it is few, the queue stays long, and the
//! kernel drops what does not fit into it, for nothing. Either way the rest of the time goes to answers.
//!
//! What is older than [`QUEUE_AGE_MS_SILENT`] is passed over without a word: its client has sent it again meanwhile, and that
//! one is behind it in the queue. Not to read and not to send is cheaper by far, so that many more go in the same time.

use crate::limits::{
    LISTENERS_MAX, QUEUE_AGE_MS_BELIEVED, QUEUE_AGE_MS_SILENT, REFUSAL_TIME_NS_MEMORY, REFUSAL_TIME_SHARE,
};

/// See the file's first lines.
#[derive(Debug)]
pub struct Behind {
    /// From when on a queue is old; 0: never.
    age_ms_max: u64,
    /// By listener: each socket has its own queue.
    listeners: [bool; LISTENERS_MAX],
    /// The batch that is being read is refused.
    refuses: bool,
    /// Without a word.
    in_silence: bool,
    /// Time lately spent while behind, in all and on batches that were refused.
    all_ns: u64,
    refusing_ns: u64,
    /// The greatest age of this turn.
    age_ms: u64,
}

impl Behind {
    /// `age_ms_max`: from when on a queue is old; 0: never.
    #[must_use]
    pub fn new(age_ms_max: u64) -> Self {
        let listeners = [false; LISTENERS_MAX];
        Self {
            age_ms_max,
            listeners,
            refuses: false,
            in_silence: false,
            all_ns: 0,
            refusing_ns: 0,
            age_ms: 0,
        }
    }

    /// Whether the batch that is being read is refused.
    #[inline]
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.refuses
    }

    /// Whether it is refused without a word.
    #[must_use]
    pub fn in_silence(&self) -> bool {
        self.refuses && self.in_silence
    }

    /// A batch begins. `true`: its time is to be told.
    pub fn batch_begins(&mut self, listener: usize, age_ms: u64) -> bool {
        // Nobody waits that long for an answer: the clock was set.
        let age_ms = if age_ms > QUEUE_AGE_MS_BELIEVED { 0 } else { age_ms };
        self.age_ms = self.age_ms.max(age_ms);
        let Some(is_behind) = self.listeners.get_mut(listener).filter(|_| self.age_ms_max > 0) else {
            return false;
        };
        // It was behind until the queue is half as old: at the border it would be one thing and the other in turns.
        let limit_ms = if *is_behind { self.age_ms_max / 2 } else { self.age_ms_max };
        *is_behind = age_ms > limit_ms;
        self.in_silence = age_ms > QUEUE_AGE_MS_SILENT;
        self.refuses = *is_behind && self.refusing_ns.saturating_mul(REFUSAL_TIME_SHARE) <= self.all_ns;
        *is_behind
    }

    /// A batch has ended, after so long. Said of those while behind.
    pub fn batch_ended(&mut self, took_ns: u64) {
        self.all_ns = self.all_ns.saturating_add(took_ns);
        if std::mem::take(&mut self.refuses) {
            self.refusing_ns = self.refusing_ns.saturating_add(took_ns);
        }
        // What was long ago counts less and less.
        if self.all_ns > REFUSAL_TIME_NS_MEMORY {
            self.all_ns /= 2;
            self.refusing_ns /= 2;
        }
    }

    /// The greatest age of the turn, which ends.
    pub fn take_age_ms(&mut self) -> u64 {
        std::mem::take(&mut self.age_ms)
    }
}
