//! Pure. SIP on the wire: bytes to a [`Request`] of spans into them, and a [`Request`] to the bytes
//! of its answer.
//!
//! Words: *parse* is from bytes, *write* is to bytes. A *fault* is what is wrong with a request;
//! a fault never keeps us from reading the rest, for a request must be understood to be refused.
//!
//! Never: allocates per header, logs, judges policy, looks at the body.

mod call_id;
#[cfg(test)]
mod cases;
mod class;
mod destination;
mod echoed;
mod escape;
mod fault;
mod fold;
mod framing;
mod header;
mod header_name;
mod lanes;
mod method;
mod model;
mod name_addr;
mod overload_control;
mod parse;
mod part;
#[cfg(test)]
mod properties;
mod reason;
mod request;
mod response;
mod same_uri;
mod scan;
mod stretch;
mod uri;
mod via;
mod writer;

pub use call_id::call_id_in;
pub use destination::{Destination, NextHop};
pub use escape::{decoded, same_name};
pub use fault::{Fault, Unanswerable};
pub use fold::unfolded;
pub use framing::{Framed, Framer};
pub use header::HeaderIndex;
pub use header_name::HeaderName;
pub use method::Method;
pub use model::{Models, parse_like};
pub use name_addr::NameAddr;
pub use overload_control::Feedback;
pub use parse::{Parsed, parse};
pub use reason::reason_phrase;
pub use request::Request;
pub use response::{reply_address, write_head, write_head_with};
pub use same_uri::{differ_in_host, same_uri};
pub use scan::{host_address, list_values, place_in};
pub use stretch::{NO_CONTENT, stretch_at};
pub use uri::{Scheme, Uri, UriOutline, is_visual_separator};
pub use via::Via;
pub use writer::Writer;
