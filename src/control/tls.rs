//! Outside. Certificates on disk → the TLS side of the server; again with every reload.
//!
//! In:    the files that the configuration names.
//! Out:   a `ServerConfig` in service, or which file is wrong and why, with the old one serving on.
//! Never: shows a key, takes a certificate without the key that fits it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use sha2::{Digest as _, Sha256};

use super::{
    files,
    health::{ChainAndKey, client_config},
};
use crate::{config, limits::TLS_FILE_BYTES_MAX, net::TlsInService};

/// Why the files give no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("TLS file {path} {why}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// In the words of the system.
        why: String,
    },
    /// A file has not what it is named for.
    #[error("TLS file {path} has no {what} in PEM form (-----BEGIN …-----)", path = .path.display())]
    Nothing {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The parts do not go together, or cannot be used.
    #[error("TLS certificate {path}: {why}", path = .path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// In the words of the library.
        why: String,
    },
}

/// The certificates of one server.
#[derive(Debug)]
pub struct Certificates {
    files: config::Tls,
    in_service: TlsInService,
    /// For gateways that want to see a certificate of whoever probes them.
    of_client: Arc<ArcSwap<ClientConfig>>,
    /// SHA-256 of the files in service.
    hash: Mutex<[u8; 32]>,
}

impl Certificates {
    /// Reads the files for the first time.
    pub fn read(files: config::Tls) -> Result<Self, TlsError> {
        let pem = Pem::read(&files)?;
        let in_service = Arc::new(ArcSwap::from_pointee(build(&files, &pem)?));
        let of_client = Arc::new(ArcSwap::from_pointee(build_client(&files, &pem)?));
        Ok(Self { files, in_service, of_client, hash: Mutex::new(pem.hash()) })
    }

    /// What the loop takes for each new connection.
    #[must_use]
    pub fn in_service(&self) -> TlsInService {
        Arc::clone(&self.in_service)
    }

    /// What a probe takes for each connection to a gateway.
    #[must_use]
    pub fn of_client(&self) -> Arc<ArcSwap<ClientConfig>> {
        Arc::clone(&self.of_client)
    }

    /// Reads the files again and puts them into service; whether they are others. On an error the
    /// old ones serve on.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let pem = Pem::read(&self.files)?;
        let hash = pem.hash();
        let mut served = self.hash.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *served != hash;
        if is_new {
            let (of_server, of_client) = (build(&self.files, &pem)?, build_client(&self.files, &pem)?);
            self.in_service.store(Arc::new(of_server));
            self.of_client.store(Arc::new(of_client));
            *served = hash;
        }
        Ok(is_new)
    }

    /// Directories whose entries matter.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        let files = [&self.files.certificate, &self.files.key].into_iter().chain(&self.files.client_ca);
        let mut directories: Vec<PathBuf> = Vec::new();
        for directory in files.filter_map(|file| file.parent()) {
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            if !directories.iter().any(|known| known == directory) {
                directories.push(directory.to_path_buf());
            }
        }
        directories
    }

    /// Whether the files are others than those in service. Unreadable ones are: whoever reloads is told.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let served = *self.hash.lock().unwrap_or_else(PoisonError::into_inner);
        Pem::read(&self.files).map_or(true, |pem| pem.hash() != served)
    }
}

/// The files as they are now, each read once: what serves and its hash are of the same bytes.
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Pem {
    fn read(files: &config::Tls) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: bytes(&files.certificate)?,
            key: bytes(&files.key)?,
            client_ca: files.client_ca.as_deref().map(bytes).transpose()?,
        })
    }

    fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for bytes in [&self.certificate, &self.key].into_iter().chain(&self.client_ca) {
            hasher.update(Sha256::digest(bytes));
        }
        hasher.finalize().into()
    }
}

fn build(files: &config::Tls, pem: &Pem) -> Result<ServerConfig, TlsError> {
    let unusable = |why: String| TlsError::Unusable { path: files.certificate.clone(), why };
    let (chain, key) = chain_and_key(files, pem)?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    let builder = match files.client_ca.as_ref().zip(pem.client_ca.as_ref()) {
        None => builder.with_no_client_auth(),
        Some((path, issuers)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, issuers)? {
                roots
                    .add(certificate)
                    .map_err(|error| TlsError::Unusable { path: path.clone(), why: error.to_string() })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if files.client_required { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| unusable(error.to_string()))?)
        }
    };
    builder.with_single_cert(chain, key).map_err(|error| unusable(error.to_string()))
}

fn build_client(files: &config::Tls, pem: &Pem) -> Result<ClientConfig, TlsError> {
    let (chain, key) = chain_and_key(files, pem)?;
    client_config(Some((chain, key)))
        .map_err(|error| TlsError::Unusable { path: files.certificate.clone(), why: error.to_string() })
}

fn chain_and_key(files: &config::Tls, pem: &Pem) -> Result<ChainAndKey, TlsError> {
    let chain = certificates(&files.certificate, &pem.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&pem.key)
        .map_err(|_| TlsError::Nothing { path: files.key.clone(), what: "private key" })?;
    Ok((chain, key))
}

/// The certificates of a file, as those to trust.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, &bytes(path)?)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::Unusable { path: path.to_path_buf(), why: error.to_string() })?;
    }
    Ok(roots)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::Nothing { path: path.to_path_buf(), what: "certificate" }),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    files::read(path, TLS_FILE_BYTES_MAX)
        .map_err(|error| TlsError::Unreadable { path: path.to_path_buf(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_read_up_to_their_limit() {
        let dir = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let path = |name: &str| dir.path().join(name);
        let pad = |pem: &str, len: usize| format!("{pem}{}", "\n".repeat(len - pem.len()));
        fs::write(path("key"), pad(&certified.signing_key.serialize_pem(), TLS_FILE_BYTES_MAX)).unwrap();
        fs::write(path("cert"), pad(&certified.cert.pem(), TLS_FILE_BYTES_MAX)).unwrap();
        let files = config::Tls {
            certificate: path("cert"),
            key: path("key"),
            client_ca: Some(path("cert")),
            client_required: true,
        };
        let certificates = Certificates::read(files.clone()).unwrap();
        assert_eq!((certificates.is_stale(), certificates.reload()), (false, Ok(false)));
        assert_eq!(certificates.directories(), [dir.path()]);

        fs::write(path("cert"), pad(&certified.cert.pem(), TLS_FILE_BYTES_MAX + 1)).unwrap();
        let too_long = Certificates::read(files).unwrap_err();
        assert!(matches!(too_long, TlsError::Unreadable { .. }), "{too_long}");
        assert!(certificates.reload().is_err());
        assert!(certificates.is_stale(), "what cannot be read is told with the next reload");
    }
}
