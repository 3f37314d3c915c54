//! Pure. The cache as a decision sees it: read-only, at one moment.

use std::sync::Arc;

use super::{
    Answer, Cache, Failure, Kind, Nothing, Question, Record, Slot, Upstream,
    cache::{Age, Entry},
    question::LowerName,
    ready::Ready,
    rule::Rule,
};

/// What a question finds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Seen<'a> {
    Found(&'a [Record]),
    Nothing(Nothing),
    Failed(Failure),
    Unknown,
}

/// The cache as a decision sees it.
#[derive(Clone, Copy, Debug)]
pub struct DnsView<'a> {
    /// The answers.
    pub cache: &'a Cache,
    /// Milliseconds on the engine's clock.
    pub now_ms: u64,
    /// How long the request has waited for DNS, in milliseconds.
    pub waited_ms: u64,
    /// What it counts as that something is not known by the time that a look-up allows.
    pub late: Failure,
    /// Where the answer for the dialled number may be; see [`Cache::look_ahead`].
    pub guess: Option<Slot>,
}

/// A name, where it is asked for, and until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'w> {
    pub(super) name: &'w str,
    pub(super) kind: Kind,
    pub(super) upstream: Option<&'w Arc<Upstream>>,
    /// In milliseconds since the request came.
    pub(super) within_ms: u64,
}

/// What a question finds, not used yet.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) seen: Seen<'a>,
    /// One for each record of a NAPTR answer.
    pub(super) rules: &'a [Option<Rule>],
    /// What the cache has.
    kept: Option<(&'a Entry, Age)>,
}

impl<'a> Sight<'a> {
    fn of(entry: &'a Entry, age: Age) -> Self {
        let seen = match &entry.answer {
            Answer::Found { records, .. } => Seen::Found(records),
            Answer::Nothing { why, .. } => Seen::Nothing(*why),
            Answer::Failed(failure) => Seen::Failed(*failure),
        };
        Self { seen, rules: &entry.rules, kept: Some((entry, age)) }
    }

    fn of_nothing(seen: Seen<'a>) -> Self {
        Self { seen, rules: &[], kept: None }
    }
}

impl<'a> DnsView<'a> {
    /// A view for a request that has just come.
    #[must_use]
    pub fn new(cache: &'a Cache, now_ms: u64) -> Self {
        Self { cache, now_ms, waited_ms: 0, late: Failure::Timeout, guess: None }
    }

    /// A view for a request that waits no longer: nothing is unknown.
    #[must_use]
    pub fn giving_up(cache: &'a Cache, now_ms: u64) -> Self {
        Self { waited_ms: u64::MAX, ..Self::new(cache, now_ms) }
    }

    /// Looks a question up. `name` is fully qualified, with or without its final dot, in any case. A
    /// name that no question can be made of is [`Failure::Malformed`], never unknown.
    #[must_use]
    pub fn look(&self, name: &str, kind: Kind, within_ms: u64) -> Seen<'a> {
        self.look_at(Wanted { name, kind, upstream: None, within_ms })
    }

    /// Looks a question up.
    #[must_use]
    pub fn look_for(&self, question: &Question, within_ms: u64) -> Seen<'a> {
        let upstream = question.upstream();
        self.look_at(Wanted { name: question.name(), kind: question.kind(), upstream, within_ms })
    }

    fn look_at(&self, wanted: Wanted<'_>) -> Seen<'a> {
        let sight = self.sight(wanted);
        self.used(sight);
        sight.seen
    }

    /// What a question finds, or the question itself: never [`Seen::Unknown`].
    pub(super) fn look_or_ask(&self, wanted: Wanted<'_>) -> Result<Seen<'a>, Question> {
        let sight = self.foresee(wanted)?;
        self.used(sight);
        Ok(sight.seen)
    }

    /// The same ahead of time: what is found is not used until [`Self::used`] says so.
    pub(super) fn foresee(&self, wanted: Wanted<'_>) -> Result<Sight<'a>, Question> {
        let sight = self.sight(wanted);
        match sight.seen {
            Seen::Unknown => match Question::new(wanted.name, wanted.kind) {
                Some(question) => Err(question.at(wanted.upstream)),
                None => Ok(Sight::of_nothing(Seen::Failed(Failure::Malformed))),
            },
            _ => Ok(sight),
        }
    }

    /// Notes that what was found is used.
    pub(super) fn used(&self, sight: Sight<'_>) {
        if let Some((entry, age)) = sight.kept {
            self.cache.used(entry, age, self.now_ms);
        }
    }

    /// What is known of a number under an apex, and what becomes of it. `None` says nothing: then its name is to be looked up.
    pub(super) fn foresee_number(&self, digits: &[u8], wanted: Wanted<'_>) -> Option<(Sight<'a>, &'a Ready)> {
        let Wanted { name: apex, upstream, within_ms, .. } = wanted;
        let (entry, ready, age) = self.cache.look_ready(digits, apex, upstream, self.guess, self.now_ms)?;
        let may_be_used = self.waited_ms >= within_ms || age != Age::LastResort;
        may_be_used.then(|| (Sight::of(entry, age), ready))
    }

    fn sight(&self, wanted: Wanted<'_>) -> Sight<'a> {
        let Wanted { name, kind, upstream, within_ms } = wanted;
        let look = |name| self.cache.look(name, kind, upstream, self.now_ms);
        // Names of the cache are in lower case, with their final dot: one that is found need not be put into it.
        let mut found = if name.ends_with('.') { look(name) } else { None };
        if found.is_none() {
            let Some(lower) = LowerName::new(name) else {
                return Sight::of_nothing(Seen::Failed(Failure::Malformed));
            };
            found = if lower.as_str() == name { None } else { look(lower.as_str()) };
        }
        let is_late = self.waited_ms >= within_ms;
        if let Some((entry, age)) = found.filter(|(_, age)| is_late || *age != Age::LastResort) {
            return Sight::of(entry, age);
        }
        Sight::of_nothing(if Question::new(name, kind).is_none() {
            Seen::Failed(Failure::Malformed)
        } else if is_late {
            Seen::Failed(self.late)
        } else {
            self.cache.tally(|tallies| &mut tallies.missed);
            Seen::Unknown
        })
    }
}
