//! Pure. Which URIs may be Contacts.

use std::ops::Range;

use super::super::{
    call::Call,
    scratch::{Contact, Work},
};
use crate::{
    limits::URI_BYTES_MAX,
    route::SealedContacts,
    sip::{NextHop, Scheme, Uri, differ_in_host, host_address, place_in, same_name, same_uri},
};

/// Where the host stands of a URI that may be a Contact; or why it may not. `uri` is what was read of `bytes`.
pub(super) fn host_of_fit(
    bytes: &[u8],
    uri: Option<&Uri<'_>>,
    call: &Call<'_>,
    work: &Work,
) -> Result<Range<usize>, &'static str> {
    if bytes.len() > URI_BYTES_MAX {
        return Err("longer than a URI may be");
    }
    // What is sent inside `<>` must not end them, nor the line: no legal URI does.
    let Some(uri) = uri else { return Err("not a legal URI") };
    match unfit(uri, call, work) {
        Some(why) => Err(why),
        None => Ok(place_in(bytes, uri.host)),
    }
}

/// Why a legal URI may not be a Contact.
fn unfit(uri: &Uri<'_>, call: &Call<'_>, work: &Work) -> Option<&'static str> {
    // RFC 3261 §19.1.1, RFC 3966 §3: a value of the request may have brought in what is there.
    if uri.has_double_param() {
        return Some("a parameter stands in it twice (RFC 3261 §19.1.1)");
    }
    if uri.has_mandatory_param() {
        return Some("a parameter of it must be understood, and is not (RFC 3966 §5.4)");
    }
    if uri.lacks_phone_context() {
        return Some("a local number without phone-context (RFC 3966 §5.1.5)");
    }
    let transport = uri.param(b"transport").flatten();
    let transport = |name| transport.is_some_and(|value| same_name(value, name));
    // RFC 5630 §5.4: a redirect server MUST NOT use transport=tls, wherever it comes from.
    if transport(b"tls") {
        return Some("it says transport=tls (RFC 5630 §5.4)");
    }
    // RFC 3261 §19.1.1: of a sips: URI the transport is a reliable one; no client could call it.
    if uri.scheme == Scheme::Sips && transport(b"udp") {
        return Some("it is sips: over UDP (RFC 3261 §19.1.1)");
    }
    if NextHop::of(uri).is_some_and(|hop| is_ourselves(&hop, call)) {
        return Some("it names this server: the call would come back");
    }
    // RFC 3261 §8.3: MUST NOT redirect to the Request-URI.
    if !differ_in_host(uri.host, call.uri.host) && same_uri(uri, call.uri) {
        return Some("it is the Request-URI (RFC 3261 §8.3)");
    }
    let is_there = |contact: &Contact| {
        // Most Contacts of one answer differ in their hosts: those need not be read again.
        !differ_in_host(uri.host, work.bytes(contact.host))
            && Uri::parse(work.bytes(contact.uri)).is_some_and(|other| same_uri(uri, &other))
    };
    work.contacts.iter().any(is_there).then_some("it is in the list already")
}

/// Whether a URI with this host may stand in the list, of which nothing else is to be asked: `hop` is where a client
/// sends the call. `false` says nothing: then it is to be rendered and judged as a whole.
pub(super) fn is_fit(host: &[u8], hop: NextHop<'_>, call: &Call<'_>, work: &Work) -> bool {
    !is_ourselves(&hop, call)
        && differ_in_host(host, call.uri.host)
        && work.contacts.iter().all(|contact| differ_in_host(host, work.bytes(contact.host)))
}

/// The same of the end of a list, at once.
pub(super) fn are_fit(sealed: &SealedContacts, call: &Call<'_>, work: &Work) -> bool {
    let ourselves = &call.context.settings.ourselves;
    let local = call.arrival.local;
    let is_address_of_ours = || {
        sealed.leads_to(local.ip().to_canonical(), local.port())
            || ourselves.listeners.iter().any(|(own, port)| sealed.leads_to(own.to_canonical(), *port))
    };
    let is_in_doubt = sealed.may_have(call.uri.host)
        || work.contacts.iter().any(|contact| sealed.may_have(work.bytes(contact.host)))
        || ourselves.names.iter().any(|name| sealed.leads_to_name(name.as_bytes()))
        || (sealed.leads_to_addresses() && is_address_of_ours());
    !is_in_doubt
}

/// Whether ENUM may lead to this URI. An address in it came from DNS as much as one that was looked up.
pub(super) fn is_denied(uri: &Uri<'_>, call: &Call<'_>) -> bool {
    let policy = &call.context.settings.dns_policy;
    let is_denied = |host| host_address(host).is_some_and(|address| !policy.admits(address));
    is_denied(uri.host) || uri.param(b"maddr").flatten().is_some_and(is_denied)
}

/// Whether a Contact would bring the call back to us.
fn is_ourselves(hop: &NextHop<'_>, call: &Call<'_>) -> bool {
    let port = hop.port.unwrap_or(hop.default_port);
    let ourselves = &call.context.settings.ourselves;
    let by_name = ourselves.names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(hop.host));
    if by_name {
        return hop.port.is_none() || ourselves.listeners.iter().any(|(_, own)| *own == port);
    }
    let Some(ip) = hop.address else { return false };
    let local = call.arrival.local;
    (ip == local.ip().to_canonical() && port == local.port())
        || ourselves.listeners.iter().any(|(own, own_port)| own.to_canonical() == ip && *own_port == port)
}
