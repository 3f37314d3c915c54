//! Outside. Sockets that are connected to the peers most answers go to. For an answer by the listener's socket the kernel
//! looks its route up; a connected one keeps it, which saves an eighth of what sending costs (benches/README.md).
//!
//! In:    where each answer goes, and the socket of its listener.
//! Out:   the connected socket it may leave by, from the same address and port.
//! Never: receives. A socket connected to a peer would get that peer's requests instead of the listener. So these are bound
//!        to a multicast group that is never used, with the listener's port: only datagrams to that group would be
//!        theirs, and what they send comes from the address that `connect` gave them, which is not the one of `bind`
//!        when that is a group.
//!
//! No answer needs one: what cannot be had, or fails, is left to the listener's socket.

use std::{
    array::from_fn,
    io,
    iter::from_fn as from_iter,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, BorrowedFd},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::limits::{CONNECTED_AFTER_ANSWERS, CONNECTED_ANSWERS_MIN, CONNECTED_PEERS_MAX};

/// A place for one peer, by its number.
pub(super) type PlaceId = u8;

const _: () = assert!(CONNECTED_PEERS_MAX <= u32::BITS as usize);

const PLACES_PER_ROW: usize = 4;
const ROWS: usize = CONNECTED_PEERS_MAX / PLACES_PER_ROW;

/// The groups. RFC 4607 §4.3 reserves one of each family, to which nobody may send, for an implementation to have as a null value.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(232, 0, 0, 0);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff3e, 0, 0, 0, 0, 0, 0x4000, 0);

/// See the file's first lines.
#[derive(Debug)]
pub(super) struct Connected {
    on: bool,
    places: [Place; CONNECTED_PEERS_MAX],
    /// A bit for each place whose peer has answers in this batch.
    in_batch: u32,
}

/// Peers share a row of places by the hash of their addresses. Who finds none there takes that of the weakest, in time.
#[derive(Debug, Default)]
struct Place {
    peer: Option<Peer>,
    /// Answers to it, less those to others that want its place; at most [`CONNECTED_AFTER_ANSWERS`].
    lead: u32,
    /// Answers to it in this batch.
    in_batch: usize,
    socket: Option<Socket>,
}

/// Who answers, and whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Peer {
    listener: usize,
    address: SocketAddr,
}

impl Connected {
    /// `on`: whether there are to be any.
    pub(super) fn new(on: bool) -> Self {
        Self { on, places: from_fn(|_| Place::default()), in_batch: 0 }
    }

    /// Counts an answer of this batch, by a listener that is bound to one address. Gives its peer's place, if it has one.
    pub(super) fn count(&mut self, listener: usize, to: SocketAddr) -> Option<PlaceId> {
        if !self.on {
            return None;
        }
        let peer = Peer { listener, address: to };
        let first = peer.row() * PLACES_PER_ROW;
        let row = self.places.get_mut(first..)?.get_mut(..PLACES_PER_ROW)?;
        if let Some(index) = row.iter().position(|place| place.peer == Some(peer)) {
            let place = row.get_mut(index)?;
            place.lead = (place.lead + 1).min(CONNECTED_AFTER_ANSWERS);
            place.in_batch += 1;
            self.in_batch |= 1 << (first + index);
            return PlaceId::try_from(first + index).ok();
        }
        let weakest = row.iter_mut().min_by_key(|place| place.lead)?;
        weakest.lead = weakest.lead.saturating_sub(1);
        if weakest.lead == 0 {
            // The answers to the last one that wait in this batch leave by their listener: there is no socket.
            *weakest = Place { peer: Some(peer), lead: 1, ..Place::default() };
        }
        None
    }

    /// Places whose peers have answers in this batch.
    pub(super) fn places(&self) -> impl Iterator<Item = PlaceId> + use<> {
        bits(self.in_batch)
    }

    /// Its socket, if answers of this batch are to leave by it.
    pub(super) fn socket(&self, id: Option<PlaceId>) -> Option<BorrowedFd<'_>> {
        let place = self.places.get(usize::from(id?)).filter(|place| place.is_used())?;
        place.socket.as_ref().map(AsFd::as_fd)
    }

    #[cfg(test)]
    pub(super) fn sockets(&self) -> usize {
        self.places.iter().filter(|place| place.socket.is_some()).count()
    }

    /// Its socket failed: there is none, until its peer has had many answers more.
    pub(super) fn give_up(&mut self, id: PlaceId) {
        if let Some(place) = self.places.get_mut(usize::from(id)) {
            place.socket = None;
            place.lead = 0;
        }
    }

    /// The batch has left. Connects sockets to the peers that have earned one by it; `socket_of` is that of a listener.
    pub(super) fn end_batch<'s>(&mut self, socket_of: impl Fn(usize) -> Option<BorrowedFd<'s>>) {
        for id in bits(std::mem::take(&mut self.in_batch)) {
            let Some(place) = self.places.get_mut(usize::from(id)) else { continue };
            let answers = std::mem::take(&mut place.in_batch);
            let is_due = place.socket.is_none()
                && place.lead >= CONNECTED_AFTER_ANSWERS
                && answers >= CONNECTED_ANSWERS_MIN;
            if let (true, Some(peer)) = (is_due, place.peer) {
                place.socket = socket_of(peer.listener)
                    .and_then(|listener| connect(SockRef::from(&listener), peer.address).ok());
                if place.socket.is_none() {
                    place.lead = 0;
                }
            }
        }
    }
}

/// The places of the bits that are set.
fn bits(mut set: u32) -> impl Iterator<Item = PlaceId> {
    from_iter(move || {
        let place = PlaceId::try_from(set.trailing_zeros()).ok().filter(|_| set != 0)?;
        set &= set - 1;
        Some(place)
    })
}

impl Place {
    fn is_used(&self) -> bool {
        self.socket.is_some() && self.in_batch >= CONNECTED_ANSWERS_MIN
    }
}

impl Peer {
    fn row(&self) -> usize {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) => ip.to_bits().into(),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        let [high, low] = [ip >> 64, ip].map(|half| half as u64);
        let place = (self.listener as u64) << 48 | u64::from(self.address.port()) << 32;
        // Fibonacci hashing (Knuth, volume 3, 6.4): neighbours are put far from each other.
        let mixed = (high ^ low ^ place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % ROWS
    }
}

/// A socket that sends to `peer` as the listener's does, and receives nothing.
fn connect(listener: SockRef<'_>, peer: SocketAddr) -> io::Result<Socket> {
    let local = listener.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    let is_link_local = |ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if is_link_local(local.ip()) || is_link_local(peer.ip()) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // From the address that it is first connected to, if the kernel takes that one for it: of several addresses in one network
    // it takes the first. It cannot be asked of the socket itself, which would name the group.
    let probe = alike(&listener, local)?;
    probe.connect(&local.into())?;
    if probe.local_addr()?.as_socket().map(|from| from.ip()) != Some(local.ip()) {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    let socket = alike(&listener, local)?;
    // With those of other workers, and of the process before us.
    socket.set_reuse_address(true)?;
    if local.is_ipv4() {
        socket.set_multicast_all_v4(false)?;
    } else {
        socket.set_multicast_all_v6(false)?;
    }
    // Twice what is set is what is told, and what is set is doubled (socket(7)).
    socket.set_send_buffer_size(listener.send_buffer_size()? / 2)?;
    socket.set_recv_buffer_size(0)?;
    let group = if local.is_ipv4() { IpAddr::V4(GROUP_V4) } else { IpAddr::V6(GROUP_V6) };
    socket.bind(&SocketAddr::new(group, local.port()).into())?;
    socket.connect(&local.into())?;
    socket.connect(&peer.into())?;
    Ok(socket)
}

/// A new socket with what the listener's has been told, by whoever handed it down, of the packets it sends.
fn alike(listener: &Socket, local: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if local.is_ipv4() {
        socket.set_tos_v4(listener.tos_v4()?)?;
        socket.set_ttl_v4(listener.ttl_v4()?)?;
    } else {
        socket.set_only_v6(true)?;
        socket.set_tclass_v6(listener.tclass_v6()?)?;
        socket.set_unicast_hops_v6(listener.unicast_hops_v6()?)?;
    }
    if listener.priority()? != socket.priority()? {
        socket.set_priority(listener.priority()?)?;
    }
    if listener.mark()? != 0 {
        socket.set_mark(listener.mark()?)?;
    }
    if let Some(device) = listener.device()? {
        socket.bind_device(Some(&device))?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, time::Duration};

    use super::*;

    fn socket(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    fn address(socket: &UdpSocket) -> SocketAddr {
        socket.local_addr().unwrap()
    }

    /// A batch of answers to `to`; the place they would leave by.
    fn batch(
        connected: &mut Connected,
        listener: &UdpSocket,
        to: SocketAddr,
        answers: usize,
    ) -> Option<PlaceId> {
        let mut place = None;
        for _ in 0..answers {
            place = connected.count(0, to);
        }
        let used = place.filter(|place| connected.socket(Some(*place)).is_some());
        connected.end_batch(|_| Some(listener.as_fd()));
        used
    }

    /// As many batches as earn a socket.
    fn earn(connected: &mut Connected, listener: &UdpSocket, to: SocketAddr) {
        for _ in 0..CONNECTED_AFTER_ANSWERS / 64 {
            assert_eq!(batch(connected, listener, to, 64), None);
        }
    }

    #[test]
    fn it_sends_as_the_listener_does_and_leaves_it_what_comes() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let (listener, peer) = (socket(any), socket(any));
            let own = connect(SockRef::from(&listener), address(&peer)).unwrap();
            let mut room = [0; 10];
            assert_eq!(own.send(b"answer").unwrap(), 6);
            assert_eq!(peer.recv_from(&mut room).unwrap(), (6, address(&listener)));
            peer.send_to(b"request", address(&listener)).unwrap();
            assert_eq!(listener.recv_from(&mut room).unwrap(), (7, address(&peer)));
            let nothing = UdpSocket::from(own).recv(&mut room).unwrap_err();
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn a_peer_that_has_gone_is_no_error() {
        let (listener, peer) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let own = connect(SockRef::from(&listener), address(&peer)).unwrap();
        drop(peer);
        for _ in 0..3 {
            assert_eq!(own.send(b"answer").unwrap(), 6);
        }
        assert!(own.take_error().unwrap().is_none());
    }

    #[test]
    fn several_processes_may_have_one_to_the_same_peer() {
        let (listener, peer) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let all = [(); 3].map(|()| connect(SockRef::from(&listener), address(&peer)).unwrap());
        for own in &all {
            own.send(b"answer").unwrap();
            assert_eq!(peer.recv_from(&mut [0; 10]).unwrap(), (6, address(&listener)));
        }
    }

    #[test]
    fn an_address_that_the_kernel_would_not_send_from_has_none() {
        let (listener, peer) = (socket("127.0.0.2:0"), socket("127.0.0.1:0"));
        let error = connect(SockRef::from(&listener), address(&peer)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn what_the_listener_was_told_of_its_packets_holds_for_it() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let (listener, peer) = (socket(any), socket(any));
            let told = SockRef::from(&listener);
            told.set_send_buffer_size(50_000).unwrap();
            told.set_priority(3).unwrap();
            if any == "127.0.0.1:0" {
                told.set_tos_v4(0xb8).unwrap();
                told.set_ttl_v4(9).unwrap();
            } else {
                told.set_tclass_v6(0xb8).unwrap();
                told.set_unicast_hops_v6(9).unwrap();
            }
            let own = connect(SockRef::from(&listener), address(&peer)).unwrap();
            assert_eq!(own.send_buffer_size().unwrap(), told.send_buffer_size().unwrap());
            assert_eq!(own.priority().unwrap(), told.priority().unwrap());
            let of_packets = if any == "127.0.0.1:0" {
                (own.tos_v4().unwrap(), own.ttl_v4().unwrap())
            } else {
                (own.tclass_v6().unwrap(), own.unicast_hops_v6().unwrap())
            };
            assert_eq!(of_packets, (0xb8, 9));
        }
    }

    #[test]
    fn a_peer_earns_it_by_many_answers_and_several_at_a_time() {
        let (listener, peer) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut connected = Connected::new(true);
        for _ in 0..=CONNECTED_AFTER_ANSWERS {
            assert_eq!(batch(&mut connected, &listener, address(&peer), CONNECTED_ANSWERS_MIN - 1), None);
        }
        assert_eq!(connected.sockets(), 0, "one answer at a time");
        assert_eq!(batch(&mut connected, &listener, address(&peer), CONNECTED_ANSWERS_MIN), None);
        assert_eq!(connected.sockets(), 1);
        let place = batch(&mut connected, &listener, address(&peer), CONNECTED_ANSWERS_MIN);
        assert!(place.is_some());
        assert_eq!(batch(&mut connected, &listener, address(&peer), CONNECTED_ANSWERS_MIN - 1), None);

        let mut off = Connected::new(false);
        earn(&mut off, &listener, address(&peer));
        assert_eq!(batch(&mut off, &listener, address(&peer), 64), None);
    }

    /// Peers of one row.
    fn row(row: usize) -> impl Iterator<Item = SocketAddr> {
        let peers = (0..=u8::MAX).map(|low| SocketAddr::new([127, 0, 7, low].into(), 5060));
        peers.filter(move |address| Peer { listener: 0, address: *address }.row() == row)
    }

    #[test]
    fn neighbours_are_spread_over_the_rows() {
        for port in [5060, 5061, 32768] {
            let address = |low| SocketAddr::new([192, 0, 2, low].into(), port);
            let rows: Vec<_> = (0..80).map(|low| Peer { listener: 0, address: address(low) }.row()).collect();
            for row in 0..ROWS {
                let peers = rows.iter().filter(|it| **it == row).count();
                assert!((6..=14).contains(&peers), "port {port}, row {row}: {peers} of 80");
            }
        }
    }

    #[test]
    fn peers_of_one_row_have_places_beside_each_other() {
        let listener = socket("127.0.0.1:0");
        let mut connected = Connected::new(true);
        for to in row(3).take(PLACES_PER_ROW) {
            earn(&mut connected, &listener, to);
        }
        for to in row(3).take(PLACES_PER_ROW) {
            assert!(batch(&mut connected, &listener, to, 64).is_some());
        }
    }

    #[test]
    fn another_takes_the_place_of_the_weakest_when_it_has_had_more() {
        let listener = socket("127.0.0.1:0");
        let mut connected = Connected::new(true);
        row(3).take(PLACES_PER_ROW).for_each(|to| earn(&mut connected, &listener, to));
        let (one, other) = (row(3).next().unwrap(), row(3).nth(PLACES_PER_ROW).unwrap());
        for _ in 1..CONNECTED_AFTER_ANSWERS / 64 {
            batch(&mut connected, &listener, other, 64);
            assert_eq!(connected.sockets(), PLACES_PER_ROW);
        }
        // By now the first is the weakest, but for this.
        assert!(batch(&mut connected, &listener, one, 64).is_some());
        for _ in 0..2 * PLACES_PER_ROW {
            batch(&mut connected, &listener, other, 64);
        }
        assert_eq!(connected.sockets(), PLACES_PER_ROW - 1);
    }

    #[test]
    fn one_that_fails_is_tried_again_after_many_answers() {
        let (listener, peer) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut connected = Connected::new(true);
        earn(&mut connected, &listener, address(&peer));
        let place = batch(&mut connected, &listener, address(&peer), 64).unwrap();
        connected.give_up(place);
        assert_eq!(connected.sockets(), 0);
        earn(&mut connected, &listener, address(&peer));
        assert_eq!(connected.sockets(), 1);
        // Another family, which a listener has no answers to.
        let nobody = "[::1]:5060".parse().unwrap();
        earn(&mut connected, &listener, nobody);
        assert_eq!(batch(&mut connected, &listener, nobody, 64), None);
        assert_eq!(connected.sockets(), 1);
    }

    #[test]
    fn there_are_no_more_than_there_are_places() {
        let listener = socket("127.0.0.1:0");
        let mut connected = Connected::new(true);
        for low in 0..=u8::MAX {
            let to = SocketAddr::new([127, 9, 9, low].into(), 5060);
            for _ in 0..2 * CONNECTED_AFTER_ANSWERS / 64 {
                batch(&mut connected, &listener, to, 64);
            }
        }
        assert_eq!(connected.sockets(), CONNECTED_PEERS_MAX);
    }
}
