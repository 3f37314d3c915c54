//! Pure. Decides what one datagram deserves.
//!
//! In:    the datagram, where it came from, the route table, what DNS has told us so far, the time.
//! Out:   a reply in the caller's buffer, a question for DNS, or silence with its reason.
//! Never: reads a clock, waits, logs, remembers.

use std::net::SocketAddr;

use crate::{
    access::{AccessId, AccessPolicy, Standing},
    dns::{Ask, DnsView, Lives, Policy},
    numbers::Near,
    route::{Down, Ourselves, RouteId, RouteTable, TableId, Transport},
    sip::{Fault, Feedback, HeaderIndex, Method, Models, Parsed, Request, Unanswerable, parse_like},
};

mod ahead;
mod amplification;
mod answer;
mod authenticate;
mod call;
mod condition;
mod contacts;
mod dip;
mod enum_route;
mod ourselves;
mod refuse;
mod scratch;
mod stable;
mod trace;
mod user_part;
mod walk;
mod weigh;

use scratch::Work;

pub use ahead::{Ahead, Guess, InLine};
pub use amplification::Capped;
pub use refuse::refuse;
pub use scratch::Scratch;
pub use trace::{NoTrace, Trace};

/// How a message came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who sent the packet.
    pub source: SocketAddr,
    /// The address and port it came to; the bound one where the kernel did not say.
    pub local: SocketAddr,
    /// Name of the listener.
    pub listener: &'a str,
    /// The transport.
    pub transport: Transport,
    /// The names in the peer's certificate, which TLS has verified; `None`: it has shown none.
    pub identity: Option<&'a [Box<str>]>,
}

/// What to do with a CANCEL (RFC 3261 §8.2.7 against §8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CancelPolicy {
    /// Nothing: §8.2.7. A client may only send one after a 1xx, and we send none.
    #[default]
    Ignore,
    /// 200: §8.3.
    Ok,
}

/// Settings of the server that decisions depend on. The same on every node of a fleet.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Settings {
    /// Key of To tags and weighted choices.
    pub key: [u8; 16],
    pub cancel: CancelPolicy,
    /// Value of the Server header; none by default.
    pub server: Option<Box<str>>,
    pub ourselves: Ourselves,
    /// How long answers of DNS are kept, where their apex says nothing.
    pub lives: Lives,
    /// How many of them; `None`: [`crate::limits::DNS_CACHE_ENTRIES_DEFAULT`].
    pub cache_entries_max: Option<usize>,
    /// Which addresses of DNS may be used.
    pub dns_policy: Policy,
    /// What clients that offer overload control are told (RFC 7339); `None`: nothing. Not written by anyone: the engine
    /// sets it, from what it had to refuse.
    pub feedback: Option<Feedback>,
    /// Bytes that a source which nobody has named may get over UDP for a thousand of its own; `None`: any.
    pub amplification_max_milli: Option<u32>,
}

/// What a decision reads besides the datagram.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub table: &'a RouteTable,
    pub dns: DnsView<'a>,
    /// Seconds since 1970, for calendars.
    pub unix_s: i64,
    /// OPTIONS to ourselves are answered 503.
    pub draining: bool,
    /// Gateways that are left out.
    pub down: &'a Down,
    /// A table, and what it has for the number that the call may have, if somebody has looked.
    pub guess: Option<(TableId, &'a Near)>,
}

impl<'a> Context<'a> {
    /// What this table has for the number that the call may have.
    fn near_in(&self, table: TableId) -> Option<&'a Near> {
        self.guess.filter(|(of, _)| *of == table).map(|(_, near)| near)
    }
}

/// What a datagram deserves.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These many bytes of the buffer, to this address.
    Reply(Reply),
    /// Nothing.
    Silence(Silence),
    /// Not yet known: ask, keep the datagram, decide again when an answer is there or time is over.
    Ask(Ask),
}

/// A reply, written into the caller's buffer.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Reply {
    pub len: usize,
    pub to: SocketAddr,
    pub status: u16,
    pub method: Method,
    /// The route that answered.
    pub route: Option<RouteId>,
    /// The access list that decided on the source; `None` where there are none.
    pub access: Option<AccessId>,
    /// Why the request was refused, when its bytes were at fault.
    pub fault: Option<Fault>,
    /// Contacts left out for the byte budget or the cap.
    pub contacts_trimmed: u8,
    /// Contacts dropped: ourselves, the Request-URI again, twice the same, not a URI after rendering.
    pub contacts_dropped: u8,
    /// Extra headers left out: too long, or beyond the byte budget.
    pub headers_trimmed: u8,
    /// What the cap on amplification has made of it.
    pub capped: Option<Capped>,
}

/// Why nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Silence {
    /// The bytes cannot or must not be answered.
    Unanswerable(Unanswerable),
    /// An ACK: absorbed (RFC 3261 §8.2.7).
    Ack,
    /// A CANCEL, ignored.
    Cancel,
    /// A route says so.
    Route(RouteId),
    /// The answer does not fit into [`crate::limits::ANSWER_BYTES_ROOM`].
    AnswerTooLong,
    /// This access list says so, of the source. The message was not read.
    Access(AccessId),
    /// A request that is at fault, from a source that is not known: an answer would tell a scanner that
    /// there is somebody.
    Malformed,
    /// The server is asked more than it can or may answer, and says so to nobody. The message was not read.
    Overload,
    /// Whatever would be said is too long for what came, and nobody has named the source.
    Amplification,
}

/// The one decision: who asks, parse, answer for ourselves, walk the routes.
pub fn decide<T: Trace>(
    datagram: &[u8],
    arrival: &Arrival<'_>,
    context: &Context<'_>,
    scratch: &mut Scratch,
    trace: &mut T,
    out: &mut [u8],
) -> Verdict {
    let standing = context.table.access.standing(arrival.source.ip(), arrival.listener);
    if let Some(list) = standing.id {
        trace.access(standing);
        // Before the message is read: who is not to be answered shall cost nothing.
        if standing.policy == AccessPolicy::Silence {
            return Verdict::Silence(Silence::Access(list));
        }
    }
    let mut verdict = decide_for(standing, datagram, arrival, context, scratch, trace, out);
    if let Verdict::Reply(reply) = &mut verdict {
        reply.access = standing.id;
    }
    verdict
}

/// Decides on a message from a source of this standing.
fn decide_for<T: Trace>(
    standing: Standing,
    datagram: &[u8],
    arrival: &Arrival<'_>,
    context: &Context<'_>,
    scratch: &mut Scratch,
    trace: &mut T,
    out: &mut [u8],
) -> Verdict {
    let Scratch { index, models, work } = scratch;
    let parsed = read(datagram, arrival.transport, index, models);
    let (request, fault) = match &parsed {
        Parsed::Sound(request) => (request, None),
        Parsed::Faulty(_, fault) if !standing.known && !context.table.access.unknown.answer_malformed => {
            if T::ON {
                trace.note(&format!("the request is at fault: {}", fault.phrase()));
            }
            return Verdict::Silence(Silence::Malformed);
        }
        Parsed::Faulty(request, fault) => (request, Some(*fault)),
        Parsed::Unanswerable(reason) => return Verdict::Silence(Silence::Unanswerable(*reason)),
    };
    let mut standing = standing;
    let mut verdict = match fault {
        None => answer_to(request, &mut standing, arrival, context, work, trace, out),
        Some(fault) => answer::write_fault(fault, request, arrival, context.settings, out),
    };
    if !standing.known {
        amplification::cap(&mut verdict, datagram.len(), request, arrival, context.settings, trace, out);
    }
    verdict
}

/// Reads a message of this transport.
#[inline]
fn read<'a>(
    message: &'a [u8],
    transport: Transport,
    index: &'a mut HeaderIndex,
    models: &'a mut Models,
) -> Parsed<'a> {
    let parsed = parse_like(message, index, models);
    match transport {
        Transport::Udp => parsed,
        Transport::Tcp | Transport::Tls => parsed.of_stream(),
    }
}

/// The answer to a request that can be read. Whoever shows that he is a user becomes known by it.
fn answer_to<T: Trace>(
    request: &Request<'_>,
    standing: &mut Standing,
    arrival: &Arrival<'_>,
    context: &Context<'_>,
    work: &mut Work,
    trace: &mut T,
    out: &mut [u8],
) -> Verdict {
    let user = match authenticate::user_of(request, *standing, arrival, context, trace, out) {
        Ok(user) => user,
        Err(verdict) => return verdict,
    };
    standing.known |= user.is_some();
    let standing = *standing;
    if let Some(verdict) = ourselves::answer_for_ourselves(request, arrival, context, standing, out) {
        trace.note(match standing.policy {
            AccessPolicy::Refuse => "the access list refuses: no route is asked",
            AccessPolicy::Answer | AccessPolicy::Silence => "answered for ourselves: no route is asked",
        });
        return verdict;
    }
    let call = call::Call::new(request, arrival, context, standing, user);
    work.start(context.table.tables.len());
    walk::set_number(&call, work);
    walk::walk(&call, work, trace, out).unwrap_or_else(|| {
        trace.note("no route answers: the default refusal");
        let plain = answer::Plain::status(context.table.defaults.no_route_code);
        answer::write_plain(&plain, request, arrival, context.settings, out)
    })
}

impl Silence {
    /// How many kinds there are; see [`Silence::index`].
    pub const KINDS: usize = 8 + Unanswerable::ALL.len();

    /// Position among all kinds, for counters.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Ack => 0,
            Self::Cancel => 1,
            Self::Route(_) => 2,
            Self::AnswerTooLong => 3,
            Self::Access(_) => 4,
            Self::Malformed => 5,
            Self::Overload => 6,
            Self::Amplification => 7,
            Self::Unanswerable(reason) => 8 + reason as usize,
        }
    }

    /// The metric label of a kind by its position.
    #[must_use]
    pub fn label_of(index: usize) -> &'static str {
        match index {
            0 => "ack",
            1 => "cancel",
            2 => "route",
            3 => "answer_too_long",
            4 => "access",
            5 => "malformed",
            6 => "overload",
            7 => "amplification",
            _ => Unanswerable::ALL.get(index - 8).map_or("", |reason| reason.label()),
        }
    }
}
