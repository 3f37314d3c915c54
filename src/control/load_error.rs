//! Outside. Why a routes directory gave no table, for people: what, where, what to do.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{
    limits::{DIAGNOSTICS_MAX, LOAD_TRIES_MAX, ROUTE_FILES_MAX},
    route::file::{Diagnostic, Severity},
};

use super::{admin::token::TokenError, tls::TlsError};

/// Why there is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LoadError {
    NoDirectory {
        dir: PathBuf,
    },
    NotADirectory {
        dir: PathBuf,
    },
    NoFiles {
        dir: PathBuf,
    },
    TooManyFiles {
        dir: PathBuf,
    },
    Unreadable {
        path: PathBuf,
        why: String,
    },
    /// The files changed each time while they were being read.
    Unsteady {
        dir: PathBuf,
    },
    Rejected {
        dir: PathBuf,
        diagnostics: Vec<Diagnostic>,
    },
    /// A certificate, which is read together with the routes.
    Tls(TlsError),
    /// The token of the admin port, likewise.
    Token(TokenError),
    /// Our own fault, told instead of ending the thread.
    Internal {
        what: String,
    },
    /// The same files as at the load before, with the same outcome: no news for whoever reads the log.
    Again(Box<Self>),
}

impl LoadError {
    /// What is wrong inside the files.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Rejected { diagnostics, .. } => diagnostics,
            Self::Again(error) => error.diagnostics(),
            _ => &[],
        }
    }
}

impl LoadError {
    /// Whether the same files would fail again.
    #[must_use]
    pub fn is_of_the_files(&self) -> bool {
        match self {
            Self::NoDirectory { .. }
            | Self::NotADirectory { .. }
            | Self::NoFiles { .. }
            | Self::TooManyFiles { .. }
            | Self::Unreadable { .. }
            | Self::Rejected { .. } => true,
            Self::Unsteady { .. } | Self::Tls(_) | Self::Token(_) | Self::Internal { .. } => false,
            Self::Again(error) => error.is_of_the_files(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let make = |dir: &Path| {
            let dir = dir.display();
            format!(
                "make one, e.g. mkdir -p {dir} && echo 'routes: [{{answer: {{code: 404}}}}]' > {dir}/90-default.yaml"
            )
        };
        match self {
            Self::NoDirectory { dir } => write!(f, "no routes directory {}: {}", dir.display(), make(dir)),
            Self::NotADirectory { dir } => {
                write!(
                    f,
                    "{} is not a directory: routes are read from a directory of YAML files",
                    dir.display()
                )
            }
            Self::NoFiles { dir } => {
                write!(
                    f,
                    "no route file in {}, expected at least one *.yaml or *.yml: {}",
                    dir.display(),
                    make(dir)
                )
            }
            Self::TooManyFiles { dir } => {
                write!(f, "more than {ROUTE_FILES_MAX} route files in {}: join some of them", dir.display())
            }
            Self::Unreadable { path, why } => write!(f, "{} {why}", path.display()),
            Self::Unsteady { dir } => write!(
                f,
                "{} changed each of the {LOAD_TRIES_MAX} times it was read: write files beside it and move them in, or reload when the writer is done",
                dir.display()
            ),
            Self::Rejected { dir, diagnostics } => {
                for (index, diagnostic) in diagnostics.iter().take(DIAGNOSTICS_MAX).enumerate() {
                    let line = if index == 0 { "" } else { "\n" };
                    write!(f, "{line}{}", Shown { dir, diagnostic })?;
                }
                match diagnostics.len().checked_sub(DIAGNOSTICS_MAX) {
                    Some(more @ 1..) => write!(f, "\nand {more} more"),
                    _ => Ok(()),
                }
            }
            Self::Tls(error) => error.fmt(f),
            Self::Token(error) => error.fmt(f),
            Self::Internal { what } => {
                write!(f, "internal error while loading routes: {what}; please report it")
            }
            Self::Again(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {}

/// A diagnostic in the form that editors jump to, its file found from here.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The routes directory.
    pub dir: &'a Path,
    /// What is wrong.
    pub diagnostic: &'a Diagnostic,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { file, line, column, severity, message } = self.diagnostic;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{line}:{column}: {severity}: {message}", self.dir.join(file).display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnostics_are_shown_up_to_their_limit() {
        let diagnostic = |line| Diagnostic {
            file: "a.yaml".into(),
            line,
            column: 7,
            severity: Severity::Error,
            message: "wrong".into(),
        };
        let rejected =
            |n| LoadError::Rejected { dir: "routes".into(), diagnostics: (1..=n).map(diagnostic).collect() };
        assert_eq!(
            rejected(2).to_string(),
            "routes/a.yaml:1:7: error: wrong\nroutes/a.yaml:2:7: error: wrong"
        );
        let max = u32::try_from(DIAGNOSTICS_MAX).unwrap();
        assert_eq!(rejected(max).to_string().lines().count(), DIAGNOSTICS_MAX);
        assert!(rejected(max + 3).to_string().ends_with("routes/a.yaml:50:7: error: wrong\nand 3 more"));
    }
}
