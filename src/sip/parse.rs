//! Pure. One datagram's bytes to a [`Request`] of spans into them.
//!
//! In:    a whole datagram, or one framed message of a stream; the memory for its header index.
//! Out:   a request, sound or with the fault it is to be refused for, or why it cannot be answered.
//! Never: looks at headers that neither the answer nor the framing depends on (Date, Contact, …).

use memchr::memrchr;

use super::{
    Fault, HeaderIndex, HeaderName, Method, NameAddr, Request, Unanswerable, Uri,
    class::{TOKEN, all, is_lws, number, trim},
    header::{Line, PhysicalLine, Shape, note},
    lanes::{comma_in, word_len},
    request::{Address, EchoedAs, Field},
    scan::{Scan, list_values},
    via::TopVia,
};
use crate::limits::{MESSAGE_BYTES_MAX, VIAS_MAX};

/// What [`parse`] makes of some bytes.
#[derive(Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub enum Parsed<'a> {
    /// A request without fault.
    Sound(Request<'a>),
    /// A request to be refused with [`Fault::status`]; everything its answer echoes can be read.
    Faulty(Request<'a>, Fault),
    /// Nothing to answer.
    Unanswerable(Unanswerable),
}

impl Parsed<'_> {
    /// The same message as one that a stream brought, framed by [`super::Framer`]: there, nothing but
    /// Content-Length tells its end (RFC 3261 §18.3).
    #[must_use]
    pub fn of_stream(self) -> Self {
        match self {
            // RFC 3261 §17.1.1.3: an ACK has no response.
            Self::Sound(request) if request.content_length.is_none() && request.method != Method::Ack => {
                Self::Faulty(request, Fault::MissingContentLength)
            }
            // A stream brings a message whole, or its head alone when the whole is too long.
            Self::Faulty(request, Fault::BodyTooShort) => Self::Faulty(request, Fault::MessageTooLong),
            other => other,
        }
    }
}

/// Reads one message from `bytes`: a whole datagram, or one framed message of a stream.
pub fn parse<'a>(bytes: &'a [u8], index: &'a mut HeaderIndex) -> Parsed<'a> {
    let FirstLine { text, next } = match first_line(bytes) {
        Ok(found) => found,
        Err(why) => return Parsed::Unanswerable(why),
    };
    let line = match RequestLine::read(text) {
        Ok(line) => line,
        Err(why) => return Parsed::Unanswerable(why),
    };
    let block = index.read(bytes, next);
    let uri = Uri::parse(line.uri_bytes);
    let faults = [line.fault, block.fault, fault_of_uri(uri.as_ref())];
    let request = Request {
        bytes,
        lines: index.lines(),
        method: line.method,
        method_token: line.method_token,
        uri_bytes: line.uri_bytes,
        uri: uri.unwrap_or_default(),
        top_via: TopVia::NONE,
        from: Address::default(),
        to: Address::default(),
        call_id: Field::default(),
        cseq: Field::default(),
        content_length: None,
        body: bytes.get(block.body_start..).unwrap_or_default(),
        head_len: block.body_start,
        echoed: EchoedAs(None),
    };
    let fault = faults.into_iter().flatten().min();
    let mut reader = Reader { request, fault, vias: 0 };
    let read = reader.read();
    match (read, reader.fault) {
        (Ok(()), None) => Parsed::Sound(reader.request),
        // RFC 3261 §17.1.1.3: an ACK has no response, not even a 400.
        _ if line.method == Method::Ack => Parsed::Unanswerable(Unanswerable::BadAck),
        (Ok(()), Some(fault)) => Parsed::Faulty(reader.request, fault),
        (Err(why), _) => Parsed::Unanswerable(why),
    }
}

/// The request line, and where the header lines begin.
struct FirstLine<'a> {
    text: &'a [u8],
    next: usize,
}

fn first_line(bytes: &[u8]) -> Result<FirstLine<'_>, Unanswerable> {
    if bytes.is_empty() {
        return Err(Unanswerable::Empty);
    }
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Unanswerable::TooLong);
    }
    // RFC 3261 §7.5: empty lines before the start line are passed over.
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let rest = bytes.get(start..).unwrap_or_default();
    if rest.first().is_none_or(|&first| is_lws(first)) && bytes.iter().all(|&byte| is_lws(byte)) {
        return Err(Unanswerable::KeepAlive);
    }
    Ok(match PhysicalLine::at(bytes, start) {
        Some(line) => FirstLine { text: bytes.get(start..line.end).unwrap_or_default(), next: line.next },
        None => FirstLine { text: rest, next: bytes.len() },
    })
}

#[derive(Clone, Copy)]
struct RequestLine<'a> {
    method: Method,
    method_token: &'a [u8],
    uri_bytes: &'a [u8],
    fault: Option<Fault>,
}

impl<'a> RequestLine<'a> {
    /// RFC 3261 §7.1: `Method SP Request-URI SP SIP-Version`, one space each.
    fn read(line: &'a [u8]) -> Result<Self, Unanswerable> {
        if starts_with_sip(line) {
            return Err(Unanswerable::Response);
        }
        if let Some(usual) = Self::read_usual(line) {
            return Ok(usual);
        }
        let text = trim(line);
        let method_token = Scan::new(text).take(TOKEN);
        let method = Method::from_token(method_token);
        let after_method = text.get(method_token.len()..).unwrap_or_default();
        let (middle, version) =
            match memrchr(b' ', after_method).and_then(|at| after_method.split_at_checked(at)) {
                Some((middle, version)) if starts_with_sip(trim(version)) => (middle, trim(version)),
                // Without a version it is SIP only if it says so by a method and a URI.
                _ if method != Method::Other && after_method.contains(&b':') => (after_method, &[][..]),
                _ => return Err(Unanswerable::NotSip),
            };
        let uri_bytes = trim(middle);
        let mut fault = None;
        let exact = text.len() == line.len()
            && !method_token.is_empty()
            && matches!(middle, [b' ', uri @ ..] if uri.len() == uri_bytes.len() && !uri.is_empty());
        if version.is_empty() || !exact {
            note(&mut fault, Fault::BadRequestLine);
        }
        // RFC 3261 §7.1: SIP-Version is compared in any case.
        if !version.is_empty() && !version.eq_ignore_ascii_case(b"SIP/2.0") {
            note(&mut fault, Fault::BadVersion);
        }
        Ok(Self { method, method_token, uri_bytes, fault })
    }

    /// An INVITE or OPTIONS of SIP/2.0 in the one form that there should be.
    fn read_usual(line: &'a [u8]) -> Option<Self> {
        let (method, len) = match line {
            [b'I', b'N', b'V', b'I', b'T', b'E', b' ', ..] => (Method::Invite, 6),
            [b'O', b'P', b'T', b'I', b'O', b'N', b'S', b' ', ..] => (Method::Options, 7),
            _ => return None,
        };
        let uri_bytes = line.strip_suffix(b" SIP/2.0")?.get(len + 1..)?;
        if !matches!(uri_bytes, [first, .., last] if !is_lws(*first) && !is_lws(*last)) {
            return None;
        }
        Some(Self { method, method_token: line.get(..len)?, uri_bytes, fault: None })
    }
}

/// What is wrong with a Request-URI; `None` is one that cannot be read.
fn fault_of_uri(uri: Option<&Uri<'_>>) -> Option<Fault> {
    match uri {
        None => Some(Fault::BadRequestUri),
        Some(uri) if !uri.headers.is_empty() => Some(Fault::RequestUriHeaders),
        Some(uri) if uri.has_double_param() => Some(Fault::DoubleUriParameter),
        Some(uri) if uri.has_mandatory_param() => Some(Fault::MandatoryUriParameter),
        Some(_) => None,
    }
}

fn starts_with_sip(text: &[u8]) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

/// Reads what the answer and the framing depend on, and judges it.
struct Reader<'a> {
    request: Request<'a>,
    fault: Option<Fault>,
    vias: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<(), Unanswerable> {
        let (bytes, lines) = (self.request.bytes, self.request.lines);
        for line in lines {
            if line.name.is_read() {
                self.header(line.name, (line.value_in(bytes), *line))?;
            }
        }
        if self.vias == 0 {
            return Err(Unanswerable::NoVia);
        }
        self.judge_body();
        self.judge_missing()
    }

    fn note(&mut self, fault: Fault) {
        note(&mut self.fault, fault);
    }

    fn header(&mut self, name: HeaderName, found: (&'a [u8], Line)) -> Result<(), Unanswerable> {
        let value = found.0;
        let request = &mut self.request;
        match name {
            HeaderName::Via => self.via(found)?,
            HeaderName::From if !request.from.field.keep_first(found) => self.note(Fault::DuplicateFrom),
            HeaderName::From => self.request.from.read = self.address(value, Fault::BadFrom),
            HeaderName::To if !request.to.field.keep_first(found) => self.note(Fault::DuplicateTo),
            HeaderName::To => self.request.to.read = self.address(value, Fault::BadTo),
            HeaderName::CallId if !request.call_id.keep_first(found) => self.note(Fault::DuplicateCallId),
            HeaderName::CallId if value.is_empty() || word_len(value) < value.len() => {
                self.note(Fault::BadCallId);
            }
            HeaderName::CSeq if !request.cseq.keep_first(found) => self.note(Fault::DuplicateCseq),
            HeaderName::CSeq => match cseq_method(value) {
                None => self.note(Fault::BadCseq),
                Some(method) if method == request.method_token => {}
                // RFC 4475 §3.1.2.18: of an unknown method, 501 says more than 400, and to a client of
                // the future the right thing.
                Some(_) if request.method == Method::Other => self.note(Fault::UnknownMethodMismatch),
                Some(_) => self.note(Fault::CseqMethodMismatch),
            },
            HeaderName::ContentLength => self.content_length(value),
            HeaderName::MaxForwards if !is_max_forwards(value) => {
                self.note(Fault::BadMaxForwards);
            }
            _ => {}
        }
        Ok(())
    }

    fn via(&mut self, (line, Line { shape, .. }): (&'a [u8], Line)) -> Result<(), Unanswerable> {
        let is_top = self.vias == 0;
        let values =
            if comma_in(line) < line.len() { list_values(line).take(VIAS_MAX + 1).count() } else { 1 };
        self.vias = self.vias.saturating_add(values);
        if self.vias > VIAS_MAX {
            self.note(Fault::TooManyVias);
        }
        if !is_top {
            return Ok(());
        }
        if shape == Shape::Dirty {
            return Err(Unanswerable::NoVia);
        }
        self.request.top_via.read(line);
        if !self.request.top_via.sound {
            self.note(Fault::BadVia);
        } else if self.request.top_via.via.branch == Some(b"z9hG4bK") {
            // RFC 4475 §3.1.2.18: the cookie promises an identifier after it.
            self.note(Fault::BadBranch);
        }
        Ok(())
    }

    fn address(&mut self, value: &'a [u8], bad: Fault) -> NameAddr<'a> {
        let read = NameAddr::parse(value);
        if read.is_none() {
            self.note(bad);
        }
        read.unwrap_or_default()
    }

    fn content_length(&mut self, value: &[u8]) {
        match (number(value), self.request.content_length) {
            (None, _) => self.note(Fault::BadContentLength),
            (Some(length), Some(other)) if length != other => self.note(Fault::ContentLengthConflict),
            (length, _) => self.request.content_length = length,
        }
    }

    fn judge_missing(&mut self) -> Result<(), Unanswerable> {
        let request = &self.request;
        let echoed = [
            (&request.from.field, Fault::MissingFrom),
            (&request.to.field, Fault::MissingTo),
            (&request.call_id, Fault::MissingCallId),
            (&request.cseq, Fault::MissingCseq),
        ];
        let missing = echoed.map(|(field, fault)| field.found.is_none().then_some(fault));
        missing.into_iter().flatten().for_each(|fault| self.note(fault));
        if missing.iter().all(Option::is_some) { Err(Unanswerable::NothingToEcho) } else { Ok(()) }
    }

    /// RFC 3261 §18.3: bytes beyond Content-Length are dropped; fewer are a fault.
    fn judge_body(&mut self) {
        match body_of(self.request.body, self.request.content_length) {
            Some(body) => self.request.body = body,
            None => self.note(Fault::BodyTooShort),
        }
    }
}

/// As much of what follows the head as Content-Length says; `None` when that is less.
#[inline]
pub(super) fn body_of(rest: &[u8], content_length: Option<u32>) -> Option<&[u8]> {
    match content_length {
        Some(length) => rest.get(..usize::try_from(length).ok()?),
        None => Some(rest),
    }
}

/// RFC 3261 §20.22: 0 to 255.
pub(super) fn is_max_forwards(value: &[u8]) -> bool {
    number(value).is_some_and(|hops| hops <= 255)
}

/// RFC 3261 §8.1.1.5: below 2^31.
pub(super) fn is_sequence(digits: &[u8]) -> bool {
    number(digits).is_some_and(|sequence| i32::try_from(sequence).is_ok())
}

/// The method of a CSeq whose number is sound.
fn cseq_method(value: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan::new(value);
    let is_sound = is_sequence(scan.take_while(|byte| byte.is_ascii_digit()));
    let spaced = scan.skip_lws();
    let method = scan.rest();
    (is_sound && spaced && !method.is_empty() && all(method, TOKEN)).then_some(method)
}
