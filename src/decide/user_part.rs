//! Pure. The user part of Contacts made from gateways: the number with its parameters.
//!
//! The parameters of RFC 4694 (`rn`, `npdi`, `cic`) and RFC 4904 (`tgrp`, `trunk-context`) stand
//! before the `@` (RFC 3261 §19.1.6), those of the request first, then what routes set, then what
//! the gateway says; the last word wins.

use super::{
    call::{Call, View, trunk_group_partner, value_of_context},
    condition::into_temp,
    scratch::{SetParam, Span, Work},
};
use crate::{
    limits::{URI_BYTES_MAX, URI_PARAMS_MAX, USER_PARAMS_MAX},
    route::{Gateway, ParamValue, push_param_escaped, push_user_escaped},
    sip::{decoded, same_name},
};

/// Puts the user part for a gateway into the arena: `Ok(None)` when the request has no user, an
/// error in words when it cannot be made whole.
pub(super) fn compose(
    call: &Call<'_>,
    gateway: Option<&Gateway>,
    work: &mut Work,
) -> Result<Option<Span>, &'static str> {
    if call.uri.user.is_none() && work.number.is_none() {
        return Ok(None);
    }
    let params = gateway.map_or(&[][..], |gateway| &gateway.params);
    if params.is_empty() && work.params.is_empty() && (work.number.is_none() || !has_params(call)) {
        into_temp(work, |work, out| {
            push_alone(call, gateway, work, out);
            true
        });
        return keep(work);
    }
    let mut own = [None; USER_PARAMS_MAX];
    for (slot, (_, value)) in own.iter_mut().zip(params) {
        *slot = Some(render_param(value, call, work)?);
    }
    let whole = into_temp(work, |work, out| {
        push_number_or_name(call, gateway, work, out);
        let is_global = out.first() == Some(&b'+');
        let mut list = ParamList::default();
        for ((name, _), set) in params.iter().zip(own.iter().flatten()) {
            list.offer(name.as_bytes(), *set, work);
        }
        for &(name, set) in &work.params {
            list.offer(work.bytes(name), set, work);
        }
        if is_global {
            // RFC 3966 §5.1.5: the context is that of a local number; a global one has none.
            list.put(b"phone-context", Shown::No);
        }
        let group = [b"tgrp", &b"trunk-context"[..]].map(|name| call.uri.user_param(name).flatten());
        let is_grouped = group.iter().all(Option::is_some);
        // Half a trunk group must not be completed by a half of ours, and a context not be that of
        // a value of ours (RFC 4694 §4).
        let own_len = list.len;
        for (name, value) in call.uri.user_params() {
            let is_half = !is_grouped && trunk_group_partner(name).is_some();
            let is_of_ours = value_of_context(name).is_some_and(|value| list.has(value, own_len));
            if !is_half && !is_of_ours {
                list.put(name, value.map_or(Shown::Name, Shown::AsItCame));
            }
        }
        list.write(out)
    });
    if !whole {
        return Err(TOO_LONG);
    }
    keep(work)
}

const TOO_LONG: &str = "its user part would be too long";

/// Keeps the user part in `work.temp`.
fn keep(work: &mut Work) -> Result<Option<Span>, &'static str> {
    if work.temp.len() > URI_BYTES_MAX {
        return Err(TOO_LONG);
    }
    work.keep_temp().map(Some).ok_or("too much to render")
}

/// Appends what has no parameters that anybody has set. RFC 3261 §19.1.4: in the user of a name, every byte
/// and its place count; only numbers have parameters there that may be put in order.
fn push_alone(call: &Call<'_>, gateway: Option<&Gateway>, work: &Work, out: &mut Vec<u8>) {
    match work.number {
        Some(_) => push_number_or_name(call, gateway, work, out),
        None => push_user_as_it_came(call.uri.user.unwrap_or_default(), out),
    }
}

fn has_params(call: &Call<'_>) -> bool {
    call.uri.user_params().next().is_some()
}

/// Renders what a parameter is set to and keeps it.
pub(super) fn render_param(
    value: &ParamValue,
    call: &Call<'_>,
    work: &mut Work,
) -> Result<SetParam, &'static str> {
    Ok(match value {
        ParamValue::Flag => SetParam::Flag,
        ParamValue::Remove => SetParam::Removed,
        ParamValue::Value(template) => {
            if !into_temp(work, |work, out| template.render(&View { call, work }, out)) {
                return Err("a parameter's value is missing");
            }
            if work.temp.len() > URI_BYTES_MAX {
                return Err("a parameter's value is too long");
            }
            SetParam::Value(work.keep_temp().ok_or("too much to render")?)
        }
    })
}

fn push_number_or_name(call: &Call<'_>, gateway: Option<&Gateway>, work: &Work, out: &mut Vec<u8>) {
    let Some(number) = work.number else {
        push_user_escaped(call.uri.user_name(), true, out);
        return;
    };
    let number = work.bytes(number);
    let strip = gateway.map_or(0, |gateway| gateway.strip);
    out.extend_from_slice(gateway.map_or(&[][..], |gateway| gateway.prefix.as_bytes()));
    let number = number.get(strip..).unwrap_or_default();
    // What a number nearly always is needs no escape.
    if number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'+') {
        out.extend_from_slice(number);
    } else {
        push_user_escaped(number, false, out);
    }
}

fn push_user_as_it_came(user: &[u8], out: &mut Vec<u8>) {
    for (place, part) in user.split(|&byte| byte == b';').enumerate() {
        if place > 0 {
            out.push(b';');
        }
        push_user_escaped(part, true, out);
    }
}

/// Room for what the gateway, the routes and the request each may bring.
const PARAMS_MAX: usize = 2 * USER_PARAMS_MAX + URI_PARAMS_MAX;

/// Parameters by name. Who speaks first has the last word: the gateway, then routes, then the request.
struct ParamList<'p> {
    items: [(&'p [u8], Shown<'p>); PARAMS_MAX],
    len: usize,
    overflow: bool,
}

/// How a parameter is written.
#[derive(Clone, Copy)]
enum Shown<'p> {
    No,
    Name,
    /// Of the request, which is not for us to change (RFC 3966 §5.4).
    AsItCame(&'p [u8]),
    /// Of a route or gateway.
    Value(&'p [u8]),
}

impl Default for ParamList<'_> {
    fn default() -> Self {
        Self { items: [(b"", Shown::No); PARAMS_MAX], len: 0, overflow: false }
    }
}

impl<'p> ParamList<'p> {
    fn offer(&mut self, name: &'p [u8], set: SetParam, work: &'p Work) {
        self.put(
            name,
            match set {
                SetParam::Value(value) => Shown::Value(work.bytes(value)),
                SetParam::Flag => Shown::Name,
                SetParam::Removed => Shown::No,
            },
        );
    }

    /// Whether a name is among the first so many.
    fn has(&self, name: &[u8], len: usize) -> bool {
        self.items[..len].iter().any(|(of, _)| same_name(of, name))
    }

    /// Puts a parameter in, unless its name is there.
    fn put(&mut self, name: &'p [u8], shown: Shown<'p>) {
        if self.has(name, self.len) {
            return;
        }
        match self.items.get_mut(self.len) {
            Some(slot) => {
                *slot = (name, shown);
                self.len += 1;
            }
            None => self.overflow = true,
        }
    }

    /// RFC 3966 §3: `isub` or `ext` first, then `phone-context`, the others by name, and names in lower
    /// case, so that equal numbers look equal.
    fn write(mut self, out: &mut Vec<u8>) -> bool {
        let items = &mut self.items[..self.len];
        drop_half_a_trunk_group(items);
        items.sort_unstable_by(|(a, _), (b, _)| {
            let rank = |name: &[u8]| {
                let first: [&[u8]; 3] = [b"isub", b"ext", b"phone-context"];
                first.iter().position(|first| same_name(first, name)).unwrap_or(first.len())
            };
            rank(a).cmp(&rank(b)).then_with(|| plain_name(a).cmp(plain_name(b)))
        });
        for (name, shown) in items {
            if matches!(shown, Shown::No) {
                continue;
            }
            out.push(b';');
            push_name(name, out);
            match shown {
                Shown::No | Shown::Name => {}
                Shown::AsItCame(value) => {
                    out.push(b'=');
                    push_user_escaped(value, true, out);
                }
                Shown::Value(value) => {
                    out.push(b'=');
                    push_param_escaped(value, out);
                }
            }
        }
        !self.overflow
    }
}

/// RFC 4904 §5: both parameters or none.
fn drop_half_a_trunk_group(items: &mut [(&[u8], Shown<'_>)]) {
    let has_value = |name: &[u8]| {
        let is_it = |(of, shown): &(&[u8], Shown<'_>)| {
            same_name(of, name)
                && matches!(shown, Shown::AsItCame(value) | Shown::Value(value) if !value.is_empty())
        };
        items.iter().any(is_it)
    };
    if has_value(b"tgrp") && has_value(b"trunk-context") {
        return;
    }
    items
        .iter_mut()
        .filter(|(name, _)| trunk_group_partner(name).is_some())
        .for_each(|(_, shown)| *shown = Shown::No);
}

/// Appends a parameter's name, in lower case and with no escape that it can do without.
fn push_name(name: &[u8], out: &mut Vec<u8>) {
    if name.iter().any(|byte| *byte == b'%' || byte.is_ascii_uppercase()) {
        plain_name(name).for_each(|byte| push_user_escaped(&[byte], false, out));
    } else {
        push_user_escaped(name, true, out);
    }
}

fn plain_name(name: &[u8]) -> impl Iterator<Item = u8> {
    decoded(name).map(|byte| byte.to_ascii_lowercase())
}
