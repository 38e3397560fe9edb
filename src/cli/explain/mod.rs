//! `distributary explain`: what one record means to each store, said by the code that `run` runs.

mod event;
mod meaning;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use event::Event;

use super::output::{complain, print};
use super::{Global, check_projections, refuse};
use crate::change::{Change, Op, ProjectionId, Row};
use crate::config::{Config, OnTruncate, Projection};
use crate::envelope::{Decoded, Decoder, Ignored, KeyMoves, OLD_KEY, is_placeholder};
use crate::error::exit;

/// Say what one change means to each store, and change nothing.
///
/// A change is the value of a record as Debezium writes it, with or without its schema. In a file it
/// has neither key nor headers: the key is made of the row. What is said holds the row's values.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Explain {
    /// A file with one change, or `-` for standard input.
    #[arg(value_name = "EVENT", required_unless_present = "topic")]
    event: Option<PathBuf>,

    /// Instead of a file: a record of this topic.
    #[arg(
        long,
        conflicts_with = "event",
        requires_all = ["partition", "offset"]
    )]
    topic: Option<String>,

    /// The record's partition.
    #[arg(long, requires = "topic", value_name = "NUMBER")]
    partition: Option<i32>,

    /// The record's offset.
    #[arg(long, requires = "topic")]
    offset: Option<i64>,

    /// Only this projection. Repeatable.
    #[arg(long, value_name = "NAME")]
    projection: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  distributary explain change.json --config shop.yaml
  distributary explain --topic products-events --partition 2 --offset 1042 --config shop.yaml
  distributary explain - --projection products-index < change.json

Exit codes: 0 said, 1 the record can never be applied or is not there, 2 usage, 69 Kafka cannot be
asked, 74 the answer cannot be written, 78 the configuration is invalid.";

/// What a record means, and whether it can be applied.
struct Explanation {
    text: String,
    is_poison: bool,
}

impl Explain {
    pub(super) fn execute(&self, global: &Global) -> ExitCode {
        let config = match global.load() {
            Ok(config) => config,
            Err(mistakes) => return refuse(&mistakes),
        };
        if let Err(code) = check_projections(&config, "--projection", &self.projection) {
            return code;
        }
        let read = match (&self.topic, &self.event) {
            (Some(topic), _) => {
                let (partition, offset) = (self.partition, self.offset);
                event::of_kafka(&config, topic, partition.zip(offset).unwrap_or_default())
            }
            (None, event) => event::of_file(&config, event.as_deref()),
        };
        match read {
            Ok(event) => self.answer(&config, &event),
            Err(unread) => {
                complain(format_args!("error: {unread}"));
                ExitCode::from(unread.exit_code())
            }
        }
    }

    fn answer(&self, config: &Config, event: &Event) -> ExitCode {
        let explanation = self.explain(config, event);
        let printed = print(explanation.text);
        if printed == ExitCode::SUCCESS && explanation.is_poison {
            return ExitCode::from(exit::NO);
        }
        printed
    }

    fn explain(&self, config: &Config, event: &Event) -> Explanation {
        let mut decoder = Decoder::new(&config.tables);
        let said = |text: String| Explanation {
            text,
            is_poison: false,
        };
        let input = event.original.input(event.offset);
        match decoder.decode(event.table, &mut KeyMoves::default(), input) {
            Ok(Decoded::Change(change)) => self.meanings(config, &change),
            Ok(Decoded::Ignored(reason)) => {
                said(format!("concerns no store: {}", Ignored::as_str(reason)))
            }
            Ok(Decoded::Truncate(_)) => said(match config.table(event.table).on_truncate {
                OnTruncate::Stop => "the table was emptied: the program stops".to_owned(),
                OnTruncate::Ignore => "the table was emptied: ignored, as configured".to_owned(),
                OnTruncate::Apply => {
                    "the table was emptied: everything older goes from each store".to_owned()
                }
            }),
            Err(error) => Explanation {
                text: format!("can never be applied: {error}"),
                is_poison: true,
            },
        }
    }

    fn meanings(&self, config: &Config, change: &Change<'_>) -> Explanation {
        let mut explanation = Explanation {
            text: headline(config, change),
            is_poison: false,
        };
        let table = config.table(change.table);
        if change.lacks_old_row(table.full_identity) {
            explanation.text.push_str(&format!(
                "\nthe old row is missing, so what is made of its values is not known and stays: {}",
                table.old_row_advice()
            ));
        }
        explanation.text.push_str(&placeholders(change));
        let is_meant = |it: &Projection| {
            let is_asked = self.projection.is_empty() || self.projection.contains(&it.name);
            is_asked && it.kind.from() == Some(change.table)
        };
        if !config.projections.iter().any(is_meant) {
            explanation.text.push_str(match self.projection.is_empty() {
                true => "\nno projection reads this table",
                false => "\nnone of these projections reads this table",
            });
        }
        for (id, projection) in (0..).map(ProjectionId).zip(&config.projections) {
            if !is_meant(projection) {
                continue;
            }
            let meaning = meaning::of(id, projection, &table.sql_name(), change);
            explanation.is_poison |= meaning.is_err();
            let lines =
                meaning.unwrap_or_else(|error| vec![format!("can never be applied: {error}")]);
            let head = format!("\n{} · {}", projection.sink, projection.name);
            explanation.text.push_str(&head);
            for line in lines.iter().flat_map(|it| it.lines()) {
                explanation.text.push_str("\n  ");
                explanation.text.push_str(line);
            }
        }
        explanation
    }
}

/// What is to be known of placeholders that are taken for values.
fn placeholders(change: &Change<'_>) -> String {
    let columns = change.after.iter().flat_map(Row::columns);
    let columns = columns.filter(|(_, value)| value.json().is_some_and(is_placeholder));
    let columns: Vec<&str> = columns.map(|(column, _)| column).collect();
    match columns[..] {
        [] => String::new(),
        _ => format!(
            "\nDebezium's placeholder for what was not sent is taken for a value, in {}: it stands for \
             none only in an update and in the insert of a row whose key has changed, which a file \
             cannot say (the record's header `{OLD_KEY}` does)",
            columns.join(", ")
        ),
    }
}

/// Table, what happened, key, version.
fn headline(config: &Config, change: &Change<'_>) -> String {
    let what = match change.op {
        Op::Create => "inserted",
        Op::Update => "updated",
        Op::Read => "read by a snapshot",
        Op::Delete => "deleted",
        Op::Leave => "left to another row, which took the key in the same transaction",
    };
    let key = meaning::object(change.key.columns());
    let moved = change.moved_from.as_ref();
    let moved = moved.map_or(String::new(), |old| {
        format!(", had the key {}", meaning::object(old.columns()))
    });
    format!(
        "{} {key} {what}{moved}, version {}",
        config.table(change.table).name,
        change.version
    )
}
