//! Pure. A route with `enum:`: looks the number up, and answers with what is found, or takes attributes
//! out of it for the routes that follow.

use super::{
    Trace, Verdict,
    answer::write_answer,
    call::Call,
    condition::into_temp,
    contacts,
    scratch::Work,
    walk::{Walked, nothing_left},
};
use crate::{
    dns::{EnumResult, Failure, Found, Nothing, Step, attribute, lookup_found},
    limits::URI_BYTES_MAX,
    route::{EnumRoute, Party, RouteId},
};

pub(super) fn follow<T: Trace>(
    route: &EnumRoute,
    id: RouteId,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Walked {
    work.clear_contacts();
    if let Some(why) = not_to_be_asked(route, call, work) {
        trace.note(why);
        return nothing_left(route.not_found.not_asked, id, call, work, trace, out);
    }
    let number = std::mem::take(&mut work.temp);
    let mut first = true;
    let result = lookup_found(&number, &route.plan, &call.context.dns, &mut |found| {
        match (&route.attributes, found) {
            (None, found) => return contacts::add_found(found, &route.answer, call, work, trace),
            (Some(names), Found::Text(result)) if std::mem::take(&mut first) => {
                set_attributes(names, result, work, trace);
            }
            (Some(_), _) => {}
        }
        true
    });
    work.temp = number;
    let fallback = match result {
        Step::Ask(ask) => return Walked::Done(Verdict::Ask(ask)),
        Step::Done(EnumResult::Found(_)) if route.attributes.is_some() => return Walked::On,
        Step::Done(EnumResult::Found(_)) if !work.contacts.is_empty() => {
            return Walked::Done(write_answer(&route.answer, id, None, call, work, out));
        }
        Step::Done(EnumResult::Found(_)) => route.answer.empty,
        Step::Done(EnumResult::NotE164) => {
            trace.note("not an E.164 number: not asked (RFC 6116 §3.7)");
            route.not_found.not_asked
        }
        Step::Done(EnumResult::Nothing(Nothing::NxDomain)) => {
            trace.note("ENUM does not have this number (NXDOMAIN)");
            route.not_found.nxdomain
        }
        Step::Done(EnumResult::Nothing(Nothing::NoData)) => {
            trace.note("ENUM has this number, without a NAPTR record");
            route.not_found.nodata
        }
        Step::Done(EnumResult::Unusable) => {
            trace.note("ENUM has this number, and no record of a service that is wanted leads to a call");
            route.not_found.unusable
        }
        Step::Done(EnumResult::Failed(why)) => {
            trace.note(failure_note(why));
            route.failed.status(why)
        }
    };
    nothing_left(fallback, id, call, work, trace, out)
}

/// Why the number is not to be looked up; otherwise it is in `work.temp`.
fn not_to_be_asked(route: &EnumRoute, call: &Call<'_>, work: &mut Work) -> Option<&'static str> {
    if !into_temp(work, |work, out| call.number(Party::RequestUri, work, out)) {
        return Some("no number to look up");
    }
    if route.despite_di {
        return None;
    }
    // RFC 4759 §3: enumdi says that ENUM was asked already. RFC 4694 §4: npdi says the same of portability.
    if call.param(b"enumdi", work).is_some() {
        return Some("it comes with enumdi: ENUM was asked before (RFC 4759)");
    }
    call.param(b"npdi", work).map(|_| "it comes with npdi: it was looked up before (RFC 4694)")
}

/// Sets the variables that a result has a value for; the others are as before.
fn set_attributes<T: Trace>(names: &[Box<str>], result: &[u8], work: &mut Work, trace: &mut T) {
    for name in names {
        let value = attribute(result, name.as_bytes()).filter(|value| value.len() <= URI_BYTES_MAX);
        if let Some(value) = value
            && let Some(kept) = work.keep(value)
        {
            trace.set(name, value);
            work.put_var(name.as_bytes(), kept);
        }
    }
}

fn failure_note(why: Failure) -> &'static str {
    match why {
        Failure::Timeout => "ENUM did not answer in time",
        Failure::Refused => "the servers of ENUM refuse to answer us (REFUSED)",
        Failure::ServFail => "the servers of ENUM cannot answer (SERVFAIL)",
        Failure::Lame => "the servers of ENUM know nothing of the zone (lame)",
        Failure::Malformed => "what ENUM said is no answer",
        Failure::Overflow => "more questions than may be asked at one time",
    }
}
