//! Target `message`: any bytes as one message.

use std::net::SocketAddr;

use waypost::{
    limits::{ANSWER_BYTES_ROOM, HEADERS_MAX, MESSAGE_BYTES_MAX},
    sip::{
        Fault, HeaderIndex, HeaderName, Models, Parsed, Request, Unanswerable, Writer, list_values, parse,
        parse_like, reply_address, write_head,
    },
};

use super::{answer::Answer, echo};

pub fn check(bytes: &[u8]) {
    let (mut index, mut other_index) = (HeaderIndex::new(), HeaderIndex::new());
    let parsed = parse(bytes, &mut index);
    // What was read before leaves no trace.
    let _ = parse(b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nX: 1\r\nY: 2\r\n\r\n", &mut other_index);
    assert_eq!(facts(&parsed), facts(&parse(bytes, &mut other_index)), "read twice");
    check_padding(bytes, &parsed, &mut other_index);
    check_alike(bytes);
    match parsed {
        Parsed::Sound(request) => check_request(bytes, &request, 302, b"Moved Temporarily"),
        Parsed::Faulty(request, fault) => {
            assert!(matches!(fault.status(), 400 | 501 | 505));
            check_request(bytes, &request, fault.status(), fault.phrase().as_bytes());
        }
        Parsed::Unanswerable(Unanswerable::TooLong) => assert!(bytes.len() > MESSAGE_BYTES_MAX),
        Parsed::Unanswerable(Unanswerable::Empty) => assert!(bytes.is_empty()),
        Parsed::Unanswerable(_) => {}
    }
}

/// All that is read of a message.
#[derive(Debug, PartialEq, Eq)]
enum Facts<'a> {
    Request { fault: Option<Fault>, parts: Vec<&'a [u8]>, vias: Vec<&'a [u8]> },
    Unanswerable(Unanswerable),
}

fn facts<'a>(parsed: &Parsed<'a>) -> Facts<'a> {
    match parsed {
        Parsed::Unanswerable(why) => Facts::Unanswerable(*why),
        Parsed::Sound(request) => facts_of(request, None),
        Parsed::Faulty(request, fault) => facts_of(request, Some(*fault)),
    }
}

fn facts_of<'a>(request: &Request<'a>, fault: Option<Fault>) -> Facts<'a> {
    let vias = request.values(HeaderName::Via).collect();
    Facts::Request { fault, parts: parts(request), vias }
}

fn parts<'a>(request: &Request<'a>) -> Vec<&'a [u8]> {
    let (via, uri) = (request.top_via(), request.request_uri());
    vec![
        request.method_token(),
        request.request_uri_bytes(),
        uri.user.unwrap_or_default(),
        uri.host,
        uri.params,
        via.value,
        via.host,
        via.branch.unwrap_or_default(),
        request.from().uri,
        request.from().params,
        request.to().uri,
        request.to().params,
        request.call_id(),
        request.cseq(),
        request.body(),
    ]
}

/// RFC 3261 §7.5: empty lines before a message, and §18.3: bytes after the body that Content-Length
/// gives, change nothing.
fn check_padding(bytes: &[u8], parsed: &Parsed<'_>, index: &mut HeaderIndex) {
    if bytes.len() + 8 > MESSAGE_BYTES_MAX {
        return;
    }
    let before = [b"\r\n\n", bytes].concat();
    match parsed {
        Parsed::Unanswerable(Unanswerable::Empty) => {}
        _ => assert_eq!(facts(parsed), facts(&parse(&before, index)), "empty lines before"),
    }
    if let Parsed::Sound(request) = parsed
        && request.values(HeaderName::ContentLength).next().is_some()
    {
        let after = [bytes, b"\r\nINVITE"].concat();
        assert_eq!(facts(parsed), facts(&parse(&after, index)), "bytes after the body");
    }
}

/// What differs from it in a byte, or in some, is read by a model of it as without one. Which bytes those are, its own say.
fn check_alike(bytes: &[u8]) {
    let (mut index, mut other_index, mut models) = (HeaderIndex::new(), HeaderIndex::new(), Models::new());
    parse_like(bytes, &mut index, &mut models);
    let mut edited = bytes.to_vec();
    for (edit, place) in bytes.chunks_exact(3).take(8).enumerate() {
        let at = usize::from(place[0]) << 8 | usize::from(place[1]);
        let letters = b"aZ0-._";
        let byte = letters.get(usize::from(place[2] % 8)).unwrap_or(&place[2]);
        let at = at.wrapping_mul(edit + 1) % bytes.len();
        edited[at] = *byte;
        let parsed = parse_like(&edited, &mut index, &mut models);
        assert_eq!(facts(&parsed), facts(&parse(&edited, &mut other_index)), "by a model");
        if let Parsed::Sound(request) = parsed {
            check_request(&edited, &request, 302, b"Moved Temporarily");
        }
    }
}

fn check_request(bytes: &[u8], request: &Request<'_>, status: u16, reason: &[u8]) {
    check_spans(bytes, request);
    for source in ["192.0.2.9:40000", "[2001:db8::9]:5060", "[::ffff:192.0.2.1]:1"] {
        let source: SocketAddr = source.parse().expect("an address");
        let mut buffer = vec![0; ANSWER_BYTES_ROOM];
        let mut out = Writer::new(&mut buffer);
        write_head(&mut out, request, status, reason, source, b"t1");
        let len = out.finish().expect("room for all that was sent");
        let answer = Answer::read_head(&buffer[..len]);
        assert_eq!(answer.status, status);
        echo::check(request, &answer, source);
        let via = request.top_via();
        echo::check_address(via, source, reply_address(via, source));
    }
}

/// Every span is of the datagram, and there are no more of them than may be.
fn check_spans(bytes: &[u8], request: &Request<'_>) {
    let whole = bytes.as_ptr_range();
    let is_inside = |part: &[u8]| {
        let part = part.as_ptr_range();
        whole.start <= part.start && part.end <= whole.end
    };
    assert!(parts(request).into_iter().all(|part| part.is_empty() || is_inside(part)));
    let names = [HeaderName::Via, HeaderName::Contact, HeaderName::Route, HeaderName::Other];
    let values: Vec<_> = names.into_iter().flat_map(|name| request.values(name)).collect();
    assert!(values.len() <= HEADERS_MAX);
    assert!(values.iter().all(|value| value.is_empty() || is_inside(value)));
    assert!(
        values.iter().flat_map(|value| list_values(value)).all(|value| value.is_empty() || is_inside(value))
    );
    let via = request.values(HeaderName::Via).next().expect("a request has a Via, or no answer");
    assert!(via.starts_with(request.top_via().value), "the topmost is the first");
}
