//! Outside, but a function of its arguments. A manifest: which files a fleet has, in which order of time.
//!
//! In:    bytes from anybody, and the keys that are believed.
//! Out:   a [`Manifest`] whose every path stays in its directory, or one reason.
//! Never: reads what is inside a manifest before its signature is good, when one is asked for.
//!
//! ```text
//! {"manifest":{"format":1,"serial":42,"published_unix_s":…,"files":[{"path":…,"bytes":…,"sha256":…}]},
//!  "signature":"128 hexadecimal digits: Ed25519 over the bytes of the value of manifest, as they stand"}
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{
    SourceError, hex,
    keys::{PublicKeys, SIGNATURE_BYTES, SigningKey},
};
use crate::limits::{SOURCE_BYTES_MAX, SOURCE_FILES_MAX, SOURCE_MANIFEST_BYTES_MAX, SOURCE_PATH_BYTES_MAX};

/// What has one layout.
const FORMAT: u64 = 1;

/// SHA-256 of a file.
pub type Hash = [u8; 32];

/// Which files there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Higher is newer.
    pub serial: u64,
    /// When it was made, by the publisher's clock.
    pub published_unix_s: i64,
    /// In the order of their paths.
    pub files: Vec<Entry>,
    /// Of the whole manifest: what tells two of them apart.
    pub hash: Hash,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Below the routes directory.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// What it is called where it is fetched.
    pub sha256: Hash,
}

impl Entry {
    /// The hash as digits.
    #[must_use]
    pub fn name(&self) -> String {
        hex::write(&self.sha256)
    }
}

/// As it is written. What an older node does not know it passes over.
#[derive(Deserialize, Serialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    manifest: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

#[derive(Deserialize)]
struct Format {
    format: u64,
}

#[derive(Deserialize, Serialize)]
struct Written {
    format: u64,
    serial: u64,
    #[serde(default)]
    published_unix_s: i64,
    files: Vec<WrittenEntry>,
}

#[derive(Deserialize, Serialize)]
struct WrittenEntry {
    path: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    /// Reads a manifest that one of `keys` must have signed, when there are keys.
    pub fn read(bytes: &[u8], keys: Option<&PublicKeys>) -> Result<Self, SourceError> {
        if bytes.len() > SOURCE_MANIFEST_BYTES_MAX {
            return Err(SourceError::ManifestTooLong);
        }
        let none = |error: serde_json::Error| SourceError::NotAManifest(error.to_string());
        let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(none)?;
        let inside = envelope.manifest.get();
        if let Some(keys) = keys {
            let signature = envelope.signature.ok_or(SourceError::Unsigned)?;
            let signature = hex::read::<SIGNATURE_BYTES>(&signature).ok_or(SourceError::WrongSignature)?;
            if !keys.signed(inside.as_bytes(), &signature) {
                return Err(SourceError::WrongSignature);
            }
        }
        let Format { format } = serde_json::from_str(inside).map_err(none)?;
        if format != FORMAT {
            return Err(SourceError::UnknownFormat(format));
        }
        let written: Written = serde_json::from_str(inside).map_err(none)?;
        Ok(Self {
            serial: written.serial,
            published_unix_s: written.published_unix_s,
            files: checked(written.files)?,
            hash: Sha256::digest(bytes).into(),
        })
    }

    /// Writes a manifest of these files, signed if there is a key; and what [`Self::read`] makes of it.
    pub fn write(
        serial: u64,
        published_unix_s: i64,
        files: &[Entry],
        key: Option<&SigningKey>,
    ) -> Result<(Vec<u8>, Self), SourceError> {
        let files = files.iter().map(|entry| WrittenEntry {
            path: entry.path.clone(),
            bytes: entry.bytes,
            sha256: entry.name(),
        });
        let written = Written { format: FORMAT, serial, published_unix_s, files: files.collect() };
        let impossible = |error: serde_json::Error| SourceError::NotAManifest(error.to_string());
        let manifest = serde_json::value::to_raw_value(&written).map_err(impossible)?;
        let signature = key.map(|key| hex::write(&key.sign(manifest.get().as_bytes())));
        let mut bytes =
            serde_json::to_vec(&Envelope { manifest: &manifest, signature }).map_err(impossible)?;
        bytes.push(b'\n');
        let read = Self::read(&bytes, None)?;
        Ok((bytes, read))
    }
}

/// Files that can be put side by side into one directory, and nowhere else.
fn checked(written: Vec<WrittenEntry>) -> Result<Vec<Entry>, SourceError> {
    if !(1..=SOURCE_FILES_MAX).contains(&written.len()) {
        return Err(SourceError::FileCount(written.len()));
    }
    let mut files = Vec::with_capacity(written.len());
    for WrittenEntry { path, bytes, sha256 } in written {
        if !stays_inside(&path) {
            return Err(SourceError::BadPath(path));
        }
        let Some(sha256) = hex::read(&sha256) else {
            return Err(SourceError::NotAManifest(format!(
                "the SHA-256 of {path} is not of 64 small digits"
            )));
        };
        files.push(Entry { path, bytes, sha256 });
    }
    let bytes = files.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.bytes));
    if bytes > SOURCE_BYTES_MAX as u64 {
        return Err(SourceError::TooManyBytes(bytes));
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let paths: BTreeSet<&str> = files.iter().map(|entry| &*entry.path).collect();
    let is_taken = |path: &str| path.match_indices('/').any(|(end, _)| paths.contains(&path[..end]));
    let twice = files.windows(2).find(|pair| pair[0].path == pair[1].path).map(|pair| &pair[0]);
    match twice.or_else(|| files.iter().find(|entry| is_taken(&entry.path))) {
        Some(entry) => Err(SourceError::PathTwice(entry.path.clone())),
        None => Ok(files),
    }
}

/// Hidden names are those of our own files, and of editors. Signs that a shell, a log or another file
/// system takes for something else are of no use here.
fn stays_inside(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+@".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_plain);
    path.len() <= SOURCE_PATH_BYTES_MAX && path.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, bytes: u64) -> Entry {
        Entry { path: path.to_owned(), bytes, sha256: [7; 32] }
    }

    fn write(files: &[Entry]) -> Result<Manifest, SourceError> {
        Manifest::write(3, 1_000, files, None).map(|(_, manifest)| manifest)
    }

    #[test]
    fn what_is_written_is_read() {
        let files = [entry("10.yaml", 5), entry("data/a+b@c-d_e.csv", 0)];
        let manifest = write(&files).unwrap();
        assert_eq!((manifest.serial, manifest.published_unix_s, &*manifest.files), (3, 1_000, &files[..]));
    }

    #[test]
    fn a_path_that_leaves_or_hides_is_refused() {
        for path in [
            "",
            "/etc/passwd",
            "../a.yaml",
            "a/../../b",
            "a//b",
            "a/",
            "./a",
            "a/./b",
            ".a.yaml",
            "a/.b",
            "..",
            "a\\b",
            "a b",
            "a\nb",
            "a\0b",
            "é.yaml",
            "~/a;",
        ] {
            assert_eq!(write(&[entry(path, 1)]), Err(SourceError::BadPath(path.to_owned())), "{path:?}");
        }
        let longest = "x".repeat(SOURCE_PATH_BYTES_MAX);
        assert!(write(&[entry(&longest, 1)]).is_ok());
        assert!(matches!(write(&[entry(&(longest + "x"), 1)]), Err(SourceError::BadPath(_))));
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        for paths in [["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"]] {
            let files = paths.map(|path| entry(path, 1));
            assert!(matches!(write(&files), Err(SourceError::PathTwice(_))), "{paths:?}");
        }
        assert!(write(&["a", "a.b", "ab", "b/a"].map(|path| entry(path, 1))).is_ok());
    }

    #[test]
    fn files_and_their_bytes_are_counted() {
        let files = |count: usize| (0..count).map(|n| entry(&n.to_string(), 1)).collect::<Vec<_>>();
        assert!(write(&files(SOURCE_FILES_MAX)).is_ok());
        assert_eq!(write(&files(SOURCE_FILES_MAX + 1)), Err(SourceError::FileCount(1025)));
        assert_eq!(write(&[]), Err(SourceError::FileCount(0)));
        let most = SOURCE_BYTES_MAX as u64;
        assert!(write(&[entry("a", most)]).is_ok());
        assert_eq!(write(&[entry("a", most), entry("b", 1)]), Err(SourceError::TooManyBytes(most + 1)));
        assert_eq!(write(&[entry("a", u64::MAX), entry("b", 1)]), Err(SourceError::TooManyBytes(u64::MAX)));
    }

    #[test]
    fn what_is_no_manifest_is_told() {
        let read = |text: &str| Manifest::read(text.as_bytes(), None).unwrap_err().to_string();
        for (text, expected) in [
            (
                "",
                "the manifest is none: EOF while parsing a value at line 1 column 0; make it with waypost publish",
            ),
            (
                "<html>",
                "the manifest is none: expected value at line 1 column 1; make it with waypost publish",
            ),
            (
                "{}",
                "the manifest is none: missing field `manifest` at line 1 column 2; make it with waypost publish",
            ),
            (
                "{\"manifest\":{\"format\":2}}",
                "the manifest is of format 2, expected 1: this waypost is older than the one that made it",
            ),
            (
                "{\"manifest\":{\"format\":1,\"serial\":-1}}",
                "the manifest is none: invalid value: integer `-1`, expected u64 at line 1 column 23; make it with waypost publish",
            ),
            (
                "{\"manifest\":{\"format\":1,\"serial\":1,\"files\":[{\"path\":\"a\",\"bytes\":1,\"sha256\":\"AB\"}]}}",
                "the manifest is none: the SHA-256 of a is not of 64 small digits; make it with waypost publish",
            ),
        ] {
            assert_eq!(read(text), expected);
        }
        let deep = format!("{{\"manifest\":{}", "[".repeat(100_000));
        assert!(read(&deep).starts_with("the manifest is none: EOF while parsing"), "{}", read(&deep));
        let (bytes, _) = Manifest::write(1, 0, &[entry("a", 1)], None).unwrap();
        let unknown = format!("\"unknown\":{}{},\"format\"", "[".repeat(100_000), "]".repeat(100_000));
        let text = String::from_utf8(bytes).unwrap().replace("\"format\"", &unknown);
        assert_eq!(Manifest::read(text.as_bytes(), None).unwrap().serial, 1, "passed over, however deep");
    }

    #[test]
    fn a_manifest_has_its_longest_length() {
        let (bytes, _) = Manifest::write(1, 0, &[entry("a", 1)], None).unwrap();
        let padded = |len: usize| [&bytes[..], &vec![b' '; len - bytes.len()]].concat();
        assert!(Manifest::read(&padded(SOURCE_MANIFEST_BYTES_MAX), None).is_ok());
        let long = padded(SOURCE_MANIFEST_BYTES_MAX + 1);
        assert_eq!(Manifest::read(&long, None), Err(SourceError::ManifestTooLong));
    }
}
