//! Pure. Writes what every response begins with, in one pass, into the caller's buffer.
//!
//! In:    a request, a status, and where the request came from.
//! Out:   the status line and the headers that are echoed; where the answer goes.
//! Never: lets a byte of the request end one of our lines.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::Range,
};

use super::{
    Feedback, HeaderName, Request, Via, Writer,
    echoed::Echoed,
    header::{Line, Shape},
    overload_control,
    request::Field,
    scan::ipv6,
    via::TopVia,
    writer::{DECIMAL_BYTES_MAX, DOTTED_BYTES_ROOM, decimal, dotted},
};

/// Writes status line, all Vias (the top one with `received` and `rport` as RFC 3261 §18.2.1 and
/// RFC 3581 §4 ask), From, To with `to_tag` unless it has one, Call-ID and CSeq: what every answer
/// has, in this order, each line ended by CRLF. The caller goes on with its own headers, then
/// `Content-Length` and the empty line.
///
/// A client cannot tell the echoed values from those it sent: they are copied as they came, folding
/// excepted, which becomes a single space. What a faulty request lacks is left out.
pub fn write_head(
    out: &mut Writer<'_>,
    request: &Request<'_>,
    status: u16,
    reason: &[u8],
    source: SocketAddr,
    to_tag: &[u8],
) {
    write_head_with(None, out, request, status, reason, source, to_tag);
}

/// [`write_head`], and a client that offers overload control is told this (RFC 7339 §5.1): in the top Via, which is its
/// own, so that it goes no further (§5.2).
pub fn write_head_with(
    feedback: Option<&Feedback>,
    out: &mut Writer<'_>,
    request: &Request<'_>,
    status: u16,
    reason: &[u8],
    source: SocketAddr,
    to_tag: &[u8],
) {
    // RFC 7339 §5.1: who has offered nothing is told nothing.
    let feedback = feedback.filter(|_| request.top_via.has_oc);
    match usual_status_line(status, reason) {
        Some(line) => out.put(line),
        None => put_status_line(out, status, reason),
    }
    if feedback.is_none() {
        // Of one that no model was like it is found out now.
        let own = if request.echoed.0.is_none() { Echoed::of(request) } else { None };
        if let Some(echoed) = request.echoed.0.or(own.as_ref()) {
            return echoed.write(out, request.bytes, source, to_tag);
        }
    }
    let mut vias = request.lines.iter().filter(|line| line.name == HeaderName::Via);
    if let Some(top) = vias.next() {
        put_top_via(out, top, request, source, feedback);
    }
    for via in vias {
        put_line(out, b"Via: ", via.value_in(request.bytes), via.shape);
    }
    put_field(out, b"From: ", &request.from.field);
    put_to(out, request, to_tag);
    put_field(out, b"Call-ID: ", &request.call_id);
    put_field(out, b"CSeq: ", &request.cseq);
}

const BEFORE_CODE: &[u8] = b"SIP/2.0 ";

#[inline(never)]
fn put_status_line(out: &mut Writer<'_>, status: u16, reason: &[u8]) {
    out.put_all([BEFORE_CODE, decimal(status.into(), &mut [0; DECIMAL_BYTES_MAX]), b" ", reason, b"\r\n"]);
}

/// The status line of a redirect with its usual reason phrase.
#[inline]
fn usual_status_line(status: u16, reason: &[u8]) -> Option<&'static [u8]> {
    let line: &[u8] = match status {
        300 => b"SIP/2.0 300 Multiple Choices\r\n",
        301 => b"SIP/2.0 301 Moved Permanently\r\n",
        302 => b"SIP/2.0 302 Moved Temporarily\r\n",
        305 => b"SIP/2.0 305 Use Proxy\r\n",
        380 => b"SIP/2.0 380 Alternative Service\r\n",
        _ => return None,
    };
    let usual = line.get(BEFORE_CODE.len() + b"300 ".len()..)?.strip_suffix(b"\r\n")?;
    (usual == reason).then_some(line)
}

fn put_field(out: &mut Writer<'_>, name: &[u8], field: &Field<'_>) {
    if let Some((value, line)) = field.found {
        put_line(out, name, value, line.shape);
    }
}

fn put_line(out: &mut Writer<'_>, name: &[u8], value: &[u8], shape: Shape) {
    out.put(name);
    out.put_value(value, shape);
    out.put(b"\r\n");
}

/// Where the answer to a request over UDP goes (RFC 3261 §18.2.2, RFC 3581 §4): always the address
/// the packet came from; its port when there is `rport`, else the port of sent-by (default 5060).
/// `maddr` is ignored on purpose: it makes a reflector. A Via that is not of the form is answered to
/// the port that the packet came from: nothing in it can be relied on, and its `rport` may be behind
/// what cannot be read.
#[must_use]
pub fn reply_address(via: &Via<'_>, source: SocketAddr) -> SocketAddr {
    let mut to = source;
    if via.rport.is_none() && !via.host.is_empty() {
        to.set_port(via.port.unwrap_or(5060));
    }
    to
}

fn put_to(out: &mut Writer<'_>, request: &Request<'_>, tag: &[u8]) {
    let Some((value, line)) = &request.to.field.found else { return };
    let unread = request.to.read.uri.is_empty();
    let has_tag = if unread { seems_tagged(value) } else { request.to.read.tag().is_some() };
    let (name, tag): (&[u8], &[u8]) = if has_tag || tag.is_empty() { (b"", b"") } else { (b";tag=", tag) };
    out.put(b"To: ");
    out.put_value(value, line.shape);
    out.put_all([name, tag, b"\r\n"]);
}

/// In a To that cannot be read, a second tag would only add to the confusion (CVE-2018-14767).
fn seems_tagged(value: &[u8]) -> bool {
    value.windows(4).any(|window| window.eq_ignore_ascii_case(b";tag"))
}

fn put_top_via(
    out: &mut Writer<'_>,
    line: &Line,
    request: &Request<'_>,
    source: SocketAddr,
    feedback: Option<&Feedback>,
) {
    let whole = line.value_in(request.bytes);
    let top = &request.top_via;
    if feedback.is_some_and(|feedback| put_told_via(out, top, line.shape, whole, source, feedback)) {
        return;
    }
    out.put(b"Via: ");
    if top.sound {
        put_via_edited(out, top, line.shape, source);
        out.put_value(whole.get(top.via.value.len()..).unwrap_or_default(), line.shape);
    } else {
        out.put_value(whole, line.shape);
    }
    out.put(b"\r\n");
}

/// The top Via of a client that offers overload control, with what it is told; `false` for any other.
#[cold]
fn put_told_via(
    out: &mut Writer<'_>,
    top: &TopVia<'_>,
    shape: Shape,
    whole: &[u8],
    source: SocketAddr,
    feedback: &Feedback,
) -> bool {
    let value = top.via.value;
    let Some(places) = Some(value).filter(|_| top.sound).and_then(overload_control::offered) else {
        return false;
    };
    let [oc, algo, validity, seq] = places.map(|place| place.map(|span| (span, false)));
    let rport = top.rport.clone().map(|span| (span, true));
    let received = top.received.clone().map(|span| (span, false));
    out.put(b"Via: ");
    put_edited(out, top, shape, source, [rport, received, oc, algo, validity, seq]);
    overload_control::write(feedback, out);
    out.put_value(whole.get(value.len()..).unwrap_or_default(), shape);
    out.put(b"\r\n");
    true
}

/// The top Via value with our `received` and `rport` in place of any that the client wrote.
fn put_via_edited(out: &mut Writer<'_>, top: &TopVia<'_>, shape: Shape, source: SocketAddr) {
    let rport = top.rport.clone().map(|span| (span, true));
    let received = top.received.clone().map(|span| (span, false));
    put_edited(out, top, shape, source, [rport, received]);
}

/// The same, without the parameters at these places; `true` is that of `rport`.
fn put_edited<const N: usize>(
    out: &mut Writer<'_>,
    top: &TopVia<'_>,
    shape: Shape,
    source: SocketAddr,
    mut edits: [Option<(Range<usize>, bool)>; N],
) {
    let value = top.via.value;
    edits.sort_unstable_by_key(|edit| edit.as_ref().map(|(span, _)| span.start));
    let mut at = 0;
    for (span, is_rport) in edits.into_iter().flatten() {
        out.put_value(value.get(at..span.start).unwrap_or_default(), shape);
        if is_rport {
            out.put(b";rport=");
            out.put_number(source.port().into());
        }
        at = span.end;
    }
    out.put_value(value.get(at..).unwrap_or_default(), shape);
    // RFC 3581 §4: with rport there is always `received`, even if it is the same as sent-by.
    // RFC 3261 §18.2.1: without, when sent-by is a name or another address.
    if top.via.rport.is_some() || !is_address(top.via.host, source.ip()) {
        out.put(b";received=");
        out.put_ip(source.ip());
    }
}

/// Whether a sent-by host is this very address. IPv6 has many spellings, so numbers are compared.
pub(super) fn is_address(host: &[u8], ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // Of an IPv4 address there is one spelling.
        IpAddr::V4(ip) => host == dotted(ip, &mut [0; DOTTED_BYTES_ROOM]),
        IpAddr::V6(ip) => bracketed(host) == Some(ip),
    }
}

fn bracketed(host: &[u8]) -> Option<Ipv6Addr> {
    ipv6(host.strip_prefix(b"[")?.strip_suffix(b"]")?)
}

#[cfg(test)]
mod tests {
    use super::{super::cases::with, *};
    use crate::sip::{HeaderIndex, Parsed, parse, reason_phrase};

    fn head_of(text: &str, source: &str) -> String {
        let mut index = HeaderIndex::new();
        let (Parsed::Sound(request) | Parsed::Faulty(request, _)) = parse(text.as_bytes(), &mut index) else {
            panic!("unanswerable: {text}");
        };
        let source: SocketAddr = source.parse().expect("an address");
        let mut buffer = [0; 4096];
        let mut out = Writer::new(&mut buffer);
        write_head(&mut out, &request, 302, b"Moved Temporarily", source, b"T");
        String::from_utf8_lossy(out.written()).into_owned()
    }

    #[test]
    fn usual_status_lines_are_those_that_would_be_written() {
        for status in 100..700 {
            let reason = reason_phrase(status).as_bytes();
            let mut buffer = [0; 80];
            let mut out = Writer::new(&mut buffer);
            put_status_line(&mut out, status, reason);
            let usual = usual_status_line(status, reason);
            assert_eq!(usual.is_some(), matches!(status, 300..=302 | 305 | 380), "{status}");
            assert!(usual.is_none_or(|line| line == out.written()), "{status}");
            assert_eq!(usual_status_line(status, b"Elsewhere"), None);
        }
    }

    #[test]
    fn head_byte_for_byte() {
        let text = "INVITE sip:a@b SIP/2.0\r\n\
            t: \"B\" <sip:b@c>\r\n\
            v: SIP/2.0/UDP h;rport;branch=z9hG4bK1\r\n\
            CSEQ :  7\r\n\t INVITE\r\n\
            f: sip:a@b\r\n  ;tag=1\r\n\
            Via: SIP/2.0/TCP x , SIP/2.0/TLS y\r\n\
            i: q\r\n\
            \r\n";
        assert_eq!(
            head_of(text, "192.0.2.9:40000"),
            "SIP/2.0 302 Moved Temporarily\r\n\
             Via: SIP/2.0/UDP h;rport=40000;branch=z9hG4bK1;received=192.0.2.9\r\n\
             Via: SIP/2.0/TCP x , SIP/2.0/TLS y\r\n\
             From: sip:a@b ;tag=1\r\n\
             To: \"B\" <sip:b@c>;tag=T\r\n\
             Call-ID: q\r\n\
             CSeq: 7 INVITE\r\n"
        );
    }

    #[test]
    fn received_and_rport_in_the_top_via() {
        let table = [
            ("192.0.2.1:5070;branch=z", "192.0.2.1:1", "192.0.2.1:5070;branch=z"),
            ("192.0.2.1;branch=z", "[::ffff:192.0.2.1]:1", "192.0.2.1;branch=z"),
            ("192.0.2.2;branch=z", "[::ffff:192.0.2.1]:1", "192.0.2.2;branch=z;received=192.0.2.1"),
            ("h;branch=z", "192.0.2.1:1", "h;branch=z;received=192.0.2.1"),
            ("192.0.2.1;rport", "192.0.2.1:9", "192.0.2.1;rport=9;received=192.0.2.1"),
            ("h;rport=1;received=6.6.6.6;b", "192.0.2.1:9", "h;rport=9;b;received=192.0.2.1"),
            ("h;received=6.6.6.6;b;RPORT", "192.0.2.1:9", "h;b;rport=9;received=192.0.2.1"),
            ("192.0.2.1;received=6.6.6.6;b", "192.0.2.1:9", "192.0.2.1;b"),
            ("[2001:db8:0::1];b", "[2001:db8::1]:9", "[2001:db8:0::1];b"),
            ("[2001:db8::2];b", "[2001:db8::1]:9", "[2001:db8::2];b;received=2001:db8::1"),
            (
                "h;b  , SIP/2.0/UDP i;received=6.6.6.6",
                "192.0.2.1:9",
                "h;b;received=192.0.2.1  , SIP/2.0/UDP i;received=6.6.6.6",
            ),
            (
                "h\r\n ;rport ;b=\r\n c,\r\n SIP/2.0/UDP i",
                "192.0.2.1:9",
                "h;rport=9 ;b= c;received=192.0.2.1, SIP/2.0/UDP i",
            ),
            // It cannot be read: it goes back as it came.
            ("h;;rport;received=6.6.6.6", "192.0.2.1:9", "h;;rport;received=6.6.6.6"),
        ];
        for (sent, source, expected) in table {
            let text = with("192.0.2.1:5070;branch=z9hG4bK1", sent);
            let head = head_of(&text, source);
            assert_eq!(head.lines().nth(1), Some(format!("Via: SIP/2.0/UDP {expected}").as_str()), "{sent}");
        }
    }

    #[test]
    fn rport_is_filled_in_whatever_the_transport() {
        for transport in ["TCP", "TLS", "SCTP", "udp", "WS"] {
            let text = with("UDP 192.0.2.1:5070;branch", &format!("{transport} 192.0.2.1:5070;rport;branch"));
            let head = head_of(&text, "192.0.2.1:40000");
            let expected = format!("Via: SIP/2.0/{transport} 192.0.2.1:5070;rport=40000;branch=z9hG4bK1");
            let via = head.lines().nth(1).expect("a Via");
            assert!(via.starts_with(&expected) && via.ends_with(";received=192.0.2.1"), "{via}");
        }
    }

    #[test]
    fn the_to_tag_is_ours_only_where_there_is_none() {
        let table = [
            ("<sip:b@c>", "<sip:b@c>;tag=T"),
            ("sip:b@c;x=1", "sip:b@c;x=1;tag=T"),
            ("<sip:b@c>;Tag=q", "<sip:b@c>;Tag=q"),
            ("<sip:b@c;tag=q>", "<sip:b@c;tag=q>;tag=T"),
            ("<sip:b@c>;tag=", "<sip:b@c>;tag="),
            ("\"b <sip:b@c>", "\"b <sip:b@c>;tag=T"),
            ("b\0\u{1} \u{7f}c", "b    c;tag=T"),
        ];
        for (sent, expected) in table {
            let head = head_of(&with("<sip:bob@example.com>\r\n", &format!("{sent}\r\n")), "192.0.2.1:1");
            assert!(head.contains(&format!("\r\nTo: {expected}\r\n")), "{sent:?} {head}");
        }
    }

    #[test]
    fn what_is_missing_is_not_echoed_and_of_doubles_the_first() {
        let head = head_of(&with("CSeq: 1 INVITE\r\nContent", "From: x\r\nContent"), "192.0.2.1:5070");
        assert!(!head.contains("CSeq") && !head.contains("From: x"));
        assert!(head.ends_with(
            "From: Alice <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>;tag=T\r\nCall-ID: a@b\r\n"
        ));
    }

    #[test]
    fn answers_go_to_the_source_and_to_no_other_host() {
        let table = [
            ("192.0.2.1:5070", "198.51.100.1:9", "198.51.100.1:5070"),
            ("192.0.2.1", "198.51.100.1:9", "198.51.100.1:5060"),
            ("192.0.2.1:5070;rport", "198.51.100.1:9", "198.51.100.1:9"),
            ("192.0.2.1:5070;maddr=6.6.6.6;received=6.6.6.6", "[2001:db8::1]:9", "[2001:db8::1]:5070"),
            (";x", "198.51.100.1:9", "198.51.100.1:9"),
            ("192.0.2.1:5070;;rport", "198.51.100.1:40000", "198.51.100.1:40000"),
            ("192.0.2.1:5070;=x;rport", "198.51.100.1:40000", "198.51.100.1:40000"),
            ("192.0.2.1;x=\"a;rport", "198.51.100.1:40000", "198.51.100.1:40000"),
            ("192.0.2.1:0;rport", "198.51.100.1:40000", "198.51.100.1:40000"),
            ("192.0.2.1:99999;rport", "198.51.100.1:40000", "198.51.100.1:40000"),
            ("192.0.2.1:5070;branch=a;branch=b", "198.51.100.1:40000", "198.51.100.1:40000"),
        ];
        for (sent, source, expected) in table {
            let text = with("192.0.2.1:5070", sent);
            let mut index = HeaderIndex::new();
            let (Parsed::Sound(request) | Parsed::Faulty(request, _)) = parse(text.as_bytes(), &mut index)
            else {
                panic!("{text}");
            };
            let to = reply_address(request.top_via(), source.parse().expect("an address"));
            assert_eq!(to, expected.parse().expect("an address"), "{sent}");
        }
    }
}
