//! Outside. Signals: SIGHUP reloads, SIGUSR2 replaces the program, SIGTERM and SIGINT end the server in order.
//!
//! In:    signals of the process.
//! Out:   what they stand for, one by one.
//! Never: ends the process itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Read the routes again.
    Reload,
    /// Start the program again, and leave the sockets to it.
    Replace,
    /// End, told by the signal of this name.
    Stop(&'static str),
}

/// The signals, caught from here on.
#[derive(Debug)]
pub struct Signals {
    hangup: Signal,
    replace: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches them. Must be called on a tokio runtime.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            replace: signal(SignalKind::user_defined2())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one. Those of one kind that came before it was asked for are one.
    pub async fn next(&mut self) -> Told {
        // A stream of signals has no end.
        tokio::select! {
            _ = self.hangup.recv() => Told::Reload,
            _ = self.replace.recv() => Told::Replace,
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use super::*;

    #[test]
    fn each_signal_is_told_as_what_it_stands_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut signals = Signals::catch().unwrap();
            let pid = std::process::id().to_string();
            for (name, told) in [
                ("-HUP", Told::Reload),
                ("-TERM", Told::Stop("SIGTERM")),
                ("-USR2", Told::Replace),
                ("-INT", Told::Stop("SIGINT")),
                ("-HUP", Told::Reload),
            ] {
                assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
                let next = tokio::time::timeout(Duration::from_secs(60), signals.next()).await;
                assert_eq!(next.expect("it comes"), told);
            }
        });
    }
}
