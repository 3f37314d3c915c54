//! Outside. TCP and TLS: listeners and the connections they brought.
//!
//! In:    readiness, the time, answers that had to wait.
//! Out:   calls of a [`Service`] for each message, its answers on the connection of the request.
//! Never: opens a connection (RFC 3261 §18.2.2 would have us when the request's is gone: a server
//!        that keeps nothing has nothing to send again), lets one connection or one source have all.
//!
//! ```text
//!  accept ─→ Connection ──visit──→ Wire (plain, TLS) ─→ Framer ─→ Service ─→ output ─→ Wire
//!                 ↑ timers: idle, half a message, answers not taken
//! ```

mod connection;
mod wire;

use std::{
    collections::{BTreeSet, VecDeque},
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    sync::Arc,
};

use ahash::AHashMap;
use arc_swap::ArcSwap;
use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use rustls::ServerConfig;
use slab::Slab;

use connection::{Connection, Next, Workbench};
use wire::Wire;

use super::{
    bind::{BindError, StreamListener},
    service::{Departure, Service},
    state::{Pressing, State},
};
use crate::{
    counters::{ConnectionEnd, ConnectionRefusal, SocketTrouble},
    engine::{Now, Path},
    limits::{
        ACCEPTS_PER_TURN_MAX, ANSWER_BYTES_ROOM, CONNECTION_IDLE_S_DEFAULT, CONNECTIONS_DEFAULT,
        CONNECTIONS_PER_SOURCE_DEFAULT, MESSAGE_MS_MAX, STREAM_READ_BYTES, UNSENT_MS_MAX,
        VISITS_PER_TURN_MAX,
    },
    route::Transport,
    sip::HeaderIndex,
};

/// The TLS side of the server as of now: certificate, key, whose client certificates are taken. It is
/// swapped when the files change; connections keep what they began with.
pub type TlsInService = Arc<ArcSwap<ServerConfig>>;

/// What connections may take.
#[derive(Clone, Debug)]
pub struct StreamSettings {
    /// Connections in all.
    pub connections_max: usize,
    /// Connections of one source: an IPv4 address, an IPv6 /64.
    pub per_source_max: usize,
    /// Time without a message, in milliseconds.
    pub idle_ms: u64,
    /// Time for one message, and for a TLS handshake, in milliseconds.
    pub message_ms: u64,
    /// Time for the peer to take its answers, in milliseconds.
    pub unsent_ms: u64,
    /// `None`: TLS is not spoken.
    pub tls: Option<TlsInService>,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_DEFAULT,
            per_source_max: CONNECTIONS_PER_SOURCE_DEFAULT,
            idle_ms: CONNECTION_IDLE_S_DEFAULT * 1000,
            message_ms: MESSAGE_MS_MAX,
            unsent_ms: UNSENT_MS_MAX,
            tls: None,
        }
    }
}

/// See the file's first lines.
#[derive(Debug)]
pub(super) struct Streams {
    settings: StreamSettings,
    registry: Registry,
    /// Token of the connection in place 0.
    first_token: usize,
    listeners: Vec<Option<(StreamListener, State)>>,
    /// A listener that has no connection waiting is closed.
    leaving: bool,
    connections: Slab<Connection>,
    by_path: AHashMap<(SocketAddr, SocketAddr), usize>,
    by_source: AHashMap<IpAddr, usize>,
    /// Connections to be visited. One that was closed since may stand here: its place is empty, or
    /// has another one that is visited for nothing.
    line: VecDeque<usize>,
    timers: BTreeSet<(u64, usize)>,
    bench: Workbench,
}

impl Streams {
    /// Registers the listeners under their index as token; connections get theirs from
    /// `first_token` on.
    pub(super) fn register(
        listeners: Vec<Option<StreamListener>>,
        settings: StreamSettings,
        registry: Registry,
        first_token: usize,
    ) -> Result<Self, BindError> {
        let mut listeners: Vec<_> =
            listeners.into_iter().map(|listener| listener.map(|listener| (listener, State::Empty))).collect();
        for (index, listener) in listeners.iter_mut().enumerate() {
            if let Some((listener, _)) = listener {
                registry
                    .register(&mut listener.socket, Token(index), Interest::READABLE)
                    .map_err(BindError::Loop)?;
            }
        }
        let bench = Workbench {
            index: HeaderIndex::new(),
            read: vec![0; STREAM_READ_BYTES].into_boxed_slice(),
            room: vec![0; ANSWER_BYTES_ROOM].into_boxed_slice(),
        };
        Ok(Self {
            settings,
            registry,
            first_token,
            listeners,
            leaving: false,
            connections: Slab::new(),
            by_path: AHashMap::new(),
            by_source: AHashMap::new(),
            line: VecDeque::new(),
            timers: BTreeSet::new(),
            bench,
        })
    }

    /// Notes what an event tells of a listener or a connection.
    pub(super) fn note(&mut self, event: &Event) {
        let Token(token) = event.token();
        if let Some(Some((_, state))) = self.listeners.get_mut(token) {
            *state = State::Readable;
        }
        let Some(place) = token.checked_sub(self.first_token) else { return };
        if let Some(connection) = self.connections.get_mut(place) {
            // An error or a hang-up is met when it is read or written.
            let failed = event.is_error();
            connection.note_readiness(
                event.is_readable() || event.is_read_closed() || failed,
                event.is_writable() || event.is_write_closed() || failed,
            );
            self.queue(place);
        }
    }

    /// Accepts, reads, answers, sends: a share of the turn for each listener and connection.
    pub(super) fn serve<S: Service>(&mut self, service: &mut S, now: Now) {
        for index in 0..self.listeners.len() {
            for _ in 0..ACCEPTS_PER_TURN_MAX {
                match self.listeners.get(index) {
                    Some(Some((_, State::Readable | State::Troubled))) => self.accept(index, service, now),
                    _ => break,
                }
                // What failed once fails again in this turn.
                if let Some(Some((_, State::Troubled))) = self.listeners.get(index) {
                    break;
                }
            }
        }
        for _ in 0..VISITS_PER_TURN_MAX.min(self.line.len()) {
            let Some(place) = self.line.pop_front() else { break };
            let Some(connection) = self.connections.get_mut(place) else { continue };
            connection.queued = false;
            let next = connection.visit(service, &mut self.bench, now);
            self.go_on(place, next, service);
        }
    }

    /// Sends an answer that had to wait, if the connection of its request is still there.
    pub(super) fn send<S: Service>(
        &mut self,
        departure: &Departure,
        answer: &[u8],
        service: &mut S,
        now: Now,
    ) {
        let Path { source, local, .. } = departure.path;
        let Some(&place) = self.by_path.get(&(source, local)) else {
            return service.trouble(SocketTrouble::ConnectionGone);
        };
        let Some(connection) = self.connections.get_mut(place) else { return };
        let next = connection.send(answer, now);
        self.go_on(place, next, service);
    }

    /// Ends connections whose time is over.
    pub(super) fn expire<S: Service>(&mut self, service: &mut S, now: Now) {
        while let Some(&(at_ms, place)) = self.timers.first() {
            if at_ms > now.ms {
                return;
            }
            self.timers.pop_first();
            let Some(connection) = self.connections.get_mut(place) else { continue };
            connection.armed_ms = u64::MAX;
            match connection.deadline(&self.settings) {
                (at_ms, end) if at_ms <= now.ms => self.close(place, end, service),
                _ => self.arm(place),
            }
        }
    }

    /// The next moment at which [`Streams::expire`] has something to do.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.timers.first().map(|(at_ms, _)| *at_ms)
    }

    /// What listeners and connections still want.
    pub(super) fn pressing(&self) -> Pressing {
        if !self.line.is_empty() {
            return Pressing::Now;
        }
        let states = self.listeners.iter().flatten().map(|(_, state)| Pressing::from(*state));
        states.max().unwrap_or(Pressing::Nothing)
    }

    /// The listening sockets once more, by listener.
    pub(super) fn share(&self) -> io::Result<Vec<Option<(Transport, OwnedFd)>>> {
        let share = |listener: &Option<(StreamListener, State)>| {
            let share = |(it, _): &(StreamListener, State)| Ok((it.transport, it.share()?));
            listener.as_ref().map(share).transpose()
        };
        self.listeners.iter().map(share).collect()
    }

    /// No connection is taken any more. Those that are here go on.
    pub(super) fn release(&mut self) {
        (0..self.listeners.len()).for_each(|index| self.leave(index));
    }

    fn leave(&mut self, index: usize) {
        if let Some((mut listener, _)) = self.listeners.get_mut(index).and_then(Option::take) {
            let _ = self.registry.deregister(&mut listener.socket);
        }
    }

    /// Connections that wait to be taken are; then none is any more. Those that are there are read once more.
    pub(super) fn stop_accepting(&mut self) {
        self.leaving = true;
        self.listeners.iter_mut().flatten().for_each(|(_, state)| *state = State::Readable);
        self.each(|connection| connection.note_readiness(true, false));
    }

    /// Ends every connection in order: our side now, and then it is over when the peer has ended its own.
    pub(super) fn end_all(&mut self) {
        self.each(Connection::end);
    }

    /// Whether there is no connection.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn each(&mut self, act: impl Fn(&mut Connection)) {
        let places: Vec<usize> = self.connections.iter().map(|(place, _)| place).collect();
        for place in places {
            self.connections.get_mut(place).into_iter().for_each(&act);
            self.queue(place);
        }
    }

    /// Whether every connection was read until it was empty, and took all its answers.
    pub(super) fn is_at_rest(&self) -> bool {
        self.line.is_empty() && self.connections.iter().all(|(_, connection)| connection.is_at_rest())
    }

    fn accept<S: Service>(&mut self, index: usize, service: &mut S, now: Now) {
        let Some(Some((listener, state))) = self.listeners.get_mut(index) else { return };
        let (stream, source) = match listener.socket.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                *state = State::Empty;
                if self.leaving {
                    self.leave(index);
                }
                return;
            }
            // The peer was gone before we came: the next one is not.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => return,
            Err(_) => {
                // No file descriptor is left, most likely: those who wait in the kernel have to.
                service.trouble(SocketTrouble::Accept);
                *state = State::Troubled;
                return;
            }
        };
        *state = State::Readable;
        let transport = listener.transport;
        let refusal = if self.connections.len() >= self.settings.connections_max {
            Some(ConnectionRefusal::Total)
        } else if self.of_source(source) >= self.settings.per_source_max {
            Some(ConnectionRefusal::Source)
        } else {
            None
        };
        // Dropping the stream closes it.
        match refusal {
            Some(refusal) => service.connection_refused(refusal),
            None => self.open(stream, (source, index, transport), service, now),
        }
    }

    fn open<S: Service>(
        &mut self,
        stream: TcpStream,
        (source, listener, transport): (SocketAddr, usize, Transport),
        service: &mut S,
        now: Now,
    ) {
        let Ok(local) = stream.local_addr() else { return service.trouble(SocketTrouble::Accept) };
        // Answers are one write each: Nagle's algorithm would hold back the second.
        let _ = stream.set_nodelay(true);
        let wire = match (&self.settings.tls, transport) {
            (Some(tls), Transport::Tls) => match Wire::tls(stream, tls.load_full()) {
                Ok(wire) => wire,
                Err(_) => return service.trouble(SocketTrouble::Accept),
            },
            _ => Wire::plain(stream),
        };
        let path = Path { source, local, listener, transport };
        let place = self.connections.insert(Connection::new(wire, path, now));
        let token = Token(self.first_token.saturating_add(place));
        let Some(connection) = self.connections.get_mut(place) else { return };
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.registry.register(connection.wire().stream(), token, interest).is_err() {
            self.connections.remove(place);
            return service.trouble(SocketTrouble::Accept);
        }
        self.by_path.insert((source, local), place);
        *self.by_source.entry(source_of(source)).or_default() += 1;
        service.connection_opened(transport);
        self.arm(place);
        self.queue(place);
    }

    fn go_on<S: Service>(&mut self, place: usize, next: Next, service: &mut S) {
        match next {
            Next::Wait => self.arm(place),
            Next::Visit => {
                self.arm(place);
                self.queue(place);
            }
            Next::Close(end) => self.close(place, end, service),
        }
    }

    fn queue(&mut self, place: usize) {
        if let Some(connection) = self.connections.get_mut(place)
            && !connection.queued
        {
            connection.queued = true;
            self.line.push_back(place);
        }
    }

    /// Puts the connection among the timers, unless it stands there for an earlier moment: when that
    /// comes, it is looked at again. So a message costs no change of the timers.
    fn arm(&mut self, place: usize) {
        let Some(connection) = self.connections.get_mut(place) else { return };
        let (at_ms, _) = connection.deadline(&self.settings);
        if at_ms < connection.armed_ms {
            self.timers.remove(&(connection.armed_ms, place));
            self.timers.insert((at_ms, place));
            connection.armed_ms = at_ms;
        }
    }

    fn close<S: Service>(&mut self, place: usize, end: ConnectionEnd, service: &mut S) {
        let Some(mut connection) = self.connections.try_remove(place) else { return };
        self.timers.remove(&(connection.armed_ms, place));
        let Path { source, local, transport, .. } = connection.path;
        // A peer that came again from the same port has its new connection there already.
        if self.by_path.get(&(source, local)) == Some(&place) {
            self.by_path.remove(&(source, local));
        }
        let source = source_of(source);
        if let Some(count) = self.by_source.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        let _ = self.registry.deregister(connection.wire().stream());
        service.connection_closed(transport, end);
    }

    fn of_source(&self, source: SocketAddr) -> usize {
        self.by_source.get(&source_of(source)).copied().unwrap_or_default()
    }
}

/// What counts as one source: whoever has an IPv6 address has a /64 of them.
fn source_of(source: SocketAddr) -> IpAddr {
    match source.ip() {
        IpAddr::V6(ip) => IpAddr::from((u128::from(ip) & !u128::from(u64::MAX)).to_be_bytes()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_is_an_address_of_ipv4_and_a_network_of_ipv6() {
        let source = |text: &str| source_of(text.parse().unwrap());
        assert_eq!(source("192.0.2.1:5060"), source("192.0.2.1:5061"));
        assert_ne!(source("192.0.2.1:5060"), source("192.0.2.2:5060"));
        assert_eq!(source("[2001:db8:1:2::3]:1"), source("[2001:db8:1:2:ffff::]:2"));
        assert_ne!(source("[2001:db8:1:2::3]:1"), source("[2001:db8:1:3::3]:1"));
    }
}
