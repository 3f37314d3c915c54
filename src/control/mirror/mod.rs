//! Outside. Those who look on: HEP3 for Homer, the log of decisions, the top talkers.
//!
//! In:    copies of some messages with what became of them, from the taps of all loops.
//! Out:   UDP packets, log lines, counts.
//! Never: makes a loop wait. The one thread here may be behind, or stand still when nobody reads the log: then the
//!        taps drop, and count it.

mod call;
mod decision;
mod escape;
mod frequent;
mod hep;
mod redact;
mod sender;
mod top;

use std::{
    io,
    num::NonZeroU32,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

pub use sender::HepNumbers;
pub use top::{Top, TopCount, TopTold};

use crate::{
    config::{Config, Decisions},
    limits::TAP_PAUSE_MS,
    net::{Next, Outlet, Record, Sampling, Tap, taps},
    sip::HeaderIndex,
};
use call::Call;
use decision::DecisionLog;
use sender::HepSender;

/// The thread of those who look on.
#[derive(Debug)]
pub struct Mirror {
    thread: Option<JoinHandle<()>>,
    top: Arc<Top>,
    hep: Arc<HepNumbers>,
}

/// What the thread works with.
#[derive(Debug)]
struct Onlookers {
    hep: Option<(NonZeroU32, HepSender)>,
    decisions: Option<(NonZeroU32, DecisionLog)>,
    top: Arc<Top>,
    index: HeaderIndex,
}

impl Mirror {
    /// Starts what the configuration asks for, with a tap for each worker; none, when it asks for nothing.
    pub fn start(config: &Config, workers: usize) -> io::Result<(Self, Vec<Tap>)> {
        let numbers = Arc::new(HepNumbers::default());
        let top = Arc::new(Top::new(config.top_one_in));
        let sender = |hep| HepSender::new(hep, Arc::clone(&numbers)).map(|sender| (hep.one_in, sender));
        let log = |decisions: Decisions| (decisions.one_in, DecisionLog::new(decisions, config.settings.key));
        let onlookers = Onlookers {
            hep: config.hep.as_ref().map(sender).transpose()?,
            decisions: config.log.decisions.map(log),
            top: Arc::clone(&top),
            index: HeaderIndex::new(),
        };
        let mut mirror = Self { thread: None, top, hep: numbers };
        let sampling =
            Sampling { key: config.settings.key, calls: onlookers.densest(), messages: config.top_one_in };
        let Some((taps, outlet)) = taps(workers, sampling) else { return Ok((mirror, Vec::new())) };
        let named = thread::Builder::new().name("mirror".to_owned());
        mirror.thread = Some(named.spawn(move || onlookers.run(&outlet))?);
        Ok((mirror, taps))
    }

    /// The top talkers.
    #[must_use]
    pub fn top(&self) -> Arc<Top> {
        Arc::clone(&self.top)
    }

    /// What was sent to Homer.
    #[must_use]
    pub fn hep(&self) -> Arc<HepNumbers> {
        Arc::clone(&self.hep)
    }

    /// Waits until all is shown that the loops, which have ended, had to show.
    pub fn finish(self) {
        if self.thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the mirror thread had ended before: a bug, please report it");
        }
    }
}

impl Onlookers {
    /// What the taps sample: each of us takes its share of it.
    fn densest(&self) -> Option<NonZeroU32> {
        let hep = self.hep.as_ref().map(|(one_in, _)| *one_in);
        let decisions = self.decisions.as_ref().map(|(one_in, _)| *one_in);
        hep.into_iter().chain(decisions).min()
    }

    fn run(mut self, outlet: &Outlet) {
        let mut seen = 0_u64;
        loop {
            match outlet.next() {
                Next::Record(record) => {
                    self.look_at(&record);
                    outlet.give_back(record);
                    seen += 1;
                }
                Next::Nothing if seen == 0 => outlet.wait(),
                // While we are awake, no loop has to wake us.
                Next::Nothing => {
                    seen = 0;
                    thread::sleep(Duration::from_millis(TAP_PAUSE_MS));
                }
                Next::Ended => return,
            }
        }
    }

    fn look_at(&mut self, record: &Record) {
        let call = Call::read(record.request(), record.path().transport, &mut self.index);
        if let Some((one_in, hep)) = &mut self.hep
            && record.is_one_in(*one_in)
        {
            hep.show(record);
        }
        if let Some((one_in, log)) = &self.decisions
            && record.is_one_in(*one_in)
        {
            log.write(record, &call);
        }
        if record.is_counted() {
            self.top.count(record.path().source.ip(), &call);
        }
    }
}
