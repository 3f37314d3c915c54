//! Outside. How far the reading of a long file is, told now and then.

use std::time::{Duration, Instant};

use crate::limits::PROGRESS_MS;

/// Watches the reading of files.
pub trait Watcher {
    /// A file of so many bytes is opened.
    fn begins(&mut self, path: &str, bytes: u64);
    /// So many bytes of it have been read, and so many rows found.
    fn at(&mut self, bytes: u64, rows: u64);
    /// It has been read to its end; the table is made of its rows.
    fn read(&mut self);
    /// The table is made.
    fn ends(&mut self);
}

/// Writes a line to the log every few seconds.
#[derive(Debug)]
pub struct LogWatcher {
    path: String,
    bytes: u64,
    began: Instant,
    told: Instant,
    rows: u64,
}

impl Default for LogWatcher {
    fn default() -> Self {
        let now = Instant::now();
        Self { path: String::new(), bytes: 0, began: now, told: now, rows: 0 }
    }
}

impl Watcher for LogWatcher {
    fn begins(&mut self, path: &str, bytes: u64) {
        let now = Instant::now();
        *self = Self { path: path.to_owned(), bytes, began: now, told: now, rows: 0 };
    }

    fn at(&mut self, bytes: u64, rows: u64) {
        self.rows = rows;
        let now = Instant::now();
        if now.duration_since(self.told) < Duration::from_millis(PROGRESS_MS) {
            return;
        }
        self.told = now;
        let Pace { percent, rows_per_s, remaining_s } =
            pace(now.duration_since(self.began), bytes, self.bytes, rows);
        tracing::info!(file = %self.path, percent, rows, rows_per_s, remaining_s, "reading a table");
    }

    fn read(&mut self) {}

    fn ends(&mut self) {
        let spent = self.began.elapsed();
        // Short loads are not worth a line.
        if spent >= Duration::from_millis(PROGRESS_MS) {
            tracing::info!(file = %self.path, rows = self.rows, seconds = spent.as_secs(), "table read");
        }
    }
}

/// How fast it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Of the file.
    pub percent: u64,
    /// Rows in a second.
    pub rows_per_s: u64,
    /// Seconds until the end of the file.
    pub remaining_s: u64,
}

/// The pace of reading `bytes` of `bytes_all` with `rows` rows in `spent`.
#[must_use]
pub fn pace(spent: Duration, bytes: u64, bytes_all: u64, rows: u64) -> Pace {
    let spent_ms = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX).max(1);
    let of = |part: u64, by: u64, all: u64| {
        let result = u128::from(part) * u128::from(by) / u128::from(all.max(1));
        u64::try_from(result).unwrap_or(u64::MAX)
    };
    Pace {
        percent: of(bytes, 100, bytes_all).min(100),
        rows_per_s: of(rows, 1000, spent_ms),
        remaining_s: of(bytes_all.saturating_sub(bytes), spent_ms, bytes) / 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_so_far() {
        let pace = |ms, bytes, all, rows| pace(Duration::from_millis(ms), bytes, all, rows);
        assert_eq!(pace(2_000, 25, 100, 5_000), Pace { percent: 25, rows_per_s: 2_500, remaining_s: 6 });
        assert_eq!(pace(0, 0, 0, 0), Pace { percent: 0, rows_per_s: 0, remaining_s: 0 });
        assert_eq!(pace(1, 200, 100, u64::MAX), Pace { percent: 100, rows_per_s: u64::MAX, remaining_s: 0 });
    }
}
