//! Pure. Whom to ask, and how long to believe what they say: what one apex has of its own.

use std::{
    hash::{Hash, Hasher},
    net::{IpAddr, SocketAddr},
};

use ahash::RandomState;

use crate::limits::{DNS_NEGATIVE_TTL_S_MAX, DNS_STALE_S_DEFAULT, DNS_TTL_S_MAX, DNS_TTL_S_MIN};

/// How long answers are kept, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct Lives {
    /// Records live at least this long, whatever their TTL says.
    pub ttl_s_min: u32,
    pub ttl_s_max: u32,
    /// "There is no such record" lives at most this long.
    pub negative_s_max: u32,
    /// How long after its end an answer may still be used, when no server gives a newer one
    /// (RFC 8767 §4). 0: never.
    pub stale_s: u32,
}

impl Default for Lives {
    fn default() -> Self {
        Self {
            ttl_s_min: DNS_TTL_S_MIN,
            ttl_s_max: DNS_TTL_S_MAX,
            negative_s_max: DNS_NEGATIVE_TTL_S_MAX,
            stale_s: DNS_STALE_S_DEFAULT,
        }
    }
}

/// What an apex has of its own; what is `None` is as the configuration has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct OwnLives {
    pub ttl_s_min: Option<u32>,
    pub ttl_s_max: Option<u32>,
    pub negative_s_max: Option<u32>,
    pub stale_s: Option<u32>,
}

impl OwnLives {
    /// The lives that hold, where `usual` are those of the configuration.
    #[must_use]
    pub fn over(self, usual: Lives) -> Lives {
        Lives {
            ttl_s_min: self.ttl_s_min.unwrap_or(usual.ttl_s_min),
            ttl_s_max: self.ttl_s_max.unwrap_or(usual.ttl_s_max),
            negative_s_max: self.negative_s_max.unwrap_or(usual.negative_s_max),
            stale_s: self.stale_s.unwrap_or(usual.stale_s),
        }
    }
}

/// The servers of one apex, its lives, and its name among the metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upstream {
    /// Of all the rest: it is hashed once, and not for every look into the cache.
    digest: u64,
    label: Box<str>,
    servers: Box<[SocketAddr]>,
    lives: OwnLives,
}

impl Upstream {
    /// `servers` empty: those of the configuration.
    #[must_use]
    pub fn new(label: &str, servers: &[SocketAddr], lives: OwnLives) -> Self {
        let digest = RandomState::with_seeds(0, 0, 0, 0).hash_one((label, servers, lives));
        Self { digest, label: label.into(), servers: servers.into(), lives }
    }

    /// What the metrics call it.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// In the order of the file. Empty: those of the configuration.
    #[must_use]
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// How long its answers are kept, where that is its own.
    #[must_use]
    pub fn lives(&self) -> OwnLives {
        self.lives
    }
}

/// The address of a server as people write it: without a port it is 53 (RFC 1035 §4.2).
#[must_use]
pub fn server_address(text: &str) -> Option<SocketAddr> {
    let without_port = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    text.parse().ok().or_else(without_port)
}

impl Hash for Upstream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}
