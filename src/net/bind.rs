//! Outside. Places to listen → bound sockets, all or none, once or for several workers.
//!
//! In:    [`Listen`]s, how many workers share them, and sockets that were bound before us.
//! Out:   listening sockets, or why not: which address, and what to do about it.
//! Never: shares a port with another server. On UDP `SO_REUSEADDR` and `SO_REUSEPORT` let two bind the
//!        same one and lose each other's packets without a word. Both stay off for one worker. Of several,
//!        the first binds without; only then its sockets get `SO_REUSEPORT`, with which the others bind.
//!        At no moment can a server that begins like this get a port that another one has. Who hands a socket
//!        down has bound it: that is for him to mind.

use std::{
    fs::File,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{
    batch::{ask_for_local, last_arrival},
    handed::Handed,
};
use crate::{
    config::Listen,
    limits::{CONNECTIONS_BACKLOG, LISTENERS_MAX, RECEIVE_BUFFER_BYTES},
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
    /// TLS without a certificate.
    #[error(
        "cannot listen on {0}: TLS needs a certificate; name one and its key in the configuration, as \
         tls: {{certificate: FILE, key: FILE}}"
    )]
    NoCertificate(Place),
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
    /// A socket that was handed down takes IPv4 as well, whose addresses would look like IPv6.
    #[error(
        "cannot listen on {0}: the socket that was handed down takes IPv4, too: set BindIPv6Only=ipv6-only in \
         waypost.socket"
    )]
    BothFamilies(Place),
    /// Fewer sockets were handed down than there are workers, and the kernel lets nobody but their owner
    /// bind more.
    #[error(
        "cannot listen on {0}: fewer sockets were handed down for it than there are workers, and whoever bound them \
         is another user: set workers: 1, or take it out of waypost.socket"
    )]
    HandedTooFew(Place),
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
        // TCP and TLS have their ports in common.
        (self.transport == Transport::Udp) == (other.transport == Transport::Udp)
            && one.is_ipv4() == two.is_ipv4()
            && one.port() == two.port()
            && (one.ip() == two.ip() || one.ip().is_unspecified() || two.ip().is_unspecified())
    }
}

/// One bound UDP socket.
#[derive(Debug)]
pub(super) struct DatagramListener {
    socket: UdpSocket,
    /// As bound: port 0 is resolved.
    pub(super) address: SocketAddr,
    /// Bound to every address: its datagrams say which one they came to.
    pub(super) wildcard: bool,
}

impl DatagramListener {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The socket once more, for whoever serves it after us.
    pub(super) fn share(&self) -> io::Result<OwnedFd> {
        self.fd().try_clone_to_owned()
    }

    /// The number by which /proc/net/udp and udp6 know the socket.
    pub(super) fn inode(&self) -> io::Result<u64> {
        Ok(File::from(self.fd().try_clone_to_owned()?).metadata()?.ino())
    }
}

/// One bound TCP socket, for TCP or TLS.
#[derive(Debug)]
pub(super) struct StreamListener {
    pub(super) socket: mio::net::TcpListener,
    pub(super) transport: Transport,
}

impl StreamListener {
    /// The socket once more, for whoever serves it after us.
    pub(super) fn share(&self) -> io::Result<OwnedFd> {
        self.socket.as_fd().try_clone_to_owned()
    }
}

/// All that is listened on. Both lists have one place for each [`Listen`], in their order: one of
/// the two is taken.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) datagrams: Vec<Option<DatagramListener>>,
    pub(super) streams: Vec<Option<StreamListener>>,
    /// As bound: port 0 is resolved.
    pub(super) addresses: Vec<SocketAddr>,
}

/// Whether a socket leaves its port to others of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// It does not.
    Alone,
    /// Nobody has the port; from then on, others may bind it.
    First,
    /// With those that have it.
    Further,
}

/// Binds all, in order, or none. `has_certificate`: TLS can be spoken.
pub(super) fn bind_all(listen: &[Listen], has_certificate: bool) -> Result<Bound, BindError> {
    let mut bound = bind_workers(listen, has_certificate, 1, &mut Handed::default())?;
    bound.pop().ok_or(BindError::None)
}

/// The same for each of `workers`, at least one, which share the ports. What was handed down is taken first.
pub(super) fn bind_workers(
    listen: &[Listen],
    has_certificate: bool,
    workers: usize,
    handed: &mut Handed,
) -> Result<Vec<Bound>, BindError> {
    let mut places = places(listen, has_certificate)?;
    handed.find_ports(&mut places);
    let first = if workers <= 1 { Sharing::Alone } else { Sharing::First };
    let were_handed: Vec<bool> = places.iter().map(|place| handed.count(place) > 0).collect();
    let first = Bound::at(&places, first, handed)?;
    // Port 0 is a real one now, and the same for all.
    places.iter_mut().zip(&first.addresses).for_each(|(place, address)| place.address = *address);
    let mut bound = vec![first];
    while bound.len() < workers {
        let further = Bound::at(&places, Sharing::Further, handed);
        bound.push(further.map_err(|error| too_few(error, &places, &were_handed))?);
    }
    Ok(bound)
}

/// A port in use is one of a socket that was handed down, where there was one.
fn too_few(error: BindError, places: &[Place], were_handed: &[bool]) -> BindError {
    match error {
        BindError::InUse(place)
            if places.iter().zip(were_handed).any(|(it, handed)| *it == place && *handed) =>
        {
            BindError::HandedTooFew(place)
        }
        error => error,
    }
}

/// Where to listen, as far as that can be judged without touching the system.
fn places(listen: &[Listen], has_certificate: bool) -> Result<Vec<Place>, BindError> {
    if listen.is_empty() {
        return Err(BindError::None);
    }
    if listen.len() > LISTENERS_MAX {
        return Err(BindError::TooMany { found: listen.len() });
    }
    let places: Vec<_> =
        listen.iter().map(|l| Place { transport: l.transport, address: l.address }).collect();
    for (index, place) in places.iter().enumerate() {
        if place.transport == Transport::Tls && !has_certificate {
            return Err(BindError::NoCertificate(*place));
        }
        let mut before =
            places.iter().take(index).filter(|other| place.address.port() != 0 && place.overlaps(other));
        if let Some(other) = before.next() {
            return Err(BindError::Overlap { place: *place, other: *other });
        }
    }
    Ok(places)
}

impl Bound {
    fn at(places: &[Place], sharing: Sharing, handed: &mut Handed) -> Result<Self, BindError> {
        let mut bound = Self { datagrams: Vec::new(), streams: Vec::new(), addresses: Vec::new() };
        for place in places {
            let socket = handed.take(place);
            if let Some(socket) = &socket {
                is_fit(place, socket)?;
            }
            bound.add(place, sharing, socket).map_err(|error| reason(*place, error))?;
        }
        Ok(bound)
    }

    fn add(&mut self, place: &Place, sharing: Sharing, handed: Option<Socket>) -> io::Result<()> {
        let (datagram, stream, address) = match place.transport {
            Transport::Udp => {
                let listener = bind_datagrams(place, sharing, handed)?;
                let address = listener.address;
                (Some(listener), None, address)
            }
            Transport::Tcp | Transport::Tls => {
                let listener = bind_stream(place, sharing, handed)?;
                let address = listener.socket.local_addr()?;
                (None, Some(listener), address)
            }
        };
        self.datagrams.push(datagram);
        self.streams.push(stream);
        self.addresses.push(address);
        Ok(())
    }
}

/// Whether a socket that was handed down is as one of ours would be.
fn is_fit(place: &Place, socket: &Socket) -> Result<(), BindError> {
    let both = place.address.is_ipv6() && place.address.ip().is_unspecified();
    if both && !socket.only_v6().map_err(|error| reason(*place, error))? {
        return Err(BindError::BothFamilies(*place));
    }
    Ok(())
}

fn bind_datagrams(place: &Place, sharing: Sharing, handed: Option<Socket>) -> io::Result<DatagramListener> {
    let is_bound = handed.is_some();
    let socket = match handed {
        Some(socket) => socket,
        None => new_socket(place, Type::DGRAM, Protocol::UDP)?,
    };
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    let wildcard = place.address.ip().is_unspecified();
    if wildcard {
        // Before bind, so that no datagram comes without.
        ask_for_local(socket.as_fd(), place.address)?;
    }
    // Nothing has come; from now on the kernel notes when something does.
    let _ = last_arrival(socket.as_fd());
    bind(&socket, place, sharing, is_bound)?;
    let socket = UdpSocket::from(socket);
    let address = socket.local_addr()?;
    Ok(DatagramListener { socket, address, wildcard })
}

fn bind_stream(place: &Place, sharing: Sharing, handed: Option<Socket>) -> io::Result<StreamListener> {
    let is_bound = handed.is_some();
    let socket = match handed {
        Some(socket) => socket,
        None => new_socket(place, Type::STREAM, Protocol::TCP)?,
    };
    // On TCP this shares no port: it lets us bind while connections of the last run are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    bind(&socket, place, sharing, is_bound)?;
    // Of one that listens already, this sets the length of its queue.
    socket.listen(CONNECTIONS_BACKLOG)?;
    let socket = mio::net::TcpListener::from_std(TcpListener::from(socket));
    Ok(StreamListener { socket, transport: place.transport })
}

fn bind(socket: &Socket, place: &Place, sharing: Sharing, is_bound: bool) -> io::Result<()> {
    if is_bound {
        socket.set_nonblocking(true)?;
    } else {
        socket.set_reuse_port(sharing == Sharing::Further)?;
        socket.bind(&place.address.into())?;
    }
    // Whether a port may be shared is asked of its holders when the next one binds.
    socket.set_reuse_port(sharing != Sharing::Alone)
}

fn new_socket(place: &Place, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(place.address), kind.nonblocking(), Some(protocol))?;
    if place.address.is_ipv6() {
        // One family per socket: no IPv4-mapped addresses in conditions, and both can be bound.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
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
        bind_all(listen, false).unwrap_err().to_string()
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

    fn addresses(bound: &[Bound]) -> Vec<Vec<SocketAddr>> {
        bound.iter().map(|bound| bound.addresses.clone()).collect()
    }

    #[test]
    fn workers_share_a_port_that_is_refused_to_everybody_else() {
        for transport in [Transport::Udp, Transport::Tcp] {
            let any = [listen(transport, "127.0.0.1:0"), listen(transport, "[::]:0")];
            let workers = bind_workers(&any, false, 3, &mut Handed::default()).unwrap();
            let [first, others @ ..] = &addresses(&workers)[..] else { panic!("no worker") };
            assert_eq!(others, [first.clone(), first.clone()]);
            for address in first {
                let place = [listen(transport, &address.to_string())];
                for workers in 1..=2 {
                    let error = bind_workers(&place, false, workers, &mut Handed::default()).unwrap_err();
                    assert!(matches!(error, BindError::InUse(_)), "{workers} more: {error}");
                }
            }
            let again = first.iter().map(|address| listen(transport, &address.to_string()));
            let again: Vec<_> = again.collect();
            drop(workers);
            bind_workers(&again, false, 2, &mut Handed::default()).expect("the ports are free again");
        }
    }

    #[test]
    fn one_worker_shares_nothing() {
        let bound = bind_workers(&udp(&["127.0.0.1:0"]), false, 1, &mut Handed::default()).unwrap();
        assert_eq!(bound.len(), 1);
        let place = Place { transport: Transport::Udp, address: bound[0].addresses[0] };
        let error = Bound::at(&[place], Sharing::Further, &mut Handed::default()).unwrap_err();
        assert!(matches!(error, BindError::InUse(_)), "{error}");
    }

    #[test]
    fn all_workers_are_bound_or_none() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let holder = UdpSocket::bind(&taken).unwrap();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        bind_workers(&udp(&[&free, &taken]), false, 2, &mut Handed::default()).unwrap_err();
        UdpSocket::bind(&free).expect("the first is free again");
        drop(holder);
    }

    #[test]
    fn all_are_bound_or_none() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        bind_all(&udp(&[&free, &taken.local_addr().unwrap().to_string()]), false).unwrap_err();
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
    fn tls_without_a_certificate_is_refused_before_anything_is_bound() {
        let listen = [listen(Transport::Udp, "127.0.0.1:0"), listen(Transport::Tls, "127.0.0.1:5061")];
        assert_eq!(
            message(&listen),
            "cannot listen on tls 127.0.0.1:5061: TLS needs a certificate; name one and its key in the \
             configuration, as tls: {certificate: FILE, key: FILE}"
        );
        bind_all(&[self::listen(Transport::Tls, "127.0.0.1:0")], true).unwrap();
    }

    #[test]
    fn udp_and_a_stream_share_a_port_and_two_streams_do_not() {
        let any = bind_all(&udp(&["127.0.0.1:0"]), false).unwrap().addresses[0].to_string();
        let tcp = bind_all(&[listen(Transport::Tcp, &any)], false).unwrap();
        assert_eq!(tcp.addresses[0].to_string(), any);
        assert!(tcp.datagrams[0].is_none() && tcp.streams[0].is_some());
        assert_eq!(
            bind_all(
                &[listen(Transport::Tcp, "127.0.0.1:5061"), listen(Transport::Tls, "127.0.0.1:5061")],
                true
            )
            .unwrap_err()
            .to_string(),
            "cannot listen on tls 127.0.0.1:5061: it overlaps tcp 127.0.0.1:5061, which is listened on already: \
             remove one of them"
        );
    }

    #[test]
    fn the_number_of_listeners_has_two_bounds() {
        assert!(matches!(bind_all(&[], false), Err(BindError::None)));
        let any = udp(&["127.0.0.1:0"; LISTENERS_MAX + 1]);
        assert!(matches!(bind_all(&any, false), Err(BindError::TooMany { found: 33 })));
        assert_eq!(bind_all(&any[..LISTENERS_MAX], false).unwrap().addresses.len(), LISTENERS_MAX);
    }

    #[test]
    fn both_wildcards_share_a_port() {
        let port = bind_all(&udp(&["0.0.0.0:0"]), false).unwrap().addresses[0].port();
        let both = bind_all(&udp(&[&format!("0.0.0.0:{port}"), &format!("[::]:{port}")]), false).unwrap();
        assert!(both.datagrams.iter().flatten().all(|listener| listener.wildcard));
    }

    #[test]
    fn the_inode_is_the_one_in_proc() {
        for (address, file) in [("127.0.0.1:0", "/proc/net/udp"), ("[::1]:0", "/proc/net/udp6")] {
            let bound = bind_all(&udp(&[address]), false).unwrap();
            let listener = bound.datagrams[0].as_ref().unwrap();
            let inode = listener.inode().unwrap().to_string();
            let port = format!(":{:04X}", listener.address.port());
            let table = std::fs::read_to_string(file).unwrap();
            let line = table.lines().find(|line| line.split_whitespace().nth(9) == Some(&inode));
            assert!(line.is_some_and(|line| line.contains(&port)), "{inode} {port} in\n{table}");
        }
    }
}
