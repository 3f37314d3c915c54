//! Outside. The thread that serves, or each of them: wait, read, answer, send.
//!
//! In:    readiness of the sockets, what the [`Handle`] brings, the clock.
//! Out:   calls of a [`Service`], and its answers on the sockets.
//! Never: ends on a socket error, serves one socket at the cost of the others, wakes for nothing.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};

use arc_swap::ArcSwap;
use mio::{Events, Poll, Token, Waker};

use super::{
    bind::{BindError, Bound, bind_all, bind_workers},
    clock::Clock,
    datagrams::Datagrams,
    ending::{Ending, Next},
    handed::{Handed, Listening},
    handle::{CacheTask, Handle, Inlet, Order, pair},
    service::{Ready, Service},
    serving::Serving,
    state::{Pressing, sleep_for},
    streams::{StreamSettings, Streams},
    tap::Tap,
};
use crate::{
    config::{Batching, Listen},
    counters::Counters,
    dns::Question,
    engine::{Engine, Now},
    limits::{
        CACHE_LOOKS_PER_TURN_MAX, EVENTS_PER_TURN_MAX, LISTENERS_MAX, QUESTIONS_UNDER_WAY_MAX, WAITING_MAX,
    },
    route::Transport,
    snapshot::Snapshot,
};

/// The loop with its bound sockets.
#[derive(Debug)]
pub struct EventLoop {
    poll: Poll,
    inlet: Inlet,
    datagrams: Datagrams,
    streams: Streams,
    addresses: Vec<SocketAddr>,
    clock: Clock,
    /// Which of the workers it is, from 0.
    worker: usize,
    /// Until it runs.
    tap: Option<Tap>,
}

/// The token of the handle's waker. Listeners have theirs by index, from 0; connections follow.
const WAKER: Token = Token(LISTENERS_MAX);
const FIRST_CONNECTION: usize = LISTENERS_MAX + 1;

impl EventLoop {
    /// Binds every listener, or none.
    pub fn bind(listen: &[Listen], streams: StreamSettings) -> Result<(Self, Handle), BindError> {
        let bound = bind_all(listen, streams.tls.is_some())?;
        Self::of(bound, streams, 0)
    }

    /// Binds every listener for `workers` loops that share the ports, or none: the kernel gives each flow (a
    /// peer's address and port) to one of them. Each takes connections as the settings say.
    pub fn bind_workers(
        listen: &[Listen],
        streams: &StreamSettings,
        workers: usize,
    ) -> Result<Vec<(Self, Handle)>, BindError> {
        Self::take_workers(listen, streams, workers, &mut Handed::default())
    }

    /// The same, with sockets that were bound before us where there are some.
    pub fn take_workers(
        listen: &[Listen],
        streams: &StreamSettings,
        workers: usize,
        handed: &mut Handed,
    ) -> Result<Vec<(Self, Handle)>, BindError> {
        let bound = bind_workers(listen, streams.tls.is_some(), workers, handed)?;
        bound
            .into_iter()
            .enumerate()
            .map(|(worker, bound)| Self::of(bound, streams.clone(), worker))
            .collect()
    }

    fn of(bound: Bound, streams: StreamSettings, worker: usize) -> Result<(Self, Handle), BindError> {
        let Bound { datagrams, streams: listeners, addresses } = bound;
        let poll = Poll::new().map_err(BindError::Loop)?;
        let datagrams = Datagrams::register(datagrams, poll.registry())?;
        let registry = poll.registry().try_clone().map_err(BindError::Loop)?;
        let streams = Streams::register(listeners, streams, registry, FIRST_CONNECTION)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(BindError::Loop)?;
        let (handle, inlet) = pair(waker);
        let clock = Clock::start();
        Ok((Self { poll, inlet, datagrams, streams, addresses, clock, worker, tap: None }, handle))
    }

    /// Inodes of the UDP sockets by listener, for reading their drops from /proc/net/udp and udp6;
    /// `None` for one of another transport.
    #[must_use]
    pub fn inodes(&self) -> Vec<Option<u64>> {
        self.datagrams.inodes()
    }

    /// How its answers leave.
    #[must_use]
    pub fn with_batching(mut self, batching: Batching) -> Self {
        self.datagrams.set_batching(batching);
        self
    }

    /// Shows some of its messages there.
    #[must_use]
    pub fn with_tap(mut self, tap: Option<Tap>) -> Self {
        self.tap = tap;
        self
    }

    /// The addresses bound, by listener (port 0 resolved).
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// The listening sockets once more, for a process that replaces us.
    pub fn share(&self) -> io::Result<Vec<Listening>> {
        let datagrams = self.datagrams.share()?.into_iter().flatten().map(|it| (Transport::Udp, it));
        let all = datagrams.chain(self.streams.share()?.into_iter().flatten());
        Ok(all.map(|(transport, socket)| Listening { name: transport.name(), socket }).collect())
    }

    /// Runs until [`Order::Stop`] or [`Order::Release`]. `ask` puts a question to the resolver; `false` when its queue is
    /// full. An error is one of the event queue itself, never of a socket.
    pub fn run(
        mut self,
        engine: Engine,
        table: &ArcSwap<Snapshot>,
        counters: &Counters,
        ask: &mut dyn FnMut(Question) -> bool,
    ) -> io::Result<()> {
        let (worker, tap) = (self.worker, self.tap.take());
        self.run_with(&mut Serving::new(engine, table, counters, worker, ask, tap))
    }

    /// [`EventLoop::run`] with any service.
    pub fn run_with<S: Service>(mut self, service: &mut S) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN_MAX);
        let mut sleep = Some(Duration::ZERO);
        let mut ending = Ending::default();
        loop {
            service.busy_so_far(self.clock.busy());
            self.wait(&mut events, sleep)?;
            self.datagrams.read(&self.clock, service);
            let now = self.clock.now();
            self.streams.serve(service, now);
            let all_heard = self.hear_answers(service, now);
            let all_ready = self.send_ready(service, now);
            let all_shown = self.tend_cache(service, now);
            self.streams.expire(service, now);
            service.rest();

            let pressing = self.datagrams.pressing().max(self.streams.pressing());
            let at_rest =
                pressing == Pressing::Nothing && service.deadline_ms().is_none() && self.streams.is_at_rest();
            match ending.next(at_rest, self.streams.is_empty(), now.ms) {
                Next::GoOn => {}
                Next::EndConnections => self.streams.end_all(),
                Next::Return => return Ok(()),
            }
            let none_told = self.take_orders(service, &mut ending, now);
            let busy = !(all_heard && all_ready && all_shown && none_told);
            let pressing = self.datagrams.pressing().max(self.streams.pressing());
            let pressing = if busy { Pressing::Now } else { pressing };
            let timers = [service.deadline_ms(), self.streams.deadline_ms(), ending.by_ms()];
            sleep = sleep_for(pressing, timers.into_iter().flatten().min(), now.ms);
        }
    }

    fn wait(&mut self, events: &mut Events, sleep: Option<Duration>) -> io::Result<()> {
        let polled = self.poll.poll(events, sleep);
        // A look without a wait is work.
        if sleep != Some(Duration::ZERO) {
            self.clock.slept();
        }
        match polled {
            // A signal. What became readable is told by the next call.
            Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
            result => result?,
        }
        for event in events.iter() {
            // The waker has no state: what it woke us for is looked at in every turn.
            self.datagrams.note_readable(event.token().0);
            self.streams.note(event);
        }
        Ok(())
    }

    /// Takes the resolver's answers; `false` when there may be more.
    fn hear_answers<S: Service>(&self, service: &mut S, now: Now) -> bool {
        for _ in 0..QUESTIONS_UNDER_WAY_MAX {
            let Some((question, answer)) = self.inlet.next_answer() else { return true };
            service.answered(question, answer, now);
        }
        false
    }

    /// Answers messages that waited; `false` when there may be more.
    fn send_ready<S: Service>(&mut self, service: &mut S, now: Now) -> bool {
        let mut all = false;
        for _ in 0..WAITING_MAX {
            self.datagrams.make_room(service);
            let room = self.datagrams.room();
            match service.next_ready(now, room) {
                Ready::Send(departure) if departure.path.transport == Transport::Udp => {
                    self.datagrams.push(&departure);
                }
                Ready::Send(departure) => {
                    let answer = room.get(..departure.len).unwrap_or_default();
                    self.streams.send(&departure, answer, service, now);
                }
                Ready::Silent => {}
                Ready::None => {
                    all = true;
                    break;
                }
            }
        }
        self.datagrams.flush(service);
        all
    }

    /// Does what is wanted of the DNS cache; `false` when there may be more.
    fn tend_cache<S: Service>(&self, service: &mut S, now: Now) -> bool {
        for _ in 0..CACHE_LOOKS_PER_TURN_MAX {
            // Who wanted it may have gone.
            match self.inlet.next_task() {
                Some(CacheTask::Look { questions, reply }) => drop(reply.send(service.kept(&questions, now))),
                Some(CacheTask::Forget { questions, reply }) => {
                    drop(reply.send(service.forget(questions.as_deref())));
                }
                None => return true,
            }
        }
        false
    }

    /// `true` when there were none: what one changes shows in the next turn.
    fn take_orders<S: Service>(&mut self, service: &mut S, ending: &mut Ending, now: Now) -> bool {
        let mut none = true;
        while let Some(order) = self.inlet.next_order() {
            none = false;
            match order {
                Order::Drain => service.drain(true),
                Order::Undrain => service.drain(false),
                Order::Release => {
                    self.datagrams.release(self.poll.registry());
                    self.streams.release();
                    ending.release();
                }
                Order::Stop => {
                    // Every socket is read once more, whatever events told.
                    self.datagrams.note_all_readable();
                    self.streams.stop_accepting();
                    ending.stop(now.ms);
                }
            }
        }
        none
    }
}
