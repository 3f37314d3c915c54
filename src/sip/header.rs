//! Pure. The index of where each header of a message stands.
//!
//! In:    a datagram's bytes after its first line.
//! Out:   spans of names and values, and what is wrong with the lines as such.
//! Never: looks into a value for its meaning; grows its memory.

use std::ops::Range;

use memchr::memchr;

use super::{
    Fault, HeaderName,
    class::{trim, trim_end},
    lanes::{BLOCK, LANES, byte_in, marks, token_len, usual_name_len},
};
use crate::limits::HEADERS_MAX;

/// How a value must be handled when it is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// On one line: copied as it is.
    Plain,
    /// CR and LF stand only where it is folded.
    Folded,
    /// It has control bytes that may not stand in any header.
    Dirty,
}

/// Where one header stands. [`crate::limits::MESSAGE_BYTES_MAX`] fits into 16 bits. White space is taken off
/// when it is looked at: most headers are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    start: u16,
    colon: u16,
    end: u16,
    pub(super) name: HeaderName,
    pub(super) shape: Shape,
}

impl Line {
    pub(super) const NONE: Self =
        Self { start: 0, colon: 0, end: 0, name: HeaderName::Other, shape: Shape::Plain };

    /// The name as written.
    pub(super) fn name_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        trim_end(span(bytes, self.start, self.colon))
    }

    /// Where the whole line stands with its CRLF, when an answer would have it just so: `name` is the name, its
    /// colon and one space.
    #[inline]
    pub(super) fn as_echoed<const N: usize>(&self, name: &[u8; N], bytes: &[u8]) -> Option<Range<usize>> {
        let place = usize::from(self.start)..usize::from(self.end) + b"\r\n".len();
        let (start, value) = bytes.get(place.clone())?.split_first_chunk()?;
        let is_trimmed = matches!(value, [first, .., last, b'\r', b'\n'] if *first > b' ' && *last > b' ');
        (start == name && is_trimmed && self.shape == Shape::Plain).then_some(place)
    }

    /// Where the value stands, white space around it included.
    pub(super) fn value_place(&self) -> Range<usize> {
        usize::from(self.colon) + 1..usize::from(self.end)
    }

    /// The value, trimmed.
    #[inline]
    pub(super) fn value_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        match span(bytes, self.colon + 1, self.end) {
            // Nearly always there is one space, and nothing behind.
            [b' ', value @ ..] if matches!(value, [first, .., last] if *first > b' ' && *last > b' ') => {
                value
            }
            value => trim(value),
        }
    }
}

fn span(bytes: &[u8], start: u16, end: u16) -> &[u8] {
    bytes.get(usize::from(start)..usize::from(end)).unwrap_or_default()
}

/// Where the headers of one message stand. Made once, used again for every datagram; its memory is
/// bounded by [`crate::limits::HEADERS_MAX`] and never grows.
#[derive(Debug)]
pub struct HeaderIndex {
    lines: Box<[Line; HEADERS_MAX]>,
    len: usize,
}

impl Default for HeaderIndex {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`HeaderIndex::read`] found besides the lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// Where the body starts.
    pub(super) body_start: usize,
    /// The first fault of [`Fault::ALL`] among those of lines as such.
    pub(super) fault: Option<Fault>,
}

impl HeaderIndex {
    /// Room for the headers of one message.
    #[must_use]
    pub fn new() -> Self {
        Self { lines: Box::new([Line::NONE; HEADERS_MAX]), len: 0 }
    }

    pub(super) fn lines(&self) -> &[Line] {
        self.lines.get(..self.len).unwrap_or_default()
    }

    /// Reads the header lines that begin at `start`, up to the empty line. Bad lines are left out.
    // Inlined, it would have too few registers: 150 instructions more for a request of 20 lines.
    #[inline(never)]
    pub(super) fn read(&mut self, bytes: &[u8], start: usize) -> Block {
        self.len = 0;
        let mut fault = None;
        // A control byte stands where none may, unless it is a quoted pair.
        let mut stray = false;
        // Where the header line begins that is being read, and the last line of it.
        let (mut at, mut line_at) = (start, start);
        let mut block_at = start;
        let body_start = 'headers: loop {
            let Some(mut marks) = marks_at(bytes, block_at) else {
                note(&mut fault, Fault::HeadersUnterminated);
                break bytes.len();
            };
            while marks != 0 {
                let end = block_at + marks.trailing_zeros() as usize;
                marks &= marks - 1;
                // The LF of a CRLF that two blocks share belongs to the line that it has ended.
                if end < line_at {
                    continue;
                }
                let Some(ending) = line_end(bytes, end) else {
                    stray |= is_stray(bytes, end);
                    continue;
                };
                // The next mark is of the LF of a CRLF, unless that is in the next block.
                marks &= marks.wrapping_sub(ending.is_crlf.into());
                if end == at {
                    break 'headers ending.next;
                }
                let shape = if line_at == at { Shape::Plain } else { Shape::Folded };
                line_at = ending.next;
                // RFC 3261 §7.3.1: the next line continues this one.
                if ending.continues {
                    continue;
                }
                match name_at(bytes, at, end) {
                    Some((name, len)) => {
                        // Nothing is cut off: a message has MESSAGE_BYTES_MAX at most, and a framed head no more.
                        let narrow = |at: usize| at as u16;
                        let (start, colon, end) = (narrow(at), narrow(at + len), narrow(end));
                        self.push(Line { start, colon, end, name, shape }, &mut fault);
                    }
                    None => note(&mut fault, Fault::BadHeaderLine),
                }
                at = ending.next;
            }
            block_at += BLOCK;
        };
        if stray && self.mark_dirty(bytes) {
            note(&mut fault, Fault::ControlByte);
        }
        Block { body_start, fault }
    }

    #[inline]
    fn push(&mut self, line: Line, fault: &mut Option<Fault>) {
        match self.lines.get_mut(self.len) {
            Some(place) => {
                *place = line;
                self.len += 1;
            }
            None => note(fault, Fault::TooManyHeaders),
        }
    }

    /// Marks the lines with control bytes where they may not be; says whether there are any.
    #[cold]
    fn mark_dirty(&mut self, bytes: &[u8]) -> bool {
        let mut any = false;
        for line in self.lines.iter_mut().take(self.len) {
            if !controls_are_legal(span(bytes, line.start, line.end)) {
                line.shape = Shape::Dirty;
                any = true;
            }
        }
        any
    }
}

/// Keeps the fault that stands first in [`Fault::ALL`].
pub(super) fn note(kept: &mut Option<Fault>, fault: Fault) {
    *kept = Some(kept.map_or(fault, |other| other.min(fault)));
}

/// A line up to LF, which RFC 3261 wants to be CRLF; peers that send a bare LF mean the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct PhysicalLine {
    /// Where its text ends.
    pub(super) end: usize,
    /// Where the next one begins.
    pub(super) next: usize,
}

impl PhysicalLine {
    /// The line that begins at `start`; `None` when no LF ends it.
    pub(super) fn at(bytes: &[u8], start: usize) -> Option<Self> {
        let text = bytes.get(start..)?;
        let len = memchr(b'\n', text)?;
        let crlf = text.get(..len)?.last() == Some(&b'\r');
        let end = start.checked_add(len)?;
        Some(Self { end: end - usize::from(crlf), next: end.checked_add(1)? })
    }
}

/// The marks of the block that begins at a place; `None` when nothing does.
#[inline]
fn marks_at(bytes: &[u8], at: usize) -> Option<u64> {
    let rest = bytes.get(at..)?;
    match rest.first_chunk() {
        Some(block) => Some(marks(block)),
        None if rest.is_empty() => None,
        None => Some(marks(&padded(rest))),
    }
}

/// So many bytes from a place on, where there are so many.
#[inline]
fn chunk_at<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The last bytes of a message, with spaces behind.
#[cold]
fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    block
}

/// The end of a line.
struct Ending {
    /// Where the next one begins.
    next: usize,
    /// Whether it is of two bytes.
    is_crlf: bool,
    /// Whether the next one begins with white space.
    continues: bool,
}

/// The end of a line that begins with this byte, if one does.
#[inline]
fn line_end(bytes: &[u8], at: usize) -> Option<Ending> {
    if let Some(text) = chunk_at(bytes, at).map(|text| u32::from_le_bytes(*text))
        && text as u16 == u16::from_le_bytes(*b"\r\n")
    {
        let first = (text >> 16) as u8;
        return Some(Ending { next: at + 2, is_crlf: true, continues: matches!(first, b' ' | b'\t') });
    }
    // The last bytes of the message, or a bare LF.
    match bytes.get(at..)? {
        [b'\r', b'\n', after @ ..] => {
            Some(Ending { next: at + 2, is_crlf: true, continues: matches!(after, [b' ' | b'\t', ..]) })
        }
        [b'\n', after @ ..] => {
            Some(Ending { next: at + 1, is_crlf: false, continues: matches!(after, [b' ' | b'\t', ..]) })
        }
        _ => None,
    }
}

/// Whether a byte that ends no line may stand in none.
#[cold]
fn is_stray(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|byte| byte.is_ascii_control() && *byte != b'\t')
}

/// What the name is of the line that stands from `start` to `end`, and how far its colon is.
#[inline]
fn name_at(bytes: &[u8], start: usize, end: usize) -> Option<(HeaderName, usize)> {
    match chunk_at(bytes, start).and_then(short_name) {
        Some(found) => Some(found),
        None => any_name(bytes.get(start..end)?),
    }
}

/// What a name is and where its colon stands, when it is a usual one: letters, digits and hyphens, and the
/// colon right behind.
#[inline]
fn short_name(window: &[u8; LANES]) -> Option<(HeaderName, usize)> {
    let len = byte_in(window, b':');
    if let Some(name) = HeaderName::read_window(window, len) {
        return Some((name, len));
    }
    let is_name = (1..LANES).contains(&len) && usual_name_len(window) == len;
    is_name.then_some((HeaderName::Other, len))
}

/// The same of one that does not fit into one window, and into two.
#[inline]
fn longer_name(text: &[u8]) -> Option<(HeaderName, usize)> {
    let (first, rest) = text.split_first_chunk()?;
    let second = rest.first_chunk()?;
    let more = byte_in(second, b':');
    let is_name = more < LANES && usual_name_len(first) == LANES && usual_name_len(second) >= more;
    is_name.then(|| (HeaderName::read(text.get(..LANES + more).unwrap_or_default()), LANES + more))
}

/// The same of any name.
#[inline(never)]
fn any_name(text: &[u8]) -> Option<(HeaderName, usize)> {
    if let Some(found) = longer_name(text) {
        return Some(found);
    }
    let usual = token_len(text);
    if text.get(usual) == Some(&b':') && usual > 0 {
        return Some((HeaderName::read(text.get(..usual)?), usual));
    }
    let colon = memchr(b':', text)?;
    // RFC 3261 §25.1: HCOLON = *( SP / HTAB ) ":" SWS. Whoever takes `X-Header :` for another
    // header than `X-Header:` can be made to overlook it.
    let mut name = text.get(..colon)?;
    while let [before @ .., b' ' | b'\t'] = name {
        name = before;
    }
    let is_token = !name.is_empty() && token_len(name) == name.len();
    is_token.then(|| (HeaderName::read(name), colon))
}

/// Whether the control bytes of a line stand only where the grammar has them: HT, folding, and quoted
/// pairs in a quoted string (RFC 3261 §25.1, RFC 4475 §3.1.1.2).
fn controls_are_legal(line: &[u8]) -> bool {
    let mut quoted = false;
    let mut rest = line;
    loop {
        rest = match rest {
            [] => return true,
            [b'\\', pair, after @ ..] if quoted && !matches!(pair, b'\r' | b'\n') => after,
            [b'\r', b'\n', b' ' | b'\t', after @ ..] | [b'\n', b' ' | b'\t', after @ ..] => after,
            [b'"', after @ ..] => {
                quoted = !quoted;
                after
            }
            [byte, after @ ..] if *byte == b'\t' || !byte.is_ascii_control() => after,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::class::{TOKEN, all},
        *,
    };

    fn read(text: &str) -> (HeaderIndex, Block) {
        let mut index = HeaderIndex::new();
        let block = index.read(text.as_bytes(), 0);
        (index, block)
    }

    #[test]
    fn line_ends_folding_and_space_before_the_colon() {
        let text = "A: 1\r\nB :\t2\nC:\r\n 3\r\n\t4 \r\n D\r\nE:\n\nbody";
        let (index, block) = read(text);
        let bytes = text.as_bytes();
        let lines: Vec<_> = index
            .lines()
            .iter()
            .map(|line| (line.name_in(bytes), line.value_in(bytes), line.shape))
            .collect();
        assert_eq!(
            lines,
            [
                (&b"A"[..], &b"1"[..], Shape::Plain),
                (b"B", b"2", Shape::Plain),
                (b"C", b"3\r\n\t4 \r\n D", Shape::Folded),
                (b"E", b"", Shape::Plain),
            ]
        );
        assert_eq!(block.fault, None);
        assert_eq!(&text[block.body_start..], "body");
    }

    #[test]
    fn bad_lines_are_left_out() {
        for bad in ["no colon", ": v", "Conta\u{1}ct: v", "C(: v", "A B: v", " folded nothing: v"] {
            let (index, block) = read(&format!("{bad}\r\nX: y\r\n\r\n"));
            assert_eq!((block.fault, index.lines().len()), (Some(Fault::BadHeaderLine), 1), "{bad:?}");
        }
    }

    #[test]
    fn a_cut_off_line_is_left_out() {
        for cut in [
            "A: b\r\nC: d",
            "A: b\r\n",
            "A: b\r\nC: d\r\n e",
            "A: b\r\nC: d\r\n ",
            "A: b\r\nC: d\n\t",
            "A: b\r\n\r",
        ] {
            let (index, block) = read(cut);
            assert_eq!((block.fault, index.lines().len()), (Some(Fault::HeadersUnterminated), 1), "{cut:?}");
        }
    }

    #[test]
    fn control_bytes_only_in_quoted_pairs() {
        let dirty = [
            "A: \0",
            "A: b\rc",
            "A: b\r",
            "A: \u{7f}",
            "A: \"\u{7}\"",
            "A: \\\u{7}",
            "A: \"\\\r\n b\"\u{1}",
            "A: b\r\r\n c",
        ];
        for text in dirty {
            let (index, block) = read(&format!("{text}\r\n\r\n"));
            assert_eq!(block.fault, Some(Fault::ControlByte), "{text:?}");
            assert_eq!(index.lines()[0].shape, Shape::Dirty, "{text:?}");
        }
        for text in ["A: \"\\\0 \\\u{7f}\"", "A: b\tc", "A: \u{80}\u{ff}", "A: b\n\tc", "A: \"b\r\n c\""] {
            assert_eq!(read(&format!("{text}\r\n\r\n")).1.fault, None, "{text:?}");
        }
    }

    #[test]
    fn every_line_up_to_the_limit_and_none_beyond() {
        for (count, fault) in [(HEADERS_MAX, None), (HEADERS_MAX + 1, Some(Fault::TooManyHeaders))] {
            let (index, block) = read(&("A: b\r\n".repeat(count) + "\r\n"));
            assert_eq!((index.lines().len(), block.fault), (HEADERS_MAX, fault));
        }
    }

    /// What [`HeaderIndex::read`] does, one line and one byte after the other.
    fn read_slowly(bytes: &[u8]) -> (Vec<Header<'_>>, usize, Option<Fault>) {
        let (mut lines, mut fault, mut at) = (Vec::new(), None, 0);
        let body_start = loop {
            let Some(first) = PhysicalLine::at(bytes, at) else {
                note(&mut fault, Fault::HeadersUnterminated);
                break bytes.len();
            };
            if first.end == at {
                break first.next;
            }
            let (mut last, mut shape) = (Some(first), Shape::Plain);
            while let Some(line) = last
                && matches!(bytes.get(line.next), Some(b' ' | b'\t'))
            {
                (last, shape) = (PhysicalLine::at(bytes, line.next), Shape::Folded);
            }
            let Some(last) = last else {
                note(&mut fault, Fault::HeadersUnterminated);
                break bytes.len();
            };
            match line_slowly(&bytes[at..last.end], shape) {
                None => note(&mut fault, Fault::BadHeaderLine),
                Some(_) if lines.len() >= HEADERS_MAX => note(&mut fault, Fault::TooManyHeaders),
                Some(line) => lines.push(line),
            }
            at = last.next;
        };
        for (line, (_, shape, ..)) in &mut lines {
            if !controls_are_legal(line) {
                *shape = Shape::Dirty;
                note(&mut fault, Fault::ControlByte);
            }
        }
        (lines.into_iter().map(|(_, header)| header).collect(), body_start, fault)
    }

    /// A header: what its name is, its shape, its name and its value.
    type Header<'b> = (HeaderName, Shape, &'b [u8], &'b [u8]);

    /// The whole line, and the header in it.
    fn line_slowly(text: &[u8], shape: Shape) -> Option<(&[u8], Header<'_>)> {
        let name_len = text.iter().position(|&byte| !all(&[byte], TOKEN))?;
        let spaces = text[name_len..].iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
        let colon = name_len + spaces;
        if name_len == 0 || text.get(colon) != Some(&b':') {
            return None;
        }
        let name = &text[..name_len];
        Some((text, (HeaderName::read(name), shape, name, trim(&text[colon + 1..]))))
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => "(Via|v|From|TO|Call-ID|CSeq|Max-Forwards|P-Asserted-Identity|Content-Length|X-[a-zA-Z_-]{0,24})[ \t]{0,2}:[ \t]{0,2}[ -~]{0,70}(\r\n|\n)".prop_map(String::into_bytes),
            2 => "[ -~]{0,40}[:\r\n\t \"\\\\]{0,4}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..8),
            1 => "(\r\n[ \t]|\n[ \t]|\r\n|\n|\r|\r\n\r\n)".prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn headers_are_the_same_in_blocks_and_byte_by_byte(pieces in prop::collection::vec(piece(), 0..24)) {
            let bytes = pieces.concat();
            let mut index = HeaderIndex::new();
            let block = index.read(&bytes, 0);
            let (lines, body_start, fault) = read_slowly(&bytes);
            let read: Vec<Header<'_>> = index
                .lines()
                .iter()
                .map(|line| (line.name, line.shape, line.name_in(&bytes), line.value_in(&bytes)))
                .collect();
            prop_assert_eq!(read, lines);
            prop_assert_eq!((block.body_start, block.fault), (body_start, fault));
        }
    }
}
