//! What a test may rely on when it uses the store in memory.

use super::*;
use crate::sink::OutageKind;

struct Put(&'static str, i64);

impl Mutation for Put {
    type Key = &'static str;

    fn key(&self) -> &Self::Key {
        &self.0
    }

    fn version(&self) -> Version {
        Version::new(0, self.1)
    }

    fn projection(&self) -> ProjectionId {
        ProjectionId(0)
    }

    fn merge(&mut self, newer: Self) {
        *self = newer;
    }

    fn bytes(&self) -> usize {
        1
    }
}

fn outage() -> Outage {
    Outage::new(OutageKind::Unreachable, "scripted")
}

#[tokio::test]
async fn an_older_version_is_stale_and_an_equal_one_is_written_again() {
    let store = Memory::new(&[]);
    let answers = store.write(&[Put("a", 5)]).await.unwrap();
    assert_eq!(answers, [Outcome::Written]);
    let answers = store.write(&[Put("a", 4), Put("a", 5)]).await.unwrap();
    assert_eq!(answers, [Outcome::Stale, Outcome::Written]);
}

#[tokio::test]
async fn faults_are_played_in_order_and_a_lost_reply_has_been_applied() {
    let store = Memory::new(&[]);
    store.script([
        Fault::Fail(SinkError::Outage(outage())),
        Fault::LoseReply(outage()),
    ]);
    assert!(store.write(&[Put("a", 1)]).await.is_err());
    assert_eq!(store.version(&"a"), None);
    assert!(store.write(&[Put("a", 1)]).await.is_err());
    assert_eq!(store.version(&"a"), Some(Version::new(0, 1)));
    assert!(store.write(&[Put("a", 1)]).await.is_ok());
}

#[tokio::test]
async fn a_held_write_ends_when_its_gate_opens() {
    let store = Memory::new(&[]);
    let gate = Gate::default();
    store.script([Fault::Hold(gate.clone())]);
    let task = tokio::spawn({
        let store = store.clone();
        async move { store.write(&[Put("a", 1)]).await }
    });
    store.until_started(1).await;
    assert_eq!(store.version(&"a"), None);
    gate.open();
    assert_eq!(task.await.unwrap().unwrap(), [Outcome::Written]);
    store.until_ended(1).await;
}
