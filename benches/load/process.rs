//! Memory and processor time of another process, from /proc.

use std::{
    fs::{read_dir, read_to_string},
    path::PathBuf,
};

/// Ticks of /proc/PID/stat in a second: fixed by Linux for user space (`USER_HZ`).
const TICKS_PER_S: f64 = 100.0;

#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) rss_kib: u64,
    pub(crate) cpu_s: f64,
    /// Of each thread: its id, and how long it has had a processor.
    threads: Vec<(String, u64)>,
}

impl Sample {
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}; is {pid} running?"))
        };
        let (status, stat) = (read("status")?, read("stat")?);
        let rss_kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
            .ok_or_else(|| format!("process {pid} has no memory: it has ended"))?;
        // The name of the program, in parentheses, may hold anything: the fields come after it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).ok_or("/proc/PID/stat is not as expected")?;
        Ok(Self { rss_kib, cpu_s: (user + system) / TICKS_PER_S, threads: threads(pid) })
    }

    /// Of the thread that had most since `before`: the one that answers. In nanoseconds, from the scheduler:
    /// `cpu_s` has steps of 10 ms.
    pub(crate) fn thread_ns_since(&self, before: &Self) -> u64 {
        let had = |id: &str| before.threads.iter().find(|(other, _)| other == id).map_or(0, |(_, ns)| *ns);
        self.threads.iter().map(|(id, ns)| ns.saturating_sub(had(id))).max().unwrap_or_default()
    }
}

/// A kernel without schedstat has no threads here.
fn threads(pid: u32) -> Vec<(String, u64)> {
    thread_files(pid)
        .filter_map(|(id, path)| {
            let stat = read_to_string(path).ok()?;
            Some((id, stat.split_whitespace().next()?.parse().ok()?))
        })
        .collect()
}

/// Of each thread: its id, and /proc/PID/task/ID/schedstat, which says for how long it ran and waited to run.
pub(crate) fn thread_files(pid: u32) -> impl Iterator<Item = (String, PathBuf)> {
    read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(|task| {
        let path = task.ok()?.path();
        Some((path.file_name()?.to_str()?.to_owned(), path.join("schedstat")))
    })
}
