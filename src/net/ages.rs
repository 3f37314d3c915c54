//! Outside, and a function of its arguments. How long datagrams have waited in their socket, by the wall clock, which may be
//! set meanwhile.
//!
//! In:    the kernel's time stamp, both clocks.
//! Out:   an age; 0 while the wall clock is not to be believed.
//! Never: takes the step of a clock for a queue.

use std::time::Duration;

use crate::limits::{CLOCK_DISTRUST_MS, CLOCK_STEP_MS};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    /// Since 1970.
    pub(super) wall: Duration,
    /// Since the start; it is never set.
    pub(super) steady: Duration,
}

/// See the file's first lines.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// The last reading.
    before: Option<Clocks>,
    /// On the steady clock.
    distrusted_until: Duration,
}

impl Ages {
    /// How long ago the datagram with this stamp (since 1970) came, in milliseconds. What had its stamp before the wall
    /// clock was set, has left the socket when it is believed again.
    pub(super) fn age_ms(&mut self, stamp: Duration, now: Clocks) -> u64 {
        self.note(now);
        if now.steady < self.distrusted_until {
            return 0;
        }
        u64::try_from(now.wall.saturating_sub(stamp).as_millis()).unwrap_or(u64::MAX)
    }

    /// Sees whether the wall clock was set since the last time. The clocks drift apart by and by, so it is to be told often.
    pub(super) fn note(&mut self, now: Clocks) {
        let step = self.before.replace(now).map_or(Duration::ZERO, |before| {
            // By how much more or less the one has moved than the other.
            (now.wall + before.steady).abs_diff(before.wall + now.steady)
        });
        if step > Duration::from_millis(CLOCK_STEP_MS) {
            self.distrusted_until = now.steady + Duration::from_millis(CLOCK_DISTRUST_MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(CLOCK_STEP_MS);

    fn seconds(wall: u64, steady: u64) -> Clocks {
        Clocks { wall: Duration::from_secs(wall), steady: Duration::from_secs(steady) }
    }

    #[test]
    fn an_age_is_what_the_wall_clock_says_and_never_negative() {
        let mut ages = Ages::default();
        assert_eq!(ages.age_ms(Duration::from_millis(999_900), seconds(1000, 1)), 100);
        assert_eq!(ages.age_ms(Duration::from_millis(1_001_900), seconds(1002, 3)), 100);
        assert_eq!(ages.age_ms(Duration::MAX, seconds(1003, 4)), 0);
        assert_eq!(ages.age_ms(Duration::ZERO, seconds(1004, 5)), 1_004_000);
    }

    #[test]
    fn a_clock_that_is_set_is_not_believed_for_a_while() {
        for after in [500, 1500] {
            let mut ages = Ages::default();
            ages.age_ms(Duration::from_secs(1000), seconds(1000, 1));
            let stamp = Duration::from_secs(after - 60);
            let at = |steady_ms: u64| Clocks {
                wall: Duration::from_secs(after),
                steady: Duration::from_millis(steady_ms),
            };
            assert_eq!(ages.age_ms(stamp, at(1000)), 0, "set to {after}");
            let mut ages = Ages { before: Some(at(1000)), distrusted_until: ages.distrusted_until };
            assert_eq!(ages.age_ms(stamp, at(999 + CLOCK_DISTRUST_MS / 10)), 0);
            let until = 1000 + CLOCK_DISTRUST_MS;
            ages.before = Some(at(until - 1));
            assert_eq!(ages.age_ms(stamp, at(until - 1)), 0);
            assert_eq!(ages.age_ms(stamp, at(until)), 60_000);
        }
    }

    #[test]
    fn a_clock_that_is_put_right_slowly_is_believed() {
        let begin = seconds(1000, 1);
        for (by, is_believed) in [(STEP, true), (STEP + Duration::from_millis(1), false)] {
            let mut ages = Ages::default();
            ages.age_ms(begin.wall, begin);
            let later = Clocks { wall: begin.wall + by, ..begin };
            let age_ms = ages.age_ms(begin.wall, later);
            assert_eq!(age_ms, if is_believed { CLOCK_STEP_MS } else { 0 });
        }
    }
}
