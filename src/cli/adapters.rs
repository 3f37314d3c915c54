//! Outside. Where the command line meets the modules it starts: flags and files → [`Config`], a
//! directory → a route table. Every fault becomes a [`Diagnostic`], so that all are printed alike.

use std::path::Path;

use super::args::{Admin, Global, LogFormat};
use crate::{
    config::{self, Config},
    control::{
        config_file::{self, ConfigError},
        files,
        loader::{Load, LoadError, Loader},
    },
    route::{
        RouteTable,
        file::{Diagnostic, Severity},
    },
};

/// A table and what it was made of.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) table: RouteTable,
    pub(crate) warnings: Vec<Diagnostic>,
    /// SHA-256 of all files.
    pub(crate) hash: String,
    /// Route files read.
    pub(crate) files: usize,
}

/// The configuration file, if one is named, with the flags over it.
pub(crate) fn load_config(global: &Global) -> Result<Config, Vec<Diagnostic>> {
    let mut config = match &global.config {
        Some(path) => config_file::read(path).map_err(findings_of)?,
        None => Config::default(),
    };
    override_with(&mut config, global);
    config.file.clone_from(&global.config);
    Ok(config)
}

fn findings_of(error: ConfigError) -> Vec<Diagnostic> {
    let message = error.to_string();
    match error {
        ConfigError::Rejected { diagnostics } => diagnostics,
        ConfigError::Unreadable { path, .. } | ConfigError::Key { path, .. } => {
            vec![whole_file(&path, message)]
        }
    }
}

/// The routes directory, validated as the server validates it.
pub(crate) fn load_routes(dir: &Path) -> Result<Routes, Vec<Diagnostic>> {
    let loaded = match Loader::new(dir).load(None) {
        Ok(Load::New(loaded)) => *loaded,
        // Only said to whoever names a hash.
        Ok(Load::Same) => {
            return Err(vec![whole_file(dir, format!("{} was not read; please report this", dir.display()))]);
        }
        Err(error) => return Err(findings_of_load(dir, error)),
    };
    let files = files::route_files(dir).map_or(0, |files| files.len());
    let warnings = found_from_here(dir, loaded.warnings);
    Ok(Routes { table: loaded.table, warnings, hash: loaded.hash, files })
}

/// Why the routes could not be loaded.
pub(crate) fn findings_of_load(dir: &Path, error: LoadError) -> Vec<Diagnostic> {
    match error {
        LoadError::Rejected { diagnostics, .. } => found_from_here(dir, diagnostics),
        error => vec![whole_file(dir, error.to_string())],
    }
}

fn override_with(config: &mut Config, global: &Global) {
    if !global.listen.is_empty() {
        config.listen_on(global.listen.clone());
    }
    if let Some(routes) = &global.routes {
        config.routes = routes.clone();
    }
    match &global.admin {
        None => {}
        Some(Admin::Off) => config.admin = None,
        // Who may use it, the file says.
        Some(Admin::At(place)) => match &mut config.admin {
            Some(admin) => admin.place = place.clone(),
            None => config.admin = Some(config::Admin::at(place.clone())),
        },
    }
    if let Some(level) = global.log_level {
        config.log.level = level.into();
    }
    if let Some(format) = global.log_format {
        config.log.format = match format {
            LogFormat::Human => config::LogFormat::Human,
            LogFormat::Json => config::LogFormat::Json,
        };
    }
}

/// A finding on a file or directory as a whole; line 0 says so. Its message names the path.
fn whole_file(path: &Path, message: String) -> Diagnostic {
    Diagnostic { file: path.display().to_string(), line: 0, column: 0, severity: Severity::Error, message }
}

/// Paths that an editor finds from the directory of the shell, not from that of the routes.
pub(crate) fn found_from_here(dir: &Path, mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for finding in &mut findings {
        finding.file = dir.join(&finding.file).display().to_string();
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn place(text: &str) -> config::AdminPlace {
        config::AdminPlace::parse(text).unwrap()
    }

    fn global(flags: &[&str]) -> Global {
        Cli::try_parse_from(["waypost"].iter().chain(flags)).unwrap().global
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("w.yaml");
        fs::write(&file, "listen: [\"udp:127.0.0.1:5090\"]\nadmin: 127.0.0.1:9090\nroutes: there\n").unwrap();
        let file = file.to_str().unwrap();

        let config = load_config(&global(&["--config", file])).unwrap();
        assert_eq!(config.listen.len(), 1);
        assert_eq!(config.listen[0].address.port(), 5090);
        assert_eq!(config.admin.unwrap().place, place("127.0.0.1:9090"));
        assert_eq!(config.routes, dir.path().join("there"), "from the directory of the file");

        let flags = ["--config", file, "--listen", "udp:127.0.0.1:1", "--listen", "b=udp:[::1]:2"];
        let more = ["--admin", "off", "--routes", "here", "--log-level", "debug", "--log-format", "json"];
        let config = load_config(&global(&[&flags[..], &more].concat())).unwrap();
        let names: Vec<_> = config.listen.iter().map(|listen| &*listen.name).collect();
        assert_eq!(names, ["udp:127.0.0.1:1", "b"]);
        assert_eq!(config.settings.ourselves.listeners.len(), 2);
        assert_eq!((config.admin, config.routes), (None, PathBuf::from("here")));
        assert_eq!((config.log.level, config.log.format), (config::LogLevel::Debug, config::LogFormat::Json));
    }

    #[test]
    fn a_flag_moves_the_admin_port_and_leaves_its_token() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("w.yaml");
        fs::write(&file, "admin: {address: 127.0.0.1:9090, token_file: t}\n").unwrap();
        let file = file.to_str().unwrap();
        let admin =
            load_config(&global(&["--config", file, "--admin", "unix:/run/a"])).unwrap().admin.unwrap();
        assert_eq!((admin.place, admin.token_file), (place("unix:/run/a"), Some(dir.path().join("t"))));
        fs::write(file, "admin: off\n").unwrap();
        let admin =
            load_config(&global(&["--config", file, "--admin", "unix:/run/a"])).unwrap().admin.unwrap();
        assert_eq!((admin.place, admin.token_file), (place("unix:/run/a"), None));
    }

    #[test]
    fn without_file_and_flags_the_defaults_hold() {
        let config = load_config(&global(&[])).unwrap();
        assert_eq!(config.listen[0].address, "127.0.0.1:5060".parse().unwrap());
        assert_eq!(config.admin.unwrap().place, place("127.0.0.1:9560"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let missing = load_config(&global(&["--config", "/nowhere/w.yaml"])).unwrap_err();
        assert!(missing[0].message.contains("/nowhere/w.yaml"), "{missing:?}");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("w.yaml");
        fs::write(&file, b"# ok\n# \xff\n").unwrap();
        let wrong = load_config(&global(&["--config", file.to_str().unwrap()])).unwrap_err();
        assert!(wrong[0].message.ends_with("is not UTF-8 text"), "{wrong:?}");
        fs::write(&file, b"nonsense: 1\n").unwrap();
        let wrong = load_config(&global(&["--config", file.to_str().unwrap()])).unwrap_err();
        assert_eq!(wrong[0].line, 1);
    }

    #[test]
    fn the_key_of_a_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (file, key) = (dir.path().join("w.yaml"), dir.path().join("key"));
        fs::write(&file, format!("key_file: {}\n", key.display())).unwrap();
        fs::write(&key, "000102030405060708090a0b0c0d0e0f\n").unwrap();
        let flags = global(&["--config", file.to_str().unwrap()]);
        let config = load_config(&flags).unwrap();
        assert_eq!(config.settings.key, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        fs::write(&key, "short\n").unwrap();
        assert_eq!(load_config(&flags).unwrap_err()[0].file, key.display().to_string());
    }
}
