//! Pure. Which gateways are down, as one value: a decision that reads it twice sees the same.
//!
//! In:    gateways of one route table, by their ids.
//! Out:   whether one of them is down.
//! Never: changes; another state is another value.

use super::{Group, RouteTable, RowTarget, table::GatewayId};
use crate::limits::GATEWAYS_MAX;

/// A set of gateways of one [`super::RouteTable`]; one bit for each up to the last that is down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Down {
    words: Vec<u64>,
}

impl Down {
    /// No gateway is down.
    pub const NONE: &'static Self = &Self { words: Vec::new() };

    /// These are down. There is none beyond [`GATEWAYS_MAX`].
    #[must_use]
    pub fn of(gateways: impl IntoIterator<Item = GatewayId>) -> Self {
        let mut words = Vec::new();
        for gateway in gateways.into_iter().filter(|gateway| *gateway < GATEWAYS_MAX) {
            let (at, bit) = place(gateway);
            if words.len() <= at {
                words.resize(at + 1, 0);
            }
            if let Some(word) = words.get_mut(at) {
                *word |= bit;
            }
        }
        Self { words }
    }

    /// Whether this one is down.
    #[must_use]
    pub fn has(&self, gateway: GatewayId) -> bool {
        let (at, bit) = place(gateway);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a carrier of a rate deck has no gateway that is up: it is one that is down, or a group of such.
    #[must_use]
    pub fn has_all_of(&self, target: RowTarget, table: &RouteTable) -> bool {
        let all = |group: &Group| group.members.iter().all(|member| self.has(member.gateway));
        !self.is_empty()
            && match target {
                RowTarget::Gateway(gateway) => self.has(gateway),
                RowTarget::Group(group) => table.groups.get(group).is_some_and(all),
            }
    }

    /// Takes over a set, word by word, in memory of its own.
    pub fn copy(&mut self, words: impl Iterator<Item = u64>) {
        self.words.clear();
        self.words.extend(words.take(GATEWAYS_MAX.div_ceil(64)));
        let used = self.words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        self.words.truncate(used);
    }

    /// Memory for any set, so that [`Down::copy`] takes none.
    #[must_use]
    pub fn with_room() -> Self {
        Self { words: Vec::with_capacity(GATEWAYS_MAX.div_ceil(64)) }
    }
}

fn place(gateway: GatewayId) -> (usize, u64) {
    (gateway / 64, 1 << (gateway % 64))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn those_are_down_that_were_said(down in btree_set(0..GATEWAYS_MAX, 0..20)) {
            let set = Down::of(down.iter().copied());
            prop_assert_eq!(set.is_empty(), down.is_empty());
            prop_assert!((0..GATEWAYS_MAX + 65).all(|id| set.has(id) == down.contains(&id)));
        }
    }

    #[test]
    fn the_last_gateway_may_be_down_and_none_beyond_it() {
        assert!(Down::of([GATEWAYS_MAX - 1]).has(GATEWAYS_MAX - 1));
        assert!(Down::of([GATEWAYS_MAX, usize::MAX]).is_empty());
        assert_eq!((Down::NONE.is_empty(), Down::NONE.has(0)), (true, false));
    }
}
