//! Outside. What the user calls: text → Request-URI, Request-URI → addresses to send to.
//!
//! Host and port are cut out here by the few rules a client needs; what a server makes of a URI is
//! [`crate::sip`]'s business, and a client must be able to send what a server refuses.

use std::net::{SocketAddr, ToSocketAddrs as _};

pub(crate) use crate::control::explain::fields::{SIP_PORT, is_made_of_number, is_number};
use crate::limits::ASK_ADDRESSES_MAX;

/// Why there is nowhere to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoAddress {
    /// What was typed names no place.
    Wrong(String),
    /// It names one that the name service does not know, now.
    Unknown(String),
}

/// Where an INVITE for `uri` goes: to `to` when given, else to the URI's own host and port.
pub(crate) fn addresses(uri: &str, to: Option<&str>) -> Result<Vec<SocketAddr>, NoAddress> {
    if let Some(to) = to {
        return resolve(to, &host_port(to).map_err(NoAddress::Wrong)?);
    }
    let Some(rest) = strip_scheme(uri, "sip:") else {
        return Err(NoAddress::Wrong(format!(
            "{uri} does not say where to send: give --to ADDR:PORT (ask speaks UDP, sips: needs TLS)"
        )));
    };
    // RFC 3261 §25.1: an @ stands unescaped only before the host; ; and ? may stand in the user part.
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split([';', '?']).next().unwrap_or(host);
    resolve(uri, &host_port(host).map_err(NoAddress::Wrong)?)
}

/// The transport that a URI asks for, if it is not UDP (RFC 3261 §19.1.1).
pub(crate) fn other_transport(uri: &str) -> Option<&str> {
    let after_user = uri.rsplit_once('@').map_or(uri, |(_, host)| host);
    let parameters = after_user.split('?').next()?.split(';').skip(1);
    let named = parameters.filter_map(|parameter| parameter.split_once('='));
    named
        .filter(|(name, _)| name.eq_ignore_ascii_case("transport"))
        .map(|(_, transport)| transport)
        .find(|transport| !transport.eq_ignore_ascii_case("udp"))
}

fn strip_scheme<'a>(uri: &'a str, scheme: &str) -> Option<&'a str> {
    let (head, rest) = uri.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// `HOST`, `HOST:PORT`, `[IP6]`, `[IP6]:PORT`.
fn host_port(text: &str) -> Result<(String, u16), String> {
    let wrong =
        || format!("\"{text}\" is not a host: expected HOST or HOST:PORT, as 127.0.0.1:5060 or [::1]:5060");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if host.is_empty() {
        return Err(wrong());
    }
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
        None if port.is_empty() => SIP_PORT,
        None => return Err(wrong()),
    };
    Ok((host.to_owned(), port))
}

fn resolve(shown: &str, (host, port): &(String, u16)) -> Result<Vec<SocketAddr>, NoAddress> {
    let unknown = |why: String| {
        NoAddress::Unknown(format!("{shown}: the name {host} has no address{why}; give --to ADDR:PORT"))
    };
    let found = (host.as_str(), *port).to_socket_addrs().map_err(|error| unknown(format!(" ({error})")))?;
    let addresses = first_addresses(found);
    if addresses.is_empty() { Err(unknown(String::new())) } else { Ok(addresses) }
}

fn first_addresses(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    found.take(ASK_ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_host_or_of_the_flag() {
        for (uri, to, address) in [
            ("sip:+44@127.0.0.1:5070", None, "127.0.0.1:5070"),
            ("SIP:+44@127.0.0.1", None, "127.0.0.1:5060"),
            ("sip:127.0.0.1", None, "127.0.0.1:5060"),
            ("sip:+44;rn=+4;npdi@127.0.0.1:5070;user=phone?X=y", None, "127.0.0.1:5070"),
            ("sip:a?b@[::1]:5070;x", None, "[::1]:5070"),
            ("sip:a@[::1]", None, "[::1]:5060"),
            ("sip:a@example.com", Some("127.0.0.1:5070"), "127.0.0.1:5070"),
            ("tel:+44", Some("[::1]"), "[::1]:5060"),
        ] {
            assert_eq!(addresses(uri, to), Ok(vec![address.parse().unwrap()]), "{uri}");
        }
    }

    #[test]
    fn what_is_no_address_is_said() {
        for (uri, to) in [
            ("tel:+44", None),
            ("sips:a@127.0.0.1", None),
            ("sip:a@", None),
            ("sip:a@127.0.0.1:", None),
            ("sip:a@127.0.0.1:0", None),
            ("sip:a@127.0.0.1:65536", None),
            ("sip:a@[::1", None),
            ("sip:a@[::1]5060", None),
            ("sip:a@127.0.0.1", Some("")),
            ("sip:a@127.0.0.1", Some("127.0.0.1:x")),
        ] {
            assert!(matches!(addresses(uri, to), Err(NoAddress::Wrong(_))), "{uri} {to:?}");
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_not_wrong_usage() {
        // A name that fails before any server is asked: tests ask none.
        let found = addresses("sip:a@host\0name", None);
        assert!(
            matches!(&found, Err(NoAddress::Unknown(why)) if why.contains("has no address")),
            "{found:?}"
        );
    }

    #[test]
    fn a_uri_may_ask_for_another_transport() {
        for (uri, expected) in [
            ("sip:1@h;transport=tcp", Some("tcp")),
            ("sip:1@h:5060;lr;Transport=TLS?a=b", Some("TLS")),
            ("sip:1@h;transport=UDP", None),
            ("sip:1;transport=tcp@h", None),
            ("sip:h?transport=tcp", None),
            ("+44", None),
        ] {
            assert_eq!(other_transport(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_name_with_many_addresses_is_tried_up_to_the_limit() {
        let many = (0..=ASK_ADDRESSES_MAX).map(|_| SocketAddr::from(([127, 0, 0, 1], SIP_PORT)));
        assert_eq!(first_addresses(many).len(), ASK_ADDRESSES_MAX);
    }
}
