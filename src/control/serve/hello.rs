//! Outside. What the server says of itself: in the log when it is there, and to whoever asks the admin port.

use std::{net::SocketAddr, time::Instant};

use crate::{
    config::{self, Config, KeySource, Listen},
    control::admin::{About, ListenerTold},
    snapshot::Snapshot,
};

/// The one line that says that the server is there, and what should not stay as it is. Whoever reads
/// it may send requests and signals.
pub(super) fn say_hello(config: &Config, addresses: &[SocketAddr], admin: &str, snapshot: &Snapshot) {
    if config.key == KeySource::Default {
        tracing::warn!(
            "no key is set: strangers can foresee our To tags and weighted choices; set `key` (openssl rand -hex 16) in the configuration, the same on all servers of a fleet"
        );
    }
    if let Some(config::Admin { place, token_file, tls }) =
        config.admin.as_ref().filter(|admin| !admin.place.is_local())
    {
        match (token_file, tls) {
            (None, _) => tracing::warn!(
                "the admin port {place} has no token: beyond metrics and probes it answers nobody; set admin: {{address: …, token_file: FILE}}, or keep it on loopback or a Unix socket"
            ),
            (Some(_), None) => tracing::warn!(
                "the admin port {place} has no TLS: who listens on the way learns the token; set admin: {{tls: {{certificate: FILE, key: FILE}}}}"
            ),
            (Some(_), Some(_)) => {}
        }
    }
    let listening: Vec<String> = config
        .listen
        .iter()
        .zip(addresses)
        .map(|(listen, address)| format!("{}:{address} ({})", listen.transport.name(), listen.name))
        .collect();
    let workers = match config.workers {
        1 => String::new(),
        several => format!("; {several} workers"),
    };
    tracing::info!(
        "waypost {} serves {}; admin {admin}; {} routes from {}, generation {}{workers}",
        env!("CARGO_PKG_VERSION"),
        listening.join(", "),
        snapshot.table.routes.len(),
        config.routes.display(),
        snapshot.generation
    );
}

/// The listeners, with the ports that they have.
pub(super) fn listeners(config: &Config, addresses: &[SocketAddr]) -> Vec<Listen> {
    let listener = |(listen, address): (&Listen, &SocketAddr)| Listen { address: *address, ..listen.clone() };
    config.listen.iter().zip(addresses).map(listener).collect()
}

pub(super) fn about(
    started: Instant,
    started_unix_s: i64,
    config: &Config,
    addresses: &[SocketAddr],
) -> About {
    let told = |listen: Listen| ListenerTold {
        name: listen.name.into(),
        transport: listen.transport.name(),
        address: listen.address,
    };
    let listeners = listeners(config, addresses).into_iter().map(told).collect();
    About { started, started_unix_s, workers: config.workers, listeners }
}
