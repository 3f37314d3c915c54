//! Outside. Sockets that come down to us, and ours that go on to who replaces us.
//!
//! In:    sockets handed down, the configuration, the loops.
//! Out:   a configuration that loses none of them, or which one has no place.
//! Never: closes one that has a place.

use crate::{
    config::Config,
    control::admin::Bound,
    limits::WORKERS_MAX,
    net::{EventLoop, Handed, Listening},
};

/// A socket that is closed takes with it what its queue holds: who replaces a server has as many workers at least.
pub(in crate::control) fn keep_workers(config: &mut Config, handed: &Handed) {
    let needed = handed.workers_for(&config.listen).min(WORKERS_MAX);
    if needed > config.workers {
        tracing::warn!(
            "{needed} sockets of one address were handed down: {needed} workers, instead of {}, until the next start without",
            config.workers
        );
        config.workers = needed;
    }
}

/// What `listen` does not name any more is closed when we replace a server; from systemd it is a mistake.
pub(in crate::control) fn all_are_taken(handed: Handed, replaces: bool) -> Result<(), String> {
    let rest = handed.rest();
    match (&*rest, replaces) {
        ([], _) => Ok(()),
        (rest, true) => {
            tracing::info!("closing what is not listened on any more: {}", rest.join(", "));
            Ok(())
        }
        (rest, false) => Err(format!(
            "handed down (LISTEN_FDS) and not in `listen`, nor the admin port: {}; name it there as it is in waypost.socket, or take it out there",
            rest.join(", ")
        )),
    }
}

/// All sockets we listen on, for a program that replaces us.
pub(in crate::control) fn shared(
    loops: &[EventLoop],
    admin_port: Option<&Bound>,
) -> std::io::Result<Vec<Listening>> {
    let mut sockets = Vec::new();
    for event_loop in loops {
        sockets.extend(event_loop.share()?);
    }
    sockets.extend(admin_port.map(Bound::share).transpose()?.flatten());
    Ok(sockets)
}
