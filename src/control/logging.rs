//! Outside. Log lines to stderr, for people or as JSON.
//!
//! In:    what the server tells, and what its libraries do; the level, which may change while it runs.
//! Out:   lines of that level.
//! Never: a line above debug that a packet of a stranger caused: libraries that see packets are
//! heard only by whoever asks for debug or trace.

use std::{
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex},
};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Registry, filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _, registry, reload,
};

use super::lock::lock;
use crate::config::{Log, LogFormat, LogLevel};

/// What the names of all crates of the DNS library begin with. They warn of each answer that is
/// short, or not the one expected: whoever sends packets to our DNS sockets would write our log.
const DNS_LIBRARY: &str = "hickory";

/// The level of the lines that are logged. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Level {
    filter: reload::Handle<Targets, Registry>,
    now: Arc<Mutex<LogLevel>>,
    configured: LogLevel,
}

type Filter = reload::Layer<Targets, Registry>;

impl Level {
    /// A level, and what filters by it.
    fn of(level: LogLevel) -> (Self, Filter) {
        let (layer, filter) = reload::Layer::new(targets(level));
        (Self { filter, now: Arc::new(Mutex::new(level)), configured: level }, layer)
    }

    /// The level now.
    #[must_use]
    pub fn now(&self) -> LogLevel {
        *lock(&self.now)
    }

    /// The level of the configuration, which holds again after a start.
    #[must_use]
    pub fn configured(&self) -> LogLevel {
        self.configured
    }

    /// Logs lines of this level from now on. `false`: nobody logs any more.
    pub fn set(&self, level: LogLevel) -> bool {
        let mut now = lock(&self.now);
        let is_set = self.filter.reload(targets(level)).is_ok();
        if is_set {
            *now = level;
        }
        is_set
    }
}

/// Sets logging up for the process. A second call changes nothing.
pub fn start(log: Log) -> Level {
    let coloured = io::stderr().is_terminal() && colours_wanted();
    let (level, filter) = Level::of(log.level);
    // An error means that a subscriber is there already: that of a test, as a rule.
    let _ = match log.format {
        LogFormat::Human => tracing::subscriber::set_global_default(human(filter, coloured, io::stderr)),
        LogFormat::Json => tracing::subscriber::set_global_default(json(filter, io::stderr)),
    };
    level
}

/// Whether nobody said that they want no colours (<https://no-color.org>: set and not empty).
pub(crate) fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn human(
    filter: Filter,
    coloured: bool,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_ansi(coloured).with_writer(writer);
    registry().with(filter).with(lines)
}

fn json(
    filter: Filter,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let lines = tracing_subscriber::fmt::layer().with_target(false).json().flatten_event(true);
    registry().with(filter).with(lines.with_writer(writer))
}

fn targets(level: LogLevel) -> Targets {
    let (level, library) = match level {
        LogLevel::Error => (LevelFilter::ERROR, LevelFilter::OFF),
        LogLevel::Warn => (LevelFilter::WARN, LevelFilter::OFF),
        LogLevel::Info => (LevelFilter::INFO, LevelFilter::OFF),
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::DEBUG),
        LogLevel::Trace => (LevelFilter::TRACE, LevelFilter::TRACE),
    };
    Targets::new().with_default(level).with_target(DNS_LIBRARY, library)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A writer that keeps what is written.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn writer(&self) -> impl for<'w> MakeWriter<'w> + Send + Sync + use<> {
            let kept = self.clone();
            move || kept.clone()
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// The words logged at this level.
    fn logged(level: LogLevel) -> Vec<String> {
        let kept = Kept::default();
        tracing::subscriber::with_default(human(Level::of(level).1, false, kept.writer()), || {
            tracing::error!("ours-error");
            tracing::info!("ours-info");
            tracing::debug!("ours-debug");
            tracing::trace!("ours-trace");
            tracing::error!(target: "hickory_net::udp", "theirs-error");
            tracing::warn!(target: "hickory_resolver", "theirs-warn");
            tracing::debug!(target: "hickory_proto::op", "theirs-debug");
        });
        kept.text().lines().filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect()
    }

    #[test]
    fn the_dns_library_is_heard_from_debug_on() {
        assert_eq!(logged(LogLevel::Error), ["ours-error"]);
        assert_eq!(logged(LogLevel::Warn), ["ours-error"]);
        assert_eq!(logged(LogLevel::Info), ["ours-error", "ours-info"]);
        let theirs = ["theirs-error", "theirs-warn", "theirs-debug"];
        assert_eq!(
            logged(LogLevel::Debug),
            [&["ours-error", "ours-info", "ours-debug"][..], &theirs].concat()
        );
        let ours = ["ours-error", "ours-info", "ours-debug", "ours-trace"];
        assert_eq!(logged(LogLevel::Trace), [&ours[..], &theirs].concat());
    }

    #[test]
    fn the_level_changes_while_lines_are_logged() {
        let kept = Kept::default();
        let (level, filter) = Level::of(LogLevel::Warn);
        tracing::subscriber::with_default(human(filter, false, kept.writer()), || {
            let says = |what: &str| {
                tracing::info!("{what}-info");
                tracing::debug!("{what}-debug");
            };
            says("before");
            assert!(level.set(LogLevel::Debug));
            says("more");
            assert!(level.clone().set(LogLevel::Info));
            says("less");
        });
        let text = kept.text();
        let words: Vec<_> = text.lines().filter_map(|line| line.split(' ').next_back()).collect();
        assert_eq!(words, ["more-info", "more-debug", "less-info"]);
        assert_eq!((level.now(), level.configured()), (LogLevel::Info, LogLevel::Warn));
        assert!(!level.set(LogLevel::Error), "the subscriber is gone");
        assert_eq!(level.now(), LogLevel::Info);
    }

    #[test]
    fn a_line_of_json_is_flat() {
        let kept = Kept::default();
        tracing::subscriber::with_default(json(Level::of(LogLevel::Info).1, kept.writer()), || {
            tracing::info!(generation = 2, "routes reloaded");
            tracing::warn!(target: "hickory_net::udp", "short message");
        });
        let line: serde_json::Value = serde_json::from_str(&kept.text()).unwrap();
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"routes reloaded".into()));
        assert_eq!(line["generation"], 2);
        assert_eq!(line.get("target"), None);
    }
}
