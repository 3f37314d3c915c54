//! Outside. What this process was given at its start: sockets, and the server that it replaces.
//!
//! In:    LISTEN_FDS and LISTEN_FDNAMES (sd_listen_fds(3)), the variable [`REPLACES`], stdin.
//! Out:   the sockets, and the line to the server before us.
//! Never: trusts a variable that was meant for another process.

use std::{
    env, io,
    io::{Read as _, Write as _},
    os::{
        fd::AsFd as _,
        unix::{net::UnixStream, process::parent_id},
    },
    thread,
    time::Duration,
};

use listenfd::ListenFd;

use super::systemd::Systemd;
use crate::{
    limits::{HANDED_SOCKETS_MAX, REPLACEMENT_RELEASE_MS_MAX},
    net::Handed,
};

/// Names the process that started this one to be replaced by it; its stdin is the line to it then.
pub(super) const REPLACES: &str = "WAYPOST_REPLACES";

/// Says that whoever starts this one is in a sandbox, which is this one's then: its number, as above.
pub(super) const CONFINED: &str = "WAYPOST_CONFINED";

/// What is said on the line, by the new one and then by the old one.
pub(super) const READY: u8 = b'r';
pub(super) const RELEASED: u8 = b'l';

/// Why what was handed down cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::control) enum InheritError {
    #[error("{0} sockets were handed down (LISTEN_FDS), expected at most {HANDED_SOCKETS_MAX}")]
    TooMany(usize),
    #[error(
        "socket {number} of those handed down (LISTEN_FDS, name \"{name}\") is neither a UDP socket nor a TCP \
         listener: {error}; in waypost.socket use ListenDatagram= and ListenStream= with an IP address and a port"
    )]
    NotOurs { number: usize, name: String, error: io::Error },
}

/// See the file's first lines.
#[derive(Debug, Default)]
pub(in crate::control) struct Inherited {
    pub(in crate::control) handed: Handed,
    pub(in crate::control) predecessor: Option<Predecessor>,
}

/// The server before us, which goes on until it hears that we are ready.
#[derive(Debug)]
pub(in crate::control) struct Predecessor {
    line: UnixStream,
    /// Whether it is in a sandbox, and so are we.
    pub(in crate::control) is_confined: bool,
}

impl Inherited {
    /// Takes it. Must be called before any thread is started: the variables are removed, so that no child gets them.
    pub(in crate::control) fn take() -> Result<Self, InheritError> {
        let predecessor = predecessor();
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').collect();
        // Before room for them is made.
        let told = env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<usize>().ok());
        if let Some(count) = told.filter(|count| *count > HANDED_SOCKETS_MAX) {
            return Err(InheritError::TooMany(count));
        }
        let mut sockets = ListenFd::from_env();
        let mut handed = Handed::default();
        for index in 0..sockets.len() {
            let name = names.get(index).copied().unwrap_or_default();
            add(&mut handed, &mut sockets, index, name).map_err(|error| InheritError::NotOurs {
                number: index.saturating_add(1),
                name: name.to_owned(),
                error,
            })?;
        }
        Ok(Self { handed, predecessor })
    }
}

fn add(handed: &mut Handed, sockets: &mut ListenFd, index: usize, name: &str) -> io::Result<()> {
    if let Ok(Some(socket)) = sockets.take_udp_socket(index) {
        return handed.add_datagrams(name, socket);
    }
    match sockets.take_tcp_listener(index)? {
        Some(listener) => handed.add_stream(name, listener),
        None => Ok(()),
    }
}

/// The line to the server before us, if there is one and it is our parent still.
fn predecessor() -> Option<Predecessor> {
    let is_parent = |name| env::var(name).is_ok_and(|number| number.parse() == Ok(parent_id()));
    if !is_parent(REPLACES) {
        return None;
    }
    let is_confined = is_parent(CONFINED);
    let line = io::stdin().as_fd().try_clone_to_owned().ok()?;
    Some(Predecessor { line: UnixStream::from(line), is_confined })
}

impl Predecessor {
    /// Says that we are ready; systemd hears it when the one before us has named us as the service's process.
    pub(in crate::control) fn relieve(mut self, systemd: Systemd) {
        if let Err(error) = self.line.write_all(&[READY]) {
            tracing::warn!(
                "the server that is to be replaced cannot be told that its time has come: {error}"
            );
        }
        let wait = move || {
            if !self.lets_go(Duration::from_millis(REPLACEMENT_RELEASE_MS_MAX)) {
                tracing::warn!("the server that is to be replaced has not said that it lets go; serving on");
            }
            systemd.speaks();
        };
        if let Err(error) = thread::Builder::new().name("relieve".to_owned()).spawn(wait) {
            tracing::warn!("no thread can be started: {error}");
        }
    }

    /// Waits for its word.
    fn lets_go(&mut self, longest: Duration) -> bool {
        let mut word = [0];
        let waits = self.line.set_read_timeout(Some(longest));
        waits.and_then(|()| self.line.read_exact(&mut word)).is_ok() && word == [RELEASED]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_the_server_before_us_is_waited_for_up_to_a_limit() {
        let (line, mut other) = UnixStream::pair().unwrap();
        let mut predecessor = Predecessor { line, is_confined: false };
        let short = Duration::from_millis(10);
        assert!(short < Duration::from_millis(REPLACEMENT_RELEASE_MS_MAX));
        assert!(!predecessor.lets_go(short), "it says nothing");
        other.write_all(&[RELEASED]).unwrap();
        assert!(predecessor.lets_go(Duration::from_secs(60)));
        drop(other);
        assert!(!predecessor.lets_go(Duration::from_secs(60)), "it is gone");
    }
}
