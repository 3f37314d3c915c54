//! Outside. Every socket of the server, bound before the first packet or taken over from who had them before.
//!
//! In:    the configuration, what was handed down.
//! Out:   the loops with their sockets, the admin port, all of them once more for who replaces us.
//! Never: leaves something that was handed down unused; goes on without one of its own.

use std::net::SocketAddr;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::ServeError;
use crate::{
    config::{self, Config},
    control::{
        admin::{self, Bound},
        lifecycle::{all_are_taken, shared},
        secrets::Secrets,
    },
    limits::FILES_BESIDES_CONNECTIONS,
    net::{EventLoop, Handed, Handle, Listening, StreamSettings},
    route::Transport,
};

/// See the file's first lines.
pub(super) struct Sockets {
    /// One for each worker, and their handles likewise.
    pub(super) loops: Vec<EventLoop>,
    pub(super) handles: Vec<Handle>,
    /// By listener; port 0 is a real one here.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) admin_port: Option<Bound>,
    /// Once more.
    pub(super) shared: Vec<Listening>,
}

impl Sockets {
    /// Binds them, or takes those that are handed down. `replaces`: by a server whose place we take.
    pub(super) fn bind(
        config: &Config,
        secrets: &Secrets,
        mut handed: Handed,
        replaces: bool,
    ) -> Result<Self, ServeError> {
        raise_file_limit(config);
        let bound = EventLoop::take_workers(
            &config.listen,
            &stream_settings(config, secrets),
            config.workers,
            &mut handed,
        );
        let bound = bound.map_err(|error| ServeError::Other(error.to_string()))?;
        let batched =
            |(event_loop, handle): (EventLoop, Handle)| (event_loop.with_batching(config.batching), handle);
        let (loops, handles): (Vec<_>, Vec<_>) = bound.into_iter().map(batched).unzip();
        let addresses = loops.first().map(EventLoop::addresses).unwrap_or_default();
        let take = |admin: &config::Admin| admin::take(&admin.place, &mut handed, replaces);
        let admin_port = config.admin.as_ref().map(take).transpose();
        let admin_port =
            admin_port.map_err(ServeError::Other)?.map(|port| port.with_tls(secrets.admin_tls()));
        all_are_taken(handed, replaces).map_err(ServeError::Other)?;
        let shared = shared(&loops, admin_port.as_ref())
            .map_err(|error| ServeError::Other(format!("the sockets cannot be shared: {error}")))?;
        Ok(Self { loops, handles, addresses, admin_port, shared })
    }
}

fn stream_settings(config: &Config, secrets: &Secrets) -> StreamSettings {
    StreamSettings {
        // Of one worker.
        connections_max: config.connections.max.div_ceil(config.workers.max(1)),
        per_source_max: config.connections.per_source,
        idle_ms: config.connections.idle_s.saturating_mul(1000),
        tls: secrets.listeners_tls(),
        ..StreamSettings::default()
    }
}

/// Each connection takes a file descriptor, and so does each listener of each worker; a process has 1024 by
/// default. The system grants more to whoever asks.
fn raise_file_limit(config: &Config) {
    let is_udp_only = config.listen.iter().all(|listen| listen.transport == Transport::Udp);
    if is_udp_only && config.workers == 1 {
        return;
    }
    let connections_max = if is_udp_only { 0 } else { config.connections.max };
    let workers = config.workers;
    // A loop has an event queue, held twice, and a waker. Its sockets are there twice, for who replaces us.
    let of_loops = workers.saturating_mul(config.listen.len().saturating_mul(2).saturating_add(3));
    let needed = FILES_BESIDES_CONNECTIONS.saturating_add(connections_max).saturating_add(of_loops);
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let granted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let set = setrlimit(Resource::Nofile, Rlimit { current: Some(granted), maximum: limit.maximum });
    if granted < needed || set.is_err() {
        tracing::warn!(
            "{connections_max} connections and {workers} workers need {needed} open files, and this process may have {granted}: raise LimitNOFILE (systemd) or `ulimit -n`, or lower connections.max"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Connections;

    #[test]
    fn the_workers_share_out_the_connections() {
        let settings = |workers, max| {
            let connections = Connections { max, per_source: 7, ..Connections::default() };
            let settings =
                stream_settings(&Config { workers, connections, ..Config::default() }, &Secrets::default());
            (settings.connections_max, settings.per_source_max)
        };
        for (workers, max, each) in [(1, 5, 5), (2, 5, 3), (5, 5, 1), (64, 5, 1)] {
            assert_eq!(settings(workers, max), (each, 7), "{workers} workers, {max} connections");
        }
    }
}
