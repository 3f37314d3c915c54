//! Pure. Walks the route lists top to bottom until a route answers.
//!
//! Routes that the index of their list says cannot hold are passed, and counted as if they had been looked
//! at. Whoever traces sees each of them: then the index is not asked, and the answer is the same.

mod candidates;

use super::{
    Silence, Trace, Verdict,
    answer::write_answer,
    call::{Call, View},
    condition::{all_hold, into_temp},
    contacts::{self, SealedEnd},
    dip, enum_route,
    scratch::{SetParam, Work},
    user_part::render_param,
};
use crate::{
    limits::{JUMPS_MAX, NUMBER_BYTES_MAX, ROUTES_EXAMINED_MAX, URI_BYTES_MAX},
    route::{Answer, Down, ListId, Party, Route, RouteId, Setting, Template, Then, WhenAllDown},
};
use candidates::Candidates;

/// What the lists come to; `None` when no route answers.
pub(super) fn walk<T: Trace>(
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Option<Verdict> {
    let table = call.context.table;
    if T::ON || table.dispatch.is_empty() {
        return walk_by(&mut EachRoute, call, work, trace, out);
    }
    walk_by(&mut Candidates::default(), call, work, trace, out)
}

/// Says which routes of the lists are to be looked at.
trait Next {
    /// The position of the next route of the list at this depth of the walk: not before `at`, and `len` for none.
    fn next(&mut self, place: Place, call: &Call<'_>, work: &mut Work) -> usize;
    /// A route held, and may have changed what the routes after it see.
    fn acted(&mut self, _route: &Route) {}
}

/// Where a walk is.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    depth: usize,
    list: ListId,
    /// Position in the list.
    at: usize,
    /// Routes of the list.
    len: usize,
}

/// All of them.
struct EachRoute;

impl Next for EachRoute {
    fn next(&mut self, place: Place, _: &Call<'_>, _: &mut Work) -> usize {
        place.at
    }
}

fn walk_by<N: Next, T: Trace>(
    next: &mut N,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Option<Verdict> {
    let table = call.context.table;
    // The main list, and where to go on in those that jumped; the loader refuses cycles.
    let mut stack: [(ListId, usize); JUMPS_MAX] = [(0, 0); JUMPS_MAX];
    let mut depth = 0;
    let mut left = ROUTES_EXAMINED_MAX;
    trace.list(0);
    loop {
        let (list, at) = stack[depth];
        let routes = table.lists.get(list).map_or(&[][..], |list| &list.routes);
        let found = next.next(Place { depth, list, at, len: routes.len() }, call, work);
        // Those passed, and the one found or the end of the list.
        left = left.checked_sub(found.saturating_sub(at) + 1)?;
        let Some(&id) = routes.get(found) else {
            depth = depth.checked_sub(1)?;
            continue;
        };
        stack[depth].1 = found + 1;
        let Some(route) = table.routes.get(id) else { continue };
        trace.route(id);
        if !all_hold(&route.when, call, work, trace) {
            continue;
        }
        trace.acts(id);
        next.acted(route);
        match act(route, id, call, work, trace, out) {
            Walked::Done(verdict) => return Some(verdict),
            Walked::Jump(list) if depth + 1 < JUMPS_MAX => {
                depth += 1;
                stack[depth] = (list, 0);
                trace.list(list);
            }
            Walked::Jump(_) | Walked::On => {}
        }
    }
}

pub(super) enum Walked {
    On,
    Jump(ListId),
    Done(Verdict),
}

/// What a route does whose conditions hold.
fn act<'a, T: Trace>(
    route: &'a Route,
    id: RouteId,
    call: &Call<'a>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Walked {
    for setting in &route.set {
        make(setting, call, work, trace);
    }
    match &route.then {
        Then::Next => Walked::On,
        Then::Jump(list) => Walked::Jump(*list),
        Then::Silence => Walked::Done(Verdict::Silence(Silence::Route(id))),
        Then::Answer(answer) => give(answer, id, call, work, trace, out),
        Then::Enum(route) => enum_route::follow(route, id, call, work, trace, out),
        Then::Dip(dip) => dip::follow(dip, id, call, work, trace, out),
    }
}

/// Makes a setting. One whose value is missing is not made.
fn make<T: Trace>(setting: &Setting, call: &Call<'_>, work: &mut Work, trace: &mut T) {
    let render = |template: &Template, work: &mut Work| {
        into_temp(work, |work, out| template.render(&View { call, work }, out))
    };
    match setting {
        Setting::Param(name, value) => {
            let Ok(set) = render_param(value, call, work) else { return };
            if !matches!(set, SetParam::Value(_)) {
                work.temp.clear();
            }
            trace.set(name, &work.temp);
            work.put_param(name.as_bytes(), set);
        }
        Setting::Number(template) => {
            if render(template, work) {
                put_number(work, trace);
            }
        }
        Setting::Normalise(id) => {
            let there = into_temp(work, |work, out| match work.number {
                Some(number) => {
                    call.normalise(*id, work.bytes(number), out);
                    true
                }
                None => false,
            });
            if there {
                put_number(work, trace);
            }
        }
        Setting::Var(name, template) => {
            if render(template, work)
                && work.temp.len() <= URI_BYTES_MAX
                && let Some(value) = work.keep_temp()
            {
                trace.set(name, &work.temp);
                work.put_var(name.as_bytes(), value);
            }
        }
    }
}

/// The number is from here on what stands in `work.temp`.
fn put_number<T: Trace>(work: &mut Work, trace: &mut T) {
    // One that nothing could match is not taken, and the number stays what it was.
    if work.temp.len() > NUMBER_BYTES_MAX {
        return trace.note("the number would be too long");
    }
    trace.set("number", &work.temp);
    if let Some(number) = work.keep_temp() {
        work.set_number(number);
    }
}

fn give<'a, T: Trace>(
    answer: &'a Answer,
    id: RouteId,
    call: &Call<'a>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Walked {
    work.clear_contacts();
    match contacts::collect((answer, id), call.context.down, call, work, trace) {
        Err(ask) => Walked::Done(Verdict::Ask(ask)),
        Ok(None) if work.contacts.is_empty() && work.left_out_down => {
            all_down(answer, id, call, work, trace, out)
        }
        Ok(end) => finish(answer, id, end, call, work, trace, out),
    }
}

fn finish<T: Trace>(
    answer: &Answer,
    id: RouteId,
    end: Option<SealedEnd<'_>>,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Walked {
    if end.is_none() && work.contacts.is_empty() && !answer.targets.is_empty() {
        return nothing_left(answer.empty, id, call, work, trace, out);
    }
    Walked::Done(write_answer(answer, id, end, call, work, out))
}

/// No Contact is left because gateways are down: what the route says of that.
#[cold]
fn all_down<'a, T: Trace>(
    answer: &'a Answer,
    id: RouteId,
    call: &Call<'a>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Walked {
    match &answer.when_all_down {
        WhenAllDown::UseAll => {
            trace.note("all its gateways are down: all are used");
            work.clear_contacts();
            match contacts::collect((answer, id), Down::NONE, call, work, trace) {
                Err(ask) => Walked::Done(Verdict::Ask(ask)),
                Ok(end) => finish(answer, id, end, call, work, trace, out),
            }
        }
        WhenAllDown::Next => {
            trace.note("all its gateways are down: on to the next route");
            Walked::On
        }
        WhenAllDown::Refuse(refusal) => {
            trace.note("all its gateways are down: the refusal for that answers");
            Walked::Done(write_answer(refusal, id, None, call, work, out))
        }
    }
}

/// No Contact is left: the route's fallback, or the next route.
pub(super) fn nothing_left<T: Trace>(
    fallback: Option<u16>,
    id: RouteId,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Walked {
    let Some(code) = fallback else {
        trace.note("no Contact: on to the next route");
        return Walked::On;
    };
    trace.note("no Contact: the fallback answers");
    let refusal = Answer { code, ..Answer::refusal(call.context.table) };
    Walked::Done(write_answer(&refusal, id, None, call, work, out))
}

/// Puts the dialled number, normalised as the defaults say, where routes see and change it.
pub(super) fn set_number(call: &Call<'_>, work: &mut Work) {
    if let Some(number) = call.plain_number() {
        work.number = work.keep(number);
        work.number_is_plain = true;
        return;
    }
    if into_temp(work, |_, out| call.number_as_dialled(Party::RequestUri, out)) {
        work.number = work.keep_temp();
    }
}
