//! Target `framing`: any bytes as a stream. The first byte chooses where it is cut into reads.

use waypost::{
    limits::MESSAGE_BYTES_MAX,
    sip::{Fault, Framed, Framer, HeaderIndex, HeaderName, Parsed, parse},
};

use super::liar::next;

pub fn check(bytes: &[u8]) {
    let Some((&cuts, stream)) = bytes.split_first() else { return };
    let whole = read([stream]);
    assert_eq!(whole, read(stream.chunks(1)), "byte by byte");
    assert_eq!(whole, read(pieces(stream, cuts.into())), "cut {cuts}");
    let messages: usize = whole.messages.iter().map(Vec::len).sum();
    assert!(messages + whole.last.unwrap_or(0) <= stream.len());
    for message in &whole.messages {
        check_message(message);
    }
}

/// What a stream holds, and how it ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    messages: Vec<Vec<u8>>,
    pings: usize,
    blanks: usize,
    last: Option<usize>,
    garbage: bool,
    in_message: bool,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let (mut framer, mut index, mut buffer) = (Framer::default(), HeaderIndex::new(), Vec::new());
    let mut read = Read::default();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match framer.next(&buffer, &mut index) {
                Framed::Part => break,
                Framed::Blank { len, pings } => {
                    assert!(len > 0 && pings * 2 <= read.blanks + len, "a loop ends; no ping out of nothing");
                    read.pings += pings;
                    read.blanks += len;
                    buffer.drain(..len);
                }
                Framed::Message { len } => {
                    assert!(len > 0 && len <= MESSAGE_BYTES_MAX);
                    read.messages.push(buffer.drain(..len).collect());
                }
                Framed::Last { len } => {
                    assert!(len > 0 && len <= buffer.len());
                    read.last = Some(len);
                    return read;
                }
                Framed::Garbage => {
                    read.garbage = true;
                    return read;
                }
            }
            assert!(!framer.in_message(), "what was taken off is done with");
        }
        // What is kept for the next read never grows beyond one message.
        assert!(buffer.len() <= MESSAGE_BYTES_MAX, "{} bytes wait", buffer.len());
        assert!(buffer.is_empty() || framer.in_message());
    }
    read.in_message = framer.in_message();
    read
}

fn pieces(stream: &[u8], seed: u64) -> Vec<&[u8]> {
    let (mut rest, mut state, mut pieces) = (stream, seed, Vec::new());
    while !rest.is_empty() {
        let len = usize::try_from(next(&mut state) % 40).expect("small").clamp(1, rest.len());
        let (piece, after) = rest.split_at(len);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Framing and parsing agree on where the message ends: nothing is left over, nothing lacks.
fn check_message(message: &[u8]) {
    let mut index = HeaderIndex::new();
    let (request, fault) = match parse(message, &mut index) {
        Parsed::Sound(request) => (request, None),
        Parsed::Faulty(request, fault) => (request, Some(fault)),
        Parsed::Unanswerable(_) => return,
    };
    assert!(!matches!(fault, Some(Fault::BodyTooShort | Fault::HeadersUnterminated)), "{fault:?}");
    assert!(!matches!(fault, Some(Fault::ContentLengthConflict | Fault::BadContentLength)), "{fault:?}");
    let length = request.values(HeaderName::ContentLength).next().expect("a length");
    let length: usize = std::str::from_utf8(length).expect("digits").parse().expect("a number");
    assert_eq!(request.body().len(), length);
    assert_eq!(
        request.body().as_ptr_range().end,
        message.as_ptr_range().end,
        "the message ends with its body"
    );
}
