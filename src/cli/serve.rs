//! Outside. `serve`: flags → [`crate::config::Config`] → [`control::serve`].

use super::{Exit, adapters, args::Global, output};
use crate::control::{self, ServeError, loader::LoadError};

/// Serves until told to stop.
pub(crate) fn run(global: &Global) -> Exit {
    let config = match adapters::load_config(global) {
        Ok(config) => config,
        Err(findings) => {
            output::diagnostics(&findings);
            return Exit::Refused;
        }
    };
    match control::serve(config) {
        Ok(()) => Exit::Ok,
        // Each line begins with its place, as those of `check` do.
        Err(ServeError::Routes(error @ LoadError::Rejected { .. })) => {
            output::stderr(&error.to_string());
            Exit::Refused
        }
        Err(error) => {
            output::stderr(&format!("error: {error}"));
            Exit::Refused
        }
    }
}
