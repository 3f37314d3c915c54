//! Pure. The cache as a decision sees it: read-only, at one moment.

use std::sync::Arc;

use super::{
    Answer, Cache, Failure, Kind, Nothing, Question, Record, Upstream, cache::Age, question::LowerName,
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

impl<'a> DnsView<'a> {
    /// A view for a request that has just come.
    #[must_use]
    pub fn new(cache: &'a Cache, now_ms: u64) -> Self {
        Self { cache, now_ms, waited_ms: 0, late: Failure::Timeout }
    }

    /// A view for a request that waits no longer: nothing is unknown.
    #[must_use]
    pub fn giving_up(cache: &'a Cache, now_ms: u64) -> Self {
        Self { cache, now_ms, waited_ms: u64::MAX, late: Failure::Timeout }
    }

    /// Looks a question up. `name` is fully qualified, with or without its final dot, in any case. A
    /// name that no question can be made of is [`Failure::Malformed`], never unknown.
    #[must_use]
    pub fn look(&self, name: &str, kind: Kind, within_ms: u64) -> Seen<'a> {
        self.seen(Wanted { name, kind, upstream: None, within_ms }, true).0
    }

    /// Looks a question up.
    #[must_use]
    pub fn look_for(&self, question: &Question, within_ms: u64) -> Seen<'a> {
        let upstream = question.upstream();
        self.seen(Wanted { name: question.name(), kind: question.kind(), upstream, within_ms }, true).0
    }

    /// What a question finds, with a rule for each record, or the question itself: never
    /// [`Seen::Unknown`].
    pub(super) fn look_or_ask(&self, wanted: Wanted<'_>) -> Result<(Seen<'a>, &'a [Option<Rule>]), Question> {
        self.question_or(wanted, self.seen(wanted, true))
    }

    /// The same ahead of time: what is found will be looked up again before it is used.
    pub(super) fn foresee(&self, wanted: Wanted<'_>) -> Result<Seen<'a>, Question> {
        self.question_or(wanted, self.seen(wanted, false)).map(|(seen, _)| seen)
    }

    fn question_or(
        &self,
        wanted: Wanted<'_>,
        seen: (Seen<'a>, &'a [Option<Rule>]),
    ) -> Result<(Seen<'a>, &'a [Option<Rule>]), Question> {
        match seen {
            (Seen::Unknown, _) => match Question::new(wanted.name, wanted.kind) {
                Some(question) => Err(question.at(wanted.upstream)),
                None => Ok((Seen::Failed(Failure::Malformed), &[])),
            },
            seen => Ok(seen),
        }
    }

    /// `is_use`: what is found is used, and not only looked at.
    fn seen(&self, wanted: Wanted<'_>, is_use: bool) -> (Seen<'a>, &'a [Option<Rule>]) {
        let Wanted { name, kind, upstream, within_ms } = wanted;
        let Some(lower) = LowerName::new(name) else { return (Seen::Failed(Failure::Malformed), &[]) };
        let is_late = self.waited_ms >= within_ms;
        let found = self.cache.look(lower.as_str(), kind, upstream, self.now_ms);
        let usable = found.filter(|(_, age)| is_late || *age != Age::LastResort);
        if let Some((entry, age)) = usable {
            if is_use {
                self.cache.used(entry, age, self.now_ms);
            }
            let seen = match &entry.answer {
                Answer::Found { records, .. } => Seen::Found(records),
                Answer::Nothing { why, .. } => Seen::Nothing(*why),
                Answer::Failed(failure) => Seen::Failed(*failure),
            };
            return (seen, &entry.rules);
        }
        let seen = if Question::new(name, kind).is_none() {
            Seen::Failed(Failure::Malformed)
        } else if is_late {
            Seen::Failed(self.late)
        } else {
            self.cache.tally(|tallies| &mut tallies.missed);
            Seen::Unknown
        };
        (seen, &[])
    }
}
