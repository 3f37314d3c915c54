//! Pure. What DNS answers mean for SIP: ENUM (RFC 6116) and RFC 3263, as functions of a number or
//! URI and of what DNS has told us so far.
//!
//! A function here never waits: it returns [`Step::Ask`] with the question whose answer it lacks,
//! and is called again from the start when the answer is in the cache.

mod cache;
mod enum_lookup;
mod ere;
mod locate;
mod naptr;
mod question;
mod substitution;

pub use cache::{Cache, DnsView, Seen};
pub use enum_lookup::{EnumPlan, EnumResult, lookup};
pub use locate::{LocateResult, Target, TargetTransport, locate};
pub use naptr::Naptr;
pub use question::{Answer, Failure, Kind, Nothing, Question, Record, Srv};
pub use substitution::{Expression, substitute};

/// A result, or the question that stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// The result.
    Done(T),
    /// Not known yet.
    Ask(Question),
}
