//! What the brokers do with a topic's old records.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

/// Remembers for each topic whether it is compacted. A policy that is changed while we run is
/// noticed by the next process.
pub(super) struct Policies {
    settings: ClientConfig,
    keeps_ms: HashMap<String, Option<i64>>,
}

impl Policies {
    pub(super) fn new(settings: ClientConfig) -> Self {
        let keeps_ms = HashMap::new();
        Self { settings, keeps_ms }
    }

    /// Learns the policies of these topics. Where they may not be seen the topic is taken for one
    /// that is not compacted, and that is said.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub(super) fn learn(&mut self, topics: &[&str], timeout: Duration) -> KafkaResult<()> {
        let known = |topic: &&str| self.keeps_ms.contains_key(*topic);
        let new: Vec<&str> = topics.iter().copied().filter(|it| !known(it)).collect();
        if new.is_empty() {
            return Ok(());
        }
        match self.ask(&new, timeout) {
            Ok(found) => self.keeps_ms.extend(found),
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(
                    %error,
                    topics = ?new,
                    "whether these topics are compacted is not known (it takes the right to \
                     describe their configuration); they are taken for topics that keep everything"
                );
                let unknown = new.iter().map(|&topic| (topic.to_owned(), None));
                self.keeps_ms.extend(unknown);
            }
        }
        Ok(())
    }

    /// `delete.retention.ms` of a compacted topic.
    pub(super) fn keeps_ms(&self, topic: &str) -> Option<i64> {
        self.keeps_ms.get(topic).copied().flatten()
    }

    fn ask(&self, topics: &[&str], timeout: Duration) -> KafkaResult<Vec<(String, Option<i64>)>> {
        let admin: AdminClient<DefaultClientContext> = self.settings.create()?;
        // Any broker knows; librdkafka would wait for the controller, which not every cluster names.
        let cluster = admin.inner().fetch_metadata(Some(topics[0]), timeout)?;
        let broker = cluster.brokers().first();
        let broker = broker.ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::AllBrokersDown))?;
        let options = AdminOptions::new()
            .request_timeout(Some(timeout))
            .broker_id(broker.id());
        let asked: Vec<_> = topics
            .iter()
            .map(|it| ResourceSpecifier::Topic(it))
            .collect();
        // The client has a thread of its own; only its answer is awaited here.
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let answer = runtime
            .expect("a runtime without drivers needs nothing")
            .block_on(admin.describe_configs(&asked, &options))?;
        let policies = topics.iter().zip(answer).map(|(&topic, policy)| {
            let policy = policy.map_err(KafkaError::AdminOp)?;
            Ok((topic.to_owned(), compacted(&policy)))
        });
        policies.collect()
    }
}

fn compacted(policy: &ConfigResource) -> Option<i64> {
    let value = |name: &str| policy.get(name)?.value.as_deref();
    let is_compacted = value("cleanup.policy")?
        .split(',')
        .any(|it| it.trim() == "compact");
    is_compacted.then(|| value("delete.retention.ms")?.parse().ok())?
}

fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    };
    matches!(
        code,
        Some(
            Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Authentication
                | Code::UnknownTopicOrPartition
        )
    )
}
