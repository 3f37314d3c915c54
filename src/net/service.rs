//! Outside. What the event loop asks of the rest of the server.
//!
//! In:    messages with their path and time; DNS answers; trouble.
//! Out:   answers, written into the loop's buffer.
//!
//! The server's own is made of engine, route table and counters (`serving.rs`). Tests bring
//! others, so that sockets are tested without SIP.

use std::{net::SocketAddr, time::Duration};

use super::handle::{Forgotten, Kept};
use crate::{
    counters::{ConnectionEnd, ConnectionRefusal, SocketTrouble},
    dns::{Answer, Question},
    engine::{Now, Path, Peer},
    route::Transport,
};

/// An answer in the buffer, ready to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Its length in bytes, from the start of the buffer.
    pub len: usize,
    /// Where to.
    pub to: SocketAddr,
    /// The path of its request: it leaves from there.
    pub path: Path,
}

/// What became of a message that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// No message is ready.
    None,
    /// One was dealt with, without an answer.
    Silent,
    /// One was answered.
    Send(Departure),
}

/// The other side of the event loop.
pub trait Service {
    /// A batch of datagrams begins at this listener. The last of it has waited so long in its socket; 0 when nothing is
    /// behind it. `true`:
    /// [`Service::batch_ended`] is to be called.
    fn batch_begins(&mut self, _listener: usize, _age_ms: u64) -> bool {
        false
    }
    /// The batch is answered. From the call that read it to that which sent its answers it took so long.
    fn batch_ended(&mut self, _took: Duration) {}
    /// These messages of the batch are the next, some of them maybe not.
    fn look_ahead<'m>(&mut self, _messages: impl Iterator<Item = &'m [u8]>) {}
    /// Deals with one message. An answer is written to the start of `out`.
    fn message(&mut self, bytes: &[u8], peer: Peer<'_>, now: Now, out: &mut [u8]) -> Option<Departure>;
    /// Takes the answer to a question.
    fn answered(&mut self, question: Question, answer: Answer, now: Now);
    /// What is kept of the first of these questions that has an answer.
    fn kept(&self, _questions: &[Question], _now: Now) -> Option<Kept> {
        None
    }
    /// Forgets the answers to these questions; all, where there are none.
    fn forget(&mut self, _questions: Option<&[Question]>) -> Forgotten {
        Forgotten::default()
    }
    /// Deals with the next message that waited and need wait no longer. Called in every turn until
    /// it says [`Ready::None`].
    fn next_ready(&mut self, now: Now, out: &mut [u8]) -> Ready;
    /// When the first message that waits must wait no longer; `None` when none waits.
    fn deadline_ms(&self) -> Option<u64>;
    /// [`super::Order::Drain`] came, or, `false`, [`super::Order::Undrain`].
    fn drain(&mut self, draining: bool);
    /// A system call failed; the loop goes on.
    fn trouble(&mut self, trouble: SocketTrouble);
    /// A connection was taken.
    fn connection_opened(&mut self, transport: Transport);
    /// A connection was refused: there are as many as may be.
    fn connection_refused(&mut self, refusal: ConnectionRefusal);
    /// A connection has ended.
    fn connection_closed(&mut self, transport: Transport, end: ConnectionEnd);
    /// How long the loop has not slept since it began. Said in every turn.
    fn busy_so_far(&mut self, _busy: Duration) {}
    /// How long one decision took: the first of each turn.
    fn decided_in(&mut self, took: Duration);
    /// The loop is going to sleep: let go of what was borrowed for this turn.
    fn rest(&mut self);
}
