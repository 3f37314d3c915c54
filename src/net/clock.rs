//! Outside. The only clock of the server's traffic.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::engine::Now;

#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(super) fn now(&self) -> Now {
        // A wall clock before 1970 is as good as none.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            unix_s: i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX),
        }
    }
}
