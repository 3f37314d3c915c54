//! Outside. Calls of a capture: the SIP requests that came over UDP.
//!
//! In:    the bytes of a pcap or pcapng file.
//! Out:   each request, from whom and to where, into a [`Comparer`].
//! Never: keeps more than one packet, puts fragments or streams together.

use std::{
    io::{self, Read},
    net::{IpAddr, SocketAddr},
};

use etherparse::{EtherType, NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use crate::{
    compare::Comparer,
    config::Listen,
    decide::Arrival,
    limits::{DIFF_INTERFACES_MAX, DIFF_PACKET_BYTES_MAX},
    route::Transport,
    sip::{HeaderIndex, Method, Parsed, Unanswerable, parse},
};

/// First bytes of captures: pcap with times in µs or ns, of either byte order; pcapng.
const MAGIC: &[[u8; 4]] = &[
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// Whether this is how a capture begins.
pub(super) fn is_capture(start: &[u8]) -> bool {
    MAGIC.iter().any(|magic| start.starts_with(magic))
}

/// Compares every call of a capture.
pub(super) fn feed(
    input: impl Read + Send,
    name: &str,
    listen: &[Listen],
    arrival: Arrival<'_>,
    comparer: &mut Comparer<'_>,
) -> Result<(), String> {
    let mut reader = create_reader(DIFF_PACKET_BYTES_MAX, Whole(input)).map_err(|error| match error {
        PcapError::Eof => "the file is empty".to_owned(),
        _ => "is neither pcap nor pcapng".to_owned(),
    })?;
    let mut packets = Packets { links: Vec::new(), number: 0, index: HeaderIndex::new() };
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                packets.block(&block, name, listen, arrival, comparer);
                reader.consume(offset);
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|_| "cannot be read on".to_owned())?;
            }
            // A capture that was still being written: what is whole counts.
            Err(PcapError::UnexpectedEof) => {
                comparer.skip("the file ends within a packet", format_args!("{name}:{}", packets.number + 1));
                return Ok(());
            }
            Err(PcapError::BufferTooSmall) => {
                return Err(format!(
                    "what follows packet {} is longer than {DIFF_PACKET_BYTES_MAX} bytes",
                    packets.number
                ));
            }
            Err(_) => {
                return Err(format!("what follows packet {} is no packet", packets.number));
            }
        }
    }
}

/// Fills what it is given: the reader of captures takes a short read of a pipe for the end.
struct Whole<R>(R);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(room) = out.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.0.read(room) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// A UDP datagram.
#[derive(Debug, PartialEq, Eq)]
struct Datagram<'p> {
    source: SocketAddr,
    destination: SocketAddr,
    payload: &'p [u8],
}

/// What is known so far.
struct Packets {
    /// Kinds of link, by interface of the section.
    links: Vec<Linktype>,
    /// Of the last packet; Wireshark counts the same.
    number: u64,
    index: HeaderIndex,
}

impl Packets {
    fn block(
        &mut self,
        block: &PcapBlockOwned<'_>,
        name: &str,
        listen: &[Listen],
        arrival: Arrival<'_>,
        comparer: &mut Comparer<'_>,
    ) {
        let (interface, data, len) = match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.links = vec![header.network];
                return;
            }
            PcapBlockOwned::Legacy(packet) => (0, packet.data, packet.origlen),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => return self.links.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.links.len() < DIFF_INTERFACES_MAX {
                    self.links.push(interface.linktype);
                }
                return;
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let len = usize::try_from(packet.caplen).unwrap_or(usize::MAX).min(packet.data.len());
                (packet.if_id, packet.data.get(..len).unwrap_or_default(), packet.origlen)
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let len = usize::try_from(packet.origlen).unwrap_or(usize::MAX).min(packet.data.len());
                (0, packet.data.get(..len).unwrap_or_default(), packet.origlen)
            }
            PcapBlockOwned::NG(_) => return,
        };
        self.number += 1;
        let link = usize::try_from(interface).ok().and_then(|interface| self.links.get(interface));
        let is_whole = u32::try_from(data.len()).is_ok_and(|kept| kept >= len);
        let found = match link {
            Some(link) if is_whole => datagram(*link, data),
            Some(_) => Err("cut short by the capture"),
            None => Err("of an interface that is not described"),
        };
        let called = found.and_then(|datagram| {
            is_call(datagram.payload, &mut self.index)?;
            Ok(datagram)
        });
        match called {
            Ok(Datagram { source, destination, payload }) => {
                let arrival = Arrival {
                    source,
                    local: destination,
                    listener: listener(listen, destination).unwrap_or(arrival.listener),
                    transport: Transport::Udp,
                    identity: None,
                };
                comparer.call(payload, &arrival, format_args!("{name}:{}", self.number));
            }
            Err(why) => comparer.pass_over(why),
        }
    }
}

/// Whether a datagram is a request that waits for an answer.
fn is_call(payload: &[u8], index: &mut HeaderIndex) -> Result<(), &'static str> {
    match parse(payload, index) {
        Parsed::Sound(request) => match request.method() {
            Method::Ack | Method::Cancel => Err("an ACK or CANCEL: never routed"),
            _ => Ok(()),
        },
        Parsed::Faulty(..) => Err("a SIP request at fault: refused before any route"),
        Parsed::Unanswerable(Unanswerable::Response) => Err("a SIP response"),
        Parsed::Unanswerable(_) => Err("UDP without SIP"),
    }
}

/// The listener that has this address, or its port.
fn listener(listen: &[Listen], at: SocketAddr) -> Option<&str> {
    let udp = || listen.iter().filter(|listen| listen.transport == Transport::Udp);
    let exact = udp().find(|listen| listen.address == at);
    exact.or_else(|| udp().find(|listen| listen.address.port() == at.port())).map(|listen| &*listen.name)
}

/// The UDP datagram in a packet of one kind of link (<https://www.tcpdump.org/linktypes.html>).
fn datagram(link: Linktype, packet: &[u8]) -> Result<Datagram<'_>, &'static str> {
    const BAD: &str = "cannot be read";
    let sliced = match link.0 {
        // Ethernet.
        1 => SlicedPacket::from_ethernet(packet).map_err(|_| BAD)?,
        // A BSD loopback: the address family first, of four bytes.
        0 | 108 => SlicedPacket::from_ip(packet.get(4..).ok_or(BAD)?).map_err(|_| BAD)?,
        // Bare IP.
        12 | 14 | 101 | 228 | 229 => SlicedPacket::from_ip(packet).map_err(|_| BAD)?,
        // Linux, captured on any interface.
        113 => SlicedPacket::from_linux_sll(packet).map_err(|_| BAD)?,
        // The same, second version: the protocol first, in a header of 20 bytes.
        276 => {
            let (header, rest) = packet.split_at_checked(20).ok_or(BAD)?;
            let protocol = header.first_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes));
            SlicedPacket::from_ether_type(EtherType(protocol), rest).map_err(|_| BAD)?
        }
        _ => return Err("of a link that is not known"),
    };
    let (source, destination): (IpAddr, IpAddr) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return Err("not IP"),
    };
    if sliced.is_ip_payload_fragmented() {
        return Err("a fragment of a datagram");
    }
    match sliced.transport {
        Some(TransportSlice::Udp(udp)) => Ok(Datagram {
            source: SocketAddr::new(source, udp.source_port()),
            destination: SocketAddr::new(destination, udp.destination_port()),
            payload: udp.payload(),
        }),
        _ => Err("IP without UDP"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{compare::Report, decide::Settings, route::RouteTable};

    fn read(capture: &[u8]) -> Result<Report, String> {
        let (settings, table) = (Settings::default(), RouteTable::default());
        let mut comparer = Comparer::new(&settings, &table, &table, 0, 1);
        let address = SocketAddr::from(([192, 0, 2, 1], 5060));
        let listen = |name: &str, address| Listen { name: name.into(), transport: Transport::Udp, address };
        let listen = [listen("a", SocketAddr::from(([0, 0, 0, 0], 5070))), listen("b", address)];
        let arrival = crate::control::diff::arrival(&listen, address).unwrap();
        feed(capture, "capture", &listen, arrival, &mut comparer).map(|()| comparer.report())
    }

    fn captures() -> [&'static [u8]; 2] {
        [include_bytes!("../../../tests/diff/calls.pcap"), include_bytes!("../../../tests/diff/calls.pcapng")]
    }

    #[test]
    fn a_datagram_comes_to_the_listener_of_its_address_or_else_of_its_port() {
        let listen = |name: &str, transport, address: &str| Listen {
            name: name.into(),
            transport,
            address: address.parse().unwrap(),
        };
        let all = [
            listen("any", Transport::Udp, "0.0.0.0:5060"),
            listen("tcp", Transport::Tcp, "192.0.2.1:5060"),
            listen("one", Transport::Udp, "192.0.2.1:5060"),
        ];
        for (at, name) in
            [("192.0.2.1:5060", Some("one")), ("192.0.2.2:5060", Some("any")), ("192.0.2.1:5070", None)]
        {
            assert_eq!(listener(&all, at.parse().unwrap()), name);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Whatever bytes a capture has, it is read to an end, and no packet counts twice.
        #[test]
        fn broken_captures_are_read_to_an_end(
            which in 0_usize..2,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut capture = captures()[which].to_vec();
            for (at, byte) in changes {
                let at = at.index(capture.len());
                capture[at] = byte;
            }
            if let Some(cut) = cut {
                capture.truncate(cut.index(capture.len()));
            }
            if let Ok(report) = read(&capture) {
                let passed: u64 = report.passed_over.iter().map(|passed| passed.packets).sum();
                prop_assert!(report.calls + passed <= 13 + 7);
                prop_assert!(report.skipped <= 1);
            }
        }
    }
}
