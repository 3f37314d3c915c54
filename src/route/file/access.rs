//! Pure. `access:` as it is written, and the files that it names.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Draft,
    scalar::{OneOrMany, Text},
};

/// A list of sources, and what becomes of their messages. Of several lists that hold a source, the first
/// decides.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessWritten {
    /// Addresses and networks such as 192.0.2.7 or 2001:db8::/32.
    pub(super) sources: Option<OneOrMany<Text>>,
    /// A file with one address or network in each line; `#` and `;` begin remarks. Relative to the routes directory.
    pub(super) file: Option<Text>,
    /// Listeners at which the list counts, by their names in the server's configuration. All unless given.
    pub(super) listener: Option<OneOrMany<Text>>,
    /// What becomes of messages from these sources.
    pub(super) policy: PolicyWritten,
    /// With `answer`: requests of these sources need credentials (Digest, RFC 7616); ACK and CANCEL cannot have any.
    pub(super) authenticate: Option<AuthenticateWritten>,
}

/// Credentials that are asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct AuthenticateWritten {
    /// The realm, as clients show it to their users, such as `sip.example.net`.
    pub(super) realm: Text,
    /// A file with `user:realm:ALGORITHM:HA1` in each line, where HA1 is the hash of `user:realm:password` by SHA-256 or
    /// MD5, in hexadecimal. Relative to the routes directory.
    pub(super) users: Text,
    /// What is offered, SHA-256 first: `[SHA-256, MD5]` for clients of which some know no SHA-256, `MD5` where they look at
    /// the first offer only. SHA-256 unless given.
    pub(super) algorithms: Option<OneOrMany<AlgorithmWritten>>,
}

/// A hash.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum AlgorithmWritten {
    /// RFC 8760.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// Of old.
    #[serde(rename = "MD5")]
    Md5,
}

/// What becomes of messages.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum PolicyWritten {
    /// The routes decide.
    Answer,
    /// 403.
    Refuse,
    /// Nothing is said, and the message is not read.
    Silence,
}

/// What becomes of messages from sources that no access list names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct UnknownWritten {
    /// What becomes of their messages.
    pub(super) policy: PolicyWritten,
    /// `answer`: malformed requests of sources that no list with `answer` names are refused as those of others
    /// are. `silence` unless given.
    pub(super) malformed: Option<MalformedWritten>,
}

/// What becomes of malformed requests.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum MalformedWritten {
    /// They are refused with the reason.
    Answer,
    /// Nothing is said.
    Silence,
}

impl Draft {
    /// Paths of the files of access lists and users, as written, each once.
    #[must_use]
    pub fn access_files(&self) -> Vec<String> {
        let lists = self.files.iter().filter_map(|file| file.written.access.as_ref());
        let files = lists.flat_map(|lists| &lists.0).flat_map(|(_, list)| {
            let users = list.authenticate.as_ref().map(|it| &it.users);
            list.file.iter().chain(users)
        });
        let mut paths: Vec<String> = files.map(|file| file.0.clone()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}
