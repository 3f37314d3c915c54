//! Pure. What is known of the request that is being decided: its addresses, read once, and the
//! values that templates and conditions ask for.

use std::cell::OnceCell;

use super::{
    Arrival, Context,
    scratch::{SetParam, Work},
    stable,
};
use crate::{
    access::Standing,
    limits::NUMBER_BYTES_MAX,
    route::{NormalisationId, Part, Party, ValueOf, Values},
    sip::{
        HeaderName, NameAddr, Request, Uri, decoded, is_visual_separator, list_values, same_name, unfolded,
    },
};

/// One request on its way through the routes.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) arrival: &'a Arrival<'a>,
    pub(super) context: &'a Context<'a>,
    /// What the access lists say of its source.
    pub(super) standing: Standing,
    /// Who has proved to be its user, as written in its credentials.
    pub(super) user: Option<&'a [u8]>,
    pub(super) uri: &'a Uri<'a>,
    from: OnceCell<Option<Uri<'a>>>,
    asserted: OnceCell<Option<Uri<'a>>>,
    draw: OnceCell<u64>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        request: &'a Request<'a>,
        arrival: &'a Arrival<'a>,
        context: &'a Context<'a>,
        standing: Standing,
        user: Option<&'a [u8]>,
    ) -> Self {
        Self {
            request,
            arrival,
            context,
            standing,
            user,
            uri: request.request_uri(),
            from: OnceCell::new(),
            asserted: OnceCell::new(),
            draw: OnceCell::new(),
        }
    }

    /// The stable draw of this call.
    pub(super) fn draw(&self) -> u64 {
        *self.draw.get_or_init(|| stable::call_draw(&self.context.settings.key, self.request))
    }

    /// The URI of a party, when the request has it.
    pub(super) fn party(&self, party: Party) -> Option<&Uri<'a>> {
        match party {
            Party::RequestUri => Some(self.uri),
            Party::From => self.from.get_or_init(|| self.request.from().parsed_uri()).as_ref(),
            Party::PAssertedIdentity => self
                .asserted
                .get_or_init(|| self.first_asserted().and_then(|address| address.parsed_uri()))
                .as_ref(),
        }
    }

    /// The first value of P-Asserted-Identity that reads as an address (RFC 3325 §9.1: one or two).
    fn first_asserted(&self) -> Option<NameAddr<'a>> {
        self.request
            .values(HeaderName::PAssertedIdentity)
            .flat_map(list_values)
            .filter_map(NameAddr::parse)
            .find(|address| address.parsed_uri().is_some())
    }

    /// Appends the host of a party; an IPv6 address has its brackets, as route files write it.
    pub(super) fn host(&self, party: Party, out: &mut Vec<u8>) -> bool {
        let host = self.party(party).map_or(&[][..], |uri| uri.host);
        out.extend_from_slice(host);
        !host.is_empty()
    }

    /// Appends the user of a party without its parameters, escapes decoded.
    pub(super) fn user_name(&self, party: Party, out: &mut Vec<u8>) -> bool {
        let Some(uri) = self.party(party) else { return false };
        push_decoded(uri.user_name(), out);
        uri.user.is_some()
    }

    /// Appends the number of a party, normalised as the defaults say; `false` when its user is not a
    /// number. The number of the Request-URI is that which the routes so far left.
    pub(super) fn number(&self, party: Party, work: &Work, out: &mut Vec<u8>) -> bool {
        if party == Party::RequestUri {
            return match work.number {
                Some(number) => {
                    out.extend_from_slice(work.bytes(number));
                    true
                }
                None => false,
            };
        }
        self.number_as_dialled(party, out)
    }

    /// Appends the number of a party as its URI has it, normalised as the defaults say.
    pub(super) fn number_as_dialled(&self, party: Party, out: &mut Vec<u8>) -> bool {
        let Some(uri) = self.party(party) else { return false };
        // RFC 3261 §25.1: `#` can only come as %23.
        let mut room = [0; NUMBER_BYTES_MAX];
        let Some(number) = decoded_number(uri.user_name(), &mut room) else { return false };
        // RFC 3966 §9: a local number MUST NOT be translated by whoever does not understand its context.
        // A route that does says so: `when: { params: { phone-context: … } }, set: { normalise: … }`.
        let is_of_elsewhere = !number.starts_with(b"+") && uri.user_param(b"phone-context").is_some();
        match self.context.table.defaults.normalisation {
            Some(id) if !is_of_elsewhere => self.normalise(id, number, out),
            _ => push_without_separators(number, out),
        }
        true
    }

    /// The dialled number, when it is used as it stands in the Request-URI: `+` and digits, or digits alone, and
    /// no rule for numbers.
    pub(super) fn plain_number(&self) -> Option<&'a [u8]> {
        let number = self.uri.user_name();
        let is_plain = is_only_digits(number.strip_prefix(b"+").unwrap_or(number));
        let is_so = is_plain && number.len() <= NUMBER_BYTES_MAX;
        (is_so && self.context.table.defaults.normalisation.is_none()).then_some(number)
    }

    /// Appends the number that routes go by: RFC 4694 §5.1, `rn` comes before the number.
    pub(super) fn routing(&self, work: &Work, out: &mut Vec<u8>) -> bool {
        match self.param(b"rn", work) {
            Some(Some(rn)) if !rn.is_empty() => push_param(b"rn", rn, out),
            _ => self.number(Party::RequestUri, work, out),
        }
    }

    fn push_part(&self, party: Party, part: Part, work: &Work, out: &mut Vec<u8>) -> bool {
        match part {
            Part::Number => self.number(party, work, out),
            Part::Host => self.host(party, out),
            Part::User => match self.party(party).and_then(|uri| uri.user) {
                Some(user) => push(user, out),
                None => false,
            },
            Part::Uri => match party {
                Party::RequestUri => push(self.request.request_uri_bytes(), out),
                Party::From => push(self.request.from().uri, out),
                Party::PAssertedIdentity => {
                    self.first_asserted().is_some_and(|address| push(address.uri, out))
                }
            },
        }
    }

    /// A parameter of the Request-URI, as the routes so far left it: `None` when it is not there,
    /// `Some(None)` when it has no value.
    pub(super) fn param<'w>(&'w self, name: &[u8], work: &'w Work) -> Option<Option<&'w [u8]>> {
        let found = self.param_alone(name, work)?;
        if is_of_another_value(name, work) {
            return None;
        }
        let Some(partner) = trunk_group_partner(name) else { return Some(found) };
        let has_value = |value: Option<&[u8]>| value.is_some_and(|value| !value.is_empty());
        // RFC 4904 §5: with one of the two, it is as if there were neither.
        let is_whole = has_value(found) && has_value(self.param_alone(partner, work).flatten());
        is_whole.then_some(found)
    }

    fn param_alone<'w>(&'w self, name: &[u8], work: &'w Work) -> Option<Option<&'w [u8]>> {
        match work.set_param(name) {
            Some(SetParam::Value(value)) => Some(Some(work.bytes(value))),
            Some(SetParam::Flag) => Some(None),
            Some(SetParam::Removed) => None,
            // RFC 4694 and RFC 4904 put theirs into the user part; others follow the host.
            None => self.uri.user_param(name).or_else(|| self.uri.param(name)),
        }
    }
}

/// The values of a call together with what the routes so far made of it.
pub(super) struct View<'v, 'a> {
    pub(super) call: &'v Call<'a>,
    pub(super) work: &'v Work,
}

impl Values for View<'_, '_> {
    fn append(&self, of: &ValueOf, out: &mut Vec<u8>) -> bool {
        let (call, work) = (self.call, self.work);
        match of {
            ValueOf::User => call.push_part(Party::RequestUri, Part::User, work, out),
            ValueOf::UserName => match call.uri.user {
                Some(_) => push(call.uri.user_name(), out),
                None => false,
            },
            ValueOf::Number => call.number(Party::RequestUri, work, out),
            ValueOf::Routing => call.routing(work, out),
            ValueOf::Host => match call.uri.host {
                [] => false,
                host => push(host, out),
            },
            ValueOf::Port => call.uri.port.is_some_and(|port| push_number(port.into(), out)),
            ValueOf::RequestUri => push(call.request.request_uri_bytes(), out),
            ValueOf::Method => push(call.request.method_token(), out),
            ValueOf::Source => push_ip(call.arrival.source.ip(), out),
            ValueOf::Local => push_ip(call.arrival.local.ip(), out),
            ValueOf::From(part) => call.push_part(Party::From, *part, work, out),
            ValueOf::PAssertedIdentity(part) => call.push_part(Party::PAssertedIdentity, *part, work, out),
            ValueOf::Param(name) => match call.param(name.as_bytes(), work) {
                Some(Some(value)) => push_param(name.as_bytes(), value, out),
                Some(None) => push(b"true", out),
                None => false,
            },
            ValueOf::Header(name) => match call.request.values_named(name.as_bytes()).next() {
                Some(value) => push_unfolded(value, out),
                None => false,
            },
            ValueOf::Var(name) => match work.var(name.as_bytes()) {
                Some(value) => push(work.bytes(value), out),
                None => false,
            },
            ValueOf::Column(table, column) => self.push_column(*table, *column, out),
        }
    }

    fn normalise(&self, by: NormalisationId, number: &[u8], out: &mut Vec<u8>) {
        self.call.normalise(by, number, out);
    }
}

impl View<'_, '_> {
    /// A column of the row that was hit; an empty cell counts as missing.
    fn push_column(&self, table: usize, column: usize, out: &mut Vec<u8>) -> bool {
        let Some(row) = self.work.hits.get(table).copied().flatten() else { return false };
        let Some(table) = self.call.context.table.tables.get(table) else { return false };
        table.push_value(row, column, out)
    }
}

impl Call<'_> {
    /// Appends `number` as a named normalisation has it.
    pub(super) fn normalise(&self, by: NormalisationId, number: &[u8], out: &mut Vec<u8>) {
        match self.context.table.normalisations.get(by) {
            Some(normalisation) => normalisation.apply(number, out),
            None => out.extend_from_slice(number),
        }
    }
}

/// Whether a context of the request is that of a value which a route has replaced or taken off
/// (RFC 4694 §4: `rn-context` says where a local `rn` holds).
fn is_of_another_value(name: &[u8], work: &Work) -> bool {
    value_of_context(name).is_some_and(|value| work.set_param(value).is_some())
        && work.set_param(name).is_none()
}

/// The parameter whose value a context belongs to (RFC 4694 §4).
pub(super) fn value_of_context(name: &[u8]) -> Option<&'static [u8]> {
    match name {
        // Shorter, with escapes or without.
        _ if name.len() < b"rn-context".len() => None,
        _ if same_name(name, b"rn-context") => Some(b"rn"),
        _ if same_name(name, b"cic-context") => Some(b"cic"),
        _ => None,
    }
}

/// The parameter that names a trunk group together with this one (RFC 4904 §5).
pub(super) fn trunk_group_partner(name: &[u8]) -> Option<&'static [u8]> {
    match name {
        _ if name.len() < b"tgrp".len() => None,
        _ if same_name(name, b"tgrp") => Some(b"trunk-context"),
        _ if same_name(name, b"trunk-context") => Some(b"tgrp"),
        _ => None,
    }
}

/// A user that can be dialled: RFC 3966 `phonedigit` and what PBXs add, not too long to match.
pub(super) fn is_number(user: &[u8]) -> bool {
    let digits = user.strip_prefix(b"+").unwrap_or(user);
    if is_only_digits(digits) {
        return user.len() <= NUMBER_BYTES_MAX;
    }
    user.len() <= NUMBER_BYTES_MAX
        && digits.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#'))
        && digits.iter().all(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'A'..=b'D') || is_visual_separator(*byte)
        })
}

fn is_only_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// RFC 3966 §5.1.1: visual separators mean nothing.
fn push_without_separators(number: &[u8], out: &mut Vec<u8>) {
    if is_only_digits(number.strip_prefix(b"+").unwrap_or(number)) {
        return out.extend_from_slice(number);
    }
    out.extend(number.iter().filter(|byte| !is_visual_separator(**byte)));
}

/// Appends the value of a parameter as it is used. RFC 4694 §5: `rn` and `cic` without visual separators.
pub(super) fn push_param(name: &[u8], value: &[u8], out: &mut Vec<u8>) -> bool {
    if same_name(name, b"rn") || same_name(name, b"cic") {
        push_without_separators(value, out);
    } else {
        out.extend_from_slice(value);
    }
    true
}

/// Appends a number in decimal.
pub(super) fn push_number(number: u64, out: &mut Vec<u8>) -> bool {
    let mut text = [0; 20];
    let mut writer = crate::sip::Writer::new(&mut text);
    writer.put_number(number);
    push(writer.written(), out)
}

/// Appends an address as text; v4-mapped IPv6 as IPv4.
pub(super) fn push_ip(ip: std::net::IpAddr, out: &mut Vec<u8>) -> bool {
    let mut text = [0; 64];
    let mut writer = crate::sip::Writer::new(&mut text);
    writer.put_ip(ip);
    push(writer.written(), out)
}

fn push(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(bytes);
    true
}

/// Appends a header value on one line.
pub(super) fn push_unfolded(value: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend(unfolded(value));
    true
}

/// A user that is a number, its escapes decoded into `room`.
fn decoded_number<'u>(user: &'u [u8], room: &'u mut [u8; NUMBER_BYTES_MAX]) -> Option<&'u [u8]> {
    if !user.contains(&b'%') {
        return is_number(user).then_some(user);
    }
    let mut len = 0;
    for byte in decoded(user) {
        *room.get_mut(len)? = byte;
        len += 1;
    }
    room.get(..len).filter(|number| is_number(number))
}

/// Appends text with `%HH` decoded.
pub(super) fn push_decoded(text: &[u8], out: &mut Vec<u8>) {
    out.extend(decoded(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_names() {
        for (user, expected) in [
            ("+441632960001", true),
            ("112", true),
            ("*98", true),
            ("(01632)-960.001", true),
            ("alice", false),
            ("", false),
            ("+", false),
            ("44x", false),
            ("AB", false),
        ] {
            assert_eq!(is_number(user.as_bytes()), expected, "{user}");
        }
        assert!(is_number(&[b'1'; NUMBER_BYTES_MAX]), "the longest number");
        assert!(!is_number(&[b'1'; NUMBER_BYTES_MAX + 1]), "one digit too many");
    }

    #[test]
    fn a_number_may_come_escaped() {
        let mut room = [0; NUMBER_BYTES_MAX];
        assert_eq!(decoded_number(b"*21%23", &mut room), Some(&b"*21#"[..]));
        assert_eq!(decoded_number(b"%61lice", &mut room), None);
        let longest = "%31".repeat(NUMBER_BYTES_MAX);
        assert!(decoded_number(longest.as_bytes(), &mut room).is_some());
        assert_eq!(decoded_number(format!("{longest}1").as_bytes(), &mut room), None, "one digit too many");
    }
}
