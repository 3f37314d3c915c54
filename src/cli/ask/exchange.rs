//! Outside. The client transaction of `ask` over UDP (RFC 3261 §17.1.1): send, send again, wait.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use crate::control::client::{Message, Response};

/// RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);

/// One socket towards one server.
#[derive(Debug)]
pub(super) struct Exchange {
    socket: UdpSocket,
    local: SocketAddr,
}

/// A final answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) response: Response,
    pub(super) bytes: Vec<u8>,
    /// From the first sending to the answer.
    pub(super) round_trip: Duration,
    /// How often the INVITE was sent.
    pub(super) sent: u32,
}

/// Why there is no final answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The system says that nothing listens there (ICMP port unreachable).
    Refused,
    /// Time is over. The last 1xx, if one came.
    Silent { sent: u32, provisional: Option<u16> },
    /// The socket does not do what is asked of it.
    Socket(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused { Self::Refused } else { Self::Socket(error) }
    }
}

impl Exchange {
    /// A socket that is connected: so the system tells our own address, and that nothing listens.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        let mut local = socket.local_addr()?;
        if let SocketAddr::V6(v6) = &mut local {
            // A scope has no place in a Via.
            v6.set_scope_id(0);
        }
        Ok(Self { socket, local })
    }

    /// Our own address, as the server sees it unless a NAT stands between.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends once.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.send(bytes).map(|_| ())
    }

    /// Sends `invite`, again after T1, 2 T1, 4 T1 … (Timer A), until a final answer or `timeout`.
    pub(super) fn invite(
        &self,
        message: &Message<'_>,
        invite: &[u8],
        timeout: Duration,
    ) -> Result<Answered, Trouble> {
        self.transact(message, Some(invite), timeout)
    }

    /// Waits for the final answer to what was sent before.
    pub(super) fn wait(&self, message: &Message<'_>, timeout: Duration) -> Result<Answered, Trouble> {
        self.transact(message, None, timeout)
    }

    fn transact(
        &self,
        message: &Message<'_>,
        invite: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Answered, Trouble> {
        let started = Instant::now();
        let deadline = started + timeout;
        let (mut sent, mut interval, mut provisional) = (0, T1, None);
        let mut again = invite.map(|invite| (started, invite));
        let mut buffer = vec![0; usize::from(u16::MAX)];
        loop {
            let now = Instant::now();
            if now >= deadline {
                return Err(Trouble::Silent { sent, provisional });
            }
            if let Some((at, invite)) = again
                && now >= at
            {
                self.send(invite)?;
                sent += 1;
                again = Some((at + interval, invite));
                interval *= 2;
            }
            let until = again.map_or(deadline, |(at, _)| at.min(deadline));
            let Some(bytes) = self.receive(&mut buffer, until)? else { continue };
            let Some(response) = Response::parse(bytes) else { continue };
            if !response.answers(message.branch, message.call_id, message.cseq, message.method) {
                continue;
            }
            if response.status >= 200 {
                return Ok(Answered { response, bytes: bytes.to_vec(), round_trip: started.elapsed(), sent });
            }
            // RFC 3261 §17.1.1.2: a 1xx ends the retransmission.
            provisional = Some(response.status);
            again = None;
        }
    }

    /// One datagram, or `None` when none came before `until`.
    fn receive<'b>(&self, buffer: &'b mut [u8], until: Instant) -> io::Result<Option<&'b [u8]>> {
        // A timeout of zero would mean none at all.
        let wait = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(wait))?;
        match self.socket.recv(buffer) {
            Ok(len) => Ok(buffer.get(..len)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }
}
