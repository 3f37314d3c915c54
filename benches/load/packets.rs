//! Many datagrams by one system call, out of and into one piece of memory.
//!
//! In:    a connected socket.
//! Out:   answers, one after another; requests, all of one length.
//! Never: waits for an answer.

use std::{
    array,
    io::{self, ErrorKind, IoSlice, IoSliceMut},
    net::UdpSocket,
    os::fd::AsRawFd,
};

use nix::{
    errno::Errno,
    sys::socket::{ControlMessage, MsgFlags, MultiHeaders, recvmmsg, sendmmsg, sendmsg},
};

/// Datagrams of one call.
pub(crate) const PER_CALL: usize = 64;
/// Bytes of an answer that are read: the rest of a longer one is cut, and it counts as wrong.
const ROOM: usize = 4096;
/// The longest payload of UDP over IPv4, which also holds for all segments of one call together.
const PAYLOAD_MAX: usize = 65_507;

/// Memory for answers and what the system calls need.
pub(crate) struct Packets {
    headers: MultiHeaders<()>,
    arena: Vec<u8>,
}

impl Packets {
    pub(crate) fn new() -> Self {
        Self { headers: MultiHeaders::preallocate(PER_CALL, None), arena: vec![0; PER_CALL * ROOM] }
    }

    /// Takes what has come, up to [`PER_CALL`]; says how many.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut lengths = [0; PER_CALL];
        let mut count = 0;
        {
            let mut rooms = self.arena.chunks_exact_mut(ROOM);
            let mut parts: [[IoSliceMut<'_>; 1]; PER_CALL] =
                array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
            let flags = MsgFlags::MSG_DONTWAIT;
            match recvmmsg(socket.as_raw_fd(), &mut self.headers, parts.iter_mut(), flags, None) {
                Ok(messages) => {
                    for (length, message) in lengths.iter_mut().zip(messages) {
                        *length = message.bytes;
                        count += 1;
                    }
                }
                // Nobody listens, says the answer to an earlier one: that call stays unanswered.
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for (length, room) in lengths.iter().zip(self.arena.chunks_exact(ROOM)).take(count) {
            take(room.get(..*length).unwrap_or_default());
        }
        Ok(count)
    }

    /// Sends `datagrams`, each of `len` bytes; a whole number of them, [`PER_CALL`] at most.
    pub(crate) fn send(&mut self, socket: &UdpSocket, datagrams: &[u8], len: usize) -> io::Result<()> {
        let mut left = datagrams;
        while !left.is_empty() {
            let mut datagrams = left.chunks_exact(len);
            let count = datagrams.len().min(PER_CALL);
            let parts: [[IoSlice<'_>; 1]; PER_CALL] =
                array::from_fn(|_| [IoSlice::new(datagrams.next().unwrap_or_default())]);
            let to = [const { None::<()> }; PER_CALL];
            let (parts, to) = (parts.iter().take(count), to.get(..count).unwrap_or_default());
            let sent = match sendmmsg(socket.as_raw_fd(), &mut self.headers, parts, to, [], MsgFlags::empty())
            {
                Ok(sent) => sent.count(),
                Err(Errno::EINTR) => 0,
                // As above; the one that was refused has not left.
                Err(Errno::ECONNREFUSED) => 1,
                Err(error) => return Err(error.into()),
            };
            left = left.get(sent * len..).unwrap_or_default();
        }
        Ok(())
    }
}

/// The same by one call for all, which the kernel takes apart (UDP GSO).
pub(crate) fn send_segments(socket: &UdpSocket, datagrams: &[u8], len: usize) -> io::Result<()> {
    let segment = u16::try_from(len).map_err(|_| ErrorKind::InvalidInput)?;
    for run in datagrams.chunks((PAYLOAD_MAX / len).clamp(1, PER_CALL) * len) {
        let (part, control) = ([IoSlice::new(run)], [ControlMessage::UdpGsoSegments(&segment)]);
        match sendmsg::<()>(socket.as_raw_fd(), &part, &control, MsgFlags::empty(), None) {
            Ok(_) | Err(Errno::ECONNREFUSED) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
