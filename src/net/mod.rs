//! Outside. Sockets and the event loop: where a packet enters and leaves.
//!
//! In:    datagrams; DNS answers and orders by [`Handle`].
//! Out:   answers, from the address that the request came to; questions for the resolver.
//! Never: looks into a message, decides anything, ends on a socket error, blocks but for one short,
//!        bounded wait when a send buffer is full.
//!
//! ```text
//!  bind ─→ Listener ─→ EventLoop ──turn──→ Inbox (recvmmsg) ─→ Service ─→ Outbox (sendmmsg)
//!                         ↑                                      │
//!                       Handle: orders, DNS answers           Serving: engine, route table, counters
//! ```
//!
//! [`EventLoop`] knows sockets and time; [`Service`] is all that it asks of the rest. A listener
//! is one place to listen, whatever its transport: streams get a file of their own beside `batch`,
//! their tokens follow those of the listeners, and their messages go to the same [`Service`].

mod address;
mod batch;
mod bind;
mod deliver;
mod event_loop;
mod handle;
mod service;
mod serving;

pub use bind::BindError;
pub use event_loop::EventLoop;
pub use handle::{Handle, Order};
pub use service::{Departure, Ready, Service};
