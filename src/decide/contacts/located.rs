//! Pure. Contacts that DNS knows: the servers of `locate` and of gateways with `resolve` (RFC 3263).
//!
//! All hosts of an answer are asked for together, so that a group of four costs the time of one.

use std::net::IpAddr;

use super::{
    super::{
        Trace,
        call::{push_ip, push_number},
        scratch::{Item, ItemKind},
    },
    DENIED, List,
};
use crate::{
    dns::{Ask, How, LocateResult, Located, Step, Target, TargetTransport, locate, needs_dns},
    limits::{LOCATIONS_PER_ANSWER_MAX, QUESTIONS_PER_REQUEST_MAX},
    sip::{Uri, same_name},
};

impl<T: Trace> List<'_, '_, T> {
    /// Adds what was put off, in its order.
    pub(super) fn add_items(&mut self) -> Result<(), Ask> {
        let items = std::mem::take(&mut self.work.items);
        let needs = |item: &&Item| item.kind == ItemKind::Locate && self.needs_dns(item);
        let locations = items.iter().filter(needs).count().clamp(1, LOCATIONS_PER_ANSWER_MAX);
        let mut round = Round {
            questions_max: QUESTIONS_PER_REQUEST_MAX / locations,
            locations_left: LOCATIONS_PER_ANSWER_MAX,
            ask: None,
        };
        let mut uri = std::mem::take(&mut self.work.item_uri);
        for item in &items {
            uri.clear();
            uri.extend_from_slice(self.work.bytes(item.uri));
            match item.kind {
                ItemKind::Uri { q_milli } => self.add(&uri, q_milli, item.expires_s),
                // The list may be full before a host that nobody can find is needed.
                ItemKind::Locate if self.is_full() => self.work.trimmed = self.work.trimmed.saturating_add(1),
                ItemKind::Locate => self.add_servers(&uri, item, &mut round),
            }
        }
        self.work.items = items;
        self.work.item_uri = uri;
        round.ask.map_or(Ok(()), Err)
    }

    fn needs_dns(&self, item: &Item) -> bool {
        Uri::parse(self.work.bytes(item.uri)).is_some_and(|uri| needs_dns(&uri))
    }

    fn add_servers(&mut self, uri_bytes: &[u8], item: &Item, round: &mut Round) {
        let Some(uri) = Uri::parse(uri_bytes) else { return self.drop_contact(uri_bytes, "not a legal URI") };
        if needs_dns(&uri) {
            let Some(left) = round.locations_left.checked_sub(1) else {
                return self.drop_contact(uri_bytes, "more hosts than are looked up for one answer");
            };
            round.locations_left = left;
        }
        let how = How {
            dns: self.call.context.dns,
            policy: &self.call.context.settings.dns_policy,
            draw: self.call.draw(),
            within_ms: self.answer.within_ms,
            questions_max: round.questions_max,
        };
        let mut contact = std::mem::take(&mut self.work.server_uri);
        let mut emit = |located: Located<'_>| self.add_server(&uri, &located, item, &mut contact);
        let step = locate(&uri, &how, &mut emit);
        self.work.server_uri = contact;
        match step {
            Step::Ask(ask) => round.add(ask),
            Step::Done(LocateResult::Found(_) | LocateResult::Denied) => {}
            Step::Done(LocateResult::Nothing) => self.drop_contact(uri_bytes, "DNS has no server for it"),
            Step::Done(LocateResult::Failed(_)) => self.drop_contact(uri_bytes, "DNS did not answer for it"),
        }
    }

    fn add_server(&mut self, uri: &Uri<'_>, located: &Located<'_>, item: &Item, contact: &mut Vec<u8>) {
        contact.clear();
        match located {
            Located::Target(target) => {
                write_located(uri, target, contact);
                self.add(contact, None, item.expires_s);
            }
            Located::Denied(target) => {
                write_located(uri, target, contact);
                self.drop_contact(contact, DENIED);
            }
            Located::Failed { name, kind, failure } => {
                if T::ON {
                    self.trace.note(&format!("DNS did not answer for {name} {kind:?} ({failure:?})"));
                }
            }
        }
    }
}

/// The locations of one answer, asked for together.
struct Round {
    questions_max: usize,
    locations_left: usize,
    ask: Option<Ask>,
}

impl Round {
    fn add(&mut self, more: Ask) {
        let Some(ask) = &mut self.ask else {
            self.ask = Some(more);
            return;
        };
        ask.within_ms = ask.within_ms.min(more.within_ms);
        for question in more.questions {
            if !ask.questions.contains(&question) {
                ask.questions.push(question);
            }
        }
    }
}

/// Writes a located server as a Contact: the address, so that the client does not look it up again
/// (RFC 3263 §4.2); for TLS the name, which its certificate must have (§4.1).
fn write_located(uri: &Uri<'_>, target: &Target<'_>, out: &mut Vec<u8>) {
    let is_tls = target.transport == TargetTransport::Tls;
    out.extend_from_slice(if is_tls { b"sips:" } else { b"sip:" });
    if let Some(user) = uri.user {
        out.extend_from_slice(user);
        out.push(b'@');
    }
    match target.address {
        _ if is_tls => out.extend_from_slice(target.name.trim_end_matches('.').as_bytes()),
        IpAddr::V4(_) => {
            push_ip(target.address, out);
        }
        IpAddr::V6(_) => {
            out.push(b'[');
            push_ip(target.address, out);
            out.push(b']');
        }
    }
    // RFC 3263 §4.2: the servers of a name are looked up by the client, unless a port stands there.
    let host = uri.param(b"maddr").flatten().unwrap_or(uri.host);
    let is_domain = host.strip_suffix(b".").unwrap_or(host).eq_ignore_ascii_case(target.name.as_bytes());
    if let Some(port) = if is_tls && is_domain { uri.port } else { Some(target.port) } {
        out.push(b':');
        push_number(port.into(), out);
    }
    for param in uri.params.split(|&byte| byte == b';').filter(|param| !param.is_empty()) {
        let name = param.split(|&byte| byte == b'=').next().unwrap_or_default();
        // What they say has been followed: it is this address and this transport.
        if !same_name(name, b"transport") && !same_name(name, b"maddr") {
            out.push(b';');
            out.extend_from_slice(param);
        }
    }
    match target.transport {
        TargetTransport::Udp => out.extend_from_slice(b";transport=udp"),
        TargetTransport::Tcp => out.extend_from_slice(b";transport=tcp"),
        // RFC 5630 §5.4: never transport=tls; sips: says it.
        TargetTransport::Tls => {}
    }
}
