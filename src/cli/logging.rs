//! Logs: text for a person at a terminal, JSON lines for everything else, on standard error.

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How much is logged, and in which form.
#[derive(Debug, Args)]
pub struct Logging {
    /// The form of the logs; `auto` is text on a terminal and JSON otherwise.
    #[arg(
        long,
        global = true,
        env = "DISTRIBUTARY_LOG_FORMAT",
        default_value = "auto"
    )]
    log_format: LogFormat,

    /// Log more; -vv for everything. RUST_LOG overrides it.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    /// Log less; -qq for errors only.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "verbose")]
    quiet: u8,
}

/// The form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One object for each line.
    Json,
}

impl Logging {
    /// Starts logging for the whole process; only the first call does.
    pub(super) fn start(&self) {
        let terminal = std::io::stderr().is_terminal();
        let (filter, ignored) = self.filter(std::env::var_os("RUST_LOG"));
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            // It would say on standard error that standard error is gone, and panic over that.
            .log_internal_errors(false);
        let started = match (self.log_format, terminal) {
            (LogFormat::Json, _) | (LogFormat::Auto, false) => logs
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .try_init(),
            // NO_COLOR is heeded by the subscriber itself.
            (LogFormat::Text | LogFormat::Auto, true) => logs.try_init(),
            (LogFormat::Text, false) => logs.with_ansi(false).try_init(),
        };
        // Somebody else's subscriber, in a test, is as good.
        drop(started);
        if let Some(why) = ignored {
            tracing::warn!("RUST_LOG is ignored: {why}");
        }
    }

    /// What is logged, and why `RUST_LOG` has no say in it although it is set.
    fn filter(&self, rust_log: Option<OsString>) -> (EnvFilter, Option<String>) {
        // Set to nothing it would silence everything, which nobody means.
        let asked = rust_log.filter(|it| !it.is_empty()).map(|it| {
            let text = it.to_str().ok_or("it is no text")?;
            EnvFilter::try_new(text).map_err(|error| error.to_string())
        });
        match asked {
            Some(Ok(filter)) => (filter, None),
            Some(Err(why)) => (EnvFilter::new(self.levels()), Some(why)),
            None => (EnvFilter::new(self.levels()), None),
        }
    }

    fn levels(&self) -> String {
        let level = match (self.verbose, self.quiet) {
            (0, 0) => LevelFilter::INFO,
            (1, _) => LevelFilter::DEBUG,
            (2.., _) => LevelFilter::TRACE,
            (_, 1) => LevelFilter::WARN,
            (_, _) => LevelFilter::ERROR,
        };
        // The clients' own libraries are heard from `-vv` on, and when something is wrong.
        let others = if level == LevelFilter::TRACE {
            LevelFilter::DEBUG
        } else {
            level.min(LevelFilter::WARN)
        };
        // librdkafka repeats itself while a broker is away, at its error level; the source says once
        // what its lines mean.
        let kafka = if level >= LevelFilter::DEBUG {
            "debug"
        } else {
            "off"
        };
        format!("{others},librdkafka={kafka},rdkafka={kafka},distributary={level}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_decides_only_if_it_says_something_that_is_understood() {
        let logging = Logging {
            log_format: LogFormat::Auto,
            verbose: 0,
            quiet: 0,
        };
        let filter = |rust_log: &str| logging.filter(Some(rust_log.into()));
        let default = EnvFilter::new(logging.levels()).to_string();
        let (asked, ignored) = filter("distributary=trace");
        assert_eq!(asked.to_string(), "distributary=trace");
        assert_eq!(ignored, None);
        let (empty, ignored) = filter("");
        assert_eq!((empty.to_string(), ignored), (default.clone(), None));
        let (wrong, ignored) = filter("distributary=loud");
        assert_eq!((wrong.to_string(), ignored.is_some()), (default, true));
    }
}
