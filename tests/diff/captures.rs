//! Captures made by hand: what tests/diff/calls.pcap and calls.pcapng are made of.

/// A SIP request without body.
pub(crate) fn request(method: &str, number: &str) -> Vec<u8> {
    format!(
        "{method} sip:{number}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{number}\r\n\
         From: <sip:+1@198.51.100.7>;tag=1\r\nTo: <sip:{number}@192.0.2.1>\r\nCall-ID: {number}@198.51.100.7\r\n\
         CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// UDP over IPv4 from 198.51.100.7 to 192.0.2.1.
pub(crate) fn ipv4(payload: &[u8]) -> Vec<u8> {
    ipv4_of(17, 0, &udp(payload))
}

/// IPv4 with a protocol, and flags and offset of fragments.
pub(crate) fn ipv4_of(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let [high, low] = fragment.to_be_bytes();
    let mut packet = vec![0x45, 0, len[0], len[1], 0, 1, high, low, 64, protocol, 0, 0];
    packet.extend([198, 51, 100, 7, 192, 0, 2, 1]);
    let sum: u32 = packet.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

/// UDP over IPv6 from 2001:db8::7 to 2001:db8::1.
pub(crate) fn ipv6(payload: &[u8]) -> Vec<u8> {
    let udp = udp(payload);
    let len = u16::try_from(udp.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, len[0], len[1], 17, 64];
    for last in [7, 1] {
        packet.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend(udp);
    packet
}

/// From port 5062 to 5060, without checksum.
fn udp(payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    let mut datagram = [5062_u16.to_be_bytes(), 5060_u16.to_be_bytes(), len, [0, 0]].concat();
    datagram.extend(payload);
    datagram
}

/// Ethernet with these tags (802.1Q, 802.1ad) before the type of what it carries.
pub(crate) fn ethernet(tags: &[u16], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 100]);
    }
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A classic capture. Each packet with the bytes that it lost.
pub(crate) fn pcap(link: u32, packets: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend(link.to_le_bytes());
    for (packet, lost) in packets {
        let len = u32::try_from(packet.len()).unwrap();
        for word in [1_700_000_000, 0, len, len + lost] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

/// A block of a pcapng capture.
pub(crate) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let len = u32::try_from(12 + body.len() + padding).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &len, body, &[0; 3][..padding], &len].concat()
}

/// Section header.
pub(crate) fn section() -> Vec<u8> {
    let mut body = vec![0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0];
    body.extend([0xff; 8]);
    block(0x0a0d_0d0a, &body)
}

/// Interface of a kind of link.
pub(crate) fn interface(link: u16) -> Vec<u8> {
    let [low, high] = link.to_le_bytes();
    block(1, &[low, high, 0, 0, 0, 0, 4, 0])
}

/// Packet of an interface.
pub(crate) fn enhanced(interface: u32, packet: &[u8]) -> Vec<u8> {
    let len = u32::try_from(packet.len()).unwrap();
    let mut body = [interface, 0, 0, len, len].map(u32::to_le_bytes).concat();
    body.extend(packet);
    block(6, &body)
}

/// Packet of the first interface.
pub(crate) fn simple(packet: &[u8]) -> Vec<u8> {
    let mut body = u32::try_from(packet.len()).unwrap().to_le_bytes().to_vec();
    body.extend(packet);
    block(3, &body)
}

/// tests/diff/calls.pcap: every kind of packet, on Ethernet.
pub(crate) fn calls_pcap() -> Vec<u8> {
    let invite = |number| request("INVITE", number);
    let faulty = String::from_utf8(invite("+449")).unwrap().replace("1 INVITE", "1 BYE").into_bytes();
    let whole = [
        ethernet(&[], 0x800, &ipv4(&invite("+446"))),
        ethernet(&[0x8100], 0x800, &ipv4(&invite("+4414"))),
        ethernet(&[0x88a8, 0x8100], 0x86dd, &ipv6(&invite("+448"))),
        ethernet(&[], 0x800, &ipv4(&request("ACK", "+446"))),
        ethernet(&[], 0x800, &ipv4(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\n\r\n")),
        ethernet(&[], 0x800, &ipv4(&[0x80, 8, 0, 1, 0, 0, 0, 1])),
        ethernet(&[], 0x800, &ipv4(&faulty)),
        ethernet(
            &[],
            0x800,
            &ipv4_of(6, 0, &[0x13, 0xc4, 0x13, 0xc4, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 9, 0, 0, 0, 0]),
        ),
        ethernet(
            &[],
            0x806,
            &[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2],
        ),
        ethernet(&[], 0x800, &ipv4_of(17, 0x2000, &udp(&invite("+447"))[..64])),
        ethernet(&[], 0x800, &[0x45, 0, 0, 9]),
    ];
    let mut packets: Vec<_> = whole.into_iter().map(|packet| (packet, 0)).collect();
    packets.push((ethernet(&[], 0x800, &ipv4(&invite("+447")))[..100].to_vec(), 200));
    packets.push((ethernet(&[], 0x800, &ipv4(&request("MESSAGE", "+441"))), 0));
    pcap(1, &packets)
}

/// tests/diff/calls.pcapng: several kinds of link, in two sections.
pub(crate) fn calls_pcapng() -> Vec<u8> {
    let invite = |number| request("INVITE", number);
    let sll = |payload: &[u8]| {
        let mut packet = vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0];
        packet.extend(payload);
        packet
    };
    let sll2 = |payload: &[u8]| {
        let mut packet = vec![0x86, 0xdd, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        packet.extend(payload);
        packet
    };
    let loopback = |payload: &[u8]| [&[2, 0, 0, 0], payload].concat();
    [
        section(),
        interface(101),
        interface(276),
        interface(113),
        // A name resolution block: no packet.
        block(4, &[0, 0, 0, 0]),
        enhanced(0, &ipv4(&invite("+446"))),
        enhanced(1, &sll2(&ipv6(&invite("+448")))),
        enhanced(2, &sll(&ipv4(&invite("+4410")))),
        enhanced(3, &ipv4(&invite("+449"))),
        simple(&ipv6(&invite("+441"))),
        section(),
        interface(0),
        interface(9),
        enhanced(0, &loopback(&ipv4(&invite("+4411")))),
        enhanced(1, &ipv4(&invite("+449"))),
    ]
    .concat()
}
