//! Outside. What one ENUM apex has of a number: its names, their records, and what each record is worth. The
//! look-up itself says so, asked about one apex, or one record, alone.

use crate::{
    dns::{
        Answer, Apex, Cache, DnsView, EnumPlan, EnumResult, Expression, Question, Record, Results, Seen,
        Step, lookup,
    },
    limits::{NAPTR_HOPS_MAX, QUESTIONS_PER_REQUEST_MAX},
};

/// One name under an apex.
#[derive(Debug)]
pub(super) struct Node {
    /// 0 for that of the number; one more for each non-terminal record on the way.
    pub(super) depth: usize,
    pub(super) question: Question,
    /// In the order of use, those that the cache keeps.
    pub(super) records: Vec<(Record, Verdict)>,
}

/// What a record is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It makes this.
    Makes(Vec<u8>),
    /// It is not terminal, and leads on.
    LeadsTo(Box<str>),
    /// Its flags are not `u`.
    OtherFlags,
    /// No service that is wanted.
    OtherService,
    /// Its regexp field is no substitution expression.
    NoExpression,
    /// Its expression does not match the number.
    NoMatch,
    /// It makes this, which no call can go to.
    NotCallable(Vec<u8>),
}

/// A plan of one apex only.
pub(super) fn alone(plan: &EnumPlan, apex: &Apex) -> EnumPlan {
    EnumPlan { apexes: vec![apex.clone()], ..plan.clone() }
}

/// The results of a plan, by what is in the cache.
pub(super) fn results(number: &str, plan: &EnumPlan, cache: &Cache) -> (Option<EnumResult>, Vec<Vec<u8>>) {
    let mut found = Vec::new();
    let dns = DnsView::giving_up(cache, 0);
    match lookup(number.as_bytes(), plan, &dns, &mut |result| found.push(result.to_vec())) {
        Step::Done(result) => (Some(result), found),
        Step::Ask(_) => (None, found),
    }
}

/// The first question under an apex; `None` when its name cannot be asked for.
pub(super) fn first_question(number: &str, plan: &EnumPlan) -> Option<Question> {
    let cache = Cache::new();
    match lookup(number.as_bytes(), plan, &DnsView::new(&cache, 0), &mut |_| ()) {
        Step::Ask(ask) => ask.questions.into_iter().next(),
        Step::Done(_) => None,
    }
}

/// The names under an apex that the cache knows, each behind the one that led to it.
pub(super) fn nodes(number: &str, plan: &EnumPlan, first: &Question, cache: &Cache) -> Vec<Node> {
    let mut nodes = Vec::new();
    let worth = |record: &Record| verdict(number, plan, first, record);
    visit(first.clone(), &mut Vec::new(), cache, &worth, &mut nodes);
    nodes
}

fn visit(
    question: Question,
    way: &mut Vec<Question>,
    cache: &Cache,
    worth: &dyn Fn(&Record) -> Verdict,
    nodes: &mut Vec<Node>,
) {
    if way.contains(&question) || way.len() >= NAPTR_HOPS_MAX || nodes.len() >= QUESTIONS_PER_REQUEST_MAX {
        return;
    }
    let records = match DnsView::giving_up(cache, 0).look_for(&question, 0) {
        Seen::Found(records) => records.iter().map(|record| (record.clone(), worth(record))).collect(),
        _ => Vec::new(),
    };
    let next: Vec<_> = records
        .iter()
        .filter_map(|(_, verdict)| match verdict {
            Verdict::LeadsTo(name) => Question::new(name, question.kind()),
            _ => None,
        })
        .map(|next| next.at(question.upstream()))
        .collect();
    nodes.push(Node { depth: way.len(), question: question.clone(), records });
    way.push(question);
    next.into_iter().for_each(|next| visit(next, way, cache, worth, nodes));
    way.pop();
}

/// What a record would be worth, did it stand alone under the name of the number.
fn verdict(number: &str, plan: &EnumPlan, first: &Question, record: &Record) -> Verdict {
    let Record::Naptr(naptr) = record else { return Verdict::OtherFlags };
    if naptr.flags.is_empty() && &*naptr.replacement != "." {
        return Verdict::LeadsTo(naptr.replacement.clone());
    }
    if !naptr.is_terminal() {
        return Verdict::OtherFlags;
    }
    if !plan.apexes.iter().any(|apex| naptr.has_service(&apex.services)) {
        return Verdict::OtherService;
    }
    if Expression::new(&naptr.regexp).is_none() {
        return Verdict::NoExpression;
    }
    let mut cache = Cache::new();
    cache.insert(first.clone(), Answer::Found { records: vec![record.clone()], ttl_s: 60 }, 0);
    let made =
        |wanted| results(number, &EnumPlan { results: wanted, ..plan.clone() }, &cache).1.into_iter().next();
    match (made(plan.results), made(Results::Any)) {
        (Some(result), _) => Verdict::Makes(result),
        (None, Some(result)) => Verdict::NotCallable(result),
        (None, None) => Verdict::NoMatch,
    }
}
