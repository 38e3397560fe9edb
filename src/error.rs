//! Why the process stops, and with which exit code.
//!
//! Every stop but an asked-for one is an error of this type; the next start replays from the last
//! commit. Codes follow `sysexits.h` where it has one.

use std::error::Error;

use crate::source::SourceError;

/// What an error says, and what each of its causes adds to that.
#[must_use]
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Why a running pipeline stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// A record that can never be applied, under `on_poison: stop`.
    #[error(
        "{place} can never be applied{target}: {reason}. Mend the cause, or let such records go to \
         a topic (`on_poison: dead_letter`), or skip this one with `distributary offsets reset \
         --topic {topic} --partition {partition} --to-offset {next} --execute` (and `--group` where \
         each sink has its own)",
        next = offset + 1,
        place = format_args!("the record at offset {offset} of partition {partition} of topic `{topic}`")
    )]
    Poison {
        /// The record's topic.
        topic: String,
        /// The record's partition.
        partition: i32,
        /// The record's offset.
        offset: i64,
        /// ` by sink … for projection …`, or nothing.
        target: String,
        /// Why, without the row's values.
        reason: String,
    },
    /// A table was truncated under `on_truncate: stop`, or an apply that cannot be done.
    #[error("{0}")]
    Truncated(String),
    /// Commits, topics and stores do not belong together (D3, D15).
    #[error("{0}")]
    Mismatch(String),
    /// A store that cannot be used as it is.
    #[error("sink `{sink}`: {reason}")]
    Store {
        /// The sink's name.
        sink: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The Kafka side.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The drain did not end in time; what it left is done again after the next start.
    #[error(
        "not everything in flight was acknowledged within `drain_timeout`; the rest is done again \
         after the next start"
    )]
    DrainTimedOut,
    /// Something that the program's own rules exclude.
    #[error("a bug in distributary: {0}; the next start goes on from the last commit")]
    Bug(String),
}

impl Fatal {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Poison { .. } | Self::Truncated(_) | Self::Mismatch(_) => exit::DATA,
            Self::Store { .. } => exit::CONFIG,
            Self::Source(SourceError::Mismatch(_) | SourceError::Unreadable(_)) => exit::DATA,
            Self::Source(SourceError::Settings(_) | SourceError::Secret(_)) => exit::CONFIG,
            Self::Source(SourceError::Consumer(_)) => exit::UNAVAILABLE,
            Self::Source(SourceError::Rotated) | Self::DrainTimedOut => exit::TEMPORARY,
            Self::Bug(_) => exit::SOFTWARE,
        }
    }
}

/// Exit codes.
pub mod exit {
    /// The command ran, and its answer is no.
    pub const NO: u8 = 1;
    /// How the command was called (clap's own).
    pub const USAGE: u8 = 2;
    /// A policy stopped on data (`EX_DATAERR`).
    pub const DATA: u8 = 65;
    /// Something we depend on cannot be used (`EX_UNAVAILABLE`).
    pub const UNAVAILABLE: u8 = 69;
    /// A bug (`EX_SOFTWARE`).
    pub const SOFTWARE: u8 = 70;
    /// Done, and the answer cannot be written (`EX_IOERR`).
    pub const OUTPUT: u8 = 74;
    /// Try again (`EX_TEMPFAIL`).
    pub const TEMPORARY: u8 = 75;
    /// The configuration, or a store that cannot be used as it is (`EX_CONFIG`).
    pub const CONFIG: u8 = 78;
    /// The second SIGINT, which does not wait.
    pub const INTERRUPTED: u8 = 130;
    /// The second SIGTERM, which does not wait.
    pub const TERMINATED: u8 = 143;
}
