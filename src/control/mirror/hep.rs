//! Outside. HEP3, Homer's encapsulation protocol: a message of SIP with where and when it was, as one packet.
//!
//! In:    a message, its addresses, its time.
//! Out:   the bytes of the packet: `HEP3`, the length of all, then chunks of vendor, type, length and value, in network
//!        byte order (<https://github.com/sipcapture/HEP>, revision 3).
//! Never: sends, compresses, encrypts.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::route::Transport;

/// Who shows.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) id: u32,
    pub(super) node: Option<Box<str>>,
    /// Empty: none.
    pub(super) key: Vec<u8>,
}

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) transport: Transport,
    /// Since 1970.
    pub(super) at: Duration,
    pub(super) call_id: Option<&'a [u8]>,
    pub(super) message: &'a [u8],
}

/// Types of chunks, of the vendor 0.
mod chunk {
    pub(super) const IP_FAMILY: u16 = 0x01;
    pub(super) const IP_PROTOCOL: u16 = 0x02;
    pub(super) const IPV4_FROM: u16 = 0x03;
    pub(super) const IPV4_TO: u16 = 0x04;
    pub(super) const IPV6_FROM: u16 = 0x05;
    pub(super) const IPV6_TO: u16 = 0x06;
    pub(super) const PORT_FROM: u16 = 0x07;
    pub(super) const PORT_TO: u16 = 0x08;
    pub(super) const SECONDS: u16 = 0x09;
    pub(super) const MICROSECONDS: u16 = 0x0a;
    pub(super) const PROTOCOL: u16 = 0x0b;
    pub(super) const AGENT_ID: u16 = 0x0c;
    pub(super) const KEY: u16 = 0x0e;
    pub(super) const PAYLOAD: u16 = 0x0f;
    pub(super) const CORRELATION_ID: u16 = 0x11;
    pub(super) const NODE: u16 = 0x13;
}

/// AF_INET and AF_INET6, as Linux has them.
const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 10;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
const SIP: u8 = 1;

/// Writes the packet in the place of what is in `out`.
pub(super) fn write(agent: &Agent, shown: &Shown<'_>, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(b"HEP3\0\0");
    put_addresses(shown, out);
    // Whole seconds since 1970 have 32 bits until 2106.
    let seconds = u32::try_from(shown.at.as_secs()).unwrap_or(u32::MAX);
    put(chunk::SECONDS, &seconds.to_be_bytes(), out);
    put(chunk::MICROSECONDS, &shown.at.subsec_micros().to_be_bytes(), out);
    put(chunk::PROTOCOL, &[SIP], out);
    put(chunk::AGENT_ID, &agent.id.to_be_bytes(), out);
    if !agent.key.is_empty() {
        put(chunk::KEY, &agent.key, out);
    }
    if let Some(call_id) = shown.call_id {
        put(chunk::CORRELATION_ID, call_id, out);
    }
    if let Some(node) = &agent.node {
        put(chunk::NODE, node.as_bytes(), out);
    }
    put(chunk::PAYLOAD, shown.message, out);
    let len = u16::try_from(out.len()).unwrap_or(u16::MAX);
    if let Some(place) = out.get_mut(4..6) {
        place.copy_from_slice(&len.to_be_bytes());
    }
}

fn put_addresses(shown: &Shown<'_>, out: &mut Vec<u8>) {
    let (from, to) = (shown.from.ip().to_canonical(), shown.to.ip().to_canonical());
    let protocol = if shown.transport == Transport::Udp { PROTOCOL_UDP } else { PROTOCOL_TCP };
    if let (IpAddr::V4(from), IpAddr::V4(to)) = (from, to) {
        put(chunk::IP_FAMILY, &[FAMILY_IPV4], out);
        put(chunk::IP_PROTOCOL, &[protocol], out);
        put(chunk::IPV4_FROM, &from.octets(), out);
        put(chunk::IPV4_TO, &to.octets(), out);
    } else {
        let octets = |ip| match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        put(chunk::IP_FAMILY, &[FAMILY_IPV6], out);
        put(chunk::IP_PROTOCOL, &[protocol], out);
        put(chunk::IPV6_FROM, &octets(from), out);
        put(chunk::IPV6_TO, &octets(to), out);
    }
    put(chunk::PORT_FROM, &shown.from.port().to_be_bytes(), out);
    put(chunk::PORT_TO, &shown.to.port().to_be_bytes(), out);
}

/// Of a value that is longer than a packet may be, its beginning: the taps cut before.
fn put(kind: u16, value: &[u8], out: &mut Vec<u8>) {
    const HEAD: u16 = 6;
    let room = usize::from(u16::MAX - HEAD).saturating_sub(out.len());
    let value = value.get(..room).unwrap_or(value);
    let len = u16::try_from(value.len()).map_or(u16::MAX, |len| len.saturating_add(HEAD));
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(agent: &Agent, shown: &Shown<'_>) -> Vec<u8> {
        let mut out = b"of the packet before".to_vec();
        write(agent, shown, &mut out);
        out
    }

    fn shown() -> Shown<'static> {
        Shown {
            from: ([192, 0, 2, 7], 5070).into(),
            to: ([192, 0, 2, 1], 5060).into(),
            transport: Transport::Udp,
            at: Duration::new(0x6000_0001, 5_000),
            call_id: Some(b"c@h"),
            message: b"INVITE sip:a SIP/2.0\r\n\r\n",
        }
    }

    #[test]
    fn every_byte_of_a_packet() {
        let agent = Agent { id: 2001, node: Some("lon".into()), key: b"myHep".to_vec() };
        let expected = [
            &b"HEP3\x00\x98"[..],
            b"\0\0\0\x01\0\x07\x02",
            b"\0\0\0\x02\0\x07\x11",
            b"\0\0\0\x03\0\x0a\xc0\x00\x02\x07",
            b"\0\0\0\x04\0\x0a\xc0\x00\x02\x01",
            b"\0\0\0\x07\0\x08\x13\xce",
            b"\0\0\0\x08\0\x08\x13\xc4",
            b"\0\0\0\x09\0\x0a\x60\x00\x00\x01",
            b"\0\0\0\x0a\0\x0a\x00\x00\x00\x05",
            b"\0\0\0\x0b\0\x07\x01",
            b"\0\0\0\x0c\0\x0a\x00\x00\x07\xd1",
            b"\0\0\0\x0e\0\x0bmyHep",
            b"\0\0\0\x11\0\x09c@h",
            b"\0\0\0\x13\0\x09lon",
            b"\0\0\0\x0f\0\x1eINVITE sip:a SIP/2.0\r\n\r\n",
        ]
        .concat();
        assert_eq!(written(&agent, &shown()), expected);
        assert_eq!(expected.len(), 0x98);
    }

    #[test]
    fn over_tcp_and_ipv6_without_what_is_optional() {
        let agent = Agent { id: 1, node: None, key: Vec::new() };
        let packet = Shown {
            from: "[2001:db8::7]:5070".parse().unwrap(),
            // As a socket of both families tells it.
            to: "[::ffff:192.0.2.1]:5061".parse().unwrap(),
            transport: Transport::Tls,
            call_id: None,
            message: b"",
            ..shown()
        };
        let expected = [
            &b"HEP3\x00\x7b"[..],
            b"\0\0\0\x01\0\x07\x0a",
            b"\0\0\0\x02\0\x07\x06",
            b"\0\0\0\x05\0\x16\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07",
            b"\0\0\0\x06\0\x16\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01",
            b"\0\0\0\x07\0\x08\x13\xce",
            b"\0\0\0\x08\0\x08\x13\xc5",
            b"\0\0\0\x09\0\x0a\x60\x00\x00\x01",
            b"\0\0\0\x0a\0\x0a\x00\x00\x00\x05",
            b"\0\0\0\x0b\0\x07\x01",
            b"\0\0\0\x0c\0\x0a\x00\x00\x00\x01",
            b"\0\0\0\x0f\0\x06",
        ]
        .concat();
        assert_eq!(expected.len(), 0x7b);
        assert_eq!(written(&agent, &packet), expected);
    }

    #[test]
    fn ipv4_in_ipv6_is_ipv4() {
        let agent = Agent { id: 1, node: None, key: Vec::new() };
        let mapped = Shown {
            from: "[::ffff:192.0.2.7]:5070".parse().unwrap(),
            to: "[::ffff:192.0.2.1]:5060".parse().unwrap(),
            ..shown()
        };
        assert_eq!(written(&agent, &mapped), written(&agent, &shown()));
    }

    #[test]
    fn a_packet_is_no_longer_than_its_length_can_say() {
        let agent = Agent { id: 1, node: None, key: Vec::new() };
        let packet = written(&agent, &Shown { message: &[b'x'; 1 << 17], ..shown() });
        assert_eq!(packet.len(), usize::from(u16::MAX));
        assert_eq!(packet[4..6], [0xff, 0xff]);
    }
}
