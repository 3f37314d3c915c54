//! Outside. The UDP sockets of the loop: read, answer, send, in batches.
//!
//! In:    readiness of the sockets; answers to messages that waited.
//! Out:   calls of a [`Service`], and its answers on the sockets.
//! Never: serves one socket at the cost of the others, keeps a datagram.
//!
//! Readiness is edge-triggered: it is told once, and again only after the socket was empty. A
//! socket that was not read until it said so (its share of the turn was used up) is kept as readable.

use std::{
    io::{self, ErrorKind},
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    time::Instant,
};

use mio::{Interest, Registry, Token, unix::SourceFd};

use super::{
    ages::Ages,
    batch::{Inbox, Outbox, last_arrival},
    bind::{BindError, DatagramListener},
    clock::Clock,
    service::{Departure, Service},
    state::{Pressing, State},
};
use crate::{
    config::Batching,
    counters::SocketTrouble,
    engine::{Now, Path},
    limits::{BATCHES_PER_TURN_MAX, NUMBERS_AHEAD_MAX},
    route::Transport,
};

/// All UDP sockets, with the memory for one batch of datagrams and of answers.
#[derive(Debug)]
pub(super) struct Datagrams {
    /// By the index of [`Path::listener`]; `None` for a listener of another transport.
    sockets: Vec<Option<Socket>>,
    /// Another process reads them now: ours only send.
    released: bool,
    inbox: Inbox,
    outbox: Outbox,
    ages: Ages,
}

#[derive(Debug)]
struct Socket {
    listener: DatagramListener,
    state: State,
}

impl Datagrams {
    /// Registers the sockets under their index as token.
    pub(super) fn register(
        listeners: Vec<Option<DatagramListener>>,
        registry: &Registry,
    ) -> Result<Self, BindError> {
        for (index, listener) in listeners.iter().enumerate() {
            if let Some(listener) = listener {
                let mut source = SourceFd(&listener.fd().as_raw_fd());
                registry.register(&mut source, Token(index), Interest::READABLE).map_err(BindError::Loop)?;
            }
        }
        let socket = |listener| Socket { listener, state: State::Empty };
        let sockets = listeners.into_iter().map(|listener| listener.map(socket)).collect();
        let (inbox, outbox) = (Inbox::new(), Outbox::new(false, false));
        Ok(Self { sockets, released: false, inbox, outbox, ages: Ages::default() })
    }

    /// How answers leave.
    pub(super) fn set_batching(&mut self, Batching { gso, connected }: Batching) {
        self.outbox = Outbox::new(gso, connected);
    }

    /// Inodes of the sockets, by listener.
    pub(super) fn inodes(&self) -> Vec<Option<u64>> {
        let inode = |socket: &Option<Socket>| socket.as_ref().and_then(|s| s.listener.inode().ok());
        self.sockets.iter().map(inode).collect()
    }

    /// Notes that the socket of this listener has something.
    pub(super) fn note_readable(&mut self, listener: usize) {
        if let Some(Some(socket)) = self.sockets.get_mut(listener).filter(|_| !self.released) {
            socket.state = State::Readable;
        }
    }

    /// The sockets once more, by listener.
    pub(super) fn share(&self) -> io::Result<Vec<Option<OwnedFd>>> {
        let share = |socket: &Option<Socket>| socket.as_ref().map(|it| it.listener.share()).transpose();
        self.sockets.iter().map(share).collect()
    }

    /// Nothing is read any more. What the sockets hold is for the other process that has them.
    pub(super) fn release(&mut self, registry: &Registry) {
        self.released = true;
        for socket in self.sockets.iter_mut().flatten() {
            // A socket that another process has does not leave our event queue when we close it.
            let _ = registry.deregister(&mut SourceFd(&socket.listener.fd().as_raw_fd()));
            socket.state = State::Empty;
        }
    }

    /// Every socket is to be read once more, whatever events told.
    pub(super) fn note_all_readable(&mut self) {
        if self.released {
            return;
        }
        self.sockets.iter_mut().flatten().for_each(|socket| socket.state = State::Readable);
    }

    /// What the sockets still want.
    pub(super) fn pressing(&self) -> Pressing {
        self.sockets.iter().flatten().fold(Pressing::Nothing, |most, socket| most.max(socket.state.into()))
    }

    /// Serves every socket that may hold something. In the same order each turn: all have their
    /// share of every turn, so none waits longer than one.
    pub(super) fn read<S: Service>(&mut self, clock: &Clock, service: &mut S) {
        let mut is_first = true;
        for index in 0..self.sockets.len() {
            for _ in 0..BATCHES_PER_TURN_MAX {
                match self.sockets.get(index) {
                    Some(Some(Socket { state: State::Readable | State::Troubled, .. })) => {
                        self.read_batch(index, std::mem::take(&mut is_first), clock, service);
                    }
                    _ => break,
                }
            }
        }
    }

    /// Makes [`Datagrams::room`] for an answer, if there is none.
    pub(super) fn make_room<S: Service>(&mut self, service: &mut S) {
        if self.outbox.is_full() {
            self.flush(service);
        }
    }

    /// Room for one answer.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.outbox.room()
    }

    /// Puts the answer in [`Datagrams::room`] in line.
    pub(super) fn push(&mut self, departure: &Departure) {
        push(&mut self.outbox, &self.sockets, departure);
    }

    /// Sends what is in line.
    pub(super) fn flush<S: Service>(&mut self, service: &mut S) {
        flush(&mut self.outbox, &self.sockets, service);
    }

    /// Reads and answers one batch of one socket, the first one of the turn or a later one.
    fn read_batch<S: Service>(&mut self, index: usize, is_first: bool, clock: &Clock, service: &mut S) {
        let Some(Some(Socket { listener, state })) = self.sockets.get_mut(index) else { return };
        let began_batch = Instant::now();
        let port = listener.wildcard.then_some(listener.address.port());
        let count = match self.inbox.receive(listener.fd(), port) {
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
        // Also when that was all: what comes meanwhile is taken without a turn of the loop for it.
        *state = State::Readable;
        let (address, clocks) = (listener.address, clock.both());
        let now = Now::from(clocks);
        if is_first {
            self.ages.note(clocks);
        }
        // Of the last of the batch, where more wait behind it: a queue that one batch empties is none.
        let arrived = if self.inbox.is_drained() { None } else { last_arrival(listener.fd()) };
        let age_ms = arrived.map_or(0, |stamp| self.ages.age_ms(stamp, clocks));
        let is_timed = service.batch_begins(index, age_ms);
        for number in 0..count {
            // One alone has nobody to wait with.
            if number.is_multiple_of(NUMBERS_AHEAD_MAX) && number + 1 < count {
                service.look_ahead(self.inbox.bytes_from(number).take(NUMBERS_AHEAD_MAX));
            }
            let Some(datagram) = self.inbox.datagram(number) else {
                service.trouble(SocketTrouble::Receive);
                continue;
            };
            if datagram.too_long {
                service.trouble(SocketTrouble::Truncated);
            }
            if self.outbox.is_full() {
                flush(&mut self.outbox, &self.sockets, service);
            }
            let path = Path {
                source: datagram.source,
                local: datagram.local.unwrap_or(address),
                listener: index,
                transport: Transport::Udp,
            };
            // Two readings of the clock for each message would be a good part of its cost.
            let began = (is_first && number == 0).then(Instant::now);
            let departure = service.message(datagram.bytes, path.into(), now, self.outbox.room());
            if let Some(began) = began {
                service.decided_in(began.elapsed());
            }
            if let Some(departure) = departure {
                push(&mut self.outbox, &self.sockets, &departure);
            }
        }
        flush(&mut self.outbox, &self.sockets, service);
        if is_timed {
            service.batch_ended(began_batch.elapsed());
        }
    }
}

fn push(outbox: &mut Outbox, sockets: &[Option<Socket>], departure: &Departure) {
    let path = &departure.path;
    let socket = sockets.get(path.listener).and_then(Option::as_ref);
    let from = socket.filter(|socket| socket.listener.wildcard).map(|_| path.local);
    outbox.push(path.listener, departure.len, departure.to, from, path.source);
}

fn flush<S: Service>(outbox: &mut Outbox, sockets: &[Option<Socket>], service: &mut S) {
    if !outbox.is_empty() {
        let socket_of = |index: usize| -> Option<BorrowedFd<'_>> {
            sockets.get(index)?.as_ref().map(|socket| socket.listener.fd())
        };
        outbox.send(socket_of, |trouble| service.trouble(trouble));
    }
}
