//! The `distributary` program: bootstrap only.

use std::process::ExitCode;

use clap::Parser;
use distributary::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().execute()
}
