//! Pure. Which URIs may be Contacts.

use std::{
    net::{IpAddr, Ipv4Addr},
    ops::Range,
};

use super::super::{
    call::Call,
    scratch::{Contact, Work},
};
use crate::{
    limits::URI_BYTES_MAX,
    sip::{Scheme, Uri, differ_in_host, same_name, same_uri},
};

/// Where the host stands of a URI that may be a Contact; or why it may not.
pub(super) fn host_of_fit(bytes: &[u8], call: &Call<'_>, work: &Work) -> Result<Range<usize>, &'static str> {
    if bytes.len() > URI_BYTES_MAX {
        return Err("longer than a URI may be");
    }
    // What is sent inside `<>` must not end them, nor the line: no legal URI does.
    let Some(uri) = Uri::parse(bytes) else { return Err("not a legal URI") };
    match unfit(&uri, call, work) {
        Some(why) => Err(why),
        None => Ok(place_in(bytes, uri.host)),
    }
}

/// Where a part of a text stands in it.
fn place_in(text: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    // An empty part may be of no text at all.
    if part.is_empty() { 0..0 } else { start..start.saturating_add(part.len()) }
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
    if is_ourselves(uri, call) {
        return Some("it names this server: the call would come back");
    }
    // RFC 3261 §8.3: MUST NOT redirect to the Request-URI.
    if same_uri(uri, &call.uri) {
        return Some("it is the Request-URI (RFC 3261 §8.3)");
    }
    let is_there = |contact: &Contact| {
        // Most Contacts of one answer differ in their hosts: those need not be read again.
        !differ_in_host(uri.host, work.bytes(contact.host))
            && Uri::parse(work.bytes(contact.uri)).is_some_and(|other| same_uri(uri, &other))
    };
    work.contacts.iter().any(is_there).then_some("it is in the list already")
}

/// Whether ENUM may lead to this URI. An address in it came from DNS as much as one that was looked up.
pub(super) fn is_denied(bytes: &[u8], call: &Call<'_>) -> bool {
    let Some(uri) = Uri::parse(bytes) else { return false };
    let maddr = uri.param(b"maddr").flatten();
    let mut addresses = [Some(uri.host), maddr].into_iter().flatten().filter_map(parse_ip);
    addresses.any(|address| !call.context.settings.dns_policy.admits(address))
}

/// Whether a Contact would bring the call back to us. Its maddr counts for its host: that is where a
/// client sends it (RFC 3261 §19.1.1).
fn is_ourselves(uri: &Uri<'_>, call: &Call<'_>) -> bool {
    let default_port = match uri.scheme {
        Scheme::Sip => 5060,
        Scheme::Sips => 5061,
        Scheme::Tel | Scheme::Other => return false,
    };
    let port = uri.port.unwrap_or(default_port);
    let ourselves = &call.context.settings.ourselves;
    let host = uri.param(b"maddr").flatten().unwrap_or(uri.host);
    let by_name = ourselves.names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(host));
    if by_name {
        return uri.port.is_none() || ourselves.listeners.iter().any(|(_, own)| *own == port);
    }
    let Some(ip) = parse_ip(host) else { return false };
    let local = call.arrival.local;
    (ip == local.ip().to_canonical() && port == local.port())
        || ourselves.listeners.iter().any(|(own, own_port)| own.to_canonical() == ip && *own_port == port)
}

fn parse_ip(host: &[u8]) -> Option<IpAddr> {
    let bare = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
    // A name is no address, and most hosts are names.
    let is_v6 = bare.contains(&b':');
    if !is_v6 && !bare.first()?.is_ascii_digit() {
        return None;
    }
    let text = std::str::from_utf8(bare).ok()?;
    if is_v6 {
        return text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    }
    text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}
