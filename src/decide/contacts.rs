//! Pure. The Contact list of an answer: targets expanded, rendered, judged, ranked.
//!
//! In:    the targets of a route, in order of preference.
//! Out:   Contacts in `work.contacts`, best first, with strictly decreasing q; or a question for DNS.
//! Never: a Contact twice, one equal to the Request-URI (RFC 3261 §8.3), or one that names ourselves.

use std::net::IpAddr;

use super::{
    Trace,
    call::{Call, View, push_ip, push_number},
    condition::into_temp,
    scratch::{Contact, Span, Work},
    stable::choice_draw,
    user_part,
    weigh::order_members,
};
use crate::{
    dns::{Ask, LocateResult, Step, Target, TargetTransport, locate},
    limits::{LOOKUP_MS_DEFAULT, URI_BYTES_MAX},
    route::{
        Answer, AnswerTarget, ContactTemplate, GatewayId, GroupId, RowTarget, TableId, Template, UriTemplate,
    },
    sip::{Scheme, Uri, same_name, same_uri},
};

/// Fills the Contact list of `answer`. A question comes back when DNS must be asked first.
pub(super) fn collect<T: Trace>(
    answer: &Answer,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
) -> Result<(), Ask> {
    let mut list = List { answer, call, work, trace };
    for target in &answer.targets {
        match target {
            AnswerTarget::Uri(contact) => list.giving_back(|list| list.add_template(contact)),
            AnswerTarget::Gateway(gateway) => list.add_gateway(*gateway),
            AnswerTarget::Group(group) => list.add_group(*group),
            AnswerTarget::LeastCost { table, key } => list.add_cheapest(*table, key),
            AnswerTarget::Locate(uri) => list.add_located(uri)?,
        }
    }
    Ok(())
}

/// Adds one URI as it is, as ENUM found it.
pub(super) fn add_uri<T: Trace>(
    uri: &[u8],
    answer: &Answer,
    call: &Call<'_>,
    work: &mut Work,
    trace: &mut T,
) {
    List { answer, call, work, trace }.add(uri, None, None);
}

struct List<'l, 'a, T> {
    answer: &'l Answer,
    call: &'l Call<'a>,
    work: &'l mut Work,
    trace: &'l mut T,
}

impl<T: Trace> List<'_, '_, T> {
    fn add_template(&mut self, contact: &ContactTemplate) {
        let call = self.call;
        let user = if contact.uri.has_user() {
            None
        } else {
            match user_part::compose(call, None, self.work) {
                Ok(user) => user,
                Err(why) => return self.drop_contact(b"", why),
            }
        };
        self.add_rendered(&contact.uri, user, contact.q_milli, contact.expires_s);
    }

    fn add_gateway(&mut self, id: GatewayId) {
        self.giving_back(|list| list.add_gateway_uri(id));
    }

    /// A Contact that is dropped gives back what was rendered for it.
    fn giving_back(&mut self, add: impl FnOnce(&mut Self)) {
        let (mark, contacts) = (self.work.mark(), self.work.contacts.len());
        add(self);
        if self.work.contacts.len() == contacts {
            self.work.give_back(mark);
        }
    }

    fn add_gateway_uri(&mut self, id: GatewayId) {
        let call = self.call;
        let Some(gateway) = call.context.table.gateways.get(id) else { return };
        let user = if gateway.uri.has_user() {
            None
        } else {
            match user_part::compose(call, Some(gateway), self.work) {
                Ok(user) => user,
                Err(why) => return self.drop_contact(gateway.name.as_bytes(), why),
            }
        };
        self.add_rendered(&gateway.uri, user, None, gateway.expires_s);
    }

    fn add_group(&mut self, id: GroupId) {
        let Some(group) = self.call.context.table.groups.get(id) else { return };
        order_members(group, self.call.draw(), self.work);
        for index in 0..self.work.order.len() {
            if let Some(&gateway) = self.work.order.get(index) {
                self.add_gateway(gateway);
            }
        }
    }

    fn add_cheapest(&mut self, id: TableId, key: &Template) {
        let call = self.call;
        let Some(table) = call.context.table.tables.get(id) else { return };
        if !into_temp(self.work, |work, out| key.render(&View { call, work }, out)) {
            return;
        }
        let mut rows = std::mem::take(&mut self.work.rows);
        rows.clear();
        let tie = |row| choice_draw(call.draw(), table.name().as_bytes(), u64::from(row));
        table.cheapest(&self.work.temp, &tie, &mut rows);
        if T::ON {
            rows.iter().for_each(|row| self.trace.looked_up(id, &self.work.temp, Some(*row)));
        }
        for &row in &rows {
            match table.target(row) {
                Some(RowTarget::Gateway(gateway)) => self.add_gateway(gateway),
                Some(RowTarget::Group(group)) => self.add_group(group),
                None => {}
            }
        }
        self.work.rows = rows;
    }

    fn add_located(&mut self, template: &UriTemplate) -> Result<(), Ask> {
        let call = self.call;
        let user = if template.has_user() {
            None
        } else {
            match user_part::compose(call, None, self.work) {
                Ok(user) => user,
                Err(why) => {
                    self.drop_contact(b"", why);
                    return Ok(());
                }
            }
        };
        if !self.render(template, user) {
            self.drop_contact(b"", "a value of its URI is missing or cannot stand there");
            return Ok(());
        }
        let uri_bytes = self.work.temp.clone();
        let Some(uri) = Uri::parse(&uri_bytes) else {
            self.drop_contact(&uri_bytes, "not a legal URI");
            return Ok(());
        };
        let mut targets = Vec::new();
        let dns = &call.context.dns;
        match locate(&uri, dns, call.draw(), LOOKUP_MS_DEFAULT, &mut |target| targets.push(target)) {
            Step::Ask(ask) => return Err(ask),
            Step::Done(LocateResult::Found(_)) => {}
            Step::Done(LocateResult::Nothing) => self.drop_contact(&uri_bytes, "DNS has no server for it"),
            Step::Done(LocateResult::Failed(_)) => self.drop_contact(&uri_bytes, "DNS did not answer for it"),
        }
        for target in &targets {
            let mut contact = Vec::with_capacity(uri_bytes.len() + 64);
            write_located(&uri, target, &mut contact);
            self.add(&contact, None, None);
        }
        Ok(())
    }

    fn add_rendered(
        &mut self,
        template: &UriTemplate,
        user: Option<Span>,
        q_milli: Option<u16>,
        expires_s: Option<u32>,
    ) {
        if !self.render(template, user) {
            return self.drop_contact(b"", "a value of its URI is missing or cannot stand there");
        }
        let uri = std::mem::take(&mut self.work.temp);
        self.add(&uri, q_milli, expires_s);
        self.work.temp = uri;
    }

    fn render(&mut self, template: &UriTemplate, user: Option<Span>) -> bool {
        let call = self.call;
        into_temp(self.work, |work, out| {
            let user = user.map(|user| work.bytes(user));
            template.render(&View { call, work }, call.uri.scheme, user, out)
        })
    }

    fn add(&mut self, uri: &[u8], q_milli: Option<u16>, expires_s: Option<u32>) {
        if self.work.contacts.len() >= self.answer.contacts_max {
            self.work.trimmed = self.work.trimmed.saturating_add(1);
            return;
        }
        if let Some(why) = self.unfit(uri) {
            return self.drop_contact(uri, why);
        }
        let Some(span) = self.work.keep(uri) else {
            return self.drop_contact(uri, "too much to render");
        };
        let q_milli = self.next_q(q_milli);
        let expires_s = expires_s.or(self.answer.expires_s);
        self.work.contacts.push(Contact { uri: span, q_milli, expires_s });
        self.trace.contact(uri, q_milli);
    }

    /// Why a URI may not be a Contact.
    fn unfit(&self, bytes: &[u8]) -> Option<&'static str> {
        // What is sent inside `<>` must not end them, nor the line.
        let is_safe = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"');
        if bytes.len() > URI_BYTES_MAX {
            return Some("longer than a URI may be");
        }
        let Some(uri) = Uri::parse(bytes).filter(|_| bytes.iter().all(is_safe)) else {
            return Some("not a legal URI");
        };
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
        let transport = |name| uri.param(b"transport").flatten().is_some_and(|value| same_name(value, name));
        // RFC 5630 §5.4: a redirect server MUST NOT use transport=tls, wherever it comes from.
        if transport(b"tls") {
            return Some("it says transport=tls (RFC 5630 §5.4)");
        }
        // RFC 3261 §19.1.1: of a sips: URI the transport is a reliable one; no client could call it.
        if uri.scheme == Scheme::Sips && transport(b"udp") {
            return Some("it is sips: over UDP (RFC 3261 §19.1.1)");
        }
        if is_ourselves(&uri, self.call) {
            return Some("it names this server: the call would come back");
        }
        // RFC 3261 §8.3: MUST NOT redirect to the Request-URI.
        if same_uri(&uri, &self.call.uri) {
            return Some("it is the Request-URI (RFC 3261 §8.3)");
        }
        let is_there = |contact: &Contact| {
            Uri::parse(self.work.bytes(contact.uri)).is_some_and(|other| same_uri(&uri, &other))
        };
        self.work.contacts.iter().any(is_there).then_some("it is in the list already")
    }

    /// The next rung of the ladder. RFC 3261 §8.1.3.4: equal q may be tried in parallel, so q
    /// decreases strictly.
    fn next_q(&self, wanted: Option<u16>) -> u16 {
        let defaults = &self.call.context.table.defaults;
        let rung = match self.work.contacts.last() {
            None => return wanted.unwrap_or(defaults.q_first_milli),
            Some(last) => last.q_milli.saturating_sub(defaults.q_step_milli.max(1)),
        };
        match wanted {
            Some(wanted) if self.work.contacts.last().is_some_and(|last| wanted < last.q_milli) => wanted,
            _ => rung,
        }
    }

    fn drop_contact(&mut self, uri: &[u8], why: &'static str) {
        self.work.dropped = self.work.dropped.saturating_add(1);
        self.trace.dropped(uri, why);
    }
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
    // A name is no address: most begin with a letter that no IPv4 address has.
    let text = std::str::from_utf8(bare).ok()?;
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Writes a located server as a Contact: the address, so that the client does not look it up again
/// (RFC 3263 §4.2); for TLS the name, which its certificate must have (§4.1).
fn write_located(uri: &Uri<'_>, target: &Target, out: &mut Vec<u8>) {
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
