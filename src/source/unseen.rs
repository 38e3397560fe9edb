//! Topics that are not there yet, or may not be read: Debezium makes a topic with its table's first
//! row. The others go on; a topic that appears is picked up.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::SourceEvent;
use super::kafka::Poller;
use crate::config::Table;

/// How long the poll thread may wait for one answer.
const ASK_TIMEOUT: Duration = Duration::from_millis(200);

/// Topics that no broker has shown yet, or not since their partitions were given up.
#[derive(Debug)]
pub(super) struct Unseen {
    /// In the order in which they are asked for.
    topics: VecDeque<String>,
    /// Those of them that were asked for and are not there.
    missing: BTreeSet<String>,
}

impl Unseen {
    pub(super) fn new(tables: &[Table]) -> Self {
        Self {
            topics: tables.iter().map(|it| it.topic.clone()).collect(),
            missing: BTreeSet::new(),
        }
    }

    /// The topic was seen, and may be gone by now.
    pub(super) fn look_again(&mut self, topic: &str) {
        if !self.topics.iter().any(|it| it == topic) {
            self.topics.push_back(topic.to_owned());
        }
    }

    /// Takes in what a broker said of a topic; whether what is missing has changed by that.
    fn learn(&mut self, topic: String, is_there: bool) -> bool {
        if is_there {
            let was_missing = self.missing.remove(&topic);
            if was_missing {
                tracing::info!(topic, "the topic is there now");
            }
            return was_missing;
        }
        let is_new = self.missing.insert(topic.clone());
        if is_new {
            tracing::warn!(
                topic,
                "waiting for a topic that is not there or may not be read; Debezium makes it with \
                 its table's first row"
            );
        }
        self.topics.push_back(topic);
        is_new
    }
}

impl Poller {
    /// Asks for one topic that was not seen yet, another one each time.
    pub(super) fn look_for_topics(&mut self) {
        let Some(topic) = self.unseen.topics.pop_front() else {
            return;
        };
        let consumer = &self.group.consumer;
        let Ok(answer) = consumer.fetch_metadata(Some(&topic), ASK_TIMEOUT) else {
            self.unseen.topics.push_back(topic);
            return;
        };
        let mut found = answer.topics().iter();
        let is_there = found.any(|it| it.error().is_none() && !it.partitions().is_empty());
        if self.unseen.learn(topic, is_there) {
            let missing = self.unseen.missing.iter().cloned().collect();
            self.tell(SourceEvent::Missing(missing));
        }
    }
}
