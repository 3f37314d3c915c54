//! Outside. Puts the questions of a look-up to the resolver until it is done. Everything that the tools know
//! of [`resolver`] is in this file.
//!
//! Never: asks one question twice, waits longer than the look-up allows.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, sync::mpsc};

use crate::{
    control::resolver,
    dns::{Answer, Cache, DnsView, Question, Step},
    limits::QUESTIONS_PER_REQUEST_MAX,
};

/// A question that was put.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    /// `None`: none came while it was waited for.
    pub(super) answer: Option<Answer>,
    /// Who answered, where it can only have been one.
    pub(super) server: Option<SocketAddr>,
}

/// All that was asked so far, and the way to ask more.
pub(super) struct Asking {
    runtime: Runtime,
    servers: Vec<SocketAddr>,
    /// One for each set of servers.
    resolvers: Vec<(Vec<SocketAddr>, mpsc::Sender<Question>)>,
    answers: mpsc::Receiver<(Question, Answer)>,
    answered: mpsc::Sender<(Question, Answer)>,
    pub(super) cache: Cache,
    /// In the order in which it was asked.
    pub(super) asked: Vec<Asked>,
}

impl Asking {
    /// `servers` empty: those of /etc/resolv.conf.
    pub(super) fn of(servers: Vec<SocketAddr>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (answered, answers) = mpsc::channel(QUESTIONS_PER_REQUEST_MAX);
        let (resolvers, cache, asked) = (Vec::new(), Cache::new(), Vec::new());
        Ok(Self { runtime, servers, resolvers, answers, answered, cache, asked })
    }

    /// Runs `look_up` until it is done: with the answers of DNS, and without those that do not come in the
    /// time that it allows. `None` when it asks on after that, which it does not.
    pub(super) fn until_done<T>(&mut self, mut look_up: impl FnMut(&DnsView<'_>) -> Step<T>) -> Option<T> {
        let (began, before) = (Instant::now(), self.asked.len());
        let mut within_ms = 0;
        let done = loop {
            let waited_ms = ms_since(began);
            let ask = match look_up(&DnsView { waited_ms, ..DnsView::new(&self.cache, 0) }) {
                Step::Done(done) => break done,
                Step::Ask(ask) => ask,
            };
            within_ms = ask.within_ms;
            let new: Vec<_> = ask.questions.iter().filter(|it| !self.is_asked(it)).cloned().collect();
            // What the server does with a request that wants to know too much.
            let count = self.asked.len().saturating_sub(before).saturating_add(new.len());
            if count > QUESTIONS_PER_REQUEST_MAX || waited_ms >= ask.within_ms {
                let Step::Done(done) = look_up(&DnsView::giving_up(&self.cache, 0)) else { return None };
                break done;
            }
            new.into_iter().for_each(|question| self.put(question));
            self.hear(within_ms, began);
        };
        // Of what was asked beside, the answers are shown too.
        while self.asked.iter().skip(before).any(|asked| asked.answer.is_none())
            && ms_since(began) < within_ms
        {
            self.hear(within_ms, began);
        }
        Some(done)
    }

    fn is_asked(&self, question: &Question) -> bool {
        self.asked.iter().any(|asked| asked.question == *question)
    }

    fn put(&mut self, question: Question) {
        let servers = question.upstream().map_or(&[][..], |upstream| upstream.servers());
        let servers = if servers.is_empty() { self.servers.clone() } else { servers.to_vec() };
        let server = if let [server] = servers[..] { Some(server) } else { None };
        let known = self.resolvers.iter().position(|(known, _)| *known == servers);
        let index = known.unwrap_or_else(|| self.start(servers));
        // The channel has room for all that one look-up may ask; a question that finds none has no answer.
        if let Some((_, resolver)) = self.resolvers.get(index) {
            let _full = resolver.try_send(question.clone());
        }
        self.asked.push(Asked { question, answer: None, server });
    }

    fn start(&mut self, servers: Vec<SocketAddr>) -> usize {
        let (sender, questions) = mpsc::channel(QUESTIONS_PER_REQUEST_MAX);
        let answered = self.answered.clone();
        self.runtime.spawn(resolver::run(servers.clone(), questions, move |question, answer| {
            let _full = answered.try_send((question, answer));
        }));
        self.resolvers.push((servers, sender));
        self.resolvers.len().saturating_sub(1)
    }

    /// Waits for one answer, as long as the look-up allows.
    fn hear(&mut self, within_ms: u64, began: Instant) {
        let left = Duration::from_millis(within_ms).saturating_sub(began.elapsed());
        let answers = &mut self.answers;
        let heard = self.runtime.block_on(async { tokio::time::timeout(left, answers.recv()).await });
        let Ok(Some((question, answer))) = heard else { return };
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.question == question) {
            asked.answer = Some(answer.clone());
        }
        self.cache.insert(question, answer, 0);
    }
}

fn ms_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Ask, Kind};

    #[test]
    fn no_more_is_asked_than_one_request_may() {
        // Nobody listens there.
        let mut asking = Asking::of(vec![([127, 0, 0, 1], 1).into()]).unwrap();
        let question = |i: usize| Question::new(&format!("n{i}.example"), Kind::A).unwrap();
        let mut count = 0;
        let done = asking.until_done(|dns| {
            if dns.waited_ms == u64::MAX {
                return Step::Done("given up");
            }
            count += 1;
            Step::Ask(Ask { questions: (0..count * 16).map(question).collect(), within_ms: 60_000 })
        });
        assert_eq!(done, Some("given up"));
        assert_eq!(asking.asked.len(), QUESTIONS_PER_REQUEST_MAX);
        assert!(asking.asked.iter().all(|asked| asked.server.is_some()));
    }
}
