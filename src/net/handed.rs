//! Outside. Sockets that were bound before us: by systemd, or by the server that we replace.
//!
//! In:    sockets, each with the name its giver calls it by.
//! Out:   the one that is asked for, by transport and address; those nobody asked for.
//! Never: binds; changes what a socket is bound to.

use std::{
    fmt,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
};

use socket2::Socket;

use super::bind::Place;
use crate::{config::Listen, route::Transport};

/// A socket that listens, with what tells it from others where addresses do not.
#[derive(Debug)]
pub struct Listening {
    /// `udp`, `tcp`, `tls` or [`ADMIN`].
    pub name: &'static str,
    /// The socket, shared with whoever serves it.
    pub socket: OwnedFd,
}

/// The name of the admin port among sockets that are handed down.
pub const ADMIN: &str = "admin";

/// See the file's first lines.
#[derive(Debug, Default)]
pub struct Handed {
    sockets: Vec<One>,
}

#[derive(Debug)]
struct One {
    name: Box<str>,
    is_udp: bool,
    address: SocketAddr,
    socket: Socket,
}

impl fmt::Display for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.is_udp { "udp" } else { "tcp" }, self.address)
    }
}

impl One {
    fn is_at(&self, is_udp: bool, address: SocketAddr) -> bool {
        self.is_udp == is_udp && self.address == address
    }

    /// Whether it may be taken for a place that names no port.
    fn serves_any_port(&self, place: &Place) -> bool {
        let told = matches!(&*self.name, "udp" | "tcp" | "tls" | ADMIN);
        self.is_udp == (place.transport == Transport::Udp)
            && self.address.ip() == place.address.ip()
            && (!told || *self.name == *place.transport.name())
    }
}

impl Handed {
    /// Adds a UDP socket.
    pub fn add_datagrams(&mut self, name: &str, socket: UdpSocket) -> std::io::Result<()> {
        let address = socket.local_addr()?;
        self.sockets.push(One { name: name.into(), is_udp: true, address, socket: socket.into() });
        Ok(())
    }

    /// Adds a TCP socket that listens.
    pub fn add_stream(&mut self, name: &str, socket: TcpListener) -> std::io::Result<()> {
        let address = socket.local_addr()?;
        self.sockets.push(One { name: name.into(), is_udp: false, address, socket: socket.into() });
        Ok(())
    }

    /// The admin port at this address, if it is here. Port 0: whichever is called so.
    pub fn take_admin(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let fits = |one: &One| {
            let any = address.port() == 0 && one.address.ip() == address.ip() && &*one.name == ADMIN;
            !one.is_udp && (any || one.is_at(false, address))
        };
        let index = self.sockets.iter().position(fits)?;
        Some(self.sockets.remove(index).socket.into())
    }

    /// How many workers there must be at least for every socket at these places to have one: a socket that
    /// is closed takes with it what its queue holds.
    #[must_use]
    pub fn workers_for(&self, listen: &[Listen]) -> usize {
        let mut places: Vec<_> =
            listen.iter().map(|l| Place { transport: l.transport, address: l.address }).collect();
        self.find_ports(&mut places);
        places.iter().map(|place| self.count(place)).max().unwrap_or_default()
    }

    /// What nobody has taken.
    #[must_use]
    pub fn rest(&self) -> Vec<String> {
        let mut rest: Vec<String> = Vec::new();
        for told in self.sockets.iter().map(ToString::to_string) {
            if !rest.contains(&told) {
                rest.push(told);
            }
        }
        rest
    }

    /// Puts the ports of sockets that are here in the place of port 0.
    pub(super) fn find_ports(&self, places: &mut [Place]) {
        for index in 0..places.len() {
            let Some(place) = places.get(index).filter(|place| place.address.port() == 0) else { continue };
            let is_named = |one: &One| {
                let is_udp = |place: &Place| place.transport == Transport::Udp;
                places.iter().any(|place| one.is_at(is_udp(place), place.address))
            };
            let found = self.sockets.iter().find(|one| one.serves_any_port(place) && !is_named(one));
            let found = found.map(|one| one.address);
            if let (Some(address), Some(place)) = (found, places.get_mut(index)) {
                place.address = address;
            }
        }
    }

    /// How many are here for this place.
    pub(super) fn count(&self, place: &Place) -> usize {
        let is_udp = place.transport == Transport::Udp;
        self.sockets.iter().filter(|one| one.is_at(is_udp, place.address)).count()
    }

    /// The next one for this place.
    pub(super) fn take(&mut self, place: &Place) -> Option<Socket> {
        let is_udp = place.transport == Transport::Udp;
        let index = self.sockets.iter().position(|one| one.is_at(is_udp, place.address))?;
        Some(self.sockets.remove(index).socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(transport: Transport, address: SocketAddr) -> Listen {
        Listen { name: "a".into(), transport, address }
    }

    fn place(transport: Transport, address: SocketAddr) -> Place {
        Place { transport, address }
    }

    /// Two UDP sockets, two TCP ones with their names, and where they are.
    fn four() -> (Handed, [SocketAddr; 4]) {
        let mut handed = Handed::default();
        let datagrams = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let streams = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let at = [
            datagrams[0].local_addr().unwrap(),
            datagrams[1].local_addr().unwrap(),
            streams[0].local_addr().unwrap(),
            streams[1].local_addr().unwrap(),
        ];
        datagrams.into_iter().for_each(|socket| handed.add_datagrams("udp", socket).unwrap());
        let [tls, admin] = streams;
        handed.add_stream("tls", tls).unwrap();
        handed.add_stream(ADMIN, admin).unwrap();
        (handed, at)
    }

    #[test]
    fn a_socket_is_taken_once_for_its_transport_and_address() {
        let (mut handed, [one, other, tls, admin]) = four();
        assert_eq!(handed.count(&place(Transport::Tcp, one)), 0);
        assert!(handed.take(&place(Transport::Tcp, one)).is_none());
        let taken = handed.take(&place(Transport::Udp, one)).expect("it is there");
        assert_eq!(taken.local_addr().unwrap().as_socket(), Some(one));
        assert!(handed.take(&place(Transport::Udp, one)).is_none());
        assert_eq!(handed.rest(), [format!("udp {other}"), format!("tcp {tls}"), format!("tcp {admin}")]);
    }

    #[test]
    fn port_0_is_the_port_of_a_socket_that_nobody_names() {
        let (handed, [one, other, tls, _]) = four();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut places = [
            place(Transport::Udp, any),
            place(Transport::Udp, one),
            place(Transport::Tls, any),
            // The one left is the admin port's, and this is no place for it.
            place(Transport::Tcp, any),
            place(Transport::Udp, "127.0.0.2:0".parse().unwrap()),
        ];
        handed.find_ports(&mut places);
        let ports = places.map(|place| place.address.port());
        assert_eq!(ports, [other.port(), one.port(), tls.port(), 0, 0]);
    }

    #[test]
    fn the_admin_port_is_found_by_its_address_or_its_name() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        for by_name in [true, false] {
            let (mut handed, [.., admin]) = four();
            let taken = handed.take_admin(if by_name { any } else { admin }).expect("it is there");
            assert_eq!(taken.local_addr().unwrap(), admin);
            assert!(handed.take_admin(any).is_none());
        }
    }

    #[test]
    fn there_are_as_many_workers_as_sockets_of_one_place() {
        let (mut handed, [one, ..]) = four();
        for _ in 0..2 {
            let socket = handed.sockets[0].socket.try_clone().unwrap();
            handed.add_datagrams("udp", socket.into()).unwrap();
        }
        assert_eq!(handed.workers_for(&[listen(Transport::Udp, one)]), 3);
        assert_eq!(handed.workers_for(&[listen(Transport::Tcp, one)]), 0);
        assert_eq!(handed.rest().len(), 4, "told once");
    }
}
