//! Pure. ENUM (RFC 6116): a number to URIs.
//!
//! In:    a number, the apexes and services a route wants, what DNS has told us so far.
//! Out:   URIs best first, the questions that stand before them, or why there are none.
//! Never: asks for what is not an E.164 number, compiles an expression.

use std::sync::Arc;

use super::{
    Ask, DnsView, Failure, Kind, Naptr, Nothing, Question, Record, Seen, Step, Upstream,
    ready::{Ready, Together},
    rule::Rule,
    view::{Sight, Wanted},
};
use crate::{
    limits::{NAPTR_HOPS_MAX, NAPTR_TRIED_MAX, QUESTIONS_PER_REQUEST_MAX, URI_BYTES_MAX},
    sip::{Destination, Uri, Writer},
};

/// Digits of an E.164 number: the shortest that has a country code and a subscriber, and ITU-T
/// E.164 §6.2.1.
pub(super) const E164_DIGITS: std::ops::RangeInclusive<usize> = 2..=15;
/// Longest domain name, in bytes, with its final dot.
const DOMAIN_BYTES_MAX: usize = 254;

/// How a route looks numbers up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumPlan {
    /// In order of preference.
    pub apexes: Vec<Apex>,
    /// Whether all apexes are asked at once; otherwise each when those before it have nothing.
    pub parallel: bool,
    /// Time for all lookups, in milliseconds since the request came.
    pub within_ms: u64,
    /// What is looked for.
    pub results: Results,
}

/// What a lookup is to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// URIs that a call can go to.
    Uris,
    /// Any result, for its attributes.
    Any,
}

/// One ENUM root and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apex {
    /// With its final dot, in lower case.
    pub name: Box<str>,
    /// Servers and lives of its own.
    pub upstream: Option<Arc<Upstream>>,
    /// Services wanted, in lower case without `E2U+`: `sip`, `pstn:sip`, `pstn:tel`, `sips`.
    pub services: Vec<Box<str>>,
    /// Its share of the time, in milliseconds; `None`: whatever there is.
    pub within_ms: Option<u64>,
    /// A label of its own among the digits.
    pub branch: Option<Branch>,
}

impl Apex {
    /// One that the servers of the configuration are asked of, in whatever time there is, without a branch.
    #[must_use]
    pub fn of(name: impl Into<Box<str>>, services: &[&str]) -> Self {
        let services = services.iter().map(|&service| service.into()).collect();
        Self { name: name.into(), upstream: None, services, within_ms: None, branch: None }
    }
}

/// Where infrastructure ENUM branches off: the label that says so, and the digits above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Without dots, in lower case.
    pub label: Box<str>,
    /// Digits between it and the apex; `None`: those of the country code.
    pub after_digits: Option<u8>,
}

/// What became of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnumResult {
    /// This many results were emitted.
    Found(usize),
    /// Not an E.164 number: never asked (RFC 6116 §3.7).
    NotE164,
    /// Every apex said that there is nothing.
    Nothing(Nothing),
    /// There are records, and none that can be used.
    Unusable,
    /// No result, and at least one apex could not be asked.
    Failed(Failure),
}

/// Looks `number` (`+` and digits) up under the apexes of `plan`, and emits the results of the first
/// one that has some, best first. Nothing is emitted before [`Step::Ask`].
pub fn lookup(
    number: &[u8],
    plan: &EnumPlan,
    dns: &DnsView<'_>,
    emit: &mut dyn FnMut(&[u8]),
) -> Step<EnumResult> {
    lookup_found(number, plan, dns, &mut |found| match found {
        Found::Text(result) | Found::Uri(result, _) | Found::Leading(result, _) => {
            emit(result);
            true
        }
        Found::All(_) => false,
    })
}

/// A result.
#[derive(Clone, Copy, Debug)]
pub enum Found<'f, 'u> {
    /// Of [`Results::Any`].
    Text(&'f [u8]),
    /// A URI, and what was read of it.
    Uri(&'f [u8], &'f Uri<'u>),
    /// A URI, and where it leads: to a name.
    Leading(&'f [u8], &'f Destination),
    /// All of them at once. Where they are not taken so, each comes by itself.
    All(Together<'f>),
}

/// The same, with what is known of the results. `emit` says whether it takes one.
pub fn lookup_found(
    number: &[u8],
    plan: &EnumPlan,
    dns: &DnsView<'_>,
    emit: &mut Emit<'_>,
) -> Step<EnumResult> {
    let Some(digits) = e164_digits(number) else { return Step::Done(EnumResult::NotE164) };
    let mut so_far = SoFar { nothing: None, failure: None, questions: Vec::new(), within_ms: plan.within_ms };
    let mut shares_ms = 0_u64;
    // What the first request has no questions left for, its retransmission must not find either.
    let names_max = NAPTR_TRIED_MAX.min(QUESTIONS_PER_REQUEST_MAX / plan.apexes.len().max(1));
    for apex in &plan.apexes {
        // In order, an apex has its share after those before it have had theirs.
        let share_ms = apex.within_ms.unwrap_or(plan.within_ms);
        shares_ms = if plan.parallel { share_ms } else { shares_ms.saturating_add(share_ms) };
        let within_ms = shares_ms.min(plan.within_ms);
        let search = Search { number, digits, apex, results: plan.results, dns, within_ms, names_max };
        // An apex that is preferred has not said yet: its answer, or the end of its time, is waited for.
        let is_first = so_far.questions.is_empty();
        let mut nowhere = |_: Found<'_, '_>| true;
        let sink: &mut Emit<'_> = if is_first { &mut *emit } else { &mut nowhere };
        let mut sink = Sink { emit: sink, tries: NAPTR_TRIED_MAX };
        let result = match search.ready() {
            Some((sight, ready)) => {
                dns.used(sight);
                search.emit_ready(ready, &mut sink)
            }
            None => match search.by_name(&mut so_far.questions, &mut sink) {
                Ok(result) => result,
                Err(Asked) => {
                    so_far.within_ms = so_far.within_ms.min(within_ms);
                    if plan.parallel {
                        continue;
                    }
                    break;
                }
            },
        };
        match result {
            Ok(count) if is_first => return Step::Done(EnumResult::Found(count)),
            Ok(_) => break,
            Err(why) => so_far.note(why),
        }
    }
    so_far.step()
}

/// Takes a result, or does not.
type Emit<'e> = dyn FnMut(Found<'_, '_>) -> bool + 'e;

/// Why an apex has no result.
#[derive(Clone, Copy)]
enum Why {
    Nothing(Nothing),
    Unusable,
    Failed(Failure),
}

/// What the apexes so far came to.
struct SoFar {
    /// The most that any of them has.
    nothing: Option<EnumResult>,
    failure: Option<Failure>,
    questions: Vec<Question>,
    within_ms: u64,
}

impl SoFar {
    fn fail(&mut self, failure: Failure) {
        self.failure = self.failure.or(Some(failure));
    }

    fn note(&mut self, why: Why) {
        let rank = |result: Option<EnumResult>| match result {
            Some(EnumResult::Unusable) => 3,
            Some(EnumResult::Nothing(Nothing::NoData)) => 2,
            Some(_) => 1,
            None => 0,
        };
        let result = match why {
            Why::Failed(failure) => return self.fail(failure),
            Why::Nothing(nothing) => EnumResult::Nothing(nothing),
            Why::Unusable => EnumResult::Unusable,
        };
        if rank(Some(result)) > rank(self.nothing) {
            self.nothing = Some(result);
        }
    }

    fn step(self) -> Step<EnumResult> {
        if !self.questions.is_empty() {
            return Step::Ask(Ask { questions: self.questions, within_ms: self.within_ms });
        }
        let nothing = self.nothing.unwrap_or(EnumResult::Nothing(Nothing::NxDomain));
        Step::Done(self.failure.map_or(nothing, EnumResult::Failed))
    }
}

/// The digits of `+` and 2 to 15 digits.
pub(super) fn e164_digits(number: &[u8]) -> Option<&[u8]> {
    let digits = number.strip_prefix(b"+")?;
    (E164_DIGITS.contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
}

/// RFC 6116 §3.2: the digits in reverse, each with a dot, then the apex. The label of a branch stands
/// before the digits that come first in the number.
fn domain<'r>(digits: &[u8], apex: &Apex, room: &'r mut [u8; DOMAIN_BYTES_MAX]) -> Option<&'r str> {
    let at = apex.branch.as_ref().map_or(0, |branch| {
        branch.after_digits.map_or_else(|| country_code_len(digits), usize::from).min(digits.len())
    });
    let (above, below) = digits.split_at_checked(at)?;
    let mut writer = Writer::new(room);
    put_labels(below, &mut writer);
    if let Some(branch) = &apex.branch {
        writer.put_all([branch.label.as_bytes(), b"."]);
        put_labels(above, &mut writer);
    }
    writer.put(apex.name.as_bytes());
    let len = writer.finish()?;
    std::str::from_utf8(room.get(..len)?).ok()
}

/// Writes digits in reverse, each with a dot.
fn put_labels(digits: &[u8], writer: &mut Writer<'_>) {
    let mut labels = [[b'.'; 2]; *E164_DIGITS.end()];
    for ([label, _], digit) in labels.iter_mut().zip(digits.iter().rev()) {
        *label = *digit;
    }
    writer.put(labels.as_flattened().get(..2 * digits.len()).unwrap_or_default());
}

/// Digits of the country code (ITU-T E.164, list of assigned codes: one, two or three).
fn country_code_len(digits: &[u8]) -> usize {
    match digits {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0' | b'1' | b'2' | b'3' | b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    }
}

/// The names on the way to one, so that none is met twice (RFC 6116 §5.2.1: loops MUST be detected).
struct Hops<'h> {
    names: [&'h str; NAPTR_HOPS_MAX],
    count: usize,
    /// Names that may still be looked at, on this way or another.
    left: usize,
}

impl<'h> Hops<'h> {
    fn new(names_max: usize) -> Self {
        Self { names: [""; NAPTR_HOPS_MAX], count: 0, left: names_max }
    }

    /// One hop on; `false` when it would be one too many or lead back.
    fn enter(&mut self, name: &'h str) -> bool {
        let passed = self.names.get(..self.count).unwrap_or_default();
        if self.left == 0 || passed.iter().any(|passed| passed.eq_ignore_ascii_case(name)) {
            return false;
        }
        let Some(place) = self.names.get_mut(self.count) else { return false };
        *place = name;
        self.count += 1;
        self.left -= 1;
        true
    }

    fn leave(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}

/// Where results go.
struct Sink<'e, 'f> {
    emit: &'e mut Emit<'f>,
    /// Records that may still be tried.
    tries: usize,
}

/// Questions stand before the results.
struct Asked;

/// One apex, asked for one number.
struct Search<'s> {
    number: &'s [u8],
    /// The same without its `+`.
    digits: &'s [u8],
    apex: &'s Apex,
    results: Results,
    dns: &'s DnsView<'s>,
    within_ms: u64,
    names_max: usize,
}

impl<'s> Search<'s> {
    /// What becomes of the number, where that is known.
    fn ready(&self) -> Option<(Sight<'s>, &'s Ready)> {
        let is_plain = self.results == Results::Uris && self.apex.branch.is_none();
        is_plain.then(|| self.dns.foresee_number(self.digits, self.wanted(&self.apex.name))).flatten()
    }

    /// Follows the name of the number: asks what is not known on the way, or emits the results.
    fn by_name(
        &self,
        questions: &mut Vec<Question>,
        sink: &mut Sink<'_, '_>,
    ) -> Result<Result<usize, Why>, Asked> {
        let mut room = [0; DOMAIN_BYTES_MAX];
        let Some(domain) = domain(self.digits, self.apex, &mut room) else {
            return Ok(Err(Why::Failed(Failure::Malformed)));
        };
        let asked = questions.len();
        let start = self.ask(domain, &mut Hops::new(self.names_max), questions);
        if questions.len() > asked {
            return Err(Asked);
        }
        Ok(self.emit((domain, start), &mut Hops::new(self.names_max), sink))
    }

    /// Collects what must be known before results can be emitted in order. What is known of the name itself.
    fn ask<'n>(&self, name: &'n str, hops: &mut Hops<'n>, questions: &mut Vec<Question>) -> Option<Sight<'s>>
    where
        's: 'n,
    {
        if !hops.enter(name) {
            return None;
        }
        let known = match self.dns.foresee(self.wanted(name)) {
            Err(question) => {
                if !questions.contains(&question) {
                    questions.push(question);
                }
                None
            }
            Ok(sight) => {
                if let Seen::Found(records) = sight.seen {
                    for next in records.iter().filter_map(|record| next_name(record)) {
                        self.ask(next, hops, questions);
                    }
                }
                Some(sight)
            }
        };
        hops.leave();
        known
    }

    /// Emits the results under a name, of which something may be known; how many, or why none. The records come
    /// sorted by the cache.
    fn emit<'n>(
        &self,
        (name, known): (&'n str, Option<Sight<'s>>),
        hops: &mut Hops<'n>,
        sink: &mut Sink<'_, '_>,
    ) -> Result<usize, Why>
    where
        's: 'n,
    {
        if !hops.enter(name) {
            return Err(Why::Unusable);
        }
        let sight = known.map_or_else(|| self.dns.foresee(self.wanted(name)), Ok);
        let result = match sight {
            Ok(sight) => {
                self.dns.used(sight);
                match sight.seen {
                    Seen::Found(records) => self.emit_records(records, sight.rules, hops, sink),
                    Seen::Nothing(nothing) => Err(Why::Nothing(nothing)),
                    Seen::Failed(failure) => Err(Why::Failed(failure)),
                    Seen::Unknown => Err(Why::Failed(Failure::Timeout)),
                }
            }
            Err(_) => Err(Why::Failed(Failure::Timeout)),
        };
        hops.leave();
        result
    }

    /// What [`Self::emit_records`] would emit.
    fn emit_ready(&self, ready: &Ready, sink: &mut Sink<'_, '_>) -> Result<usize, Why> {
        if let Some(all) = ready.together(&self.apex.services)
            && let Some(left) = sink.tries.checked_sub(all.len())
            && (sink.emit)(Found::All(all))
        {
            sink.tries = left;
            return Ok(all.len());
        }
        let (mut count, mut tries) = (0, sink.tries);
        ready.each(&self.apex.services, &mut |result| {
            let Some(left) = tries.checked_sub(1) else { return false };
            tries = left;
            count += usize::from(result.is_some_and(&mut *sink.emit));
            true
        });
        sink.tries = tries;
        if count == 0 { Err(Why::Unusable) } else { Ok(count) }
    }

    fn emit_records<'n>(
        &self,
        records: &'n [Record],
        rules: &[Option<Rule>],
        hops: &mut Hops<'n>,
        sink: &mut Sink<'_, '_>,
    ) -> Result<usize, Why>
    where
        's: 'n,
    {
        let (mut count, mut failure) = (0_usize, None);
        let mut room = [0; URI_BYTES_MAX];
        // RFC 6116 §5.2: a record that cannot be used never ends the query. One of a worse order
        // counts too, as long as it can be used.
        for (record, rule) in records.iter().zip(rules) {
            if let Some(next) = next_name(record) {
                match self.emit((next, None), hops, sink) {
                    Ok(more) => count = count.saturating_add(more),
                    Err(Why::Failed(why)) => failure = failure.or(Some(why)),
                    Err(_) => {}
                }
            } else if self.is_wanted(record, rule.as_ref()) {
                let Some(left) = sink.tries.checked_sub(1) else { break };
                sink.tries = left;
                let is_emitted = rule.as_ref().is_some_and(|rule| self.emit_one(rule, &mut room, sink.emit));
                count = count.saturating_add(usize::from(is_emitted));
            }
        }
        match (count, failure) {
            (0, Some(failure)) => Err(Why::Failed(failure)),
            (0, None) => Err(Why::Unusable),
            _ => Ok(count),
        }
    }

    fn is_wanted(&self, record: &Record, rule: Option<&Rule>) -> bool {
        match (record, rule) {
            (Record::Naptr(naptr), Some(rule)) => rule.is_of(naptr, &self.apex.services),
            (Record::Naptr(naptr), None) => naptr.is_terminal() && naptr.has_service(&self.apex.services),
            _ => false,
        }
    }

    fn emit_one(&self, rule: &Rule, room: &mut [u8], emit: &mut Emit<'_>) -> bool {
        match self.results {
            Results::Uris => {
                rule.uri(self.number, room).is_some_and(|(result, uri)| emit(Found::Uri(result, &uri)))
            }
            Results::Any => rule.result(self.number, room).is_some_and(|result| emit(Found::Text(result))),
        }
    }

    fn wanted<'w>(&'w self, name: &'w str) -> Wanted<'w> {
        let upstream = self.apex.upstream.as_ref();
        Wanted { name, kind: Kind::Naptr, upstream, within_ms: self.within_ms }
    }
}

/// Where a non-terminal record leads (RFC 6116 §3.4.1, §5.2.1): flags empty, and its replacement.
/// Services and regexp are ignored; a record whose replacement is no name to ask for is discarded.
fn next_name(record: &Record) -> Option<&str> {
    match record {
        Record::Naptr(Naptr { flags, replacement, .. }) if flags.is_empty() => {
            Question::new(replacement, Kind::Naptr).is_some().then_some(replacement)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dns::{Answer, Cache, Naptr, Nothing, Question, ere::COMPILED},
        limits::NAPTR_COMPILATIONS_MAX,
    };

    const NUMBER: &str = "+441632960083";
    const DOMAIN: &str = "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa.";

    fn naptr(order: u16, preference: u16, flags: &str, services: &str, regexp: &str) -> Record {
        Record::Naptr(Naptr {
            order,
            preference,
            flags: flags.as_bytes().into(),
            services: services.as_bytes().into(),
            regexp: regexp.as_bytes().into(),
            replacement: ".".into(),
        })
    }

    fn sip(order: u16, preference: u16, uri: &str) -> Record {
        naptr(order, preference, "u", "E2U+sip", &format!("!^.*$!{uri}!"))
    }

    fn plan(apexes: &[&str]) -> EnumPlan {
        let apex = |name: &&str| Apex::of(*name, &["sip", "pstn:sip", "pstn:tel"]);
        EnumPlan {
            apexes: apexes.iter().map(apex).collect(),
            parallel: false,
            within_ms: 400,
            results: Results::Uris,
        }
    }

    fn cache(answers: &[(&str, Answer)]) -> Cache {
        let mut cache = Cache::new();
        for (name, answer) in answers {
            cache.insert(Question::new(name, Kind::Naptr).unwrap(), answer.clone(), 0);
        }
        cache
    }

    fn found(records: &[Record]) -> Answer {
        Answer::Found { records: records.to_vec(), ttl_s: 60 }
    }

    fn run(number: &str, plan: &EnumPlan, cache: &Cache, give_up: bool) -> (Step<EnumResult>, Vec<String>) {
        let mut uris = Vec::new();
        let dns = if give_up { DnsView::giving_up(cache, 0) } else { DnsView::new(cache, 0) };
        let step = lookup(number.as_bytes(), plan, &dns, &mut |uri| {
            uris.push(String::from_utf8_lossy(uri).into_owned());
        });
        (step, uris)
    }

    fn ask(names: &[&str]) -> Step<EnumResult> {
        let questions = names.iter().map(|name| Question::new(name, Kind::Naptr).unwrap()).collect();
        Step::Ask(Ask { questions, within_ms: 400 })
    }

    fn uris_of(records: &[Record]) -> Vec<String> {
        run(NUMBER, &plan(&["e164.arpa."]), &cache(&[(DOMAIN, found(records))]), false).1
    }

    #[test]
    fn no_more_records_are_tried_than_the_limit() {
        let records: Vec<_> = (0..=NAPTR_TRIED_MAX)
            .map(|number| sip(100, u16::try_from(number).unwrap(), &format!("sip:r{number}@example.net")))
            .collect();
        assert_eq!(uris_of(&records[..NAPTR_TRIED_MAX]).len(), NAPTR_TRIED_MAX);
        assert_eq!(uris_of(&records).len(), NAPTR_TRIED_MAX);
    }

    #[test]
    fn only_e164_numbers_are_asked_for() {
        let plan = plan(&["e164.arpa."]);
        let cache = Cache::new();
        for number in
            ["", "+", "+4", "441632960083", "+44 1632", "+44a", "+1234567890123456", "112", "++44", "+44+"]
        {
            let step = run(number, &plan, &cache, false).0;
            assert_eq!(step, Step::Done(EnumResult::NotE164), "{number}");
        }
        for number in ["+44", "+123456789012345"] {
            assert!(matches!(run(number, &plan, &cache, false).0, Step::Ask(_)), "{number}");
        }
    }

    #[test]
    fn a_number_is_asked_for_under_its_domain() {
        let (step, uris) = run(NUMBER, &plan(&["e164.arpa."]), &Cache::new(), false);
        assert_eq!(step, ask(&[DOMAIN]));
        assert!(uris.is_empty());
    }

    #[test]
    fn uris_come_by_order_then_preference_then_as_they_came() {
        let records = [
            sip(101, 1, "sip:e@x"),
            sip(100, 20, "sip:c@x"),
            sip(100, 20, "sip:d@x"),
            sip(100, 10, "sip:b@x"),
            sip(99, 90, "sip:a@x"),
        ];
        assert_eq!(uris_of(&records), ["sip:a@x", "sip:b@x", "sip:c@x", "sip:d@x", "sip:e@x"]);
    }

    #[test]
    fn a_record_that_cannot_be_used_ends_nothing() {
        let records = [
            naptr(1, 1, "", "E2U+sip", "!^.*$!sip:no@x!"),
            naptr(1, 2, "s", "E2U+sip", "!^.*$!sip:no@x!"),
            naptr(1, 3, "u", "E2U+email:mailto", "!^.*$!mailto:no@x!"),
            naptr(1, 4, "u", "SIP+D2U", "!^.*$!sip:no@x!"),
            naptr(1, 5, "u", "E2U+sip", "!^.*$!no uri!"),
            naptr(1, 6, "u", "E2U+sip", "!^.*$!https://no.example!"),
            naptr(1, 7, "u", "E2U+pstn:tel", "!^.*$!mcc=310;mnc=012!"),
            naptr(1, 8, "u", "E2U+sip", "!^\\+1!sip:no@x!"),
            naptr(1, 9, "u", "E2U+sip", "!^.*$!sip:no@x\r\nEvil: 1!"),
            naptr(9, 9, "U", "e2u+SIP", "!^.*$!sip:yes@x!"),
        ];
        assert_eq!(uris_of(&records), ["sip:yes@x"]);
    }

    #[test]
    fn expressions_are_compiled_once_when_their_answer_comes() {
        let plan = plan(&["e164.arpa."]);
        // None of the plain form.
        let record = naptr(1, 1, "u", "E2U+sip", r"!^\+44([0-9]+)$!sip:\1@x!");
        let before = COMPILED.get();
        let cache = cache(&[(DOMAIN, found(&vec![record; NAPTR_COMPILATIONS_MAX + 1]))]);
        assert_eq!(COMPILED.get() - before, NAPTR_COMPILATIONS_MAX);
        for number in [NUMBER, NUMBER, "+441"] {
            let step = run(number, &plan, &cache, true).0;
            let all = Step::Done(EnumResult::Found(NAPTR_COMPILATIONS_MAX));
            assert_eq!(step == all, number == NUMBER, "{number}");
        }
        assert_eq!(COMPILED.get() - before, NAPTR_COMPILATIONS_MAX);
    }

    #[test]
    fn what_enum_cannot_use_is_not_compiled() {
        let before = COMPILED.get();
        let odd = r"!^\+44([0-9]+)$!sip:\1@x!";
        let records = [
            naptr(1, 1, "", "E2U+sip", odd),
            naptr(1, 2, "u", "SIP+D2U", odd),
            sip(1, 3, "sip:a@x"),
            naptr(1, 4, "u", "E2U+sip", "!^.*$!no end"),
        ];
        assert_eq!(uris_of(&records), ["sip:a@x"]);
        assert_eq!(COMPILED.get(), before);
    }

    #[test]
    fn hostile_expressions_are_passed_over_after_the_limit_and_plain_ones_are_not() {
        let odd = |uri: &str| naptr(1, 1, "u", "E2U+sip", &format!(r"!^\+(4|5)4!{uri}!"));
        let hostile = naptr(1, 1, "u", "E2U+sip", "!((a{100}){100}){100}!sip:no@x!");
        for (before, expected) in [
            (NAPTR_COMPILATIONS_MAX - 1, &["sip:odd@x", "sip:plain@x"][..]),
            (NAPTR_COMPILATIONS_MAX, &["sip:plain@x"]),
        ] {
            let mut records = vec![hostile.clone(); before];
            records.extend([odd("sip:odd@x"), sip(2, 1, "sip:plain@x")]);
            assert_eq!(uris_of(&records), expected, "{before}");
        }
    }

    #[test]
    fn a_zone_cannot_put_header_fields_into_the_next_request() {
        for (uri, kept) in [
            ("sip:a@x?Route=%3Csip:evil%3E", "sip:a@x"),
            ("sips:a@x:5061;lr?Replaces=a&body=b", "sips:a@x:5061;lr"),
            ("sip:a?b@x?Require=c?d", "sip:a?b@x"),
            ("sip:a@x?", "sip:a@x"),
            ("sip:x?a=b", "sip:x"),
            ("sip:a?b@x", "sip:a?b@x"),
            ("sip:a?@x", "sip:a?@x"),
            ("sip:a@x;p=%3F", "sip:a@x;p=%3F"),
        ] {
            assert_eq!(uris_of(&[sip(1, 1, uri)]), [kept], "{uri}");
        }
    }

    #[test]
    fn a_tel_uri_that_nobody_could_place_a_call_to_is_passed_over() {
        for uri in ["tel:7042", "tel:7042;ext=1", "tel:+44;m-new=1", "tel:+44;M-NEW"] {
            assert_eq!(uris_of(&[sip(1, 1, uri), sip(1, 2, "sip:b@x")]), ["sip:b@x"], "{uri}");
        }
        for uri in ["tel:7042;phone-context=example.net", "tel:+44;ext=1"] {
            assert_eq!(uris_of(&[sip(1, 1, uri)]), [uri], "{uri}");
        }
    }

    #[test]
    fn transport_tls_is_passed_over_and_sips_is_not() {
        for uri in [
            "sip:a@x;transport=tls",
            "sip:a@x;Transport=TLS",
            "sip:a@x;tr%61nsport=%74ls",
            "sips:a@x;transport=tls",
            "sip:a@x;transport=tls?a=b",
            "sip:a@x;transport=tcp;transport=tls",
        ] {
            assert_eq!(uris_of(&[sip(1, 1, uri), sip(1, 2, "sip:b@x")]), ["sip:b@x"], "{uri}");
        }
        for uri in ["sips:a@x", "sips:a@x;transport=tcp", "sip:a;transport=tls@x", "sip:a@x;transport"] {
            assert_eq!(uris_of(&[sip(1, 1, uri)]), [uri], "{uri}");
        }
    }

    #[test]
    fn services_may_be_compound_obsolete_or_several() {
        let records = [
            naptr(1, 1, "u", "E2U+voice:tel+pstn:tel", r"!^(.*)$!tel:\1!"),
            naptr(1, 2, "u", "sip+E2U", r"!^\+44(.*)$!sip:\1@gw.example!"),
            naptr(1, 3, "u", "E2U+pstn:sip", r"!^(.*)$!sip:\1;npdi;rn=+441632@gw.example;user=phone!"),
        ];
        let expected = [
            "tel:+441632960083",
            "sip:1632960083@gw.example",
            "sip:+441632960083;npdi;rn=+441632@gw.example;user=phone",
        ];
        assert_eq!(uris_of(&records), expected);
    }

    #[test]
    fn the_first_apex_with_a_usable_record_wins() {
        let plan = plan(&["a.example.", "b.example.", "c.example."]);
        let name = |apex: &str| DOMAIN.replace("e164.arpa.", apex);
        let nothing = Answer::Nothing { why: Nothing::NxDomain, ttl_s: 60 };
        let unusable = found(&[naptr(1, 1, "u", "E2U+email:mailto", "!^.*$!mailto:a@x!")]);
        let failed = Answer::Failed(Failure::ServFail);
        let (a, b, c) = (name("a.example."), name("b.example."), name("c.example."));
        let table = [
            (vec![(&*a, found(&[sip(1, 1, "sip:a@x")]))], Step::Done(EnumResult::Found(1))),
            (vec![(&*a, nothing.clone())], ask(&[&b])),
            (vec![(&*a, unusable), (&*b, found(&[sip(1, 1, "sip:b@x")]))], Step::Done(EnumResult::Found(1))),
            (
                vec![(&*a, failed.clone()), (&*b, found(&[sip(1, 1, "sip:b@x"), sip(1, 2, "sip:c@x")]))],
                Step::Done(EnumResult::Found(2)),
            ),
            (
                vec![(&*a, nothing.clone()), (&*b, failed), (&*c, nothing.clone())],
                Step::Done(EnumResult::Failed(Failure::ServFail)),
            ),
            (
                vec![(&*a, nothing.clone()), (&*b, nothing.clone()), (&*c, nothing)],
                Step::Done(EnumResult::Nothing(Nothing::NxDomain)),
            ),
        ];
        for (answers, expected) in table {
            assert_eq!(run(NUMBER, &plan, &cache(&answers), false).0, expected, "{answers:?}");
        }
    }

    #[test]
    fn giving_up_is_a_timeout() {
        let step = run(NUMBER, &plan(&["e164.arpa."]), &Cache::new(), true).0;
        assert_eq!(step, Step::Done(EnumResult::Failed(Failure::Timeout)));
    }

    #[test]
    fn an_apex_that_makes_the_name_too_long_cannot_be_asked() {
        let label = "a".repeat(63);
        let apex = format!("{label}.{label}.{label}.{}.", "a".repeat(37));
        let longest = format!("{label}.{label}.{label}.{}.", "a".repeat(38));
        let short = run(NUMBER, &plan(&[&apex]), &Cache::new(), false).0;
        assert!(matches!(short, Step::Ask(_)), "{short:?}");
        let long = run(NUMBER, &plan(&[&longest]), &Cache::new(), false).0;
        assert_eq!(long, Step::Done(EnumResult::Failed(Failure::Malformed)));
    }

    fn way(replacement: &str) -> Record {
        let Record::Naptr(naptr) = naptr(1, 1, "", "", "") else { unreachable!() };
        Record::Naptr(Naptr { replacement: replacement.into(), ..naptr })
    }

    #[test]
    fn non_terminal_records_lead_on_and_keep_their_place() {
        let plan = plan(&["e164.arpa."]);
        let b = found(&[sip(5, 1, "sip:b1@x"), way("c.example."), sip(9, 9, "sip:b2@x")]);
        let start = found(&[sip(1, 1, "sip:a@x"), way("b.example."), sip(2, 1, "sip:z@x")]);
        let mut known = vec![(DOMAIN, start)];
        assert_eq!(run(NUMBER, &plan, &cache(&known), false), (ask(&["b.example."]), vec![]));
        // What cannot be had is left out.
        let given_up = run(NUMBER, &plan, &cache(&known), true).1;
        assert_eq!(given_up, ["sip:a@x", "sip:z@x"]);
        known.push(("b.example.", b));
        assert_eq!(run(NUMBER, &plan, &cache(&known), false).0, ask(&["c.example."]));
        known.push(("c.example.", Answer::Failed(Failure::Refused)));
        let (step, uris) = run(NUMBER, &plan, &cache(&known), false);
        assert_eq!(step, Step::Done(EnumResult::Found(4)));
        assert_eq!(uris, ["sip:a@x", "sip:b1@x", "sip:b2@x", "sip:z@x"]);
    }

    #[test]
    fn non_terminal_records_that_lead_nowhere_end() {
        let plan = plan(&["e164.arpa."]);
        let chain = |length: usize| {
            let name = |hop: usize| if hop == 1 { DOMAIN.to_owned() } else { format!("n{hop}.example.") };
            let mut answers: Vec<_> =
                (1..length).map(|hop| (name(hop), found(&[way(&name(hop + 1))]))).collect();
            answers.push((name(length), found(&[sip(1, 1, "sip:end@x")])));
            let answers: Vec<_> = answers.iter().map(|(name, answer)| (&**name, answer.clone())).collect();
            run(NUMBER, &plan, &cache(&answers), false)
        };
        assert_eq!(chain(NAPTR_HOPS_MAX).1, ["sip:end@x"]);
        assert_eq!(chain(NAPTR_HOPS_MAX + 1), (Step::Done(EnumResult::Unusable), vec![]));
        for no_name in [".", "", "a b.example.", "a..example."] {
            let step = run(NUMBER, &plan, &cache(&[(DOMAIN, found(&[way(no_name)]))]), false);
            assert_eq!(step, (Step::Done(EnumResult::Unusable), vec![]), "{no_name:?}");
        }
        let (to_itself, to_start) = (found(&[way(DOMAIN)]), found(&[way(&DOMAIN.to_uppercase())]));
        let unusable = (Step::Done(EnumResult::Unusable), vec![]);
        assert_eq!(run(NUMBER, &plan, &cache(&[(DOMAIN, to_itself)]), false), unusable);
        let there = found(&[way("b.example.")]);
        let known = [(DOMAIN, there), ("b.example.", to_start)];
        assert_eq!(run(NUMBER, &plan, &cache(&known), false), unusable);
        let failed = [(DOMAIN, found(&[way("b.example.")])), ("b.example.", Answer::Failed(Failure::Lame))];
        assert_eq!(
            run(NUMBER, &plan, &cache(&failed), false).0,
            Step::Done(EnumResult::Failed(Failure::Lame))
        );
    }

    #[test]
    fn one_record_set_asks_for_a_bounded_number_of_names() {
        let ways: Vec<_> = (0..40).map(|number| way(&format!("n{number}.example."))).collect();
        let step = run(NUMBER, &plan(&["e164.arpa."]), &cache(&[(DOMAIN, found(&ways))]), false).0;
        let Step::Ask(ask) = step else { panic!("{step:?}") };
        assert_eq!(ask.questions.len(), NAPTR_TRIED_MAX - 1);
    }

    /// A step, for plans of their own: as text, with the results.
    fn told(plan: &EnumPlan, answers: &[(&str, Answer)], waited_ms: u64) -> String {
        let cache = cache(answers);
        let mut uris = Vec::new();
        let dns = DnsView { waited_ms, ..DnsView::new(&cache, 0) };
        let step = lookup(NUMBER.as_bytes(), plan, &dns, &mut |uri| {
            uris.push(String::from_utf8_lossy(uri).into_owned());
        });
        match step {
            Step::Ask(ask) => {
                assert!(uris.is_empty());
                let names = ask.questions.iter().map(|question| &question.name()[DOMAIN.len() - 10..]);
                format!("ask {} within {}", names.collect::<Vec<_>>().join(" "), ask.within_ms)
            }
            Step::Done(result) => format!("{result:?} {}", uris.join(" ")),
        }
    }

    #[test]
    fn apexes_may_be_asked_at_once_and_the_preferred_one_is_waited_for() {
        let mut plan = plan(&["a.example.", "b.example.", "c.example."]);
        plan.parallel = true;
        for (apex, within_ms) in plan.apexes.iter_mut().zip([Some(100), Some(300), None]) {
            apex.within_ms = within_ms;
        }
        let name = |apex: &str| DOMAIN.replace("e164.arpa.", apex);
        let (a, b, c) = (name("a.example."), name("b.example."), name("c.example."));
        let usable = |who: &str| found(&[sip(1, 1, &format!("sip:{who}@x"))]);
        let nothing = Answer::Nothing { why: Nothing::NoData, ttl_s: 60 };
        assert_eq!(told(&plan, &[], 0), "ask a.example. b.example. c.example. within 100");
        assert_eq!(told(&plan, &[(&*b, usable("b"))], 50), "ask a.example. within 100");
        assert_eq!(told(&plan, &[(&*b, usable("b"))], 100), "Found(1) sip:b@x");
        assert_eq!(told(&plan, &[(&*a, usable("a"))], 50), "Found(1) sip:a@x");
        assert_eq!(
            told(&plan, &[(&*a, nothing.clone()), (&*c, usable("c"))], 299),
            "ask b.example. within 300"
        );
        assert_eq!(told(&plan, &[(&*a, nothing), (&*c, usable("c"))], 300), "Found(1) sip:c@x");
        assert_eq!(told(&plan, &[], 400), "Failed(Timeout) ");
    }

    #[test]
    fn apexes_in_order_have_their_share_of_the_time_one_after_the_other() {
        let mut plan = plan(&["a.example.", "b.example."]);
        plan.apexes[0].within_ms = Some(150);
        plan.apexes[1].within_ms = Some(300);
        assert_eq!(told(&plan, &[], 0), "ask a.example. within 150");
        assert_eq!(told(&plan, &[], 150), "ask b.example. within 400");
        assert_eq!(told(&plan, &[], 400), "Failed(Timeout) ");
    }

    #[test]
    fn an_apex_has_servers_and_services_of_its_own() {
        let mut plan = plan(&["e164.arpa."]);
        let upstream =
            Arc::new(Upstream::new("x", &[([192, 0, 2, 1], 5353).into()], crate::dns::OwnLives::default()));
        plan.apexes[0].upstream = Some(Arc::clone(&upstream));
        plan.apexes[0].services = vec!["pstn:tel".into()];
        let question = Question::new(DOMAIN, Kind::Naptr).unwrap().at(Some(&upstream));
        let (step, _) = run(NUMBER, &plan, &cache(&[(DOMAIN, found(&[sip(1, 1, "sip:a@x")]))]), false);
        assert_eq!(step, Step::Ask(Ask { questions: vec![question.clone()], within_ms: 400 }));
        let mut cache = Cache::new();
        let tel = naptr(1, 2, "u", "E2U+pstn:tel", "!^(.*)$!tel:\\1!");
        cache.insert(question, found(&[sip(1, 1, "sip:a@x"), tel]), 0);
        assert_eq!(run(NUMBER, &plan, &cache, false).1, ["tel:+441632960083"]);
    }

    #[test]
    fn infrastructure_enum_branches_off_after_the_country_code_or_a_count() {
        for (number, after_digits, expected) in [
            ("+441632960083", None, "3.8.0.0.6.9.2.3.6.1.i.4.4.e164.arpa."),
            ("+12025550123", None, "3.2.1.0.5.5.5.2.0.2.i.1.e164.arpa."),
            ("+3545550123", None, "3.2.1.0.5.5.5.i.4.5.3.e164.arpa."),
            ("+441632960083", Some(4), "3.8.0.0.6.9.2.3.i.6.1.4.4.e164.arpa."),
            ("+441632960083", Some(0), "3.8.0.0.6.9.2.3.6.1.4.4.i.e164.arpa."),
            ("+44", None, "i.4.4.e164.arpa."),
        ] {
            let mut plan = plan(&["e164.arpa."]);
            plan.apexes[0].branch = Some(Branch { label: "i".into(), after_digits });
            assert_eq!(run(number, &plan, &Cache::new(), false).0, ask(&[expected]), "{number}");
        }
    }

    #[test]
    fn results_that_are_no_uri_are_results_where_any_is_wanted() {
        let mut plan = plan(&["e164.arpa."]);
        plan.results = Results::Any;
        let record = naptr(1, 1, "u", "E2U+pstn:tel", r"!^(.*)$!mcc=310\;mnc=012!");
        let known = cache(&[(DOMAIN, found(&[record]))]);
        assert_eq!(run(NUMBER, &plan, &known, false).1, ["mcc=310;mnc=012"]);
    }

    #[test]
    fn why_there_is_nothing_is_told_by_what_comes_closest() {
        let plan = plan(&["a.example.", "b.example."]);
        let name = |apex: &str| DOMAIN.replace("e164.arpa.", apex);
        let (a, b) = (name("a.example."), name("b.example."));
        let nothing = |why| Answer::Nothing { why, ttl_s: 60 };
        let unusable = found(&[naptr(1, 1, "u", "E2U+email:mailto", "!^.*$!mailto:a@x!")]);
        for (first, second, expected) in [
            (nothing(Nothing::NxDomain), nothing(Nothing::NxDomain), EnumResult::Nothing(Nothing::NxDomain)),
            (nothing(Nothing::NoData), nothing(Nothing::NxDomain), EnumResult::Nothing(Nothing::NoData)),
            (nothing(Nothing::NxDomain), unusable.clone(), EnumResult::Unusable),
            (unusable, Answer::Failed(Failure::Refused), EnumResult::Failed(Failure::Refused)),
        ] {
            let known = cache(&[(&a, first), (&b, second)]);
            assert_eq!(run(NUMBER, &plan, &known, false).0, Step::Done(expected));
        }
    }
}
