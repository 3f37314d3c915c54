//! Pure generation of table data: the same seed and sizes give the same rows on every machine.
//!
//! In:    a seed, how many rows.
//! Out:   rows, one at a time, to the caller's closure or iterator.
//! Never: reads a clock, a file or the system's randomness; holds more than what a function says.

mod deck;
mod ported;
mod prefixes;
mod random;
mod ranges;

pub(crate) use deck::{Deck, Offer};
pub(crate) use ported::{Change, Number, changes, ported, ported_calls, shuffled};
pub(crate) use prefixes::{Prefix, gateway, prefix_calls, prefixes};
pub(crate) use ranges::{Range, ranges};
