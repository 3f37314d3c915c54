//! Outside. A record of the tap: the copy of one message, with what became of it.
//!
//! In:    what the loop has decided.
//! Out:   the same, for whoever looks on.
//! Never: grows: what is too long is cut.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::is_drawn;
use crate::{
    decide::Silence,
    engine::Path,
    limits::{TAP_RECORD_BYTES, TAP_REQUEST_BYTES_MAX, TAP_ROUTE_BYTES_MAX},
    route::Transport,
};

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an answer of this status code.
    Answer(u16),
    /// Without one.
    Silence(Silence),
}

/// What the loop has decided.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Seen<'a> {
    pub request: &'a [u8],
    /// Empty when there is none.
    pub answer: &'a [u8],
    /// Where the answer goes.
    pub to: SocketAddr,
    pub path: Path,
    pub end: End,
    /// Name of the route that gave the answer, or said that there is none.
    pub route: Option<&'a str>,
    /// How long it waited for DNS.
    pub waited_ms: u64,
}

/// A copy of what was decided.
#[derive(Debug)]
pub struct Record {
    bytes: Box<[u8]>,
    request_len: usize,
    answer_len: usize,
    route: String,
    path: Path,
    to: SocketAddr,
    end: End,
    waited_ms: u64,
    decided_at: Duration,
    draw: u64,
    is_counted: bool,
    pub(super) worker: usize,
}

impl Record {
    pub(super) fn empty(worker: usize) -> Self {
        let nowhere = SocketAddr::from(([0; 4], 0));
        Self {
            // Not zero: all pages are written now, so that no later burst makes the process grow.
            bytes: vec![b' '; TAP_RECORD_BYTES].into_boxed_slice(),
            request_len: 0,
            answer_len: 0,
            route: String::with_capacity(TAP_ROUTE_BYTES_MAX),
            path: Path { source: nowhere, local: nowhere, listener: 0, transport: Transport::Udp },
            to: nowhere,
            end: End::Silence(Silence::Ack),
            waited_ms: 0,
            decided_at: Duration::ZERO,
            draw: 0,
            is_counted: false,
            worker,
        }
    }

    pub(super) fn take(&mut self, seen: &Seen<'_>, draw: u64, is_counted: bool) {
        let (for_request, for_answer) =
            self.bytes.split_at_mut(seen.request.len().min(TAP_REQUEST_BYTES_MAX));
        self.request_len = copy(seen.request, for_request);
        self.answer_len = copy(seen.answer, for_answer);
        self.route.clear();
        self.route.push_str(seen.route.map_or("", |route| beginning(route, TAP_ROUTE_BYTES_MAX)));
        self.path = seen.path;
        self.to = seen.to;
        self.end = seen.end;
        self.waited_ms = seen.waited_ms;
        self.decided_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.draw = draw;
        self.is_counted = is_counted;
    }

    /// The message, cut at [`TAP_REQUEST_BYTES_MAX`].
    #[must_use]
    pub fn request(&self) -> &[u8] {
        self.bytes.get(..self.request_len).unwrap_or_default()
    }

    /// Its answer, cut at what room is left; empty when there is none.
    #[must_use]
    pub fn answer(&self) -> &[u8] {
        let end = self.request_len.saturating_add(self.answer_len);
        self.bytes.get(self.request_len..end).unwrap_or_default()
    }

    /// Where it came from and to.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }

    /// Where its answer went.
    #[must_use]
    pub fn to(&self) -> SocketAddr {
        self.to
    }

    /// What became of it.
    #[must_use]
    pub fn end(&self) -> End {
        self.end
    }

    /// Name of the route that gave the answer, or said that there is none.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        (!self.route.is_empty()).then_some(&self.route)
    }

    /// When it was decided, since 1970.
    #[must_use]
    pub fn decided_at(&self) -> Duration {
        self.decided_at
    }

    /// How long it had waited for DNS then.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited_ms)
    }

    /// Whether its call is one of so many.
    #[must_use]
    pub fn is_one_in(&self, many: NonZeroU32) -> bool {
        is_drawn(self.draw, many)
    }

    /// The draw of its call: the same for all its messages, on every node.
    #[must_use]
    pub fn draw(&self) -> u64 {
        self.draw
    }

    /// Whether it is to be counted for the top talkers.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.is_counted
    }
}

/// Copies as much as there is room for; how much.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
    len
}

/// As many bytes of a text as there may be, and no half character.
pub(super) fn beginning(text: &str, bytes_max: usize) -> &str {
    let len = text.len().min(bytes_max);
    (0..=len).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}
