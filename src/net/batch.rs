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
    io::{self, ErrorKind},
    iter,
    mem::{MaybeUninit, take, zeroed},
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::null_mut,
    time::Duration,
};

use super::{
    address::{
        CONTROL_BYTES, NAME_BYTES, SEGMENT_BYTES, read_local, read_name, with_scope_of, write_local,
        write_name, write_segment,
    },
    connected::{Connected, PlaceId},
    deliver::{deliver, deliver_at_once},
    trains::{Train, Trains, Wagon},
};
use crate::{
    counters::SocketTrouble,
    limits::{
        ANSWER_BYTES_ROOM, CONNECTED_PEERS_MAX, DATAGRAMS_ASKED_MIN, DATAGRAMS_PER_BATCH, MESSAGE_BYTES_MAX,
        OUT_ARENA_BYTES, SEND_WAIT_MS_MAX, TRAIN_PADDING_BYTES_MAX, TRAIN_PAUSE_BATCHES,
    },
    sip::stretch_at,
};

/// One more than is legal, so that a longer datagram is seen and not taken for a legal one.
const SLOT_BYTES: usize = MESSAGE_BYTES_MAX + 1;
/// From one slot to the next. Most datagrams fill the first tenth of theirs, so slots of a power of two would have all of
/// a batch in the same few sets of the cache: an odd number of its lines gives each a set of its own to begin in, and this
/// one leaves, of those up to 320 that hold a slot, the widest gaps between them where a cache has a thousand sets or two.
const SLOT_STRIDE_BYTES: usize = 259 * CACHE_LINE_BYTES;
const CACHE_LINE_BYTES: usize = 64;
const _: () =
    assert!(SLOT_BYTES <= SLOT_STRIDE_BYTES && !(SLOT_STRIDE_BYTES / CACHE_LINE_BYTES).is_multiple_of(2));

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
    slots: Box<[u8]>,
    envelopes: Box<[Envelope]>,
    controls: Box<[Control]>,
    count: usize,
    /// Datagrams that the next call asks for: what describes each to the kernel is written anew for it, so that few are
    /// asked for where few come.
    wanted: usize,
    /// The last call took all there was.
    is_drained: bool,
    /// Of the socket of the last call, where that says to which address each datagram came.
    port: Option<u16>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            // Not zero: all pages are written now, so that no later burst makes the process grow.
            slots: vec![b' '; DATAGRAMS_PER_BATCH * SLOT_STRIDE_BYTES].into_boxed_slice(),
            envelopes: vec![Envelope::EMPTY; DATAGRAMS_PER_BATCH].into_boxed_slice(),
            controls: vec![Control::EMPTY; DATAGRAMS_PER_BATCH].into_boxed_slice(),
            count: 0,
            wanted: DATAGRAMS_PER_BATCH,
            is_drained: false,
            port: None,
        }
    }

    /// Takes what the socket has, up to [`DATAGRAMS_PER_BATCH`], or to twice what it had the last time; says how many. An
    /// error is one of the first datagram: `WouldBlock` when there is none. `port`: that of a socket which was told to say
    /// to which address each datagram came.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, port: Option<u16>) -> io::Result<usize> {
        (self.count, self.is_drained, self.port) = (0, false, port);
        let mut parts = [NO_PART; DATAGRAMS_PER_BATCH];
        let mut headers = [NO_HEADER; DATAGRAMS_PER_BATCH];
        let slots = self.slots.chunks_exact_mut(SLOT_STRIDE_BYTES).zip(&mut self.envelopes);
        let places = headers.iter_mut().zip(&mut parts).zip(slots).zip(&mut self.controls);
        let mut asked = 0;
        for (((header, part), (slot, envelope)), control) in places.take(self.wanted) {
            let slot = slot.get_mut(..SLOT_BYTES).unwrap_or_default();
            *part = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            let header = &mut header.msg_hdr;
            // One part: the kernel copies to it without going through a list.
            header.msg_iov = part;
            header.msg_iovlen = 1;
            header.msg_name = envelope.name.as_mut_ptr().cast();
            header.msg_namelen = NAME_BYTES as libc::socklen_t;
            if port.is_some() {
                header.msg_control = control.0.as_mut_ptr().cast();
                header.msg_controllen = CONTROL_BYTES as _;
            }
            asked += 1;
        }
        // SAFETY: each of the first `asked` headers points to one part, one name and at most one control buffer of the
        // lengths given, and the part to a slot of its length; all are distinct and borrowed exclusively until the end of
        // this function.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                asked as libc::c_uint,
                // Its timeout is only looked at after a datagram, so it could wait for ever.
                libc::MSG_DONTWAIT as _,
                null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (header, envelope) in headers.iter().zip(&mut self.envelopes).take(received) {
            envelope.take_in(header);
        }
        self.count = received.min(asked);
        // It ends where the socket has no more.
        self.is_drained = self.count < asked;
        self.wanted = (2 * self.count).clamp(DATAGRAMS_ASKED_MIN, DATAGRAMS_PER_BATCH);
        Ok(self.count)
    }

    /// Whether the last call took all that the socket had.
    pub(super) fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// The `index`-th datagram of the last call; `None` past the last, or when its source is not an
    /// IP address.
    pub(super) fn datagram(&self, index: usize) -> Option<Datagram<'_>> {
        let envelope = self.envelopes.get(..self.count)?.get(index)?;
        let slot = self.slots.get(index.checked_mul(SLOT_STRIDE_BYTES)?..)?;
        Some(Datagram {
            bytes: slot.get(..envelope.len.min(SLOT_BYTES))?,
            source: envelope.name.get(..envelope.name_len).and_then(read_name)?,
            local: self.port.and_then(|port| read_local(self.control(index)?, port)),
            too_long: envelope.truncated || envelope.len > MESSAGE_BYTES_MAX,
        })
    }

    /// The bytes of the datagrams from the `index`-th on.
    pub(super) fn bytes_from(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        let slots = self.slots.chunks(SLOT_STRIDE_BYTES).zip(self.envelopes.iter().take(self.count));
        slots.skip(index).filter_map(|(slot, envelope)| slot.get(..envelope.len.min(SLOT_BYTES)))
    }

    /// The control messages of a datagram, as many bytes of them as the kernel wrote.
    fn control(&self, index: usize) -> Option<&[u8]> {
        let envelope = self.envelopes.get(..self.count)?.get(index)?;
        self.controls.get(index)?.0.get(..envelope.control_len)
    }
}

/// The answers of one batch, possibly of several sockets.
#[derive(Debug)]
pub(super) struct Outbox {
    arena: Box<[u8]>,
    /// Bytes of the arena in use.
    used: usize,
    queue: Vec<Queued>,
    /// By the number of the answer.
    controls: Box<[Control]>,
    /// Whether answers to one peer leave as one.
    segments: bool,
    /// Batches to go without, since the kernel refused it.
    pause: u32,
    trains: Trains,
    connected: Connected,
}

/// An answer in the arena.
#[derive(Clone, Copy, Debug)]
struct Queued {
    listener: usize,
    /// In the queue.
    number: usize,
    start: usize,
    len: usize,
    name: [u8; NAME_BYTES],
    name_len: usize,
    control_len: usize,
    /// That of its peer, for a connected socket.
    place: Option<PlaceId>,
}

/// What answers are made longer with.
const SPACES: [u8; TRAIN_PADDING_BYTES_MAX] = [b' '; TRAIN_PADDING_BYTES_MAX];

impl Queued {
    fn bytes<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        arena.get(self.start..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
    }

    fn name(&self) -> &[u8] {
        self.name.get(..self.name_len).unwrap_or_default()
    }

    /// Says where from.
    fn control<'a>(&self, controls: &'a [Control]) -> &'a [u8] {
        control(controls, self.number, self.control_len)
    }

    /// The same, and that it is to be cut: behind [`Queued::cut_into`].
    fn cut_control<'a>(&self, controls: &'a [Control]) -> &'a [u8] {
        control(controls, self.number, self.control_len + SEGMENT_BYTES)
    }

    /// What leaves is to be cut into datagrams of so many bytes each.
    fn cut_into(&self, bytes: usize, controls: &mut [Control]) {
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        if let Some(control) = controls.get_mut(self.number) {
            write_segment(bytes, self.control_len, &mut control.0);
        }
    }

    fn wagon<'q>(queued: Option<&'q Self>, arena: &[u8], controls: &'q [Control]) -> Wagon<'q> {
        let Some(queued) = queued else { return Wagon { peer: (&[], &[]), len: 0, stretches: false } };
        let stretches = stretch_at(queued.bytes(arena)).is_some();
        Wagon { peer: (queued.name(), queued.control(controls)), len: queued.len, stretches }
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
}

fn control(controls: &[Control], number: usize, len: usize) -> &[u8] {
    controls.get(number).and_then(|control| control.0.get(..len)).unwrap_or_default()
}

impl Outbox {
    /// `segments`: answers to one peer leave as one message, which the kernel cuts (UDP GSO). `connects`: those to peers that
    /// have many leave by sockets of their own.
    pub(super) fn new(segments: bool, connects: bool) -> Self {
        Self {
            arena: vec![b' '; OUT_ARENA_BYTES].into_boxed_slice(),
            used: 0,
            queue: Vec::with_capacity(DATAGRAMS_PER_BATCH),
            controls: vec![Control::EMPTY; DATAGRAMS_PER_BATCH].into_boxed_slice(),
            segments,
            pause: 0,
            trains: Trains::new(),
            connected: Connected::new(connects && !segments),
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
        let mut name = [0; NAME_BYTES];
        let to = with_scope_of(to, source);
        let name_len = write_name(to, &mut name);
        let place = if from.is_none() { self.connected.count(listener, to) } else { None };
        let number = self.queue.len();
        let control_len = match (from, self.controls.get_mut(number)) {
            (Some(local), Some(control)) => write_local(local, &mut control.0),
            _ => 0,
        };
        let len = len.min(self.room().len());
        self.queue.push(Queued {
            listener,
            number,
            start: self.used,
            len,
            name,
            name_len,
            control_len,
            place,
        });
        self.used += len;
    }

    /// Sends all, in order; what cannot be sent is told to `trouble` and forgotten.
    pub(super) fn send<'s>(
        &mut self,
        socket_of: impl Fn(usize) -> Option<BorrowedFd<'s>>,
        mut trouble: impl FnMut(SocketTrouble),
    ) {
        let segments = self.segments && self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        for run in self.queue.chunk_by(|one, next| one.listener == next.listener) {
            let Some(socket) = run.first().and_then(|first| socket_of(first.listener)) else { continue };
            let (arena, controls) = (&self.arena, &mut self.controls);
            if !segments {
                send_plain(socket, arena, controls, run, &mut self.connected, &mut trouble);
                continue;
            }
            self.trains.couple(run.len(), |index| Queued::wagon(run.get(index), arena, controls));
            let refused = send_trains(socket, arena, controls, run, &self.trains, &mut trouble);
            if !refused.is_empty() {
                self.pause = TRAIN_PAUSE_BATCHES;
                send_alone(socket, arena, controls, refused.iter(), &mut trouble);
            }
        }
        self.connected.end_batch(socket_of);
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

/// When the kernel took in the last datagram that was read from the socket, since 1970. The first time it is asked, it
/// begins to note that. One call for a batch: with SO_TIMESTAMPNS it would tell for each datagram, for 40 ns each.
pub(super) fn last_arrival(socket: BorrowedFd<'_>) -> Option<Duration> {
    // As linux/sockios.h has it on every architecture: it fills in a second and a nanosecond of C's long.
    const SIOCGSTAMPNS: libc::Ioctl = 0x8907;
    let mut stamp: [libc::c_long; 2] = [0; 2];
    // SAFETY: the kernel writes two longs, and the pointer is to two, alive and borrowed exclusively during the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSTAMPNS, stamp.as_mut_ptr()) };
    let [seconds, nanoseconds] = stamp;
    let nanoseconds = u32::try_from(nanoseconds).ok().filter(|ns| *ns < 1_000_000_000 && result == 0)?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
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

/// Sends the answers of one listener, those to peers that have a connected socket by it. What it does not send, the
/// listener's does: only there it is waited for room.
fn send_plain(
    socket: BorrowedFd<'_>,
    arena: &[u8],
    controls: &[Control],
    run: &[Queued],
    connected: &mut Connected,
    trouble: impl FnMut(SocketTrouble),
) {
    let (mut refused, mut broken) = (Vec::new(), [None; CONNECTED_PEERS_MAX]);
    for (place, broken) in connected.places().zip(&mut broken) {
        let Some(own) = connected.socket(Some(place)) else { continue };
        let theirs = run.iter().filter(|queued| queued.place == Some(place));
        if !send_connected(own, arena, theirs, &mut refused) {
            *broken = Some(place);
        }
    }
    let others = run.iter().filter(|queued| connected.socket(queued.place).is_none());
    send_alone(socket, arena, controls, refused.iter().chain(others), trouble);
    broken.into_iter().flatten().for_each(|place| connected.give_up(place));
}

/// Sends each answer as a message of its own.
fn send_alone<'q>(
    socket: BorrowedFd<'_>,
    arena: &[u8],
    controls: &[Control],
    answers: impl Iterator<Item = &'q Queued> + Clone,
    trouble: impl FnMut(SocketTrouble),
) {
    let attempt = |next| send_each(socket, arena, Some(controls), answers.clone().skip(next));
    deliver(answers.clone().count(), attempt, || wait_writable(socket), trouble);
}

/// The same by the socket that is connected to their peer, without a wait. What it does not send is added to `refused`;
/// `false` when the socket is of no use any more.
fn send_connected<'q>(
    socket: BorrowedFd<'_>,
    arena: &[u8],
    answers: impl Iterator<Item = &'q Queued> + Clone,
    refused: &mut Vec<Queued>,
) -> bool {
    let attempt = |next| send_each(socket, arena, None, answers.clone().skip(next));
    let (sent, error) = deliver_at_once(answers.clone().count(), attempt);
    refused.extend(answers.skip(sent));
    // One that is full will have room again.
    matches!(error, None | Some(ErrorKind::WouldBlock | ErrorKind::Interrupted))
}

/// Sends as many as one call takes. Without `controls` the socket knows where to and where from.
fn send_each<'q>(
    socket: BorrowedFd<'_>,
    arena: &[u8],
    controls: Option<&[Control]>,
    answers: impl Iterator<Item = &'q Queued>,
) -> io::Result<usize> {
    let mut parts = [const { MaybeUninit::uninit() }; DATAGRAMS_PER_BATCH];
    let mut batch = Outgoing::new(&mut parts);
    for queued in answers.take(DATAGRAMS_PER_BATCH) {
        let (name, control) = match controls {
            Some(controls) => (queued.name(), queued.control(controls)),
            None => Default::default(),
        };
        batch.add(name, control, iter::once(queued.bytes(arena)));
    }
    batch.send(socket)
}

/// Sends all trains of a run. Gives back the answers of those that the kernel does not cut.
fn send_trains(
    socket: BorrowedFd<'_>,
    arena: &[u8],
    controls: &mut [Control],
    run: &[Queued],
    trains: &Trains,
    trouble: impl FnMut(SocketTrouble),
) -> Vec<Queued> {
    let mut refused = Vec::new();
    let attempt = |next| {
        let rest = trains.all().get(next..).unwrap_or_default();
        let sent = send_batch(socket, arena, controls, run, trains, rest);
        match (&sent, rest.first()) {
            (Err(error), Some(train)) if train.count > 1 && no_segments(error) => {
                refused.extend(trains.answers(*train).filter_map(|index| run.get(index).copied()));
                Ok(1)
            }
            _ => sent,
        }
    };
    deliver(trains.all().len(), attempt, || wait_writable(socket), trouble);
    refused
}

fn send_batch(
    socket: BorrowedFd<'_>,
    arena: &[u8],
    controls: &mut [Control],
    run: &[Queued],
    trains: &Trains,
    rest: &[Train],
) -> io::Result<usize> {
    let first_of = |train: &Train| run.get(trains.answers(*train).next()?);
    for train in rest.iter().filter(|train| train.count > 1) {
        if let Some(first) = first_of(train) {
            first.cut_into(train.longest, controls);
        }
    }
    let controls: &[Control] = controls;
    let mut parts = [const { MaybeUninit::uninit() }; DATAGRAMS_PER_BATCH * PARTS_OF_ANSWER];
    let mut batch = Outgoing::new(&mut parts);
    for train in rest.iter().take(DATAGRAMS_PER_BATCH) {
        let Some(first) = first_of(train) else { break };
        let control = if train.count > 1 { first.cut_control(controls) } else { first.control(controls) };
        let answers = trains.answers(*train).filter_map(|index| run.get(index));
        let parts = answers.flat_map(|queued| queued.parts(arena, train.longest));
        batch.add(first.name(), control, parts.filter(|part| !part.is_empty()));
    }
    batch.send(socket)
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

/// Parts of an answer that is made longer: what is before the spaces, those, and the rest.
const PARTS_OF_ANSWER: usize = 3;

// SAFETY: a C structure of integers and pointers, for which all bits zero is a value; some C libraries give it private
// padding, so it cannot be written as a literal.
const NO_HEADER: libc::mmsghdr = unsafe { zeroed() };

const NO_PART: libc::iovec = libc::iovec { iov_base: null_mut(), iov_len: 0 };

/// The messages of one sendmmsg. On the stack, since its headers hold pointers: none outlives its call, and the boxes stay
/// free to move between threads. What it does not need is not written.
struct Outgoing<'a> {
    headers: [MaybeUninit<libc::mmsghdr>; DATAGRAMS_PER_BATCH],
    /// Headers that are written. Each points to parts that are, and all they point to is borrowed for `'a`.
    count: usize,
    /// Those that no header points to.
    parts: &'a mut [MaybeUninit<libc::iovec>],
}

impl<'a> Outgoing<'a> {
    fn new(parts: &'a mut [MaybeUninit<libc::iovec>]) -> Self {
        Self { headers: [const { MaybeUninit::uninit() }; DATAGRAMS_PER_BATCH], count: 0, parts }
    }

    /// Adds a message to `name`, made of these `bytes`; no more of it than there is room for.
    fn add(&mut self, name: &'a [u8], control: &'a [u8], bytes: impl Iterator<Item = &'a [u8]>) {
        let Some(header) = self.headers.get_mut(self.count) else { return };
        let parts = take(&mut self.parts);
        let mut used = 0;
        for (part, bytes) in parts.iter_mut().zip(bytes) {
            part.write(libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
            used += 1;
        }
        let (parts, unused) = parts.split_at_mut_checked(used).unwrap_or_default();
        self.parts = unused;
        let header = &mut header.write(NO_HEADER).msg_hdr;
        header.msg_iov = parts.as_mut_ptr().cast();
        header.msg_iovlen = parts.len() as _;
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = name.len() as libc::socklen_t;
        if !control.is_empty() {
            header.msg_control = control.as_ptr().cast_mut().cast();
            header.msg_controllen = control.len() as _;
        }
        self.count += 1;
    }

    /// Says how many left; an error is one of the first.
    fn send(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: `count` headers are written. Each points to parts that are, as many as it says, to a name and at most one
        // control buffer of the lengths given, and the parts to bytes: all borrowed for `'a`, which this outlives not.
        // sendmmsg writes to the headers only, which nobody else has, and reads the rest.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr().cast(),
                self.count as libc::c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Control messages, aligned as their headers must be.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

impl Control {
    const EMPTY: Self = Self([0; CONTROL_BYTES]);
}

/// What came with one datagram. Few bytes, and the kernel writes to those of all.
#[derive(Clone, Debug)]
struct Envelope {
    name: [u8; NAME_BYTES],
    truncated: bool,
    name_len: usize,
    control_len: usize,
    len: usize,
}

impl Envelope {
    const EMPTY: Self = Self { name: [0; NAME_BYTES], truncated: false, name_len: 0, control_len: 0, len: 0 };

    /// Reads what the kernel wrote. Lengths are the kernel's: who uses them bounds them by the buffers.
    // The types of lengths differ between C libraries; here the conversion may be none.
    #[allow(clippy::useless_conversion)]
    fn take_in(&mut self, header: &libc::mmsghdr) {
        self.len = usize::try_from(header.msg_len).unwrap_or(usize::MAX);
        let header = &header.msg_hdr;
        self.name_len = usize::try_from(header.msg_namelen).unwrap_or(usize::MAX);
        self.control_len = usize::try_from(header.msg_controllen).unwrap_or(usize::MAX);
        self.truncated = header.msg_flags & libc::MSG_TRUNC != 0;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, UdpSocket},
        os::fd::AsFd,
        time::Duration,
    };

    use socket2::SockRef;

    use super::*;
    use crate::limits::CONNECTED_AFTER_ANSWERS;

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
        let address = address(from);
        let port = address.ip().is_unspecified().then_some(address.port());
        inbox.receive(from.as_fd(), port).unwrap()
    }

    fn no_trouble(trouble: SocketTrouble) {
        panic!("{trouble:?}");
    }

    #[test]
    fn an_empty_socket_would_block() {
        let mut inbox = Inbox::new();
        let error = inbox.receive(socket("127.0.0.1:0").as_fd(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
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
    fn few_are_asked_for_where_few_come_and_none_is_left() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut inbox = Inbox::new();
        let mut sent = 0_usize;
        let mut came = |inbox: &mut Inbox, more: usize, expected: &[(usize, bool)]| {
            for number in sent..sent + more {
                client.send_to(number.to_string().as_bytes(), address(&server)).unwrap();
            }
            for (count, is_drained) in expected {
                assert_eq!((receive(inbox, &server), inbox.is_drained()), (*count, *is_drained));
                for index in 0..*count {
                    assert_eq!(inbox.datagram(index).unwrap().bytes, sent.to_string().as_bytes());
                    sent += 1;
                }
                assert_eq!(inbox.datagram(*count), None);
            }
        };
        came(&mut inbox, 1, &[(1, true)]);
        came(&mut inbox, DATAGRAMS_ASKED_MIN, &[(DATAGRAMS_ASKED_MIN, false)]);
        let twice = 2 * DATAGRAMS_ASKED_MIN;
        came(&mut inbox, twice + 1, &[(twice, false), (1, true)]);
        let all = [(DATAGRAMS_ASKED_MIN, false), (twice, false), (2 * twice, false), (1, true)];
        came(&mut inbox, all.iter().map(|(count, _)| count).sum(), &all);
        assert_eq!(inbox.receive(server.as_fd(), None).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(!inbox.is_drained());
    }

    #[test]
    fn the_socket_tells_when_the_last_of_a_batch_came() {
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        for (any, to) in [("127.0.0.1:0", "127.0.0.1"), ("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")] {
            let server = socket(any);
            // Nothing has come, and from now on it is noted when something does.
            assert_eq!(last_arrival(server.as_fd()), None);
            if any != "127.0.0.1:0" {
                ask_for_local(server.as_fd(), address(&server)).unwrap();
            }
            let to = SocketAddr::new(to.parse().unwrap(), address(&server).port());
            let client = socket(if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" });
            // The kernel begins to stamp packets a moment after the first socket asks for it.
            std::thread::sleep(Duration::from_millis(20));
            client.send_to(b"one", to).unwrap();
            let between = now();
            client.send_to(b"two", to).unwrap();
            let after = now();
            std::thread::sleep(Duration::from_millis(20));
            let mut inbox = Inbox::new();
            assert_eq!(receive(&mut inbox, &server), 2);
            let arrived = last_arrival(server.as_fd()).expect("the socket tells");
            assert!(between <= arrived && arrived <= after, "{between:?} {arrived:?} {after:?}");
            for index in 0..2 {
                assert_eq!(inbox.datagram(index).unwrap().local.is_some(), any != "127.0.0.1:0");
            }
        }
    }

    #[test]
    fn long_datagrams_are_whole() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut inbox = Inbox::new();
        let lengths = [1, 2047, 2048, 2049, SLOT_BYTES / 2, MESSAGE_BYTES_MAX];
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
            let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new(false, false));
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
        let mut outbox = Outbox::new(false, false);
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
        let mut outbox = Outbox::new(false, false);
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
            let mut outbox = Outbox::new(true, false);
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
    fn peers_with_many_answers_get_them_by_a_socket_of_their_own() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let (server, peers) = (socket(any), [(); 3].map(|()| socket(any)));
            let mut outbox = Outbox::new(false, true);
            let mut room = [0; 200];
            let mut told = 0_usize;
            for round in 0..=CONNECTED_AFTER_ANSWERS as usize / 20 + 1 {
                // The last has one answer in a batch, and so never a socket.
                let to: Vec<_> = (0..41).map(|number| if number == 40 { 2 } else { number % 2 }).collect();
                for (number, peer) in to.iter().enumerate() {
                    push(&mut outbox, &answer(&format!("{round} {number}")), address(&peers[*peer]), None);
                }
                outbox.send(|_| Some(server.as_fd()), no_trouble);
                for (number, peer) in to.iter().enumerate() {
                    let (len, from) = peers[*peer].recv_from(&mut room).unwrap();
                    assert_eq!(
                        (&room[..len], from),
                        (&*answer(&format!("{round} {number}")), address(&server))
                    );
                    told += 1;
                }
            }
            assert!(told > 2 * CONNECTED_AFTER_ANSWERS as usize);
            assert_eq!(outbox.connected.sockets(), 2);
        }
    }

    #[test]
    fn what_a_connected_socket_does_not_send_the_listeners_does() {
        let (server, peer) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut outbox = Outbox::new(false, true);
        let mut room = [0; 200];
        let mut batch = |outbox: &mut Outbox, breaks: bool| {
            for number in 0..DATAGRAMS_PER_BATCH {
                push(outbox, &answer(&number.to_string()), address(&peer), None);
            }
            let own = outbox.connected.places().find_map(|place| outbox.connected.socket(Some(place)));
            if breaks {
                SockRef::from(&own.unwrap()).shutdown(std::net::Shutdown::Both).unwrap();
            }
            outbox.send(|_| Some(server.as_fd()), no_trouble);
            for number in 0..DATAGRAMS_PER_BATCH {
                let len = peer.recv(&mut room).unwrap();
                assert_eq!(room[..len], answer(&number.to_string()));
            }
        };
        for _ in 0..=CONNECTED_AFTER_ANSWERS as usize / DATAGRAMS_PER_BATCH {
            batch(&mut outbox, false);
        }
        batch(&mut outbox, true);
        assert_eq!(outbox.connected.sockets(), 0);
        batch(&mut outbox, false);
    }

    #[test]
    fn a_whole_batch_leaves_as_one() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut outbox = Outbox::new(true, false);
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
        let mut outbox = Outbox::new(true, false);
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
        let mut outbox = Outbox::new(false, false);
        for _ in 0..DATAGRAMS_PER_BATCH {
            assert!(!outbox.is_full());
            assert_eq!(outbox.room().len(), ANSWER_BYTES_ROOM);
            outbox.push(0, 2048, to, None, to);
        }
        assert!(outbox.is_full());

        let mut outbox = Outbox::new(false, false);
        let mut pushed = 0;
        while !outbox.is_full() {
            assert_eq!(outbox.room().len(), ANSWER_BYTES_ROOM);
            outbox.push(0, ANSWER_BYTES_ROOM, to, None, to);
            pushed += 1;
        }
        assert_eq!(pushed, OUT_ARENA_BYTES / ANSWER_BYTES_ROOM);
    }
}
