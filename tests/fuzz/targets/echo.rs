//! What an answer must echo (RFC 3261 §8.2.6.2, §18.2.1; RFC 3581 §4), worked out apart from the code that
//! writes it: from the request's own lines and by plain comparison.

use std::net::SocketAddr;

use waypost::sip::{HeaderName, Request, Via, list_values, unfolded};

use super::answer::Answer;

/// The answer's Via, From, To, Call-ID and CSeq are the request's, in our order, with nothing between.
pub fn check(request: &Request<'_>, answer: &Answer<'_>, source: SocketAddr) {
    let mut lines = answer.headers.iter();
    let mut next = |name: &str| {
        let (is, value) = lines.next().unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(String::from_utf8_lossy(is), name);
        *value
    };
    let mut vias = request.values(HeaderName::Via);
    check_top_via(request.top_via(), vias.next().expect("a Via"), next("Via"), source);
    for via in vias {
        assert_same(next("Via"), via);
    }
    if let Some(from) = request.values(HeaderName::From).next() {
        assert_same(next("From"), from);
    }
    if let Some(to) = request.values(HeaderName::To).next() {
        check_to(request, to, next("To"));
    }
    if let Some(call_id) = request.values(HeaderName::CallId).next() {
        assert_same(next("Call-ID"), call_id);
    }
    if let Some(cseq) = request.values(HeaderName::CSeq).next() {
        assert_same(next("CSeq"), cseq);
    }
    let echoed: [&[u8]; 5] = [b"Via", b"From", b"To", b"Call-ID", b"CSeq"];
    assert!(lines.all(|(name, _)| !echoed.contains(name)), "a second one");
}

/// One line, whatever the folding; byte for byte when there is nothing to unfold.
fn assert_same(echoed: &[u8], sent: &[u8]) {
    if sent.iter().any(u8::is_ascii_control) {
        assert!(unfolded(echoed).eq(unfolded(sent)), "{:?} for {:?}", text(echoed), text(sent));
    } else {
        assert_eq!(text(echoed), text(sent));
    }
}

fn check_to(request: &Request<'_>, sent: &[u8], echoed: &[u8]) {
    let readable = !request.to().uri.is_empty();
    let tag_at = echoed.windows(5).rposition(|five| five == b";tag=");
    let without = tag_at.map_or(echoed, |at| &echoed[..at]);
    if request.to().tag().is_some() {
        return assert_same(echoed, sent);
    }
    let gained = unfolded(without).eq(unfolded(sent));
    assert!(
        gained || !readable && unfolded(echoed).eq(unfolded(sent)),
        "{:?} for {:?}",
        text(echoed),
        text(sent)
    );
    assert!(gained == tag_at.is_some() || !readable, "a tag");
    if readable {
        let tag = &echoed[tag_at.expect("a tag") + 5..];
        assert!(!tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric), "{:?}", text(tag));
    }
}

/// RFC 3261 §18.2.1, RFC 3581 §4: nothing of the client's value is lost but `received` and `rport`'s
/// value, which are ours to say.
fn check_top_via(via: &Via<'_>, sent: &[u8], echoed: &[u8], source: SocketAddr) {
    if via.host.is_empty() {
        // Not of the form: as it came.
        return assert_same(echoed, sent);
    }
    let rest = &sent[via.value.len()..];
    let rest: Vec<u8> = unfolded(rest).collect();
    let echoed: Vec<u8> = unfolded(echoed).collect();
    let value = echoed.strip_suffix(&rest[..]).expect("what follows the first value stays");
    let (mut expected, mut rport) = (Vec::new(), false);
    for part in parts(via.value) {
        match name(&part) {
            name if name == b"received" => {}
            name if name == b"rport" => {
                rport = true;
                expected.push(format!("rport={}", source.port()).into_bytes());
            }
            _ => expected.push(part),
        }
    }
    let ip = source.ip().to_canonical();
    let sent_by = String::from_utf8_lossy(via.host);
    let is_source = sent_by.trim_start_matches('[').trim_end_matches(']').parse() == Ok(ip);
    if rport || !is_source {
        expected.push(format!("received={ip}").into_bytes());
    }
    assert_eq!(rport, via.rport.is_some());
    let lines = |parts: Vec<Vec<u8>>| parts.iter().map(|part| text(part)).collect::<Vec<_>>();
    assert_eq!(lines(parts(value)), lines(expected));
    assert_eq!(list_values(&echoed).next().map(text), Some(text(value)), "the first value ends where it did");
}

/// The pieces between semicolons outside quotes, on one line, trimmed.
fn parts(value: &[u8]) -> Vec<Vec<u8>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = value.split(|&byte| {
        let divides = byte == b';' && !quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        divides
    });
    parts.map(|part| unfolded(part).collect::<Vec<_>>().trim_ascii().to_vec()).collect()
}

fn name(part: &[u8]) -> Vec<u8> {
    let name = part.split(|&byte| byte == b'=').next().unwrap_or_default();
    name.trim_ascii().to_ascii_lowercase()
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Where an answer over UDP must go: to the packet's source, at the port of RFC 3581 §4 or §18.2.2.
pub fn check_address(via: &Via<'_>, source: SocketAddr, to: SocketAddr) {
    assert_eq!(to.ip(), source.ip(), "an answer goes to nobody but the source");
    let by_source = via.rport.is_some() || via.host.is_empty();
    let port = if by_source { source.port() } else { via.port.unwrap_or(5060) };
    assert_eq!(to.port(), port);
}
