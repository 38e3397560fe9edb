//! `distributary validate --connect`: whether the brokers and every store can be used, asked
//! without changing anything.

use crate::config::{Config, OnPoison};
use crate::error::in_full;
use crate::pipeline::store;
use crate::sink::SinkError;
use crate::source::admin::{Admin, MISSING, MISSING_DEAD_LETTERS, Standing, Unanswered};

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What is as it should be.
    pub(super) facts: Vec<String>,
    /// What `run` goes on with, and a person should know of.
    pub(super) warnings: Vec<String>,
    /// What `run` would wait for.
    pub(super) errors: Vec<String>,
    /// What `run` would stop at.
    pub(super) mistakes: Vec<String>,
}

/// Asks everything that the configuration names.
pub(super) fn ask(config: &Config) -> Findings {
    let mut findings = Findings::default();
    for group in config.groups().keys() {
        findings.ask_kafka(config, group);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(findings.ask_stores(config)),
        Err(error) => findings
            .errors
            .push(format!("the stores cannot be asked: {error}")),
    }
    findings
}

impl Findings {
    fn ask_kafka(&mut self, config: &Config, group: &str) {
        let admin = match Admin::new(&config.source, group) {
            Ok(admin) => admin,
            Err(error) => return self.mistakes.push(format!("kafka: {}", in_full(&error))),
        };
        if let Err(error) = self.ask_brokers(config, group, &admin) {
            self.errors.push(format!(
                "kafka, group {group}: {error}; are `source.brokers` and `source.security` right?"
            ));
        }
    }

    fn ask_brokers(
        &mut self,
        config: &Config,
        group: &str,
        admin: &Admin,
    ) -> Result<(), Unanswered> {
        let topics: Vec<&str> = config.tables.iter().map(|it| it.topic.as_str()).collect();
        let standings = admin.standings(&topics)?;
        let committed = standings.iter().filter(|it| it.commit.is_some()).count();
        self.facts.push(format!(
            "kafka, group {group}: {} of {} topics, {} partitions, {committed} of them with a \
             commit; running members: {}",
            topics.iter().filter(|it| has(&standings, it)).count(),
            topics.len(),
            standings.len(),
            admin.members(group)?
        ));
        for topic in topics {
            self.look_at(topic, &standings);
        }
        if let OnPoison::DeadLetter { topic } = &config.on_poison
            && admin.partitions(topic)?.is_empty()
        {
            self.warn(format!(
                "the dead-letter topic {topic} is {MISSING_DEAD_LETTERS}"
            ));
        }
        Ok(())
    }

    fn look_at(&mut self, topic: &str, standings: &[Standing]) {
        if !has(standings, topic) {
            self.warn(format!(
                "topic {topic} is {MISSING}; Debezium makes it with its table's first row"
            ));
        }
        let shortened = |it: &&Standing| it.topic == topic && it.low > 0;
        if let Some(it) = standings.iter().find(shortened) {
            let (partition, low) = (it.partition, it.low);
            self.warn(format!(
                "topic {topic} no longer has its first records (partition {partition} begins at \
                 {low}): a store that is filled from it lacks the rows that have not changed since"
            ));
        }
    }

    /// Groups see the same topics: each thing is said once.
    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    async fn ask_stores(&mut self, config: &Config) {
        for name in config.used_sinks() {
            match store::ping(config, name).await {
                Ok(()) => self.facts.push(format!("sink {name}: answers")),
                Err(error @ SinkError::Fatal(_)) => {
                    self.mistakes.push(format!("sink {name}: {error}"));
                }
                Err(error) => self.errors.push(format!("sink {name}: {error}")),
            }
        }
    }
}

fn has(standings: &[Standing], topic: &str) -> bool {
    standings.iter().any(|it| it.topic == topic)
}
