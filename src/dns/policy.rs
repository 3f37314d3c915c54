//! Pure. Which addresses of DNS may be used, and which family comes first.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Kind;

/// Addresses of one version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// The type of its records.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Ipv4 => Kind::A,
            Self::Ipv6 => Kind::Aaaa,
        }
    }
}

/// What the configuration says of addresses that DNS gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Families asked for, the preferred one first.
    pub addresses: Vec<Family>,
    /// Ranges that are used although `deny` has them.
    pub allow: Vec<IpNet>,
    /// Ranges that no server of a call may be in: a stranger's zone must not lead calls into our network.
    pub deny: Vec<IpNet>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { addresses: vec![Family::Ipv4, Family::Ipv6], allow: Vec::new(), deny: Vec::new() }
    }
}

impl Policy {
    /// Whether an address may be used. An IPv4 address inside an IPv6 one counts as what it is.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_in = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address));
        !is_in(&self.deny) || is_in(&self.allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_denied_by_its_range_unless_a_range_allows_it() {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let policy = Policy {
            deny: nets(&["10.0.0.0/8", "fc00::/7", "127.0.0.0/8"]),
            allow: nets(&["10.1.2.0/24", "fd00::5/128"]),
            ..Policy::default()
        };
        for (address, admitted) in [
            ("192.0.2.1", true),
            ("10.0.0.1", false),
            ("10.1.2.3", true),
            ("10.1.3.3", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:10.1.2.9", true),
            ("fd00::5", true),
            ("fd00::6", false),
            ("2001:db8::1", true),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(policy.admits(address), admitted, "{address}");
            assert!(Policy::default().admits(address));
        }
    }
}
