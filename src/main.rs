//! Outside. Flags in, exit code out; everything else is [`waypost::cli`].

use std::process::ExitCode;

use clap::Parser as _;
use waypost::cli::{self, Cli};

fn main() -> ExitCode {
    // A wrong flag ends here with 2 and its usage; `--help` and `--version` with 0.
    cli::run(Cli::parse()).into()
}
