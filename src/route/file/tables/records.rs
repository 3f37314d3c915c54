//! Pure. The records of a CSV file that comes in pieces, each with the number of its line.
//!
//! In:    the bytes of the file, in any pieces.
//! Out:   its records (RFC 4180), without comments and empty lines.
//! Never: holds more than one record.

use std::ops::ControlFlow;

use crate::limits::TABLE_ROW_BYTES_MAX;

/// One record. Blanks around a cell are not of it.
#[derive(Clone, Copy)]
pub(super) struct Record<'r> {
    /// Line on which it begins.
    pub(super) line: u32,
    bytes: &'r [u8],
    ends: &'r [usize],
}

impl<'r> Record<'r> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn cell(&self, index: usize) -> &'r [u8] {
        let end = self.ends.get(index).copied().unwrap_or_default();
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(start..end).unwrap_or_default().trim_ascii()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &'r [u8]> {
        let (record, len) = (*self, self.len());
        (0..len).map(move |index| record.cell(index))
    }
}

/// A record of more than [`TABLE_ROW_BYTES_MAX`] bytes begins on this line. Nothing is read after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    pub(super) line: u32,
}

/// What takes the records; it may have had enough.
pub(super) type Flow = Result<ControlFlow<()>, TooLong>;

/// Splits bytes into records.
pub(super) struct Records {
    start: Start,
    comments: Comments,
    rows: Rows,
}

/// Bytes that may be those of a byte order mark.
#[derive(Default)]
struct Start {
    held: Vec<u8>,
    is_over: bool,
}

const MARK: &[u8] = b"\xef\xbb\xbf";

impl Records {
    pub(super) fn new(separator: u8) -> Self {
        let core = csv_core::ReaderBuilder::new().delimiter(separator).build();
        let rows = Rows {
            core,
            bytes: vec![0; 512],
            bytes_len: 0,
            ends: vec![0; 64],
            ends_len: 0,
            within: false,
            line: 1,
            breaks: 0,
        };
        Self { start: Start::default(), comments: Comments::default(), rows }
    }

    /// Reads a piece.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Flow {
        if self.start.is_over {
            return self.pass(bytes, sink);
        }
        self.start.held.extend_from_slice(bytes);
        if self.start.held.len() < MARK.len() && MARK.starts_with(&self.start.held) {
            return Ok(ControlFlow::Continue(()));
        }
        self.begin(sink)
    }

    /// Reads the end of the file.
    pub(super) fn finish(&mut self, sink: &mut impl FnMut(Record<'_>) -> ControlFlow<()>) -> Flow {
        if !self.start.is_over && self.begin(sink)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        self.rows.finish(sink)
    }

    fn begin(&mut self, sink: &mut impl FnMut(Record<'_>) -> ControlFlow<()>) -> Flow {
        self.start.is_over = true;
        let held = std::mem::take(&mut self.start.held);
        self.pass(held.strip_prefix(MARK).unwrap_or(&held), sink)
    }

    fn pass(&mut self, bytes: &[u8], sink: &mut impl FnMut(Record<'_>) -> ControlFlow<()>) -> Flow {
        let mut rest = bytes;
        while let Some(part) = self.comments.next(&mut rest) {
            if self.rows.feed(part, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Leaves out comments: lines that begin with `#` and then a space, a letter, or nothing. `#31#` is a key.
/// The line break after a comment stays, so that lines keep their numbers.
#[derive(Default)]
struct Comments {
    state: State,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// At the beginning of a line.
    #[default]
    Begin,
    Within,
    /// After a `#` that begins a line.
    Sign,
    Comment,
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

impl Comments {
    /// The next bytes of `rest` that are of no comment; `None` when there are none left.
    fn next<'c>(&mut self, rest: &mut &'c [u8]) -> Option<&'c [u8]> {
        loop {
            let &first = rest.first()?;
            match self.state {
                // A byte that is not ASCII is of a letter of another alphabet; no number has one.
                State::Sign
                    if first.is_ascii_whitespace() || first.is_ascii_alphabetic() || !first.is_ascii() =>
                {
                    self.state = State::Comment;
                }
                State::Sign => {
                    self.state = State::Within;
                    return Some(b"#");
                }
                State::Comment => {
                    let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    *rest = rest.get(end..).unwrap_or_default();
                    if !rest.is_empty() {
                        self.state = State::Begin;
                    }
                }
                State::Begin | State::Within => {
                    let part = self.until_sign(rest);
                    if !part.is_empty() {
                        return Some(part);
                    }
                }
            }
        }
    }

    /// Takes what is before the next `#` that begins a line, and that sign.
    fn until_sign<'c>(&mut self, rest: &mut &'c [u8]) -> &'c [u8] {
        let bytes = *rest;
        for sign in memchr::memchr_iter(b'#', bytes) {
            let (before, after) = bytes.split_at(sign);
            let begins_line =
                before.last().map_or(matches!(self.state, State::Begin), |&byte| is_break(byte));
            if begins_line {
                self.state = State::Sign;
                *rest = after.get(1..).unwrap_or_default();
                return before;
            }
        }
        let ends_line = bytes.last().is_some_and(|&byte| is_break(byte));
        self.state = if ends_line { State::Begin } else { State::Within };
        *rest = b"";
        bytes
    }
}

/// The splitter, with room for one record.
struct Rows {
    core: csv_core::Reader,
    bytes: Vec<u8>,
    bytes_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    /// A record has begun.
    within: bool,
    /// Line on which it did.
    line: u32,
    /// Line feeds between records: the splitter does not see them.
    breaks: u64,
}

impl Rows {
    fn feed(&mut self, bytes: &[u8], sink: &mut impl FnMut(Record<'_>) -> ControlFlow<()>) -> Flow {
        let mut input = bytes;
        loop {
            if !self.within {
                input = self.skip_breaks(input);
            }
            // No bytes mean the end of the file to the splitter.
            if input.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            let (read, ended) = self.step(input)?;
            input = input.get(read..).unwrap_or_default();
            if ended && self.hand_over(sink).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn finish(&mut self, sink: &mut impl FnMut(Record<'_>) -> ControlFlow<()>) -> Flow {
        while self.within {
            let (_, ended) = self.step(b"")?;
            if ended && self.hand_over(sink).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn skip_breaks<'c>(&mut self, input: &'c [u8]) -> &'c [u8] {
        let count = input.iter().take_while(|&&byte| is_break(byte)).count();
        let (breaks, rest) = input.split_at(count);
        let feeds = breaks.iter().filter(|&&byte| byte == b'\n').count();
        self.breaks = self.breaks.saturating_add(u64::try_from(feeds).unwrap_or(u64::MAX));
        if !rest.is_empty() {
            self.within = true;
            let line = self.core.line().saturating_add(self.breaks);
            self.line = u32::try_from(line).unwrap_or(u32::MAX);
        }
        rest
    }

    /// Reads on in the record; the bytes read, and whether it has ended.
    fn step(&mut self, input: &[u8]) -> Result<(usize, bool), TooLong> {
        let bytes = self.bytes.get_mut(self.bytes_len..).unwrap_or_default();
        let ends = self.ends.get_mut(self.ends_len..).unwrap_or_default();
        let (result, read, written, cells) = self.core.read_record(input, bytes, ends);
        self.bytes_len = self.bytes_len.saturating_add(written);
        self.ends_len = self.ends_len.saturating_add(cells);
        match result {
            csv_core::ReadRecordResult::InputEmpty => {}
            csv_core::ReadRecordResult::OutputFull => grow(&mut self.bytes, BYTES_ROOM_MAX, self.line)?,
            csv_core::ReadRecordResult::OutputEndsFull => {
                grow(&mut self.ends, TABLE_ROW_BYTES_MAX, self.line)?
            }
            csv_core::ReadRecordResult::Record => return Ok((read, true)),
            csv_core::ReadRecordResult::End => self.within = false,
        }
        Ok((read, false))
    }

    fn hand_over(&mut self, sink: &mut impl FnMut(Record<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let bytes = self.bytes.get(..self.bytes_len).unwrap_or_default();
        let ends = self.ends.get(..self.ends_len).unwrap_or_default();
        let flow = sink(Record { line: self.line, bytes, ends });
        (self.bytes_len, self.ends_len, self.within) = (0, 0, false);
        flow
    }
}

/// One place more than is allowed: the splitter asks for room when the last one is taken.
const BYTES_ROOM_MAX: usize = TABLE_ROW_BYTES_MAX + 1;

fn grow<T: Clone + Default>(room: &mut Vec<T>, most: usize, line: u32) -> Result<(), TooLong> {
    if room.len() >= most {
        return Err(TooLong { line });
    }
    room.resize(room.len().saturating_mul(2).min(most), T::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line and cells of each record, the file fed in pieces of this many bytes.
    fn records(text: &[u8], piece: usize) -> Result<Vec<(u32, Vec<String>)>, TooLong> {
        let mut found = Vec::new();
        let mut sink = |record: Record<'_>| {
            let cells = record.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            found.push((record.line, cells));
            ControlFlow::Continue(())
        };
        let mut records = Records::new(b',');
        for piece in text.chunks(piece) {
            let _ = records.feed(piece, &mut sink)?;
        }
        let _ = records.finish(&mut sink)?;
        Ok(found)
    }

    fn shown(text: &str, piece: usize) -> String {
        let row = |(line, cells): (u32, Vec<String>)| format!("{line}:{}", cells.join("|"));
        records(text.as_bytes(), piece).expect(text).into_iter().map(row).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn records_have_their_lines_in_whatever_pieces_they_come() {
        for (text, expected) in [
            ("", ""),
            ("\n\r\n", ""),
            ("1", "1:1"),
            ("1,2\n3,4", "1:1|2 2:3|4"),
            ("1,2\r\n3,4\r\n", "1:1|2 2:3|4"),
            ("1\r2\r", "1:1 1:2"),
            ("\n\n1\n\n\n2\n", "3:1 6:2"),
            ("\u{feff}1\n2", "1:1 2:2"),
            ("\u{feff}", ""),
            ("\u{feff}# a\n1", "2:1"),
            ("1 , 2\t\n", "1:1|2"),
            ("\"a,\"\"b\",c\nd", "1:a,\"b|c 2:d"),
            ("\"a\nb\",c\nd", "1:a\nb|c 3:d"),
            (",\n,", "1:| 2:|"),
            ("1\n# a\n2\n#\n#31#,x\n#1\n##\n#", "1:1 3:2 5:#31#|x 6:#1 7:##"),
            ("1\r\n# a \"\r\n2\r\n#b\r\n", "1:1 3:2"),
            ("1# a\n #b", "1:1# a 2:#b"),
            ("\"#A1\",x", "1:#A1|x"),
            ("#\u{dc}ber\n1", "2:1"),
        ] {
            for piece in [1, 2, 3, 5, 1000] {
                assert_eq!(shown(text, piece), expected, "{text:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn comments_are_told_from_keys() {
        for (line, is_comment) in [
            ("# a, \"b", true),
            ("#", true),
            ("#\ttab", true),
            ("#number,rn", true),
            ("#\u{dc}berschrift", true),
            ("#31#,x", false),
            ("#1", false),
            ("##", false),
            ("#*", false),
            ("#,x", false),
            ("\"#A1\",x", false),
            (" # a", false),
            ("1# a", false),
        ] {
            for (before, after) in [("", ""), ("1\n", "\n2"), ("1\r\n", "\r\n#\r\n")] {
                let text = [before, line, after].concat();
                for piece in [1, 2, 1000] {
                    let of_line = 1 + u32::from(!before.is_empty());
                    let found = records(text.as_bytes(), piece).expect("records");
                    let has = found.iter().any(|(line, _)| *line == of_line);
                    assert_eq!(has, !is_comment, "{text:?} in pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn a_record_has_its_limit() {
        let text = |bytes: usize| format!("1\n{}\n2\n", "x".repeat(bytes));
        for piece in [1000, 1 << 20] {
            let found = records(text(TABLE_ROW_BYTES_MAX).as_bytes(), piece).expect("as long as allowed");
            assert_eq!((found.len(), found[1].1[0].len()), (3, TABLE_ROW_BYTES_MAX));
            let found = records(text(TABLE_ROW_BYTES_MAX + 1).as_bytes(), piece);
            assert_eq!(found.err(), Some(TooLong { line: 2 }));
            let commas = ",".repeat(TABLE_ROW_BYTES_MAX - 1);
            assert_eq!(records(commas.as_bytes(), piece).expect("cells")[0].1.len(), TABLE_ROW_BYTES_MAX);
            let commas = ",".repeat(TABLE_ROW_BYTES_MAX);
            assert_eq!(records(commas.as_bytes(), piece).err(), Some(TooLong { line: 1 }));
        }
    }
}
