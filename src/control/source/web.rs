//! Outside. A source that is a web server or an object store: `source: https://…`.
//!
//! In:    the URL of the manifest; `files/SHA256` beside it.
//! Out:   the manifest when it is another, files as long as their manifest says.
//! Never: reads on without end, in bytes or in time; follows a redirect to where it may not ask itself.

use std::{path::PathBuf, time::Duration};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{AUTHORIZATION, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED},
    redirect,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::{SourceError, Timing, manifest::Entry, small_file, writer::Writer};
use crate::{
    config::{self, Source},
    limits::{SOURCE_CONNECT_MS_MAX, SOURCE_MANIFEST_BYTES_MAX, SOURCE_REDIRECTS_MAX},
};

/// A web server.
#[derive(Debug)]
pub(super) struct Web {
    url: Url,
    ca: Option<PathBuf>,
    token_file: Option<PathBuf>,
    insecure: bool,
    timing: Timing,
    /// Made again after a failure: certificates may have been renewed.
    client: Option<Client>,
    /// Of the manifest that came last, and of the one that was dealt with.
    etag: Option<HeaderValue>,
    settled: Option<HeaderValue>,
}

impl Web {
    pub(super) fn new(url: Url, source: &Source, timing: Timing) -> Self {
        let Source { ca, token_file, insecure, .. } = source.clone();
        Self { url, ca, token_file, insecure, timing, client: None, etag: None, settled: None }
    }

    /// The manifest; `None`: it is the one that was dealt with.
    pub(super) async fn manifest(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let fetched = self.fetch_manifest().await;
        if fetched.is_err() {
            self.client = None;
        }
        fetched
    }

    async fn fetch_manifest(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let (url, settled) = (self.url.clone(), self.settled.clone());
        let client = self.client()?;
        let within = self.timing.answer_ms;
        let request = self.authorised(client.get(url))?;
        let request = match settled {
            Some(etag) => request.header(IF_NONE_MATCH, etag),
            None => request,
        };
        let what = "the manifest";
        let come = async {
            let mut response = answered(what, request).await?;
            if response.status() == StatusCode::NOT_MODIFIED {
                return Ok(None);
            }
            ok(what, &response)?;
            let etag = lasting_tag(response.headers());
            let mut bytes = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|error| broken(what, &error))? {
                if bytes.len() + piece.len() > SOURCE_MANIFEST_BYTES_MAX {
                    return Err(SourceError::ManifestTooLong);
                }
                bytes.extend_from_slice(&piece);
            }
            Ok(Some((bytes, etag)))
        };
        let come = tokio::time::timeout(Duration::from_millis(within), come).await;
        let come = come.map_err(|_| SourceError::TooSlow { what: what.to_owned(), ms: within })??;
        Ok(come.map(|(bytes, etag)| {
            self.etag = etag;
            bytes
        }))
    }

    /// The manifest that came last need not come again.
    pub(super) fn settle(&mut self) {
        if let Some(etag) = self.etag.take() {
            self.settled = Some(etag);
        }
    }

    /// Pours a file into its writer.
    pub(super) async fn file(&mut self, entry: &Entry, writer: &mut Writer) -> Result<(), SourceError> {
        // Beside the manifest; a signed URL's query is of the manifest alone.
        let url = self.url.join(&format!("files/{}", entry.name()));
        let url = url
            .map_err(|error| SourceError::Unreachable { what: entry.path.clone(), why: error.to_string() })?;
        let client = self.client()?;
        let request = self.authorised(client.get(url))?;
        let what = format!("file {}", entry.path);
        let come = async {
            let mut response = answered(&what, request).await?;
            ok(&what, &response)?;
            while let Some(piece) = response.chunk().await.map_err(|error| broken(&what, &error))? {
                writer.write(&piece)?;
            }
            Ok(())
        };
        self.timing.bounded(entry, come).await
    }

    fn client(&mut self) -> Result<Client, SourceError> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = self.new_client()?;
        self.client = Some(client.clone());
        Ok(client)
    }

    fn new_client(&self) -> Result<Client, SourceError> {
        let insecure = self.insecure;
        let redirects = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > SOURCE_REDIRECTS_MAX {
                return attempt.error("too many redirects");
            }
            match config::origin(attempt.url().as_str(), insecure) {
                Ok(_) => attempt.follow(),
                Err(why) => attempt.error(why),
            }
        });
        let impossible = |why: String| SourceError::Unreachable { what: "TLS".to_owned(), why };
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| impossible(error.to_string()))?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(Duration::from_millis(SOURCE_CONNECT_MS_MAX))
            .redirect(redirects)
            .referer(false)
            // What the environment says of proxies is for people's shells.
            .no_proxy()
            .user_agent(concat!("waypost/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| impossible(error.to_string()))
    }

    fn roots(&self) -> Result<RootCertStore, SourceError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.ca else {
            // Roots that cannot be read are missed when one of them is needed: the error says so then.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        let wrong = |why: String| SourceError::Local { path: path.clone(), why };
        for certificate in CertificateDer::pem_slice_iter(&small_file(path)?) {
            let certificate = certificate.map_err(|_| wrong("is no PEM file".to_owned()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("has no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned()));
        }
        Ok(roots)
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> Result<reqwest::RequestBuilder, SourceError> {
        let Some(path) = &self.token_file else { return Ok(request) };
        let token = String::from_utf8_lossy(&small_file(path)?).trim().to_owned();
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| SourceError::Local {
            path: path.clone(),
            why: "is no token: it has signs that no header may have".to_owned(),
        })?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }
}

/// The tag, if it will be another one when the bytes are. nginx makes tags of the size and the second of the last
/// change: two manifests of one second may have the same (RFC 9110 §8.8.2.2 warns of such dates), so that
/// a tag counts when that second was over. A server that gives no dates makes its tags of something else.
fn lasting_tag(headers: &HeaderMap) -> Option<HeaderValue> {
    let date =
        |name: HeaderName| headers.get(name).map(|text| httpdate::parse_http_date(text.to_str().ok()?).ok());
    let lasts = match (date(LAST_MODIFIED), date(DATE)) {
        (None, _) => true,
        (Some(Some(changed)), Some(Some(now))) => {
            now.duration_since(changed).is_ok_and(|since| since >= Duration::from_secs(2))
        }
        _ => false,
    };
    headers.get(ETAG).filter(|_| lasts).cloned()
}

async fn answered(what: &str, request: reqwest::RequestBuilder) -> Result<Response, SourceError> {
    request.send().await.map_err(|error| broken(what, &error))
}

fn ok(what: &str, response: &Response) -> Result<(), SourceError> {
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    Err(SourceError::Status { what: what.to_owned(), status: status.as_u16() })
}

/// The last cause says what happened; the first one would say the URL, with its query.
fn broken(what: &str, error: &reqwest::Error) -> SourceError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    SourceError::Unreachable { what: what.to_owned(), why: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_counts_when_the_second_of_the_change_is_over() {
        const NOON: &str = "Thu, 01 Jan 2026 12:00:00 GMT";
        let tag = |changed: Option<&'static str>, now: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(ETAG, HeaderValue::from_static("\"t\""));
            for (name, value) in [(LAST_MODIFIED, changed), (DATE, now)] {
                headers.extend(value.map(|value| (name, HeaderValue::from_static(value))));
            }
            lasting_tag(&headers).is_some()
        };
        for (changed, now, counts) in [
            (None, None, true),
            (None, Some(NOON), true),
            (Some(NOON), Some("Thu, 01 Jan 2026 12:00:02 GMT"), true),
            (Some(NOON), Some("Thu, 01 Jan 2026 12:00:01 GMT"), false),
            (Some(NOON), Some(NOON), false),
            (Some(NOON), Some("Thu, 01 Jan 2026 11:59:59 GMT"), false),
            (Some(NOON), None, false),
            (Some("yesterday"), Some(NOON), false),
        ] {
            assert_eq!(tag(changed, now), counts, "{changed:?} {now:?}");
        }
        assert_eq!(lasting_tag(&HeaderMap::new()), None);
    }
}
