//! Pure. The Call-ID of a message, found without reading the rest: for whoever samples before anything is parsed.
//!
//! In:    the bytes of a message.
//! Out:   the value of its first Call-ID line, trimmed; of a folded one the first line of it.
//! Never: judges the message: a request, its retransmission and its ACK must only come out alike.

use memchr::memchr;

/// The first Call-ID in the head of a message.
#[must_use]
pub fn call_id_in(message: &[u8]) -> Option<&[u8]> {
    let mut rest = message.trim_ascii_start();
    loop {
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, behind) = rest.split_at(end);
        if let Some(value) = value_of(line) {
            return Some(value);
        }
        // The empty line ends the head; the body may say what it likes.
        if line.trim_ascii().is_empty() {
            return None;
        }
        rest = behind.get(1..)?;
    }
}

/// RFC 3261 §20.8: `Call-ID`, or `i` for short; §25.1: white space may stand before the colon.
fn value_of(line: &[u8]) -> Option<&[u8]> {
    // Nearly every line ends here.
    if !matches!(line.first()?, b'C' | b'c' | b'I' | b'i') {
        return None;
    }
    let colon = memchr(b':', line)?;
    let (name, value) = line.split_at(colon);
    let name = name.trim_ascii_end();
    let is_call_id = name.eq_ignore_ascii_case(b"Call-ID") || name.eq_ignore_ascii_case(b"i");
    is_call_id.then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::sip::{HeaderIndex, Parsed, parse};

    #[test]
    fn it_is_found_in_every_form() {
        for (message, expected) in [
            ("INVITE sip:a SIP/2.0\r\nCall-ID: one\r\n\r\n", Some("one")),
            ("INVITE sip:a SIP/2.0\r\ni:two\r\n\r\n", Some("two")),
            ("INVITE sip:a SIP/2.0\nCALL-id \t:  three \n\n", Some("three")),
            ("\r\n\r\nINVITE sip:a SIP/2.0\r\nI: four", Some("four")),
            ("INVITE sip:a SIP/2.0\r\nCall-ID: one\r\nCall-ID: two\r\n\r\n", Some("one")),
            ("INVITE sip:a SIP/2.0\r\nCall-ID:\r\n\r\n", Some("")),
            ("INVITE sip:a SIP/2.0\r\nCall-IDs: x\r\nContact: i\r\n\r\ni: in the body\r\n", None),
            ("INVITE sip:a SIP/2.0\r\nSubject: x\r\n i: folded\r\n\r\n", None),
            ("", None),
            ("hello", None),
        ] {
            assert_eq!(call_id_in(message.as_bytes()), expected.map(str::as_bytes), "{message:?}");
        }
    }

    #[test]
    fn it_is_the_one_that_the_parser_reads() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/rfc4475");
        let mut seen = 0;
        for file in fs::read_dir(folder).unwrap() {
            let Ok(bytes) = fs::read(file.unwrap().path()) else { continue };
            let mut index = HeaderIndex::new();
            let Parsed::Sound(request) = parse(&bytes, &mut index) else { continue };
            let found = call_id_in(&bytes).unwrap_or_default();
            assert!(request.call_id().starts_with(found) && !found.is_empty());
            seen += 1;
        }
        assert!(seen > 10, "{seen} requests");
    }
}
