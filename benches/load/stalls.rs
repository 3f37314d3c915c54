//! When the machine stood still: calls that were under way then say how long that took, and nothing about the server.
//!
//! In:    looks at the clock, from a loop that never sleeps; what the scheduler says of the server's thread.
//! Out:   the latencies of all other calls.
//! Never: leaves out a call for its own latency.

use std::{fs::File, os::unix::fs::FileExt, path::PathBuf};

use crate::{flow::Histogram, process::thread_files};

/// Between two looks, or that the server's thread waited for a processor within a [`SLICE_NS`]: longer is a stall. What
/// the loop does between two looks, 64 datagrams at most, takes half of it.
pub(crate) const STALL_NS: u64 = 200_000;
/// Answers are kept for so long, until the scheduler has been asked.
pub(crate) const SLICE_NS: u64 = 1_000_000;
/// After so long it is clear which thread answers.
pub(crate) const KNOWN_AFTER_NS: u64 = 20_000_000;

/// So many, and how long they took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) times: u64,
    pub(crate) ns: u64,
}

impl Count {
    fn add(&mut self, ns: u64) {
        self.times += 1;
        self.ns += ns;
    }
}

/// All times are nanoseconds since the beginning of the run.
#[derive(Debug)]
pub(crate) struct Stalls {
    waits: Waits,
    looked_ns: u64,
    slice_ends_ns: u64,
    /// Calls that were sent earlier were under way in a stall, or behind what had piled up in it.
    clear_from_ns: u64,
    /// Latencies of this slice.
    kept: Vec<u64>,
    pub(crate) clear: Histogram,
    /// Answers that are not in `clear`.
    pub(crate) stalled: u64,
    /// Of the generator.
    pub(crate) own: Count,
    /// Of the server.
    pub(crate) server: Count,
}

impl Stalls {
    pub(crate) fn new(waits: Waits) -> Self {
        Self {
            waits,
            looked_ns: 0,
            slice_ends_ns: SLICE_NS,
            clear_from_ns: 0,
            kept: Vec::with_capacity(4096),
            clear: Histogram::default(),
            stalled: 0,
            own: Count::default(),
            server: Count::default(),
        }
    }

    /// To be called whenever the loop knows the time.
    pub(crate) fn look(&mut self, now_ns: u64) {
        let gap_ns = now_ns.saturating_sub(self.looked_ns);
        self.looked_ns = self.looked_ns.max(now_ns);
        if gap_ns > STALL_NS {
            self.own.add(gap_ns);
            self.not_clear_until(now_ns + gap_ns);
        }
        if now_ns >= self.slice_ends_ns {
            self.settle(now_ns);
        }
    }

    /// An answer came; the look at the clock was before.
    pub(crate) fn answered(&mut self, sent_ns: u64, latency_ns: u64) {
        if sent_ns < self.clear_from_ns {
            self.stalled += 1;
        } else {
            self.kept.push(latency_ns);
        }
    }

    /// What was kept is clear, unless the server's thread waited for a processor meanwhile.
    pub(crate) fn settle(&mut self, now_ns: u64) {
        self.slice_ends_ns = now_ns + SLICE_NS;
        let waited_ns = self.waits.since_last(now_ns);
        if waited_ns > STALL_NS {
            self.server.add(waited_ns);
            self.stalled += self.kept.len() as u64;
            self.not_clear_until(now_ns + waited_ns);
        } else {
            for latency_ns in &self.kept {
                self.clear.count(*latency_ns);
            }
        }
        self.kept.clear();
    }

    /// Prints what is clear, and what was left out.
    pub(crate) fn report(&self) {
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            println!("clear_us_{name} {:.1}", self.clear.share_ns(share) as f64 / 1000.0);
        }
        println!("stalled {}", self.stalled);
        for (name, count) in [("sender", self.own), ("server", self.server)] {
            println!("{name}_stalls {}\n{name}_stalls_us {}", count.times, count.ns / 1000);
        }
    }

    /// At half load, what piled up in a stall is worked off in as much time again.
    fn not_clear_until(&mut self, ns: u64) {
        self.clear_from_ns = self.clear_from_ns.max(ns);
    }
}

/// How long the thread that answers was ready to run and had no processor, by /proc/PID/task/*/schedstat.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Until it is known which: all of the process, each with how long it had run at the beginning.
    candidates: Vec<(File, u64)>,
    thread: Option<File>,
    waited_ns: u64,
}

impl Waits {
    /// Of no thread, when there is no such process or the kernel does not say.
    pub(crate) fn of(pid: u32) -> Self {
        Self::by(thread_files(pid).map(|(_, path)| path))
    }

    /// One file for each thread.
    pub(crate) fn by(files: impl Iterator<Item = PathBuf>) -> Self {
        let candidates = files
            .filter_map(|path| {
                let file = File::open(path).ok()?;
                let (ran_ns, _) = ran_and_waited(&file)?;
                Some((file, ran_ns))
            })
            .collect();
        Self { candidates, ..Self::default() }
    }

    fn since_last(&mut self, now_ns: u64) -> u64 {
        if self.thread.is_none() && now_ns >= KNOWN_AFTER_NS {
            let ran_ns = |(file, before): &(File, u64)| {
                ran_and_waited(file).map_or(0, |(ran_ns, _)| ran_ns.saturating_sub(*before))
            };
            self.thread = self.candidates.drain(..).max_by_key(ran_ns).map(|(file, _)| file);
            self.waited_ns =
                self.thread.as_ref().and_then(ran_and_waited).map_or(0, |(_, waited_ns)| waited_ns);
        }
        let Some((_, waited_ns)) = self.thread.as_ref().and_then(ran_and_waited) else {
            return 0;
        };
        waited_ns - std::mem::replace(&mut self.waited_ns, waited_ns).min(waited_ns)
    }
}

fn ran_and_waited(file: &File) -> Option<(u64, u64)> {
    let mut text = [0; 64];
    let len = file.read_at(&mut text, 0).ok()?;
    let mut fields = std::str::from_utf8(text.get(..len)?).ok()?.split_whitespace().map(str::parse);
    fields.next()?.ok().zip(fields.next()?.ok())
}
