//! What each step of the hot path costs: `cargo bench --bench hot`, or one of them with
//! `cargo bench --bench hot -- decode`.
//!
//! In processor time of the measuring thread. The whole way, Kafka included, is in `null`.

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[path = "../support/mod.rs"]
mod support;

mod bulk;
mod coalesce;
mod decode;
mod ledger;
mod project;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use support::cpu::OnCpu;

fn seconds_short() -> Criterion<OnCpu> {
    Criterion::default()
        .with_measurement(OnCpu)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
}

criterion_group! {
    name = hot;
    config = seconds_short();
    targets = decode::all, project::all, coalesce::all, ledger::all, bulk::all
}
criterion_main!(hot);
