//! Outside. How far `compile` is: a bar for a person who watches, lines for a log.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    cli::output,
    control::tables::progress::{Pace, Watcher, pace},
    limits::PROGRESS_MS,
};

/// A bar when stderr is a terminal, else lines.
pub(super) fn watcher() -> Box<dyn Watcher> {
    if std::io::stderr().is_terminal() {
        Box::new(Bar { bar: ProgressBar::hidden(), bytes: 0, began: Instant::now() })
    } else {
        Box::new(Lines {
            path: String::new(),
            bytes: 0,
            began: Instant::now(),
            told: Instant::now(),
            rows: 0,
        })
    }
}

struct Bar {
    bar: ProgressBar,
    bytes: u64,
    began: Instant,
}

/// Time after which a pace is told.
const SETTLED: Duration = Duration::from_millis(500);

const BAR: &str = "{prefix} [{wide_bar}] {percent}% {msg}";
const SORTING: &str = "{prefix} {spinner} {msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Watcher for Bar {
    fn begins(&mut self, path: &str, bytes: u64) {
        self.bytes = bytes;
        self.began = Instant::now();
        self.bar = ProgressBar::new(bytes).with_style(style(BAR)).with_prefix(path.to_owned());
    }

    fn at(&mut self, bytes: u64, rows: u64) {
        self.bar.set_position(bytes);
        let spent = self.began.elapsed();
        // The first pieces say little of the pace.
        if spent >= SETTLED {
            let Pace { rows_per_s, remaining_s, .. } = pace(spent, bytes, self.bytes, rows);
            self.bar.set_message(format!("{rows} rows, {rows_per_s}/s, {remaining_s} s left"));
        }
    }

    fn read(&mut self) {
        self.bar.set_style(style(SORTING));
        self.bar.set_message("putting the rows in order");
        self.bar.tick();
    }

    fn ends(&mut self) {
        self.bar.finish_and_clear();
    }
}

struct Lines {
    path: String,
    bytes: u64,
    began: Instant,
    told: Instant,
    rows: u64,
}

impl Watcher for Lines {
    fn begins(&mut self, path: &str, bytes: u64) {
        let now = Instant::now();
        *self = Self { path: path.to_owned(), bytes, began: now, told: now, rows: 0 };
    }

    fn at(&mut self, bytes: u64, rows: u64) {
        self.rows = rows;
        if self.told.elapsed() < Duration::from_millis(PROGRESS_MS) {
            return;
        }
        self.told = Instant::now();
        let Pace { percent, rows_per_s, remaining_s } = pace(self.began.elapsed(), bytes, self.bytes, rows);
        let path = &self.path;
        output::stderr(&format!("{path}: {percent}%, {rows} rows, {rows_per_s}/s, {remaining_s} s left"));
    }

    fn read(&mut self) {
        if self.began.elapsed() >= Duration::from_millis(PROGRESS_MS) {
            output::stderr(&format!("{}: {} rows read; putting them in order", self.path, self.rows));
        }
    }

    fn ends(&mut self) {}
}
