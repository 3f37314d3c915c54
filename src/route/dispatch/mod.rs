//! Pure. The index of a list: which of its routes may hold for a call, without a look at the others.
//!
//! In:    the routes of a list, when it is sealed; later, the values of one call.
//! Out:   positions of routes in the list. All that hold are among them; each is still to be judged.
//! Never: leaves a route out that could hold, or whose conditions do something when they do not hold.
//!
//! A route is put under one of its conditions: the one that fewest others share. The condition gives
//! *keys*: a number, the beginning of one, a host, a network. A call has the keys that its own values give,
//! cut to the lengths that occur, and each is one look-up. Where many routes share a key, they have an index of
//! their own behind it, by another condition: a tree that is as deep as there are conditions to tell them by.
//!
//! Keys are kept as hashes only. Two that share one are candidates together, and the walk tells them apart.

mod build;
mod clauses;
mod cover;

use std::hash::Hasher as _;

use ahash::AHasher;
use hashbrown::HashTable;

use super::{List, Party, Route};

/// A value of a call that routes are found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Field {
    /// The address of the sender: its 4 or 16 bytes, an IPv4 address mapped into IPv6 as IPv4.
    Source,
    Listener,
    Method,
    /// The number of a party, normalised.
    Number(Party),
    Routing,
    /// The user of a party, without parameters, decoded.
    User(Party),
    /// The host of a party, in small letters.
    Host(Party),
    /// The value of a parameter, in small letters.
    Param(Box<str>),
}

/// One look-up: which part of which value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probe {
    /// Index in [`Dispatch::fields`].
    field: u16,
    shape: Shape,
    /// Bytes, or bits of a network.
    len: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Shape {
    Whole,
    Starts,
    Ends,
    NetworkV4,
    NetworkV6,
}

/// The index of one list.
#[derive(Debug)]
pub struct Dispatch {
    fields: Box<[Field]>,
    nodes: Box<[Node]>,
    probes: Box<[Probe]>,
    /// Of routes that share a key, or have none: ascending in each slice.
    positions: Box<[u32]>,
    keys: HashTable<Entry>,
    changes: Changes,
}

/// Index of a node; 0 is that of the whole list.
pub type NodeId = u32;

/// Routes that have keys in common so far: all those of the list, or those behind one key.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    probes: Slice,
    /// Routes that no key tells from others.
    always: Slice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slice {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    found: Found,
}

/// What stands behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A route, by its position.
    One(u32),
    /// Several: from here to there in [`Dispatch::positions()`].
    Many(u32, u32),
    /// Many, to be told by another look-up.
    Node(NodeId),
}

/// Which of the values that routes change are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The number.
    pub number: bool,
    /// User parameters.
    pub params: bool,
}

impl Dispatch {
    /// The index of a list; `None` where it would not save anything.
    #[must_use]
    pub fn of(list: &List, routes: &[Route]) -> Option<Self> {
        build::build(list, routes)
    }

    /// The routes of a node that are candidates whatever the values of the call.
    #[must_use]
    pub fn always(&self, node: NodeId) -> Found {
        let Slice { start, end } = self.node(node).always;
        Found::Many(start, end)
    }

    /// The look-ups of a node, by the value that they need.
    pub fn questions(&self, node: NodeId) -> impl Iterator<Item = (&Field, &[Probe])> {
        let Slice { start, end } = self.node(node).probes;
        let probes = self.probes.get(start as usize..end as usize).unwrap_or_default();
        probes
            .chunk_by(|one, next| one.field == next.field)
            .filter_map(|chunk| Some((self.fields.get(usize::from(chunk.first()?.field))?, chunk)))
    }

    /// What a value finds in a node, by some of its look-ups.
    pub fn find<'d>(
        &'d self,
        node: NodeId,
        probes: &'d [Probe],
        value: &'d [u8],
    ) -> impl Iterator<Item = Found> + 'd {
        probes.iter().filter_map(move |probe| {
            let hash = behind(node, probe.key_of(value)?);
            self.keys.find(hash, |entry| entry.hash == hash).map(|entry| entry.found)
        })
    }

    /// What [`Found::Many`] points into: ascending in each slice.
    #[must_use]
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// After which changes what was found no longer stands.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.changes
    }

    /// Memory that it takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.fields)
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.probes)
            + size_of_val(&*self.positions)
            + self.keys.allocation_size()
    }

    fn node(&self, node: NodeId) -> Node {
        self.nodes.get(node as usize).copied().unwrap_or_default()
    }
}

impl Probe {
    /// The key that a value has here; `None` when it is too short for one.
    fn key_of(self, value: &[u8]) -> Option<u64> {
        let len = usize::from(self.len);
        match self.shape {
            Shape::Whole => Some(self.hash(value)),
            Shape::Starts => Some(self.hash(value.get(..len)?)),
            Shape::Ends => Some(self.hash(value.get(value.len().checked_sub(len)?..)?)),
            Shape::NetworkV4 => {
                let address = u32::from_be_bytes(value.try_into().ok()?);
                let mask = u32::MAX.checked_shl(u32::from(32 - self.len.min(32))).unwrap_or(0);
                Some(self.hash(&(address & mask).to_be_bytes()))
            }
            Shape::NetworkV6 => {
                let address = u128::from_be_bytes(value.try_into().ok()?);
                let mask = u128::MAX.checked_shl(u32::from(128 - self.len.min(128))).unwrap_or(0);
                Some(self.hash(&(address & mask).to_be_bytes()))
            }
        }
    }

    /// The seeds are fixed: keys come from route files, and a hash never leaves the process.
    fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = AHasher::default();
        hasher.write_u32(u32::from(self.field) << 16 | (self.shape as u32) << 8 | u32::from(self.len));
        hasher.write(bytes);
        hasher.finish()
    }
}

/// A key as the table has it: nodes have the same keys, and each its own of them.
fn behind(node: NodeId, key: u64) -> u64 {
    // The golden ratio: no two nodes differ by a shift of it.
    key ^ u64::from(node).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests;
