//! Outside. Places to listen → bound sockets, all or none.
//!
//! In:    [`Listen`]s.
//! Out:   [`Listener`]s, or why not: which address, and what to do about it.
//! Never: shares a port with another program. `SO_REUSEADDR` and `SO_REUSEPORT` stay off, since on
//!        UDP they let two servers bind the same port and lose each other's packets without a word.

use std::{
    fs::File,
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
};

use socket2::{Domain, Protocol, Socket, Type};

use super::batch::ask_for_local;
use crate::{
    config::Listen,
    limits::{LISTENERS_MAX, RECEIVE_BUFFER_BYTES},
    route::Transport,
};

/// Why the server cannot listen. Names the address and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Nothing to listen on.
    #[error("there is no address to listen on: give one with --listen, such as --listen udp:127.0.0.1:5060")]
    None,
    /// More listeners than [`LISTENERS_MAX`].
    #[error(
        "{found} addresses to listen on are more than {LISTENERS_MAX}: listen on 0.0.0.0 or [::] instead"
    )]
    TooMany {
        /// How many.
        found: usize,
    },
    /// A transport that is not served yet.
    #[error("cannot listen on {0}: only udp is served in this version; write udp:{address}", address = .0.address)]
    Transport(Place),
    /// Another program has the port.
    #[error(
        "cannot listen on {0}: address already in use; another server (or a second waypost) has it: \
         stop it, or choose another address with --listen"
    )]
    InUse(Place),
    /// One of our own listeners has the port.
    #[error(
        "cannot listen on {place}: it overlaps {other}, which is listened on already: remove one of them"
    )]
    Overlap {
        /// The second.
        place: Place,
        /// The first.
        other: Place,
    },
    /// A port under 1024, or a security module.
    #[error(
        "cannot listen on {0}: permission denied; ports under 1024 need CAP_NET_BIND_SERVICE (in a systemd \
         unit: AmbientCapabilities=CAP_NET_BIND_SERVICE), or choose a port from 1024 with --listen"
    )]
    NotPermitted(Place),
    /// The address is not one of this machine's.
    #[error(
        "cannot listen on {0}: no interface of this machine has that address; see `ip address`, or listen on \
         all of them with {any}", any = .0.any()
    )]
    NoSuchAddress(Place),
    /// IPv6 is switched off.
    #[error("cannot listen on {0}: this machine has no {family}; remove this address", family = .0.family())]
    NoSuchFamily(Place),
    /// Another reason, in the kernel's words.
    #[error("cannot listen on {place}: {error}")]
    Other {
        /// Where.
        place: Place,
        /// Why.
        error: io::Error,
    },
    /// The system has no event queue for us.
    #[error("cannot start the event loop: {0}; is the limit of open files (`ulimit -n`) too low?")]
    Loop(io::Error),
}

/// A transport and an address, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Place {
    pub transport: Transport,
    pub address: SocketAddr,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.transport.name(), self.address)
    }
}

impl Place {
    fn family(&self) -> &'static str {
        if self.address.is_ipv4() { "IPv4" } else { "IPv6" }
    }

    fn any(&self) -> &'static str {
        if self.address.is_ipv4() { "0.0.0.0" } else { "[::]" }
    }

    /// Whether both cannot be bound at once.
    fn overlaps(&self, other: &Self) -> bool {
        let (one, two) = (self.address, other.address);
        self.transport == other.transport
            && one.is_ipv4() == two.is_ipv4()
            && one.port() == two.port()
            && (one.ip() == two.ip() || one.ip().is_unspecified() || two.ip().is_unspecified())
    }
}

/// One bound socket.
#[derive(Debug)]
pub(super) struct Listener {
    socket: UdpSocket,
    /// As bound: port 0 is resolved.
    pub(super) address: SocketAddr,
    /// Bound to every address: its datagrams say which one they came to.
    pub(super) wildcard: bool,
}

impl Listener {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The number by which /proc/net/udp and udp6 know the socket.
    pub(super) fn inode(&self) -> io::Result<u64> {
        Ok(File::from(self.fd().try_clone_to_owned()?).metadata()?.ino())
    }
}

/// Binds all, in order, or none.
pub(super) fn bind_all(listen: &[Listen]) -> Result<Vec<Listener>, BindError> {
    if listen.is_empty() {
        return Err(BindError::None);
    }
    if listen.len() > LISTENERS_MAX {
        return Err(BindError::TooMany { found: listen.len() });
    }
    let places: Vec<_> =
        listen.iter().map(|l| Place { transport: l.transport, address: l.address }).collect();
    // What can be said without touching the system is said first.
    for (index, place) in places.iter().enumerate() {
        if place.transport != Transport::Udp {
            return Err(BindError::Transport(*place));
        }
        let mut before =
            places.iter().take(index).filter(|other| place.address.port() != 0 && place.overlaps(other));
        if let Some(other) = before.next() {
            return Err(BindError::Overlap { place: *place, other: *other });
        }
    }
    places.iter().map(|place| bind(place).map_err(|error| reason(*place, error))).collect()
}

fn bind(place: &Place) -> io::Result<Listener> {
    let socket =
        Socket::new(Domain::for_address(place.address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if place.address.is_ipv6() {
        // One family per socket: no IPv4-mapped addresses in conditions, and both can be bound.
        socket.set_only_v6(true)?;
    }
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    let wildcard = place.address.ip().is_unspecified();
    if wildcard {
        // Before bind, so that no datagram comes without.
        ask_for_local(socket.as_fd(), place.address)?;
    }
    socket.bind(&place.address.into())?;
    let socket = UdpSocket::from(socket);
    let address = socket.local_addr()?;
    Ok(Listener { socket, address, wildcard })
}

fn reason(place: Place, error: io::Error) -> BindError {
    match error.kind() {
        ErrorKind::AddrInUse => BindError::InUse(place),
        ErrorKind::PermissionDenied => BindError::NotPermitted(place),
        ErrorKind::AddrNotAvailable => BindError::NoSuchAddress(place),
        _ if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => BindError::NoSuchFamily(place),
        _ => BindError::Other { place, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(transport: Transport, address: &str) -> Listen {
        Listen { name: address.into(), transport, address: address.parse().unwrap() }
    }

    fn udp(addresses: &[&str]) -> Vec<Listen> {
        addresses.iter().map(|address| listen(Transport::Udp, address)).collect()
    }

    fn message(listen: &[Listen]) -> String {
        bind_all(listen).unwrap_err().to_string()
    }

    fn reason_of(error: libc::c_int, address: &str) -> String {
        let place = Place { transport: Transport::Udp, address: address.parse().unwrap() };
        reason(place, io::Error::from_raw_os_error(error)).to_string()
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        assert_eq!(
            message(&udp(&["127.0.0.1:0", &address])),
            format!(
                "cannot listen on udp {address}: address already in use; another server (or a second waypost) \
                 has it: stop it, or choose another address with --listen"
            )
        );
    }

    #[test]
    fn all_are_bound_or_none() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        bind_all(&udp(&[&free, &taken.local_addr().unwrap().to_string()])).unwrap_err();
        UdpSocket::bind(&free).expect("the first is free again");
    }

    #[test]
    fn an_address_that_is_not_ours_is_named() {
        assert_eq!(
            message(&udp(&["203.0.113.1:5060"])),
            "cannot listen on udp 203.0.113.1:5060: no interface of this machine has that address; see \
             `ip address`, or listen on all of them with 0.0.0.0"
        );
    }

    #[test]
    fn each_reason_has_its_message() {
        let message = reason_of(libc::EACCES, "0.0.0.0:506");
        assert!(message.starts_with("cannot listen on udp 0.0.0.0:506: permission denied"), "{message}");
        assert!(message.contains("AmbientCapabilities=CAP_NET_BIND_SERVICE"), "{message}");
        assert_eq!(
            reason_of(libc::EAFNOSUPPORT, "[::]:5060"),
            "cannot listen on udp [::]:5060: this machine has no IPv6; remove this address"
        );
        let message = reason_of(libc::ENOMEM, "[::]:5060");
        assert!(message.starts_with("cannot listen on udp [::]:5060: "), "{message}");
        assert!(reason_of(libc::EADDRNOTAVAIL, "[2001:db8::1]:5060").ends_with("with [::]"));
    }

    #[test]
    fn two_listeners_must_not_overlap() {
        for (two, overlap) in [
            (["127.0.0.1:5060", "127.0.0.1:5060"], true),
            (["0.0.0.0:5060", "127.0.0.1:5060"], true),
            (["[::1]:5060", "[::]:5060"], true),
            (["0.0.0.0:5060", "[::]:5060"], false),
            (["127.0.0.1:5060", "127.0.0.1:5061"], false),
            (["127.0.0.1:5060", "127.0.0.2:5060"], false),
        ] {
            let [one, other] =
                two.map(|address| Place { transport: Transport::Udp, address: address.parse().unwrap() });
            assert_eq!(one.overlaps(&other), overlap, "{two:?}");
            assert_eq!(other.overlaps(&one), overlap, "{two:?}");
        }
        assert_eq!(
            message(&udp(&["0.0.0.0:5060", "127.0.0.1:5060"])),
            "cannot listen on udp 127.0.0.1:5060: it overlaps udp 0.0.0.0:5060, which is listened on already: \
             remove one of them"
        );
    }

    #[test]
    fn streams_are_refused_before_anything_is_bound() {
        let listen = [listen(Transport::Udp, "127.0.0.1:0"), listen(Transport::Tcp, "127.0.0.1:5060")];
        assert_eq!(
            message(&listen),
            "cannot listen on tcp 127.0.0.1:5060: only udp is served in this version; write udp:127.0.0.1:5060"
        );
    }

    #[test]
    fn the_number_of_listeners_has_two_bounds() {
        assert!(matches!(bind_all(&[]), Err(BindError::None)));
        let any = udp(&["127.0.0.1:0"; LISTENERS_MAX + 1]);
        assert!(matches!(bind_all(&any), Err(BindError::TooMany { found: 33 })));
        assert_eq!(bind_all(&any[..LISTENERS_MAX]).unwrap().len(), LISTENERS_MAX);
    }

    #[test]
    fn both_wildcards_share_a_port() {
        let port = bind_all(&udp(&["0.0.0.0:0"])).unwrap()[0].address.port();
        let both = bind_all(&udp(&[&format!("0.0.0.0:{port}"), &format!("[::]:{port}")])).unwrap();
        assert!(both.iter().all(|listener| listener.wildcard));
    }

    #[test]
    fn the_inode_is_the_one_in_proc() {
        for (address, file) in [("127.0.0.1:0", "/proc/net/udp"), ("[::1]:0", "/proc/net/udp6")] {
            let listener = &bind_all(&udp(&[address])).unwrap()[0];
            let inode = listener.inode().unwrap().to_string();
            let port = format!(":{:04X}", listener.address.port());
            let table = std::fs::read_to_string(file).unwrap();
            let line = table.lines().find(|line| line.split_whitespace().nth(9) == Some(&inode));
            assert!(line.is_some_and(|line| line.contains(&port)), "{inode} {port} in\n{table}");
        }
    }
}
