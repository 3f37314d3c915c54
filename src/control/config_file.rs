//! Outside. The configuration on disk: the file, and the key file that it may name.
//!
//! In:    the path of `waypost.yaml`.
//! Out:   a whole [`Config`], its key read and its paths found from here.
//! Never: judges the text; that is [`crate::config`].

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{
    config::{self, AdminPlace, Config, KeySource},
    limits::CONFIG_FILE_BYTES_MAX,
    route::file::Diagnostic,
};

use super::{files, loader::Shown};

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ConfigError {
    Unreadable { path: PathBuf, why: String },
    Rejected { diagnostics: Vec<Diagnostic> },
    Key { path: PathBuf, why: String },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => write!(f, "configuration {} {why}", path.display()),
            Self::Rejected { diagnostics } => {
                for (index, diagnostic) in diagnostics.iter().enumerate() {
                    let line = if index == 0 { "" } else { "\n" };
                    write!(f, "{line}{}", Shown { dir: Path::new(""), diagnostic })?;
                }
                Ok(())
            }
            Self::Key { path, why } => write!(f, "key file {} {why}", path.display()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Reads a configuration file. Relative paths in it start from its directory.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable { path: path.to_path_buf(), why };
    let bytes = files::read(path, CONFIG_FILE_BYTES_MAX).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8 text".to_owned()))?;
    let mut config = config::parse(&path.display().to_string(), &text)
        .map_err(|diagnostics| ConfigError::Rejected { diagnostics })?;
    config.routes = from(path, &config.routes);
    config.state = config.state.map(|state| from(path, &state));
    if let Some(tls) = &mut config.tls {
        for file in [&mut tls.certificate, &mut tls.key].into_iter().chain(&mut tls.client_ca) {
            *file = from(path, file);
        }
    }
    if let Some(admin) = &mut config.admin {
        let tls = admin.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]);
        for file in tls.chain(&mut admin.token_file) {
            *file = from(path, file);
        }
        if let AdminPlace::Unix(socket) = &mut admin.place {
            *socket = from(path, socket);
        }
    }
    if let Some(source) = &mut config.source {
        for file in source.files_mut() {
            *file = from(path, file);
        }
    }
    if let KeySource::File(file) = &config.key {
        let file = from(path, file);
        config.settings.key = read_key(&file).map_err(|why| ConfigError::Key { path: file.clone(), why })?;
        config.key = KeySource::File(file);
    }
    if let Some(hep) = &mut config.hep
        && let Some(file) = hep.key_file.take()
    {
        let file = from(path, &file);
        hep.key = read_hep_key(&file).map_err(|why| ConfigError::Key { path: file.clone(), why })?;
        hep.key_file = Some(file);
    }
    Ok(config)
}

/// A path written in the file `written_in`, as it is found from here.
fn from(written_in: &Path, path: &Path) -> PathBuf {
    match written_in.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => {
            directory.join(path.strip_prefix(".").unwrap_or(path))
        }
        _ => path.to_path_buf(),
    }
}

fn read_key(path: &Path) -> Result<[u8; 16], String> {
    let bytes = files::read(path, CONFIG_FILE_BYTES_MAX).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "is not text".to_owned())?;
    config::parse_key(&text).map_err(|why| format!("is no key: {why}"))
}

fn read_hep_key(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = files::read(path, CONFIG_FILE_BYTES_MAX).map_err(|error| error.to_string())?;
    config::parse_hep_key(&bytes).map_err(|why| format!("is no key: {why}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_text(text: &str) -> (tempfile::TempDir, Result<Config, ConfigError>) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("w.yaml"), text).unwrap();
        fs::write(dir.path().join("good"), "00112233445566778899AABBCCDDEEFF\n").unwrap();
        fs::write(dir.path().join("short"), "0011").unwrap();
        let config = read(&dir.path().join("w.yaml"));
        (dir, config)
    }

    #[test]
    fn paths_start_from_the_file() {
        let (dir, config) = read_text("admin: off\n");
        assert_eq!(config.unwrap().routes, dir.path().join("routes"));
        let (dir, config) = read_text("routes: r/s\n");
        assert_eq!(config.unwrap().routes, dir.path().join("r/s"));
        let (_dir, config) = read_text("routes: /etc/waypost/routes\n");
        assert_eq!(config.unwrap().routes, Path::new("/etc/waypost/routes"));
        assert_eq!(from(Path::new("w.yaml"), Path::new("./routes")), Path::new("./routes"));
    }

    #[test]
    fn a_key_file_is_read() {
        let (dir, config) = read_text("key_file: good\n");
        let config = config.unwrap();
        assert_eq!(config.settings.key[..3], [0x00, 0x11, 0x22]);
        assert_eq!(config.key, KeySource::File(dir.path().join("good")));
    }

    #[test]
    fn the_key_of_homer_is_read() {
        let (dir, config) = read_text("hep: {to: \"192.0.2.9:9060\", key_file: short}\n");
        let hep = config.unwrap().hep.unwrap();
        assert_eq!((hep.key, hep.key_file), (b"0011".to_vec(), Some(dir.path().join("short"))));
        let (dir, config) = read_text("hep: {to: \"192.0.2.9:9060\", key_file: none}\n");
        let shown = config.unwrap_err().to_string().replace(&dir.path().display().to_string(), "DIR");
        assert_eq!(shown, "key file DIR/none cannot be read: No such file or directory (os error 2)");
    }

    #[test]
    fn faults_say_which_file() {
        for (text, expected) in [
            (
                "key_file: short\n",
                "key file DIR/short is no key: the key has 4 digits, expected 32 hexadecimal digits; make a key with: openssl rand -hex 16",
            ),
            ("key_file: none\n", "key file DIR/none cannot be read: No such file or directory (os error 2)"),
            (
                "cancel: 1\n",
                "DIR/w.yaml:1:9: error: cancel: found \"1\", expected ignore (RFC 3261 §8.2.7, the default) or ok (answer 200, §8.3)",
            ),
        ] {
            let (dir, config) = read_text(text);
            let shown = config.unwrap_err().to_string().replace(&dir.path().display().to_string(), "DIR");
            assert_eq!(shown, expected);
        }
        assert_eq!(
            read(Path::new("/no/w.yaml")).unwrap_err().to_string(),
            "configuration /no/w.yaml cannot be read: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let (_dir, config) = read_text(&" ".repeat(CONFIG_FILE_BYTES_MAX));
        assert!(config.is_ok());
        let (_dir, config) = read_text(&" ".repeat(CONFIG_FILE_BYTES_MAX + 1));
        assert!(
            config.unwrap_err().to_string().ends_with("is longer than 1048576 bytes, the most that is read")
        );
    }
}
