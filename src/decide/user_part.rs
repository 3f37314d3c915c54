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
    limits::USER_PARAMS_MAX,
    route::{Gateway, ParamValue, push_user_escaped},
};

/// Puts the user part for a gateway into the arena: `Ok(None)` when the request has no user, an
/// error in words when the gateway's own parameters cannot be made.
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
    into_temp(work, |work, out| {
        push_number_or_name(call, gateway, work, out);
        let mut list = ParamList::default();
        for (name, value) in call.uri.user_params() {
            list.set(name, value);
        }
        for &(name, set) in &work.params {
            list.apply(work.bytes(name), set, work);
        }
        for ((name, _), set) in params.iter().zip(own.iter().flatten()) {
            list.apply(name.as_bytes(), *set, work);
        }
        if out.first() == Some(&b'+') {
            // RFC 3966 §5.1.5: the context is that of a local number; a global one has none.
            list.remove(b"phone-context");
        }
        list.write(out);
        true
    });
    Ok(work.keep_temp())
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
            SetParam::Value(work.keep_temp().ok_or("too much to render")?)
        }
    })
}

fn push_number_or_name(call: &Call<'_>, gateway: Option<&Gateway>, work: &Work, out: &mut Vec<u8>) {
    let Some(number) = work.number else {
        push_user_escaped(call.uri.user_name(), true, false, out);
        return;
    };
    let number = work.bytes(number);
    let strip = gateway.map_or(0, |gateway| gateway.strip);
    out.extend_from_slice(gateway.map_or(&[][..], |gateway| gateway.prefix.as_bytes()));
    push_user_escaped(number.get(strip..).unwrap_or_default(), false, false, out);
}

/// Parameters by name, few and in place.
#[derive(Default)]
struct ParamList<'p> {
    items: [(&'p [u8], Option<&'p [u8]>); USER_PARAMS_MAX],
    len: usize,
}

impl<'p> ParamList<'p> {
    fn apply(&mut self, name: &'p [u8], set: SetParam, work: &'p Work) {
        match set {
            SetParam::Value(value) => self.set(name, Some(work.bytes(value))),
            SetParam::Flag => self.set(name, None),
            SetParam::Removed => self.remove(name),
        }
    }

    fn set(&mut self, name: &'p [u8], value: Option<&'p [u8]>) {
        self.remove(name);
        if let Some(slot) = self.items.get_mut(self.len) {
            *slot = (name, value);
            self.len += 1;
        }
    }

    fn remove(&mut self, name: &[u8]) {
        let found = self.items[..self.len].iter().position(|(of, _)| of.eq_ignore_ascii_case(name));
        if let Some(index) = found {
            self.items[..self.len].copy_within(index + 1.., index);
            self.len -= 1;
        }
    }

    /// RFC 3261 §19.1.6: `isub` and `ext` first, the others by name, so that equal numbers look equal.
    fn write(mut self, out: &mut Vec<u8>) {
        let items = &mut self.items[..self.len];
        items.sort_unstable_by(|(a, _), (b, _)| {
            let rank = |name: &[u8]| match name {
                b"isub" => 0,
                b"ext" => 1,
                _ => 2,
            };
            rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
        });
        for (name, value) in items {
            out.push(b';');
            push_user_escaped(name, true, false, out);
            if let Some(value) = value {
                out.push(b'=');
                push_user_escaped(value, true, false, out);
            }
        }
    }
}
