//! Pure. A route with `dip:`: a number portability dip (RFC 4694), whose result the next routes see.

use super::{
    Trace,
    call::Call,
    condition::into_temp,
    scratch::{SetParam, Work},
    walk::{Walked, nothing_left},
};
use crate::{
    limits::NUMBER_BYTES_MAX,
    route::{Dip, DipMark, NumberTable, Party, RouteId, Row},
};

pub(super) fn follow<T: Trace>(
    dip: &Dip,
    id: RouteId,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Walked {
    let Some(table) = call.context.table.tables.get(dip.table) else { return Walked::On };
    if let Some(why) = not_to_be_looked_up(dip, call, work) {
        trace.note(why);
        return Walked::On;
    }
    let row = table.find(&work.temp);
    if T::ON {
        trace.looked_up(dip.table, &work.temp, row);
    }
    if let Some(hit) = work.hits.get_mut(dip.table) {
        *hit = row;
    }
    let Some(row) = row else {
        if dip.not_found.is_some() {
            return nothing_left(dip.not_found, id, call, work, trace, out);
        }
        mark(dip, work, trace);
        return Walked::On;
    };
    put_routing_number(dip, table, row, work, trace);
    mark(dip, work, trace);
    Walked::On
}

/// Why the number is not to be looked up; otherwise it is in `work.temp`.
fn not_to_be_looked_up(dip: &Dip, call: &Call<'_>, work: &mut Work) -> Option<&'static str> {
    if !into_temp(work, |work, out| call.number(Party::RequestUri, work, out)) {
        return Some("no number to look up");
    }
    if !dip.only.is_empty() && !dip.only.iter().any(|pattern| pattern.matches(&work.temp)) {
        return Some("not a number of those that are looked up");
    }
    // RFC 4694 §5.1: npdi says that the lookup has been done, cic that it is another carrier's to do.
    let before = [&b"npdi"[..], b"rn", b"cic"].iter().any(|name| call.param(name, work).is_some());
    (before && !dip.again).then_some("it comes with npdi, rn or cic: it was looked up before (RFC 4694)")
}

fn put_routing_number<T: Trace>(dip: &Dip, table: &NumberTable, row: Row, work: &mut Work, trace: &mut T) {
    if let Some(cic) = dip.cic {
        put_cell(table, row, cic, "cic", work, trace);
    }
    if !dip.in_user {
        let is_local = put_cell(table, row, dip.rn, "rn", work, trace) == Some(false);
        // RFC 4694 §4: a local rn MUST have its context.
        if let Some(context) = dip.rn_context.as_ref().filter(|_| is_local)
            && let Some(value) = work.keep(context.as_bytes())
        {
            trace.set("rn-context", context.as_bytes());
            work.put_param(b"rn-context", SetParam::Value(value));
        }
        return;
    }
    work.temp.clear();
    if table.push_value(row, dip.rn, &mut work.temp)
        && work.temp.len() <= NUMBER_BYTES_MAX
        && let Some(number) = work.keep_temp()
    {
        trace.set("number", &work.temp);
        work.set_number(number);
    }
}

/// Sets a parameter to a cell; whether that begins with `+`, `None` when it is empty.
fn put_cell<T: Trace>(
    table: &NumberTable,
    row: Row,
    column: usize,
    name: &str,
    work: &mut Work,
    trace: &mut T,
) -> Option<bool> {
    work.temp.clear();
    if !table.push_value(row, column, &mut work.temp) {
        // A call that is looked up again may have come with what no longer holds.
        work.put_param(name.as_bytes(), SetParam::Removed);
        return None;
    }
    let value = work.keep_temp()?;
    trace.set(name, &work.temp);
    work.put_param(name.as_bytes(), SetParam::Value(value));
    Some(work.temp.first() == Some(&b'+'))
}

/// RFC 4694 §5.2.1: npdi MUST be there after a dip, whether the number is ported or not.
fn mark<T: Trace>(dip: &Dip, work: &mut Work, trace: &mut T) {
    match dip.npdi {
        Some(DipMark::Yes) => {
            let Some(value) = work.keep(b"yes") else { return };
            trace.set("npdi", b"yes");
            work.put_param(b"npdi", SetParam::Value(value));
        }
        Some(DipMark::Flag) => {
            trace.set("npdi", b"");
            work.put_param(b"npdi", SetParam::Flag);
        }
        None => {}
    }
}
