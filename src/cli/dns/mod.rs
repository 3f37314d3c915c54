//! Outside. `enum` and `locate`: the pure functions of [`crate::dns`], driven by hand, each step shown.
//!
//! In:    [`EnumArgs`], [`LocateArgs`]; configuration and routes as `serve` would read them.
//! Out:   every name asked with its answer, what is made of each record, the result.
//! Never: knows a rule of its own: what a record is worth is said by the look-up itself.

mod apexes;
mod asking;
mod enum_json;
mod enum_page;
mod enumerate;
mod locating;
mod show;

use std::net::SocketAddr;

pub(crate) use enumerate::run as run_enum;
pub(crate) use locating::run as run_locate;

use super::{Exit, output};
use crate::config::Config;

/// Whom to ask: those of the command line, else those of the configuration; none: /etc/resolv.conf.
fn servers(named: &[SocketAddr], config: &Config) -> Vec<SocketAddr> {
    if named.is_empty() { config.dns_servers.clone() } else { named.to_vec() }
}

fn refuse(message: &str, exit: Exit) -> Exit {
    output::stderr(&format!("error: {message}"));
    exit
}
