//! Outside. The token that callers of the admin port must show.
//!
//! In:    its file, at the start and with every reload; what a caller shows.
//! Out:   whether it is the one.
//! Never: keeps, shows or logs the token: its SHA-256 is enough to compare with.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    control::{files, lock::lock},
    limits::{TOKEN_CHARS_MAX, TOKEN_CHARS_MIN, TOKEN_FILE_BYTES_MAX},
};

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum TokenError {
    #[error("token file {path} {why}", path = .path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("token file {path} has {found} characters, expected {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX}; make one with: openssl rand -hex 32", path = .path.display())]
    Length { path: PathBuf, found: usize },
    /// RFC 6750 §2.1.
    #[error("token file {path} has a character that no token has, expected letters, digits and -._~+/= on one line; make one with: openssl rand -hex 32", path = .path.display())]
    Character { path: PathBuf },
}

/// The token in service.
#[derive(Debug)]
pub struct Token {
    path: PathBuf,
    digest: Mutex<[u8; 32]>,
}

impl Token {
    /// Reads the file for the first time.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let digest = Mutex::new(digest(read(path)?.as_bytes()));
        Ok(Self { path: path.to_path_buf(), digest })
    }

    /// Reads the file again; whether it has another token. On an error the old one stays.
    pub fn reload(&self) -> Result<bool, TokenError> {
        let new = digest(read(&self.path)?.as_bytes());
        let mut served = lock(&self.digest);
        Ok(std::mem::replace(&mut *served, new) != new)
    }

    /// Whether this is it. Takes as long for any text of one length.
    #[must_use]
    pub fn is(&self, shown: &[u8]) -> bool {
        let served = *lock(&self.digest);
        digest(shown).ct_eq(&served).into()
    }

    /// The directory of the file.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        }
    }

    /// Whether the file has another token than the one in service. One that cannot be read has: whoever reloads is
    /// told.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        read(&self.path).map_or(true, |token| !self.is(token.as_bytes()))
    }
}

/// The token in a file, for whoever has to show it.
pub fn read(path: &Path) -> Result<String, TokenError> {
    let unreadable = |why: String| TokenError::Unreadable { path: path.to_path_buf(), why };
    let bytes = files::read(path, TOKEN_FILE_BYTES_MAX).map_err(|error| unreadable(error.to_string()))?;
    let token = bytes.trim_ascii();
    let is_legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    if !token.iter().all(is_legal) {
        return Err(TokenError::Character { path: path.to_path_buf() });
    }
    if !(TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&token.len()) {
        return Err(TokenError::Length { path: path.to_path_buf(), found: token.len() });
    }
    Ok(String::from_utf8_lossy(token).into_owned())
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_token_is_as_long_as_it_may_be_and_of_its_characters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let found = |text: &str| {
            fs::write(&path, text).unwrap();
            read(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "T"))
        };
        for chars in [TOKEN_CHARS_MIN, TOKEN_CHARS_MAX] {
            let token = "a".repeat(chars);
            assert_eq!(found(&format!("{token}\n")), Ok(token));
        }
        for chars in [TOKEN_CHARS_MIN - 1, TOKEN_CHARS_MAX + 1] {
            let error = found(&"a".repeat(chars)).unwrap_err();
            assert_eq!(
                error,
                format!(
                    "token file T has {chars} characters, expected 16 to 256; make one with: openssl rand -hex 32"
                )
            );
        }
        for text in
            ["0123456789abcdef 0123456789abcdef", "0123456789abcdef\n0123456789abcdef", "0123456789abcdé0"]
        {
            assert!(found(text).unwrap_err().contains("has a character that no token has"), "{text}");
        }
        let padded = |len: usize| format!("0123456789abcdef{}", "\n".repeat(len - 16));
        assert!(found(&padded(TOKEN_FILE_BYTES_MAX)).is_ok());
        assert!(found(&padded(TOKEN_FILE_BYTES_MAX + 1)).unwrap_err().contains("is longer than"));
    }

    #[test]
    fn a_token_that_cannot_be_read_again_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "the-first-token-0\n").unwrap();
        let token = Token::read(&path).unwrap();
        assert!(token.is(b"the-first-token-0") && !token.is(b"the-first-token-1") && !token.is(b""));
        assert!(!token.is_stale() && !token.reload().unwrap());
        fs::write(&path, "short").unwrap();
        assert!(token.is_stale() && token.reload().is_err() && token.is(b"the-first-token-0"));
        fs::write(&path, "the-second-token-0").unwrap();
        assert!(token.is_stale() && token.reload().unwrap());
        assert!(token.is(b"the-second-token-0") && !token.is(b"the-first-token-0") && !token.is_stale());
    }
}
