//! Outside. Sends what is shown to Homer: a packet for the request, one for the answer.
//!
//! In:    records of the taps.
//! Out:   HEP3 packets over UDP.
//! Never: waits: what the socket does not take at once is lost and counted. Nothing tells us what the network loses.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::hep::{self, Agent, Shown};
use crate::{config::Hep, net::Record, sip::call_id_in};

/// Packets so far.
#[derive(Debug, Default)]
pub struct HepNumbers {
    sent: AtomicU64,
    failed: AtomicU64,
}

impl HepNumbers {
    /// Packets handed to the kernel.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Packets that it did not take, or that nobody was there for.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }
}

/// The way to Homer.
#[derive(Debug)]
pub(super) struct HepSender {
    socket: UdpSocket,
    agent: Agent,
    numbers: Arc<HepNumbers>,
    packet: Vec<u8>,
}

/// An answer leaves some microseconds after its request came; the tap tells one time for both. Homer sorts by it.
const AFTER_THE_REQUEST: Duration = Duration::from_micros(1);

impl HepSender {
    pub(super) fn new(hep: &Hep, numbers: Arc<HepNumbers>) -> io::Result<Self> {
        let any: IpAddr = match hep.to {
            std::net::SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            std::net::SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(hep.to)?;
        let agent = Agent { id: hep.agent_id, node: hep.node.clone(), key: hep.key.clone() };
        Ok(Self { socket, agent, numbers, packet: Vec::new() })
    }

    /// Sends the message, and its answer if there is one.
    pub(super) fn show(&mut self, record: &Record) {
        let (path, decided_at) = (record.path(), record.decided_at());
        let request = Shown {
            from: path.source,
            to: path.local,
            transport: path.transport,
            at: decided_at.saturating_sub(record.waited()),
            call_id: call_id_in(record.request()),
            message: record.request(),
        };
        self.send(&request);
        if !record.answer().is_empty() {
            self.send(&Shown {
                from: path.local,
                to: record.to(),
                at: decided_at.saturating_add(AFTER_THE_REQUEST),
                message: record.answer(),
                ..request
            });
        }
    }

    fn send(&mut self, shown: &Shown<'_>) {
        hep::write(&self.agent, shown, &mut self.packet);
        // An error may also be that of the packet before, told late: there is nobody at the address.
        let numbers = &self.numbers;
        let counter = if self.socket.send(&self.packet).is_ok() { &numbers.sent } else { &numbers.failed };
        counter.fetch_add(1, Relaxed);
    }
}
