//! Outside. Signals: SIGHUP reloads, SIGTERM and SIGINT end the server in order.
//!
//! In:    signals of the process.
//! Out:   calls of what they stand for.
//! Never: ends the process itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, caught from here on.
#[derive(Debug)]
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches them. Must be called on a tokio runtime.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Calls `reload` for each SIGHUP, and `stop` for each SIGTERM and SIGINT, with the signal's name.
    pub async fn heed(mut self, reload: impl Fn(), stop: impl Fn(&'static str)) {
        loop {
            tokio::select! {
                Some(()) = self.hangup.recv() => reload(),
                Some(()) = self.terminate.recv() => stop("SIGTERM"),
                Some(()) = self.interrupt.recv() => stop("SIGINT"),
                else => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, process::Command, time::Duration};

    use super::*;

    #[test]
    fn each_signal_does_what_it_stands_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let signals = Signals::catch().unwrap();
            let pid = std::process::id().to_string();
            let heard = RefCell::new(Vec::new());
            let kill =
                |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
            let script = async {
                for (name, heard_len) in [("-HUP", 1), ("-TERM", 2), ("-INT", 3), ("-HUP", 4)] {
                    kill(name);
                    while heard.borrow().len() < heard_len {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            };
            let heed =
                signals.heed(|| heard.borrow_mut().push("reload"), |name| heard.borrow_mut().push(name));
            tokio::select! {
                () = heed => panic!("ended"),
                () = script => {}
                () = tokio::time::sleep(Duration::from_secs(60)) => panic!("heard {heard:?}"),
            }
            assert_eq!(*heard.borrow(), ["reload", "SIGTERM", "SIGINT", "reload"]);
        });
    }
}
