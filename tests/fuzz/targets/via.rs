//! Target `via`: any bytes as what stands after `Via:` at the top of a request. The first byte chooses
//! where the request came from.

use std::net::SocketAddr;

use waypost::{
    limits::{ANSWER_BYTES_ROOM, MESSAGE_BYTES_MAX},
    sip::{HeaderIndex, Parsed, Via, Writer, list_values, parse, reply_address, write_head},
};

use super::{answer::Answer, echo};

pub const SOURCES: [&str; 6] = [
    "192.0.2.9:40000",
    "192.0.2.1:5060",
    "[2001:db8::9]:5060",
    "[::ffff:192.0.2.1]:1",
    "[::1]:65535",
    "127.0.0.1:5061",
];

pub fn check(bytes: &[u8]) {
    let Some((choice, value)) = bytes.split_first() else { return };
    let source: SocketAddr = SOURCES[usize::from(*choice) % SOURCES.len()].parse().expect("an address");
    // What we wrote is what the next one reads, and writes again. One not of the form is echoed
    // unfolded, which may have repaired it.
    if let Some((first, via)) = top_via_of_answer(value, source).filter(|(_, via)| !via.1.is_empty()) {
        let (second, via_again) = top_via_of_answer(&first, source).expect("a Via that was answered before");
        assert_eq!(first.escape_ascii().to_string(), second.escape_ascii().to_string());
        assert_eq!(via, via_again);
    }
}

/// What of a Via an answer depends on.
type Known = (Vec<u8>, Vec<u8>, Option<u16>, Option<Vec<u8>>, bool);

/// The answer's first Via line, and the parts of the request's top Via.
fn top_via_of_answer(value: &[u8], source: SocketAddr) -> Option<(Vec<u8>, Known)> {
    let rest = b"\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    let message = [b"INVITE sip:a@b SIP/2.0\r\nVia: ", value, rest].concat();
    let mut index = HeaderIndex::new();
    let (Parsed::Sound(request) | Parsed::Faulty(request, _)) = parse(&message, &mut index) else {
        return None;
    };
    let via = request.top_via();
    check_via(via);
    let mut buffer = vec![0; ANSWER_BYTES_ROOM + MESSAGE_BYTES_MAX];
    let mut out = Writer::new(&mut buffer);
    write_head(&mut out, &request, 302, b"Moved Temporarily", source, b"t1");
    let len = out.finish().expect("room for all that was sent");
    let answer = Answer::read_head(&buffer[..len]);
    echo::check(&request, &answer, source);
    echo::check_address(via, source, reply_address(via, source));
    let line = answer.values(b"Via").next().expect("a Via").to_vec();
    let known = (
        via.transport.to_vec(),
        via.host.to_vec(),
        via.port,
        via.branch.map(<[u8]>::to_vec),
        via.rport.is_some(),
    );
    Some((line, known))
}

fn check_via(via: &Via<'_>) {
    if via.host.is_empty() {
        assert_eq!(via.port, None, "half a sent-by is none");
        return;
    }
    assert_eq!(list_values(via.value).count(), 1, "one value");
    let parts = [Some(via.transport), Some(via.host), via.branch, via.rport.flatten()];
    let is_part = |part: &[u8]| part.is_empty() || via.value.windows(part.len()).any(|window| window == part);
    assert!(parts.into_iter().flatten().all(is_part));
    assert!(!via.transport.is_empty());
}
