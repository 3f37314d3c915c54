//! Outside. The server's own [`Service`]: the engine, with the route table in service, the
//! counters and the way to the resolver.
//!
//! The table is borrowed at the first message of a turn and given back before the loop sleeps, so
//! that all messages of a turn see one table and a sleeping loop holds none. The borrow is not an
//! owner, but the thread that swaps the table must keep the old one until nobody else holds it, or
//! this thread would be the one to free it.

use std::{sync::Arc, time::Duration};

use arc_swap::{ArcSwap, Guard};

use super::{
    handle::{Forgotten, Kept},
    service::{Departure, Ready, Service},
    tap::{Chosen, End, Seen, Tap},
};
use crate::{
    access::AccessId,
    counters::{ConnectionEnd, ConnectionRefusal, Counters, SocketTrouble, Waits},
    decide::Silence,
    dns::{Answer, Failure, Question},
    engine::{Engine, Now, Outcome, Path, Peer, Routes},
    route::{Down, Transport},
    snapshot::Snapshot,
};

/// See the file's first lines.
pub(super) struct Serving<'a> {
    engine: Engine,
    table: &'a ArcSwap<Snapshot>,
    counters: &'a Counters,
    /// Which worker this is: hits of routes are counted by worker.
    worker: usize,
    ask: &'a mut dyn FnMut(Question) -> bool,
    /// Shows some of the messages to whoever looks on.
    tap: Option<Tap>,
    /// The table of this turn.
    snapshot: Option<Guard<Arc<Snapshot>>>,
    /// Its gateways that are down, as they were when the turn began, and which state of them that is.
    down: Down,
    down_is_of: Option<(u64, u64)>,
    /// An answer came in since [`Engine::next_ready`] last said `None`.
    answers_came: bool,
}

impl<'a> Serving<'a> {
    pub(super) fn new(
        engine: Engine,
        table: &'a ArcSwap<Snapshot>,
        counters: &'a Counters,
        worker: usize,
        ask: &'a mut dyn FnMut(Question) -> bool,
        tap: Option<Tap>,
    ) -> Self {
        Self {
            engine,
            table,
            counters,
            worker,
            ask,
            tap,
            snapshot: None,
            down: Down::with_room(),
            down_is_of: None,
            answers_came: false,
        }
    }

    /// Counts an outcome and does what it asks for.
    fn carry_out(&mut self, outcome: Outcome) -> Option<Departure> {
        self.counters.outcome(&outcome);
        match outcome {
            Outcome::Send { reply, path } => {
                if let (Some(route), Some(snapshot)) = (reply.route, &self.snapshot) {
                    snapshot.hit(self.worker, route);
                }
                self.count_access(reply.access);
                Some(Departure { len: reply.len, to: reply.to, path })
            }
            Outcome::Silence(silence) => {
                self.count_access(if let Silence::Access(list) = silence { Some(list) } else { None });
                None
            }
            Outcome::Wait => None,
        }
    }

    fn count_access(&self, list: Option<AccessId>) {
        if let (Some(list), Some(snapshot)) = (list, &self.snapshot) {
            snapshot.decided_on(self.worker, list);
        }
    }

    /// Whether a message is to be shown with what became of it; `None`, too, while it waits: it is when that is over.
    #[inline]
    fn choose(tap: Option<&mut Tap>, request: Option<&[u8]>, outcome: &Outcome) -> Option<Chosen> {
        if *outcome == Outcome::Wait {
            return None;
        }
        tap?.choose(request?)
    }

    /// Shows a message with what became of it. `message` is that of [`Engine::served`] when there is none here.
    #[cold]
    #[inline(never)]
    fn show(
        &mut self,
        chosen: Chosen,
        message: Option<(&[u8], Path)>,
        now: Now,
        outcome: &Outcome,
        out: &[u8],
    ) {
        let Some(tap) = &mut self.tap else { return };
        let here = message.map(|(bytes, path)| (bytes, path, now.ms));
        let Some((request, path, arrived_ms)) = here.or_else(|| self.engine.served()) else { return };
        let (end, to, route, answer) = match outcome {
            Outcome::Send { reply, .. } => {
                let answer = out.get(..reply.len).unwrap_or_default();
                (End::Answer(reply.status), reply.to, reply.route, answer)
            }
            Outcome::Silence(silence) => {
                let route = if let Silence::Route(route) = silence { Some(*route) } else { None };
                (End::Silence(*silence), path.source, route, &[][..])
            }
            Outcome::Wait => return,
        };
        let routes = self.snapshot.as_ref().map_or(&[][..], |snapshot| &snapshot.table.routes);
        let route = route.and_then(|route| routes.get(route)).map(|route| &*route.name);
        let waited_ms = now.ms.saturating_sub(arrived_ms);
        let shown = tap.show(&Seen { request, answer, to, path, end, route, waited_ms }, chosen);
        self.counters.tapped(shown);
    }

    fn put_questions(&mut self, now: Now) {
        while let Some(question) = self.engine.next_question(now) {
            if !(self.ask)(question.clone()) {
                self.answered(question, Answer::Failed(Failure::Overflow), now);
            }
        }
    }
}

/// The routes of this turn. What is down is copied when it has changed: all messages of a turn see one state.
fn routes<'t>(
    snapshot: &'t mut Option<Guard<Arc<Snapshot>>>,
    table: &ArcSwap<Snapshot>,
    down: &'t mut Down,
    down_is_of: &mut Option<(u64, u64)>,
) -> Routes<'t> {
    let snapshot = match snapshot {
        Some(snapshot) => snapshot,
        None => {
            let snapshot = snapshot.insert(table.load());
            let state = Some((snapshot.generation, snapshot.marks.version()));
            if *down_is_of != state {
                snapshot.marks.copy_to(down);
                *down_is_of = state;
            }
            snapshot
        }
    };
    Routes { table: &snapshot.table, down }
}

impl Service for Serving<'_> {
    fn batch_begins(&mut self, listener: usize, age_ms: u64) -> bool {
        self.engine.batch_begins(listener, age_ms)
    }

    fn batch_ended(&mut self, took: Duration) {
        self.engine.batch_ended(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    fn look_ahead<'m>(&mut self, messages: impl Iterator<Item = &'m [u8]>) {
        let routes = routes(&mut self.snapshot, self.table, &mut self.down, &mut self.down_is_of);
        self.engine.look_ahead(messages, routes);
    }

    fn message(&mut self, bytes: &[u8], peer: Peer<'_>, now: Now, out: &mut [u8]) -> Option<Departure> {
        let routes = routes(&mut self.snapshot, self.table, &mut self.down, &mut self.down_is_of);
        let (method, outcome) = self.engine.datagram(bytes, peer, routes, now, out);
        self.counters.request(method, peer.path.transport);
        if let Some(chosen) = Self::choose(self.tap.as_mut(), Some(bytes), &outcome) {
            self.show(chosen, Some((bytes, peer.path)), now, &outcome, out);
        }
        self.put_questions(now);
        self.carry_out(outcome)
    }

    fn answered(&mut self, question: Question, answer: Answer, now: Now) {
        self.counters.dns_answer(question.kind(), &answer);
        self.engine.answered(question, answer, now);
        self.answers_came = true;
    }

    fn kept(&self, questions: &[Question], now: Now) -> Option<Kept> {
        questions.iter().find_map(|question| {
            let (answer, fresh_for_ms) = self.engine.cache().peek(question, now.ms)?;
            Some(Kept { question: question.clone(), answer: answer.clone(), fresh_for_ms })
        })
    }

    fn forget(&mut self, questions: Option<&[Question]>) -> Forgotten {
        let Some(questions) = questions else {
            let all = self.engine.forget_all();
            return Forgotten { count: all.len(), all: Some(Box::new(all)) };
        };
        Forgotten { count: questions.iter().filter(|it| self.engine.forget(it)).count(), all: None }
    }

    fn next_ready(&mut self, now: Now, out: &mut [u8]) -> Ready {
        let due = self.engine.deadline_ms().is_some_and(|deadline_ms| deadline_ms <= now.ms);
        if !self.answers_came && !due {
            return Ready::None;
        }
        let routes = routes(&mut self.snapshot, self.table, &mut self.down, &mut self.down_is_of);
        let Some(outcome) = self.engine.next_ready(routes, now, out) else {
            self.answers_came = false;
            return Ready::None;
        };
        let served = self.engine.served().map(|(bytes, ..)| bytes);
        if let Some(chosen) = Self::choose(self.tap.as_mut(), served, &outcome) {
            self.show(chosen, None, now, &outcome, out);
        }
        self.put_questions(now);
        self.carry_out(outcome).map_or(Ready::Silent, Ready::Send)
    }

    fn deadline_ms(&self) -> Option<u64> {
        self.engine.deadline_ms()
    }

    fn drain(&mut self, draining: bool) {
        self.engine.drain(draining);
    }

    fn trouble(&mut self, trouble: SocketTrouble) {
        self.counters.socket_trouble(trouble);
    }

    fn connection_opened(&mut self, transport: Transport) {
        self.counters.connection_opened(transport);
    }

    fn connection_refused(&mut self, refusal: ConnectionRefusal) {
        self.counters.connection_refused(refusal);
    }

    fn connection_closed(&mut self, transport: Transport, end: ConnectionEnd) {
        self.counters.connection_closed(transport, end);
    }

    fn busy_so_far(&mut self, busy: Duration) {
        self.counters.set_busy_ns(u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX));
    }

    fn decided_in(&mut self, took: Duration) {
        self.counters.decision_ns(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    fn rest(&mut self) {
        self.counters.set_overload(self.engine.end_turn());
        let (engine, cache) = (&self.engine, self.engine.cache());
        let number = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        self.counters.set_waits(Waits {
            tallies: engine.tallies(),
            cache: cache.tallies(),
            waiting: number(engine.waiting()),
            questions: number(engine.questions()),
            cache_entries: number(cache.len()),
            cache_bytes: number(cache.bytes()),
        });
        self.snapshot = None;
    }
}
