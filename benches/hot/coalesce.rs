//! Mutations into the buffer and out of it, with distinct keys and with repeated ones.

use criterion::{BatchSize, Criterion, Throughput};
use distributary::change::{ProjectionId, Version};
use distributary::config::Batch;
use distributary::delivery::buffer::Buffer;
use distributary::projector::document::{Action, Document, DocumentKey};

use crate::support::cpu::OnCpu;

const MUTATIONS: u32 = 30_000;

const BATCH: Batch = Batch {
    max_items: 10_000,
    max_bytes: 8 << 20,
};

pub(crate) fn all(criterion: &mut Criterion<OnCpu>) {
    let mut group = criterion.benchmark_group("coalesce");
    group.throughput(Throughput::Elements(MUTATIONS.into()));
    for (name, repeats) in [("distinct keys", 1), ("keys thirty times", 30)] {
        let mut buffer = Buffer::default();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (0..MUTATIONS).map(|it| delete(it / repeats)).collect(),
                |mutations: Vec<Document>| through(&mut buffer, mutations),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// All in, then all out, batch by batch.
fn through(buffer: &mut Buffer<Document>, mutations: Vec<Document>) {
    for mutation in mutations {
        buffer.push(mutation, [].into_iter().collect());
    }
    while buffer.is_ready() {
        for waiting in buffer.take(BATCH) {
            buffer.landed(waiting.place);
        }
    }
}

fn delete(id: u32) -> Document {
    Document {
        key: DocumentKey {
            projection: ProjectionId(0),
            id: id.to_string().into(),
        },
        version: Version::new(0, id.into()),
        action: Action::Delete,
    }
}
