//! Pure. Where a URI leads that may be a Contact: what is asked of it call by call, read once.
//!
//! In:    a sip: or sips: URI; later, the same, or one that differs from it before its `@` alone.
//! Out:   its host, and where a client sends a call that has it.
//! Never: of a URI that may be no Contact of any call, or whose host may be that of another text.

use std::net::IpAddr;

use super::{
    Scheme, Uri,
    escape::same_name,
    scan::{host_address, place_in},
};

/// Where the hosts of a URI stand, and what they are. Places are counted from its end: the number stands before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    host: FromEnd,
    hop: FromEnd,
    address: Option<IpAddr>,
    port: Option<u16>,
    default_port: u16,
}

/// Where a client sends a call that has a URI: its `maddr` counts for its host (RFC 3261 §19.1.1).
#[derive(Clone, Copy, Debug)]
pub struct NextHop<'u> {
    /// A name or an address.
    pub host: &'u [u8],
    /// The same when it is an address.
    pub address: Option<IpAddr>,
    /// When the URI says it.
    pub port: Option<u16>,
    /// When it does not.
    pub default_port: u16,
}

impl<'u> NextHop<'u> {
    /// `None` where a client of SIP does not send a call: tel: and others.
    #[must_use]
    pub fn of(uri: &Uri<'u>) -> Option<Self> {
        let default_port = match uri.scheme {
            Scheme::Sip => 5060,
            Scheme::Sips => 5061,
            Scheme::Tel | Scheme::Other => return None,
        };
        let host = uri.param(b"maddr").flatten().unwrap_or(uri.host);
        Some(Self { host, address: host_address(host), port: uri.port, default_port })
    }
}

impl Destination {
    /// `None` for a URI that is to be judged as a whole, or may be no Contact.
    #[must_use]
    pub fn of(text: &[u8]) -> Option<Self> {
        let uri = Uri::parse(text).filter(may_be_contact)?;
        let NextHop { host, address, port, default_port } = NextHop::of(&uri)?;
        let (hop, host) = (FromEnd::of(text, host)?, FromEnd::of(text, uri.host)?);
        Some(Self { host, hop, address, port, default_port })
    }

    /// The host of the URI.
    #[must_use]
    #[inline]
    pub fn host<'u>(&self, text: &'u [u8]) -> &'u [u8] {
        self.host.part_of(text)
    }

    /// Where a client sends the call.
    #[must_use]
    #[inline]
    pub fn next_hop<'u>(&self, text: &'u [u8]) -> NextHop<'u> {
        let Self { address, port, default_port, .. } = *self;
        NextHop { host: self.hop.part_of(text), address, port, default_port }
    }

    /// Whether the host of the URI is a name, and there is no other that the call goes to.
    #[must_use]
    pub fn is_name(&self) -> bool {
        self.host == self.hop && self.address.is_none()
    }
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FromEnd {
    /// Bytes from its start to the end of the text.
    behind: u16,
    len: u16,
}

impl FromEnd {
    fn of(text: &[u8], part: &[u8]) -> Option<Self> {
        let behind = text.len().checked_sub(place_in(text, part).start)?;
        Some(Self { behind: behind.try_into().ok()?, len: part.len().try_into().ok()? })
    }

    #[inline]
    fn part_of(self, text: &[u8]) -> &[u8] {
        let start = text.len().wrapping_sub(self.behind.into());
        text.get(start..).and_then(|from| from.get(..self.len.into())).unwrap_or_default()
    }
}

/// What is asked of every Contact, as far as it is the same for all calls.
fn may_be_contact(uri: &Uri<'_>) -> bool {
    let transport = uri.param(b"transport").flatten();
    let transport = |name| transport.is_some_and(|value| same_name(value, name));
    // RFC 5630 §5.4, RFC 3261 §19.1.1.
    let is_no_transport = transport(b"tls") || (uri.scheme == Scheme::Sips && transport(b"udp"));
    // An IPv6 address has many spellings: whether it is that of another URI, its text does not say.
    let is_ipv6 = uri.host.starts_with(b"[");
    !(is_ipv6 || uri.has_double_param() || uri.has_mandatory_param() || is_no_transport)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_uri_leads_whatever_stands_before_its_host() {
        for (text, host, hop, address, port, default_port) in [
            ("sip:+1@a.example.net", "a.example.net", "a.example.net", None, None, 5060),
            ("sips:+1@a.example.net:5071;x=y?h=v", "a.example.net", "a.example.net", None, Some(5071), 5061),
            ("SIP:a.example.net", "a.example.net", "a.example.net", None, None, 5060),
            ("sip:+1@192.0.2.1", "192.0.2.1", "192.0.2.1", Some("192.0.2.1"), None, 5060),
            ("sip:+1@a.net;maddr=192.0.2.1", "a.net", "192.0.2.1", Some("192.0.2.1"), None, 5060),
            ("sip:+1@192.0.2.1;lr;maddr=b.net", "192.0.2.1", "b.net", None, None, 5060),
        ] {
            let destination = Destination::of(text.as_bytes()).expect(text);
            for text in [text.to_owned(), text.replace("+1@", "+441632960083@")] {
                let next_hop = destination.next_hop(text.as_bytes());
                assert_eq!(destination.host(text.as_bytes()), host.as_bytes(), "{text}");
                assert_eq!(next_hop.host, hop.as_bytes(), "{text}");
                let address = address.map(|address| address.parse().expect("an address"));
                assert_eq!((next_hop.address, next_hop.port), (address, port), "{text}");
                assert_eq!(next_hop.default_port, default_port, "{text}");
            }
            assert_eq!(destination.is_name(), host == hop && address.is_none(), "{text}");
        }
    }

    #[test]
    fn a_uri_that_leads_nowhere_or_is_to_be_judged_as_a_whole() {
        for text in [
            "",
            "sip:",
            "tel:+1",
            "mailto:a@b",
            "sip:+1@[2001:db8::1]",
            "sip:+1@a.net;transport=tls",
            "sips:+1@a.net;transport=udp",
            "sip:+1@a.net;x=1;x=2",
            "sip:+1;m-x=y@a.net;user=phone",
        ] {
            assert_eq!(Destination::of(text.as_bytes()), None, "{text}");
        }
    }
}
