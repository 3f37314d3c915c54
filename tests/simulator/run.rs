//! One run: events in the order of virtual time, the engine, and what is asserted after each step.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    rc::Rc,
};

use waypost::{
    decide::{Settings, Silence},
    dns::Question,
    engine::{Engine, Now, Outcome, Path},
    limits::{
        ANSWER_BYTES_ROOM, DNS_CACHE_ENTRIES_DEFAULT, LOOKUP_MS_MAX, QUESTION_LOST_MS,
        QUESTIONS_UNDER_WAY_MAX, WAITING_MAX,
    },
    route::{Ourselves, RouteTable},
    sip::Method,
};

use super::{
    observed::Observed,
    targets::decide,
    traffic::{Dice, Event, Zones, mangled, path, question_of_nobody, request, request_of_its_own},
    watched::{Key, Log, Watched, key},
};

/// Requests of one run, before they are lost or doubled.
const REQUESTS: usize = 1500;

/// The table that asks DNS for most calls.
const ASKS: usize = 0;

const LISTENERS: [&str; 2] = ["inside", "outside"];

struct Run {
    seed: u64,
    engine: Engine<Watched>,
    tables: Rc<Vec<RouteTable>>,
    table: usize,
    zones: Zones,
    dice: Dice,
    /// By time, in the order they were made.
    events: BTreeMap<(u64, usize), Event>,
    serial: usize,
    now_ms: u64,
    /// What the clock has stepped so far: events do not step with it.
    stepped_ms: u64,
    draining: bool,
    /// Those who wait, and since when.
    parked: BTreeMap<Key, u64>,
    log: Rc<RefCell<Log>>,
    out: Vec<u8>,
    observed: Observed,
    transcript: DefaultHasher,
}

/// Says which run failed, and where.
impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "step {} fails; again: WAYPOST_SIM_SEED={} cargo test --test simulator",
                self.observed.steps, self.seed
            );
        }
    }
}

pub(crate) fn simulate(seed: u64) -> Observed {
    let mut run = Run::new(seed);
    let datagrams = run.plan();
    run.play();
    run.finish(datagrams)
}

impl Run {
    fn new(seed: u64) -> Self {
        let rich = include_str!("../fuzz/targets/rich.yaml");
        let changed =
            rich.replace("empty: 480", "empty: 404").replace("sip:one.example.net", "sip:uno.example.net");
        let tables = [rich, &changed].map(|text| decide::table(&[("rich.yaml", text)]));
        let tables = Rc::new(tables.into_iter().chain([decide::example()]).collect::<Vec<_>>());
        let ourselves = Ourselves { names: vec!["waypost.example.net".into()], listeners: Vec::new() };
        let settings =
            Settings { key: [7; 16], server: Some("Waypost".into()), ourselves, ..Settings::default() };
        let listeners = LISTENERS.map(Into::into).into();
        let log = Rc::<RefCell<Log>>::default();
        Self {
            seed,
            engine: Engine::with_decider(Watched::new(tables.clone(), log.clone()), settings, listeners),
            tables,
            table: ASKS,
            zones: Zones::default(),
            dice: Dice(seed),
            events: BTreeMap::new(),
            serial: 0,
            now_ms: 0,
            stepped_ms: 0,
            draining: false,
            parked: BTreeMap::new(),
            log,
            out: vec![0; ANSWER_BYTES_ROOM],
            observed: Observed::default(),
            transcript: DefaultHasher::new(),
        }
    }

    fn at(&mut self, at_ms: u64, event: Event) {
        self.serial += 1;
        self.events.insert((at_ms, self.serial), event);
    }

    /// Everything that comes from outside; returns how many datagrams do.
    fn plan(&mut self) -> usize {
        let (mut at_ms, mut datagrams) = (0, 0);
        for _ in 0..REQUESTS {
            at_ms += self.dice.roll(60);
            let (bytes, path) = (request(&mut self.dice), path(&mut self.dice));
            // Lost, once, or several times; at any time, so that they overtake one another.
            for _ in 0..self.dice.roll(4) {
                let mangles = self.dice.roll(5) == 0;
                let bytes = if mangles { mangled(bytes.clone(), &mut self.dice) } else { bytes.clone() };
                let delay_ms = self.dice.roll(900);
                self.at(at_ms + delay_ms, Event::Datagram(bytes, path));
                datagrams += 1;
            }
            match self.dice.roll(100) {
                0..2 => {
                    let table = self.dice.roll(self.tables.len() as u64) as usize;
                    self.at(at_ms, Event::Reload(table));
                }
                2 => {
                    let by_ms = [500, 40_000, 400_000][self.dice.roll(3) as usize];
                    self.at(at_ms, Event::Step(by_ms));
                }
                3 => {
                    let question = question_of_nobody(&mut self.dice);
                    let answer = self.zones.ask(&question, &mut self.dice).map(|(answer, _)| answer);
                    answer
                        .into_iter()
                        .for_each(|answer| self.at(at_ms, Event::Answer(question.clone(), answer)));
                }
                _ => {}
            }
        }
        if self.seed.is_multiple_of(8) {
            datagrams += self.plan_burst(at_ms / 2);
        }
        self.at(at_ms * 9 / 10, Event::Drain);
        datagrams
    }

    /// More at one moment than may wait.
    fn plan_burst(&mut self, at_ms: u64) -> usize {
        let path = path(&mut self.dice);
        self.at(at_ms, Event::Reload(ASKS));
        for number in 0..WAITING_MAX as u64 + 100 {
            self.at(at_ms, Event::Datagram(request_of_its_own(number), path));
        }
        WAITING_MAX + 100
    }

    fn play(&mut self) {
        loop {
            let event_ms = self.events.keys().next().map(|(at_ms, _)| at_ms + self.stepped_ms);
            let Some(due_ms) = event_ms.into_iter().chain(self.engine.deadline_ms()).min() else { break };
            // After a step of the clock, all that is due lies in the past.
            self.now_ms = self.now_ms.max(due_ms);
            self.observed.steps += 1;
            let mut asked = Vec::new();
            if event_ms.is_some_and(|event_ms| event_ms <= self.now_ms)
                && let Some((_, event)) = self.events.pop_first()
            {
                asked.extend(self.event(event));
            }
            self.ready(&mut asked);
            for question in asked {
                if let Some((answer, delay_ms)) = self.zones.ask(&question, &mut self.dice) {
                    self.at(self.now_ms - self.stepped_ms + delay_ms, Event::Answer(question, answer));
                }
            }
        }
    }

    fn event(&mut self, event: Event) -> Vec<Question> {
        match event {
            Event::Datagram(bytes, path) => return self.datagram(&bytes, path),
            Event::Answer(question, answer) => self.engine.answered(question, answer, now(self.now_ms)),
            Event::Reload(table) => {
                self.observed.reloads += usize::from(table != self.table);
                self.table = table;
            }
            Event::Drain => {
                self.engine.drain(true);
                self.draining = true;
            }
            Event::Step(by_ms) => {
                self.stepped_ms += by_ms;
                self.now_ms += by_ms;
            }
        }
        Vec::new()
    }

    fn datagram(&mut self, bytes: &[u8], path: Path) -> Vec<Question> {
        let key = key(bytes, path.source, LISTENERS[path.listener], path.transport);
        let retransmissions = self.engine.tallies().retransmissions;
        let table = &self.tables[self.table];
        let (_, outcome) = self.engine.datagram(bytes, path, table, now(self.now_ms), &mut self.out);
        if self.engine.tallies().retransmissions > retransmissions {
            assert_eq!(outcome, Outcome::Wait);
            assert!(self.parked.contains_key(&key), "a retransmission of what does not wait");
            return Vec::new();
        }
        assert!(!self.parked.contains_key(&key), "it waits, and is dealt with again");
        // An answer, too, may want others asked again for those who come later.
        let questions = self.questions();
        if outcome != Outcome::Wait {
            self.ended(&outcome);
            return questions;
        }
        self.parked.insert(key, self.now_ms);
        let deadline_ms = self.engine.deadline_ms().expect("one waits");
        assert!(deadline_ms <= self.now_ms + LOOKUP_MS_MAX, "it waits too long");
        questions
    }

    fn questions(&mut self) -> Vec<Question> {
        std::iter::from_fn(|| self.engine.next_question(now(self.now_ms))).collect()
    }

    /// Decides what is ready, or late.
    fn ready(&mut self, asked: &mut Vec<Question>) {
        loop {
            let table = &self.tables[self.table];
            let Some(outcome) = self.engine.next_ready(table, now(self.now_ms), &mut self.out) else { break };
            let key = self.log.borrow().last.clone();
            asked.extend(self.questions());
            if outcome == Outcome::Wait {
                assert!(self.parked.contains_key(&key), "who waits again waited");
            } else {
                self.parked.remove(&key).expect("who is ready waited");
                self.ended(&outcome);
            }
        }
        let next_ms = self.engine.deadline_ms();
        assert!(next_ms.is_none_or(|next_ms| next_ms > self.now_ms), "one is late and waits");
        let oldest_ms = self.parked.values().min();
        assert!(
            oldest_ms.is_none_or(|since_ms| since_ms + LOOKUP_MS_MAX > self.now_ms),
            "one waits too long"
        );
        assert_eq!(self.engine.waiting(), self.parked.len(), "who waits");
        assert!(self.engine.waiting() <= WAITING_MAX && self.engine.questions() <= QUESTIONS_UNDER_WAY_MAX);
        assert!(self.engine.cache().len() <= DNS_CACHE_ENTRIES_DEFAULT);
        let different: BTreeSet<_> = asked.iter().collect();
        assert_eq!(different.len(), asked.len(), "a question twice at once");
    }

    /// One datagram's end.
    fn ended(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Send { reply, path } => {
                let bytes = &self.out[..reply.len];
                assert_eq!(reply.to.ip(), path.source.ip(), "an answer goes to nobody but the source");
                (bytes, reply.to).hash(&mut self.transcript);
                self.observed.sent += 1;
                self.observed.drained +=
                    usize::from(self.draining && reply.status == 503 && reply.method == Method::Options);
            }
            Outcome::Silence(silence) => {
                self.observed.silences += 1;
                self.observed.unanswerable += usize::from(matches!(silence, Silence::Unanswerable(_)));
                assert_ne!(*silence, Silence::AnswerTooLong);
            }
            Outcome::Wait => panic!("no end"),
        }
    }

    fn finish(mut self, datagrams: usize) -> Observed {
        self.now_ms += QUESTION_LOST_MS;
        assert_eq!(self.questions(), [], "for whom?");
        assert_eq!((self.engine.waiting(), self.engine.questions()), (0, 0), "something waits");
        assert!(self.parked.is_empty(), "{:?}", self.parked);
        let tallies = self.engine.tallies();
        let ends = self.observed.sent + self.observed.silences + tallies.retransmissions as usize;
        assert_eq!(ends, datagrams, "each has its one end");
        let mut observed = std::mem::take(&mut self.observed);
        observed.waited = tallies.waited;
        observed.retransmissions = tallies.retransmissions;
        observed.overflows = tallies.overflows;
        observed.timeouts = tallies.timeouts;
        observed.equal_again = self.log.borrow().equal_again;
        observed.equal_again_by_dns = self.log.borrow().equal_again_by_dns;
        observed.transcript = self.transcript.finish();
        observed
    }
}

fn now(ms: u64) -> Now {
    Now { ms, unix_s: 1_767_614_400 + i64::try_from(ms / 1000).expect("ms") }
}
