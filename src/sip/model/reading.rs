//! Pure. How a request was read, as places: for bytes that are alike, the same places hold.
//!
//! In:    a request; later, bytes that are like its own.
//! Out:   the request that they are.
//! Never: looks at any byte but those of numbers, which are judged by what they say.

use std::ops::Range;

use crate::sip::{
    HeaderName, Method, NameAddr, Request, UriOutline, Via,
    class::number,
    echoed::Echoed,
    header::Line,
    parse::{body_of, is_max_forwards, is_sequence},
    part::Part,
    request::{Address, EchoedAs, Field},
    scan::place_in,
    via::TopVia,
};

/// All of a request but its lines.
#[derive(Debug, Default)]
pub(super) struct Reading {
    method: Method,
    method_token: Part,
    uri_bytes: Part,
    uri: UriOutline,
    top_via: ViaParts,
    from: AddressParts,
    to: AddressParts,
    call_id: FieldParts,
    cseq: FieldParts,
    echoed: Option<Echoed>,
    sequence: Part,
    content_length: Option<Part>,
    max_forwards: Option<Part>,
    head_len: usize,
}

impl Reading {
    /// `None` for a request whose Request-URI has no outline, or of which a number stands twice.
    pub(super) fn of(request: &Request<'_>) -> Option<Self> {
        let bytes = request.bytes;
        let is_twice = |name| request.values(name).nth(1).is_some();
        if is_twice(HeaderName::ContentLength) || is_twice(HeaderName::MaxForwards) {
            return None;
        }
        let [sequence, content_length, max_forwards] = Self::numbers_of(request);
        Some(Self {
            method: request.method,
            method_token: Part::of(bytes, request.method_token),
            uri_bytes: Part::of(bytes, request.uri_bytes),
            uri: UriOutline::of(request.uri_bytes, None)?,
            top_via: ViaParts::of(bytes, &request.top_via),
            from: AddressParts::of(bytes, &request.from)?,
            to: AddressParts::of(bytes, &request.to)?,
            call_id: FieldParts::of(bytes, &request.call_id)?,
            cseq: FieldParts::of(bytes, &request.cseq)?,
            echoed: Echoed::of(request),
            sequence: Part::at(sequence?),
            content_length: content_length.map(Part::at),
            max_forwards: max_forwards.map(Part::at),
            head_len: request.head_len,
        })
    }

    /// Where numbers stand that are judged again: of CSeq, of Content-Length, of Max-Forwards.
    pub(super) fn numbers_of(request: &Request<'_>) -> [Option<Range<usize>>; 3] {
        let place = |value: &[u8]| place_in(request.bytes, value);
        let first = |name| request.values(name).next().map(place);
        let digits = request.cseq().iter().take_while(|byte| byte.is_ascii_digit()).count();
        [
            request.cseq().get(..digits).map(place),
            first(HeaderName::ContentLength),
            first(HeaderName::MaxForwards),
        ]
    }

    /// Whether those of bytes that are otherwise alike may stand there, and the body is as long as they say.
    #[inline]
    pub(super) fn numbers_are_sound(&self, bytes: &[u8]) -> bool {
        let rest = bytes.get(self.head_len..).unwrap_or_default();
        let is_length = |part: Part| {
            number(part.within(bytes)).is_some_and(|length| body_of(rest, Some(length)).is_some())
        };
        is_sequence(self.sequence.within(bytes))
            && self.content_length.is_none_or(is_length)
            && self.max_forwards.is_none_or(|part| is_max_forwards(part.within(bytes)))
    }

    /// The request that bytes are which are alike.
    #[inline]
    pub(super) fn read<'a>(&'a self, bytes: &'a [u8], lines: &'a [Line]) -> Request<'a> {
        let uri_bytes = self.uri_bytes.within(bytes);
        let content_length = self.content_length.and_then(|part| number(part.within(bytes)));
        let rest = bytes.get(self.head_len..).unwrap_or_default();
        Request {
            bytes,
            lines,
            method: self.method,
            method_token: self.method_token.within(bytes),
            uri_bytes,
            uri: self.uri.read(uri_bytes).unwrap_or_default(),
            top_via: self.top_via.read(bytes),
            from: self.from.read(bytes),
            to: self.to.read(bytes),
            call_id: self.call_id.read(bytes),
            cseq: self.cseq.read(bytes),
            content_length,
            body: body_of(rest, content_length).unwrap_or(rest),
            head_len: self.head_len,
            echoed: EchoedAs(self.echoed.as_ref()),
        }
    }
}

/// A header that is echoed.
#[derive(Clone, Copy, Debug)]
struct FieldParts {
    value: Part,
    line: Line,
}

impl Default for FieldParts {
    fn default() -> Self {
        Self { value: Part::default(), line: Line::NONE }
    }
}

impl FieldParts {
    fn of(bytes: &[u8], field: &Field<'_>) -> Option<Self> {
        field.found.map(|(value, line)| Self { value: Part::of(bytes, value), line })
    }

    #[inline]
    fn read<'a>(&self, bytes: &'a [u8]) -> Field<'a> {
        Field { found: Some((self.value.within(bytes), self.line)) }
    }
}

/// From or To.
#[derive(Clone, Copy, Debug, Default)]
struct AddressParts {
    field: FieldParts,
    display: Part,
    uri: Part,
    params: Part,
    tag: Option<Part>,
}

impl AddressParts {
    fn of(bytes: &[u8], address: &Address<'_>) -> Option<Self> {
        let read = &address.read;
        Some(Self {
            field: FieldParts::of(bytes, &address.field)?,
            display: Part::of(bytes, read.display),
            uri: Part::of(bytes, read.uri),
            params: Part::of(bytes, read.params),
            tag: read.tag().map(|tag| Part::of(bytes, tag)),
        })
    }

    #[inline]
    fn read<'a>(&self, bytes: &'a [u8]) -> Address<'a> {
        let [display, uri, params] = [self.display, self.uri, self.params].map(|part| part.within(bytes));
        let tag = self.tag.map(|tag| tag.within(bytes));
        Address { field: self.field.read(bytes), read: NameAddr { display, uri, params, tag } }
    }
}

/// The top Via.
#[derive(Clone, Debug, Default)]
struct ViaParts {
    value: Part,
    transport: Part,
    host: Part,
    port: Option<u16>,
    branch: Option<Part>,
    rport_value: Option<Option<Part>>,
    received: Option<Range<usize>>,
    rport: Option<Range<usize>>,
    has_oc: bool,
}

impl ViaParts {
    fn of(bytes: &[u8], top: &TopVia<'_>) -> Self {
        let of = |part: &[u8]| Part::of(bytes, part);
        Self {
            value: of(top.via.value),
            transport: of(top.via.transport),
            host: of(top.via.host),
            port: top.via.port,
            branch: top.via.branch.map(of),
            rport_value: top.via.rport.map(|value| value.map(of)),
            received: top.received.clone(),
            rport: top.rport.clone(),
            has_oc: top.has_oc,
        }
    }

    #[inline]
    fn read<'a>(&self, bytes: &'a [u8]) -> TopVia<'a> {
        TopVia {
            via: Via {
                value: self.value.within(bytes),
                transport: self.transport.within(bytes),
                host: self.host.within(bytes),
                port: self.port,
                branch: self.branch.map(|branch| branch.within(bytes)),
                rport: self.rport_value.map(|value| value.map(|value| value.within(bytes))),
            },
            received: self.received.clone(),
            rport: self.rport.clone(),
            has_oc: self.has_oc,
            sound: true,
        }
    }
}
