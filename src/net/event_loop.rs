//! Outside. The one thread that serves: wait, read, answer, send.
//!
//! In:    readiness of the sockets, what the [`Handle`] brings, the clock.
//! Out:   calls of a [`Service`], and its answers on the sockets.
//! Never: ends on a socket error, serves one socket at the cost of the others, wakes for nothing.
//!
//! Readiness is edge-triggered: it is told once, and again only after the socket was empty. A
//! socket that was not read until it said so (its share of the turn was used up) is kept as
//! readable, and the next turn does not sleep.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use mio::{Events, Interest, Poll, Token, Waker, unix::SourceFd};

use super::{
    batch::{Inbox, Outbox},
    bind::{BindError, Listener, bind_all},
    handle::{Handle, Inlet, Order, pair},
    service::{Departure, Ready, Service},
    serving::Serving,
};
use crate::{
    config::Listen,
    counters::{Counters, SocketTrouble},
    dns::Question,
    engine::{Engine, Now, Path},
    limits::{
        BATCHES_PER_TURN_MAX, LISTENERS_MAX, LOOKUP_MS_MAX, QUESTIONS_UNDER_WAY_MAX,
        RECEIVE_TROUBLE_PAUSE_MS, WAITING_MAX,
    },
    route::Transport,
    snapshot::Snapshot,
};

/// The loop with its bound sockets.
#[derive(Debug)]
pub struct EventLoop {
    poll: Poll,
    inlet: Inlet,
    /// By the index of [`Path::listener`], which is also their token.
    listeners: Vec<Listener>,
    states: Vec<State>,
    inbox: Inbox,
    outbox: Outbox,
    clock: Clock,
}

/// The token of the handle's waker. Listeners have theirs by index, from 0.
const WAKER: Token = Token(LISTENERS_MAX);

/// What is known of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was read until it was empty: the next event tells of more.
    Empty,
    /// There may be more.
    Readable,
    /// It gave an error when last read in this turn: there may be more, or more errors.
    Troubled,
}

impl EventLoop {
    /// Binds every listener, or none.
    pub fn bind(listen: &[Listen]) -> Result<(Self, Handle), BindError> {
        let listeners = bind_all(listen)?;
        let poll = Poll::new().map_err(BindError::Loop)?;
        for (index, listener) in listeners.iter().enumerate() {
            let mut source = SourceFd(&listener.fd().as_raw_fd());
            poll.registry()
                .register(&mut source, Token(index), Interest::READABLE)
                .map_err(BindError::Loop)?;
        }
        let waker = Waker::new(poll.registry(), WAKER).map_err(BindError::Loop)?;
        let (handle, inlet) = pair(waker);
        let states = vec![State::Empty; listeners.len()];
        let (inbox, outbox, clock) = (Inbox::new(), Outbox::new(), Clock::start());
        Ok((Self { poll, inlet, listeners, states, inbox, outbox, clock }, handle))
    }

    /// Inodes of the sockets, for reading their drops from /proc/net/udp and udp6.
    #[must_use]
    pub fn inodes(&self) -> Vec<u64> {
        self.listeners.iter().filter_map(|listener| listener.inode().ok()).collect()
    }

    /// The addresses bound, by listener (port 0 resolved).
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.address).collect()
    }

    /// Runs until [`Order::Stop`]. `ask` puts a question to the resolver; `false` when its queue is
    /// full. An error is one of the event queue itself, never of a socket.
    pub fn run(
        self,
        engine: Engine,
        table: &ArcSwap<Snapshot>,
        counters: &Counters,
        ask: &mut dyn FnMut(Question) -> bool,
    ) -> io::Result<()> {
        self.run_with(&mut Serving::new(engine, table, counters, ask))
    }

    /// [`EventLoop::run`] with any service.
    pub fn run_with<S: Service>(mut self, service: &mut S) -> io::Result<()> {
        let mut events = Events::with_capacity(LISTENERS_MAX + 1);
        let mut sleep = Some(Duration::ZERO);
        let mut stop_by_ms = None;
        loop {
            self.wait(&mut events, sleep)?;
            self.read_sockets(service);
            let now = self.clock.now();
            let all_heard = self.hear_answers(service, now);
            let all_ready = self.send_ready(service, now);
            service.rest();

            let done =
                self.states.iter().all(|state| *state == State::Empty) && service.deadline_ms().is_none();
            if stop_by_ms.is_some_and(|by_ms| done || by_ms <= now.ms) {
                return Ok(());
            }
            self.take_orders(service, &mut stop_by_ms, now);
            let busy = !(all_heard && all_ready);
            sleep = sleep_for(
                &self.states,
                busy,
                service.deadline_ms().into_iter().chain(stop_by_ms).min(),
                now.ms,
            );
        }
    }

    fn wait(&mut self, events: &mut Events, sleep: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, sleep) {
            // A signal. What became readable is told by the next call.
            Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
            result => result?,
        }
        for event in events.iter() {
            // The waker has no state: what it woke us for is looked at in every turn.
            if let Some(state) = self.states.get_mut(event.token().0) {
                *state = State::Readable;
            }
        }
        Ok(())
    }

    /// Serves every socket that may hold something. In the same order each turn: all have their
    /// share of every turn, so none waits longer than one.
    fn read_sockets<S: Service>(&mut self, service: &mut S) {
        for index in 0..self.listeners.len() {
            for _ in 0..BATCHES_PER_TURN_MAX {
                match self.states.get(index) {
                    Some(State::Readable | State::Troubled) => self.read_batch(index, service),
                    _ => break,
                }
            }
        }
    }

    /// Reads and answers one batch of one socket.
    fn read_batch<S: Service>(&mut self, index: usize, service: &mut S) {
        let (Some(listener), Some(state)) = (self.listeners.get(index), self.states.get_mut(index)) else {
            return;
        };
        let count = match self.inbox.receive(listener.fd(), listener.address.port()) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                *state = State::Empty;
                return;
            }
            Err(_) => {
                service.trouble(SocketTrouble::Receive);
                *state = State::Troubled;
                return;
            }
        };
        *state = State::Readable;
        let (address, now) = (listener.address, self.clock.now());
        for number in 0..count {
            let Some(datagram) = self.inbox.datagram(number) else {
                service.trouble(SocketTrouble::Receive);
                continue;
            };
            if datagram.too_long {
                service.trouble(SocketTrouble::Truncated);
            }
            if self.outbox.is_full() {
                flush(&mut self.outbox, &self.listeners, service);
            }
            let path = Path {
                source: datagram.source,
                local: datagram.local.unwrap_or(address),
                listener: index,
                transport: Transport::Udp,
            };
            // Two readings of the clock for each message would be a good part of its cost.
            let began = (number == 0).then(Instant::now);
            let departure = service.message(datagram.bytes, path, now, self.outbox.room());
            if let Some(began) = began {
                service.decided_in(began.elapsed());
            }
            if let Some(departure) = departure {
                push(&mut self.outbox, &self.listeners, &departure);
            }
        }
        flush(&mut self.outbox, &self.listeners, service);
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
            if self.outbox.is_full() {
                flush(&mut self.outbox, &self.listeners, service);
            }
            match service.next_ready(now, self.outbox.room()) {
                Ready::Send(departure) => push(&mut self.outbox, &self.listeners, &departure),
                Ready::Silent => {}
                Ready::None => {
                    all = true;
                    break;
                }
            }
        }
        flush(&mut self.outbox, &self.listeners, service);
        all
    }

    fn take_orders<S: Service>(&mut self, service: &mut S, stop_by_ms: &mut Option<u64>, now: Now) {
        while let Some(order) = self.inlet.next_order() {
            match order {
                Order::Drain => service.drain(),
                Order::Stop => {
                    // Every socket is read once more, whatever events told. Those who wait for DNS
                    // have at most this long to wait anyway; traffic without end is left then.
                    self.states.fill(State::Readable);
                    stop_by_ms.get_or_insert(now.ms.saturating_add(LOOKUP_MS_MAX));
                }
            }
        }
    }
}

fn push(outbox: &mut Outbox, listeners: &[Listener], departure: &Departure) {
    let path = &departure.path;
    let wildcard = listeners.get(path.listener).is_some_and(|listener| listener.wildcard);
    outbox.push(path.listener, departure.len, departure.to, wildcard.then_some(path.local), path.source);
}

fn flush<S: Service>(outbox: &mut Outbox, listeners: &[Listener], service: &mut S) {
    if !outbox.is_empty() {
        let socket_of = |index| -> Option<BorrowedFd<'_>> { listeners.get(index).map(Listener::fd) };
        outbox.send(socket_of, |trouble| service.trouble(trouble));
    }
}

/// How long the loop may sleep; `None`: until something comes.
fn sleep_for(states: &[State], busy: bool, until_ms: Option<u64>, now_ms: u64) -> Option<Duration> {
    if busy || states.contains(&State::Readable) {
        return Some(Duration::ZERO);
    }
    // What was due has been dealt with, so a moment that is over is not worth a spin.
    let timer_ms = until_ms.map(|until_ms| until_ms.saturating_sub(now_ms).max(1));
    let pause_ms = states.contains(&State::Troubled).then_some(RECEIVE_TROUBLE_PAUSE_MS);
    timer_ms.into_iter().chain(pause_ms).min().map(Duration::from_millis)
}

/// The only clock of the server's traffic.
#[derive(Debug)]
struct Clock {
    started: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { started: Instant::now() }
    }

    fn now(&self) -> Now {
        // A wall clock before 1970 is as good as none.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            unix_s: i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_loop_sleeps_until_something_comes() {
        assert_eq!(sleep_for(&[State::Empty; 3], false, None, 1000), None);
    }

    #[test]
    fn a_loop_with_work_left_does_not_sleep() {
        let zero = Some(Duration::ZERO);
        assert_eq!(sleep_for(&[State::Empty, State::Readable], false, None, 1000), zero);
        assert_eq!(sleep_for(&[State::Troubled, State::Readable], false, Some(2000), 1000), zero);
        assert_eq!(sleep_for(&[State::Empty], true, Some(2000), 1000), zero);
    }

    #[test]
    fn a_sleep_ends_at_the_first_timer_and_never_spins() {
        let sleep = |states: &[State], until_ms| sleep_for(states, false, Some(until_ms), 1000);
        assert_eq!(sleep(&[State::Empty], 1400), Some(Duration::from_millis(400)));
        assert_eq!(sleep(&[State::Empty], 1001), Some(Duration::from_millis(1)));
        assert_eq!(sleep(&[State::Empty], 1000), Some(Duration::from_millis(1)));
        assert_eq!(sleep(&[State::Empty], 0), Some(Duration::from_millis(1)));
        let pause = Duration::from_millis(RECEIVE_TROUBLE_PAUSE_MS);
        assert_eq!(sleep(&[State::Troubled], 1400), Some(pause));
        assert_eq!(sleep(&[State::Troubled], 1001), Some(Duration::from_millis(1)));
        assert_eq!(sleep_for(&[State::Troubled], false, None, 1000), Some(pause));
    }
}
