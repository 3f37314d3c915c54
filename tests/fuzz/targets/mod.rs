//! What the fuzz targets check: one `check` each, which takes any bytes and panics when something does
//! not hold that must hold for all of them.
//!
//! libFuzzer calls them by `fuzz_targets/`; `tests/fuzz_corpus.rs` calls them with the committed corpora.

#![allow(missing_docs, unreachable_pub)]

pub mod answer;
pub mod decide;
pub mod echo;
pub mod framing;
pub mod liar;
pub mod message;
pub mod naptr;
pub mod uri;
pub mod via;
pub mod yaml;

/// A target's name and its check.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("decide", decide::check),
    ("framing", framing::check),
    ("message", message::check),
    ("naptr", naptr::check),
    ("uri", uri::check),
    ("via", via::check),
    ("yaml", yaml::check),
];
