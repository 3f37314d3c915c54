//! Outside. The command line: flags → [`crate::config::Config`] → what was asked for → exit code.
//!
//! In:    what clap read ([`Cli`], the one definition that help, completions and man page come from).
//! Out:   text or JSON on stdout, trouble on stderr, an [`Exit`].
//! Never: decides anything about a call; `explain` runs [`crate::decide`], `check` the loader, `enum`
//! and `locate` [`crate::dns`].

mod adapters;
mod args;
mod ask;
mod check;
mod compile;
mod ctl;
mod diff;
mod dns;
mod explain;
mod flags;
mod help;
mod output;
mod pages;
mod publish;
mod serve;
mod target;

use std::process::ExitCode;

pub(crate) use crate::control::explain::describe;

pub use args::{Cli, Command, Global};

/// How a command ended. Scripts rely on the numbers: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It did what was asked.
    Ok = 0,
    /// Configuration or routes are refused, or the server could not run. `diff`: calls differ. `ctl`: the server
    /// refuses.
    Refused = 1,
    /// The command line is wrong. `diff`: any error.
    Usage = 2,
    /// `check`, `compile`, `publish`: warnings only.
    Warnings = 3,
    /// `ask`: no answer. `enum`, `locate`: DNS did not answer. `explain --live`, `ctl`: no server to ask.
    Unreachable = 4,
    /// `explain`: no route answered. `ask`: an answer that is not a redirect. `enum`, `locate`: DNS has nothing.
    NoRoute = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs one command to its end.
#[must_use]
pub fn run(cli: Cli) -> Exit {
    let global = &cli.global;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(global),
        Command::Check(args) => check::run(global, &args),
        Command::Compile(args) => compile::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Explain(args) => explain::run(global, &args),
        Command::Diff(args) => diff::run(global, &args),
        Command::Ctl(args) => ctl::run(global, &args),
        Command::Ask(args) => ask::run(&args),
        Command::Enum(args) => dns::run_enum(global, &args),
        Command::Locate(args) => dns::run_locate(global, &args),
        Command::Schema => pages::schema(),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man => pages::man(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn exit_codes_are_those_of_the_help() {
        let codes = [Exit::Ok, Exit::Refused, Exit::Usage, Exit::Warnings, Exit::Unreachable, Exit::NoRoute];
        assert_eq!(codes.map(|exit| exit as u8), [0, 1, 2, 3, 4, 5]);
    }
}
