//! Pure. Writes the answers: redirects, refusals, and those we give for ourselves.

use super::{
    Arrival, Reply, Settings, Silence, Verdict,
    call::{Call, View},
    condition::into_temp,
    contacts::{Front, SealedEnd},
    scratch::{Contact, Work},
    stable::to_tag,
};
use crate::{
    limits::HEADER_VALUE_BYTES_MAX,
    route::{Answer, Body, RouteId, Transport, q_text},
    sip::{Fault, NO_CONTENT, Request, Writer, reason_phrase, reply_address, write_head_with},
};

/// What an answer consists of besides what it echoes.
pub(super) struct Plain<'p> {
    pub(super) status: u16,
    pub(super) reason: &'p [u8],
    /// Whole header lines, each with its CRLF.
    pub(super) lines: &'p [&'p [u8]],
}

impl Plain<'static> {
    /// A status with its own phrase and nothing else.
    pub(super) fn status(status: u16) -> Self {
        Self { status, reason: reason_phrase(status).as_bytes(), lines: &[] }
    }
}

/// Writes an answer without Contacts and body.
pub(super) fn write_plain(
    plain: &Plain<'_>,
    request: &Request<'_>,
    arrival: &Arrival<'_>,
    settings: &Settings,
    out: &mut [u8],
) -> Verdict {
    let mut writer = Writer::new(out);
    write_start(plain.status, plain.reason, request, arrival, settings, &mut writer);
    for line in plain.lines {
        writer.put(line);
    }
    writer.put(b"Content-Length: 0\r\n\r\n");
    finish(writer, reply(plain.status, request, arrival))
}

/// Writes the refusal of a faulty request.
pub(super) fn write_fault(
    fault: Fault,
    request: &Request<'_>,
    arrival: &Arrival<'_>,
    settings: &Settings,
    out: &mut [u8],
) -> Verdict {
    let plain = Plain { status: fault.status(), reason: fault.phrase().as_bytes(), lines: &[] };
    let verdict = write_plain(&plain, request, arrival, settings, out);
    match verdict {
        Verdict::Reply(reply) => Verdict::Reply(Reply { fault: Some(fault), ..reply }),
        other => other,
    }
}

/// Writes a route's answer with the Contacts in `work`, and those behind them.
pub(super) fn write_answer(
    answer: &Answer,
    route: RouteId,
    end: Option<SealedEnd<'_>>,
    call: &Call<'_>,
    work: &mut Work,
    out: &mut [u8],
) -> Verdict {
    let (request, arrival) = (call.request, call.arrival);
    let mut writer = Writer::new(out);
    let reason = answer.reason.as_deref().unwrap_or_else(|| reason_phrase(answer.code));
    write_start(answer.code, reason.as_bytes(), request, arrival, call.context.settings, &mut writer);
    let tail = Tail::of(&answer.body);
    let budget = match arrival.transport {
        Transport::Udp => answer.answer_bytes_max,
        // A stream has no datagram to fit into.
        Transport::Tcp | Transport::Tls => usize::MAX,
    };
    let budget = budget.saturating_sub(tail.len());
    let headers_trimmed = match answer.headers.as_slice() {
        [] => 0,
        _ => {
            let budget = budget.saturating_sub(first_contact_len(end.as_ref(), work));
            write_extra_headers(answer, call, work, budget, &mut writer)
        }
    };
    let left_out = write_contacts(end.as_ref(), work, budget, &mut writer);
    tail.write(&mut writer);
    finish(
        writer,
        Reply {
            route: Some(route),
            contacts_trimmed: work.trimmed.saturating_add(u8::try_from(left_out).unwrap_or(u8::MAX)),
            contacts_dropped: work.dropped,
            headers_trimmed,
            ..reply(answer.code, request, arrival)
        },
    )
}

/// Writes what every answer begins with.
fn write_start(
    status: u16,
    reason: &[u8],
    request: &Request<'_>,
    arrival: &Arrival<'_>,
    settings: &Settings,
    writer: &mut Writer<'_>,
) {
    let tag = to_tag(&settings.key, request);
    write_head_with(settings.feedback.as_ref(), writer, request, status, reason, arrival.source, &tag);
    if let Some(server) = &settings.server {
        writer.put(b"Server: ");
        writer.put(server.as_bytes());
        writer.put(b"\r\n");
    }
}

/// Writes the route's own headers as far as the budget reaches: one that goes beyond it is left out,
/// for a stranger may have sent its value. Returns how many were.
fn write_extra_headers(
    answer: &Answer,
    call: &Call<'_>,
    work: &mut Work,
    budget: usize,
    writer: &mut Writer<'_>,
) -> u8 {
    let mut left_out: u8 = 0;
    for (name, template) in &answer.headers {
        // A value that is missing leaves its header out, never half of it in.
        if !into_temp(work, |work, out| template.render(&View { call, work }, out)) {
            continue;
        }
        let len = name.len() + b": \r\n".len() + work.temp.len();
        if work.temp.len() > HEADER_VALUE_BYTES_MAX || writer.len() + len > budget {
            left_out = left_out.saturating_add(1);
            continue;
        }
        work.temp.iter_mut().filter(|byte| byte.is_ascii_control()).for_each(|byte| *byte = b' ');
        writer.put(name.as_bytes());
        writer.put(b": ");
        writer.put(&work.temp);
        writer.put(b"\r\n");
    }
    left_out
}

/// Room that the first Contact takes at most, alone in its line.
fn first_contact_len(end: Option<&SealedEnd<'_>>, work: &Work) -> usize {
    let uri_len = match (work.contacts.first(), end) {
        (Some(first), _) => first.uri.len(),
        (None, Some(SealedEnd { front: Some(Front { contact, number }), .. })) => {
            contact.len_around() + number.len()
        }
        (None, Some(SealedEnd { front: None, sealed, number })) => sealed.first_uri_len(number.len()),
        (None, None) => return 0,
    };
    b"Contact: <>;q=0.000;expires=4294967295\r\n".len() + uri_len
}

/// Writes the Contact line as far as the budget reaches, the first Contact in any case. Returns how many were left out.
fn write_contacts(end: Option<&SealedEnd<'_>>, work: &Work, budget: usize, writer: &mut Writer<'_>) -> usize {
    let mut written = 0;
    for contact in &work.contacts {
        let before = writer.len();
        write_contact(contact, written == 0, work, writer);
        if written > 0 && writer.len() + b"\r\n".len() > budget {
            writer.truncate(before);
            break;
        }
        written += 1;
    }
    let mut left_out = work.contacts.len() - written;
    if let Some(SealedEnd { front, sealed, number }) = end {
        if let Some(Front { contact, number }) = front {
            sealed.write_front(contact, work.bytes(*number), writer);
            written += 1;
        }
        let room = budget.saturating_sub(writer.len() + b"\r\n".len());
        let fitting = if left_out == 0 { sealed.count_within(room, number.len()) } else { 0 };
        let count = if written == 0 { fitting.max(1) } else { fitting };
        sealed.write(count, work.bytes(*number), writer);
        written += count;
        left_out += sealed.count() - count;
    }
    if written > 0 {
        writer.put(b"\r\n");
    }
    left_out
}

fn write_contact(contact: &Contact, is_first: bool, work: &Work, writer: &mut Writer<'_>) {
    let uri = work.bytes(contact.uri);
    let (q, q_len) = q_text(contact.q_milli);
    let q = q.get(..q_len).unwrap_or_default();
    let before: &[u8] = if is_first { b"Contact: <" } else { b", <" };
    writer.put_all([before, uri, b">;q=", q]);
    if let Some(expires_s) = contact.expires_s {
        writer.put(b";expires=");
        writer.put_number(expires_s.into());
    }
}

/// Content-Length, the empty line and the body.
enum Tail<'t> {
    Nothing,
    Emergency { reason: &'t str },
}

impl<'t> Tail<'t> {
    fn of(body: &'t Body) -> Self {
        match body {
            Body::None => Self::Nothing,
            Body::Emergency { reason } => Self::Emergency { reason },
        }
    }

    /// Bytes that [`Tail::write`] writes.
    fn len(&self) -> usize {
        match self {
            Self::Nothing => NO_CONTENT.len(),
            Self::Emergency { reason } => {
                let content = emergency_len(reason);
                let digits = content.checked_ilog10().map_or(1, |log| log as usize + 1);
                EMERGENCY_TYPE.len() + digits + b"\r\n\r\n".len() + content
            }
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Nothing => writer.put(NO_CONTENT),
            Self::Emergency { reason } => {
                writer.put(EMERGENCY_TYPE);
                writer.put_number(emergency_len(reason) as u64);
                writer.put(b"\r\n\r\n");
                writer.put(EMERGENCY_BEFORE);
                for c in reason.chars() {
                    match xml_escape(c) {
                        Some(escape) => writer.put(escape.as_bytes()),
                        None => writer.put(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    }
                }
                writer.put(EMERGENCY_AFTER);
            }
        }
    }
}

const EMERGENCY_TYPE: &[u8] = b"Content-Type: application/3gpp-ims+xml\r\nContent-Length: ";
// 3GPP TS 24.229 §7.6.1, §7.6.2: type first, then reason.
const EMERGENCY_BEFORE: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
    <ims-3gpp version=\"1\"><alternative-service><type>emergency</type><reason>";
const EMERGENCY_AFTER: &[u8] = b"</reason></alternative-service></ims-3gpp>\r\n";

/// Length of the emergency body, in bytes.
fn emergency_len(reason: &str) -> usize {
    let reason_len: usize =
        reason.chars().map(|c| xml_escape(c).map_or_else(|| c.len_utf8(), str::len)).sum();
    EMERGENCY_BEFORE.len() + reason_len + EMERGENCY_AFTER.len()
}

fn xml_escape(c: char) -> Option<&'static str> {
    match c {
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '&' => Some("&amp;"),
        _ => None,
    }
}

fn reply(status: u16, request: &Request<'_>, arrival: &Arrival<'_>) -> Reply {
    let to = match arrival.transport {
        Transport::Udp => reply_address(request.top_via(), arrival.source),
        // RFC 3261 §18.2.2: the connection the request came by.
        Transport::Tcp | Transport::Tls => arrival.source,
    };
    Reply {
        len: 0,
        to,
        status,
        method: request.method(),
        route: None,
        access: None,
        fault: None,
        contacts_trimmed: 0,
        contacts_dropped: 0,
        headers_trimmed: 0,
        capped: None,
    }
}

fn finish(writer: Writer<'_>, reply: Reply) -> Verdict {
    match writer.finish() {
        Some(len) => Verdict::Reply(Reply { len, ..reply }),
        None => Verdict::Silence(Silence::AnswerTooLong),
    }
}
