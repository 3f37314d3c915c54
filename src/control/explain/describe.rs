//! Outside. Conditions, settings and silences in words, for `explain`.

use std::fmt::Display;

use crate::{
    access::{AccessPolicy, Standing},
    control::dns_json::kind_name,
    decide::Silence,
    dns::{Answer, Failure, Nothing, Question},
    limits::NESTING_MAX,
    route::{Condition, GatewayId, MethodPattern, NumberTable, Party, RouteTable, Row, Then, ValueTest},
    sip::{Fault, Scheme, Unanswerable},
};

/// `1 route`, `2 routes`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A condition in a few words.
pub(crate) fn condition(condition: &Condition, table: &RouteTable) -> String {
    words(condition, table, NESTING_MAX)
}

/// A cell of a table.
pub(crate) fn cell(table: &NumberTable, row: Row, column: usize) -> Vec<u8> {
    let mut text = Vec::new();
    table.push_value(row, column, &mut text);
    text
}

/// The number or prefix that a row stands under.
pub(crate) fn key(table: &NumberTable, row: Row) -> Vec<u8> {
    let mut text = Vec::new();
    table.push_key(row, &mut text);
    text
}

/// What the access lists say of the source.
pub(crate) fn standing(standing: Standing, table: &RouteTable) -> String {
    let Standing { id, policy, known } = standing;
    let what = match policy {
        AccessPolicy::Answer => "may ask",
        AccessPolicy::Refuse => "is refused",
        AccessPolicy::Silence => "gets no answer",
    };
    let known = if known { "" } else { ", and is not known" };
    match id.and_then(|id| table.access.lists.get(id)) {
        Some(list) => format!("list \"{}\": the source {what}{known}", list.name),
        None => format!("in no list: the source {what}{known}"),
    }
}

/// What a route does once its conditions hold.
pub(crate) fn then(then: &Then, table: &RouteTable) -> String {
    match then {
        Then::Next => "goes on with the next route".to_owned(),
        Then::Jump(list) => {
            format!("walks list \"{}\"", table.lists.get(*list).map_or("?", |list| &list.name))
        }
        Then::Answer(answer) => format!("answers {}", answer.code),
        Then::Enum(route) => {
            let apexes: Vec<&str> = route.plan.apexes.iter().map(|apex| &*apex.name).collect();
            format!("asks ENUM under {}", apexes.join(", "))
        }
        Then::Dip(dip) => {
            format!(
                "looks the number up in table \"{}\"",
                table.tables.get(dip.table).map_or("?", |table| table.name())
            )
        }
        Then::Silence => "says nothing".to_owned(),
    }
}

/// The name of a gateway.
pub(crate) fn gateway(gateway: GatewayId, table: &RouteTable) -> &str {
    table.gateways.get(gateway).map_or("?", |gateway| &gateway.name)
}

/// Why nothing is said.
pub(crate) fn silence(silence: Silence, table: &RouteTable) -> String {
    match silence {
        Silence::Unanswerable(why) => unanswerable(why).to_owned(),
        Silence::Ack => "an ACK is never answered".to_owned(),
        Silence::Cancel => {
            "a CANCEL is ignored: no 1xx was sent, so that there is nothing to cancel".to_owned()
        }
        Silence::Route(route) => {
            format!("route \"{}\" says so", table.routes.get(route).map_or("?", |route| &route.name))
        }
        Silence::Access(id) => match table.access.lists.get(id) {
            Some(list) => format!("access list \"{}\" says so of the source", list.name),
            None => "no access list names the source, and nothing is said to such".to_owned(),
        },
        Silence::Malformed => {
            "it is at fault, and no access list lets its source ask: an answer would help a scanner \
             (`malformed: answer` of `unknown` gives it one)"
                .to_owned()
        }
        Silence::Overload => "the server is asked more than it can answer".to_owned(),
        Silence::Amplification => {
            "whatever is said is too long for what came, and no access list names the source".to_owned()
        }
        Silence::AnswerTooLong => "the answer would be longer than a datagram may be".to_owned(),
    }
}

/// Why a request is refused for its bytes.
pub(crate) fn fault(fault: Fault) -> String {
    format!("{fault:?}")
}

/// `NAPTR 1.2.3.e164.arpa.`
pub(crate) fn question(question: &Question) -> String {
    format!("{} {}", kind_name(question.kind()), question.name())
}

/// `2 records, ttl 60 s`.
pub(crate) fn dns_answer(answer: &Answer) -> String {
    match answer {
        Answer::Found { records, ttl_s } => {
            format!("{}, ttl {ttl_s} s", counted(records.len(), "record", "records"))
        }
        Answer::Nothing { why: Nothing::NxDomain, ttl_s } => {
            format!("no such name (NXDOMAIN), ttl {ttl_s} s")
        }
        Answer::Nothing { why: Nothing::NoData, ttl_s } => {
            format!("no record of this type (NODATA), ttl {ttl_s} s")
        }
        Answer::Failed(why) => failure(*why).to_owned(),
    }
}

/// Why DNS did not say.
pub(crate) fn failure(why: Failure) -> &'static str {
    match why {
        Failure::Timeout => "DNS did not answer in time",
        Failure::Refused => "the DNS servers refuse to answer us (REFUSED)",
        Failure::ServFail => "the DNS servers cannot answer (SERVFAIL)",
        Failure::Lame => "the DNS servers know nothing of the zone (lame)",
        Failure::Malformed => "what DNS said is no answer, or the name is none",
        Failure::Overflow => "more questions than the resolver takes",
    }
}

fn words(condition: &Condition, table: &RouteTable, depth: usize) -> String {
    // The loader allows no more; this holds if it errs.
    let Some(deeper) = depth.checked_sub(1) else { return "…".to_owned() };
    match condition {
        Condition::Source(nets) => format!("source is in {}", either(nets)),
        Condition::Access(ids) => {
            format!("access list is {}", either(ids.iter().map(|id| table.access.name(*id))))
        }
        Condition::Username(patterns) => format!("user of the credentials {}", patterns_of(patterns.len())),
        Condition::Certificate(patterns) => {
            format!("name in the certificate is {}", either(patterns))
        }
        Condition::Listener(names) => format!("listener is {}", either(names)),
        Condition::Transport(transports) => {
            format!("transport is {}", either(transports.iter().map(|one| one.name())))
        }
        Condition::Method(methods) => format!("method is {}", either(methods.iter().map(method))),
        Condition::Scheme(schemes) => format!("scheme is {}", either(schemes.iter().map(|one| scheme(*one)))),
        Condition::Routing(patterns) => format!("routing number, or number, {}", patterns_of(patterns.len())),
        Condition::Number(whose, patterns) => format!("number{} {}", of(*whose), patterns_of(patterns.len())),
        Condition::User(whose, patterns) => format!("user{} {}", of(*whose), patterns_of(patterns.len())),
        Condition::Host(whose, patterns) => format!("host{} {}", of(*whose), patterns_of(patterns.len())),
        Condition::Param(name, test) => format!("parameter {name} {}", value_test(test)),
        Condition::Header(name, test) => format!("header {name} {}", value_test(test)),
        Condition::Value(_, patterns) => format!("value {}", patterns_of(patterns.len())),
        Condition::In(id, _) => {
            format!("key is in table \"{}\"", table.tables.get(*id).map_or("?", |table| table.name()))
        }
        Condition::Time(_) => "time is in the calendar".to_owned(),
        Condition::Not(conditions) => format!("not ({})", all(conditions, table, deeper)),
        Condition::Any(branches) => {
            let branches = branches.iter().map(|branch| format!("({})", all(branch, table, deeper)));
            format!("any of: {}", either(branches))
        }
    }
}

fn all(conditions: &[Condition], table: &RouteTable, depth: usize) -> String {
    conditions.iter().map(|one| words(one, table, depth)).collect::<Vec<_>>().join(" and ")
}

/// `a`, `a or b`; the first few of many.
fn either<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    const SHOWN_MAX: usize = 6;
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.len().checked_sub(SHOWN_MAX) {
        Some(more @ 1..) => {
            format!("{} or {more} more", items.get(..SHOWN_MAX).unwrap_or_default().join(" or "))
        }
        _ => items.join(" or "),
    }
}

fn patterns_of(count: usize) -> String {
    if count == 1 { "matches".to_owned() } else { format!("matches one of {count} patterns") }
}

fn value_test(test: &ValueTest) -> String {
    match test {
        ValueTest::Present => "is there".to_owned(),
        ValueTest::Absent => "is not there".to_owned(),
        ValueTest::Is(patterns) => patterns_of(patterns.len()),
    }
}

fn of(party: Party) -> &'static str {
    match party {
        Party::RequestUri => "",
        Party::From => " of From",
        Party::PAssertedIdentity => " of P-Asserted-Identity",
    }
}

fn method(pattern: &MethodPattern) -> &str {
    match pattern {
        MethodPattern::Known(method) => method.name(),
        MethodPattern::Other(name) => name,
    }
}

fn scheme(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Sip => "sip",
        Scheme::Sips => "sips",
        Scheme::Tel => "tel",
        Scheme::Other => "another",
    }
}

fn unanswerable(why: Unanswerable) -> &'static str {
    match why {
        Unanswerable::Empty => "there are no bytes",
        Unanswerable::KeepAlive => "it is a keep-alive: only line ends or white space",
        Unanswerable::TooLong => "it is longer than any message that is read",
        Unanswerable::NotSip => "its first line is not that of a SIP message",
        Unanswerable::Response => "it is a response: answering answers makes loops",
        Unanswerable::NoVia => "it has no Via that can be read: there is nowhere to send an answer",
        Unanswerable::NothingToEcho => {
            "it lacks From, To, Call-ID or CSeq: its sender could not match an answer"
        }
        Unanswerable::BadAck => "it is an ACK that cannot be read; an ACK is never answered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Transport;

    #[test]
    fn conditions_in_words() {
        let table = RouteTable::default();
        let nets =
            || Condition::Source(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        let udp = || Condition::Transport(vec![Transport::Udp]);
        let x = || Condition::Header("X-A".into(), ValueTest::Absent);
        for (one, words) in [
            (nets(), "source is in 10.0.0.0/8 or 2001:db8::/32"),
            (udp(), "transport is udp"),
            (x(), "header X-A is not there"),
            (Condition::Number(Party::From, vec![]), "number of From matches one of 0 patterns"),
            (Condition::Method(vec![MethodPattern::Other("FOO".into())]), "method is FOO"),
            (Condition::Not(vec![udp(), x()]), "not (transport is udp and header X-A is not there)"),
            (
                Condition::Any(vec![vec![udp()], vec![x()]]),
                "any of: (transport is udp) or (header X-A is not there)",
            ),
        ] {
            assert_eq!(condition(&one, &table), words);
        }
    }

    #[test]
    fn many_values_are_cut_short() {
        let nets = (0..8).map(|n| format!("10.0.{n}.0/24").parse().unwrap()).collect();
        let words = condition(&Condition::Source(nets), &RouteTable::default());
        assert!(words.ends_with("10.0.5.0/24 or 2 more"), "{words}");
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let mut nested = Condition::Transport(vec![Transport::Udp]);
        for _ in 0..NESTING_MAX - 1 {
            nested = Condition::Not(vec![nested]);
        }
        assert!(condition(&nested, &RouteTable::default()).contains("transport is udp"));
        let deeper = Condition::Not(vec![nested]);
        let words = condition(&deeper, &RouteTable::default());
        assert!(words.contains('…') && !words.contains("udp"), "{words}");
    }
}
