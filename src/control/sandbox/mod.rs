//! Outside. What this process cannot do, whoever tells it to: the kernel refuses it (Landlock, seccomp).
//!
//! In:    the configuration, the program that would replace this one; before there are threads.
//! Out:   [`Sandbox`]: what holds from now on, in words; or why there is none.
//! Never: is left again, by this process or by one that it starts. Says nothing of the network: who may be
//!        called is for DNS and routes to say.
//!
//! The program that replaces this one (SIGUSR2) is in the same sandbox, and makes none of its own: the kernel
//! stacks sixteen, and a server is replaced more often than that. What its configuration names anew, it cannot
//! read; it says so and ends, and we serve on.

mod calls;
mod paths;
mod places;

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{process::geteuid, thread::set_no_new_privs};

use crate::config::{Config, Confinement};
use places::Places;

/// Whether this process is in one. Of the process, as the sandbox is.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// What holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sandbox {
    /// `sandbox: off`.
    Off,
    /// That of the server before us.
    Inherited,
    /// Ours; what was refused of it by the kernel.
    Entered { places: Places, calls: usize, missing: Vec<String> },
}

/// Why a sandbox that is required is not there.
#[derive(Debug, thiserror::Error)]
#[error(
    "sandbox: required, but {0}; take a kernel with it (Linux 5.19 or later, lsm=landlock), or write sandbox: auto"
)]
pub(super) struct NoSandbox(String);

/// Enters it, as far as the configuration wants it.
pub(super) fn enter(config: &Config, program: &Path, is_inherited: bool) -> Result<Sandbox, NoSandbox> {
    // No program that we start gets more than we have. Where nothing else is wanted, this still is.
    let privileges = set_no_new_privs(true).map_err(|error| format!("no_new_privs is refused: {error}"));
    if is_inherited {
        ENTERED.store(true, Ordering::Relaxed);
        return Ok(Sandbox::Inherited);
    }
    if config.sandbox == Confinement::Off {
        return Ok(Sandbox::Off);
    }
    let places = Places::of(config, program);
    let confined = paths::confine(&places).map_err(|error| format!("Landlock is not to be had: {error}"));
    ENTERED.store(confined.is_ok(), Ordering::Relaxed);
    let refused = calls::refuse().map_err(|error| format!("seccomp is not to be had: {error}"));
    let calls = refused.as_ref().copied().unwrap_or_default();
    let missing: Vec<String> =
        [privileges.err(), confined.err(), refused.err()].into_iter().flatten().collect();
    match missing.first() {
        Some(_) if config.sandbox == Confinement::Required => Err(NoSandbox(missing.join("; "))),
        _ => Ok(Sandbox::Entered { places, calls, missing }),
    }
}

impl Sandbox {
    /// Tells the log.
    pub(super) fn tell(&self) {
        match self {
            Self::Off => tracing::info!("sandbox: off; the system alone says what this process may do"),
            Self::Inherited => tracing::info!("sandbox: that of the server before; a restart makes one anew"),
            Self::Entered { places, calls, missing } => {
                if ENTERED.load(Ordering::Relaxed) {
                    tracing::info!("sandbox: {places}");
                }
                tracing::info!("sandbox: {calls} system calls are refused");
                for missing in missing {
                    tracing::info!("sandbox: {missing}; going on without, since it is not required");
                }
            }
        }
        if geteuid().is_root() {
            tracing::warn!(
                "running as root, which nothing here needs: give the server a user of its own (User= in the unit, --user of a container, setpriv --reuid); for a port below 1024 CAP_NET_BIND_SERVICE is enough"
            );
        }
    }

    /// Whether a program that we start is in one.
    pub(super) fn is_entered() -> bool {
        ENTERED.load(Ordering::Relaxed)
    }
}

/// What to add to this error of a file, so that whoever reads it looks in the right place.
pub(super) fn hint(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied && ENTERED.load(Ordering::Relaxed) {
        ", or the sandbox keeps this server from it: it uses what its configuration named at the start, where that was then; restart it, or write sandbox: off"
    } else {
        ""
    }
}
