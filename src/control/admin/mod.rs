//! Outside. The admin port: metrics, probes, and the API by which people and programs see and steer the server.
//!
//! In:    HTTP/1.1 requests, one to a connection, heads, bodies and time bounded; over TCP, TLS or a Unix socket.
//! Out:   text for people and probes, JSON for the rest. `GET /api/v1/openapi.json` says what there is.
//! Never: waits long for the loop, or makes it wait; keeps its own thread, which is the resolver's too, at
//! work for long; lets anybody do what `access` does not allow.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use super::{
    diff::Differ, health::Gateways, logging, metrics::Metrics, mirror::Top, reload::Reloader,
    resolver::Resolver, sampling::Sampling,
};
use crate::{
    limits::{DIFFS_AT_ONCE_MAX, EXPLAINS_AT_ONCE_MAX, SCRAPES_AT_ONCE_MAX},
    snapshot::Snapshot,
};

mod access;
mod answer;
mod diff;
mod dns;
mod dns_cache;
mod drain;
mod explain;
mod gateways;
mod listen;
mod log_level;
mod openapi;
mod operations;
mod page;
mod probes;
mod query;
mod rates;
mod readiness;
mod reload;
mod router;
mod routes;
mod scrape;
mod socket;
mod status;
mod tables;
pub mod token;
mod top;

pub use access::Access;
pub use dns_cache::DnsCache;
pub use listen::{Bound, Serving, bind, serve, take};
pub use readiness::Readiness;
pub use status::{About, ListenerTold};

/// What the port is about.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Admin {
    /// Where it is, for people.
    pub place: String,
    pub access: Access,
    pub about: About,
    pub metrics: Metrics,
    pub reloader: Reloader,
    pub readiness: Arc<Readiness>,
    pub dns_cache: DnsCache,
    pub resolver: Resolver,
    pub differ: Arc<Differ>,
    pub gateways: Gateways,
    pub sampling: Arc<Sampling>,
    pub top: Arc<Top>,
    pub log: logging::Level,
    pub rooms: Rooms,
}

/// How many of the works that take long are done at one time.
#[derive(Debug)]
pub struct Rooms {
    scrapes: Arc<Semaphore>,
    diffs: Arc<Semaphore>,
    explains: Arc<Semaphore>,
}

impl Default for Rooms {
    fn default() -> Self {
        let room = |places| Arc::new(Semaphore::new(places));
        Self {
            scrapes: room(SCRAPES_AT_ONCE_MAX),
            diffs: room(DIFFS_AT_ONCE_MAX),
            explains: room(EXPLAINS_AT_ONCE_MAX),
        }
    }
}

impl Admin {
    /// The table in service.
    fn table(&self) -> &ArcSwap<Snapshot> {
        &self.dns_cache.table
    }
}
