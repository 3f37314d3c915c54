//! Outside. One connection: bytes in, messages to the [`Service`], answers out, and when its peer has
//! taken too long.
//!
//! In:    readiness, the time, answers that had to wait.
//! Out:   calls of the service; what the connection wants next, or why it ended.
//! Never: reads on while its peer does not take its answers; keeps a buffer while it is idle.

use std::io::{self, ErrorKind};

use super::{StreamSettings, wire::Wire};
use crate::{
    access::Identity,
    counters::ConnectionEnd,
    engine::{Now, Path, Peer},
    limits::{LINGER_MS_MAX, LOOKUP_MS_MAX, MESSAGES_PER_VISIT_MAX, READS_PER_VISIT_MAX, UNSENT_BYTES_MAX},
    net::service::Service,
    sip::{Framed, Framer, HeaderIndex},
};

/// Memory that one visit uses and all connections share.
#[derive(Debug)]
pub(super) struct Workbench {
    pub(super) index: HeaderIndex,
    pub(super) read: Box<[u8]>,
    pub(super) room: Box<[u8]>,
}

/// What a connection wants after a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An event, or its deadline.
    Wait,
    /// Another visit, for its share of this turn is used up.
    Visit,
    /// To be forgotten.
    Close(ConnectionEnd),
}

/// See the file's first lines.
#[derive(Debug)]
pub(super) struct Connection {
    wire: Wire,
    pub(super) path: Path,
    /// Read at the first message, when the handshake is over: the outer `None` until then.
    identity: Option<Option<Identity>>,
    framer: Framer,
    phase: Phase,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of `output` that were sent.
    sent: usize,
    readable: bool,
    writable: bool,
    /// TLS holds bytes that did not fit into the socket.
    tls_unsent: bool,
    /// When it was opened, or last brought a whole message or a ping.
    active_ms: u64,
    /// When the message under way began.
    message_since_ms: Option<u64>,
    /// Since when answers stand here of which none was taken.
    unsent_since_ms: Option<u64>,
    /// When a message last got no answer at once: it may wait for DNS.
    unanswered_ms: Option<u64>,
    /// It stands in the line of those to be visited.
    pub(super) queued: bool,
    /// The moment under which it stands among the timers.
    pub(super) armed_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The peer has ended its side: it may still take answers.
    PeerEnded,
    /// No further message is read. Our side ends when all was sent.
    Ending(ConnectionEnd),
    /// Our side has ended; the peer's is waited for.
    #[allow(missing_docs)]
    Lingering {
        end: ConnectionEnd,
        until_ms: u64,
    },
}

impl Connection {
    pub(super) fn new(wire: Wire, path: Path, now: Now) -> Self {
        Self {
            wire,
            path,
            identity: None,
            framer: Framer::default(),
            phase: Phase::Open,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            readable: true,
            writable: true,
            tls_unsent: false,
            active_ms: now.ms,
            message_since_ms: None,
            unsent_since_ms: None,
            unanswered_ms: None,
            queued: false,
            armed_ms: u64::MAX,
        }
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    pub(super) fn note_readiness(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// No further message is read: our side ends when all was sent. No answer is owed: whoever says this has
    /// waited for them.
    pub(super) fn end(&mut self) {
        if matches!(self.phase, Phase::Open | Phase::PeerEnded) {
            self.phase = Phase::Ending(ConnectionEnd::Stopped);
        }
        self.unanswered_ms = None;
    }

    /// Whether everything that came was dealt with and everything written was sent.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.readable && self.unsent() == 0 && !self.tls_unsent
    }

    /// When it must be looked at again at the latest, and what it ends of then.
    pub(super) fn deadline(&self, settings: &StreamSettings) -> (u64, ConnectionEnd) {
        let after = |since_ms: u64, ms: u64| since_ms.saturating_add(ms);
        if let Phase::Lingering { end, until_ms } = self.phase {
            return (until_ms, end);
        }
        let unsent = self
            .unsent_since_ms
            .map(|since_ms| (after(since_ms, settings.unsent_ms), ConnectionEnd::SlowReader));
        let began_ms = if self.wire.is_handshaking() { Some(self.active_ms) } else { self.message_since_ms };
        let message =
            began_ms.map(|since_ms| (after(since_ms, settings.message_ms), ConnectionEnd::SlowSender));
        let idle = match (self.phase, self.unanswered_ms) {
            // Looked at again once no answer can come any more: then our side ends.
            (Phase::Ending(_), Some(since_ms)) if unsent.is_none() => {
                (after(since_ms, LOOKUP_MS_MAX), ConnectionEnd::Unframed)
            }
            (Phase::PeerEnded, Some(since_ms)) if unsent.is_none() => {
                (after(since_ms, LOOKUP_MS_MAX), ConnectionEnd::Peer)
            }
            _ => (after(self.active_ms, settings.idle_ms), ConnectionEnd::Idle),
        };
        [unsent, message, Some(idle)].into_iter().flatten().min_by_key(|(at_ms, _)| *at_ms).unwrap_or(idle)
    }

    /// Reads, answers and sends, up to the share of one visit.
    pub(super) fn visit<S: Service>(&mut self, service: &mut S, bench: &mut Workbench, now: Now) -> Next {
        let next = self.work(service, bench, now);
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        if self.output.is_empty() {
            self.output = Vec::new();
        }
        next
    }

    /// Sends an answer that had to wait.
    pub(super) fn send(&mut self, answer: &[u8], now: Now) -> Next {
        if self.unsent() >= UNSENT_BYTES_MAX {
            return Next::Close(ConnectionEnd::SlowReader);
        }
        self.output.extend_from_slice(answer);
        self.write(now).map_or_else(Next::Close, |()| Next::Visit)
    }

    fn work<S: Service>(&mut self, service: &mut S, bench: &mut Workbench, now: Now) -> Next {
        if let Phase::Lingering { end, .. } = self.phase {
            return self.discard(bench, end);
        }
        let mut messages = 0;
        let mut reads = 0;
        let mut taken = 0;
        let worked = loop {
            if self.phase != Phase::Open || self.unsent() >= UNSENT_BYTES_MAX {
                break Next::Wait;
            }
            if messages == MESSAGES_PER_VISIT_MAX {
                break Next::Visit;
            }
            let rest = self.input.get(taken..).unwrap_or_default();
            match self.framer.next(rest, &mut bench.index) {
                Framed::Part => {
                    self.input.drain(..taken);
                    taken = 0;
                    let begun = self.framer.in_message();
                    self.message_since_ms = begun.then(|| self.message_since_ms.unwrap_or(now.ms));
                    if !self.readable {
                        break Next::Wait;
                    }
                    if reads == READS_PER_VISIT_MAX {
                        break Next::Visit;
                    }
                    reads += 1;
                    if let Err(end) = self.read(&mut bench.read) {
                        break Next::Close(end);
                    }
                }
                Framed::Blank { len, pings } => {
                    taken += len;
                    messages += 1;
                    // RFC 5626 §4.4.1: a ping is answered by one CRLF.
                    self.output.extend(b"\r\n".iter().cycle().take(2 * pings));
                    self.active_ms = if pings > 0 { now.ms } else { self.active_ms };
                }
                Framed::Message { len } => {
                    messages += 1;
                    self.message_since_ms = None;
                    self.active_ms = now.ms;
                    self.answer((taken, len), service, bench, now);
                    taken += len;
                }
                Framed::Last { len } => {
                    self.answer((taken, len), service, bench, now);
                    self.phase = Phase::Ending(ConnectionEnd::Unframed);
                }
                Framed::Garbage => {
                    self.phase = Phase::Ending(ConnectionEnd::Garbage);
                }
            }
        };
        self.input.drain(..taken.min(self.input.len()));
        if let Next::Close(end) = worked {
            return Next::Close(end);
        }
        if let Err(end) = self.write(now) {
            return Next::Close(end);
        }
        self.after_work(worked, now)
    }

    /// What follows, once as much was sent as the socket takes.
    fn after_work(&mut self, worked: Next, now: Now) -> Next {
        let all_sent = self.unsent() == 0 && !self.tls_unsent;
        match self.phase {
            Phase::Ending(end) if all_sent && !self.may_owe_an_answer(now) => {
                self.wire.end();
                self.phase = Phase::Lingering { end, until_ms: now.ms.saturating_add(LINGER_MS_MAX) };
                self.input = Vec::new();
                Next::Visit
            }
            Phase::PeerEnded if all_sent && !self.may_owe_an_answer(now) => Next::Close(ConnectionEnd::Peer),
            // The socket took some of a full output: there may be requests left in the input.
            Phase::Open if worked == Next::Wait && self.unsent() < UNSENT_BYTES_MAX && self.has_work() => {
                Next::Visit
            }
            _ => worked,
        }
    }

    fn has_work(&self) -> bool {
        self.readable || (!self.input.is_empty() && !self.framer.in_message())
    }

    fn may_owe_an_answer(&self, now: Now) -> bool {
        self.unanswered_ms.is_some_and(|since_ms| now.ms < since_ms.saturating_add(LOOKUP_MS_MAX))
    }

    fn answer<S: Service>(
        &mut self,
        (start, len): (usize, usize),
        service: &mut S,
        bench: &mut Workbench,
        now: Now,
    ) {
        let message = self.input.get(start..start.saturating_add(len)).unwrap_or_default();
        let identity = self.identity.get_or_insert_with(|| self.wire.identity()).as_ref();
        let peer = Peer { path: self.path, identity };
        match service.message(message, peer, now, &mut bench.room) {
            Some(departure) => {
                self.output.extend_from_slice(bench.room.get(..departure.len).unwrap_or_default());
            }
            None => self.unanswered_ms = Some(now.ms),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), ConnectionEnd> {
        match self.wire.read(into) {
            Ok(0) => {
                self.readable = false;
                self.phase = Phase::PeerEnded;
            }
            Ok(count) => self.input.extend_from_slice(into.get(..count).unwrap_or_default()),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => self.readable = false,
                ErrorKind::Interrupted => {}
                ErrorKind::InvalidData => return Err(ConnectionEnd::Tls),
                _ => return Err(ConnectionEnd::Broken),
            },
        }
        Ok(())
    }

    fn write(&mut self, now: Now) -> Result<(), ConnectionEnd> {
        let before = self.sent;
        self.write_all().map_err(|_| ConnectionEnd::Broken)?;
        // The kernel tells of room when a good part of its buffer is free: who takes a byte now and then
        // makes no progress.
        let progress = self.sent > before;
        if self.unsent() == 0 {
            self.output.clear();
            self.sent = 0;
        }
        let unsent = self.unsent() > 0 || self.tls_unsent;
        let since_ms = self.unsent_since_ms.filter(|_| !progress).unwrap_or(now.ms);
        self.unsent_since_ms = unsent.then_some(since_ms);
        Ok(())
    }

    fn write_all(&mut self) -> io::Result<()> {
        while self.writable && self.unsent() > 0 {
            match self.wire.write(self.output.get(self.sent..).unwrap_or_default()) {
                Ok(count) => self.sent = self.sent.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.tls_unsent = self.wire.flush()?;
        Ok(())
    }

    fn unsent(&self) -> usize {
        self.output.len().saturating_sub(self.sent)
    }

    /// Reads what the peer still sends, and forgets it: closing with bytes unread would reset the
    /// connection, and the reset may overtake our last answer.
    fn discard(&mut self, bench: &mut Workbench, end: ConnectionEnd) -> Next {
        for _ in 0..READS_PER_VISIT_MAX {
            if !self.readable {
                return Next::Wait;
            }
            match io::Read::read(self.wire.stream(), &mut bench.read) {
                Ok(0) => return Next::Close(end),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Next::Close(end),
            }
        }
        Next::Visit
    }
}
