//! Deterministic. The only memory of the server: what DNS has told us, and the datagrams that wait
//! for it. Time is an argument; the sockets are somebody else's.
//!
//! In:    datagrams, answers of DNS, the time, the route table of this turn.
//! Out:   replies to send, questions to put, silence with its reason.
//! Never: reads a clock, opens a socket, keeps anything about a call that was answered.
//!
//! A datagram that waits is kept as bytes and decided again from the start when its answer is
//! there: no continuation, no state machine. Overflow of the waiting room decides at once, as if all its
//! time had passed, so that the route's own fallback answers.

mod decider;
mod peer;
mod refusal;
mod waiting;

use std::{collections::VecDeque, net::SocketAddr};

pub use decider::{Decide, Decider};
pub use peer::Peer;
use waiting::{Waiting, WaitingRoom};

use crate::{
    access::Identity,
    decide::{Ahead, Arrival, Context, InLine, Reply, Settings, Silence, Verdict},
    dns::{Answer, Ask, Cache, DnsView, Failure, Question},
    limits::{DNS_CACHE_ENTRIES_DEFAULT, LOOKUP_MS_MAX, QUESTIONS_PER_REQUEST_MAX, QUESTIONS_UNDER_WAY_MAX},
    overload::Admission,
    route::{Down, RouteTable, Transport},
    sip::Method,
};

/// The moment of an event.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Now {
    pub ms: u64,
    pub unix_s: i64,
}

/// Where a message came from and to, owned: it may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Path {
    pub source: SocketAddr,
    pub local: SocketAddr,
    pub listener: usize,
    pub transport: Transport,
}

/// The routes of this turn. A table alone is one whose gateways are all up.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Routes<'t> {
    pub table: &'t RouteTable,
    /// Which of its gateways are down.
    pub down: &'t Down,
}

impl<'t> From<&'t RouteTable> for Routes<'t> {
    fn from(table: &'t RouteTable) -> Self {
        Self { table, down: Down::NONE }
    }
}

/// What became of one datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Send `out[..reply.len]` to `reply.to`, from `path.local` on `path.listener`.
    #[allow(missing_docs)]
    Send { reply: Reply, path: Path },
    /// Nothing to send.
    Silence(Silence),
    /// The datagram waits for DNS; see [`Engine::next_question`].
    Wait,
}

/// What happened to those that had to wait, counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Datagrams that waited.
    pub waited: u64,
    /// Retransmissions of a datagram that waited: they get its answer, not one of their own.
    pub retransmissions: u64,
    /// Questions put.
    pub questions: u64,
    /// Questions saved, because the same one was under way.
    pub questions_shared: u64,
    /// Questions whose answer never came.
    pub questions_forgotten: u64,
    /// Datagrams decided without DNS because the waiting room or the list of questions was full.
    pub overflows: u64,
    /// Datagrams decided without the answer they waited for because their time was over.
    pub timeouts: u64,
    /// Datagrams decided without DNS because they had caused
    /// [`crate::limits::QUESTIONS_PER_REQUEST_MAX`] questions.
    pub too_many_questions: u64,
}

/// The engine.
#[derive(Debug)]
pub struct Engine<D = Decider> {
    decider: D,
    settings: Settings,
    listeners: Vec<Box<str>>,
    draining: bool,
    cache: Cache,
    room: WaitingRoom,
    /// Questions to put, no more than may be under way.
    questions: VecDeque<Question>,
    /// What was found for the messages that come next.
    ahead: Ahead,
    /// What [`Engine::next_ready`] last gave an outcome of, for whoever looks on.
    served: Option<Waiting>,
    tallies: Tallies,
    /// `None`: nothing is refused for there being too much of it.
    admission: Option<Box<Admission>>,
}

impl Engine {
    /// `listeners` are their names, by the index used in [`Path`].
    #[must_use]
    pub fn new(settings: Settings, listeners: Vec<Box<str>>) -> Self {
        Self::with_decider(Decider::new(), settings, listeners)
    }
}

impl<D: Decide> Engine<D> {
    /// An engine with a verdict of somebody else's.
    #[must_use]
    pub fn with_decider(decider: D, settings: Settings, listeners: Vec<Box<str>>) -> Self {
        Self {
            decider,
            cache: Cache::with(
                settings.cache_entries_max.unwrap_or(DNS_CACHE_ENTRIES_DEFAULT),
                settings.lives,
                &settings.key,
            ),
            settings,
            listeners,
            draining: false,
            room: WaitingRoom::default(),
            questions: VecDeque::new(),
            ahead: Ahead::default(),
            served: None,
            tallies: Tallies::default(),
            admission: None,
        }
    }

    /// Refuses what is too much.
    #[must_use]
    pub fn with_admission(mut self, admission: Admission) -> Self {
        self.settings.feedback = admission.feedback();
        self.admission = Some(Box::new(admission));
        self
    }

    /// Whether OPTIONS to ourselves are answered 503 from now on.
    pub fn drain(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// Forgets what DNS has said to this question; whether there was anything.
    pub fn forget(&mut self, question: &Question) -> bool {
        self.cache.forget(question)
    }

    /// Forgets all that DNS has said, and hands it over: to free it takes time.
    pub fn forget_all(&mut self) -> Cache {
        self.cache.take()
    }

    /// Looks for what the first messages of several that follow will look up; see [`Ahead::look`].
    pub fn look_ahead<'m, 't>(
        &mut self,
        messages: impl Iterator<Item = &'m [u8]>,
        routes: impl Into<Routes<'t>>,
    ) {
        self.ahead.look(messages, routes.into().table, &self.cache);
    }

    /// Handles one message. The method, once it could be read, is for the metrics.
    ///
    /// Bytes that already wait, from the same source to the same listener, are a retransmission: the
    /// one answer is for both, and this says [`Outcome::Wait`].
    pub fn datagram<'t, 'i>(
        &mut self,
        bytes: &[u8],
        peer: impl Into<Peer<'i>>,
        routes: impl Into<Routes<'t>>,
        now: Now,
        out: &mut [u8],
    ) -> (Option<Method>, Outcome) {
        let (peer, in_line) = (&peer.into(), self.ahead.take());
        if self.room.len() > 0 && self.room.holds(bytes, peer) {
            self.tallies.retransmissions += 1;
            return (method_of(bytes), Outcome::Wait);
        }
        let turn = Turn { routes: routes.into(), now, in_line };
        let outcome = match self.refused(bytes, &peer.path, turn, out) {
            Some(outcome) => outcome,
            None => match self.decide(bytes, peer, turn, 0, Failure::Timeout, out) {
                Decided::Now(outcome) => outcome,
                Decided::Ask(ask) => self.park_new(bytes, peer, ask, turn, out),
            },
        };
        self.check_invariants();
        (method_in(bytes, &outcome), outcome)
    }

    /// Takes an answer of the resolver in; those who waited for it become ready. One that nobody
    /// waits for is kept all the same.
    pub fn answered(&mut self, question: Question, answer: Answer, now: Now) {
        self.room.answered(&question);
        self.cache.insert(question, answer, now.ms);
        self.check_invariants();
    }

    /// Decides the next datagram that is ready or whose time is over; `None` when there is none.
    /// Call until `None` after [`Engine::answered`] and at [`Engine::deadline_ms`].
    pub fn next_ready<'t>(
        &mut self,
        routes: impl Into<Routes<'t>>,
        now: Now,
        out: &mut [u8],
    ) -> Option<Outcome> {
        self.served = None;
        let waiting = self.room.take_due(now.ms)?;
        let is_late = waiting.deadline_ms <= now.ms;
        self.tallies.timeouts += u64::from(is_late && !waiting.open.is_empty());
        let waited_ms = now.ms.saturating_sub(waiting.arrived_ms);
        let turn = Turn { routes: routes.into(), now, in_line: InLine::NONE };
        let outcome =
            match self.decide(&waiting.bytes, &waiting.peer(), turn, waited_ms, Failure::Timeout, out) {
                Decided::Now(outcome) => {
                    self.served = Some(waiting);
                    outcome
                }
                Decided::Ask(ask) => self.park_again(waiting, ask, turn, out),
            };
        self.check_invariants();
        Some(outcome)
    }

    /// The datagram that [`Engine::next_ready`] last gave an outcome of, where it came from, and when. `None` when
    /// it waits on.
    #[must_use]
    pub fn served(&self) -> Option<(&[u8], Path, u64)> {
        self.served.as_ref().map(|waiting| (&*waiting.bytes, waiting.path, waiting.arrived_ms))
    }

    /// The next question to put to the resolver. Call until `None` after every call of
    /// [`Engine::datagram`] and [`Engine::next_ready`]: there is room for those under way, and no more.
    pub fn next_question(&mut self, now: Now) -> Option<Question> {
        if self.room.questions() > 0 {
            self.tallies.questions_forgotten += self.room.forget_lost(now.ms);
        }
        // What nobody waits for takes no place of what somebody does.
        while self.room.questions() < QUESTIONS_UNDER_WAY_MAX / 2
            && let Some(question) = self.cache.next_refresh()
        {
            if self.room.start(&question, now.ms) {
                self.tallies.questions += 1;
                self.questions.push_back(question);
            }
        }
        self.questions.pop_front()
    }

    /// When the next waiting datagram's time is over.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.room.deadline_ms()
    }

    /// Datagrams waiting now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.room.len()
    }

    /// Questions under way now.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.room.questions()
    }

    /// What happened so far to those that had to wait.
    #[must_use]
    pub fn tallies(&self) -> Tallies {
        self.tallies
    }

    /// What DNS has told us.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    fn park_new(
        &mut self,
        bytes: &[u8],
        peer: &Peer<'_>,
        ask: Ask,
        turn: Turn<'_>,
        out: &mut [u8],
    ) -> Outcome {
        if ask.within_ms == 0 || !self.room.admits(bytes.len(), &ask.questions) {
            self.tallies.overflows += 1;
            return self.decide_with_what_there_is(bytes, peer, Failure::Overflow, turn, out);
        }
        self.tallies.waited += 1;
        let waiting = Waiting {
            bytes: bytes.into(),
            path: peer.path,
            identity: peer.identity.cloned(),
            arrived_ms: turn.now.ms,
            deadline_ms: deadline_ms(turn.now.ms, ask.within_ms),
            asked: 0,
            open: Vec::new(),
            ticket: self.room.ticket(),
        };
        self.park(waiting, ask.questions, turn.now)
    }

    /// A datagram that got one answer needs another. Its time runs since it arrived.
    fn park_again(&mut self, waiting: Waiting, ask: Ask, turn: Turn<'_>, out: &mut [u8]) -> Outcome {
        let deadline_ms = deadline_ms(waiting.arrived_ms, ask.within_ms);
        let new = ask.questions.iter().filter(|question| !waiting.open.contains(question)).count();
        let late = if deadline_ms <= turn.now.ms {
            self.tallies.timeouts += 1;
            Failure::Timeout
        } else if waiting.asked.saturating_add(new) > QUESTIONS_PER_REQUEST_MAX {
            self.tallies.too_many_questions += 1;
            Failure::Overflow
        } else if !self.room.admits(waiting.bytes.len(), &ask.questions) {
            self.tallies.overflows += 1;
            Failure::Overflow
        } else {
            return self.park(Waiting { deadline_ms, ..waiting }, ask.questions, turn.now);
        };
        let outcome = self.decide_with_what_there_is(&waiting.bytes, &waiting.peer(), late, turn, out);
        self.served = Some(waiting);
        outcome
    }

    fn park(&mut self, mut waiting: Waiting, questions: Vec<Question>, now: Now) -> Outcome {
        let before = std::mem::replace(&mut waiting.open, questions);
        let is_new = |question: &&Question| !before.contains(question);
        let new = waiting.open.iter().filter(is_new).count();
        waiting.asked = waiting.asked.saturating_add(new);
        let (to_put, mut put) = (&mut self.questions, 0_u64);
        self.room.park(waiting, now.ms, &mut |question| {
            put += 1;
            to_put.push_back(question.clone());
        });
        self.tallies.questions += put;
        self.tallies.questions_shared += u64::try_from(new).unwrap_or(u64::MAX).saturating_sub(put);
        Outcome::Wait
    }

    fn decide_with_what_there_is(
        &mut self,
        bytes: &[u8],
        peer: &Peer<'_>,
        late: Failure,
        turn: Turn<'_>,
        out: &mut [u8],
    ) -> Outcome {
        match self.decide(bytes, peer, turn, u64::MAX, late, out) {
            Decided::Now(outcome) => outcome,
            Decided::Ask(ask) => {
                // After all that time nothing is unknown, so there is nothing to ask for.
                debug_assert!(false, "asked for {ask:?} after giving up");
                Outcome::Silence(Silence::AnswerTooLong)
            }
        }
    }

    fn decide(
        &mut self,
        bytes: &[u8],
        Peer { path, identity }: &Peer<'_>,
        turn: Turn<'_>,
        waited_ms: u64,
        late: Failure,
        out: &mut [u8],
    ) -> Decided {
        let arrival = Arrival {
            source: path.source,
            local: path.local,
            listener: self.listeners.get(path.listener).map_or("", |name| name),
            transport: path.transport,
            identity: identity.map(Identity::names),
        };
        let guess = self.ahead.guess(turn.in_line);
        let context = Context {
            settings: &self.settings,
            table: turn.routes.table,
            dns: DnsView {
                cache: &self.cache,
                now_ms: turn.now.ms,
                waited_ms,
                late,
                guess: guess.and_then(|guess| guess.slot),
            },
            unix_s: turn.now.unix_s,
            draining: self.draining,
            down: turn.routes.down,
            guess: guess.and_then(|guess| guess.near.as_ref()).map(|(table, near)| (*table, near)),
        };
        match self.decider.decide(bytes, &arrival, &context, out) {
            Verdict::Reply(reply) => Decided::Now(Outcome::Send { reply, path: *path }),
            Verdict::Silence(silence) => Decided::Now(Outcome::Silence(silence)),
            Verdict::Ask(ask) => Decided::Ask(ask),
        }
    }

    fn check_invariants(&self) {
        if cfg!(debug_assertions) {
            self.room.check_invariants();
        }
    }
}

/// What does not change during one call of the loop.
#[derive(Clone, Copy)]
struct Turn<'t> {
    routes: Routes<'t>,
    now: Now,
    /// The message at hand.
    in_line: InLine,
}

enum Decided {
    Now(Outcome),
    Ask(Ask),
}

/// No route waits longer than [`LOOKUP_MS_MAX`].
fn deadline_ms(arrived_ms: u64, within_ms: u64) -> u64 {
    arrived_ms.saturating_add(within_ms.min(LOOKUP_MS_MAX))
}

/// The method of a message with its outcome: `None` when it was no request.
fn method_in(bytes: &[u8], outcome: &Outcome) -> Option<Method> {
    match outcome {
        Outcome::Send { reply, .. } => Some(reply.method),
        // Those of a source that is passed over are not even read.
        Outcome::Silence(Silence::Unanswerable(_) | Silence::Access(_) | Silence::Overload) => None,
        Outcome::Silence(Silence::Ack) => Some(Method::Ack),
        Outcome::Silence(Silence::Cancel) => Some(Method::Cancel),
        Outcome::Silence(_) | Outcome::Wait => method_of(bytes),
    }
}

/// The method of what is known to be a request: its first word.
fn method_of(bytes: &[u8]) -> Option<Method> {
    let line = bytes.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b' ')?;
    line.get(..end).map(Method::from_token)
}
