//! Outside. How far the end of a loop has come.
//!
//! In:    orders, the time, whether all that was taken is answered.
//! Out:   what the loop does next; when it is over.
//! Never: waits without end: each stage has its bound.

use crate::limits::{LINGER_MS_MAX, LOOKUP_MS_MAX};

/// The stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// There is no end in sight.
    #[default]
    Serving,
    /// Another process takes what comes.
    Released,
    /// What is here is answered, until this moment.
    Answering { by_ms: u64 },
    /// The connections end, until this moment.
    Closing { by_ms: u64 },
}

/// What the loop is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    /// End the connections, and go on.
    EndConnections,
    Return,
}

impl Ending {
    /// Another process takes what comes.
    pub(super) fn release(&mut self) {
        if *self == Self::Serving {
            *self = Self::Released;
        }
    }

    /// Those who wait for DNS have at most this long to wait anyway; traffic without end is left then.
    pub(super) fn stop(&mut self, now_ms: u64) {
        if matches!(self, Self::Serving | Self::Released) {
            *self = Self::Answering { by_ms: now_ms.saturating_add(LOOKUP_MS_MAX) };
        }
    }

    /// When the stage is over at the latest.
    pub(super) fn by_ms(&self) -> Option<u64> {
        match self {
            Self::Serving | Self::Released => None,
            Self::Answering { by_ms } | Self::Closing { by_ms } => Some(*by_ms),
        }
    }

    /// After a turn. `at_rest`: all that was taken is answered. `alone`: there is no connection.
    pub(super) fn next(&mut self, at_rest: bool, alone: bool, now_ms: u64) -> Next {
        let late = self.by_ms().is_some_and(|by_ms| by_ms <= now_ms);
        match self {
            Self::Released if at_rest && alone => Next::Return,
            Self::Answering { .. } if (at_rest || late) && alone => Next::Return,
            Self::Answering { .. } if at_rest || late => {
                *self = Self::Closing { by_ms: now_ms.saturating_add(LINGER_MS_MAX) };
                Next::EndConnections
            }
            Self::Closing { .. } if alone || late => Next::Return,
            _ => Next::GoOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_connections_it_is_over_when_all_is_answered_or_its_time_is_over() {
        let mut ending = Ending::default();
        assert_eq!((ending.next(true, true, 5), ending.by_ms()), (Next::GoOn, None));
        ending.stop(10);
        assert_eq!(ending.by_ms(), Some(10 + LOOKUP_MS_MAX));
        ending.stop(400);
        assert_eq!(ending.by_ms(), Some(10 + LOOKUP_MS_MAX), "told twice is told once");
        assert_eq!(ending.next(false, true, 9 + LOOKUP_MS_MAX), Next::GoOn);
        assert_eq!(ending.next(true, true, 9 + LOOKUP_MS_MAX), Next::Return);
        assert_eq!(ending.next(false, true, 10 + LOOKUP_MS_MAX), Next::Return);
    }

    #[test]
    fn connections_end_after_the_answers_and_are_not_waited_for_without_end() {
        for (at_rest, at_ms) in [(true, 20), (false, 10 + LOOKUP_MS_MAX)] {
            let mut ending = Ending::default();
            ending.stop(10);
            assert_eq!(ending.next(at_rest, false, at_ms), Next::EndConnections);
            assert_eq!(ending.next(at_rest, false, at_ms), Next::GoOn);
            assert_eq!(ending.clone().next(false, true, at_ms), Next::Return);
            assert_eq!(ending.next(true, false, at_ms + LINGER_MS_MAX), Next::Return);
        }
    }

    #[test]
    fn once_released_it_ends_with_its_last_connection_or_when_told_to() {
        let mut ending = Ending::default();
        ending.release();
        assert_eq!(ending.next(true, false, u64::MAX), Next::GoOn);
        assert_eq!(ending.next(false, true, u64::MAX), Next::GoOn, "somebody waits for DNS");
        assert_eq!(ending.clone().next(true, true, 10), Next::Return);
        ending.stop(10);
        ending.release();
        assert_eq!(ending.next(true, false, 10), Next::EndConnections);
    }
}
