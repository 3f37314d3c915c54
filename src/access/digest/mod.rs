//! Pure. Digest authentication (RFC 7616, RFC 8760, RFC 3261 §22) without a memory.
//!
//! In:    what the request says of its user, the users of a realm, the key, the time.
//! Out:   whose request it is, or how to ask for credentials.
//! Never: keeps a nonce or a counter; compares secrets in a time that depends on them.
//!
//! A nonce is the time, in steps of [`DIGEST_STEP_S`] seconds, with a keyed hash of it, the realm and the call
//! (Call-ID, From tag). So a retransmission is challenged with the same bytes, every node with the same key takes
//! it, and it is worth nothing for another call. Nobody counts `nc`: who has heard a response may send it again for
//! the same method, URI and call until the nonce ends, after [`DIGEST_LIFE_S`].
//!
//! [`DIGEST_STEP_S`]: crate::limits::DIGEST_STEP_S
//! [`DIGEST_LIFE_S`]: crate::limits::DIGEST_LIFE_S

mod credentials;
mod nonce;
mod response;
mod users;

pub use credentials::{Credentials, unquoted};
pub use nonce::{Fresh, Nonce, Subject};
pub use users::{Users, read_users};

use credentials::is_nc;

/// A hash of RFC 7616 that is known here, the better one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RFC 7616 §3.7: to be supported by all.
    Sha256,
    /// For clients that know nothing else.
    Md5,
}

impl Algorithm {
    /// The better one first.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Md5];

    /// Its name in headers and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// That of a header; MD5 where none is named (RFC 7616 §3.3).
    fn of(name: Option<&[u8]>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Md5) };
        Self::ALL.into_iter().find(|known| known.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Hexadecimal digits of a hash.
    const fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Md5 => 32,
        }
    }
}

/// Stands for a secret where there is none: no hash is written so.
const NOBODY: &[u8] = &[b'x'; 64];

/// Who may ask, by name and secret.
#[derive(Debug)]
pub struct Realm {
    /// Its name, as challenges show it: no quote, no backslash.
    pub name: Box<str>,
    /// Whose secrets are known.
    pub users: Users,
    /// What is offered and taken, the preferred one first (RFC 8760 §2.3).
    pub algorithms: Vec<Algorithm>,
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'r> {
    /// It is from this user; the name as it was written, escapes included.
    Granted(&'r [u8]),
    /// RFC 3261 §22.1: credentials are asked for. `stale`: the secret was right, the nonce was not (RFC 7616 §3.3).
    #[allow(missing_docs)]
    Challenge { stale: bool },
    /// RFC 7616 §3.4.6: the credentials are for another URI.
    OtherUri,
}

impl Realm {
    /// Judges the values of all Authorization lines: the first for this realm counts. `is_here` says whether
    /// their URI is that of the request.
    pub fn check<'r>(
        &self,
        method: &[u8],
        lines: impl Iterator<Item = &'r [u8]>,
        is_here: impl Fn(&[u8]) -> bool,
        subject: &Subject<'_>,
        key: &[u8; 16],
        unix_s: i64,
    ) -> Outcome<'r> {
        let ours = lines.filter_map(Credentials::parse).find(|it| it.realm == self.name.as_bytes());
        let again = Outcome::Challenge { stale: false };
        let Some(credentials) = ours else { return again };
        let algorithm = Algorithm::of(credentials.algorithm);
        let Some(algorithm) = algorithm.filter(|algorithm| self.algorithms.contains(algorithm)) else {
            return again;
        };
        // Only `auth`: without it a nonce and a counter of the client's are missing.
        if credentials.qop != Some(b"auth") || !is_nc(credentials.nc) || credentials.cnonce.is_empty() {
            return again;
        }
        // Who is not there has a secret that nobody knows: it takes the same time.
        let nobody = NOBODY.get(..algorithm.digits()).unwrap_or_default();
        let user = self.users.secret(credentials.username, algorithm);
        let secret = user.unwrap_or(nobody);
        let is_right = response::is_right(algorithm, secret, method, &credentials) & user.is_some();
        let fresh = Nonce::judge(credentials.nonce, self.name.as_bytes(), subject, key, unix_s);
        match (is_right, fresh) {
            (false, _) => again,
            (true, Fresh::No) => Outcome::Challenge { stale: true },
            (true, Fresh::Yes) if !is_here(credentials.uri) => Outcome::OtherUri,
            (true, Fresh::Yes) => Outcome::Granted(credentials.username),
        }
    }
}
