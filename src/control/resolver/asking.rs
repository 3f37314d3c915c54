//! Outside. One question to the servers that may answer it.
//!
//! In:    servers, in the order of [`crate::dns::Health`].
//! Out:   the first answer that says something; or the failure that says most.
//! Never: asks a server twice at once, but for a packet that may be lost.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    server::{Nth, Server, Wanted},
};
use crate::{
    dns::{Answer, Failure},
    limits::{DNS_HEDGE_MS_DEFAULT, DNS_RETRIES, DNS_TRY_MS},
};

/// `None`: all servers are known to be dead, and nobody was asked.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    servers: &[SocketAddr],
    wanted: &Wanted,
    end: Instant,
) -> Option<Answer> {
    let mut race = Race::new(shared, servers, wanted);
    if race.left.is_empty() {
        return race.failure.map(Answer::Failed);
    }
    race.start_next();
    while !(race.tries.is_empty() && race.left.is_empty()) {
        let wake = race.next_at.map_or(end, |next_at| next_at.min(end));
        tokio::select! {
            biased;
            (nth, answer) = first_of(&mut race.tries) => {
                if let Some(answer) = race.said(nth, answer) {
                    return Some(answer);
                }
            }
            () = sleep_until(wake) => {
                if wake == end {
                    race.give_up();
                    break;
                }
                race.start_another();
            }
        }
    }
    Some(Answer::Failed(race.failure.unwrap_or(Failure::Timeout)))
}

struct Race<'a> {
    shared: &'a Arc<Shared>,
    wanted: &'a Wanted,
    /// Whom to ask next, and which try of theirs that is.
    left: VecDeque<(SocketAddr, Arc<Server>, Nth)>,
    tries: Vec<Try<'a>>,
    /// When the next one is asked, if nobody has answered by then.
    next_at: Option<Instant>,
    first_at: Instant,
    failure: Option<Failure>,
}

/// A question that is with a server.
struct Try<'a> {
    address: SocketAddr,
    nth: Nth,
    began: Instant,
    answer: Pin<Box<dyn Future<Output = Answer> + Send + 'a>>,
    _place: Option<SemaphorePermit<'a>>,
}

impl<'a> Race<'a> {
    fn new(shared: &'a Arc<Shared>, servers: &[SocketAddr], wanted: &'a Wanted) -> Self {
        let first_at = Instant::now();
        let now_ms = shared.ms(first_at);
        let mut state = shared.state();
        let has_room: Vec<_> =
            servers.iter().copied().filter(|server| state.server(*server, now_ms).is_some()).collect();
        let failure = has_room.is_empty().then_some(Failure::Overflow);
        let plan = state.health.plan(&has_room, now_ms);
        let mut of = |address: SocketAddr, nth| Some((address, state.server(address, now_ms)?, nth));
        let mut left: VecDeque<_> =
            plan.servers.iter().filter_map(|address| of(*address, Nth::First)).collect();
        let best = plan.servers.first().and_then(|best| of(*best, Nth::Again));
        left.extend(best.into_iter().take(DNS_RETRIES));
        drop(state);
        if let Some(probe) = plan.probe {
            shared.probe(probe, wanted);
        }
        Self { shared, wanted, left, tries: Vec::new(), next_at: None, first_at, failure }
    }

    /// Time has passed without an answer: the next one is asked beside the others, if there is room.
    fn start_another(&mut self) {
        let Some((.., nth)) = self.left.front() else { return };
        let is_hedge = *nth == Nth::First;
        let place = match self.tries.is_empty() {
            true => None,
            false => match self.shared.further.try_acquire() {
                Ok(place) => Some(place),
                Err(_) => {
                    self.next_at = Some(Instant::now() + Duration::from_millis(DNS_HEDGE_MS_DEFAULT));
                    return;
                }
            },
        };
        if is_hedge {
            self.shared.hedges.fetch_add(1, Relaxed);
        }
        self.start(place);
    }

    /// The last one asked has failed: the next one takes its place.
    fn start_next(&mut self) {
        if self.left.front().is_some_and(|(.., nth)| *nth == Nth::First) {
            self.start(None);
        }
    }

    fn start(&mut self, place: Option<SemaphorePermit<'a>>) {
        let Some((address, server, nth)) = self.left.pop_front() else { return };
        let (wanted, began) = (self.wanted, Instant::now());
        let answer = Box::pin(async move { server.ask(wanted, nth).await });
        self.tries.push(Try { address, nth, began, answer, _place: place });
        let hedge_at = began + Duration::from_millis(self.shared.state().health.hedge_after_ms(address));
        self.next_at = self.left.front().map(|(.., nth)| match nth {
            Nth::First => hedge_at,
            Nth::Again => hedge_at.max(self.first_at + Duration::from_millis(DNS_TRY_MS)),
        });
    }

    /// The answer, when it says something. Otherwise the next server is asked at once.
    fn said(&mut self, nth: usize, answer: Answer) -> Option<Answer> {
        let Try { address, nth, began, .. } = self.tries.swap_remove(nth);
        let Answer::Failed(failure) = answer else {
            for other in self.tries.iter().filter(|other| other.address != address) {
                let waited = other.began.elapsed();
                if self.shared.state().health.overtaken(other.address, us(waited), self.shared.now_ms()) {
                    self.shared.check(other.address);
                }
            }
            self.shared.answered(address, us(began.elapsed()), Some(self.wanted));
            return Some(answer);
        };
        self.failure = Some(self.failure.map_or(failure, |before| worse(before, failure)));
        match failure {
            Failure::Timeout => self.silent(address, nth, began),
            Failure::Overflow => {}
            _ => {
                self.shared.answered(address, us(began.elapsed()), None);
                // Its second try would say the same.
                self.left.retain(|(other, ..)| *other != address);
            }
        }
        if self.left.is_empty() {
            self.next_at = None;
        }
        self.start_next();
        None
    }

    fn give_up(&mut self) {
        for Try { address, nth, began, .. } in std::mem::take(&mut self.tries) {
            self.silent(address, nth, began);
        }
    }

    fn silent(&self, address: SocketAddr, nth: Nth, began: Instant) {
        // A question counts once.
        if nth == Nth::First
            && self.shared.state().health.silent(address, us(began.elapsed()), self.shared.now_ms())
        {
            self.shared.check(address);
        }
    }
}

impl Shared {
    /// Asks a server that may be dead what it has answered before.
    fn check(self: &Arc<Self>, address: SocketAddr) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let known = state.known.get(&address);
        let Some((server, wanted)) =
            known.and_then(|known| Some((Arc::clone(&known.server), known.answered.clone()?)))
        else {
            // It has never answered anything.
            state.health.check_failed(address, now_ms);
            return;
        };
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let began = Instant::now();
            match server.ask(&wanted, Nth::Again).await {
                Answer::Failed(Failure::Timeout) => {
                    let now_ms = shared.now_ms();
                    shared.state().health.check_failed(address, now_ms);
                }
                Answer::Failed(Failure::Overflow) => shared.state().health.not_checked(address),
                answer => shared.heard(address, began, &answer, &wanted),
            }
        });
    }

    /// Asks a server to see how it is: what it has answered before, or this.
    fn probe(self: &Arc<Self>, address: SocketAddr, wanted: &Wanted) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let Some(server) = state.server(address, now_ms) else { return };
        let answered = state.known.get(&address).and_then(|known| known.answered.clone());
        let wanted = answered.unwrap_or_else(|| wanted.clone());
        drop(state);
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let began = Instant::now();
            match server.ask(&wanted, Nth::Again).await {
                Answer::Failed(Failure::Timeout) => {
                    let (waited_us, now_ms) = (us(began.elapsed()), shared.now_ms());
                    let is_due = shared.state().health.silent(address, waited_us, now_ms);
                    if is_due {
                        shared.check(address);
                    }
                }
                answer => shared.heard(address, began, &answer, &wanted),
            }
        });
    }

    fn heard(&self, address: SocketAddr, began: Instant, answer: &Answer, wanted: &Wanted) {
        match answer {
            // Ours: the server was not asked.
            Answer::Failed(Failure::Overflow) => {}
            Answer::Failed(_) => self.answered(address, us(began.elapsed()), None),
            _ => self.answered(address, us(began.elapsed()), Some(wanted)),
        }
    }

    /// `said`: the question to which it said something.
    fn answered(&self, address: SocketAddr, took_us: u64, said: Option<&Wanted>) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        state.health.answered(address, took_us, said.is_some(), now_ms);
        if let Some((known, wanted)) = state.known.get_mut(&address).zip(said) {
            known.answered = Some(wanted.clone());
        }
    }
}

/// The first that is there, and its place.
async fn first_of(tries: &mut [Try<'_>]) -> (usize, Answer) {
    poll_fn(|context| {
        for (nth, one) in tries.iter_mut().enumerate() {
            if let Poll::Ready(answer) = one.answer.as_mut().poll(context) {
                return Poll::Ready((nth, answer));
            }
        }
        Poll::Pending
    })
    .await
}

/// The failure that tells more of what is wrong.
fn worse(a: Failure, b: Failure) -> Failure {
    let rank = |failure| match failure {
        // Somebody has to allow us.
        Failure::Refused => 5,
        // Somebody has to mend a zone.
        Failure::ServFail => 4,
        Failure::Lame => 3,
        Failure::Malformed => 2,
        Failure::Timeout => 1,
        Failure::Overflow => 0,
    };
    if rank(b) > rank(a) { b } else { a }
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
