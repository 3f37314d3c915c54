//! Pure. Makes the index of a list.
//!
//! In:    the routes of a list.
//! Out:   nodes, in each of which a route stands under the condition that fewest others share.
//! Never: takes more memory than a small multiple of what the routes have keys for.

use std::{collections::HashMap, hash::BuildHasherDefault};

use ahash::AHasher;
use hashbrown::HashTable;

use super::{
    super::{List, Route},
    Changes, Dispatch, Entry, Field, Found, Node, NodeId, Probe, Slice, behind,
    clauses::{Clause, Fields, Key},
};
use crate::limits::{KEYS_PER_CLAUSE_MAX, NODES_DEEP_MAX, PROBES_MAX};

type Counts<K> = HashMap<K, usize, BuildHasherDefault<AHasher>>;

/// Fewer routes are looked at as fast as they are looked up.
const ROUTES_MIN: usize = 12;

/// Routes that a look-up must serve: for fewer, it costs more than they do.
const ROUTES_PER_PROBE_MIN: usize = 3;

pub(super) fn build(list: &List, routes: &[Route]) -> Option<Dispatch> {
    if list.routes.len() < ROUTES_MIN {
        return None;
    }
    let mut fields = Fields::default();
    let clauses: Vec<Vec<Clause>> = list
        .routes
        .iter()
        .map(|&id| routes.get(id).map(|route| fields.clauses(&route.when)).unwrap_or_default())
        .collect();
    let all: Option<Vec<Item>> =
        (0..clauses.len()).map(|at| Some(Item { position: u32::try_from(at).ok()?, used: 0 })).collect();
    let keys: usize = clauses.iter().flatten().map(Vec::len).sum();
    let mut builder = Builder {
        clauses: &clauses,
        keys_left: keys.saturating_mul(KEYS_PER_CLAUSE_MAX),
        ..Builder::default()
    };
    let all = all?;
    let plan = builder.plan(&all)?;
    builder.node(plan, 0)?;
    Some(builder.finish(fields.fields))
}

/// A route, and which of its clauses led to where it stands.
#[derive(Clone, Copy, Debug)]
struct Item {
    position: u32,
    used: u32,
}

/// How a node tells its routes.
#[derive(Debug, Default)]
struct Plan {
    probes: Vec<Probe>,
    always: Vec<u32>,
    /// By key, then by position.
    under: Vec<(u64, Item)>,
}

impl Plan {
    fn tells_apart(&self) -> bool {
        let key = |entry: Option<&(u64, Item)>| entry.map(|(key, _)| *key);
        key(self.under.first()) != key(self.under.last())
    }
}

#[derive(Debug, Default)]
struct Builder<'c> {
    clauses: &'c [Vec<Clause>],
    nodes: Vec<Node>,
    probes: Vec<Probe>,
    positions: Vec<u32>,
    keys: HashTable<Entry>,
    keys_left: usize,
}

impl Builder<'_> {
    /// `None` when it would tell too few of them.
    fn plan(&self, items: &[Item]) -> Option<Plan> {
        let mut by_probe: Counts<Probe> = Counts::default();
        let mut by_key: Counts<u64> = Counts::default();
        for key in items.iter().flat_map(|item| self.clauses_of(*item)).flat_map(|(_, clause)| clause) {
            *by_probe.entry(key.probe).or_default() += 1;
            *by_key.entry(key.hash).or_default() += 1;
        }
        let worth_it = most_used(by_probe);
        let mut plan = Plan::default();
        for &item in items {
            let usable = self
                .clauses_of(item)
                .filter(|(_, clause)| clause.iter().all(|key| worth_it.binary_search(&key.probe).is_ok()));
            let shared = |clause: &[Key]| -> usize {
                clause.iter().map(|key| by_key.get(&key.hash).copied().unwrap_or(0)).sum()
            };
            match usable.min_by_key(|(_, clause)| shared(clause)) {
                None => plan.always.push(item.position),
                Some((index, clause)) => {
                    let item = Item { used: item.used | 1 << index, ..item };
                    plan.probes.extend(clause.iter().map(|key| key.probe));
                    plan.under.extend(clause.iter().map(|key| (key.hash, item)));
                }
            }
        }
        plan.probes.sort_unstable();
        plan.probes.dedup();
        plan.under.sort_unstable_by_key(|(key, item)| (*key, item.position));
        let told = items.len() - plan.always.len();
        (told >= ROUTES_MIN && told >= items.len() / 8).then_some(plan)
    }

    /// The clauses of a route that did not lead to where it stands. As many as `used` has bits.
    fn clauses_of(&self, item: Item) -> impl Iterator<Item = (usize, &Clause)> {
        let clauses = self.clauses.get(item.position as usize).map_or(&[][..], Vec::as_slice);
        clauses.iter().enumerate().take(32).filter(move |(index, _)| item.used >> index & 1 == 0)
    }

    /// `None` when the index cannot be made.
    fn node(&mut self, plan: Plan, depth: usize) -> Option<NodeId> {
        let id = NodeId::try_from(self.nodes.len()).ok()?;
        let probes = appended(&mut self.probes, plan.probes)?;
        let always = appended(&mut self.positions, plan.always)?;
        self.nodes.push(Node { probes, always });
        self.keys_left = self.keys_left.saturating_sub(plan.under.len());
        for same in plan.under.chunk_by(|(one, _), (next, _)| one == next) {
            let key = same.first()?.0;
            let found = self.behind_key(same, depth)?;
            let hash = behind(id, key);
            // Two nodes with a key of one hash: it does not happen, and then there is no index.
            if self.keys.find(hash, |entry| entry.hash == hash).is_some() {
                return None;
            }
            self.keys.insert_unique(hash, Entry { hash, found }, |entry| entry.hash);
        }
        Some(id)
    }

    fn behind_key(&mut self, same: &[(u64, Item)], depth: usize) -> Option<Found> {
        if let [(_, item)] = same {
            return Some(Found::One(item.position));
        }
        let items: Vec<Item> = same.iter().map(|(_, item)| *item).collect();
        let deeper = items.len() >= ROUTES_MIN && depth + 1 < NODES_DEEP_MAX;
        if deeper
            && let Some(plan) = self.plan(&items)
            && plan.tells_apart()
            && plan.under.len() <= self.keys_left
        {
            return self.node(plan, depth + 1).map(Found::Node);
        }
        let Slice { start, end } =
            appended(&mut self.positions, items.into_iter().map(|item| item.position))?;
        Some(Found::Many(start, end))
    }

    fn finish(mut self, fields: Vec<Field>) -> Dispatch {
        self.keys.shrink_to_fit(|entry| entry.hash);
        let looked_up = |probe: &Probe| fields.get(usize::from(probe.field));
        let any = |of: fn(&Field) -> bool| self.probes.iter().filter_map(looked_up).any(of);
        let changes = Changes { number: any(Field::is_of_number), params: any(Field::is_of_params) };
        Dispatch {
            fields: fields.into(),
            nodes: self.nodes.into(),
            probes: self.probes.into(),
            positions: self.positions.into(),
            keys: self.keys,
            changes,
        }
    }
}

/// The look-ups that serve most routes, as many as a node may have; in their order.
fn most_used(counts: Counts<Probe>) -> Vec<Probe> {
    let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= ROUTES_PER_PROBE_MIN).collect();
    counts.sort_unstable_by_key(|&(probe, count)| (std::cmp::Reverse(count), probe));
    let mut probes: Vec<_> = counts.into_iter().take(PROBES_MAX).map(|(probe, _)| probe).collect();
    probes.sort_unstable();
    probes
}

fn appended<T>(to: &mut Vec<T>, from: impl IntoIterator<Item = T>) -> Option<Slice> {
    let start = u32::try_from(to.len()).ok()?;
    to.extend(from);
    Some(Slice { start, end: u32::try_from(to.len()).ok()? })
}

impl Field {
    fn is_of_number(&self) -> bool {
        matches!(self, Self::Number(super::Party::RequestUri) | Self::Routing)
    }

    fn is_of_params(&self) -> bool {
        matches!(self, Self::Param(_) | Self::Routing)
    }
}
