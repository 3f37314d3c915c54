//! Outside. What signals make of the server: reloads, a replacement, the end.
//!
//! In:    signals, the sockets, the loops.
//! Out:   orders to the loops, what probes and systemd are told.
//! Never: ends the process: the loops return, and with them the server.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::sleep};

use super::{
    Program, Systemd,
    replace::{Successor, replace},
};
use crate::{
    control::{
        admin::{Readiness, Serving},
        reload::{Cause, Reloader},
        signals::{Signals, Told},
    },
    limits::REPLACEMENT_READY_MS_MAX,
    net::{Handle, Listening, Order},
};

/// What the course of the server needs.
pub(in crate::control) struct Course {
    pub(in crate::control) systemd: Systemd,
    pub(in crate::control) reloader: Reloader,
    pub(in crate::control) readiness: Arc<Readiness>,
    pub(in crate::control) loops: Vec<Handle>,
    /// Our listening sockets, for a program that replaces us.
    pub(in crate::control) sockets: Vec<Listening>,
    pub(in crate::control) program: Program,
    pub(in crate::control) lame_duck: Duration,
    /// Called when another process has taken over.
    pub(in crate::control) replaced: Box<dyn FnOnce() + Send>,
}

enum End {
    Stopped(&'static str),
    Replaced(Box<Successor>),
}

impl Course {
    /// From the first signal to the last. `admin`: what serves the admin port.
    pub(in crate::control) async fn run(self, mut signals: Signals, admin: Option<Serving>) {
        tokio::spawn(self.systemd.clone().watch(self.loops.clone()));
        let hangups = Arc::new(Notify::new());
        tokio::spawn(reload_at(Arc::clone(&hangups), self.reloader.clone(), self.systemd.clone()));
        match self.to_the_end(&mut signals, &hangups).await {
            End::Stopped(signal) => self.stop(signal, &mut signals).await,
            End::Replaced(successor) => self.hand_over(successor, &mut signals, admin).await,
        }
        // The loops return when all is answered; nothing can be told to a server that ends.
        std::future::pending().await
    }

    /// Serves until a signal ends it, or another process is ready to take over.
    async fn to_the_end(&self, signals: &mut Signals, hangups: &Notify) -> End {
        loop {
            match signals.next().await {
                Told::Reload => hangups.notify_one(),
                Told::Stop(signal) => return End::Stopped(signal),
                Told::Replace => {
                    if let Some(end) = self.replace(signals, hangups).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Starts the program again; `None` when it did not come up.
    async fn replace(&self, signals: &mut Signals, hangups: &Notify) -> Option<End> {
        let path = self.program.path.display();
        tracing::info!("SIGUSR2: starting {path} to be replaced by it; serving on meanwhile");
        let within = Duration::from_millis(REPLACEMENT_READY_MS_MAX);
        let mut successor = std::pin::pin!(replace(&self.program, &self.sockets, within));
        loop {
            tokio::select! {
                ready = &mut successor => match ready {
                    Ok(successor) => return Some(End::Replaced(Box::new(successor))),
                    Err(error) => {
                        tracing::error!("not replaced, serving on: {error}");
                        return None;
                    }
                },
                told = signals.next() => match told {
                    Told::Reload => hangups.notify_one(),
                    Told::Replace => tracing::warn!("SIGUSR2: a program that is to replace us is starting already"),
                    // What was started is ended with this.
                    Told::Stop(signal) => return Some(End::Stopped(signal)),
                },
            }
        }
    }

    async fn stop(self, signal: &'static str, signals: &mut Signals) {
        self.readiness.end();
        self.order(Order::Drain);
        self.systemd.stopping("answering what is here, then ending");
        if self.lame_duck.is_zero() {
            tracing::info!("{signal}: answering what is here, then ending");
        } else {
            tracing::info!(
                "{signal}: not ready any more, answering for {:?} (stop.lame_duck_s), then ending; a second signal ends it now",
                self.lame_duck
            );
            self.lame_duck(signals).await;
            tracing::info!("answering what is here, then ending");
        }
        self.end();
    }

    async fn hand_over(self, successor: Box<Successor>, signals: &mut Signals, admin: Option<Serving>) {
        let pid = successor.pid().unwrap_or_default();
        tracing::info!("replaced by process {pid}: answering what was taken, then ending");
        self.systemd.main_pid(pid);
        successor.takes_over().await;
        if let Some(admin) = admin {
            admin.leave();
        }
        self.order(Order::Release);
        let Self { sockets, replaced, lame_duck, loops, .. } = self;
        drop(sockets);
        replaced();
        wait(lame_duck, signals).await;
        loops.iter().for_each(|handle| handle.order(Order::Stop));
    }

    async fn lame_duck(&self, signals: &mut Signals) {
        wait(self.lame_duck, signals).await;
    }

    fn order(&self, order: Order) {
        self.loops.iter().for_each(|handle| handle.order(order));
    }

    fn end(self) {
        let Self { sockets, loops, .. } = self;
        // With these open, connections would come to where nobody takes them.
        drop(sockets);
        loops.iter().for_each(|handle| handle.order(Order::Stop));
    }
}

/// Until the time is over, or a signal says that it is.
async fn wait(longest: Duration, signals: &mut Signals) {
    let told = async {
        loop {
            if let Told::Stop(_) = signals.next().await {
                return;
            }
        }
    };
    tokio::select! {
        () = sleep(longest) => {}
        () = told => {}
    }
}

/// A reload for each SIGHUP. Those that come while one waits to begin are one.
async fn reload_at(hangups: Arc<Notify>, reloader: Reloader, systemd: Systemd) {
    loop {
        hangups.notified().await;
        systemd.reloading();
        match reloader.request(Cause::Signal) {
            // It is told whether it failed by the log and the status line.
            Ok(report) => drop(report.await),
            // Those who wait get a load that has not begun.
            Err(refused) => tracing::warn!("SIGHUP: {refused}"),
        }
        systemd.ready();
    }
}
