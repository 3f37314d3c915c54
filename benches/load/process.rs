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
    threads: Vec<Thread>,
}

#[derive(Clone, Debug)]
struct Thread {
    id: String,
    /// How long it has had a processor, from the scheduler: `cpu_s` has steps of 10 ms.
    ran_ns: u64,
    /// Of that, as the kernel's tick found it, some hundred times a second.
    user_ticks: f64,
    system_ticks: f64,
}

/// Time on a processor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Ran {
    pub(crate) ns: f64,
    /// Of `ns`, in the program; the rest is the kernel's.
    pub(crate) user_ns: f64,
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
        let (user, system) = ticks(&stat).ok_or("/proc/PID/stat is not as expected")?;
        Ok(Self { rss_kib, cpu_s: (user + system) / TICKS_PER_S, threads: threads(pid) })
    }

    /// Of the thread that had most since `before`: the one that answers.
    pub(crate) fn ran_since(&self, before: &Self) -> Ran {
        let ran = |thread: &Thread| {
            let before = before.threads.iter().find(|other| other.id == thread.id);
            let since = |of: fn(&Thread) -> f64| of(thread) - before.map_or(0.0, of);
            let (user, system) = (since(|thread| thread.user_ticks), since(|thread| thread.system_ticks));
            let ns = since(|thread| thread.ran_ns as f64);
            Ran { ns, user_ns: if user + system > 0.0 { ns * user / (user + system) } else { 0.0 } }
        };
        self.threads.iter().map(ran).max_by(|a, b| a.ns.total_cmp(&b.ns)).unwrap_or_default()
    }
}

/// In user space and in the kernel. The name of the program, in parentheses, may hold anything: the fields come after it.
fn ticks(stat: &str) -> Option<(f64, f64)> {
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some((fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?))
}

/// A kernel without schedstat has no threads here.
fn threads(pid: u32) -> Vec<Thread> {
    thread_files(pid)
        .filter_map(|(id, path)| {
            let (user_ticks, system_ticks) = ticks(&read_to_string(path.with_file_name("stat")).ok()?)?;
            let ran_ns = read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()?;
            Some(Thread { id, ran_ns, user_ticks, system_ticks })
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
