//! Outside. Ed25519 keys in PEM files, as OpenSSL makes them, and what is done with them.
//!
//! In:    a file of public keys, or one private key.
//! Out:   whether one of them signed these bytes; a signature.
//! Never: shows a private key; takes a key of another kind.

use std::path::Path;

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _};

use super::{SourceError, small_file};
use crate::limits::SOURCE_KEYS_MAX;

/// Length of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// RFC 8410 §4: a SubjectPublicKeyInfo of Ed25519 is this, and the 32 bytes of the key.
const SPKI_BEGIN: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Who may sign.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys(Vec<[u8; 32]>);

impl PublicKeys {
    /// Reads `-----BEGIN PUBLIC KEY-----`, once for each key.
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        let wrong = |why: &str| SourceError::Local { path: path.to_path_buf(), why: why.to_owned() };
        let pem = small_file(path)?;
        let mut keys = Vec::new();
        for key in SubjectPublicKeyInfoDer::pem_slice_iter(&pem) {
            let key = key.map_err(|_| wrong("is no PEM file"))?;
            let bytes = key.strip_prefix(&SPKI_BEGIN).and_then(|key| key.try_into().ok());
            keys.push(bytes.ok_or_else(|| {
                wrong("has a key that is not of Ed25519: openssl genpkey -algorithm ed25519 makes one")
            })?);
        }
        match keys.len() {
            0 => Err(wrong("has no public key in PEM form (-----BEGIN PUBLIC KEY-----)")),
            1..=SOURCE_KEYS_MAX => Ok(Self(keys)),
            more => Err(wrong(&format!("has {more} keys, expected at most {SOURCE_KEYS_MAX}"))),
        }
    }

    /// Whether one of them signed this.
    #[must_use]
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok())
    }
}

/// Who signs.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads `-----BEGIN PRIVATE KEY-----` (PKCS #8), as `openssl genpkey -algorithm ed25519` writes it.
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        let wrong = |why: &str| SourceError::Local { path: path.to_path_buf(), why: why.to_owned() };
        let pem = small_file(path)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem)
            .map_err(|_| wrong("has no private key in PEM form (-----BEGIN PRIVATE KEY-----)"))?;
        // OpenSSL leaves the public key out.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der()).map(Self).map_err(|_| {
            wrong("has a key that is not of Ed25519: openssl genpkey -algorithm ed25519 makes one")
        })
    }

    /// The signature of these bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// RFC 8410 §10.3 and §10.1: the example's private and public key, as OpenSSL writes them.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    fn public(text: &str) -> Result<PublicKeys, String> {
        let (_dir, path) = written(text);
        PublicKeys::read(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "KEY"))
    }

    #[test]
    fn what_one_key_signed_the_other_one_knows() {
        let (_dir, path) = written(PRIVATE);
        let signature = SigningKey::read(&path).unwrap().sign(b"routes");
        assert_eq!(signature.len(), SIGNATURE_BYTES);
        let keys = public(PUBLIC).unwrap();
        assert!(keys.signed(b"routes", &signature));
        assert!(!keys.signed(b"router", &signature));
        assert!(!keys.signed(b"routes", &signature[1..]));
        assert!(!PublicKeys::default().signed(b"routes", &signature));
    }

    #[test]
    fn one_of_several_keys_is_enough_up_to_their_limit() {
        let (_dir, path) = written(PRIVATE);
        let signature = SigningKey::read(&path).unwrap().sign(b"routes");
        let other = PUBLIC.replace("Gb9E", "Hb9E");
        let keys = public(&(other.repeat(SOURCE_KEYS_MAX - 1) + PUBLIC)).unwrap();
        assert!(keys.signed(b"routes", &signature));
        assert_eq!(
            public(&PUBLIC.repeat(SOURCE_KEYS_MAX + 1)).unwrap_err(),
            "file KEY has 5 keys, expected at most 4"
        );
    }

    #[test]
    fn other_files_are_refused() {
        let rsa =
            "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL==\n-----END PUBLIC KEY-----\n";
        for text in ["", "text", PRIVATE, rsa] {
            assert!(public(text).unwrap_err().starts_with("file KEY "), "{text}");
            assert!(
                SigningKey::read(&written(if text == PRIVATE { PUBLIC } else { text }).1).is_err(),
                "{text}"
            );
        }
    }
}
