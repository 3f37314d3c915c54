//! Outside. What a SIP client writes and reads: of `ask`, `explain` and `diff`, and of the probes.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
};

mod message;
mod response;

pub(crate) use message::Message;
pub(crate) use response::{Contact, Response};

/// 16 hexadecimal digits that no other call has, for branches, tags and Call-IDs. The standard library seeds its
/// hashers from the system's random numbers; identifiers need no more.
pub(crate) fn random() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}
