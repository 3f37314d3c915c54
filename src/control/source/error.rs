//! Outside. What can go wrong with a source, and how it is counted.
//!
//! In:    what the modules beside this one meet.
//! Out:   a sentence for the log, and one word for the metric.
//! Never: holds a URL's query or a token.

use std::path::{Path, PathBuf};

use crate::{
    control::sandbox,
    limits::{SOURCE_BYTES_MAX, SOURCE_FILES_MAX, SOURCE_MANIFEST_BYTES_MAX, SOURCE_PATH_BYTES_MAX},
};

/// How a look at a source ended. The values of the label `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Outcome {
    Loaded,
    Unchanged,
    Unreachable,
    BadManifest,
    BadSignature,
    OldSerial,
    BadFile,
    Disk,
    Refused,
    Busy,
}

impl Outcome {
    /// All of them, in the order of [`super::Numbers`].
    pub const ALL: [Self; 10] = [
        Self::Loaded,
        Self::Unchanged,
        Self::Unreachable,
        Self::BadManifest,
        Self::BadSignature,
        Self::OldSerial,
        Self::BadFile,
        Self::Disk,
        Self::Refused,
        Self::Busy,
    ];

    /// The word of the metric.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::Unreachable => "unreachable",
            Self::BadManifest => "bad_manifest",
            Self::BadSignature => "bad_signature",
            Self::OldSerial => "old_serial",
            Self::BadFile => "bad_file",
            Self::Disk => "disk",
            Self::Refused => "refused",
            Self::Busy => "busy",
        }
    }
}

/// Why the files of a source are not those in service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SourceError {
    #[error("{what}: {why}")]
    Unreachable { what: String, why: String },
    #[error("{what} is answered with {status}")]
    Status { what: String, status: u16 },
    #[error("{what} did not come within {ms} ms")]
    TooSlow { what: String, ms: u64 },
    #[error("file {} {why}", .path.display())]
    Local { path: PathBuf, why: String },

    #[error("the manifest is longer than {SOURCE_MANIFEST_BYTES_MAX} bytes, the most that is read")]
    ManifestTooLong,
    #[error("the manifest is none: {0}; make it with waypost publish")]
    NotAManifest(String),
    #[error("the manifest is of format {0}, expected 1: this waypost is older than the one that made it")]
    UnknownFormat(u64),
    #[error("the manifest names {0} files, expected 1 to {SOURCE_FILES_MAX}")]
    FileCount(usize),
    #[error("the manifest's files have {0} bytes in all, expected at most {SOURCE_BYTES_MAX}")]
    TooManyBytes(u64),
    #[error(
        "the manifest names the file {0:?}, expected a path of at most {SOURCE_PATH_BYTES_MAX} letters, digits and -_.+@ that stays in the routes directory, without hidden parts"
    )]
    BadPath(String),
    #[error("the manifest names the file {0:?} twice, or as a directory too")]
    PathTwice(String),

    #[error(
        "the manifest has no signature, and signed_by asks for one: publish it with waypost publish --sign-key"
    )]
    Unsigned,
    #[error("the manifest's signature is of none of the keys in signed_by")]
    WrongSignature,

    #[error(
        "the manifest has serial {found}, which is older than {serving} in service: publish with a higher one"
    )]
    OldSerial { found: u64, serving: u64 },
    #[error("the manifest has serial {0} like the one in service, but is another: publish with a higher one")]
    SameSerial(u64),

    #[error("file {path}: {why}")]
    WrongFile { path: String, why: String },

    #[error("{}: {why}", .path.display())]
    Disk { path: PathBuf, why: String },
    #[error(
        "{} is no link of ours, and `source:` does not touch what others made: move it away, or name another `routes:`",
        .0.display()
    )]
    NotOurs(PathBuf),

    #[error("the files of serial {serial} are refused; they are in {}: {why}", .at.display())]
    Refused { serial: u64, at: PathBuf, why: String },
    #[error("the files of serial {serial} wait to be loaded: {why}")]
    NotNow { serial: u64, why: String },
    #[error("another process keeps {} up to date", .0.display())]
    Busy(PathBuf),
}

impl SourceError {
    /// A fault of the disk.
    pub(super) fn disk(path: &Path, error: &std::io::Error) -> Self {
        Self::Disk { path: path.to_path_buf(), why: format!("{error}{}", sandbox::hint(error)) }
    }

    /// As what it is counted.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Unreachable { .. } | Self::Status { .. } | Self::TooSlow { .. } => Outcome::Unreachable,
            Self::ManifestTooLong
            | Self::NotAManifest(_)
            | Self::UnknownFormat(_)
            | Self::FileCount(_)
            | Self::TooManyBytes(_)
            | Self::BadPath(_)
            | Self::PathTwice(_) => Outcome::BadManifest,
            Self::Unsigned | Self::WrongSignature => Outcome::BadSignature,
            Self::OldSerial { .. } | Self::SameSerial(_) => Outcome::OldSerial,
            Self::WrongFile { .. } => Outcome::BadFile,
            Self::Local { .. } | Self::Disk { .. } | Self::NotOurs(_) => Outcome::Disk,
            Self::Refused { .. } | Self::NotNow { .. } => Outcome::Refused,
            Self::Busy(_) => Outcome::Busy,
        }
    }

    /// Whether a look before the next regular one may help.
    #[must_use]
    pub const fn is_worth_a_retry(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Busy(_))
    }
}
