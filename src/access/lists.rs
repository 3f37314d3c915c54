//! Pure. All lists together, compiled for a look-up.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{AccessId, AccessPolicy, Standing, digest::Realm, ranges::Lists, strides::Strides};
use crate::limits::ACCESS_LISTS_MAX;

/// A list as it is written.
#[derive(Debug)]
pub struct ListSpec {
    /// Its name.
    pub name: Box<str>,
    /// What it holds.
    pub networks: Vec<IpNet>,
    /// Where it counts; empty: everywhere.
    pub listeners: Vec<Box<str>>,
    /// What it says.
    pub policy: AccessPolicy,
    /// Where its sources have to say who they are.
    pub realm: Option<Realm>,
}

/// A list, without its networks.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct AccessList {
    pub name: Box<str>,
    pub policy: AccessPolicy,
    /// Networks that were given.
    pub entries: usize,
    pub realm: Option<Realm>,
}

/// What becomes of sources that no list names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unknown {
    /// As of a list.
    pub policy: AccessPolicy,
    /// Whether a request from a source that is not known is refused, not passed over, when its bytes are at fault.
    pub answer_malformed: bool,
}

/// All lists. In their order: of several that hold a source and count at its listener, the first decides.
#[derive(Debug, Default)]
pub struct AccessLists {
    /// In the order of the route files.
    pub lists: Vec<AccessList>,
    /// For the rest.
    pub unknown: Unknown,
    v4: Strides<u32>,
    v6: Strides<u128>,
    /// Lists that count at every listener.
    everywhere: Lists,
    /// Lists that count at a listener, for those that a list names.
    at: Vec<(Box<str>, Lists)>,
}

impl AccessLists {
    /// Compiles at most [`ACCESS_LISTS_MAX`] lists; further ones are left out.
    #[must_use]
    pub fn new(specs: Vec<ListSpec>, unknown: Unknown) -> Self {
        let mut all = Self { unknown, ..Self::default() };
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (spec, list) in specs.into_iter().take(ACCESS_LISTS_MAX).zip(0_u32..) {
            let ListSpec { name, networks, listeners, policy, realm } = spec;
            all.lists.push(AccessList { name, policy, entries: networks.len(), realm });
            for network in networks {
                match network {
                    IpNet::V4(network) => {
                        let last = u32::from(network.broadcast());
                        v4.push((u32::from(network.network()), last.checked_add(1), list));
                    }
                    IpNet::V6(network) => {
                        let last = u128::from(network.broadcast());
                        v6.push((u128::from(network.network()), last.checked_add(1), list));
                    }
                }
            }
            if listeners.is_empty() {
                all.everywhere |= 1 << list;
            }
            for listener in listeners {
                match all.at.iter_mut().find(|(name, _)| *name == listener) {
                    Some((_, lists)) => *lists |= 1 << list,
                    None => all.at.push((listener, 1 << list)),
                }
            }
        }
        all.v4 = Strides::of(v4);
        all.v6 = Strides::of(v6);
        all
    }

    /// What the lists say of a source that came to this listener.
    #[must_use]
    #[inline]
    pub fn standing(&self, source: IpAddr, listener: &str) -> Standing {
        if self.lists.is_empty() { Standing::OPEN } else { self.find(source, listener) }
    }

    fn find(&self, source: IpAddr, listener: &str) -> Standing {
        let holding = match source.to_canonical() {
            IpAddr::V4(address) => self.v4.find(address.into()),
            IpAddr::V6(address) => self.v6.find(address.into()),
        };
        let here = self.at.iter().find(|(name, _)| **name == *listener).map_or(0, |(_, lists)| *lists);
        let first = (holding & (self.everywhere | here)).trailing_zeros();
        match usize::try_from(first).ok().and_then(|id| Some((id, self.lists.get(id)?))) {
            Some((id, AccessList { policy, realm, .. })) => {
                let known = *policy == AccessPolicy::Answer && realm.is_none();
                Standing { id: Some(id), policy: *policy, known }
            }
            None => Standing { id: Some(self.lists.len()), policy: self.unknown.policy, known: false },
        }
    }

    /// Where sources of this standing have to say who they are.
    #[must_use]
    pub fn realm(&self, standing: Standing) -> Option<&Realm> {
        let list = self.lists.get(standing.id?)?;
        list.realm.as_ref().filter(|_| list.policy == AccessPolicy::Answer)
    }

    /// The name of a list; `unknown` for the sources that none names.
    #[must_use]
    pub fn name(&self, id: AccessId) -> &str {
        self.lists.get(id).map_or(UNKNOWN, |list| &list.name)
    }

    /// The names of all lists and, where there are any, `unknown`: by [`AccessId`].
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let unknown = (!self.lists.is_empty()).then_some(UNKNOWN);
        self.lists.iter().map(|list| &*list.name).chain(unknown)
    }
}

/// What stands for the sources that no list names; no list may be called so.
pub(crate) const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn spec(name: &str, networks: &[&str], listeners: &[&str], policy: AccessPolicy) -> ListSpec {
        ListSpec {
            name: name.into(),
            networks: networks.iter().map(|it| it.parse().expect("a network")).collect(),
            listeners: listeners.iter().map(|&it| it.into()).collect(),
            policy,
            realm: None,
        }
    }

    fn say(lists: &AccessLists, source: &str, listener: &str) -> String {
        let standing = lists.standing(source.parse().expect("an address"), listener);
        let name = standing.id.map_or("-", |id| lists.name(id));
        format!("{name} {} {}", standing.policy.name(), standing.known)
    }

    #[test]
    fn the_first_list_that_holds_the_source_and_counts_here_decides() {
        let lists = AccessLists::new(
            vec![
                spec("blocked", &["192.0.2.66/32", "2001:db8:66::/48"], &[], AccessPolicy::Silence),
                spec("inside", &["10.0.0.0/8"], &["lan", "admin"], AccessPolicy::Answer),
                spec(
                    "carriers",
                    &["192.0.2.0/24", "2001:db8::/32", "10.9.0.0/16"],
                    &[],
                    AccessPolicy::Answer,
                ),
                spec("old", &["192.0.0.0/16"], &[], AccessPolicy::Refuse),
            ],
            Unknown { policy: AccessPolicy::Refuse, answer_malformed: false },
        );
        for (source, listener, expected) in [
            ("192.0.2.66", "wan", "blocked silence false"),
            ("192.0.2.67", "wan", "carriers answer true"),
            ("::ffff:192.0.2.67", "wan", "carriers answer true"),
            ("192.0.3.1", "wan", "old refuse false"),
            ("192.1.0.0", "wan", "unknown refuse false"),
            ("10.1.1.1", "wan", "unknown refuse false"),
            ("10.1.1.1", "lan", "inside answer true"),
            ("10.9.1.1", "admin", "inside answer true"),
            ("10.9.1.1", "wan", "carriers answer true"),
            ("2001:db8:66::1", "lan", "blocked silence false"),
            ("2001:db8:67::1", "lan", "carriers answer true"),
            ("2001:db9::1", "lan", "unknown refuse false"),
        ] {
            assert_eq!(say(&lists, source, listener), expected, "{source} at {listener}");
        }
        assert_eq!(lists.names().collect::<Vec<_>>(), ["blocked", "inside", "carriers", "old", "unknown"]);
    }

    #[test]
    fn without_lists_every_source_may_ask_and_none_is_known() {
        let lists = AccessLists::default();
        assert_eq!(lists.standing([192, 0, 2, 1].into(), "x"), Standing::OPEN);
        assert_eq!(lists.names().count(), 0);
    }

    #[test]
    fn an_empty_list_holds_nobody() {
        let lists = AccessLists::new(vec![spec("none", &[], &[], AccessPolicy::Answer)], Unknown::default());
        assert_eq!(say(&lists, "192.0.2.1", "x"), "unknown answer false");
        assert_eq!(say(&lists, "::1", "x"), "unknown answer false");
    }

    #[test]
    fn the_last_list_has_a_bit_of_its_own() {
        let list = |index: usize| {
            spec(&format!("l{index}"), &[&format!("10.0.{index}.0/24")], &[], AccessPolicy::Answer)
        };
        let lists = AccessLists::new((0..=ACCESS_LISTS_MAX).map(list).collect(), Unknown::default());
        let at = |index: usize| say(&lists, &format!("10.0.{index}.1"), "x");
        assert_eq!(at(0), "l0 answer true");
        assert_eq!(at(ACCESS_LISTS_MAX - 1), format!("l{} answer true", ACCESS_LISTS_MAX - 1));
        assert_eq!(at(ACCESS_LISTS_MAX), "unknown answer false", "one too many is left out");
    }

    /// Networks of both families, near to one another so that they nest and touch.
    fn networks() -> impl Strategy<Value = Vec<IpNet>> {
        let v4 = (any::<u32>(), 0..=32_u8).prop_map(|(bits, len)| {
            let address = Ipv4Addr::from(bits & 0x0003_0103 | 0xc000_0000);
            IpNet::new(address.into(), len).expect("a length").trunc()
        });
        let v6 = (any::<u128>(), 0..=128_u8).prop_map(|(bits, len)| {
            let address = Ipv6Addr::from(bits & 0x3_0000_0000_0003_0000_0000_0103 | 0x2001_0db8 << 96);
            IpNet::new(address.into(), len).expect("a length").trunc()
        });
        prop::collection::vec(prop_oneof![v4, v6], 0..40)
    }

    /// Addresses at and beside the edges of networks, and others.
    fn addresses(lists: &[Vec<IpNet>], more: &[u128]) -> Vec<IpAddr> {
        let beside = |edge: IpAddr| match edge {
            IpAddr::V4(edge) => {
                [-1, 0, 1].map(|by| Ipv4Addr::from(u32::from(edge).wrapping_add_signed(by)).into())
            }
            IpAddr::V6(edge) => {
                [-1, 0, 1].map(|by| Ipv6Addr::from(u128::from(edge).wrapping_add_signed(by)).into())
            }
        };
        let edges = lists.iter().flatten().flat_map(|network| [network.network(), network.broadcast()]);
        let others = more.iter().flat_map(|&bits| {
            [Ipv6Addr::from(bits).into(), Ipv4Addr::from((bits & 0xffff_ffff) as u32).into()]
        });
        edges.flat_map(beside).chain(others).collect()
    }

    proptest! {
        #[test]
        fn a_look_up_is_that_of_each_network(
            lists in prop::collection::vec(networks(), 1..5),
            more in prop::collection::vec(any::<u128>(), 8),
        ) {
            let specs = lists.iter().map(|networks| ListSpec {
                name: "x".into(),
                networks: networks.clone(),
                listeners: Vec::new(),
                policy: AccessPolicy::Answer,
                realm: None,
            });
            let compiled = AccessLists::new(specs.collect(), Unknown::default());
            for address in addresses(&lists, &more) {
                let holds = |networks: &Vec<IpNet>| {
                    networks.iter().any(|network| network.contains(&address.to_canonical()))
                };
                let expected = lists.iter().position(holds).unwrap_or(lists.len());
                prop_assert_eq!(compiled.standing(address, "x").id, Some(expected), "{}", address);
            }
        }
    }
}
