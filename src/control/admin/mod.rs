//! Outside. The admin HTTP port: metrics, probes, reload, the DNS cache.
//!
//! In:    HTTP/1.1 requests, one to a connection, heads and time bounded, bodies not looked at.
//! Out:   text for people and probes, JSON for `POST /-/reload` and `GET /dns/cache`.
//! Never: waits long for the loop, or makes it wait; keeps its own thread, which is the resolver's too, at
//! work for long; asks who the caller is: it listens on loopback unless told otherwise.

use std::sync::Arc;

use super::{diff::Differ, metrics::Metrics, reload::Reloader};

mod answer;
mod diff;
mod dns_cache;
mod listen;
mod probes;
mod readiness;
mod reload;
mod router;
mod scrape;

pub use dns_cache::DnsCache;
pub use listen::{bind, serve};
pub use readiness::Readiness;

/// What the port is about.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Admin {
    pub metrics: Metrics,
    pub reloader: Reloader,
    pub readiness: Arc<Readiness>,
    pub dns_cache: DnsCache,
    pub differ: Arc<Differ>,
}
