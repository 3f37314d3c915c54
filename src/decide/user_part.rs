//! Pure. The user part of Contacts made from gateways: the number with its parameters.
//!
//! The parameters of RFC 4694 (`rn`, `npdi`, `cic`) and RFC 4904 (`tgrp`, `trunk-context`) stand
//! before the `@` (RFC 3261 §19.1.6), those of the request first, then what routes set, then what
//! the gateway says; the last word wins.

use super::{
    call::{Call, View},
    condition::into_temp,
    scratch::{SetParam, Span, Work},
};
use crate::{
    limits::{URI_BYTES_MAX, URI_PARAMS_MAX, USER_PARAMS_MAX},
    route::{Gateway, ParamValue, push_user_escaped},
    sip::same_name,
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
    let mut own = [None; USER_PARAMS_MAX];
    let params = gateway.map_or(&[][..], |gateway| &gateway.params);
    for (slot, (_, value)) in own.iter_mut().zip(params) {
        *slot = Some(render_param(value, call, work)?);
    }
    let whole = into_temp(work, |work, out| {
        // RFC 3261 §19.1.4: in the user of a name, every byte and its place count. Only numbers have
        // parameters there that may be put in order.
        if work.number.is_none() && params.is_empty() && work.params.is_empty() {
            push_user_as_it_came(call.uri.user.unwrap_or_default(), out);
            return true;
        }
        push_number_or_name(call, gateway, work, out);
        let is_global = out.first() == Some(&b'+');
        let has_params = !params.is_empty() || !work.params.is_empty() || has_params(call);
        !has_params || {
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
            for (name, value) in call.uri.user_params() {
                list.put(name, value.map_or(Shown::Name, Shown::Value));
            }
            list.write(out)
        }
    });
    if !whole || work.temp.len() > URI_BYTES_MAX {
        return Err("its user part would be too long");
    }
    work.keep_temp().map(Some).ok_or("too much to render")
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
    push_user_escaped(number.get(strip..).unwrap_or_default(), false, out);
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

    /// Puts a parameter in, unless its name is there.
    fn put(&mut self, name: &'p [u8], shown: Shown<'p>) {
        if self.items[..self.len].iter().any(|(of, _)| same_name(of, name)) {
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

    /// RFC 3261 §19.1.6: `isub` and `ext` first, the others by name, so that equal numbers look equal.
    fn write(mut self, out: &mut Vec<u8>) -> bool {
        let items = &mut self.items[..self.len];
        items.sort_unstable_by(|(a, _), (b, _)| {
            let rank = |name: &[u8]| match name {
                b"isub" => 0,
                b"ext" => 1,
                _ => 2,
            };
            rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
        });
        for (name, shown) in items {
            let value = match shown {
                Shown::No => continue,
                Shown::Name => None,
                Shown::Value(value) => Some(value),
            };
            out.push(b';');
            push_user_escaped(name, true, out);
            if let Some(value) = value {
                out.push(b'=');
                push_user_escaped(value, true, out);
            }
        }
        !self.overflow
    }
}
