//! Tests of whole messages: each fault by the bytes that have it, each limit from both sides.

use super::*;
use crate::limits::{HEADERS_MAX, MESSAGE_BYTES_MAX, VIAS_MAX};

const SOUND: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\n\
    From: Alice <sip:alice@example.com>;tag=1\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: a@b\r\n\
    CSeq: 1 INVITE\r\n\
    Content-Length: 4\r\n\
    \r\n\
    body";

/// What parsing comes to.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Sound,
    Faulty(Fault),
    Unanswerable(Unanswerable),
}

impl Came {
    fn of(parsed: Parsed<'_>) -> Self {
        match parsed {
            Parsed::Sound(_) => Self::Sound,
            Parsed::Faulty(_, fault) => Self::Faulty(fault),
            Parsed::Unanswerable(why) => Self::Unanswerable(why),
        }
    }
}

fn came(bytes: impl AsRef<[u8]>) -> Came {
    Came::of(parse(bytes.as_ref(), &mut HeaderIndex::new()))
}

/// `SOUND` with a piece of it replaced.
pub(super) fn with(old: &str, new: &str) -> String {
    assert_eq!(SOUND.matches(old).count(), 1, "{old}");
    SOUND.replace(old, new)
}

#[test]
fn every_fault_has_bytes_that_have_it() {
    let lines = |line: &str, count| format!("CSeq: 1 INVITE\r\n{}", line.repeat(count));
    let table: &[(Fault, &str, &str)] = &[
        (Fault::BadVersion, "com SIP/2.0\r\nVia", "com SIP/7.0\r\nVia"),
        (Fault::BadVersion, "com SIP/2.0\r\nVia", "com SIP/2\r\nVia"),
        (Fault::BadRequestLine, "INVITE sip:bob", "INVITE  sip:bob"),
        (Fault::BadRequestLine, "INVITE sip:bob", " INVITE sip:bob"),
        (Fault::BadRequestLine, "INVITE sip:bob", "INV\u{1}ITE sip:bob"),
        (Fault::BadRequestLine, "com SIP/2.0\r\nVia", "com  SIP/2.0\r\nVia"),
        (Fault::BadRequestLine, "com SIP/2.0\r\nVia", "com SIP/2.0 \r\nVia"),
        (Fault::BadRequestLine, "com SIP/2.0\r\nVia", "com\r\nVia"),
        (Fault::BadRequestLine, "INVITE sip:bob@example.com SIP", "INVITE SIP"),
        (Fault::BadRequestUri, "INVITE sip:bob@example.com", "INVITE <sip:bob@example.com>"),
        (Fault::BadRequestUri, "INVITE sip:bob@example.com", "INVITE sip:bob@example.com; lr"),
        (Fault::BadRequestUri, "INVITE sip:bob@example.com", "INVITE sip:bob@example.com more"),
        (Fault::BadRequestUri, "INVITE sip:bob@example.com", "INVITE bob"),
        (Fault::BadRequestUri, "INVITE sip:bob@example.com", "INVITE sip:b\0b@example.com"),
        (
            Fault::RequestUriHeaders,
            "INVITE sip:bob@example.com",
            "INVITE sip:bob@example.com?Route=%3Csip:a%3E",
        ),
        (Fault::DoubleUriParameter, "INVITE sip:bob@", "INVITE sip:bob;rn=+1;rn=+2@"),
        (Fault::DoubleUriParameter, "INVITE sip:bob@", "INVITE sip:bob;rn=+1;a;%72N=+2@"),
        (Fault::DoubleUriParameter, "INVITE sip:bob@example.com", "INVITE sip:bob@example.com;x;lr;X=1"),
        (Fault::HeadersUnterminated, "4\r\n\r\nbody", "4\r\n"),
        (Fault::HeadersUnterminated, "4\r\n\r\nbody", "4"),
        (Fault::BadHeaderLine, "Max-Forwards: 70", "Max-Forwards 70"),
        (Fault::BadHeaderLine, "Max-Forwards: 70", "Contact\u{1}: <sip:a@b>"),
        (Fault::ControlByte, "Max-Forwards: 70", "Date: \0"),
        (Fault::ControlByte, "Max-Forwards: 70", "Date: a\rb"),
        (Fault::MissingFrom, "From: A", "X-From: A"),
        (Fault::MissingTo, "To: <", "X-To: <"),
        (Fault::MissingCallId, "Call-ID: a", "X-Call-ID: a"),
        (Fault::MissingCseq, "CSeq: 1", "X-CSeq: 1"),
        (Fault::DuplicateFrom, "Max-Forwards: 70", "f: <sip:x@y>;tag=2"),
        (Fault::DuplicateTo, "Max-Forwards: 70", "to : <sip:x@y>;tag="),
        (Fault::DuplicateCallId, "Max-Forwards: 70", "I: a@b"),
        (Fault::DuplicateCseq, "Max-Forwards: 70", "CSEQ: 1 INVITE"),
        (Fault::BadVia, "UDP 192.0.2.1:5070", "UDP "),
        (Fault::BadVia, "SIP/2.0/UDP 192.0.2.1:5070", "/"),
        (Fault::BadVia, ";branch=z9hG4bK1", ";;,;,,"),
        (Fault::BadVia, "192.0.2.1:5070", "192.0.2.1:0"),
        (Fault::BadBranch, "z9hG4bK1", "z9hG4bK"),
        (Fault::BadFrom, "Alice <", "\"Alice <"),
        (Fault::BadFrom, "Alice <sip:alice@example.com>", "<sip:alice@example.com"),
        (Fault::BadFrom, "Alice <sip:alice@example.com>", "sip:alice@example.com?a=b"),
        (Fault::BadTo, "<sip:bob@example.com>\r\n", "a;a=\"T\\\r\n"),
        (Fault::BadTo, "<sip:bob@example.com>\r\n", "<sip:bob@example.com>;tag=\r\n"),
        (Fault::BadTo, "<sip:bob@example.com>\r\n", "\r\n"),
        (Fault::BadTo, "<sip:bob@example.com>\r\n", "sip:bob@example.com, sip:c@d\r\n"),
        (Fault::BadCallId, "Call-ID: a@b", "Call-ID:"),
        (Fault::BadCallId, "Call-ID: a@b", "Call-ID: a b"),
        (Fault::BadCseq, "1 INVITE", "2147483648 INVITE"),
        (Fault::BadCseq, "1 INVITE", "36893488147419103232 INVITE"),
        (Fault::BadCseq, "1 INVITE", "-1 INVITE"),
        (Fault::BadCseq, "1 INVITE", "1INVITE"),
        (Fault::BadCseq, "1 INVITE", "1"),
        (Fault::BadCseq, "1 INVITE", "INVITE"),
        (Fault::BadCseq, "1 INVITE", "1 INVITE x"),
        (Fault::CseqMethodMismatch, "1 INVITE", "1 OPTIONS"),
        (Fault::CseqMethodMismatch, "1 INVITE", "1 Invite"),
        (Fault::BadContentLength, "Length: 4", "Length: -999"),
        (Fault::BadContentLength, "Length: 4", "Length: four"),
        (Fault::BadContentLength, "Length: 4", "Length:"),
        (Fault::BadContentLength, "Length: 4", "Length: 4294967328"),
        (Fault::ContentLengthConflict, "Max-Forwards: 70", "l: 3"),
        (Fault::BodyTooShort, "Length: 4", "Length: 5"),
        (Fault::BodyTooShort, "Length: 4", "Length: 2147483609"),
        (Fault::BadMaxForwards, "Forwards: 70", "Forwards: 256"),
        (Fault::BadMaxForwards, "Forwards: 70", "Forwards: -1"),
        (Fault::BadMaxForwards, "Forwards: 70", "Forwards: x"),
        (Fault::TooManyHeaders, "CSeq: 1 INVITE\r\n", &lines("A: b\r\n", HEADERS_MAX)),
        (Fault::TooManyVias, "CSeq: 1 INVITE\r\n", &lines("v: SIP/2.0/UDP h\r\n", VIAS_MAX)),
    ];
    for (fault, old, new) in table {
        assert_eq!(came(with(old, new)), Came::Faulty(*fault), "{new:?}");
    }
    let of_streams_only = [Fault::MissingContentLength, Fault::MessageTooLong];
    for fault in Fault::ALL.iter().filter(|fault| !of_streams_only.contains(fault)) {
        assert!(table.iter().any(|(covered, ..)| covered == fault), "{fault:?}");
    }
}

#[test]
fn a_stream_needs_to_know_where_a_message_ends() {
    for (old, new, expected) in [
        ("Content-Length: 4\r\n", "", Came::Faulty(Fault::MissingContentLength)),
        ("Length: 4", "Length: 5", Came::Faulty(Fault::MessageTooLong)),
        ("Length: 4", "Length: -999", Came::Faulty(Fault::BadContentLength)),
        ("CSeq: 1", "X-CSeq: 1", Came::Faulty(Fault::MissingCseq)),
        ("CSeq: 1", "cseq : 1", Came::Sound),
    ] {
        let text = with(old, new);
        assert_eq!(
            Came::of(parse(text.as_bytes(), &mut HeaderIndex::new()).of_stream()),
            expected,
            "{new:?}"
        );
    }
    let ack = SOUND.replace("INVITE", "ACK").replace("Content-Length: 4\r\n", "");
    assert_eq!(Came::of(parse(ack.as_bytes(), &mut HeaderIndex::new()).of_stream()), Came::Sound);
}

#[test]
fn every_reason_for_silence_has_bytes_that_have_it() {
    let via = "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1\r\n";
    let ack = SOUND.replace("INVITE", "ACK");
    assert_eq!(came(&ack), Came::Sound);
    let table: &[(Unanswerable, &str)] = &[
        (Unanswerable::Empty, ""),
        (Unanswerable::KeepAlive, "\r\n\r\n"),
        (Unanswerable::KeepAlive, "\n"),
        (Unanswerable::KeepAlive, " \t\r\n "),
        (Unanswerable::TooLong, &" ".repeat(MESSAGE_BYTES_MAX + 1)),
        (Unanswerable::NotSip, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Unanswerable::NotSip, "hello"),
        (Unanswerable::NotSip, "\0\0\0\0"),
        (Unanswerable::NotSip, "\u{80}\u{ff}\r\n\r\n"),
        (Unanswerable::Response, "SIP/2.0 200 OK\r\n\r\n"),
        (Unanswerable::Response, "\r\nsip/2.0 4294967301 x"),
        (Unanswerable::NoVia, &with(via, "")),
        (Unanswerable::NoVia, &with(via, "Via: SIP/2.0/UDP \u{1}h\r\n")),
        (Unanswerable::NoVia, "INVITE sip:a@b SIP/2.0"),
        (Unanswerable::NothingToEcho, &format!("OPTIONS sip:a@b SIP/2.0\r\n{via}\r\n")),
        (Unanswerable::BadAck, &ack.replace("1 ACK", "1 INVITE")),
        (Unanswerable::BadAck, &ack.replace("SIP/2.0\r\n", "SIP/3.0\r\n")),
        (Unanswerable::BadAck, &ack.replace(via, "")),
        (Unanswerable::BadAck, "ACK sip:a@b SIP/2.0\r\n"),
    ];
    for (why, text) in table {
        assert_eq!(came(text), Came::Unanswerable(*why), "{text:?}");
    }
    for why in Unanswerable::ALL {
        assert!(table.iter().any(|(covered, _)| covered == why), "{why:?}");
    }
}

#[test]
fn what_peers_send_and_may() {
    let sound = [
        format!("\r\n\r\n{SOUND}"),
        SOUND.replace("\r\n", "\n"),
        format!("{SOUND} and more than Content-Length says"),
        with("Max-Forwards: 70\r\n", ""),
        with("Max-Forwards: 70", "Max-Forwards: 0255"),
        with("Max-Forwards: 70", "Max-Forwards: 0"),
        with("Max-Forwards: 70", "l: 4"),
        with("Max-Forwards: 70", "Date: yesterday\r\nExpires: 1000000000000000000000000"),
        with("Content-Length: 4\r\n", ""),
        with(";tag=1", ""),
        with(";branch=z9hG4bK1", ""),
        with("com SIP/2.0\r\nVia", "com sip/2.0\r\nVia"),
        with("1 INVITE", "2147483647\r\n\tINVITE"),
        with("INVITE sip:bob@example.com", "INVITE urn:service:sos"),
        with("<sip:bob@example.com>\r\n", "isbn:2983792873\r\n"),
    ];
    for text in sound {
        assert_eq!(came(&text), Came::Sound, "{text}");
    }
}

#[test]
fn limits_are_reached() {
    let others = SOUND.lines().count() - 3;
    let headers = format!("Max-Forwards: 70\r\n{}", "A: b\r\n".repeat(HEADERS_MAX - others));
    assert_eq!(came(with("Max-Forwards: 70\r\n", &headers)), Came::Sound);

    let on_lines = format!("Max-Forwards: 70\r\n{}", "v: SIP/2.0/UDP h\r\n".repeat(VIAS_MAX - 1));
    assert_eq!(came(with("Max-Forwards: 70\r\n", &on_lines)), Came::Sound);
    let on_one_line = |more| format!(";branch=z9hG4bK1{}", ", SIP/2.0/UDP h;p=\",,\"".repeat(more));
    assert_eq!(came(with(";branch=z9hG4bK1", &on_one_line(VIAS_MAX - 1))), Came::Sound);
    assert_eq!(came(with(";branch=z9hG4bK1", &on_one_line(VIAS_MAX))), Came::Faulty(Fault::TooManyVias));

    let longest = format!("{SOUND}{}", "x".repeat(MESSAGE_BYTES_MAX - SOUND.len()));
    assert_eq!(came(&longest), Came::Sound);
    assert_eq!(came(longest + "x"), Came::Unanswerable(Unanswerable::TooLong));
}

#[test]
fn parts_of_a_request() {
    let text = with("Max-Forwards: 70", "s: one\r\nSUBJECT: two,\r\n three\r\nm: <sip:c@d>");
    let mut index = HeaderIndex::new();
    let Parsed::Sound(request) = parse(text.as_bytes(), &mut index) else { panic!("{text}") };
    assert_eq!((request.method(), request.method_token()), (Method::Invite, &b"INVITE"[..]));
    assert_eq!(request.request_uri_bytes(), b"sip:bob@example.com");
    assert_eq!(request.request_uri().user_name(), b"bob");
    assert_eq!((request.top_via().host, request.top_via().port), (&b"192.0.2.1"[..], Some(5070)));
    assert_eq!((request.from().display, request.from().tag()), (&b"Alice"[..], Some(&b"1"[..])));
    assert_eq!((request.to().uri, request.to().tag()), (&b"sip:bob@example.com"[..], None));
    assert_eq!((request.call_id(), request.cseq()), (&b"a@b"[..], &b"1 INVITE"[..]));
    assert_eq!(request.body(), b"body");
    let subjects: [&[u8]; 2] = [b"one", b"two,\r\n three"];
    for name in [&b"Subject"[..], b"S", b"suBject"] {
        assert!(request.values_named(name).eq(subjects), "{name:?}");
    }
    let contact: [&[u8]; 1] = [b"<sip:c@d>"];
    assert!(request.values_named(b"contact").eq(contact) && request.values(HeaderName::Contact).eq(contact));
    assert_eq!(request.values_named(b"Supported").count(), 0);
}

#[test]
fn bytes_that_broke_other_servers() {
    let long = "A".repeat(3000);
    let table = [
        // CVE-2017-9372: an overlong CSeq method, a Via without branch.
        (
            with(";branch=z9hG4bK1", "").replace("1 INVITE", &format!("1 {long}")),
            Came::Faulty(Fault::CseqMethodMismatch),
        ),
        // CVE-2018-7284: fifty long Accept headers.
        (with("Max-Forwards: 70\r\n", &format!("Accept: {}\r\n", &long[..200]).repeat(50)), Came::Sound),
        // CVE-2018-8828: overlong tag and branch.
        (with(";tag=1", &format!(";tag={long}")).replace("bK1", &long), Came::Sound),
        // CVE-2018-14767: two To, the second with an empty tag.
        (with("Max-Forwards: 70", "To: <sip:x@y>;tag="), Came::Faulty(Fault::DuplicateTo)),
        // CVE-2018-16657, CVE-2023-27598: Vias that only look like one, or with control bytes.
        (
            with("Via: SIP/2.0/UDP 192.0.2.1:5070", "Via: SIP/2.0/UDP 192.0.2.1:5070\u{b}"),
            Came::Unanswerable(Unanswerable::NoVia),
        ),
        (with("Max-Forwards: 70", "Via: SIP/2.0/UDP \u{1f}h"), Came::Faulty(Fault::ControlByte)),
        // CVE-2020-28361: space before the colon hides a header from one reader and not the other.
        (with("Max-Forwards: 70", "To : <sip:x@y>"), Came::Faulty(Fault::DuplicateTo)),
        // CVE-2023-27597: Request-URIs cut short.
        (with("INVITE sip:bob@example.com", "INVITE sip:bob@"), Came::Faulty(Fault::BadRequestUri)),
        (with("INVITE sip:bob@example.com", "INVITE sip:"), Came::Faulty(Fault::BadRequestUri)),
        // CVE-2023-28098: a parameter without a name in a header that is not ours to read.
        (with("Max-Forwards: 70", "Authorization: Digest a a=\"\",real"), Came::Sound),
        // CVE-2021-33056: a header that is one slash.
        (with("Max-Forwards: 70", "Subject: /"), Came::Sound),
        (with("Alice <sip:alice@example.com>;tag=1", "/"), Came::Faulty(Fault::BadFrom)),
        // OpenSIPS a880e1faee: bytes above 0x7f.
        (with("Alice", "\u{80}\u{ff}\u{fffd}"), Came::Sound),
    ];
    for (text, expected) in table {
        assert_eq!(came(&text), expected, "{text:?}");
    }
}
