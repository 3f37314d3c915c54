//! Outside. The loops of all workers, each on a thread: the first on the calling one.
//!
//! In:    loops that are bound, each with what it works with.
//! Out:   the end of all of them, or the first error.
//! Never: lets some work on when one has ended.

use std::{io, panic::resume_unwind, sync::Arc, thread};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use crate::{
    counters::Counters,
    dns::Question,
    engine::Engine,
    net::{EventLoop, Handle, Order},
    snapshot::Snapshot,
};

/// One worker. The table is all that it has in common with others.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) event_loop: EventLoop,
    pub(super) engine: Engine,
    pub(super) counters: Arc<Counters>,
    /// The way to the resolver.
    pub(super) ask: mpsc::Sender<Question>,
}

/// Runs them until they are told to stop, or one fails: then the others are told.
pub(super) fn run(workers: Vec<Worker>, table: &ArcSwap<Snapshot>, handles: &[Handle]) -> io::Result<()> {
    let mut workers = workers.into_iter();
    let Some(first) = workers.next() else { return Ok(()) };
    thread::scope(|scope| {
        // However this ends, no thread is left that would have to be waited for without end.
        let all = StopsAll(handles);
        let mut threads = Vec::new();
        for (worker, number) in workers.zip(2..) {
            let named = thread::Builder::new().name(format!("worker-{number}"));
            threads.push(named.spawn_scoped(scope, move || worker.run(table, StopsAll(handles)))?);
        }
        let ended = first.run(table, all);
        let others = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|it| resume_unwind(it)));
        others.fold(ended, Result::and)
    })
}

impl Worker {
    fn run(self, table: &ArcSwap<Snapshot>, _at_the_end: StopsAll<'_>) -> io::Result<()> {
        let Self { event_loop, engine, counters, ask } = self;
        event_loop.run(engine, table, &counters, &mut |question| ask.try_send(question).is_ok())
    }
}

/// Stops all workers when it is dropped: after an error or a panic of one, and when all were told anyway.
struct StopsAll<'a>(&'a [Handle]);

impl Drop for StopsAll<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|handle| handle.order(Order::Stop));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{
        config::Listen,
        decide::Settings,
        net::StreamSettings,
        route::{RouteTable, Transport},
    };

    #[test]
    fn when_one_ends_all_end() {
        const WORKERS: usize = 3;
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let listen = [Listen { name: "a".into(), transport: Transport::Udp, address }];
        let table = ArcSwap::from_pointee(Snapshot::first(RouteTable::default(), String::new(), 0, WORKERS));
        for ends in 0..WORKERS {
            let bound = EventLoop::bind_workers(&listen, &StreamSettings::default(), WORKERS).unwrap();
            let (loops, handles): (Vec<_>, Vec<_>) = bound.into_iter().unzip();
            let worker = |event_loop| Worker {
                event_loop,
                engine: Engine::new(Settings::default(), vec!["a".into()]),
                counters: Arc::default(),
                ask: mpsc::channel(1).0,
            };
            let workers = loops.into_iter().map(worker).collect();
            handles[ends].order(Order::Stop);
            run(workers, &table, &handles).unwrap();
        }
    }
}
