//! Outside. What systemd is told of the service, by sd_notify(3): nothing where NOTIFY_SOCKET is not set.
//!
//! In:    what happens to the server.
//! Out:   READY, RELOADING, STOPPING, STATUS, MAINPID, WATCHDOG.
//! Never: fails the server; says that it is alive without having asked every loop.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{control::lock::lock, net::Handle};

/// See the file's first lines.
#[derive(Clone, Debug, Default)]
pub(in crate::control) struct Systemd {
    status: Arc<Mutex<String>>,
    /// Another process is the service, still or by now, or the end has been told.
    silent: Arc<AtomicBool>,
}

impl Systemd {
    /// Says nothing before it [`Systemd::speaks`], if another process is the service still.
    pub(in crate::control) fn new(another_is: bool) -> Self {
        Self { silent: Arc::new(AtomicBool::new(another_is)), ..Self::default() }
    }

    /// We are the service from now on.
    pub(super) fn speaks(&self) {
        self.silent.store(false, Ordering::Relaxed);
        self.ready();
    }

    /// The service is up, or up again after a reload.
    pub(in crate::control) fn ready(&self) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(&self.status())]);
    }

    /// A reload begins. `Type=notify-reload` (systemd 253 and later) waits for this; `Type=notify` heeds it, too.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(usec) => self.tell(&[NotifyState::Reloading, usec]),
            Err(error) => tracing::warn!("systemd cannot be told of the reload, there is no clock: {error}"),
        }
    }

    /// The server ends.
    pub(super) fn stopping(&self, why: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(why)]);
        self.silent.store(true, Ordering::Relaxed);
    }

    /// Another process is the service from now on. It speaks for itself.
    pub(super) fn main_pid(&self, pid: u32) {
        self.tell(&[NotifyState::MainPid(pid)]);
        self.silent.store(true, Ordering::Relaxed);
    }

    /// The line that `systemctl status` shows from now on; told when it is another one.
    pub(in crate::control) fn set_status(&self, status: String) {
        let mut now = lock(&self.status);
        if *now != status {
            self.tell(&[NotifyState::Status(&status)]);
            *now = status;
        }
    }

    /// The line for later: nobody hears it before the service is up.
    pub(in crate::control) fn keep_status(&self, status: String) {
        *lock(&self.status) = status;
    }

    /// Says that we are alive as often as WATCHDOG_USEC asks for, while every loop turns.
    pub(super) async fn watch(self, loops: Vec<Handle>) {
        if let Some(within) = sd_notify::watchdog_enabled() {
            self.watch_every(within / 2, &loops).await;
        }
    }

    async fn watch_every(&self, period: Duration, loops: &[Handle]) {
        let mut ticks = interval(period.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if timeout(period, all_turn(loops)).await == Ok(true) {
                self.tell(&[NotifyState::Watchdog]);
            } else {
                tracing::warn!("a loop has not turned for {period:?}: systemd's watchdog is not told");
            }
        }
    }

    fn status(&self) -> String {
        lock(&self.status).clone()
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.silent.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!("systemd cannot be told (NOTIFY_SOCKET): {error}");
        }
    }
}

/// A look at its DNS cache is what every loop answers in its next turn.
async fn all_turn(loops: &[Handle]) -> bool {
    for handle in loops {
        let Some(turned) = handle.look_into_cache(Vec::new()) else { return false };
        if turned.await.is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{
        config::Listen,
        net::{EventLoop, StreamSettings},
        route::Transport,
    };

    #[test]
    fn a_loop_that_does_not_turn_is_seen() {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let listen = [Listen { name: "a".into(), transport: Transport::Udp, address }];
        let (event_loop, handle) = EventLoop::bind(&listen, StreamSettings::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // It is bound, and does not run.
        let handles = [handle];
        let turned = runtime.block_on(async { timeout(Duration::from_millis(20), all_turn(&handles)).await });
        assert!(turned.is_err(), "{turned:?}");
        drop(event_loop);
        assert!(!runtime.block_on(all_turn(&handles)), "it is gone");
    }
}
