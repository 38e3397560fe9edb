//! The ledger's promises, by example and for any schedule.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::change::TableId;

const P: Partition = Partition {
    table: TableId(0),
    number: 0,
};

fn ledger() -> Ledger {
    Ledger::new(P, 1, NextOffset::given(10), None)
}

fn track(ledger: &mut Ledger, offset: i64, fan_out: u16) -> Vec<Ack> {
    ledger
        .track(offset, offset * 1000, 500, fan_out)
        .expect("in order")
        .collect()
}

#[test]
fn the_watermark_waits_for_the_oldest_record() {
    let mut ledger = ledger();
    let first = track(&mut ledger, 10, 1);
    let second = track(&mut ledger, 11, 1);
    second
        .into_iter()
        .for_each(|ack| ledger.acknowledge(ack).unwrap());
    assert_eq!(ledger.take_watermark(), None);
    first
        .into_iter()
        .for_each(|ack| ledger.acknowledge(ack).unwrap());
    assert_eq!(ledger.take_watermark(), Some(NextOffset::after(11)));
    assert_eq!(ledger.last(), Some((11, 11_000)));
    assert_eq!(ledger.take_watermark(), None, "it is told once");
}

#[test]
fn a_record_is_done_when_every_sink_has_acknowledged_it() {
    let mut ledger = ledger();
    let mut acks = track(&mut ledger, 10, 3);
    while let Some(ack) = acks.pop() {
        assert_eq!(ledger.watermark(), NextOffset::given(10));
        ledger.acknowledge(ack).unwrap();
    }
    assert_eq!(ledger.watermark(), NextOffset::after(10));
}

#[test]
fn ignored_records_and_the_end_of_the_log_move_the_watermark_too() {
    let mut ledger = ledger();
    track(&mut ledger, 14, 0);
    assert_eq!(ledger.watermark(), NextOffset::after(14));
    ledger.end(NextOffset::given(17));
    assert_eq!(ledger.watermark(), NextOffset::given(17));
    ledger.end(NextOffset::given(12));
    assert_eq!(ledger.watermark(), NextOffset::given(17), "never backwards");
}

#[test]
fn an_ack_of_an_earlier_generation_changes_nothing() {
    let mut before = ledger();
    let late = track(&mut before, 10, 1);
    let mut after = Ledger::new(P, 2, NextOffset::given(10), None);
    let _mine = track(&mut after, 10, 1);
    late.into_iter()
        .for_each(|ack| after.acknowledge(ack).unwrap());
    assert_eq!(after.watermark(), NextOffset::given(10));
}

#[test]
fn misuse_is_an_error_and_not_a_panic() {
    let mut ledger = ledger();
    let _acks = track(&mut ledger, 12, 1);
    assert!(matches!(
        ledger.track(12, 0, 0, 0).err(),
        Some(LedgerError::Backwards { offset: 12, .. })
    ));
    let forged = Ack {
        partition: P,
        generation: 1,
        sequence: 9,
        offset: 99,
        applied: false,
    };
    assert_eq!(
        ledger.acknowledge(forged),
        Err(LedgerError::TooManyAcks(99))
    );
}

#[test]
fn a_record_that_every_sink_holds_costs_only_its_place() {
    let mut ledger = ledger();
    let mut acks = track(&mut ledger, 10, 2);
    assert_eq!(ledger.held(), 500);
    for ack in &mut acks {
        let applied = ack.applied(0);
        ledger.applied(&applied);
    }
    assert_eq!(ledger.held(), ENTRY_COST);
    acks.into_iter()
        .for_each(|ack| ledger.acknowledge(ack).unwrap());
    assert_eq!(ledger.held(), 0);
}

#[test]
fn what_a_sink_keeps_of_a_record_that_it_holds_is_charged_until_it_is_done() {
    let mut ledger = ledger();
    let first = track(&mut ledger, 10, 1);
    let mut acks = track(&mut ledger, 11, 2);
    ledger.applied(&acks[0].applied(700));
    assert_eq!(ledger.held(), 1000, "the other sink still needs all of it");
    ledger.acknowledge(acks.remove(1)).unwrap();
    assert_eq!(ledger.held(), 500 + ENTRY_COST + 700);
    ledger.acknowledge(acks.remove(0)).unwrap();
    assert_eq!(ledger.held(), 500 + ENTRY_COST, "only its place is taken");
    first
        .into_iter()
        .for_each(|ack| ledger.acknowledge(ack).unwrap());
    assert_eq!(ledger.held(), 0);
}

/// What may happen to a partition.
#[derive(Clone, Debug)]
enum Step {
    /// A record after a gap of so many offsets, of so many bytes, for so many sinks.
    Track { gap: i64, bytes: u64, fan_out: u16 },
    /// One of the acks that are out, wherever it stands, is said to be applied, and so many bytes of
    /// its record to be kept.
    Apply(prop::sample::Index, u64),
    /// One of the acks that are out comes back, of whatever generation it is.
    Acknowledge(prop::sample::Index),
    /// The log ends so many offsets after the last record.
    End(i64),
    /// The watermark is committed.
    Commit,
    /// The partition goes, and comes back at what was committed.
    Reassign,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4i64, 0..2000u64, 0..4u16)
            .prop_map(|(gap, bytes, fan_out)| Step::Track { gap, bytes, fan_out }),
        2 => (any::<prop::sample::Index>(), 0..2000u64)
            .prop_map(|(which, kept)| Step::Apply(which, kept)),
        8 => any::<prop::sample::Index>().prop_map(Step::Acknowledge),
        1 => (0..4i64).prop_map(Step::End),
        3 => Just(Step::Commit),
        1 => Just(Step::Reassign),
    ]
}

/// A naive model beside the ledger: each record of the present assignment with its open acks.
struct Run {
    ledger: Ledger,
    generation: Generation,
    committed: NextOffset,
    open: BTreeMap<i64, u16>,
    acks: Vec<Ack>,
}

impl Run {
    fn new() -> Self {
        let committed = NextOffset::given(0);
        let ledger = Ledger::new(P, 1, committed, None);
        Self {
            ledger,
            generation: 1,
            committed,
            open: BTreeMap::new(),
            acks: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Track {
                gap,
                bytes,
                fan_out,
            } => {
                let offset = self.ledger.tracked().get() + gap;
                let acks = self
                    .ledger
                    .track(offset, 1, bytes, fan_out)
                    .expect("in order");
                self.acks.extend(acks);
                self.open.insert(offset, fan_out);
            }
            Step::Apply(which, kept) if !self.acks.is_empty() => {
                let ack = which.get_mut(&mut self.acks);
                if !ack.applied {
                    let applied = ack.applied(kept);
                    self.ledger.applied(&applied);
                }
            }
            Step::Acknowledge(which) if !self.acks.is_empty() => {
                let index = which.index(self.acks.len());
                self.acknowledge(index);
            }
            Step::End(gap) => {
                let end = self.ledger.tracked().get() + gap;
                self.ledger.end(NextOffset::given(end));
            }
            Step::Commit => self.commit(),
            Step::Reassign => {
                self.generation += 1;
                self.ledger = Ledger::new(P, self.generation, self.committed, None);
                self.open.clear();
            }
            Step::Apply(..) | Step::Acknowledge(_) => {}
        }
    }

    fn acknowledge(&mut self, index: usize) {
        let ack = self.acks.swap_remove(index);
        if ack.generation() == self.generation {
            *self.open.get_mut(&ack.offset()).expect("it was tracked") -= 1;
        }
        self.ledger
            .acknowledge(ack)
            .expect("each ack comes back once");
    }

    fn commit(&mut self) {
        if let Some(next) = self.ledger.take_watermark() {
            assert!(
                next > self.committed,
                "commits go forward within a generation"
            );
            let passed = self.open.range(..next.get());
            assert!(
                passed.clone().all(|(_, &open)| open == 0),
                "passed an unacknowledged offset"
            );
            self.committed = next;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_schedule_commits_past_an_unacknowledged_offset_and_the_budget_ends_at_zero(
        steps in prop::collection::vec(step(), 1..200)
    ) {
        let mut run = Run::new();
        steps.into_iter().for_each(|step| run.step(step));
        while !run.acks.is_empty() {
            run.acknowledge(0);
        }
        run.commit();
        prop_assert_eq!(run.ledger.held(), 0);
        prop_assert!(run.ledger.is_idle());
        prop_assert_eq!(run.ledger.watermark(), run.ledger.tracked());
    }
}
