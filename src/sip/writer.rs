//! Pure. A cursor over the caller's buffer, and the numbers and values that go into it.
//!
//! Never: allocates, formats, writes half of something.

use std::net::{IpAddr, Ipv4Addr};

use super::{fold::pieces, header::Shape};

/// A cursor over the caller's buffer. A write that does not fit sets `overflow` and changes nothing
/// more: checked once, at the end.
#[derive(Debug)]
pub struct Writer<'o> {
    buffer: &'o mut [u8],
    len: usize,
    overflow: bool,
}

impl<'o> Writer<'o> {
    /// Writes from the start of `buffer`.
    pub fn new(buffer: &'o mut [u8]) -> Self {
        Self { buffer, len: 0, overflow: false }
    }

    /// Appends bytes.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.buffer.get_mut(self.len..end) {
            Some(room) if !self.overflow => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            _ => self.overflow = true,
        }
    }

    /// Appends a decimal number.
    pub fn put_number(&mut self, number: u64) {
        self.put(decimal(number, &mut [0; DECIMAL_BYTES_MAX]));
    }

    /// Appends the parts one after the other, each whole or not at all: one test whether there is room.
    #[inline]
    pub fn put_all<const N: usize>(&mut self, parts: [&[u8]; N]) {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let end = self.len.saturating_add(len);
        let Some(mut room) = self.buffer.get_mut(self.len..end).filter(|_| !self.overflow) else {
            // As much as fits is written, as if they came one by one.
            return parts.iter().for_each(|part| self.put(part));
        };
        for part in parts {
            let (to, rest) = room.split_at_mut(part.len());
            to.copy_from_slice(part);
            room = rest;
        }
        self.len = end;
    }

    /// Appends an IP address without brackets, an IPv6 one as RFC 5952 §4 has it. An IPv4 address that
    /// a socket of both families shows as `::ffff:192.0.2.1` is written as the IPv4 address it is.
    pub fn put_ip(&mut self, ip: IpAddr) {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.put(dotted(ip, &mut [0; DOTTED_BYTES_ROOM])),
            IpAddr::V6(ip) => self.put_groups(ip.segments()),
        }
    }

    fn put_groups(&mut self, groups: [u16; 8]) {
        let (gap, gap_len) = longest_gap(groups);
        for (at, group) in groups.into_iter().enumerate() {
            if at == gap {
                self.put(b"::");
            }
            if (gap..gap + gap_len).contains(&at) {
                continue;
            }
            if at > 0 && at != gap + gap_len {
                self.put(b":");
            }
            self.put_hex(group);
        }
    }

    fn put_hex(&mut self, group: u16) {
        let digits = [group >> 12, group >> 8 & 15, group >> 4 & 15, group & 15].map(hex_digit);
        let start = digits.iter().take(3).take_while(|&&digit| digit == b'0').count();
        self.put(digits.get(start..).unwrap_or_default());
    }

    /// Appends a header value on one line, as [`super::unfolded`] has it.
    pub fn put_unfolded(&mut self, value: &[u8]) {
        self.put_joined(pieces(value).flat_map(|piece| piece.split(u8::is_ascii_control)));
    }

    /// Appends an echoed value. No line end leaves here but those that are our own.
    #[inline]
    pub(super) fn put_value(&mut self, value: &[u8], shape: Shape) {
        match shape {
            Shape::Plain => self.put(value),
            Shape::Folded => self.put_folded(value),
            Shape::Dirty => self.put_unfolded(value),
        }
    }

    /// A quoted pair may be of a control byte; the client wants it back.
    #[cold]
    fn put_folded(&mut self, value: &[u8]) {
        self.put_joined(pieces(value));
    }

    fn put_joined<'p>(&mut self, pieces: impl Iterator<Item = &'p [u8]>) {
        for (place, piece) in pieces.enumerate() {
            if place > 0 {
                self.put(b" ");
            }
            self.put(piece);
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was written so far.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Whether something did not fit. Everything written since then is lost.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflow
    }

    /// Goes back to a length reached before (a Contact that does not fit the budget).
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The length, or `None` when something did not fit.
    #[must_use]
    pub fn finish(self) -> Option<usize> {
        (!self.overflow).then_some(self.len)
    }
}

/// u64::MAX has 20 digits.
pub(super) const DECIMAL_BYTES_MAX: usize = 20;

/// A number in decimal, at the end of `room`.
#[inline]
pub(super) fn decimal(number: u64, room: &mut [u8; DECIMAL_BYTES_MAX]) -> &[u8] {
    let mut rest = number;
    let mut start = room.len();
    for (at, digit) in room.iter_mut().enumerate().rev() {
        *digit = decimal_digit(rest % 10);
        rest /= 10;
        start = at;
        if rest == 0 {
            break;
        }
    }
    room.get(start..).unwrap_or_default()
}

/// `255.255.255.255` with a dot behind.
pub(super) const DOTTED_BYTES_ROOM: usize = 16;

/// An IPv4 address as text.
#[inline]
pub(super) fn dotted(ip: Ipv4Addr, room: &mut [u8; DOTTED_BYTES_ROOM]) -> &[u8] {
    let mut len = 0;
    for octet in ip.octets() {
        let (text, digits) = OCTETS[usize::from(octet)];
        if let Some(place) = room.get_mut(len..).and_then(<[u8]>::first_chunk_mut) {
            *place = text;
        }
        len += usize::from(digits) + 1;
    }
    room.get(..len - 1).unwrap_or_default()
}

/// Each octet with a dot behind it, and its number of digits.
static OCTETS: [([u8; 4], u8); 256] = {
    let mut octets = [([b'.'; 4], 1); 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = [b'0' + (octet / 100) as u8, b'0' + (octet / 10 % 10) as u8, b'0' + (octet % 10) as u8];
        octets[octet] = match octet {
            0..10 => ([digits[2], b'.', 0, 0], 1),
            10..100 => ([digits[1], digits[2], b'.', 0], 2),
            _ => ([digits[0], digits[1], digits[2], b'.'], 3),
        };
        octet += 1;
    }
    octets
};

fn decimal_digit(value: u64) -> u8 {
    // Below ten, so nothing is cut off.
    b'0' + (value % 10) as u8
}

fn hex_digit(value: u16) -> u8 {
    let value = (value & 15) as u8;
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// RFC 5952 §4.2: the first of the longest runs of two or more zero groups. Without one, a place
/// beyond the last group.
fn longest_gap(groups: [u16; 8]) -> (usize, usize) {
    let (mut best, mut best_len) = (groups.len(), 0);
    let (mut run_start, mut run_len) = (0, 0);
    for (at, group) in groups.into_iter().enumerate() {
        if group != 0 {
            run_len = 0;
            continue;
        }
        if run_len == 0 {
            run_start = at;
        }
        run_len += 1;
        if run_len > best_len && run_len > 1 {
            (best, best_len) = (run_start, run_len);
        }
    }
    (best, best_len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut buffer = [0; 256];
        let mut out = Writer::new(&mut buffer);
        write(&mut out);
        assert!(!out.overflowed());
        String::from_utf8(out.written().to_vec()).expect("ASCII")
    }

    #[test]
    fn addresses_as_rfc_5952_has_them() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "2001:db8:0:1:1:1:1:1",
            "2001:0:0:1::1",
            "2001:db8::1:0:0:1",
            "1:2:3:4:5:6:7:8",
            "0:1:2:3:4:5:6:7",
            "fe80::a0b:c00d",
        ] {
            assert_eq!(written(|out| out.put_ip(text.parse().expect("an address"))), text);
        }
        assert_eq!(written(|out| out.put_ip("::ffff:192.0.2.1".parse().expect("an address"))), "192.0.2.1");
    }

    proptest! {
        #[test]
        fn numbers_and_addresses_read_as_the_library_writes_them(number: u64, groups: [u16; 8], zeros: u8, v4: [u8; 4]) {
            prop_assert_eq!(written(|out| out.put_number(number)), number.to_string());
            let mut groups = groups;
            for (at, group) in groups.iter_mut().enumerate() {
                if zeros >> at & 1 == 1 { *group = 0; }
            }
            let v6 = std::net::Ipv6Addr::from(groups);
            prop_assert_eq!(written(|out| out.put_ip(v6.into())), v6.to_canonical().to_string());
            let v4 = Ipv4Addr::from(v4);
            prop_assert_eq!(written(|out| out.put_ip(v4.into())), v4.to_string());
        }
    }

    #[test]
    fn numbers_at_their_edges() {
        for number in [0, 9, 10, 99, 100, u64::MAX] {
            assert_eq!(written(|out| out.put_number(number)), number.to_string());
        }
    }

    #[test]
    fn what_does_not_fit_stops_everything_after_it() {
        let mut buffer = [0; 4];
        let mut out = Writer::new(&mut buffer);
        out.put(b"abcd");
        assert_eq!(out.written(), b"abcd");
        out.truncate(2);
        out.put(b"xyz");
        out.put(b"z");
        assert_eq!(out.written(), b"ab");
        assert_eq!(out.finish(), None);
        let mut out = Writer::new(&mut buffer);
        out.put(b"abcd");
        assert_eq!(out.finish(), Some(4));
    }

    #[test]
    fn folding_becomes_one_space_and_stray_controls_too() {
        let table = [
            ("a\r\n b", Shape::Folded, "a b"),
            ("a \t\r\n\t \r\n b \n c", Shape::Folded, "a b c"),
            ("a\r\n b\"\\\u{7}\"", Shape::Folded, "a b\"\\\u{7}\""),
            ("a\r\n b\u{1}\u{7f}\0c\rd", Shape::Dirty, "a b   c d"),
            ("a\tb", Shape::Dirty, "a b"),
            ("a\tb", Shape::Folded, "a\tb"),
            ("a  b", Shape::Plain, "a  b"),
        ];
        for (value, shape, expected) in table {
            assert_eq!(written(|out| out.put_value(value.as_bytes(), shape)), expected, "{value:?}");
        }
    }
}
