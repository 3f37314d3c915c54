//! Outside. The only clock of the server's traffic.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::ages::Clocks;
use crate::engine::Now;

#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// Between its turns, so far, and when it last was not.
    asleep: Duration,
    awake: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), asleep: Duration::ZERO, awake: Duration::ZERO }
    }

    /// How long the loop has worked so far. Asked at the end of each turn, before it may sleep.
    pub(super) fn busy(&mut self) -> Duration {
        self.awake = self.started.elapsed();
        self.awake.saturating_sub(self.asleep)
    }

    /// It has slept since [`Clock::busy`] was asked.
    pub(super) fn slept(&mut self) {
        self.asleep = self.asleep.saturating_add(self.started.elapsed().saturating_sub(self.awake));
    }

    /// Both clocks, for [`super::ages`].
    pub(super) fn both(&self) -> Clocks {
        Clocks { wall: wall(), steady: self.started.elapsed() }
    }

    pub(super) fn now(&self) -> Now {
        self.both().into()
    }
}

impl From<Clocks> for Now {
    fn from(Clocks { wall, steady }: Clocks) -> Self {
        Self {
            ms: u64::try_from(steady.as_millis()).unwrap_or(u64::MAX),
            unix_s: i64::try_from(wall.as_secs()).unwrap_or(i64::MAX),
        }
    }
}

/// Time since 1970. A wall clock before that is as good as none.
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_no_work() {
        let mut clock = Clock::start();
        let before = clock.busy();
        std::thread::sleep(Duration::from_millis(20));
        clock.slept();
        // All of the sleep is taken off, and no more than the clock has run.
        assert!(clock.asleep >= Duration::from_millis(20));
        let after = clock.busy();
        assert!(after >= before && after <= clock.started.elapsed() - clock.asleep);
    }

    #[test]
    fn a_turn_without_sleep_is_all_work() {
        let mut clock = Clock::start();
        let (first, second) = (clock.busy(), clock.busy());
        assert!(second >= first && clock.asleep == Duration::ZERO);
    }
}
