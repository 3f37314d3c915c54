//! Pure. Calls and answers for a report. Keys are part of the interface: they are added to, never changed.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    cause::{Cause, contacts, header_lines},
    made::{By, Made, Side},
};
use crate::{
    decide::Arrival,
    dns::{Kind, Question},
    route::RouteTable,
    sip::{HeaderIndex, Parsed, parse},
};

/// A call that is answered differently, both sides whole.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Difference {
    pub call: CallShown,
    pub cause: Cause,
    pub old: SideShown,
    pub new: SideShown,
}

/// A call.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CallShown {
    /// Where it was read: FILE:LINE, or FILE:PACKET of a capture.
    pub place: String,
    /// As written.
    pub method: String,
    /// As written.
    pub request_uri: String,
    /// The URI of From.
    pub from: String,
    /// Who sent it.
    pub source: String,
    /// What weighted groups draw by.
    pub call_id: String,
}

/// What one side says.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SideShown {
    /// The route that answered; `None`: no route did.
    pub route: Option<String>,
    /// `None` for silence.
    pub status: Option<u16>,
    /// The reason phrase.
    pub reason: String,
    /// In the order of the answer.
    pub contacts: Vec<ContactShown>,
    /// Those that do not echo the request.
    pub headers: Vec<HeaderShown>,
    /// Empty for none.
    pub body: String,
    /// Why nothing is said, by its metric label; `None` when something is.
    pub silence: Option<&'static str>,
    /// What DNS would be asked.
    pub asks_dns: Vec<String>,
}

/// One Contact.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct ContactShown {
    pub uri: String,
    pub q: Option<f64>,
    pub expires_s: Option<u32>,
}

/// One header line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct HeaderShown {
    pub name: String,
    pub value: String,
}

/// Headers that every answer copies from its request, and what is told elsewhere.
const ECHOED: &[&[u8]] = &[b"Via", b"From", b"To", b"Call-ID", b"CSeq", b"Contact", b"Content-Length"];

pub(super) fn call(request: &[u8], arrival: &Arrival<'_>, place: String) -> CallShown {
    let mut index = HeaderIndex::new();
    let (source, mut shown) = (arrival.source.to_string(), None);
    if let Parsed::Sound(request) | Parsed::Faulty(request, _) = parse(request, &mut index) {
        shown = Some([
            text(request.method_token()),
            text(request.request_uri_bytes()),
            text(request.from().uri),
            text(request.call_id()),
        ]);
    }
    let [method, request_uri, from, call_id] = shown.unwrap_or_default();
    CallShown { place, method, request_uri, from, source, call_id }
}

pub(super) fn side(side: &Side<'_>) -> SideShown {
    let answer = side.answer();
    let (status, silence) = match side.made() {
        Made::Reply { status, .. } => (Some(status), None),
        Made::Silence(why) => (None, Some(why)),
    };
    let route = match side.by() {
        By::Route(_) => Some(by_name(side.by(), side.table())),
        By::NoRoute | By::Fault => None,
    };
    let contact = |contact: &crate::sip::NameAddr<'_>| ContactShown {
        uri: text(contact.uri),
        q: number(contact.param(b"q")),
        expires_s: number(contact.param(b"expires")),
    };
    let own = header_lines(answer).filter(|(name, _)| !ECHOED.contains(name));
    SideShown {
        route,
        status,
        reason: reason(answer),
        contacts: contacts(answer).iter().map(contact).collect(),
        headers: own.map(|(name, value)| HeaderShown { name: text(name), value: text(value) }).collect(),
        body: memchr::memmem::find(answer, b"\r\n\r\n")
            .and_then(|end| answer.get(end.saturating_add(4)..))
            .map(text)
            .unwrap_or_default(),
        silence,
        asks_dns: side.asks().iter().map(question).collect(),
    }
}

/// The name of a route, or words for none.
pub(super) fn by_name(by: By, table: &RouteTable) -> String {
    match by {
        By::Route(id) => table.routes.get(id).map_or("?", |route| &*route.name).to_owned(),
        By::NoRoute => "(no route)".to_owned(),
        By::Fault => "(request at fault)".to_owned(),
    }
}

fn reason(answer: &[u8]) -> String {
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.splitn(3, |byte| *byte == b' ').nth(2).map(text).unwrap_or_default()
}

fn question(question: &Question) -> String {
    let kind = match question.kind() {
        Kind::Naptr => "NAPTR",
        Kind::Srv => "SRV",
        Kind::A => "A",
        Kind::Aaaa => "AAAA",
    };
    format!("{kind} {}", question.name())
}

fn number<T: std::str::FromStr>(value: Option<&[u8]>) -> Option<T> {
    std::str::from_utf8(value?).ok()?.parse().ok()
}

/// Bytes that are not UTF-8 become U+FFFD: JSON has no other way.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
