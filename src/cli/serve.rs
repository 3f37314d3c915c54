//! Outside. `serve`: flags → [`crate::config::Config`] → [`control::serve`].

use super::{Exit, adapters, args::Global, output};
use crate::control;

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
        Err(error) => {
            output::stderr(&format!("error: {error}"));
            Exit::Refused
        }
    }
}
