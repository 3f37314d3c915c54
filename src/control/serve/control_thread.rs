//! Outside. The thread of everything that is not an answer: admin port, resolver, probes, signals.
//!
//! In:    what it takes with it, made by [`super::serve`].
//! Out:   its end, when the loops have ended or it is stopped.
//! Never: starts half of it.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::sync::{Notify, mpsc};

use super::ServeError;
use crate::{
    control::{
        admin::{self, Admin, Bound},
        health::Prober,
        lifecycle::Course,
        resolver::Resolver,
        signals::Signals,
    },
    dns::Question,
    net::Handle,
};

/// What the control thread takes with it.
pub(super) struct Control {
    pub(super) admin: Arc<Admin>,
    pub(super) admin_port: Option<Bound>,
    /// Of the workers, and their questions likewise.
    pub(super) handles: Vec<Handle>,
    pub(super) resolver: Resolver,
    pub(super) questions: Vec<mpsc::Receiver<Question>>,
    /// With what tells it of a new table.
    pub(super) prober: (Prober, Arc<Notify>),
    pub(super) course: Course,
}

/// The control thread.
pub(super) struct Running {
    thread: JoinHandle<()>,
    end: Arc<Notify>,
}

impl Control {
    /// Starts the thread; signals are caught when this returns.
    pub(super) fn start(self) -> Result<Running, ServeError> {
        let failed =
            |error: std::io::Error| ServeError::Other(format!("the control thread cannot start: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let end = Arc::new(Notify::new());
        let ended = Arc::clone(&end);
        let signals = {
            let _on_runtime = runtime.enter();
            Signals::catch().map_err(failed)?
        };
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                runtime.block_on(self.run(signals, &ended));
                // A comparison under way is of no use any more, and may take long.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Running { thread, end })
    }

    async fn run(self, signals: Signals, end: &Notify) {
        let Self { admin, admin_port, handles, resolver, questions, prober: (prober, loaded), course } = self;
        tokio::spawn(prober.run(loaded));
        let serving = admin_port.map(|port| {
            tokio::spawn(Arc::clone(&admin.sampling).run());
            admin::Serving::begin(port, admin)
        });
        for (questions, answers) in questions.into_iter().zip(handles) {
            tokio::spawn(resolver.clone().run(questions, move |question, answer| {
                // One that finds the loop's inlet full is lost: who waits for it gives up in its time.
                answers.answer(question, answer);
            }));
        }
        tokio::select! {
            () = course.run(signals, serving) => {}
            () = end.notified() => {}
        }
    }
}

impl Running {
    /// Ends the thread, and with it connections and questions under way.
    pub(super) fn stop(self) {
        self.end.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the control thread had ended before: a bug, please report it");
        }
    }
}
