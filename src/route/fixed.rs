//! Pure. What is the same in every Contact of a gateway or template: rendered, read and judged once, when a table
//! is sealed.
//!
//! In:    a gateway, or a Contact as a route has it.
//! Out:   the bytes before and behind the number, and what a decision still has to ask of them.
//! Never: one whose URI may be no Contact, or has other values than the number: those are judged call by call.

use std::net::IpAddr;

use super::{ContactTemplate, FixedParts, Gateway, NumberIn};
use crate::{
    limits::URI_BYTES_MAX,
    sip::{Scheme, Uri, host_address, same_name},
};

/// A Contact without the number.
#[derive(Debug)]
pub struct FixedContact {
    /// The scheme, and what stands before the number.
    pub before_number: Box<[u8]>,
    /// From the `@` on.
    pub behind_number: Box<[u8]>,
    /// Whether the number stands between them.
    pub number: NumberIn,
    /// See [`Gateway::strip`].
    pub strip: usize,
    /// See [`Gateway::expires_s`].
    pub expires_s: Option<u32>,
    /// Where a client sends the call.
    pub next_hop: NextHop,
    host_len: usize,
}

/// Where a client sends a call that has a URI: its `maddr` counts for its host (RFC 3261 §19.1.1).
#[derive(Debug)]
pub struct NextHop {
    /// A name or an address.
    pub host: Box<[u8]>,
    /// The same when it is an address.
    pub address: Option<IpAddr>,
    /// When the URI says it.
    pub port: Option<u16>,
    /// When it does not.
    pub default_port: u16,
}

impl FixedContact {
    /// `None` for a gateway whose Contact has more in it that differs from call to call than the number.
    #[must_use]
    pub fn of_gateway(gateway: &Gateway) -> Option<Self> {
        if gateway.resolve || !gateway.params.is_empty() || !is_plain_number(gateway.prefix.as_bytes()) {
            return None;
        }
        let parts = gateway.uri.fixed_parts()?;
        let before_number = [parts.before_number, gateway.prefix.as_bytes()].concat();
        let fixed = Self::of_parts(FixedParts { before_number: &before_number, ..parts })?;
        Some(Self { strip: gateway.strip, expires_s: gateway.expires_s, ..fixed })
    }

    /// The same of a Contact that a route has by itself.
    #[must_use]
    pub fn of_template(contact: &ContactTemplate) -> Option<Self> {
        let fixed = Self::of_parts(contact.uri.fixed_parts()?)?;
        Some(Self { expires_s: contact.expires_s, ..fixed })
    }

    fn of_parts(parts: FixedParts<'_>) -> Option<Self> {
        let (scheme_name, default_port) = match parts.scheme {
            Scheme::Sip => (&b"sip:"[..], 5060),
            Scheme::Sips => (&b"sips:"[..], 5061),
            Scheme::Tel | Scheme::Other => return None,
        };
        let before_number = [scheme_name, parts.before_number].concat();
        let behind_number = [b"@", parts.rest].concat();
        // Whatever plain number stands in it, it is the same to the grammar and to the rules below.
        let number = if parts.number == NumberIn::Nothing { &b""[..] } else { b"0" };
        let probe = [&before_number, number, &behind_number].concat();
        let uri = Uri::parse(&probe).filter(may_be_contact)?;
        let host = uri.param(b"maddr").flatten().unwrap_or(uri.host);
        let next_hop =
            NextHop { host: host.into(), address: host_address(host), port: uri.port, default_port };
        Some(Self {
            host_len: uri.host.len(),
            number: parts.number,
            strip: 0,
            expires_s: None,
            next_hop,
            before_number: before_number.into(),
            behind_number: behind_number.into(),
        })
    }

    /// The host of the URI.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.behind_number.get(1..=self.host_len).unwrap_or_default()
    }

    /// Whether the URI with a number of this length is short enough.
    #[must_use]
    pub fn has_room_for(&self, number_len: usize) -> bool {
        let has_number = number_len > 0 || self.number == NumberIn::Nothing;
        has_number && self.before_number.len() + number_len + self.behind_number.len() <= URI_BYTES_MAX
    }
}

/// Whether a number stands in a URI as it is, whatever its place: nothing in it is escaped, put in order or
/// compared as a parameter.
#[must_use]
pub fn is_plain_number(number: &[u8]) -> bool {
    number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'+')
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
