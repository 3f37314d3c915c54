//! Pure. Who may ask: lists of networks, and what a list says of the source of a packet.
//!
//! In:    the networks of each list, the listeners at which it counts, its policy; for [`digest`], what a request
//!        says of its user.
//! Out:   the [`Standing`] of one source at one listener.
//! Never: reads a file; takes longer for a long list than for a short one, beyond a few steps.
//!
//! ```text
//!  files of `access:` ─→ networks ─→ lists ─→ ranges of addresses, each with the set of lists that hold it
//!  source, listener ─→ the range ─→ the first of its lists that counts here ─→ policy
//! ```

pub mod digest;
mod identity;
mod lists;
mod networks;
mod ranges;
mod strides;

pub use identity::Identity;
pub(crate) use lists::UNKNOWN;
pub use lists::{AccessList, AccessLists, ListSpec, Unknown};
pub use networks::{Fault, network, read_networks};

/// Index of a list in [`AccessLists::lists`]; their number stands for the sources that no list names.
pub type AccessId = usize;

/// What becomes of messages from a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AccessPolicy {
    /// They are decided by the routes.
    #[default]
    Answer,
    /// 403 (RFC 3261 §21.4.4).
    Refuse,
    /// Nothing is said.
    Silence,
}

impl AccessPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Answer, Self::Refuse, Self::Silence];

    /// Its name in route files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Refuse => "refuse",
            Self::Silence => "silence",
        }
    }
}

/// What the lists say of one source at one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The list that decides, or the place of those that none names; `None`: there are no lists.
    pub id: Option<AccessId>,
    /// What is done.
    pub policy: AccessPolicy,
    /// Whether somebody has said that this source may ask: a list with [`AccessPolicy::Answer`] names it
    /// and does not ask for credentials. The address of a UDP packet may be forged all the same.
    pub known: bool,
}

impl Standing {
    /// Of every source where there are no lists: it may ask, and nobody has named it.
    pub const OPEN: Self = Self { id: None, policy: AccessPolicy::Answer, known: false };
}
