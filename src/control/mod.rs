//! Outside. Everything beside the loop: first load, reload, watching, admin HTTP, metrics, signals, DNS.
//!
//! In:    a [`crate::config::Config`].
//! Out:   a server, until a signal ends it.
//! Never: is on the way of a packet; `mirror` sees copies. Threads: `control` (admin HTTP, signals, resolver, systemd,
//! probes of gateways), `reload` (loads, one at a time, and frees old tables), `watch` (the route files), `source`
//! (fetches them, when they come from elsewhere), `mirror` (HEP, decisions, top talkers). The loop is the main thread;
//! those of further workers are `worker-2` and so on. They wait for none of the others, nor for each other.

pub mod admin;
pub(crate) mod client;
pub mod config_file;
pub mod diff;
pub mod dns_json;
mod events;
pub(crate) mod explain;
pub mod files;
pub mod health;
pub mod last_good;
pub mod last_hits;
mod lifecycle;
mod load_error;
pub mod loader;
mod lock;
pub mod logging;
pub mod metrics;
pub mod mirror;
pub mod rates;
pub mod reload;
pub mod reload_history;
pub mod resolver;
pub mod retired;
pub mod sampling;
mod sandbox;
pub mod secrets;
mod serve;
pub mod signals;
pub mod source;
pub mod tables;
pub mod tls;
pub mod watch;
mod workers;

pub use admin::DnsCache;
pub use serve::{ServeError, serve};
