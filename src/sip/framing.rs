//! Pure. Where messages begin and end in a stream of bytes (RFC 3261 §18.3, RFC 5626 §3.5.1).
//!
//! In:    the bytes of one connection that were not dealt with yet, again with each that comes.
//! Out:   the length of the next message, empty lines and pings, or that nothing more can be told apart.
//! Never: keeps bytes, looks at a start line, judges a message: [`super::parse`] does, and both read
//!        header lines by the one [`HeaderIndex`], so that they cannot disagree on where a body ends.

use memchr::memchr_iter;

use super::{Fault, HeaderIndex, HeaderName, class::number, header::PhysicalLine};
use crate::limits::MESSAGE_BYTES_MAX;

/// The state of one connection between two reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framer {
    /// Bytes of the message begun in which its head does not end.
    scanned: usize,
    /// Length of the whole message, once its head is read.
    len: Option<usize>,
    /// The last thing taken off was an empty line that no second one followed yet.
    half_ping: bool,
}

/// What stands at the start of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// Part of a message, or nothing.
    Part,
    /// `len` bytes of empty lines (RFC 3261 §7.5), to be taken off. Among them are `pings` pairs:
    /// each is owed a CRLF (RFC 5626 §4.4.1).
    #[allow(missing_docs)]
    Blank { len: usize, pings: usize },
    /// A message of `len` bytes, to be taken off.
    #[allow(missing_docs)]
    Message { len: usize },
    /// A message whose end is not known: no Content-Length, several or one that is no number, or more
    /// bytes than are read. Its first `len` bytes are all that can be said about it; the connection
    /// has no use after it.
    #[allow(missing_docs)]
    Last { len: usize },
    /// This is no SIP.
    Garbage,
}

impl Framer {
    /// Looks at the start of `buffer`: what follows the bytes taken off so far. After
    /// [`Framed::Part`] it is called again with more; it does not look again at what it has seen.
    pub fn next(&mut self, buffer: &[u8], index: &mut HeaderIndex) -> Framed {
        let Some(first) = buffer.first() else { return Framed::Part };
        if self.scanned == 0 && self.len.is_none() {
            if matches!(first, b'\r' | b'\n') {
                return self.blank(buffer);
            }
            // The first byte of TLS is 22, that of an HTTP/2 or RTP stream no text either.
            if first.is_ascii_control() && *first != b'\t' || !first.is_ascii() {
                return Framed::Garbage;
            }
            self.half_ping = false;
        }
        let framed = self.message(buffer, index);
        if framed != Framed::Part {
            *self = Self::default();
        }
        framed
    }

    /// Whether a message has begun and not ended; an empty line is none.
    #[must_use]
    pub fn in_message(&self) -> bool {
        self.scanned > 0 || self.len.is_some()
    }

    fn blank(&mut self, buffer: &[u8]) -> Framed {
        let len = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let lines = memchr_iter(b'\n', buffer.get(..len).unwrap_or_default()).count();
        let lines = lines.saturating_add(usize::from(self.half_ping));
        self.half_ping = lines % 2 == 1;
        Framed::Blank { len, pings: lines / 2 }
    }

    fn message(&mut self, buffer: &[u8], index: &mut HeaderIndex) -> Framed {
        let len = match self.len {
            Some(len) => len,
            None => match self.head(buffer) {
                None if buffer.len() > MESSAGE_BYTES_MAX => {
                    return Framed::Last { len: MESSAGE_BYTES_MAX + 1 };
                }
                None => return Framed::Part,
                Some(head_len) => {
                    let head = buffer.get(..head_len).unwrap_or_default();
                    match whole_len(head, index) {
                        Some(len) => len,
                        None => return Framed::Last { len: head_len },
                    }
                }
            },
        };
        self.len = Some(len);
        if buffer.len() < len { Framed::Part } else { Framed::Message { len } }
    }

    /// Length of the head with the empty line that ends it.
    fn head(&mut self, buffer: &[u8]) -> Option<usize> {
        // No further than a message can reach, so that it does not matter how much came at once.
        let buffer = buffer.get(..=MESSAGE_BYTES_MAX).unwrap_or(buffer);
        let rest = buffer.get(self.scanned..)?;
        for at in memchr_iter(b'\n', rest) {
            let next = self.scanned.saturating_add(at).saturating_add(1);
            match buffer.get(next..) {
                Some([b'\n', ..]) => return next.checked_add(1),
                Some([b'\r', b'\n', ..]) => return next.checked_add(2),
                _ => {}
            }
        }
        // The empty line may have begun: LF CR are looked at again. At least one byte was seen, so
        // that a message is known to have begun.
        self.scanned = buffer.len().saturating_sub(2).max(self.scanned).max(1);
        None
    }
}

/// Length of the message with this head; `None` when it cannot be told, or is over
/// [`MESSAGE_BYTES_MAX`].
fn whole_len(head: &[u8], index: &mut HeaderIndex) -> Option<usize> {
    let start = PhysicalLine::at(head, 0)?.next;
    // A line that cannot be read may be the very one that has the length. One with a control byte can:
    // such a length is no number.
    if index.read(head, start).fault.is_some_and(|fault| fault != Fault::ControlByte) {
        return None;
    }
    let mut lengths = index.lines().iter().filter(|line| line.name == HeaderName::ContentLength);
    let length = number(lengths.next()?.value_in(head))?;
    if lengths.any(|line| number(line.value_in(head)) != Some(length)) {
        return None;
    }
    let len = usize::try_from(length).ok()?.checked_add(head.len())?;
    (len <= MESSAGE_BYTES_MAX).then_some(len)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    /// What a stream holds, read in pieces as they come: messages, pings, and how it ends.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Read {
        messages: Vec<Vec<u8>>,
        pings: usize,
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
                        assert!(len > 0);
                        read.pings += pings;
                        buffer.drain(..len);
                    }
                    Framed::Message { len } => read.messages.push(buffer.drain(..len).collect()),
                    Framed::Last { len } => {
                        read.last = Some(len);
                        return read;
                    }
                    Framed::Garbage => {
                        read.garbage = true;
                        return read;
                    }
                }
            }
        }
        read.in_message = framer.in_message();
        read
    }

    fn whole(stream: &str) -> Read {
        read([stream.as_bytes()])
    }

    const ONE: &str = "OPTIONS sip:a SIP/2.0\r\nl: 4\r\n\r\nbody";
    const TWO: &str = "ACK sip:a SIP/2.0\r\nContent-Length:\r\n 0\r\n\r\n";
    const LF_ONLY: &str = "BYE sip:a SIP/2.0\ncontent-length : 2\n\nxy";

    #[test]
    fn several_messages_of_one_read_and_one_of_many() {
        let stream = [ONE, TWO, LF_ONLY, ONE].concat();
        let messages: Vec<_> = [ONE, TWO, LF_ONLY, ONE].map(|text| text.as_bytes().to_vec()).into();
        let expected = Read { messages, ..Read::default() };
        assert_eq!(whole(&stream), expected);
        assert_eq!(read(stream.as_bytes().chunks(1)), expected);
        assert_eq!(read(stream.as_bytes().chunks(7)), expected);
    }

    #[test]
    fn empty_lines_are_passed_over_and_pairs_are_pings() {
        for (stream, pings) in
            [("\r\n", 0), ("\r\n\r\n", 1), ("\r\n\r\n\r\n", 1), ("\r\n\r\n\r\n\r\n", 2), ("\n\n", 1)]
        {
            assert_eq!(whole(stream), Read { pings, ..Read::default() }, "{stream:?}");
            let with = whole(&format!("{stream}{TWO}"));
            assert_eq!((with.messages.len(), with.pings), (1, pings), "{stream:?} and a message");
        }
        // The empty line after a message is no half of the ping after the next one.
        assert_eq!(whole(&format!("{TWO}\r\n{TWO}\r\n")).pings, 0);
    }

    #[test]
    fn a_length_that_cannot_be_told_ends_the_stream() {
        for length in [
            "",
            "l: \r\n",
            "l: -1\r\n",
            "l: 1\r\nContent-Length: 2\r\n",
            "l: 4294967328\r\n",
            "l: 2147483609\r\n",
            "l: 1 2\r\n",
            "l: 1\u{1}\r\n",
            "l\u{1}: 1\r\nl: 0\r\n",
            "Content-Length 1\r\nl: 0\r\n",
        ] {
            let head = format!("BYE sip:a SIP/2.0\r\n{length}\r\n");
            let expected = Read { last: Some(head.len()), ..Read::default() };
            assert_eq!(whole(&format!("{head}{ONE}")), expected, "{length:?}");
            assert_eq!(read(head.as_bytes().chunks(1)), expected, "{length:?} in pieces");
        }
        assert_eq!(whole("BYE sip:a SIP/2.0\r\nl: 0\r\nL: 0\r\nA: \u{1}\r\n\r\n").messages.len(), 1);
    }

    #[test]
    fn a_message_up_to_the_limit_and_none_beyond() {
        let head = |length: usize| format!("BYE sip:a SIP/2.0\r\nContent-Length: {length:05}\r\n\r\n");
        let most = MESSAGE_BYTES_MAX - head(0).len();
        let stream = head(most) + &"x".repeat(most);
        assert_eq!(read(stream.as_bytes().chunks(1000)).messages, [stream.as_bytes()]);
        let too_long = whole(&head(most + 1));
        assert_eq!(too_long.last, Some(head(0).len()));

        let endless = "BYE sip:a SIP/2.0\r\nX: ".to_owned() + &"x".repeat(MESSAGE_BYTES_MAX);
        let part = read([&endless.as_bytes()[..MESSAGE_BYTES_MAX]]);
        assert_eq!(part, Read { in_message: true, ..Read::default() });
        for stream in [&endless[..=MESSAGE_BYTES_MAX], &endless, &format!("{endless}\r\n\r\n")] {
            assert_eq!(whole(stream).last, Some(MESSAGE_BYTES_MAX + 1));
            assert_eq!(read(stream.as_bytes().chunks(999)).last, Some(MESSAGE_BYTES_MAX + 1));
        }
    }

    #[test]
    fn what_is_no_text_is_no_sip() {
        for first in [0_u8, 1, 22, 0x7f, 0x80, 0xff] {
            let mut stream = TWO.as_bytes().to_vec();
            stream.extend([first, b'x']);
            let read = read([&stream[..]]);
            assert_eq!((read.messages.len(), read.garbage), (1, true), "{first}");
        }
    }

    #[test]
    fn a_message_has_begun_with_its_first_byte() {
        assert!(!whole("").in_message);
        assert!(!whole("\r\n\r").in_message);
        assert!(whole("A").in_message);
        assert!(whole(&ONE[..ONE.len() - 1]).in_message);
        assert!(!whole(ONE).in_message);
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => prop::sample::select(vec![ONE, TWO, LF_ONLY, "\r\n", "\r\n\r\n", "\r", "\n", "l: 3\r\n", "X: y\r\n z\r\n"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 0..20),
        ]
    }

    proptest! {
        #[test]
        fn however_a_stream_is_cut_the_same_is_read(
            pieces in vec(piece(), 0..12),
            cuts in vec(any::<Index>(), 0..8),
        ) {
            let stream = pieces.concat();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let cut = read(cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]));
            prop_assert_eq!(cut, read([&stream[..]]));
        }
    }
}
