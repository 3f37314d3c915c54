//! Pure. What DNS answers mean for SIP: ENUM (RFC 6116) and RFC 3263, as functions of a number or
//! URI and of what DNS has told us so far.
//!
//! A function here never waits: it returns [`Step::Ask`] with the questions whose answers it lacks,
//! and is called again from the start when one of the answers is in the cache.

mod ahead;
mod attributes;
mod cache;
mod callable;
mod enum_lookup;
mod ere;
mod health;
mod locate;
mod name_key;
mod naptr;
mod policy;
mod question;
mod ready;
mod replacement;
mod rule;
mod substitution;
mod upstream;
mod view;

pub use ahead::Slot;
pub use attributes::attribute;
pub use cache::{Cache, CacheTallies};
pub use enum_lookup::{Apex, Branch, EnumPlan, EnumResult, Found, Results, lookup, lookup_found};
pub use health::{Health, Plan, Standing};
pub use locate::{How, LocateResult, Located, Target, TargetTransport, locate, needs_dns};
pub use naptr::Naptr;
pub use policy::{Family, Policy};
pub use question::{Answer, Failure, Kind, Nothing, Question, Record, Srv};
pub use ready::Together;
pub use substitution::{Expression, substitute};
pub use upstream::{Lives, OwnLives, Upstream, server_address};
pub use view::{DnsView, Seen};

/// A result, or the questions that stand before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// The result.
    Done(T),
    /// Not known yet.
    Ask(Ask),
}

/// Questions whose answers are wanted, each once. What is to be done is worth trying again after each of
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// At least one.
    pub questions: Vec<Question>,
    /// When to go on without the answers, in milliseconds since the request came.
    pub within_ms: u64,
}
