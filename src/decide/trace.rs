//! Pure. What a decision tells whoever asks why. `explain` prints it; serving passes [`NoTrace`],
//! which compiles to nothing.

use crate::{
    access::Standing,
    route::{GatewayId, ListId, RouteId, Row, TableId},
};

/// A sink for the steps of a decision, in the order they are taken.
pub trait Trace {
    /// Whether details are worth computing.
    const ON: bool;
    /// What the access lists say of the source; nothing is told where there are none.
    fn access(&mut self, _standing: Standing) {}
    /// A list is entered.
    fn list(&mut self, _list: ListId) {}
    /// A route is looked at.
    fn route(&mut self, _route: RouteId) {}
    /// One condition of the route (by its index): the value it saw and whether it holds. The first
    /// one that does not hold ends the route.
    fn condition(&mut self, _index: usize, _saw: &[u8], _holds: bool) {}
    /// A table was looked up with this key; the row it hit.
    fn looked_up(&mut self, _table: TableId, _key: &[u8], _row: Option<Row>) {}
    /// A setting was made: its name and the value.
    fn set(&mut self, _name: &str, _value: &[u8]) {}
    /// A route acts.
    fn acts(&mut self, _route: RouteId) {}
    /// A URI became a Contact, with its q in thousandths.
    fn contact(&mut self, _uri: &[u8], _q_milli: u16) {}
    /// A URI did not become a Contact, and why.
    fn dropped(&mut self, _uri: &[u8], _why: &'static str) {}
    /// A gateway is left out because it is down.
    fn down(&mut self, _gateway: GatewayId) {}
    /// Free words on a step that has no method of its own.
    fn note(&mut self, _what: &str) {}
}

/// No trace.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    const ON: bool = false;
}
