//! Pure. Whether the conditions of a route hold.

use super::{
    Trace,
    call::{Call, View, push_ip, push_param, push_unfolded},
    scratch::Work,
};
use crate::{
    access::digest::unquoted,
    limits::NESTING_MAX,
    route::{Condition, MethodPattern, Party, TextPattern, ValueTest},
    sip::{Method, Scheme},
};

/// Whether all conditions hold. The first that does not ends the search.
pub(super) fn all_hold<T: Trace>(
    when: &[Condition],
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
) -> bool {
    when.iter().enumerate().all(|(index, condition)| {
        let holds = holds(condition, call, work, trace, 0);
        if T::ON {
            trace.condition(index, &work.temp, holds);
        }
        holds
    })
}

/// Whether one condition holds. What it saw is left in `work.temp`.
fn holds<T: Trace>(
    condition: &Condition,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
    depth: usize,
) -> bool {
    work.temp.clear();
    match condition {
        Condition::Source(networks) => {
            let source = call.arrival.source.ip().to_canonical();
            saw::<T>(work, |out| {
                push_ip(source, out);
            });
            networks.iter().any(|network| network.contains(&source))
        }
        Condition::Access(lists) => {
            let decided = call.standing.id;
            saw::<T>(work, |out| {
                let name = decided.map_or("", |id| call.context.table.access.name(id));
                out.extend_from_slice(name.as_bytes());
            });
            decided.is_some_and(|id| lists.contains(&id))
        }
        Condition::Username(patterns) => match call.user {
            Some(user) => {
                work.temp.extend(unquoted(user));
                any_matches(patterns, &work.temp)
            }
            None => false,
        },
        Condition::Certificate(patterns) => {
            let names = call.arrival.identity;
            saw::<T>(work, |out| out.extend_from_slice(names.unwrap_or_default().join(", ").as_bytes()));
            names.is_some_and(|names| patterns.iter().any(|pattern| pattern.matches(names)))
        }
        Condition::Listener(names) => {
            saw::<T>(work, |out| out.extend_from_slice(call.arrival.listener.as_bytes()));
            names.iter().any(|name| &**name == call.arrival.listener)
        }
        Condition::Transport(transports) => {
            saw::<T>(work, |out| out.extend_from_slice(call.arrival.transport.name().as_bytes()));
            transports.contains(&call.arrival.transport)
        }
        Condition::Method(methods) => {
            saw::<T>(work, |out| out.extend_from_slice(call.request.method_token()));
            methods.iter().any(|method| is_method(method, call))
        }
        Condition::Scheme(schemes) => {
            saw::<T>(work, |out| out.extend_from_slice(scheme_name(call.uri.scheme).as_bytes()));
            schemes.contains(&call.uri.scheme)
        }
        Condition::Number(Party::RequestUri, patterns) => match work.number {
            Some(number) => {
                if T::ON {
                    let number = work.bytes(number).to_vec();
                    work.temp.extend_from_slice(&number);
                }
                patterns.iter().any(|pattern| pattern.matches(work.bytes(number)))
            }
            None => false,
        },
        Condition::Number(party, patterns) => {
            into_temp(work, |work, out| call.number(*party, work, out))
                && patterns.iter().any(|pattern| pattern.matches(&work.temp))
        }
        Condition::Routing(patterns) => {
            into_temp(work, |work, out| call.routing(work, out))
                && patterns.iter().any(|pattern| pattern.matches(&work.temp))
        }
        Condition::User(party, patterns) => {
            into_temp(work, |_, out| call.user_name(*party, out)) && any_matches(patterns, &work.temp)
        }
        Condition::Host(party, patterns) => {
            into_temp(work, |_, out| call.host(*party, out)) && any_matches(patterns, &work.temp)
        }
        Condition::Param(name, test) => {
            let present = into_temp(work, |work, out| param_value(name, call, work, out));
            passes(test, present.then_some(&work.temp[..]))
        }
        Condition::Header(name, test) => header_passes(name.as_bytes(), test, call, work),
        Condition::Value(template, patterns) => {
            into_temp(work, |work, out| template.render(&View { call, work }, out))
                && any_matches(patterns, &work.temp)
        }
        Condition::In(table, key) => is_in(*table, key, call, work, trace),
        Condition::Time(calendar) => calendar.holds(call.context.unix_s),
        // The loader refuses deeper nesting; this bound stands if it errs.
        Condition::Not(_) | Condition::Any(_) if depth >= NESTING_MAX => false,
        Condition::Not(all) => !all.iter().all(|inner| holds(inner, call, work, trace, depth + 1)),
        Condition::Any(sets) => {
            sets.iter().any(|all| all.iter().all(|inner| holds(inner, call, work, trace, depth + 1)))
        }
    }
}

/// Notes what a condition saw, for those who ask.
fn saw<T: Trace>(work: &mut Work, note: impl FnOnce(&mut Vec<u8>)) {
    if T::ON {
        note(&mut work.temp);
    }
}

/// Appends what a condition on a parameter sees; `false` when it is not there.
pub(super) fn param_value(name: &str, call: &Call<'_>, work: &Work, out: &mut Vec<u8>) -> bool {
    match call.param(name.as_bytes(), work) {
        Some(value) => push_param(name.as_bytes(), value.unwrap_or_default(), out),
        None => false,
    }
}

/// Renders into `work.temp` with the rest of `work` readable.
pub(super) fn into_temp(work: &mut Work, render: impl FnOnce(&Work, &mut Vec<u8>) -> bool) -> bool {
    let mut temp = std::mem::take(&mut work.temp);
    temp.clear();
    let there = render(work, &mut temp);
    work.temp = temp;
    there
}

fn is_method(pattern: &MethodPattern, call: &Call<'_>) -> bool {
    match pattern {
        MethodPattern::Known(method) => *method == call.request.method(),
        // RFC 3261 §7.1: method names are case-sensitive.
        MethodPattern::Other(name) => {
            call.request.method() == Method::Other && name.as_bytes() == call.request.method_token()
        }
    }
}

fn any_matches(patterns: &[TextPattern], value: &[u8]) -> bool {
    patterns.iter().any(|pattern| pattern.matches(value))
}

fn passes(test: &ValueTest, value: Option<&[u8]>) -> bool {
    match (test, value) {
        (ValueTest::Present, Some(_)) | (ValueTest::Absent, None) => true,
        (ValueTest::Is(patterns), Some(value)) => any_matches(patterns, value),
        (ValueTest::Present | ValueTest::Is(_), None) | (ValueTest::Absent, Some(_)) => false,
    }
}

fn header_passes(name: &[u8], test: &ValueTest, call: &Call<'_>, work: &mut Work) -> bool {
    for value in call.request.values_named(name) {
        work.temp.clear();
        push_unfolded(value, &mut work.temp);
        match test {
            ValueTest::Absent => return false,
            ValueTest::Present => return true,
            ValueTest::Is(patterns) if any_matches(patterns, &work.temp) => return true,
            ValueTest::Is(_) => {}
        }
    }
    matches!(test, ValueTest::Absent)
}

fn is_in<T: Trace>(
    table: usize,
    key: &crate::route::Template,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
) -> bool {
    if !into_temp(work, |work, out| key.render(&View { call, work }, out)) {
        return false;
    }
    let near = call.context.near_in(table);
    let row = call.context.table.tables.get(table).and_then(|numbers| numbers.find_near(&work.temp, near));
    if T::ON {
        trace.looked_up(table, &work.temp, row);
    }
    if let Some(hit) = work.hits.get_mut(table) {
        *hit = row;
    }
    row.is_some()
}

fn scheme_name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Sip => "sip",
        Scheme::Sips => "sips",
        Scheme::Tel => "tel",
        Scheme::Other => "other",
    }
}
