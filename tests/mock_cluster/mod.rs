//! The poll thread by itself, seen from where the pipeline sits: what it commits and when it gives
//! partitions up. Mostly against librdkafka's mock cluster, whose broker goes away in a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use distributary::change::TableId;
use distributary::config::{Groups, OnTruncate, Protocol, Secret, Security, Source, Table};
use distributary::source::{
    self, Assigned, CommitNote, Fence, NextOffset, Partition, SourceCommand, SourceError,
    SourceEvent, SourceHandle,
};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::support::kafka::{Kafka, Record};
use crate::support::{DEADLINE, stack, unique};

/// How long leaving may take: far less than a session of Kafka's defaults, which would end it otherwise.
const LEAVE: Duration = Duration::from_secs(20);

/// A cluster with one topic, which has the name of the group that reads it.
struct Cluster {
    brokers: String,
    name: String,
    /// Before the mock, which its clients would miss.
    kafka: Kafka,
    mock: Option<MockCluster<'static, DefaultProducerContext>>,
}

impl Cluster {
    fn new(partitions: i32) -> Self {
        let mock = MockCluster::new(1).unwrap();
        let name = unique();
        mock.create_topic(&name, partitions, 1).unwrap();
        let brokers = mock.bootstrap_servers();
        Self {
            kafka: Kafka::new(&brokers, &name),
            brokers,
            name,
            mock: Some(mock),
        }
    }

    /// The local stack's broker: unlike the mock it takes commits while others join.
    async fn real(partitions: i32) -> Self {
        let (brokers, name) = (stack("KAFKA_BROKERS"), unique());
        let mut kafka = Kafka::new(&brokers, &name);
        kafka.create(&name, partitions).await;
        Self {
            kafka,
            brokers,
            name,
            mock: None,
        }
    }

    fn mock(&self) -> &MockCluster<'static, DefaultProducerContext> {
        self.mock.as_ref().unwrap()
    }

    /// Writes so many records into each partition.
    async fn fill(&self, partitions: i32, count: usize) {
        for number in 0..partitions {
            for _ in 0..count {
                let record = Record {
                    key: Some(b"{}".to_vec()),
                    ..Record::default()
                };
                self.kafka.produce(&self.name, number, record).await;
            }
        }
    }

    /// Partition 1 has this leader.
    fn lead(&self, leader: Option<i32>) {
        let led = self.mock().partition_leader(&self.name, 1, leader);
        led.unwrap();
    }

    /// Joins the group.
    fn join(&self) -> Member {
        self.join_with(None)
    }

    fn join_with(&self, security: Option<Security>) -> Member {
        let source = Source {
            brokers: vec![self.brokers.clone()],
            group: self.name.clone(),
            groups: Groups::Shared,
            protocol: Protocol::Classic,
            security,
            properties: BTreeMap::from([
                // The mock lets a rebalance take a second less than this.
                ("session.timeout.ms".to_owned(), "6000".to_owned()),
                ("heartbeat.interval.ms".to_owned(), "200".to_owned()),
            ]),
        };
        let table = Table {
            name: "users".to_owned(),
            schema: "public".to_owned(),
            table: "users".to_owned(),
            topic: self.name.clone(),
            key: vec!["id".to_owned()],
            full_identity: false,
            json: vec![],
            epoch: 0,
            on_truncate: OnTruncate::Stop,
        };
        let fence = Arc::new(Fence::new(Duration::from_secs(6)));
        let handle = source::spawn(
            &source,
            &self.name,
            Arc::new([table]),
            fence,
            BTreeSet::new(),
        );
        Member(handle.unwrap())
    }

    fn committed(&self, number: i32) -> Option<i64> {
        self.kafka.committed(&self.name, number)
    }
}

/// A member of the group, seen from where the pipeline sits.
struct Member(SourceHandle);

impl Member {
    /// Waits for the event that answers this; what comes before is passed over.
    async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(SourceEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.0.events.recv().await;
                if let Some(found) = pick(event.expect("the poll thread runs")) {
                    return found;
                }
            }
        };
        let found = tokio::time::timeout(DEADLINE, search).await;
        found.unwrap_or_else(|_| panic!("in vain waited for {what}"))
    }

    /// Waits for an assignment that brings partitions.
    async fn assigned(&mut self) -> Vec<Assigned> {
        self.until("an assignment", |event| match event {
            SourceEvent::Assigned(assigned) if !assigned.is_empty() => Some(assigned),
            _ => None,
        })
        .await
    }

    /// Waits until it is to give partitions up.
    async fn revoking(&mut self) -> Vec<Partition> {
        self.until("a revoke", |event| match event {
            SourceEvent::Revoking(partitions) => Some(partitions),
            _ => None,
        })
        .await
    }

    /// Waits until it tells which question holds up a rebalance.
    async fn held_up(&mut self) -> String {
        self.until("what holds up the rebalance", |event| match event {
            SourceEvent::HeldUp(by) => Some(by),
            _ => None,
        })
        .await
    }

    /// Waits until so many records have come; their offsets.
    async fn records(&mut self, count: usize) -> Vec<i64> {
        let mut all = vec![];
        self.until("records", |event| {
            if let SourceEvent::Records(records) = event {
                all.extend(records.iter().map(|it| it.offset));
            }
            (all.len() >= count).then(|| std::mem::take(&mut all))
        })
        .await
    }

    /// Tells watermarks until this one of them is committed: on a busy machine the mock may put the
    /// member out meanwhile, and then give it back the same.
    async fn until_committed(
        &mut self,
        watermarks: &[(Partition, NextOffset, CommitNote)],
        wanted: (Partition, NextOffset),
    ) {
        let told = async {
            let mut is_committed = false;
            while !is_committed {
                self.tell(SourceCommand::Store(watermarks.to_vec()));
                let committed = self.until("a commit", |event| match event {
                    SourceEvent::Committed(offsets) => offsets.contains(&wanted).then_some(()),
                    _ => None,
                });
                let in_time = tokio::time::timeout(Duration::from_secs(2), committed);
                is_committed = in_time.await.is_ok();
            }
        };
        let told = tokio::time::timeout(DEADLINE, told).await;
        told.expect("the watermark is committed");
    }

    fn tell(&self, command: SourceCommand) {
        self.0.commands.send(command).unwrap();
    }

    /// Asks it to stop with these commits, and waits until it has left the group.
    async fn stop(mut self, offsets: Vec<(Partition, NextOffset, CommitNote)>) {
        self.tell(SourceCommand::Stop(offsets));
        let left = async { while self.0.events.recv().await.is_some() {} };
        let left = tokio::time::timeout(LEAVE, left).await;
        left.expect("it leaves the group");
    }
}

fn partition(number: i32) -> Partition {
    let table = TableId(0);
    Partition { table, number }
}

/// A watermark of a partition of a topic that has so many.
fn next(number: i32, next: i64, partitions: i32) -> (Partition, NextOffset, CommitNote) {
    let note = CommitNote {
        epoch: 0,
        partitions,
        last: None,
        as_of: None,
        since: None,
    };
    (partition(number), NextOffset::given(next), note)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_watermark_is_committed_however_far_the_records_were_read() {
    let cluster = Cluster::new(1);
    cluster.fill(1, 5).await;
    let mut member = cluster.join();
    assert_eq!(member.assigned().await[0].start.get(), 0);
    assert_eq!(member.records(5).await.len(), 5);
    member.tell(SourceCommand::Store(vec![next(0, 2, 1)]));
    member
        .until("the commit", |event| match event {
            SourceEvent::Committed(offsets) => offsets
                .contains(&(partition(0), NextOffset::given(2)))
                .then_some(()),
            _ => None,
        })
        .await;
    assert_eq!(cluster.committed(0), Some(2));
    member.stop(vec![]).await;
    assert_eq!(
        cluster.committed(0),
        Some(2),
        "leaving commits nothing more"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_commit_wins_over_what_was_stored_before_it() {
    let cluster = Cluster::new(1);
    cluster.fill(1, 5).await;
    let mut member = cluster.join();
    member.records(5).await;
    member.tell(SourceCommand::Store(vec![next(0, 2, 1)]));
    member.stop(vec![next(0, 4, 1)]).await;
    assert_eq!(cluster.committed(0), Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_commits_before_the_next_owner_begins_and_that_one_goes_on_from_there() {
    let cluster = Cluster::real(2).await;
    cluster.fill(2, 5).await;
    let mut first = cluster.join();
    assert_eq!(first.assigned().await.len(), 2);
    first.records(10).await;
    let mut second = cluster.join();
    let given_up = first.revoking().await;
    assert_eq!(given_up.len(), 1, "the other partition goes on");
    let number = given_up[0].number;
    // What was stored on the way must not come after the commit of the revoke.
    first.tell(SourceCommand::Store(vec![next(1 - number, 1, 2)]));
    first.tell(SourceCommand::Release(vec![next(number, 3, 2)]));
    let assigned = second.assigned().await;
    assert_eq!(assigned.len(), 1);
    assert_eq!(
        (assigned[0].partition.number, assigned[0].start.get()),
        (number, 3)
    );
    assert_eq!(cluster.committed(number), Some(3));
    // From three on; what lies below is only looked at.
    let offsets = second.records(5).await;
    assert_eq!(offsets.last(), Some(&4));
    second.stop(vec![]).await;
    first.stop(vec![]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_that_comes_after_its_partition_was_given_up_is_never_committed() {
    let cluster = Cluster::real(2).await;
    cluster.fill(2, 5).await;
    let mut first = cluster.join();
    first.records(10).await;
    let mut second = cluster.join();
    let given_up = first.revoking().await;
    let number = given_up[0].number;
    first.tell(SourceCommand::Release(vec![next(number, 3, 2)]));
    assert_eq!(second.assigned().await[0].start.get(), 3);
    // The ack that the drain did not wait for, together with one that counts.
    let kept = (partition(1 - number), NextOffset::given(5));
    let stored = [next(number, 5, 2), next(1 - number, 5, 2)];
    first.until_committed(&stored, kept).await;
    assert_eq!(cluster.committed(number), Some(3));
    first.stop(vec![]).await;
    second.stop(vec![]).await;
    assert_eq!(cluster.committed(number), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_and_returns_loses_no_record_and_no_commit() {
    let cluster = Cluster::new(1);
    cluster.fill(1, 3).await;
    let mut member = cluster.join();
    member.records(3).await;
    cluster.mock().broker_down(1).unwrap();
    member.tell(SourceCommand::Store(vec![next(0, 3, 1)]));
    cluster.mock().broker_up(1).unwrap();
    cluster.fill(1, 3).await;
    let mut offsets = vec![];
    member
        .until("the records after the outage", |event| {
            if let SourceEvent::Records(records) = event {
                offsets.extend(records.iter().map(|it| it.offset));
            }
            (offsets.contains(&5)).then_some(())
        })
        .await;
    offsets.retain(|&offset| offset > 2);
    assert_eq!(offsets, [3, 4, 5]);
    // The records' broker is back before the group is: a stop would wait for that only so long.
    let last = (partition(0), NextOffset::given(6));
    member.until_committed(&[next(0, 6, 1)], last).await;
    member.stop(vec![]).await;
    assert_eq!(cluster.committed(0), Some(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_broker_is_away_waits_for_its_commit_only_so_long() {
    let cluster = Cluster::new(1);
    cluster.fill(1, 3).await;
    let mut member = cluster.join();
    member.records(3).await;
    cluster.mock().broker_down(1).unwrap();
    let begun = Instant::now();
    member.tell(SourceCommand::Stop(vec![next(0, 3, 1)]));
    member
        .until("the end", |event| {
            matches!(event, SourceEvent::Stopped).then_some(())
        })
        .await;
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    cluster.mock().broker_up(1).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_right_after_partitions_were_given_up_leaves_the_group() {
    let cluster = Cluster::new(2);
    let mut first = cluster.join();
    assert_eq!(first.assigned().await.len(), 2);
    let second = cluster.join();
    first.revoking().await;
    // The group answers by an assignment of nothing, which meets the stop.
    first.tell(SourceCommand::Release(vec![]));
    first.stop(vec![]).await;
    second.stop(vec![]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_without_a_leader_holds_up_its_rebalance_and_is_named_until_it_has_one() {
    let cluster = Cluster::new(2);
    cluster.lead(None);
    let mut member = cluster.join();
    let by = member.held_up().await;
    let partition = format!("partition 1 of topic `{}`", cluster.name);
    assert!(by.contains(&partition), "{by}");
    cluster.lead(Some(1));
    assert_eq!(member.assigned().await.len(), 2);
    member.stop(vec![]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_that_is_held_up_ends_where_the_password_has_changed() {
    let cluster = Cluster::new(2);
    cluster.lead(None);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "first").unwrap();
    let mut member = cluster.join_with(Some(Security {
        // The mock asks nobody for a password.
        protocol: "plaintext".to_owned(),
        mechanism: None,
        username: None,
        password: Some(Secret::File(file.clone())),
        ca: None,
    }));
    member.held_up().await;
    std::fs::write(&file, "second").unwrap();
    let error = member.until("the end", |event| match event {
        SourceEvent::Failed(error) => Some(error),
        _ => None,
    });
    assert!(matches!(error.await, SourceError::Rotated));
}
