//! Pure. A cursor over a header value, and the pieces of grammar that several values share (RFC 3261
//! §25.1).
//!
//! Never: steps outside the bytes it was given; every step moves forward.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use memchr::memchr;

use super::{
    class::{is, is_lws, trim},
    lanes::{host_len, token_len, unquoted_len, value_len},
};

/// The values of a header line that is a comma-separated list (Contact, Via, Route,
/// P-Asserted-Identity), trimmed. Commas in quotes and in `<>` do not divide; a quote inside `<>` and
/// brackets inside quotes are only text. A value may be empty: `a,,b` has three.
pub fn list_values(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = if memchr(b',', line).is_some() { value_end(line) } else { line.len() };
        rest = line.get(end.saturating_add(1)..);
        line.get(..end).map(trim)
    })
}

/// Where a part that was read of a text stands in it.
#[must_use]
pub fn place_in(text: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    // An empty part may be of no text at all.
    if part.is_empty() { 0..0 } else { start..start.saturating_add(part.len()) }
}

/// Where the first value of a list ends: its comma, or the end of the line.
fn value_end(line: &[u8]) -> usize {
    let (mut quoted, mut in_brackets, mut escaped) = (false, false, false);
    for (at, &byte) in line.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !in_brackets => quoted = !quoted,
            _ if quoted => {}
            b'<' => in_brackets = true,
            b'>' => in_brackets = false,
            b',' if !in_brackets => return at,
            _ => {}
        }
    }
    line.len()
}

/// A cursor over one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How far it has come.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over this byte, if it is the next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Steps over this byte with white space around it (RFC 3261 §25.1 `SLASH`, `SEMI`, `EQUAL` …).
    /// Stays where it is when it is not there.
    pub(super) fn eat_spaced(&mut self, byte: u8) -> bool {
        let start = self.at;
        self.skip_lws();
        if self.eat(byte) {
            self.skip_lws();
            return true;
        }
        self.at = start;
        false
    }

    /// Steps over white space; says whether there was any.
    pub(super) fn skip_lws(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(is_lws) {
            self.at += 1;
        }
        self.at > start
    }

    /// Takes the bytes of a class, which may be none.
    pub(super) fn take(&mut self, class: u8) -> &'a [u8] {
        self.take_while(|byte| is(byte, class))
    }

    /// Takes this many bytes, which are there.
    pub(super) fn take_len(&mut self, len: usize) -> &'a [u8] {
        let taken = self.rest().get(..len).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    /// Takes bytes as long as they are wanted.
    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    /// Takes a `quoted-string` with its quotes; `None` when it does not end.
    pub(super) fn quoted(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        if !self.eat(b'"') {
            return None;
        }
        loop {
            self.at += unquoted_len(self.rest());
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return self.bytes.get(start..self.at),
                // RFC 3261 §25.1: a quoted pair cannot be of CR or LF.
                b'\\' if matches!(self.peek(), None | Some(b'\r' | b'\n')) => return None,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    /// Takes a host: a name or IPv4 address, or an IPv6 reference with its brackets.
    pub(super) fn host(&mut self) -> Option<&'a [u8]> {
        if self.peek() != Some(b'[') {
            let host = self.take_len(host_len(self.rest()));
            return Some(host).filter(|host| !host.is_empty());
        }
        let start = self.at;
        self.at += 1;
        let address = self.take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
        if !self.eat(b']') || ipv6(address).is_none() {
            return None;
        }
        self.bytes.get(start..self.at)
    }

    /// Takes a `generic-param`, standing after its `;`.
    pub(super) fn param(&mut self) -> Option<Param<'a>> {
        let name = self.take_len(token_len(self.rest()));
        if name.is_empty() {
            return None;
        }
        if !self.eat_spaced(b'=') {
            return Some(Param { name, value: None });
        }
        let value =
            if self.peek() == Some(b'"') { self.quoted()? } else { self.take_len(value_len(self.rest())) };
        (!value.is_empty()).then_some(Param { name, value: Some(value) })
    }
}

/// A header parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
}

/// The address that a host is, with or without brackets; an IPv4 address within IPv6 as IPv4.
#[must_use]
#[inline]
pub fn host_address(host: &[u8]) -> Option<IpAddr> {
    // A name is no address, and most hosts are names.
    let may_be = |first: &u8| first.is_ascii_hexdigit() || matches!(first, b':' | b'[');
    if host.first().is_some_and(may_be) { address_of(host) } else { None }
}

fn address_of(host: &[u8]) -> Option<IpAddr> {
    let bare = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
    let text = std::str::from_utf8(bare).ok()?;
    if bare.contains(&b':') {
        return text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    }
    text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

/// An IPv6 address without brackets.
pub(super) fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().or_else(|| three_colons(text))
}

/// RFC 5118 §4.10: the grammar of RFC 3261 makes three colons of the two before an IPv4 address, and
/// both must be tolerated: `2001:db8:::192.0.2.1`.
#[cold]
fn three_colons(text: &str) -> Option<Ipv6Addr> {
    let (before, v4) = text.rsplit_once(':')?;
    let v4: Ipv4Addr = v4.parse().ok()?;
    let before: Ipv6Addr = before.ends_with("::").then(|| before.parse().ok())??;
    // The gap and the IPv4 address take the last three groups at least.
    let ends_in_gap = matches!(before.segments(), [.., 0, 0, 0]);
    ends_in_gap.then(|| Ipv6Addr::from_bits(before.to_bits() | u128::from(v4.to_bits())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings() {
        let quoted = |text| Scan::new(text).quoted();
        assert_eq!(quoted(br#""a \" b" x"#), Some(&br#""a \" b""#[..]));
        assert_eq!(quoted(b"\"\\\0\""), Some(&b"\"\\\0\""[..]));
        for bad in [&b"\"a"[..], b"\"a\\", b"\"a\\\"", b"\"a\\\r\n b\"", b"a", b""] {
            assert_eq!(quoted(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn lists_divide_outside_quotes_and_brackets() {
        let values = |line| list_values(line).collect::<Vec<_>>();
        assert_eq!(values(b"a"), [b"a"]);
        assert_eq!(values(b"a , b,"), [&b"a"[..], b"b", b""]);
        assert_eq!(
            values(br#""x, \", y" <sip:a,b@c>;p="1,2", <tel:+1>"#),
            [&br#""x, \", y" <sip:a,b@c>;p="1,2""#[..], b"<tel:+1>"]
        );
        assert_eq!(values(b"\"a, b"), [b"\"a, b"]);
        // RFC 3325 §9.1: one or two, sip: and tel:.
        assert_eq!(
            values(b"\"C, <J\" <sip:c,j@a.example>,\r\n <tel:+1>"),
            [&b"\"C, <J\" <sip:c,j@a.example>"[..], b"<tel:+1>"]
        );
        assert_eq!(values(b"<sip:a\"b@c>, \"d\" <tel:+1>"), [&b"<sip:a\"b@c>"[..], b"\"d\" <tel:+1>"]);
        assert_eq!(values(b", <tel:+1>"), [&b""[..], b"<tel:+1>"]);
    }

    #[test]
    fn three_colons_before_an_ipv4_address_are_two() {
        for (text, same) in [
            ("2001:db8:::192.0.2.1", "2001:db8::192.0.2.1"),
            (":::192.0.2.1", "::192.0.2.1"),
            ("1:2:3:4:5:::192.0.2.1", "1:2:3:4:5:0:192.0.2.1"),
        ] {
            assert_eq!(ipv6(text.as_bytes()), same.parse().ok(), "{text}");
        }
        for bad in [
            "2001:db8:::1",
            "2001:db8::::192.0.2.1",
            "1:2:3:4:5:6:::192.0.2.1",
            "1::2:::192.0.2.1",
            "2001:db8:192.0.2.1",
            ":::192.0.2.256",
            ":::",
            "192.0.2.1",
            "",
        ] {
            assert_eq!(ipv6(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn hosts() {
        let host = |text| Scan::new(text).host();
        assert_eq!(host(b"a-1.example:5060"), Some(&b"a-1.example"[..]));
        assert_eq!(host(b"[2001:db8::1]:5060"), Some(&b"[2001:db8::1]"[..]));
        for bad in [&b""[..], b":5060", b"[::1", b"[]", b"[1.2.3.4]", b"[::g]", b"[::1%eth0]"] {
            assert_eq!(host(bad), None, "{bad:?}");
        }
    }
}
