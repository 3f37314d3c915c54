//! Pure. The top Via: where an answer goes (RFC 3261 §18.2.2, RFC 3581).

use std::ops::Range;

use super::{
    class::{TOKEN, port},
    lanes::Notable,
    scan::{Param, Scan},
};

/// One Via value, read (RFC 3261 §20.42).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The whole value as written, without the comma that ends it.
    pub value: &'a [u8],
    /// `UDP`, `TCP` …, as written.
    pub transport: &'a [u8],
    /// Host of sent-by, IPv6 with brackets. Empty in a value that cannot be read that far.
    pub host: &'a [u8],
    /// Port of sent-by.
    pub port: Option<u16>,
    /// The `branch` parameter.
    pub branch: Option<&'a [u8]>,
    /// `rport`: `Some(None)` when it has no value, as a client sends it (RFC 3581 §3).
    pub rport: Option<Option<&'a [u8]>>,
}

/// The first value of a Via line, and where its parameters stand that an answer changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopVia<'a> {
    pub(super) via: Via<'a>,
    /// `;received=…` in [`Via::value`].
    pub(super) received: Option<Range<usize>>,
    /// `;rport…` in [`Via::value`].
    pub(super) rport: Option<Range<usize>>,
    /// There is an `oc`: the client may offer overload control (RFC 7339 §4.1).
    pub(super) has_oc: bool,
    /// Everything is of the form. If not, [`Via::value`] is the whole line and is echoed as it came.
    pub(super) sound: bool,
}

impl<'a> TopVia<'a> {
    /// Before there is one.
    pub(super) const NONE: Self = TopVia {
        via: Via { value: &[], transport: &[], host: &[], port: None, branch: None, rport: None },
        received: None,
        rport: None,
        has_oc: false,
        sound: false,
    };

    /// Reads the first value of a trimmed line, in place of what was read before.
    pub(super) fn read(&mut self, line: &'a [u8]) {
        if self.read_usual(line).is_none() {
            self.read_any(line);
        }
    }

    fn begin(&mut self, line: &'a [u8]) {
        *self = Self::NONE;
        self.via.value = line;
    }

    /// Reads what nearly all are: one value, and in it nothing but letters, digits and `-._` between what divides it.
    /// `None` says nothing of others.
    fn read_usual(&mut self, line: &'a [u8]) -> Option<()> {
        self.begin(line);
        let (transport, text) = line.strip_prefix(b"SIP/2.0/")?.split_at_checked(3)?;
        let text = text.strip_prefix(b" ").filter(|_| matches!(transport, b"UDP" | b"TCP" | b"TLS"))?;
        let skipped = line.len() - text.len();
        let mut places = Notable::new(text);
        let mut end = places.next();
        self.via.transport = transport;
        self.via.host = text.get(..end).filter(|host| !host.is_empty())?;
        if text.get(end) == Some(&b':') {
            let digits = end + 1;
            end = places.next();
            self.via.port = Some(port(text.get(digits..end)?)?);
        }
        while let Some(divider) = text.get(end) {
            let start = end;
            let name_end = places.next();
            let name = text.get(start + 1..name_end).filter(|_| *divider == b';')?;
            let mut value = None;
            end = name_end;
            if text.get(end) == Some(&b'=') {
                end = places.next();
                value = Some(text.get(name_end + 1..end).filter(|value| !value.is_empty())?);
            }
            self.take(Param { name, value }, skipped + start..skipped + end)?;
        }
        self.sound = true;
        Some(())
    }

    fn read_any(&mut self, line: &'a [u8]) {
        self.begin(line);
        if let Some(value) = self.fill(line).and_then(|len| line.get(..len)) {
            self.via.value = value;
            self.sound = true;
        } else {
            // Half a sent-by is none: an `rport` may stand behind what cannot be read.
            self.via.host = &[];
            self.via.port = None;
        }
    }

    /// Fills in what can be read; the length of the value when all of it can.
    fn fill(&mut self, line: &'a [u8]) -> Option<usize> {
        let mut scan = Scan::new(line);
        // RFC 4475 §3.1.1.1: SLASH may have white space and folding around it. The version is not
        // judged: a request of SIP/7.0 is answered 505 along its SIP/7.0 Via.
        let usual = line.strip_prefix(b"SIP/2.0/").and_then(|rest| rest.split_at_checked(3));
        if let Some((transport @ (b"UDP" | b"TCP" | b"TLS"), [b' ', ..])) = usual {
            scan.take_len(b"SIP/2.0/UDP".len());
            self.via.transport = transport;
        } else {
            token(&mut scan)?;
            slash(&mut scan)?;
            token(&mut scan)?;
            slash(&mut scan)?;
            self.via.transport = token(&mut scan)?;
        }
        if !scan.skip_lws() {
            return None;
        }
        self.via.host = scan.host()?;
        if scan.eat_spaced(b':') {
            self.via.port = Some(port(scan.take_while(|byte| byte.is_ascii_digit()))?);
        }
        let mut end = scan.at();
        while scan.eat_spaced(b';') {
            let param = scan.param()?;
            let span = end..scan.at();
            end = span.end;
            self.take(param, span)?;
        }
        scan.skip_lws();
        scan.peek().is_none_or(|byte| byte == b',').then_some(end)
    }

    /// Takes a parameter in that stands in this place; `None` when it may not.
    #[inline]
    fn take(&mut self, param: Param<'a>, span: Range<usize>) -> Option<()> {
        // The usual spelling is compared as one word or two.
        let is = |name: &[u8]| param.name == name || param.name.eq_ignore_ascii_case(name);
        match param.name.len() {
            0 => return None,
            6 if is(b"branch") => once(&mut self.via.branch, param.value?)?,
            5 if is(b"rport") => {
                once(&mut self.via.rport, param.value)?;
                self.rport = Some(span);
            }
            8 if is(b"received") => once(&mut self.received, span)?,
            2 if is(b"oc") => self.has_oc = true,
            _ => {}
        }
        Some(())
    }
}

fn token<'a>(scan: &mut Scan<'a>) -> Option<&'a [u8]> {
    Some(scan.take(TOKEN)).filter(|token| !token.is_empty())
}

fn slash(scan: &mut Scan<'_>) -> Option<()> {
    scan.eat_spaced(b'/').then_some(())
}

/// A parameter that stands twice would leave two readers of one Via with two answers.
#[inline]
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    let first = place.is_none();
    *place = Some(value);
    first.then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> TopVia<'_> {
        let mut top = TopVia::NONE;
        top.read(text.as_bytes());
        top
    }

    #[test]
    fn parts() {
        let top = read("SIP/2.0/UDP a.example:5061;rport;branch=z9hG4bK1;received=1.2.3.4, SIP/2.0/UDP b");
        assert!(top.sound);
        assert_eq!(top.via.value, b"SIP/2.0/UDP a.example:5061;rport;branch=z9hG4bK1;received=1.2.3.4");
        assert_eq!(top.via.transport, b"UDP");
        assert_eq!(top.via.host, b"a.example");
        assert_eq!(top.via.port, Some(5061));
        assert_eq!(top.via.branch, Some(&b"z9hG4bK1"[..]));
        assert_eq!(top.via.rport, Some(None));
        assert_eq!(top.rport.map(|span| &top.via.value[span]), Some(&b";rport"[..]));
        assert_eq!(top.received.map(|span| &top.via.value[span]), Some(&b";received=1.2.3.4"[..]));
    }

    #[test]
    fn space_folding_quotes_and_addresses() {
        let sound = [
            ("SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw", "192.0.2.2", None),
            (
                "SIP / 2.0 / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9  ,\r\n SIP/2.0/UDP c",
                "spindle.example.com",
                None,
            ),
            ("SIP/2.0/UDP [2001:db8::1] : 5062 ;ttl=1;hidden;maddr=1.2.3.4", "[2001:db8::1]", Some(5062)),
            ("SIP/2.0/UNKNOWN h;x=\"a,;\\\"b\"", "h", None),
            ("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z", "[2001:db8::9:1]", None),
            ("SIP/7.0/UDP h;rport=12", "h", None),
        ];
        for (text, host, port) in sound {
            let top = read(text);
            assert!(top.sound, "{text}");
            assert_eq!((top.via.host, top.via.port), (host.as_bytes(), port), "{text}");
        }
    }

    proptest! {
        /// What is read at a glance is what is read step by step.
        #[test]
        fn a_usual_via_is_the_same_by_both_ways(
            text in "SIP/2.0/(UDP|TCP|TLS|tls) [a-z0-9.\\[-]{0,20}(:[0-9]{0,6})?(;(branch|rport|received|oc|RPORT|x)?(=[a-zA-Z0-9._@,;-]{0,70})?){0,5}[ -~]{0,2}",
        ) {
            let (mut usual, mut any) = (TopVia::NONE, TopVia::NONE);
            if usual.read_usual(text.as_bytes()).is_some() {
                any.read_any(text.as_bytes());
                prop_assert_eq!(usual, any);
            }
        }
    }

    #[test]
    fn not_of_the_form() {
        let bad = [
            "",
            ", SIP/2.0/UDP h",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0/UDP ;branch=z",
            "SIP/2.0/UDPh",
            "SIP/2.0 h",
            "1.1 vegur",
            "/2.0/UDP h",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP h:0",
            "SIP/2.0/UDP h:65536",
            "SIP/2.0/UDP h:",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "SIP/2.0/UDP h;branch",
            "SIP/2.0/UDP h;branch=",
            "SIP/2.0/UDP h;branch=a;Branch=b",
            "SIP/2.0/UDP h;rport;rport",
            "SIP/2.0/UDP h;received=1.1.1.1;received=2.2.2.2",
            "SIP/2.0/UDP h;x=\"a",
            "SIP/2.0/UDP h g",
        ];
        for text in bad {
            let top = read(text);
            assert!(!top.sound, "{text}");
            assert_eq!((top.via.host, top.via.port), (&b""[..], None), "{text}: half a sent-by is none");
            assert_eq!(top.via.value, text.as_bytes());
        }
    }
}
