//! `distributary offsets show|reset`: where the group stands, and sending a stopped group
//! elsewhere, with the semantics and flag names of `kafka-consumer-groups`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::output::{complain, print};
use super::{Global, refuse};
use crate::clock::now_ms;
use crate::config::Config;
use crate::error::{exit, in_full};
use crate::source::admin::{Admin, MISSING, Standing, Unanswered};
use crate::source::{CommitNote, NextOffset};

/// Show or reset the group's committed offsets.
#[derive(Debug, Args)]
pub struct Offsets {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Where the group stands on each partition, and how far behind it is.
    #[command(after_help = SHOW)]
    Show(Which),
    /// Send a stopped group elsewhere. A dry run until `--execute`.
    #[command(after_help = RESET)]
    Reset(Reset),
}

const SHOW: &str = "\
Examples:
  distributary offsets show --config shop.yaml
  distributary offsets show --group shop.search --topic products-events";

const RESET: &str = "\
Examples:
  distributary offsets reset --to-earliest --all-topics              # says what would happen
  distributary offsets reset --to-earliest --all-topics --execute    # a replay in place
  distributary offsets reset --topic orders-events --partition 2 --to-offset 1042 --execute
  distributary offsets reset --topic orders-events --by-duration 2h --execute
  distributary offsets reset --to-earliest --all-topics --group shop.search    # `groups: per_sink`

A replay in place brings back what is missing and never lets a row regress; a row that was deleted
since may reappear until the replay reaches its delete.";

#[derive(Debug, Args)]
struct Which {
    /// The group, where `source.groups: per_sink` makes several.
    #[arg(long)]
    group: Option<String>,
    /// Only this topic. Repeatable.
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Only these partitions of the topic. Repeatable.
    #[arg(long, requires = "topic", value_name = "NUMBER")]
    partition: Vec<i32>,
}

#[derive(Debug, Args)]
struct Reset {
    #[command(flatten)]
    which: Which,
    /// Every topic of the configuration.
    // A partition's `requires` gives way to a conflict, so this one is said here.
    #[arg(long, conflicts_with_all = ["topic", "partition"], required_unless_present = "topic")]
    all_topics: bool,
    #[command(flatten)]
    target: Target,
    /// Do it.
    #[arg(long)]
    execute: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// To the first offset still there.
    #[arg(long)]
    to_earliest: bool,
    /// Past the last record: everything unread is skipped.
    #[arg(long)]
    to_latest: bool,
    /// To this offset, brought into the log's bounds.
    #[arg(long, value_name = "OFFSET")]
    to_offset: Option<i64>,
    /// By so many records forwards, or backwards if negative.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shift_by: Option<i64>,
    /// To the first record since this time, such as 2026-11-21T10:00:00.000Z.
    #[arg(long, value_name = "TIME")]
    to_datetime: Option<jiff::Timestamp>,
    /// To the first record of the last so long, such as 2h or 3days.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    by_duration: Option<Duration>,
}

/// Why nothing was shown or changed.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the configuration has no topic `{0}`; its topics are {1}")]
    UnknownTopic(String, String),
    #[error("the configuration has no group `{0}`; its groups are {1}")]
    UnknownGroup(String, String),
    #[error(
        "the configuration has several groups (`groups: per_sink`): say which with --group; they are {0}"
    )]
    SeveralGroups(String),
    #[error(transparent)]
    Source(#[from] crate::source::SourceError),
    #[error("no broker answered (are `source.brokers` right and reachable?)")]
    Kafka(#[from] Unanswered),
    #[error("group `{0}` has running members ({1}); stop every instance first, then reset")]
    Running(String, usize),
    #[error("topic `{0}` does not exist, or has no partition that was asked for")]
    NoPartition(String),
    #[error("none of the configuration's topics is there, or may be seen: nothing to reset")]
    NoTopic,
}

impl Refusal {
    fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownTopic(..) | Self::UnknownGroup(..) | Self::SeveralGroups(_) => exit::USAGE,
            Self::Source(_) => exit::CONFIG,
            Self::Kafka(_) => exit::UNAVAILABLE,
            Self::Running(..) | Self::NoPartition(_) | Self::NoTopic => exit::NO,
        }
    }
}

impl Offsets {
    /// Shows or resets.
    pub(super) fn execute(self, global: &Global) -> ExitCode {
        let config = match global.load() {
            Ok(config) => config,
            Err(mistakes) => return refuse(&mistakes),
        };
        let done = match self.action {
            Action::Show(which) => show(&config, &which),
            Action::Reset(reset) => reset.run(&config),
        };
        match done {
            Ok(answer) => print(answer),
            Err(refusal) => {
                complain(format_args!("error: {}", in_full(&refusal)));
                ExitCode::from(refusal.exit_code())
            }
        }
    }
}

impl Which {
    /// The groups that are meant, all of them where none is named.
    fn groups(&self, config: &Config) -> Result<Vec<String>, Refusal> {
        let groups: Vec<String> = config.groups().into_keys().collect();
        match &self.group {
            None => Ok(groups),
            Some(named) if groups.contains(named) => Ok(vec![named.clone()]),
            Some(unknown) => Err(Refusal::UnknownGroup(unknown.clone(), groups.join(", "))),
        }
    }

    fn found(&self, config: &Config, admin: &Admin) -> Result<Found, Refusal> {
        let known: Vec<&str> = config.tables.iter().map(|it| it.topic.as_str()).collect();
        if let Some(unknown) = self.topic.iter().find(|it| !known.contains(&it.as_str())) {
            return Err(Refusal::UnknownTopic(unknown.clone(), known.join(", ")));
        }
        let named: Vec<&str> = self.topic.iter().map(String::as_str).collect();
        let topics = if named.is_empty() { known } else { named };
        let mut standings = admin.standings(&topics)?;
        if !self.partition.is_empty() {
            standings.retain(|it| self.partition.contains(&it.partition));
        }
        let is_there = |topic: &str| standings.iter().any(|it| it.topic == topic);
        if let Some(topic) = self.topic.iter().find(|it| !is_there(it)) {
            return Err(Refusal::NoPartition(topic.clone()));
        }
        let missing = topics.into_iter().filter(|it| !is_there(it));
        Ok(Found {
            missing: missing.map(str::to_owned).collect(),
            standings,
        })
    }
}

/// What there is of the topics that were asked for.
struct Found {
    standings: Vec<Standing>,
    /// Topics of the configuration that do not exist yet, or may not be read.
    missing: Vec<String>,
}

impl Found {
    /// How wide the column of topics is.
    fn width(&self) -> usize {
        let topics = self.standings.iter().map(|it| it.topic.len());
        let topics = topics.chain(self.missing.iter().map(String::len));
        topics.fold("TOPIC".len(), usize::max)
    }

    /// A row for each topic that has none.
    fn missing_rows(&self) -> impl Iterator<Item = String> {
        let width = self.width();
        let row = move |topic: &String| format!("{topic:width$}  {MISSING}");
        self.missing.iter().map(row)
    }
}

/// What `show` answers.
fn show(config: &Config, which: &Which) -> Result<String, Refusal> {
    let groups = which.groups(config)?;
    let shown: Result<Vec<_>, _> = groups
        .iter()
        .map(|group| show_group(config, which, group))
        .collect();
    Ok(shown?.join("\n\n"))
}

fn show_group(config: &Config, which: &Which, group: &str) -> Result<String, Refusal> {
    let admin = Admin::new(&config.source, group)?;
    let found = which.found(config, &admin)?;
    let members = admin.members(group)?;
    let mut lines = vec![format!("group {group}, running members: {members}")];
    let width = found.width();
    lines.push(format!(
        "{:width$}  PARTITION  {:>14}  {:>14}  {:>10}",
        "TOPIC", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"
    ));
    for it in &found.standings {
        let lag = it.current().map(|next| (it.high - next).max(0));
        lines.push(format!(
            "{:width$}  {:>9}  {:>14}  {:>14}  {:>10}",
            it.topic,
            it.partition,
            or_dash(it.current()),
            it.high,
            or_dash(lag)
        ));
    }
    lines.extend(found.missing_rows());
    Ok(lines.join("\n"))
}

fn or_dash(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |it| it.to_string())
}

impl Reset {
    /// Resets, or finds out what that would do; what it answers.
    fn run(&self, config: &Config) -> Result<String, Refusal> {
        let groups = self.which.groups(config)?;
        let [group] = groups.as_slice() else {
            return Err(Refusal::SeveralGroups(groups.join(", ")));
        };
        let admin = Admin::new(&config.source, group)?;
        let found = self.which.found(config, &admin)?;
        if found.standings.is_empty() {
            return Err(Refusal::NoTopic);
        }
        let offsets = self.target.offsets(&admin, &found.standings)?;
        let width = found.width();
        let mut lines = vec![format!(
            "{:width$}  PARTITION  {:>14}  {:>14}",
            "TOPIC", "CURRENT-OFFSET", "NEW-OFFSET"
        )];
        let missing: Vec<_> = found.missing_rows().collect();
        let mut commits = Vec::with_capacity(found.standings.len());
        for (standing, new) in found.standings.into_iter().zip(offsets) {
            let new = new.clamp(standing.low, standing.high);
            let (topic, partition) = (&standing.topic, standing.partition);
            let current = or_dash(standing.current());
            lines.push(format!(
                "{topic:width$}  {partition:>9}  {current:>14}  {new:>14}"
            ));
            let note = note(config, &admin, &standing)?;
            commits.push((standing, NextOffset::given(new), note));
        }
        lines.extend(missing);
        lines.push(if self.execute {
            commit(&admin, group, &commits)?;
            format!("group {group}: {} partitions reset", commits.len())
        } else {
            "dry run: nothing was changed; add --execute to do it".to_owned()
        });
        Ok(lines.join("\n"))
    }
}

/// Commits for a group that nobody is in.
fn commit(
    admin: &Admin,
    group: &str,
    commits: &[(Standing, NextOffset, CommitNote)],
) -> Result<(), Refusal> {
    let members = admin.members(group)?;
    if members > 0 {
        return Err(Refusal::Running(group.to_owned(), members));
    }
    admin.commit(commits).map_err(|error| {
        if error.is_group_running() {
            Refusal::Running(group.to_owned(), 1)
        } else {
            error.into()
        }
    })
}

/// The note of a reset: it belongs to the topic as it is and to the configured epoch; the last
/// record below it is not known. Within an epoch the stores are not emptied, so a compacted topic
/// that was left too long is not mended by a replay over them; a new epoch begins with none. Where
/// there is no commit it may have expired, and nothing tells what the stores hold.
fn note(config: &Config, admin: &Admin, standing: &Standing) -> Result<CommitNote, Refusal> {
    let epoch = config
        .tables
        .iter()
        .find(|it| it.topic == standing.topic)
        .map_or(0, |it| it.epoch);
    let partitions = admin.partitions(&standing.topic)?.len();
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
    let as_of = match &standing.commit {
        Some(commit) => match &commit.note {
            Some(note) if note.epoch != epoch => Some(now_ms()),
            note => note.as_ref().and_then(CommitNote::as_of),
        },
        None => Some(CommitNote::NOBODY_KNOWS),
    };
    Ok(CommitNote {
        epoch,
        partitions,
        last: None,
        as_of,
        since: None,
    })
}

impl Target {
    fn offsets(&self, admin: &Admin, standings: &[Standing]) -> Result<Vec<i64>, Refusal> {
        let since = self.by_duration.map(|ago| {
            let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            now_ms().saturating_sub(ago).max(0)
        });
        if let Some(time) = self
            .to_datetime
            .map(jiff::Timestamp::as_millisecond)
            .or(since)
        {
            return Ok(admin.at_time(standings, time)?);
        }
        let one = |it: &Standing| {
            let current = it.current().unwrap_or(it.low);
            match (self.to_offset, self.shift_by) {
                (Some(offset), _) => offset,
                (None, Some(by)) => current.saturating_add(by),
                (None, None) if self.to_latest => it.high,
                (None, None) => it.low,
            }
        };
        Ok(standings.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::KafkaError;

    use super::*;
    use crate::source::SourceError;

    #[test]
    fn a_topic_that_is_not_there_has_a_row_of_its_own() {
        let found = Found {
            standings: Vec::new(),
            missing: vec!["orders-events".into()],
        };
        let rows: Vec<_> = found.missing_rows().collect();
        assert_eq!(rows, ["orders-events  not there, or may not be read"]);
    }

    #[test]
    fn a_refusal_says_its_cause_once() {
        let cause = KafkaError::ClientCreation("no such certificate".into());
        let refusal = Refusal::from(SourceError::Settings(cause));
        assert_eq!(
            in_full(&refusal),
            "librdkafka refuses the settings of `source`: Client creation error: no such certificate"
        );
    }
}
