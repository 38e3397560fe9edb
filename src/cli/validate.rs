//! `distributary validate`.

use std::process::ExitCode;

use clap::Args;

use super::connect::{self, Findings};
use super::output::{complain, print};
use super::{Global, refuse};
use crate::config::{self, Config, Loaded, Mistakes};
use crate::error::exit;

/// Check the configuration: every mistake at once, without network unless `--connect`.
///
/// Reads the configuration and the index settings that it names, no secret and no `ca`. With
/// `--connect` those are read, too, and the brokers and every store are asked whether they can be
/// used; nothing is changed anywhere.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Validate {
    /// Exit with 1 if there are warnings.
    #[arg(long)]
    deny_warnings: bool,
    /// Also ask the brokers for the topics and the group, and every store whether it answers.
    #[arg(long)]
    connect: bool,
}

const EXAMPLES: &str = "\
Examples:
  distributary validate --config shop.yaml
  distributary validate -c shop.yaml --deny-warnings        in a CI job
  distributary validate -c shop.yaml --set source.group=test
  distributary validate -c shop.yaml --connect              before the first start

Exit codes: 0 valid, 1 warnings that are denied, 69 brokers or a store do not answer, 74 the
answer cannot be written, 78 mistakes, in the configuration or in a file that it names.";

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
        match self.connect {
            true => self.answer(&summary(&config, ""), connect::ask(&config)),
            false => print(summary(&config, "; no network used")),
        }
    }

    fn answer(&self, summary: &str, findings: Findings) -> ExitCode {
        for warning in &findings.warnings {
            complain(format_args!("warning: {warning}"));
        }
        for error in findings.errors.iter().chain(&findings.mistakes) {
            complain(format_args!("error: {error}"));
        }
        let mut lines = vec![summary.to_owned()];
        lines.extend(findings.facts);
        let written = print(lines.join("\n"));
        if !findings.mistakes.is_empty() {
            return ExitCode::from(exit::CONFIG);
        }
        if !findings.errors.is_empty() {
            return ExitCode::from(exit::UNAVAILABLE);
        }
        match self.deny_warnings && !findings.warnings.is_empty() {
            true => ExitCode::from(exit::NO),
            false => written,
        }
    }
}

fn summary(config: &Config, network: &str) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!(
        "valid: {}, {}, {}{network}",
        count(config.tables.len(), "table"),
        count(config.sinks.len(), "sink"),
        count(config.projections.len(), "projection")
    )
}
