//! Outside. Sockets and the event loop: where a packet enters and leaves.
//!
//! In:    datagrams and connections; DNS answers, orders and looks at the DNS cache by [`Handle`].
//! Out:   answers, from the address that the request came to, on the connection that it came by;
//!        questions for the resolver.
//! Never: looks into a message, decides anything, ends on a socket error, blocks but for one short,
//!        bounded wait when a send buffer is full.
//!
//! ```text
//!  bind ─→ EventLoop ──turn──→ datagrams: Inbox (recvmmsg) ─→ Service ─→ Outbox (sendmmsg)
//!             │  ↑        └──→ streams: Connection (TCP, TLS) ─→ Service ─→ the same connection
//!             │ Handle: orders, DNS answers                        │
//!             └─ clock, state: how long to sleep                 Serving: engine, route table, counters
//! ```
//!
//! [`Tap`] shows copies of some messages to whoever looks on.
//! [`EventLoop`] knows sockets and time; [`Service`] is all that it asks of the rest. A listener
//! is one place to listen, whatever its transport.

mod address;
mod ages;
mod batch;
mod bind;
mod clock;
mod connected;
mod datagrams;
mod deliver;
mod ending;
mod event_loop;
mod handed;
mod handle;
mod service;
mod serving;
mod state;
mod streams;
mod tap;
mod trains;

pub use bind::BindError;
pub use event_loop::EventLoop;
pub use handed::{ADMIN, Handed, Listening};
pub use handle::{Forgotten, Handle, Kept, Order};
pub use service::{Departure, Ready, Service};
pub use streams::{StreamSettings, TlsInService};
pub use tap::{Chosen, End, Next, Outlet, Record, Sampling, Seen, Tap, taps};
