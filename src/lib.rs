//! Waypost: a stateless SIP redirect server and ENUM/DNS router. This page is its architecture.
//!
//! A request comes in, an answer of 300, 301, 302, 305 or 380 with a Contact list (or a refusal) goes
//! out, and nothing about the call is remembered. One thread does that, or as many as `workers` says, each
//! for its own flows; another one does everything else.
//!
//! # The path of a datagram
//!
//! ```text
//!  socket ─→ event loop ─→ engine ─→ decide(datagram, arrival, context, scratch, trace, out)
//!                             │         ├─ Reply   ─→ event loop ─→ socket
//!                             │         ├─ Silence ─→ counted by its reason
//!                             │         └─ Ask     ─→ resolver; the datagram waits, bounded
//!                             └── an answer of DNS: cached; the same bytes are decided again
//!  control: routes/*.yaml + tables ─→ RouteTable ─→ ArcSwap ··· borrowed once per turn ···→ engine
//! ```
//!
//! [`decide::decide`] is one pure function. `waypost explain` calls it too, with a [`decide::Trace`] that
//! prints: what it says is what the server does.
//!
//! # Three rings
//!
//! Imports point inward only; `tests/layers.rs` reads the source and fails when one does not.
//!
//! - **Pure**: [`sip`], [`dns`], [`route`], [`numbers`], [`access`], [`mod@decide`], [`compare`], [`config`], [`limits`].
//!   Functions of their arguments: no socket, clock, thread, file, randomness or log. Time, keys and draws come in as
//!   arguments, so the same request gets the same bytes from every node of a fleet.
//! - **Deterministic**: [`engine`], the only memory that an answer depends on (what DNS has told us, the datagrams that wait for
//!   it), [`overload`] (who asked how much of late), [`counters`], [`snapshot`], [`marks`] and [`health`]. Time is an argument here too.
//! - **Outside**: [`net`] (sockets and the event loop), [`control`] (reload, admin HTTP, metrics, signals,
//!   the resolver) and [`cli`].
//!
//! # Where to look
//!
//! | To see how | read |
//! |---|---|
//! | a packet enters and leaves | [`net`] |
//! | bytes become a request, and an answer | [`sip::parse`], [`sip::write_head`] |
//! | a request is not read again that is like one before | [`sip::parse_like`] |
//! | a request finds its route | [`mod@decide`] |
//! | a route file becomes a table | [`route::file`] |
//! | a number is found among a hundred million | [`numbers`] |
//! | it is said who may ask | [`access`] |
//! | too much is asked, and some of it refused | [`overload`] |
//! | a table comes into service | [`control`] |
//! | what was decided is shown to Homer, in the log | [`control::mirror`] |
//! | two tables are compared | [`compare`] |
//! | every bound of the server | [`limits`] |
//!
//! # What it will not do
//!
//! It proxies nothing, registers nobody, keeps no transaction, sends no 1xx and repeats no answer: the
//! client does that (RFC 3261 §8.2.7). Kamailio and OpenSIPS are proxies; Waypost stands behind or in
//! front of them as their routing tier.

pub mod access;
pub mod cli;
pub mod compare;
pub mod config;
pub mod control;
pub mod counters;
pub mod decide;
pub mod dns;
pub mod engine;
pub mod health;
pub mod limits;
pub mod marks;
pub mod net;
pub mod numbers;
pub mod overload;
pub mod route;
pub mod sip;
pub mod snapshot;
