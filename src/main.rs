//! The `distributary` program: bootstrap only.

use std::process::ExitCode;

use distributary::cli::Cli;

/// A record is allocated on the poll thread, read on the pipeline's and freed on a sink's: what
/// the system's allocator is worst at, in time and in what it keeps.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    distributary::fault_point::arm();
    Cli::of_process().execute()
}
