//! Outside. From the start of the process to its end: what it inherits, whom systemd hears of it, who replaces it.
//!
//! In:    the environment, signals.
//! Out:   sockets to begin with, orders to the loops, lines for systemd.
//! Never: lets a moment pass in which nobody reads a socket that is handed on.
//!
//! ```text
//!  the server before us                     this server
//!  SIGUSR2 ─→ replace: start the program ─→ inherited: takes the sockets (LISTEN_FDS)
//!             waits                         reads configuration, routes, tables; binds what is missing
//!             ←───────────────────────────── "ready", on a socket of its own (its stdin)
//!             tells systemd MAINPID ───────→ READY to systemd
//!             loops let go of the sockets   loops read them
//!             answers what it had taken, connections too, for the lame-duck time; exit 0
//! ```

mod course;
mod handing;
mod inherited;
mod program;
mod replace;
mod systemd;
mod table;

pub(super) use course::Course;
pub(super) use handing::{all_are_taken, keep_workers, shared};
pub(super) use inherited::Inherited;
pub(super) use program::Program;
pub(super) use systemd::Systemd;
pub(super) use table::{after_load, first_table};
