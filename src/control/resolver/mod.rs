//! Outside. The resolver: questions of the loop to DNS servers, answers back.
//!
//! In:    questions, from a bounded queue.
//! Out:   one answer for each, within [`DNS_QUESTION_MS_MAX`].
//! Never: caches (the engine does); waits for a server that is known to be dead.

mod asking;
mod numbers;
mod server;
mod system;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::{
    dns::{Answer, Failure, Health, Question},
    limits::{DNS_LOOKUPS_MAX, DNS_QUESTION_MS_MAX, DNS_SERVERS_AT_ONCE, QUESTIONS_UNDER_WAY_MAX},
};

use numbers::Times;
pub use numbers::{Numbers, QUESTION_BOUNDS_US, QuestionTimes};
use server::{Nth, Server, Wanted, is_not_asked};

/// Asks DNS servers. A clone is the same resolver.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    /// For questions that have no servers of their own.
    servers: Vec<SocketAddr>,
    state: Mutex<State>,
    /// Places of questions that are with the servers: one server each.
    lookups: Semaphore,
    /// Places for further servers of those questions.
    further: Semaphore,
    hedges: AtomicU64,
    began: Instant,
}

/// Never held while something is waited for.
#[derive(Default)]
struct State {
    health: Health,
    known: HashMap<SocketAddr, Known>,
    times: Times,
}

struct Known {
    server: Arc<Server>,
    /// The last question that it has answered: it should answer that one again.
    answered: Option<Wanted>,
}

/// Answers questions until their queue is closed and the last one is answered. See [`Resolver::run`].
pub async fn run(
    servers: Vec<SocketAddr>,
    questions: mpsc::Receiver<Question>,
    answer: impl Fn(Question, Answer),
) {
    Resolver::new(servers).run(questions, answer).await;
}

impl Resolver {
    /// `servers` empty: those of /etc/resolv.conf, as it is now.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        let servers = if servers.is_empty() { system::servers() } else { servers };
        let mut state = State::default();
        // They show among the numbers before they are asked.
        servers.iter().for_each(|address| {
            state.health.admit(*address, 0);
        });
        let shared = Shared {
            servers,
            state: Mutex::new(state),
            lookups: Semaphore::new(DNS_LOOKUPS_MAX),
            further: Semaphore::new(DNS_LOOKUPS_MAX.saturating_mul(DNS_SERVERS_AT_ONCE.saturating_sub(1))),
            hedges: AtomicU64::new(0),
            began: Instant::now(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Answers questions until their queue is closed and the last one is answered. Runs inside a tokio
    /// runtime with time and network.
    ///
    /// [`QUESTIONS_UNDER_WAY_MAX`] are taken off the queue, [`DNS_LOOKUPS_MAX`] of them are with the
    /// servers. One that finds no place there in its time is [`Failure::Overflow`]: behind a dead
    /// server no queue of questions builds up that nobody waits for any more.
    pub async fn run(self, mut questions: mpsc::Receiver<Question>, answer: impl Fn(Question, Answer)) {
        let mut under_way = JoinSet::new();
        let mut is_open = true;
        while is_open || !under_way.is_empty() {
            tokio::select! {
                question = questions.recv(), if is_open && under_way.len() < QUESTIONS_UNDER_WAY_MAX => {
                    match question {
                        Some(question) => {
                            under_way.spawn(ask(Arc::clone(&self.shared), question));
                        }
                        None => is_open = false,
                    }
                }
                Some(done) = under_way.join_next(), if !under_way.is_empty() => match done {
                    Ok((question, said)) => answer(question, said),
                    // A panic of the library: who waits for this question gives up in its time.
                    Err(error) => tracing::error!(%error, "a DNS lookup ended by a fault of its own"),
                },
            }
        }
    }

    /// Answers one question that is not of a loop.
    pub async fn answer(&self, question: Question) -> (Question, Answer) {
        ask(Arc::clone(&self.shared), question).await
    }

    /// The numbers of the metrics, now.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        let state = self.shared.state();
        Numbers {
            hedges: self.shared.hedges.load(Relaxed),
            apexes: state.times.all(),
            servers: state.health.standings().collect(),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("servers", &self.shared.servers).finish_non_exhaustive()
    }
}

async fn ask(shared: Arc<Shared>, question: Question) -> (Question, Answer) {
    let answer = match Wanted::new(&question) {
        Some(wanted) => answer_to(&shared, &question, &wanted).await,
        None => Answer::Failed(Failure::Malformed),
    };
    if let Answer::Failed(failure) = &answer {
        tracing::debug!(name = question.name(), kind = ?question.kind(), ?failure, "DNS lookup failed");
    }
    (question, answer)
}

async fn answer_to(shared: &Arc<Shared>, question: &Question, wanted: &Wanted) -> Answer {
    let upstream = question.upstream();
    let own = upstream.map(|upstream| upstream.servers()).filter(|servers| !servers.is_empty());
    let servers = own.unwrap_or(&shared.servers);
    let began = Instant::now();
    let end = began + Duration::from_millis(DNS_QUESTION_MS_MAX);
    // Behind dead servers nobody waits for a place, either.
    if shared.state().health.all_dead(servers, shared.ms(began)) {
        return Answer::Failed(Failure::Timeout);
    }
    match timeout_at(end, shared.lookups.acquire()).await {
        // A place may come free by the very timeouts that are ours as well.
        Ok(_place) if Instant::now() < end => {
            if is_not_asked(question.name()) {
                return shared.ask_nobody(servers, wanted).await;
            }
            let answer = asking::ask(shared, servers, wanted, end).await;
            let label = upstream.map_or("", |upstream| upstream.label());
            if let Some(answer) = &answer
                && *answer != Answer::Failed(Failure::Overflow)
            {
                shared.state().times.add(label, began.elapsed());
            }
            answer.unwrap_or(Answer::Failed(Failure::Timeout))
        }
        _ => Answer::Failed(Failure::Overflow),
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    fn now_ms(&self) -> u64 {
        self.ms(Instant::now())
    }

    /// A question that the library answers itself, on behalf of any server.
    async fn ask_nobody(&self, servers: &[SocketAddr], wanted: &Wanted) -> Answer {
        let now_ms = self.now_ms();
        let server = servers.iter().find_map(|address| self.state().server(*address, now_ms));
        match server {
            Some(server) => server.ask(wanted, Nth::First).await,
            None => Answer::Failed(Failure::Overflow),
        }
    }
}

impl State {
    /// A server, made on first use. `None`: there are too many.
    fn server(&mut self, address: SocketAddr, now_ms: u64) -> Option<Arc<Server>> {
        if let Some(known) = self.known.get(&address) {
            self.health.admit(address, now_ms);
            return Some(Arc::clone(&known.server));
        }
        if !self.health.admit(address, now_ms) {
            return None;
        }
        // Others may have made way for it.
        let health = &self.health;
        self.known.retain(|address, _| health.knows(*address));
        let server = Server::new(address)
            .inspect_err(|error| tracing::error!(%error, "the DNS server {address} cannot be asked"))
            .ok()
            .map(Arc::new)?;
        self.known.insert(address, Known { server: Arc::clone(&server), answered: None });
        Some(server)
    }
}
