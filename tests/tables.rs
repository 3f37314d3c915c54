//! The files of number tables as they lie on a disk: plain, compressed, compiled, with changes, and wrong.

#![allow(missing_docs)]

#[path = "tables/changes.rs"]
mod changes;
#[path = "tables/compiled.rs"]
mod compiled;
#[path = "tables/directory.rs"]
mod directory;
#[path = "tables/reading.rs"]
mod reading;
#[path = "tables/reuse.rs"]
mod reuse;
#[path = "cli/run.rs"]
mod run;
