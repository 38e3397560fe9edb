//! The `distributary` program: bootstrap only.

use std::process::ExitCode;

use clap::Parser;
use distributary::cli::Cli;

fn main() -> ExitCode {
    distributary::fault_point::arm();
    Cli::parse().execute()
}
