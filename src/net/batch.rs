//! Outside. Many datagrams by one system call, with the local address of each. The one file with
//! unsafe code.
//!
//! In:    datagrams of a UDP socket, into buffers allocated once.
//! Out:   answers, from a shared arena, each from the address it is to leave from.
//! Never: blocks, except for one bounded wait for room in a send buffer; keeps a pointer from one
//!        call to the next.

// std, mio and socket2 have neither recvmmsg, sendmmsg nor packet information: they are called
// here, behind a safe interface, and nowhere else.
#![allow(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("waypost runs on Linux: recvmmsg, sendmmsg and IP_PKTINFO are used as Linux has them");

use std::{
    io,
    mem::zeroed,
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::null_mut,
    time::Duration,
};

use super::{
    address::{
        CONTROL_BYTES, NAME_BYTES, read_arrival, read_local, read_name, with_scope_of, write_local,
        write_name, write_segment,
    },
    deliver::deliver,
    trains::{Train, Trains, Wagon},
};
use crate::{
    counters::SocketTrouble,
    limits::{
        ANSWER_BYTES_ROOM, DATAGRAMS_PER_BATCH, MESSAGE_BYTES_MAX, OUT_ARENA_BYTES, SEND_WAIT_MS_MAX,
        TRAIN_PADDING_BYTES_MAX, TRAIN_PAUSE_BATCHES,
    },
    sip::stretch_at,
};

/// One more than is legal, so that a longer datagram is seen and not taken for a legal one.
const SLOT_BYTES: usize = MESSAGE_BYTES_MAX + 1;
/// Where a datagram begins. Those of a batch lie side by side, few lines of cache and pages for all of them: in slots
/// of the longest they would push each other out of the cache. What a longer one has beyond goes to a slot.
const HEAD_BYTES: usize = 2048;

/// A datagram as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    /// Cut at one byte more than [`MESSAGE_BYTES_MAX`].
    pub(super) bytes: &'a [u8],
    pub(super) source: SocketAddr,
    /// Where it came to; `None` from a socket that was not told to say so.
    pub(super) local: Option<SocketAddr>,
    /// It was longer than [`MESSAGE_BYTES_MAX`].
    pub(super) too_long: bool,
}

/// The datagrams of one receive call.
#[derive(Debug)]
pub(super) struct Inbox {
    heads: Box<[u8]>,
    /// Of datagrams longer than [`HEAD_BYTES`] all bytes; of others nothing.
    slots: Box<[u8]>,
    envelopes: Box<[Envelope]>,
    count: usize,
    /// When the kernel took the first of them in, since 1970.
    arrived: Option<Duration>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            // Not zero: all pages are written now, so that no later burst makes the process grow.
            heads: vec![b' '; DATAGRAMS_PER_BATCH * HEAD_BYTES].into_boxed_slice(),
            slots: vec![b' '; DATAGRAMS_PER_BATCH * SLOT_BYTES].into_boxed_slice(),
            envelopes: vec![Envelope::EMPTY; DATAGRAMS_PER_BATCH].into_boxed_slice(),
            count: 0,
            arrived: None,
        }
    }

    /// Takes what the socket has, up to [`DATAGRAMS_PER_BATCH`]; says how many. An error is one of
    /// the first datagram: `WouldBlock` when there is none.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, port: u16) -> io::Result<usize> {
        self.count = 0;
        let mut batch = Headers::<{ DATAGRAMS_PER_BATCH * PARTS_OF_DATAGRAM }>::new();
        let heads = self.heads.chunks_exact_mut(HEAD_BYTES);
        let places = heads.zip(self.slots.chunks_exact_mut(SLOT_BYTES)).zip(&mut self.envelopes);
        let (parts, _) = batch.parts.as_chunks_mut::<PARTS_OF_DATAGRAM>();
        for ((header, parts), ((head, slot), envelope)) in batch.headers.iter_mut().zip(parts).zip(places) {
            let beyond = slot.get_mut(HEAD_BYTES..).unwrap_or_default();
            *parts = [head, beyond]
                .map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
            header.msg_hdr.msg_iov = parts.as_mut_ptr();
            header.msg_hdr.msg_iovlen = PARTS_OF_DATAGRAM as _;
            header.msg_hdr.msg_name = envelope.name.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = NAME_BYTES as libc::socklen_t;
            header.msg_hdr.msg_control = envelope.control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_BYTES as _;
        }
        // SAFETY: every header points to two parts, one name and one control buffer of the lengths
        // given, all distinct and all borrowed exclusively until the end of this function.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                batch.headers.as_mut_ptr(),
                DATAGRAMS_PER_BATCH as libc::c_uint,
                // Its timeout is only looked at after a datagram, so it could wait for ever.
                libc::MSG_DONTWAIT as _,
                null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (header, envelope) in batch.headers.iter().zip(&mut self.envelopes).take(received) {
            envelope.take_in(header, port);
        }
        // The others came later.
        let first = batch.headers.first().zip(self.envelopes.first()).filter(|_| received > 0);
        self.arrived = first.and_then(|(header, envelope)| read_arrival(envelope.control(header)));
        self.count = received.min(DATAGRAMS_PER_BATCH);
        self.complete();
        Ok(self.count)
    }

    /// Puts the heads of long datagrams before their rest.
    fn complete(&mut self) {
        let heads = self.heads.chunks_exact(HEAD_BYTES).zip(self.slots.chunks_exact_mut(SLOT_BYTES));
        for (envelope, (head, slot)) in self.envelopes.iter().zip(heads).take(self.count) {
            if envelope.len > HEAD_BYTES
                && let Some(place) = slot.first_chunk_mut::<HEAD_BYTES>()
            {
                place.copy_from_slice(head);
            }
        }
    }

    /// When the kernel took the first datagram of the last call in, since 1970; `None` from a socket that was not told to
    /// say so.
    pub(super) fn arrived(&self) -> Option<Duration> {
        self.arrived
    }

    /// The `index`-th datagram of the last call; `None` past the last, or when its source is not an
    /// IP address.
    pub(super) fn datagram(&self, index: usize) -> Option<Datagram<'_>> {
        let envelope = self.envelopes.get(..self.count)?.get(index)?;
        let long = envelope.len > HEAD_BYTES;
        let (all, size) = if long { (&self.slots, SLOT_BYTES) } else { (&self.heads, HEAD_BYTES) };
        let place = all.get(index.checked_mul(size)?..)?;
        Some(Datagram {
            bytes: place.get(..envelope.len.min(SLOT_BYTES))?,
            source: envelope.source?,
            local: envelope.local,
            too_long: envelope.truncated || envelope.len > MESSAGE_BYTES_MAX,
        })
    }
}

/// The answers of one batch, possibly of several sockets.
#[derive(Debug)]
pub(super) struct Outbox {
    arena: Box<[u8]>,
    /// Bytes of the arena in use.
    used: usize,
    queue: Vec<Queued>,
    /// Whether answers to one peer leave as one.
    segments: bool,
    /// Batches to go without, since the kernel refused it.
    pause: u32,
    trains: Trains,
}

/// An answer in the arena.
#[derive(Clone, Copy, Debug)]
struct Queued {
    listener: usize,
    start: usize,
    len: usize,
    name: [u8; NAME_BYTES],
    name_len: usize,
    control: Control,
    control_len: usize,
    /// With what makes the kernel cut it.
    cut_control_len: usize,
}

/// What answers are made longer with.
const SPACES: [u8; TRAIN_PADDING_BYTES_MAX] = [b' '; TRAIN_PADDING_BYTES_MAX];

impl Queued {
    fn bytes<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        arena.get(self.start..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
    }

    fn wagon<'q>(queued: Option<&'q Self>, arena: &[u8]) -> Wagon<'q> {
        let Some(queued) = queued else { return Wagon { peer: (&[], &[]), len: 0, stretches: false } };
        let name = queued.name.get(..queued.name_len).unwrap_or_default();
        let control = queued.control.0.get(..queued.control_len).unwrap_or_default();
        let stretches = stretch_at(queued.bytes(arena)).is_some();
        Wagon { peer: (name, control), len: queued.len, stretches }
    }

    /// The answer, made as long as `len`.
    fn parts<'a>(&self, arena: &'a [u8], len: usize) -> [&'a [u8]; PARTS_OF_ANSWER] {
        let bytes = self.bytes(arena);
        let spaces = SPACES.get(..len.saturating_sub(bytes.len())).unwrap_or_default();
        if spaces.is_empty() {
            return [bytes, &[], &[]];
        }
        let (head, tail) =
            bytes.split_at_checked(stretch_at(bytes).unwrap_or(bytes.len())).unwrap_or_default();
        [head, spaces, tail]
    }

    /// Says where to and where from, and whether it is to be cut.
    fn address(&self, cut: bool, header: &mut libc::msghdr) {
        header.msg_name = self.name.as_ptr().cast_mut().cast();
        header.msg_namelen = self.name_len as libc::socklen_t;
        let control_len = if cut { self.cut_control_len } else { self.control_len };
        if control_len > 0 {
            header.msg_control = self.control.0.as_ptr().cast_mut().cast();
            header.msg_controllen = control_len as _;
        }
    }

    /// What leaves is to be cut into datagrams of so many bytes each.
    fn cut_into(&mut self, bytes: usize) {
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        self.cut_control_len = write_segment(bytes, self.control_len, &mut self.control.0);
    }
}

impl Outbox {
    /// `segments`: answers to one peer leave as one message, which the kernel cuts (UDP GSO).
    pub(super) fn new(segments: bool) -> Self {
        Self {
            arena: vec![b' '; OUT_ARENA_BYTES].into_boxed_slice(),
            used: 0,
            queue: Vec::with_capacity(DATAGRAMS_PER_BATCH),
            segments,
            pause: 0,
            trains: Trains::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// It must be sent before [`Outbox::room`] is asked for.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= DATAGRAMS_PER_BATCH || self.arena.len() - self.used < ANSWER_BYTES_ROOM
    }

    /// Room for the next answer: [`ANSWER_BYTES_ROOM`] bytes, unless the outbox is full.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.arena.get_mut(self.used..).and_then(|rest| rest.get_mut(..ANSWER_BYTES_ROOM)).unwrap_or_default()
    }

    /// Puts the first `len` bytes of [`Outbox::room`] in line for `to`, from `from`; `None` leaves
    /// the local address to the socket, which is right for one bound to an address.
    pub(super) fn push(
        &mut self,
        listener: usize,
        len: usize,
        to: SocketAddr,
        from: Option<SocketAddr>,
        source: SocketAddr,
    ) {
        debug_assert!(!self.is_full() && len <= ANSWER_BYTES_ROOM);
        let mut queued = Queued {
            listener,
            start: self.used,
            len: len.min(self.room().len()),
            name: [0; NAME_BYTES],
            name_len: 0,
            control: Control::EMPTY,
            control_len: 0,
            cut_control_len: 0,
        };
        queued.name_len = write_name(with_scope_of(to, source), &mut queued.name);
        queued.control_len = from.map_or(0, |local| write_local(local, &mut queued.control.0));
        self.used += queued.len;
        self.queue.push(queued);
    }

    /// Sends all, in order; what cannot be sent is told to `trouble` and forgotten.
    pub(super) fn send<'s>(
        &mut self,
        socket_of: impl Fn(usize) -> Option<BorrowedFd<'s>>,
        mut trouble: impl FnMut(SocketTrouble),
    ) {
        let segments = self.segments && self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        let (arena, queue, trains) = (&self.arena, &mut self.queue, &mut self.trains);
        for run in queue.chunk_by_mut(|one, next| one.listener == next.listener) {
            let Some(socket) = run.first().and_then(|first| socket_of(first.listener)) else { continue };
            if segments {
                trains.couple(run.len(), |index| Queued::wagon(run.get(index), arena));
            } else {
                trains.alone(run.iter().map(|queued| queued.len));
            }
            let mut refused = Vec::new();
            send_trains(socket, arena, run, trains, &mut refused, &mut trouble);
            if !refused.is_empty() {
                self.pause = TRAIN_PAUSE_BATCHES;
                trains.alone(refused.iter().map(|queued| queued.len));
                send_trains(socket, arena, &mut refused, trains, &mut Vec::new(), &mut trouble);
            }
        }
        self.queue.clear();
        self.used = 0;
    }
}

/// Makes the socket say to which local address each datagram came.
pub(super) fn ask_for_local(socket: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => switch_on(socket, libc::IPPROTO_IP, libc::IP_PKTINFO),
        SocketAddr::V6(_) => switch_on(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    }
}

/// Makes the socket say when the kernel took each datagram in.
pub(super) fn ask_for_arrival(socket: BorrowedFd<'_>) -> io::Result<()> {
    switch_on(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)
}

fn switch_on(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is a c_int, alive during the call, and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends all trains of a run. The answers of those that the kernel does not cut are put into `refused`.
fn send_trains(
    socket: BorrowedFd<'_>,
    arena: &[u8],
    run: &mut [Queued],
    trains: &Trains,
    refused: &mut Vec<Queued>,
    trouble: impl FnMut(SocketTrouble),
) {
    deliver(
        trains.all().len(),
        |next| {
            let rest = trains.all().get(next..).unwrap_or_default();
            let sent = send_batch(socket, arena, run, trains, rest);
            match (&sent, rest.first()) {
                (Err(error), Some(train)) if train.count > 1 && no_segments(error) => {
                    refused.extend(trains.answers(*train).filter_map(|index| run.get(index).copied()));
                    Ok(1)
                }
                _ => sent,
            }
        },
        || wait_writable(socket),
        trouble,
    );
}

fn send_batch(
    socket: BorrowedFd<'_>,
    arena: &[u8],
    run: &mut [Queued],
    trains: &Trains,
    rest: &[Train],
) -> io::Result<usize> {
    for train in rest.iter().filter(|train| train.count > 1) {
        if let Some(first) = trains.answers(*train).next().and_then(|index| run.get_mut(index)) {
            first.cut_into(train.longest);
        }
    }
    let run: &[Queued] = run;
    let mut batch = Headers::<{ DATAGRAMS_PER_BATCH * PARTS_OF_ANSWER }>::new();
    let count = rest.len().min(DATAGRAMS_PER_BATCH);
    let all_parts = batch.parts.as_mut_ptr();
    let mut used = 0;
    for (header, train) in batch.headers.iter_mut().zip(rest) {
        header.msg_hdr.msg_iov = all_parts.wrapping_add(used);
        let mut answers = trains.answers(*train).filter_map(|index| run.get(index)).peekable();
        if let Some(first) = answers.peek() {
            first.address(train.count > 1, &mut header.msg_hdr);
        }
        let begin = used;
        for bytes in answers.flat_map(|queued| queued.parts(arena, train.longest)) {
            if let (false, Some(part)) = (bytes.is_empty(), batch.parts.get_mut(used)) {
                *part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
                used += 1;
            }
        }
        header.msg_hdr.msg_iovlen = (used - begin) as _;
    }
    // SAFETY: the first `count` headers point to parts of this frame, as many as they say, and to one name and one
    // control buffer of the lengths given; the parts point into the arena or to constant spaces. All are alive until the
    // end of this function. sendmmsg writes to the headers only, which nobody else has, and reads the rest.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            batch.headers.as_mut_ptr(),
            count as libc::c_uint,
            libc::MSG_DONTWAIT as _,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Whether an error is about segmentation, not about the peer: a piece that does not fit into a packet of the path
/// (EINVAL, EMSGSIZE), an interface without checksums (EIO), a kernel without it.
fn no_segments(error: &io::Error) -> bool {
    let about = [libc::EINVAL, libc::EMSGSIZE, libc::EIO, libc::EOPNOTSUPP, libc::ENOPROTOOPT];
    error.raw_os_error().is_some_and(|code| about.contains(&code))
}

/// Waits until the send buffer has room, or [`SEND_WAIT_MS_MAX`]. Why it ended does not matter: the
/// next attempt to send tells.
fn wait_writable(socket: BorrowedFd<'_>) {
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: the pointer is to one pollfd, borrowed exclusively during the call, and 1 is its count.
    let _ = unsafe { libc::poll(&raw mut poll, 1, SEND_WAIT_MS_MAX.into()) };
}

/// Parts of a datagram: its head, and what is beyond.
const PARTS_OF_DATAGRAM: usize = 2;
/// Parts of an answer that is made longer: what is before the spaces, those, and the rest.
const PARTS_OF_ANSWER: usize = 3;

/// Headers for one call, with the parts of their messages. On the stack, since they hold
/// pointers: none outlives its call, and the boxes stay free to move between threads.
struct Headers<const PARTS: usize> {
    headers: [libc::mmsghdr; DATAGRAMS_PER_BATCH],
    parts: [libc::iovec; PARTS],
}

impl<const PARTS: usize> Headers<PARTS> {
    fn new() -> Self {
        // SAFETY: both are C structures of integers and pointers, for which all bits zero is a
        // value; some C libraries give them private padding, so they cannot be written as literals.
        unsafe { zeroed() }
    }
}

/// Control messages, aligned as their headers must be.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

impl Control {
    const EMPTY: Self = Self([0; CONTROL_BYTES]);
}

/// What came with one datagram.
#[derive(Clone, Debug)]
struct Envelope {
    name: [u8; NAME_BYTES],
    control: Control,
    len: usize,
    truncated: bool,
    source: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

impl Envelope {
    const EMPTY: Self = Self {
        name: [0; NAME_BYTES],
        control: Control::EMPTY,
        len: 0,
        truncated: false,
        source: None,
        local: None,
    };

    /// Reads what the kernel wrote. Lengths are the kernel's, and still bounded by the buffers.
    // The types of lengths differ between C libraries; here the conversion may be none.
    #[allow(clippy::useless_conversion)]
    fn take_in(&mut self, header: &libc::mmsghdr, port: u16) {
        let name_len = usize::try_from(header.msg_hdr.msg_namelen).unwrap_or(usize::MAX);
        self.len = usize::try_from(header.msg_len).unwrap_or(usize::MAX);
        self.truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        self.source = self.name.get(..name_len).and_then(read_name);
        self.local = read_local(self.control(header), port);
    }

    /// The control messages, as many bytes of them as the kernel wrote.
    #[allow(clippy::useless_conversion)]
    fn control(&self, header: &libc::mmsghdr) -> &[u8] {
        let control_len = usize::try_from(header.msg_hdr.msg_controllen).unwrap_or(usize::MAX);
        self.control.0.get(..control_len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, UdpSocket},
        os::fd::AsFd,
        time::Duration,
    };

    use super::*;

    fn socket(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    fn address(socket: &UdpSocket) -> SocketAddr {
        socket.local_addr().unwrap()
    }

    /// Loopback delivers before send returns, so nothing needs to be waited for.
    fn receive(inbox: &mut Inbox, from: &UdpSocket) -> usize {
        inbox.receive(from.as_fd(), address(from).port()).unwrap()
    }

    fn no_trouble(trouble: SocketTrouble) {
        panic!("{trouble:?}");
    }

    #[test]
    fn an_empty_socket_would_block() {
        let mut inbox = Inbox::new();
        let error = inbox.receive(socket("127.0.0.1:0").as_fd(), 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(inbox.datagram(0), None);
    }

    #[test]
    fn one_call_takes_a_batch_and_no_more() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        for number in 0..=DATAGRAMS_PER_BATCH {
            client.send_to(number.to_string().as_bytes(), address(&server)).unwrap();
        }
        let mut inbox = Inbox::new();
        assert_eq!(receive(&mut inbox, &server), DATAGRAMS_PER_BATCH);
        for index in 0..DATAGRAMS_PER_BATCH {
            let datagram = inbox.datagram(index).unwrap();
            assert_eq!(datagram.bytes, index.to_string().as_bytes());
            assert_eq!((datagram.source, datagram.local), (address(&client), None));
        }
        assert_eq!(inbox.datagram(DATAGRAMS_PER_BATCH), None);
        assert_eq!(receive(&mut inbox, &server), 1);
        assert_eq!(inbox.datagram(1), None, "what an earlier call took is gone");
    }

    #[test]
    fn the_first_of_a_batch_tells_when_it_came() {
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        for (wildcard, to) in [("127.0.0.1:0", "127.0.0.1"), ("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")] {
            let server = socket(wildcard);
            ask_for_arrival(server.as_fd()).unwrap();
            if wildcard != "127.0.0.1:0" {
                ask_for_local(server.as_fd(), address(&server)).unwrap();
            }
            let to = SocketAddr::new(to.parse().unwrap(), address(&server).port());
            let client = socket(if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" });
            let before = now();
            client.send_to(b"one", to).unwrap();
            let between = now();
            std::thread::sleep(Duration::from_millis(20));
            client.send_to(b"two", to).unwrap();
            let mut inbox = Inbox::new();
            assert_eq!(receive(&mut inbox, &server), 2);
            // The kernel begins to stamp packets a moment after the first socket asks for it; what came before has the time
            // at which it is read.
            let arrived = inbox.arrived().expect("the socket tells");
            assert!(before <= arrived && arrived <= now(), "{before:?} {arrived:?} {between:?}");
            assert_eq!(inbox.datagram(0).unwrap().local.is_some(), wildcard != "127.0.0.1:0");
        }
        let silent = socket("127.0.0.1:0");
        silent.send_to(b"x", address(&silent)).unwrap();
        let mut inbox = Inbox::new();
        assert_eq!((receive(&mut inbox, &silent), inbox.arrived()), (1, None));
    }

    #[test]
    fn long_datagrams_are_whole() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut inbox = Inbox::new();
        let lengths = [HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, 2 * HEAD_BYTES, MESSAGE_BYTES_MAX];
        for round in 0_u8..2 {
            let sent = lengths.map(|len| (0..len).map(|at| (at / 7) as u8 ^ round).collect::<Vec<_>>());
            for bytes in &sent {
                client.send_to(bytes, address(&server)).unwrap();
            }
            assert_eq!(receive(&mut inbox, &server), lengths.len());
            for (index, bytes) in sent.iter().enumerate() {
                assert!(inbox.datagram(index).unwrap().bytes == bytes, "{} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn a_datagram_longer_than_legal_is_seen() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let lengths = [0, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 1, MESSAGE_BYTES_MAX + 2];
        for len in lengths {
            client.send_to(&vec![b'x'; len], address(&server)).unwrap();
        }
        let mut inbox = Inbox::new();
        assert_eq!(receive(&mut inbox, &server), lengths.len());
        let seen = [0, 1, 2, 3].map(|index| {
            let datagram = inbox.datagram(index).unwrap();
            (datagram.bytes.len(), datagram.too_long)
        });
        assert_eq!(
            seen,
            [
                (0, false),
                (MESSAGE_BYTES_MAX, false),
                (MESSAGE_BYTES_MAX + 1, true),
                (MESSAGE_BYTES_MAX + 1, true)
            ]
        );
    }

    #[test]
    fn a_wildcard_socket_tells_and_keeps_the_local_address() {
        for (wildcard, ips) in [("0.0.0.0:0", vec!["127.0.0.2", "127.0.0.3"]), ("[::]:0", vec!["::1"])] {
            let server = socket(wildcard);
            ask_for_local(server.as_fd(), address(&server)).unwrap();
            let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new(false));
            for ip in ips {
                let to = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), address(&server).port());
                let client = socket(if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" });
                client.send_to(b"ping", to).unwrap();
                assert_eq!(receive(&mut inbox, &server), 1);
                let datagram = inbox.datagram(0).unwrap();
                assert_eq!(datagram.local, Some(to));
                outbox.room()[..4].copy_from_slice(b"pong");
                outbox.push(0, 4, datagram.source, datagram.local, datagram.source);
                outbox.send(|_| Some(server.as_fd()), no_trouble);
                let mut answer = [0; 5];
                assert_eq!(client.recv_from(&mut answer).unwrap(), (4, to));
                assert_eq!(&answer[..4], b"pong");
            }
        }
    }

    #[test]
    fn answers_of_several_sockets_leave_by_their_own_in_order() {
        let servers = [socket("127.0.0.1:0"), socket("127.0.0.1:0")];
        let client = socket("127.0.0.1:0");
        let mut outbox = Outbox::new(false);
        for (text, listener) in [(b"a", 0), (b"b", 1), (b"c", 1), (b"d", 0)] {
            outbox.room()[..1].copy_from_slice(text);
            outbox.push(listener, 1, address(&client), None, address(&client));
        }
        assert!(!outbox.is_empty());
        outbox.send(|listener| servers.get(listener).map(AsFd::as_fd), no_trouble);
        assert!(outbox.is_empty());
        for (text, listener) in [(b"a", 0), (b"b", 1), (b"c", 1), (b"d", 0)] {
            let mut answer = [0];
            assert_eq!(client.recv_from(&mut answer).unwrap(), (1, address(&servers[listener])));
            assert_eq!(&answer, text);
        }
    }

    #[test]
    fn one_that_cannot_be_sent_is_counted_and_the_others_leave() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut outbox = Outbox::new(false);
        let nowhere = "127.0.0.1:0".parse().unwrap();
        for to in [address(&client), nowhere, address(&client), nowhere] {
            outbox.room()[..1].copy_from_slice(b"x");
            outbox.push(0, 1, to, None, to);
        }
        let mut troubles = Vec::new();
        outbox.send(|_| Some(server.as_fd()), |trouble| troubles.push(trouble));
        assert_eq!(troubles, [SocketTrouble::Send; 2]);
        let mut answer = [0; 2];
        assert_eq!(client.recv(&mut answer).unwrap(), 1);
        assert_eq!(client.recv(&mut answer).unwrap(), 1);
    }

    const ANSWER: &[u8] = b"SIP/2.0 302 Moved Temporarily\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n";

    fn answer(call_id: &str) -> Vec<u8> {
        [b"SIP/2.0 302 Moved Temporarily\r\nCall-ID: ", call_id.as_bytes(), b"\r\nContent-Length: 0\r\n\r\n"]
            .concat()
    }

    fn push(outbox: &mut Outbox, bytes: &[u8], to: SocketAddr, from: Option<SocketAddr>) {
        outbox.room()[..bytes.len()].copy_from_slice(bytes);
        outbox.push(0, bytes.len(), to, from, to);
    }

    #[test]
    fn answers_to_one_peer_leave_as_one_and_arrive_as_many() {
        for (server, from) in [("127.0.0.1:0", None), ("0.0.0.0:0", Some("127.0.0.7")), ("[::1]:0", None)] {
            let server = socket(server);
            let any = if address(&server).is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
            let (one, two) = (socket(any), socket(any));
            let from = from.map(|ip| SocketAddr::new(ip.parse().unwrap(), address(&server).port()));
            let mut outbox = Outbox::new(true);
            let answers = ["1", "22", "333", "1"].map(answer);
            for (index, bytes) in answers.iter().enumerate() {
                let to = if index == 2 { &two } else { &one };
                push(&mut outbox, bytes, address(to), from);
            }
            push(&mut outbox, b"no answer of ours", address(&one), from);
            outbox.send(|_| Some(server.as_fd()), no_trouble);
            let mut room = [0; 200];
            let mut next = |client: &UdpSocket| {
                let (len, source) = client.recv_from(&mut room).unwrap();
                assert_eq!(source, from.unwrap_or_else(|| address(&server)));
                String::from_utf8(room[..len].to_vec()).unwrap()
            };
            let stretched = |bytes: &[u8], by: usize| {
                let value = format!("Content-Length: {:by$}0", "");
                String::from_utf8(bytes.to_vec()).unwrap().replace("Content-Length: 0", &value)
            };
            assert_eq!(next(&one), stretched(&answers[0], 1));
            assert_eq!(next(&one), stretched(&answers[1], 0));
            assert_eq!(next(&one), stretched(&answers[3], 1));
            assert_eq!(next(&one), "no answer of ours");
            assert_eq!(next(&two), stretched(&answers[2], 0));
        }
    }

    #[test]
    fn a_whole_batch_leaves_as_one() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut outbox = Outbox::new(true);
        for number in 0..DATAGRAMS_PER_BATCH {
            push(&mut outbox, &answer(&number.to_string()), address(&client), None);
        }
        outbox.send(|_| Some(server.as_fd()), no_trouble);
        let mut room = [0; 200];
        for number in 0..DATAGRAMS_PER_BATCH {
            let len = client.recv(&mut room).unwrap();
            assert_eq!(len, ANSWER.len() + 1);
            let line = format!("Call-ID: {number}\r\n");
            assert!(room[..len].windows(line.len()).any(|window| window == line.as_bytes()), "{number}");
        }
    }

    #[test]
    fn refused_segments_leave_one_by_one() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        // The kernel cuts nothing for a socket without checksums (EIO).
        no_checksums(server.as_fd());
        let mut outbox = Outbox::new(true);
        for _ in 0..2 {
            push(&mut outbox, ANSWER, address(&client), None);
            push(&mut outbox, ANSWER, address(&client), None);
            outbox.send(|_| Some(server.as_fd()), no_trouble);
        }
        assert_eq!(outbox.pause, TRAIN_PAUSE_BATCHES - 1);
        for _ in 0..4 {
            let mut room = [0; 200];
            let len = client.recv(&mut room).unwrap();
            assert_eq!(&room[..len], ANSWER);
        }
    }

    fn no_checksums(socket: BorrowedFd<'_>) {
        let on: libc::c_int = 1;
        // SAFETY: the value is a c_int, alive during the call, and its size is given.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NO_CHECK,
                (&raw const on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        assert_eq!(result, 0);
    }

    #[test]
    fn the_outbox_is_full_by_count_and_by_bytes() {
        let to = "127.0.0.1:9".parse().unwrap();
        let mut outbox = Outbox::new(false);
        for _ in 0..DATAGRAMS_PER_BATCH {
            assert!(!outbox.is_full());
            assert_eq!(outbox.room().len(), ANSWER_BYTES_ROOM);
            outbox.push(0, 2048, to, None, to);
        }
        assert!(outbox.is_full());

        let mut outbox = Outbox::new(false);
        let mut pushed = 0;
        while !outbox.is_full() {
            assert_eq!(outbox.room().len(), ANSWER_BYTES_ROOM);
            outbox.push(0, ANSWER_BYTES_ROOM, to, None, to);
            pushed += 1;
        }
        assert_eq!(pushed, OUT_ARENA_BYTES / ANSWER_BYTES_ROOM);
    }
}
