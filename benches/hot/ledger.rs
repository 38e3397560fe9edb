//! Records tracked, acknowledged in order, and their watermark taken.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use distributary::change::TableId;
use distributary::pipeline::ledger::{Ack, Ledger};
use distributary::source::{NextOffset, Partition};

use crate::support::cpu::OnCpu;

const RECORDS: i64 = 1_000;

pub(crate) fn all(criterion: &mut Criterion<OnCpu>) {
    let partition = Partition {
        table: TableId(0),
        number: 0,
    };
    let mut ledger = Ledger::new(partition, 1, NextOffset::given(0), None);
    let mut offset = 0;
    let mut acks: Vec<Ack> = Vec::new();
    let mut group = criterion.benchmark_group("ledger");
    group.throughput(Throughput::Elements(RECORDS.unsigned_abs()));
    group.bench_function("track, acknowledge, take the watermark", |bencher| {
        bencher.iter(|| {
            for _ in 0..RECORDS {
                offset += 1;
                let tracked = ledger.track(offset, 1, 1_000, 1);
                acks.extend(tracked.expect("offsets rise"));
            }
            for ack in acks.drain(..) {
                ledger.acknowledge(ack).expect("one ack for each");
            }
            black_box(ledger.take_watermark())
        });
    });
    group.finish();
}
