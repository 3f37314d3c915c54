//! Deterministic. Who sent a message: where from and to, and as whom.

use super::Path;
use crate::access::Identity;

/// The sender of a message. A path alone is one without a certificate, as every sender of a datagram is.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Peer<'i> {
    pub path: Path,
    /// By the certificate of its connection; `None`: it has shown none.
    pub identity: Option<&'i Identity>,
}

impl From<Path> for Peer<'_> {
    fn from(path: Path) -> Self {
        Self { path, identity: None }
    }
}
