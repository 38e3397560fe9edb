//! The command line: one file per command.
//!
//! Data goes to standard output, messages to standard error. No flag ever takes a secret. A new
//! command is a file here, a variant of [`Command`] and an arm of [`Cli::execute`].

mod connect;
mod explain;
mod logging;
mod offsets;
mod output;
mod run;
mod validate;
mod version;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{OsStringValueParser, Resettable, TypedValueParser as _};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::{self, Config, Inputs, Mistakes, Severity};
use crate::error::exit;
pub use logging::{LogFormat, Logging};
use output::complain;

/// Keeps Elasticsearch, Redis and Neo4j in step with Postgres from Debezium's change topics on
/// Kafka.
#[derive(Debug, Parser)]
#[command(
    name = "distributary",
    version = version::VERSION.as_str(),
    propagate_version = true,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  distributary run --config shop.yaml
  distributary validate --config shop.yaml
  distributary offsets show --config shop.yaml
  distributary explain change.json --config shop.yaml
  distributary validate -c base.yaml -c production.yaml --deny-warnings

Exit codes: 0 done, 1 the answer is no, 2 usage, 65 stopped on data, 69 a dependency cannot be
used, 70 a bug, 74 done but the answer cannot be written, 75 start again (the drain timed out, or
Kafka's password has changed), 78 the configuration is invalid or a store cannot be used as it is,
130/143 second SIGINT/SIGTERM.";

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file; a later one overrides an earlier one, key by key.
    #[arg(
        short,
        long,
        global = true,
        env = "DISTRIBUTARY_CONFIG",
        value_delimiter = ',',
        value_parser = OsStringValueParser::new().try_map(file),
        value_name = "FILE",
        default_value = "distributary.yaml"
    )]
    config: Vec<PathBuf>,

    /// Overrides one key, `source.group=test`; as does DISTRIBUTARY__SOURCE__GROUP=test.
    #[arg(long, global = true, value_name = "PATH=VALUE")]
    set: Vec<String>,

    #[command(flatten)]
    logging: Logging,
}

impl Global {
    /// Loads the configuration; warnings are logged.
    ///
    /// # Errors
    /// Every mistake in it; exit code 78.
    pub fn load(&self) -> Result<Config, Mistakes> {
        let loaded = config::load(&self.inputs())?;
        for warning in &loaded.warnings {
            let place = &warning.place;
            tracing::warn!(
                file = %place.origin,
                line = place.line,
                column = place.column,
                path = %warning.path,
                "{}",
                warning.message
            );
        }
        Ok(loaded.config)
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            files: self.config.clone(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
            assignments: self.set.clone(),
        }
    }
}

/// A configuration file as it is named.
fn file(name: OsString) -> Result<PathBuf, &'static str> {
    match name.is_empty() {
        true => Err("a name is empty; --config or DISTRIBUTARY_CONFIG has a comma too many"),
        false => Ok(name.into()),
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the configuration: every mistake at once, without network unless `--connect`.
    Validate(validate::Validate),
    /// Consume the topics and keep the stores in step, until SIGTERM.
    Run(run::Run),
    /// Show or reset the group's committed offsets.
    Offsets(offsets::Offsets),
    /// Say what one change means to each store, and change nothing.
    Explain(explain::Explain),
}

impl Cli {
    /// The command line of this process. A variable that is set to nothing counts as not set.
    #[must_use]
    pub fn of_process() -> Self {
        let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|it| it.is_empty());
        let command = Self::command().mut_args(|it| match it.get_env() {
            Some(name) if is_empty(name) => it.env(Resettable::Reset),
            _ => it,
        });
        let matches = command.get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Starts the logs and does what is asked.
    #[must_use]
    pub fn execute(self) -> ExitCode {
        self.global.logging.start();
        match self.command {
            Command::Validate(command) => command.execute(&self.global),
            Command::Run(command) => command.execute(&self.global),
            Command::Offsets(command) => command.execute(&self.global),
            Command::Explain(command) => command.execute(&self.global),
        }
    }
}

/// Whether the configuration has these projections, which a flag names; the exit code otherwise.
fn check_projections(config: &Config, flag: &str, names: &[String]) -> Result<(), ExitCode> {
    let known = |name: &&String| config.projections.iter().any(|it| it.name == **name);
    let Some(unknown) = names.iter().find(|name| !known(name)) else {
        return Ok(());
    };
    complain(format_args!(
        "error: {flag} {unknown}: the configuration has no such projection"
    ));
    Err(ExitCode::from(exit::USAGE))
}

/// Shows the mistakes of a configuration to a person.
fn refuse(mistakes: &Mistakes) -> ExitCode {
    complain(mistakes);
    let only_warnings = mistakes.0.iter().all(|it| it.severity == Severity::Warning);
    ExitCode::from(if only_warnings {
        exit::NO
    } else {
        exit::CONFIG
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_partition_is_one_of_a_topic_that_is_named() {
        let parsed = |arguments: &str| {
            let reset = "distributary offsets reset --to-earliest --partition 1 ";
            Cli::try_parse_from((reset.to_owned() + arguments).split_whitespace())
        };
        assert!(parsed("--topic orders-events").is_ok());
        assert!(parsed("--all-topics").is_err());
    }
}
