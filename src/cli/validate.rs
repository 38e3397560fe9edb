//! `distributary validate`.

use std::process::ExitCode;

use clap::Args;

use super::output::print;
use super::{Global, refuse};
use crate::config::{self, Config, Loaded, Mistakes};

/// Check the configuration: every mistake at once, without network.
///
/// Reads the configuration and the index settings that it names, and no secret.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Validate {
    /// Exit with 1 if there are warnings.
    #[arg(long)]
    deny_warnings: bool,
}

const EXAMPLES: &str = "\
Examples:
  distributary validate --config shop.yaml
  distributary validate -c shop.yaml --deny-warnings        in a CI job
  distributary validate -c shop.yaml --set source.group=test

Exit codes: 0 valid, 1 warnings that are denied, 74 the answer cannot be written, 78 mistakes.";

impl Validate {
    pub(super) fn execute(&self, global: &Global) -> ExitCode {
        match config::load(&global.inputs()) {
            Ok(loaded) => self.report(loaded),
            Err(mistakes) => refuse(&mistakes),
        }
    }

    fn report(&self, Loaded { config, warnings }: Loaded) -> ExitCode {
        let denied = self.deny_warnings && !warnings.is_empty();
        let code = if warnings.is_empty() {
            ExitCode::SUCCESS
        } else {
            refuse(&Mistakes(warnings))
        };
        if denied {
            return code;
        }
        print(summary(&config))
    }
}

fn summary(config: &Config) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!(
        "valid: {}, {}, {}; no network used",
        count(config.tables.len(), "table"),
        count(config.sinks.len(), "sink"),
        count(config.projections.len(), "projection")
    )
}
