//! Outside. Socket addresses and packet information, as the kernel writes and reads them.
//!
//! In:    bytes of a `sockaddr` or of control messages; addresses.
//! Out:   addresses; bytes.
//! Never: calls the kernel, holds a pointer, trusts a length.
//!
//! The layouts are those of Linux on every architecture and C library: a `cmsghdr` is a `usize`
//! and two `i32`, and what follows is aligned to a `usize`.

use std::{
    iter::from_fn,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

/// Size of a `sockaddr_in`.
const NAME_V4_BYTES: usize = 16;
/// Size of the longest `sockaddr` here: `sockaddr_in6`.
pub(super) const NAME_BYTES: usize = 28;

const ALIGNMENT: usize = size_of::<usize>();
const HEADER_BYTES: usize = size_of::<usize>() + 8;
const PKTINFO_V4_BYTES: usize = 12;
const PKTINFO_V6_BYTES: usize = 20;
/// Room for the control messages of one datagram: packet information on the way in and out, and the length of segments on
/// the way out are all that we use.
pub(super) const CONTROL_BYTES: usize = 64;
const _: () = assert!((HEADER_BYTES + PKTINFO_V6_BYTES).next_multiple_of(ALIGNMENT) <= CONTROL_BYTES);

/// The address in a `sockaddr`; `None` when it is too short or of another family.
pub(super) fn read_name(name: &[u8]) -> Option<SocketAddr> {
    let family = libc::c_int::from(u16::from_ne_bytes(array(name, 0)?));
    let port = u16::from_be_bytes(array(name, 2)?);
    match family {
        libc::AF_INET => Some(SocketAddrV4::new(Ipv4Addr::from(array::<4>(name, 4)?), port).into()),
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(array::<16>(name, 8)?);
            let scope = u32::from_ne_bytes(array(name, 24)?);
            Some(SocketAddrV6::new(ip, port, 0, scope).into())
        }
        _ => None,
    }
}

/// Writes a `sockaddr`; gives its length.
pub(super) fn write_name(address: SocketAddr, out: &mut [u8; NAME_BYTES]) -> usize {
    out.fill(0);
    put(out, 2, &address.port().to_be_bytes());
    match address {
        SocketAddr::V4(address) => {
            put(out, 0, &family(libc::AF_INET));
            put(out, 4, &address.ip().octets());
            NAME_V4_BYTES
        }
        SocketAddr::V6(address) => {
            put(out, 0, &family(libc::AF_INET6));
            put(out, 8, &address.ip().octets());
            put(out, 24, &address.scope_id().to_ne_bytes());
            NAME_BYTES
        }
    }
}

/// The local address that a datagram came to, by its control messages. A link-local one has its
/// interface as scope.
pub(super) fn read_local(control: &[u8], port: u16) -> Option<SocketAddr> {
    messages(control).find_map(|message| match message {
        (libc::IPPROTO_IP, libc::IP_PKTINFO, data) => {
            // struct in_pktinfo: interface, local address, destination in the header. The last
            // two differ for a broadcast only, and an answer cannot leave from one.
            Some(SocketAddrV4::new(Ipv4Addr::from(array::<4>(data, 4)?), port).into())
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, data) => {
            let ip = Ipv6Addr::from(array::<16>(data, 0)?);
            let interface = u32::from_ne_bytes(array(data, 16)?);
            let scope = if ip.is_unicast_link_local() { interface } else { 0 };
            Some(SocketAddrV6::new(ip, port, 0, scope).into())
        }
        _ => None,
    })
}

/// Level, type and data of each control message, up to one that does not end where the bytes do.
fn messages(mut control: &[u8]) -> impl Iterator<Item = (i32, i32, &[u8])> {
    // Each message takes a header at least, so this ends.
    from_fn(move || {
        let len = array(control, 0).map(usize::from_ne_bytes)?;
        let data = control.get(HEADER_BYTES..len)?;
        let level = i32::from_ne_bytes(array(control, size_of::<usize>())?);
        let kind = i32::from_ne_bytes(array(control, size_of::<usize>() + 4)?);
        let next = len.checked_next_multiple_of(ALIGNMENT).and_then(|next| control.get(next..));
        control = next.unwrap_or_default();
        Some((level, kind, data))
    })
}

/// Writes the control message that makes a datagram leave from `local`; gives its length, 0 when
/// the kernel is to choose: nothing can leave from an unspecified or multicast address.
pub(super) fn write_local(local: SocketAddr, out: &mut [u8; CONTROL_BYTES]) -> usize {
    out.fill(0);
    if local.ip().is_unspecified() || local.ip().is_multicast() {
        return 0;
    }
    let (level, kind, data_bytes) = match local {
        SocketAddr::V4(local) => {
            // No interface: the route to the caller chooses it, as for any other packet.
            put(out, HEADER_BYTES + 4, &local.ip().octets());
            (libc::IPPROTO_IP, libc::IP_PKTINFO, PKTINFO_V4_BYTES)
        }
        SocketAddr::V6(local) => {
            put(out, HEADER_BYTES, &local.ip().octets());
            put(out, HEADER_BYTES + 16, &local.scope_id().to_ne_bytes());
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, PKTINFO_V6_BYTES)
        }
    };
    put(out, 0, &(HEADER_BYTES + data_bytes).to_ne_bytes());
    put(out, size_of::<usize>(), &level.to_ne_bytes());
    put(out, size_of::<usize>() + 4, &kind.to_ne_bytes());
    (HEADER_BYTES + data_bytes).next_multiple_of(ALIGNMENT)
}

/// Bytes of the control message that [`write_segment`] writes.
pub(super) const SEGMENT_BYTES: usize = (HEADER_BYTES + 2).next_multiple_of(ALIGNMENT);
const _: () =
    assert!((HEADER_BYTES + PKTINFO_V6_BYTES).next_multiple_of(ALIGNMENT) + SEGMENT_BYTES <= CONTROL_BYTES);

/// Writes, behind `used` bytes of other control messages, the one that makes the kernel cut a message into datagrams of
/// `bytes` each; gives the length of all.
pub(super) fn write_segment(bytes: u16, used: usize, out: &mut [u8; CONTROL_BYTES]) -> usize {
    put(out, used, &(HEADER_BYTES + 2).to_ne_bytes());
    put(out, used + size_of::<usize>(), &libc::SOL_UDP.to_ne_bytes());
    put(out, used + size_of::<usize>() + 4, &libc::UDP_SEGMENT.to_ne_bytes());
    put(out, used + HEADER_BYTES, &bytes.to_ne_bytes());
    used + SEGMENT_BYTES
}

/// `to` with the interface that the request came by, when it is link-local and names none: an
/// answer's address is made from the bytes of a message, and those hold no scope.
pub(super) fn with_scope_of(to: SocketAddr, source: SocketAddr) -> SocketAddr {
    match (to, source) {
        (SocketAddr::V6(to), SocketAddr::V6(source))
            if to.scope_id() == 0 && to.ip().is_unicast_link_local() =>
        {
            SocketAddrV6::new(*to.ip(), to.port(), 0, source.scope_id()).into()
        }
        _ => to,
    }
}

/// The first two bytes of a `sockaddr`.
fn family(family: libc::c_int) -> [u8; 2] {
    u16::try_from(family).unwrap_or_default().to_ne_bytes()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(address: &str) -> Vec<u8> {
        let mut name = [0xff; NAME_BYTES];
        let len = write_name(address.parse().unwrap(), &mut name);
        name[..len].to_vec()
    }

    fn control_of(local: &str) -> Vec<u8> {
        let mut control = [0xff; CONTROL_BYTES];
        let len = write_local(local.parse().unwrap(), &mut control);
        control[..len].to_vec()
    }

    #[test]
    fn a_name_is_read_as_written() {
        for address in
            ["192.0.2.7:5060", "0.0.0.0:1", "[2001:db8::7]:65535", "[::1]:5060", "[fe80::1%7]:5060"]
        {
            assert_eq!(read_name(&name_of(address)), Some(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_name_has_the_layout_of_the_c_structures() {
        let v4 = [&2_u16.to_ne_bytes()[..], &[0x13, 0xc4, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(name_of("192.0.2.7:5060"), v4);
        assert_eq!(size_of::<libc::sockaddr_in>(), NAME_V4_BYTES);
        assert_eq!(size_of::<libc::sockaddr_in6>(), NAME_BYTES);
        assert_eq!(name_of("[fe80::1%7]:1")[24..], 7_u32.to_ne_bytes());
    }

    #[test]
    fn a_short_or_foreign_name_is_no_address() {
        for address in ["192.0.2.7:5060", "[fe80::1%7]:5060"] {
            let name = name_of(address);
            let needed = if name.len() == NAME_BYTES { NAME_BYTES } else { 8 };
            for len in 0..needed {
                assert_eq!(read_name(&name[..len]), None, "{address} cut to {len}");
            }
        }
        let mut unix = name_of("192.0.2.7:5060");
        unix[..2].copy_from_slice(&1_u16.to_ne_bytes());
        assert_eq!(read_name(&unix), None);
    }

    #[test]
    fn the_local_address_of_ipv6_is_read_as_written() {
        for local in ["[2001:db8::7]:5060", "[fe80::1%7]:5060", "[::1]:1"] {
            let local: SocketAddr = local.parse().unwrap();
            assert_eq!(read_local(&control_of(&local.to_string()), local.port()), Some(local));
        }
    }

    #[test]
    fn the_local_address_of_ipv4_is_the_second_field() {
        // What the kernel gives for a broadcast: interface 3, local 192.0.2.1, header 192.0.2.255.
        let mut control = control_of("192.0.2.1:0");
        put(&mut control, HEADER_BYTES, &3_i32.to_ne_bytes());
        put(&mut control, HEADER_BYTES + 8, &[192, 0, 2, 255]);
        assert_eq!(read_local(&control, 5060), Some("192.0.2.1:5060".parse().unwrap()));
    }

    #[test]
    fn a_control_message_has_the_layout_of_the_c_structures() {
        assert_eq!(HEADER_BYTES, size_of::<libc::cmsghdr>());
        assert_eq!(PKTINFO_V4_BYTES, size_of::<libc::in_pktinfo>());
        assert_eq!(PKTINFO_V6_BYTES, size_of::<libc::in6_pktinfo>());
        let control = control_of("192.0.2.1:0");
        assert_eq!(control.len(), (HEADER_BYTES + PKTINFO_V4_BYTES).next_multiple_of(ALIGNMENT));
        assert_eq!(control[..ALIGNMENT], (HEADER_BYTES + PKTINFO_V4_BYTES).to_ne_bytes());
        assert_eq!(control[HEADER_BYTES..][..12], [0, 0, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn other_control_messages_are_passed_over() {
        let mut control = vec![0; (HEADER_BYTES + 1).next_multiple_of(ALIGNMENT)];
        put(&mut control, 0, &(HEADER_BYTES + 1).to_ne_bytes());
        put(&mut control, size_of::<usize>(), &libc::IPPROTO_IP.to_ne_bytes());
        put(&mut control, size_of::<usize>() + 4, &libc::IP_TOS.to_ne_bytes());
        assert_eq!(read_local(&control, 1), None);
        control.extend(control_of("192.0.2.1:0"));
        assert_eq!(read_local(&control, 1), Some("192.0.2.1:1".parse().unwrap()));
    }

    #[test]
    fn control_messages_with_false_lengths_end_the_search() {
        for local in ["192.0.2.1:0", "[2001:db8::7]:0"] {
            let whole = control_of(local);
            for len in 0..HEADER_BYTES + PKTINFO_V4_BYTES {
                assert_eq!(read_local(&whole[..len], 1), None, "{local} cut to {len}");
            }
            for len in [0, 1, HEADER_BYTES - 1, HEADER_BYTES, whole.len() + 1, usize::MAX] {
                let mut control = whole.clone();
                put(&mut control, 0, &len.to_ne_bytes());
                assert_eq!(read_local(&control, 1), None, "{local} says {len}");
                put(&mut control, size_of::<usize>(), &libc::SOL_SOCKET.to_ne_bytes());
                assert_eq!(read_local(&control, 1), None, "{local}, another level, says {len}");
            }
        }
    }

    #[test]
    fn nothing_leaves_from_no_address_or_a_group() {
        for local in ["0.0.0.0:5060", "[::]:5060", "224.0.1.75:5060", "[ff02::1%7]:5060"] {
            assert!(control_of(local).is_empty(), "{local}");
        }
    }

    #[test]
    fn a_link_local_caller_keeps_its_interface() {
        let scoped =
            |to: &str, source: &str| with_scope_of(to.parse().unwrap(), source.parse().unwrap()).to_string();
        assert_eq!(scoped("[fe80::2]:5070", "[fe80::1%7]:5060"), "[fe80::2%7]:5070");
        assert_eq!(scoped("[fe80::2%3]:5070", "[fe80::1%7]:5060"), "[fe80::2%3]:5070");
        assert_eq!(scoped("[2001:db8::2]:5070", "[fe80::1%7]:5060"), "[2001:db8::2]:5070");
        assert_eq!(scoped("192.0.2.1:5070", "192.0.2.2:5060"), "192.0.2.1:5070");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(0_u8..=255, 0..=96)) {
            let _ = read_name(&bytes);
            let _ = read_local(&bytes, 5060);
        }

        #[test]
        fn any_address_is_read_as_written(ip: std::net::IpAddr, port: u16, scope: u32) {
            let address = match SocketAddr::new(ip, port) {
                SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), port, 0, scope).into(),
                v4 => v4,
            };
            let mut name = [0xff; NAME_BYTES];
            let len = write_name(address, &mut name);
            proptest::prop_assert_eq!(read_name(&name[..len]), Some(address));
        }
    }
}
