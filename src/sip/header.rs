//! Pure. The index of where each header of a message stands.
//!
//! In:    a datagram's bytes after its first line.
//! Out:   spans of names and values, and what is wrong with the lines as such.
//! Never: looks into a value for its meaning; grows its memory.

use memchr::memchr;

use super::{
    Fault, HeaderName,
    class::{TOKEN, all, is_lws, trim_end},
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

/// Where one header stands. [`crate::limits::MESSAGE_BYTES_MAX`] fits into 16 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) name: HeaderName,
    pub(super) shape: Shape,
    name_start: u16,
    name_end: u16,
    value_start: u16,
    value_end: u16,
    end: u16,
}

impl Line {
    /// The name as written.
    pub(super) fn name_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        span(bytes, self.name_start, self.name_end)
    }

    /// The value, trimmed.
    pub(super) fn value_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        span(bytes, self.value_start, self.value_end)
    }
}

fn span(bytes: &[u8], start: u16, end: u16) -> &[u8] {
    bytes.get(usize::from(start)..usize::from(end)).unwrap_or_default()
}

/// Where the headers of one message stand. Made once, used again for every datagram; its memory is
/// bounded by [`crate::limits::HEADERS_MAX`] and never grows after [`HeaderIndex::new`].
#[derive(Debug)]
pub struct HeaderIndex {
    lines: Vec<Line>,
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
        Self { lines: Vec::with_capacity(HEADERS_MAX) }
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Reads the header lines that begin at `start`, up to the empty line. Bad lines are left out.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize) -> Block {
        self.lines.clear();
        let mut fault = None;
        let mut at = start;
        // Bytes of line ends, of which every line has its own, folded or not.
        let mut ends = 0;
        let body_start = loop {
            let Some(line) = PhysicalLine::at(bytes, at) else {
                note(&mut fault, Fault::HeadersUnterminated);
                break bytes.len();
            };
            ends += line.next - line.end;
            if line.end == at {
                break line.next;
            }
            let Some((end, next, shape)) = unfold(bytes, line, &mut ends) else {
                note(&mut fault, Fault::HeadersUnterminated);
                break bytes.len();
            };
            match Self::line(bytes, at, end, shape) {
                None => note(&mut fault, Fault::BadHeaderLine),
                Some(_) if self.lines.len() >= HEADERS_MAX => note(&mut fault, Fault::TooManyHeaders),
                Some(line) => self.lines.push(line),
            }
            at = next;
        };
        let block = bytes.get(start..body_start).unwrap_or_default();
        if count_controls(block) != ends && self.mark_dirty(bytes) {
            note(&mut fault, Fault::ControlByte);
        }
        Block { body_start, fault }
    }

    fn line(bytes: &[u8], start: usize, end: usize, shape: Shape) -> Option<Line> {
        let text = bytes.get(start..end)?;
        let (before, after) = text.split_at_checked(colon(text)?)?;
        // RFC 3261 §25.1: HCOLON = *( SP / HTAB ) ":" SWS. Whoever takes `X-Header :` for another
        // header than `X-Header:` can be made to overlook it.
        let spaces = before.iter().rev().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
        let name = before.get(..before.len().saturating_sub(spaces))?;
        let known = HeaderName::read(name);
        // One that is known is a token.
        if known == HeaderName::Other && (name.is_empty() || !all(name, TOKEN)) {
            return None;
        }
        let value = after.get(1..)?;
        let leading = value.iter().take_while(|&&byte| is_lws(byte)).count();
        let value = value.get(leading..)?;
        let value_start = end.saturating_sub(value.len());
        let value_end = value_start.saturating_add(trim_end(value).len());
        let narrow = |at: usize| u16::try_from(at).ok();
        Some(Line {
            name: known,
            shape,
            name_start: narrow(start)?,
            name_end: narrow(start.saturating_add(name.len()))?,
            value_start: narrow(value_start)?,
            value_end: narrow(value_end)?,
            end: narrow(end)?,
        })
    }

    /// Marks the lines with control bytes where they may not be; says whether there are any.
    #[cold]
    fn mark_dirty(&mut self, bytes: &[u8]) -> bool {
        let mut any = false;
        for line in &mut self.lines {
            if !controls_are_legal(span(bytes, line.name_start, line.end)) {
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

/// Adds the lines that continue this one (RFC 3261 §7.3.1): text end, next line, shape. Counts the bytes of
/// their ends.
fn unfold(bytes: &[u8], first: PhysicalLine, ends: &mut usize) -> Option<(usize, usize, Shape)> {
    let mut line = first;
    let mut shape = Shape::Plain;
    while matches!(bytes.get(line.next), Some(b' ' | b'\t')) {
        line = PhysicalLine::at(bytes, line.next)?;
        *ends += line.next - line.end;
        shape = Shape::Folded;
    }
    Some((line.end, line.next, shape))
}

/// Where the first colon stands, found by words: names are too short for a search that has to be set up.
fn colon(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        // The lowest byte that is zero here is the first that is a colon.
        let differs = u64::from_le_bytes(*word) ^ (ONES * b':' as u64);
        let found = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if found != 0 {
            return Some(8 * number + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|&byte| byte == b':').map(|at| 8 * words.len() + at)
}

/// How many bytes are control bytes. It reads every byte of every message: in lanes, so that it is
/// compiled to vector instructions.
fn count_controls(block: &[u8]) -> usize {
    const LANES: usize = 32;
    let is_control = |byte: u8| u8::from((byte < b' ') | (byte == 0x7f));
    let (chunks, rest) = block.as_chunks::<LANES>();
    let mut count = rest.iter().map(|&byte| usize::from(is_control(byte))).sum();
    // No lane can count further than a byte can.
    for some in chunks.chunks(usize::from(u8::MAX)) {
        let mut lanes = [0_u8; LANES];
        for chunk in some {
            for (lane, &byte) in lanes.iter_mut().zip(chunk) {
                *lane += is_control(byte);
            }
        }
        count += lanes.iter().map(|&lane| usize::from(lane)).sum::<usize>();
    }
    count
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
    use super::*;

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
        for cut in ["A: b\r\nC: d", "A: b\r\n", "A: b\r\nC: d\r\n e", "A: b\r\n\r"] {
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
            assert_eq!(index.lines.capacity(), HEADERS_MAX);
        }
    }
}
