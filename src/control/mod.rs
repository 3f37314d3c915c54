//! Outside. Everything beside the loop: first load, reload, watching, admin HTTP, metrics, signals, DNS.
//!
//! In:    a [`crate::config::Config`].
//! Out:   a server, until a signal ends it.
//! Never: sees a packet. Threads: `control` (admin HTTP, signals, resolver), `reload` (loads, one at a
//! time, and frees old tables), `watch` (the route files), `source` (fetches them, when they come from elsewhere). The loop is the main thread; those of further
//! workers are `worker-2` and so on. They wait for none of the others, nor for each other.

pub mod admin;
pub mod admin_answer;
mod admin_diff;
mod admin_dns;
pub mod config_file;
pub mod diff;
mod events;
pub mod files;
mod load_error;
pub mod loader;
pub mod logging;
pub mod metrics;
pub mod reload;
pub mod resolver;
pub mod retired;
mod serve;
pub mod signals;
pub mod source;
pub mod tables;
pub mod tls;
pub mod watch;
mod workers;

pub use admin_dns::DnsCache;
pub use serve::{ServeError, serve};
