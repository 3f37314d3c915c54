//! Pure. `source:`: where the route files come from, and whom to believe.
//!
//! In:    what is written.
//! Out:   a [`Source`], or each fault at its place.
//! Never: looks a name up, reads a key.

use std::{net::IpAddr, path::PathBuf};

use url::{Host, Url};

use super::{
    meaning::{Faults, path},
    written::WrittenSource,
};
use crate::limits::{SOURCE_EVERY_S_DEFAULT, SOURCE_EVERY_S_MAX, SOURCE_URL_BYTES_MAX};

/// `source:`. Files of its keys are read outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What is asked.
    pub origin: Origin,
    /// Seconds between two looks.
    pub every_s: u64,
    /// PEM file with the public keys of which one must have signed. `None`: a manifest needs no signature.
    pub signed_by: Option<PathBuf>,
    /// PEM file with the issuers that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// File whose text is sent as a bearer token.
    pub token_file: Option<PathBuf>,
    /// Credentials file of NATS.
    pub credentials: Option<PathBuf>,
    /// Whether connections without TLS may leave this machine.
    pub insecure: bool,
}

impl Source {
    /// The files that are named.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let files = [&mut self.signed_by, &mut self.ca, &mut self.token_file, &mut self.credentials];
        files.into_iter().flatten()
    }
}

/// What is asked for the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A web server: the manifest has this URL, the files are beside it.
    Web(Url),
    /// JetStream: the manifest is the value of a key, the files are in the object store of the same name.
    Nats {
        /// Scheme, host and port.
        server: Url,
        /// The bucket of the key, and the name of the object store.
        bucket: String,
        /// The key.
        key: String,
    },
}

impl Origin {
    /// For the log: without what may be secret in a URL.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Web(url) => {
                let mut url = url.clone();
                url.set_query(None);
                url.to_string()
            }
            Self::Nats { server, bucket, key } => {
                format!("{}/{bucket}/{key}", server.as_str().trim_end_matches('/'))
            }
        }
    }
}

pub(super) fn of(written: WrittenSource, faults: &mut Faults<'_>) -> Option<Source> {
    let WrittenSource { is_short, keys } = written;
    let insecure = keys.insecure.unwrap_or(false);
    let place = if is_short { "source" } else { "source.url" };
    let origin = faults.take(place, origin(&keys.url, insecure));
    let every_s = keys.every_s.map_or(Some(SOURCE_EVERY_S_DEFAULT), |found| {
        let fits = (1..=SOURCE_EVERY_S_MAX).contains(&found);
        let fault = || format!("found {found}, expected 1 to {SOURCE_EVERY_S_MAX}");
        faults.take("source.every_s", fits.then_some(found).ok_or_else(fault))
    });
    let mut file = |key: &str, written: Option<&String>| {
        written.and_then(|text| faults.take(&format!("source.{key}"), path(text, "./source.pem")))
    };
    let signed_by = file("signed_by", keys.signed_by.as_ref());
    let ca = file("ca", keys.ca.as_ref());
    let token_file = file("token_file", keys.token_file.as_ref());
    let credentials = file("credentials", keys.credentials.as_ref());
    let source =
        Source { origin: origin?, every_s: every_s?, signed_by, ca, token_file, credentials, insecure };
    match source.origin {
        Origin::Web(_) if source.credentials.is_some() => {
            faults.note("source.credentials", "these are for nats://; for a web server write token_file");
        }
        Origin::Nats { .. } if source.token_file.is_some() => {
            faults.note("source.token_file", "this is for https://; for NATS write credentials");
        }
        _ => {}
    }
    Some(source)
}

const EXPECTED: &str = "expected https://HOST/PATH/manifest.json or nats://HOST:4222/BUCKET/KEY";

/// Reads the URL of a source. The error is a sentence without place, and without the URL's secrets.
pub fn origin(text: &str, insecure: bool) -> Result<Origin, String> {
    if text.len() > SOURCE_URL_BYTES_MAX {
        return Err(format!("a URL of {} bytes, expected at most {SOURCE_URL_BYTES_MAX}", text.len()));
    }
    let url = Url::parse(text).map_err(|error| format!("no URL ({error}), {EXPECTED}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a password in a URL gets into logs, write token_file or credentials instead".to_owned());
    }
    if url.fragment().is_some() || url.host().is_none() {
        return Err(format!("a URL without host or with #, {EXPECTED}"));
    }
    let is_web = match url.scheme() {
        "https" | "http" => true,
        "nats" | "tls" => false,
        other => return Err(format!("found {other}:, {EXPECTED}")),
    };
    if matches!(url.scheme(), "http" | "nats") && !insecure && !is_loopback(&url) {
        return Err(format!(
            "{0}: to another machine is not encrypted, and whoever is on the way can say what the routes are; write {1}: (or insecure: true)",
            url.scheme(),
            if is_web { "https" } else { "tls" }
        ));
    }
    if is_web { web(url) } else { nats(url) }
}

fn web(url: Url) -> Result<Origin, String> {
    if url.path().ends_with('/') {
        return Err(format!("a URL of a directory, {EXPECTED}"));
    }
    Ok(Origin::Web(url))
}

fn nats(mut url: Url) -> Result<Origin, String> {
    if !cfg!(feature = "nats") {
        return Err(
            "this waypost was built without NATS: build it with cargo build --release --features nats"
                .to_owned(),
        );
    }
    let is_word = |text: &&str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let parts: Vec<&str> = url.path().trim_start_matches('/').split('/').collect();
    let [bucket, key] = parts[..] else { return Err(format!("no bucket and key, {EXPECTED}")) };
    if !is_word(&bucket) || !is_word(&key) || url.query().is_some() {
        return Err(format!("bucket and key are of letters, digits, - and _, {EXPECTED}"));
    }
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    url.set_path("");
    Ok(Origin::Nats { server: url, bucket, key })
}

/// Whether what is sent there stays on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        // A URL of NATS keeps addresses as names.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn source(text: &str) -> Source {
        parse("w.yaml", &format!("source: {text}\n")).unwrap_or_else(|e| panic!("{e:#?}")).source.unwrap()
    }

    fn fault(text: &str) -> String {
        let faults = parse("w.yaml", &format!("source: {text}\n")).expect_err(text);
        assert_eq!(faults.len(), 1, "{faults:#?}");
        format!("{}:{}: {}", faults[0].line, faults[0].column, faults[0].message)
    }

    #[test]
    fn a_url_alone_has_the_defaults() {
        let source = source("https://config.example.net/a/manifest.json?sig=secret");
        assert_eq!(source.every_s, SOURCE_EVERY_S_DEFAULT);
        assert_eq!(
            (source.signed_by, source.ca, source.token_file, source.insecure),
            (None, None, None, false)
        );
        assert_eq!(source.origin.shown(), "https://config.example.net/a/manifest.json");
    }

    #[test]
    fn every_key_is_read() {
        let mut all = source(
            "{url: \"http://192.0.2.1/m.json\", insecure: true, every_s: 86400, signed_by: a.pem, ca: b.pem, token_file: c}",
        );
        let files: Vec<String> = all.files_mut().map(|file| file.display().to_string()).collect();
        assert_eq!((files.join(" "), all.every_s), ("a.pem b.pem c".to_owned(), SOURCE_EVERY_S_MAX));
    }

    #[test]
    fn without_tls_a_source_is_on_this_machine() {
        for url in ["http://127.0.0.1:8000/m.json", "http://[::1]/m.json", "http://localhost/m.json"] {
            source(&format!("\"{url}\""));
        }
        assert_eq!(
            fault("http://192.0.2.1/m.json"),
            "1:9: source: http: to another machine is not encrypted, and whoever is on the way can say what the routes are; write https: (or insecure: true)"
        );
    }

    #[test]
    fn each_fault_has_its_place() {
        for (text, expected) in [
            (
                "{url: 'ftp://a/b'}",
                "1:15: source.url: found ftp:, expected https://HOST/PATH/manifest.json or nats://HOST:4222/BUCKET/KEY",
            ),
            (
                "'https://a.example/b/'",
                "1:9: source: a URL of a directory, expected https://HOST/PATH/manifest.json or nats://HOST:4222/BUCKET/KEY",
            ),
            (
                "'https://u:p@a.example/b'",
                "1:9: source: a password in a URL gets into logs, write token_file or credentials instead",
            ),
            (
                "{url: 'https://a.example/b', every_s: 0}",
                "1:47: source.every_s: found 0, expected 1 to 86400",
            ),
            (
                "{url: 'https://a.example/b', every_s: 86401}",
                "1:47: source.every_s: found 86401, expected 1 to 86400",
            ),
            (
                "{url: 'https://a.example/b', credentials: c}",
                "1:51: source.credentials: these are for nats://; for a web server write token_file",
            ),
            ("{every_s: 5}", "1:9: source: missing field `url`"),
            (
                "5",
                "1:9: source: invalid type: integer `5`, expected \"https://HOST/PATH/manifest.json\" or {url: \"https://HOST/PATH/manifest.json\"}",
            ),
        ] {
            assert_eq!(fault(text), expected);
        }
    }

    #[test]
    fn a_url_has_its_longest_length() {
        let url = |len: usize| format!("https://a.example/{}", "x".repeat(len - 18));
        source(&url(SOURCE_URL_BYTES_MAX));
        assert!(
            fault(&url(SOURCE_URL_BYTES_MAX + 1)).ends_with("a URL of 2049 bytes, expected at most 2048")
        );
    }

    #[cfg(not(feature = "nats"))]
    #[test]
    fn nats_is_refused_by_a_build_without_it() {
        assert!(fault("nats://127.0.0.1:4222/waypost/routes").contains("--features nats"));
    }

    #[cfg(feature = "nats")]
    #[test]
    fn nats_has_a_bucket_and_a_key() {
        let origin = source("nats://127.0.0.1:4222/waypost/routes").origin;
        assert_eq!(origin.shown(), "nats://127.0.0.1:4222/waypost/routes");
        source("tls://nats.example.net:4222/waypost/routes");
        assert!(fault("nats://192.0.2.1:4222/waypost/routes").contains("write tls:"));
        assert!(fault("nats://127.0.0.1:4222/waypost").contains("no bucket and key"));
        assert!(fault("nats://127.0.0.1:4222/way.post/a").contains("are of letters"));
    }
}
