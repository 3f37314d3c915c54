//! Pure. Locating SIP servers (RFC 3263): a URI to addresses, ports and transports.
//!
//! In:    a sip: or sips: URI, what DNS has told us so far, the call's stable hash.
//! Out:   targets best first, the questions that stand before them, or why there are none.
//! Never: draws at random: a stateless server must give a retransmission the same list (§4.4).
//!
//! There are three rounds of questions at most: NAPTR, the SRV records of all services, the addresses of all
//! their servers. How many there may be is known before the first one is asked, so that the first request and
//! its retransmission, which finds everything in the cache, see the same part of a long list.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{Ask, DnsView, Failure, Kind, Policy, Step};
use crate::sip::{Scheme, Uri};

mod order;
mod search;
mod services;
#[cfg(test)]
mod tests;

use search::Search;

/// Transports a target can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum TargetTransport {
    Udp,
    Tcp,
    Tls,
}

impl TargetTransport {
    /// RFC 3261 §19.1.2.
    fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// One place to send a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'n> {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The transport.
    pub transport: TargetTransport,
    /// The name the certificate must have, for [`TargetTransport::Tls`]: a Contact then carries the
    /// name, not the address. It is the host of the URI, or a server inside that domain. In lower case,
    /// without final dot; an IPv6 address has its brackets.
    pub name: Cow<'n, str>,
}

/// What a location comes to, piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located<'n> {
    /// A place to send a request to.
    Target(Target<'n>),
    /// One whose address lies in a denied range.
    Denied(Target<'n>),
    /// A question that was not answered. What would have followed from it is left out.
    Failed {
        /// Its name.
        name: Box<str>,
        /// Its type.
        kind: Kind,
        /// Why.
        failure: Failure,
    },
}

impl Located<'_> {
    /// The same with names of its own.
    #[must_use]
    pub fn into_owned(self) -> Located<'static> {
        let own = |Target { address, port, transport, name }: Target<'_>| Target {
            address,
            port,
            transport,
            name: Cow::Owned(name.into_owned()),
        };
        match self {
            Self::Target(target) => Located::Target(own(target)),
            Self::Denied(target) => Located::Denied(own(target)),
            Self::Failed { name, kind, failure } => Located::Failed { name, kind, failure },
        }
    }
}

/// What became of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocateResult {
    /// This many targets were emitted.
    Found(usize),
    /// DNS says that there is none, or the URI names no server.
    Nothing,
    /// There are servers, all in denied ranges.
    Denied,
    /// None, and something could not be asked.
    Failed(Failure),
}

/// How servers are located.
#[derive(Clone, Copy, Debug)]
pub struct How<'h> {
    /// What DNS has told us.
    pub dns: DnsView<'h>,
    /// Which addresses may be used.
    pub policy: &'h Policy,
    /// The call's stable hash: the order among equal SRV records is the same for every retransmission
    /// (RFC 3263 §4.4).
    pub draw: u64,
    /// Time for all lookups, in milliseconds since the request came.
    pub within_ms: u64,
    /// Questions that this location may ask, from 5 on.
    pub questions_max: usize,
}

/// Locates the servers of `uri`, best first (RFC 3263 §4). Nothing is emitted before [`Step::Ask`].
pub fn locate(uri: &Uri<'_>, how: &How<'_>, emit: &mut dyn FnMut(Located<'_>)) -> Step<LocateResult> {
    let Some((host, wanted)) = host_and_transport(uri) else { return Step::Done(LocateResult::Nothing) };
    let is_secure = uri.scheme == Scheme::Sips;
    let mut search = Search::new(how);
    // RFC 3263 §4.1: without a transport parameter it is UDP, for sips: TLS over TCP.
    let plain = wanted.unwrap_or(if is_secure { TargetTransport::Tls } else { TargetTransport::Udp });
    match (numeric(host), uri.port) {
        (Some(address), port) => search.add_numeric(address, port, plain, host),
        // §4.2: a port rules SRV out.
        (None, Some(port)) => search.by_addresses(host, Some(port), plain),
        (None, None) => search.by_services(host, wanted, is_secure),
    }
    let Search { questions, places, failures, within_ms, .. } = search;
    if !questions.is_empty() {
        return Step::Ask(Ask { questions, within_ms });
    }
    let first_failure = failures.first().map(|(_, _, failure)| *failure);
    for (name, kind, failure) in failures {
        emit(Located::Failed { name, kind, failure });
    }
    let count = places.iter().filter(|place| place.is_admitted).count();
    let result = match (count, first_failure) {
        (0, _) if !places.is_empty() => LocateResult::Denied,
        (0, None) => LocateResult::Nothing,
        (0, Some(failure)) => LocateResult::Failed(failure),
        _ => LocateResult::Found(count),
    };
    for place in places {
        emit(if place.is_admitted { Located::Target(place.target) } else { Located::Denied(place.target) });
    }
    Step::Done(result)
}

/// Whether servers of this URI are located by DNS: its host is no address.
#[must_use]
pub fn needs_dns(uri: &Uri<'_>) -> bool {
    host_and_transport(uri).is_some_and(|(host, _)| numeric(host).is_none())
}

/// TARGET of RFC 3263 §4, and the transport the URI asks for. `None` when no server of ours can be
/// meant: another scheme, a transport we do not know, UDP for sips:.
fn host_and_transport<'u>(uri: &Uri<'u>) -> Option<(&'u str, Option<TargetTransport>)> {
    let is_secure = match uri.scheme {
        Scheme::Sip => false,
        Scheme::Sips => true,
        Scheme::Tel | Scheme::Other => return None,
    };
    let host = uri.param(b"maddr").flatten().unwrap_or(uri.host);
    let host = std::str::from_utf8(host).ok().filter(|host| !host.is_empty())?;
    let transport = match uri.param(b"transport").flatten() {
        None => None,
        Some(name) if name.eq_ignore_ascii_case(b"tcp") && is_secure => Some(TargetTransport::Tls),
        Some(name) if name.eq_ignore_ascii_case(b"tcp") => Some(TargetTransport::Tcp),
        // Deprecated by RFC 3261 §26.2.2, and still sent.
        Some(name) if name.eq_ignore_ascii_case(b"tls") => Some(TargetTransport::Tls),
        Some(name) if name.eq_ignore_ascii_case(b"udp") && !is_secure => Some(TargetTransport::Udp),
        Some(_) => return None,
    };
    Some((host, transport))
}

fn numeric(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}
