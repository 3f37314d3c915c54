//! What comes goes back: the system calls of a server, and nothing between them.
//!
//! In:    datagrams on one socket.
//! Out:   each again to where it came from, at the length asked for.
//! Never: looks into a datagram, allocates while it serves, or takes up processor time while none comes.

use std::{
    array,
    io::{self, IoSlice, IoSliceMut},
    net::{SocketAddr, SocketAddrV4, UdpSocket},
    os::fd::{AsFd, AsRawFd},
};

use nix::{
    cmsg_space,
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt,
    },
};

/// Datagrams of one call, as Waypost takes them.
const PER_CALL: usize = 64;
/// For each datagram, in bytes: the longest request, and the longest answer.
pub(crate) const ROOM: usize = 4096;
/// As Waypost asks for.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// All segments of one call together: the longest payload of UDP over IPv4.
const PAYLOAD_MAX: usize = 65_507;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Up to [`PER_CALL`] datagrams by each system call.
    Batched,
    /// One.
    Single,
    /// As `Batched`, and all to one peer as segments of one datagram.
    Segments,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Args {
    pub(crate) listen: SocketAddrV4,
    pub(crate) mode: Mode,
    /// Without it, an answer is as long as its request.
    pub(crate) answer_bytes: Option<usize>,
}

pub(crate) struct Echo {
    socket: UdpSocket,
    mode: Mode,
    answer_bytes: Option<usize>,
    arena: Vec<u8>,
    inward: MultiHeaders<SockaddrIn>,
    outward: MultiHeaders<SockaddrIn>,
    /// The same with room for the length of segments.
    segments: MultiHeaders<SockaddrIn>,
    /// Of what came last: from where, and how long.
    from: [Option<SockaddrIn>; PER_CALL],
    lengths: [usize; PER_CALL],
}

impl Echo {
    pub(crate) fn bind(args: &Args) -> Result<Self, String> {
        let error = |error: io::Error| format!("cannot listen on {}: {error}", args.listen);
        let socket = UdpSocket::bind(args.listen).map_err(error)?;
        socket.set_nonblocking(true).map_err(error)?;
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES).map_err(|errno| error(errno.into()))?;
        Ok(Self {
            socket,
            mode: args.mode,
            answer_bytes: args.answer_bytes,
            arena: vec![b' '; PER_CALL * ROOM],
            inward: MultiHeaders::preallocate(PER_CALL, None),
            outward: MultiHeaders::preallocate(PER_CALL, None),
            segments: MultiHeaders::preallocate(PER_CALL, Some(cmsg_space!(u16))),
            from: [None; PER_CALL],
            lengths: [0; PER_CALL],
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn serve(&mut self) -> io::Result<()> {
        loop {
            let count = match self.mode {
                Mode::Single => self.receive_one()?,
                Mode::Batched | Mode::Segments => self.receive()?,
            };
            match self.mode {
                _ if count == 0 => self.wait(PollFlags::POLLIN)?,
                Mode::Single => self.send_one()?,
                Mode::Batched => self.send(count)?,
                Mode::Segments => self.send_segments(count)?,
            }
        }
    }

    fn wait(&self, what: PollFlags) -> io::Result<()> {
        match poll(&mut [PollFd::new(self.socket.as_fd(), what)], PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut rooms = self.arena.chunks_exact_mut(ROOM);
        let mut parts: [[IoSliceMut<'_>; 1]; PER_CALL] =
            array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_DONTWAIT;
        match recvmmsg(self.socket.as_raw_fd(), &mut self.inward, parts.iter_mut(), flags, None) {
            Ok(messages) => {
                let mut count = 0;
                for ((from, length), message) in self.from.iter_mut().zip(&mut self.lengths).zip(messages) {
                    *from = message.address;
                    *length = self.answer_bytes.unwrap_or(message.bytes);
                    count += 1;
                }
                Ok(count)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn send(&mut self, count: usize) -> io::Result<()> {
        let mut done = 0;
        while done < count {
            let mut datagrams = self.arena.chunks_exact(ROOM).zip(&self.lengths).skip(done);
            let parts: [[IoSlice<'_>; 1]; PER_CALL] = array::from_fn(|_| {
                let (room, length) = datagrams.next().unwrap_or((&[], &0));
                [IoSlice::new(room.get(..*length).unwrap_or_default())]
            });
            let to = self.from.get(done..count).unwrap_or_default();
            let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            done += match sendmmsg(socket, &mut self.outward, &parts, to, [], flags) {
                Ok(sent) => sent.count(),
                Err(error) => self.not_sent(error)?,
            };
        }
        Ok(())
    }

    /// How many datagrams to pass over.
    fn not_sent(&self, error: Errno) -> io::Result<usize> {
        match error {
            Errno::EAGAIN => self.wait(PollFlags::POLLOUT).map(|()| 0),
            Errno::EINTR => Ok(0),
            // A peer that is gone must not end the others.
            _ => Ok(1),
        }
    }

    /// What came, peer by peer, each peer's in as few messages as hold it. Within one, all are of one length.
    fn send_segments(&mut self, count: usize) -> io::Result<()> {
        let mut order: [usize; PER_CALL] = array::from_fn(|index| index);
        let order = order.get_mut(..count).unwrap_or_default();
        order.sort_by_key(|index| self.from[*index].map(|from| (from.ip(), from.port())));
        let parts: [IoSlice<'_>; PER_CALL] = array::from_fn(|place| {
            let index = order.get(place).copied().unwrap_or_default();
            IoSlice::new(&self.arena[index * ROOM..][..self.lengths[index]])
        });
        let mut runs: [&[IoSlice<'_>]; PER_CALL] = [&[]; PER_CALL];
        let (mut to, mut messages, mut start) = ([None; PER_CALL], 0, 0);
        let length = self.lengths[0];
        while start < count {
            let peer = self.from[order[start]];
            let most = order[start..].iter().take((PAYLOAD_MAX / length).max(1));
            let len = most
                .take_while(|index| self.from[**index] == peer && self.lengths[**index] == length)
                .count();
            if len == 0 {
                // Requests of another length and no --answer-bytes: not what this mode is for.
                return Err(io::Error::other("--mode gso needs --answer-bytes, or requests of one length"));
            }
            (runs[messages], to[messages]) = (&parts[start..start + len], peer);
            messages += 1;
            start += len;
        }
        let segment = u16::try_from(length).map_err(io::Error::other)?;
        let mut done = 0;
        while done < messages {
            let (socket, control) = (self.socket.as_raw_fd(), [ControlMessage::UdpGsoSegments(&segment)]);
            let (runs, to) = (&runs[done..messages], &to[done..messages]);
            done += match sendmmsg(socket, &mut self.segments, runs, to, control, MsgFlags::MSG_DONTWAIT) {
                Ok(sent) => sent.count(),
                Err(error) => self.not_sent(error)?,
            };
        }
        Ok(())
    }

    fn receive_one(&mut self) -> io::Result<usize> {
        let Some(room) = self.arena.get_mut(..ROOM) else {
            return Ok(0);
        };
        match nix::sys::socket::recvfrom::<SockaddrIn>(self.socket.as_raw_fd(), room) {
            Ok((len, from)) => {
                (self.from[0], self.lengths[0]) = (from, self.answer_bytes.unwrap_or(len));
                Ok(1)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn send_one(&self) -> io::Result<()> {
        let Some(to) = &self.from[0] else {
            return Ok(());
        };
        let answer = &self.arena[..self.lengths[0]];
        let (mut done, socket) = (0, self.socket.as_raw_fd());
        while done == 0 {
            done = match nix::sys::socket::sendto(socket, answer, to, MsgFlags::MSG_DONTWAIT) {
                Ok(_) => 1,
                Err(error) => self.not_sent(error)?,
            };
        }
        Ok(())
    }
}
