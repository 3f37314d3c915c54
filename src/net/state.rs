//! Outside. What is known of a socket whose readiness is told once, and what that means for the
//! loop's sleep.

use std::time::Duration;

use crate::limits::RECEIVE_TROUBLE_PAUSE_MS;

/// What is known of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was read until it was empty: the next event tells of more.
    Empty,
    /// There may be more.
    Readable,
    /// It gave an error when last read in this turn: there may be more, or more errors.
    Troubled,
}

/// What the sockets want of the next turn, the more urgent the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressing {
    /// Nothing before the next event.
    Nothing,
    /// Another try after [`RECEIVE_TROUBLE_PAUSE_MS`].
    Pause,
    /// A turn at once.
    Now,
}

impl From<State> for Pressing {
    fn from(state: State) -> Self {
        match state {
            State::Empty => Self::Nothing,
            State::Readable => Self::Now,
            State::Troubled => Self::Pause,
        }
    }
}

/// How long the loop may sleep; `None`: until something comes.
pub(super) fn sleep_for(pressing: Pressing, until_ms: Option<u64>, now_ms: u64) -> Option<Duration> {
    if pressing == Pressing::Now {
        return Some(Duration::ZERO);
    }
    // What was due has been dealt with, so a moment that is over is not worth a spin.
    let timer_ms = until_ms.map(|until_ms| until_ms.saturating_sub(now_ms).max(1));
    let pause_ms = (pressing == Pressing::Pause).then_some(RECEIVE_TROUBLE_PAUSE_MS);
    timer_ms.into_iter().chain(pause_ms).min().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_loop_sleeps_until_something_comes() {
        assert_eq!(sleep_for(Pressing::Nothing, None, 1000), None);
    }

    #[test]
    fn a_loop_with_work_left_does_not_sleep() {
        assert_eq!(sleep_for(Pressing::Now, None, 1000), Some(Duration::ZERO));
        assert_eq!(sleep_for(Pressing::Now, Some(2000), 1000), Some(Duration::ZERO));
    }

    #[test]
    fn the_most_urgent_socket_decides() {
        let states = [State::Empty, State::Troubled, State::Readable];
        let pressing = states.map(Pressing::from);
        assert_eq!(pressing, [Pressing::Nothing, Pressing::Pause, Pressing::Now]);
        assert!(pressing.is_sorted());
    }

    #[test]
    fn a_sleep_ends_at_the_first_timer_and_never_spins() {
        let sleep = |until_ms| sleep_for(Pressing::Nothing, Some(until_ms), 1000);
        assert_eq!(sleep(1400), Some(Duration::from_millis(400)));
        assert_eq!(sleep(1001), Some(Duration::from_millis(1)));
        assert_eq!(sleep(1000), Some(Duration::from_millis(1)));
        assert_eq!(sleep(0), Some(Duration::from_millis(1)));
        let pause = Duration::from_millis(RECEIVE_TROUBLE_PAUSE_MS);
        assert_eq!(sleep_for(Pressing::Pause, Some(1400), 1000), Some(pause));
        assert_eq!(sleep_for(Pressing::Pause, Some(1001), 1000), Some(Duration::from_millis(1)));
        assert_eq!(sleep_for(Pressing::Pause, None, 1000), Some(pause));
    }
}
