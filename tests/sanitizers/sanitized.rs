//! Files of Waypost's own tree, as they are: the one with unsafe code, and those that it names. run.sh puts this one into
//! a copy of src/, where a bug may be planted.

#![allow(dead_code, unreachable_pub)]
pub mod limits;

/// What counts a trouble of a socket. The real one is in src/counters.rs, amid the counters; one that differs does not
/// compile with the files below.
pub mod counters {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum SocketTrouble {
        Receive,
        Send,
        SendWouldBlock,
        Truncated,
        Accept,
        ConnectionGone,
    }
}

pub mod sip {
    mod stretch;
    pub use stretch::{NO_CONTENT, stretch_at};
}

pub mod net {
    mod address;
    mod batch;
    mod connected;
    mod deliver;
    mod trains;
}
