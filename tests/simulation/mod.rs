//! Thousands of runs of the real pipeline and sink tasks in a simulated world.
//!
//! Everything around them is made up: rows and what Debezium says of them ([`workload`],
//! [`debezium`]), topics and group ([`group`], [`client`], [`cleaner`]), stores and the ways to them
//! ([`link`]), dead letters ([`letters`]), one to three processes that are killed, frozen and stopped
//! ([`nemesis`]). The clock is virtual, and every decision is a throw of the seed's dice, so
//! a run takes milliseconds and can be repeated: `SIM_SEED=7 cargo test --test main simulation --
//! --nocapture` runs that seed alone and tells what happened. `SIM_SEEDS=100000` runs more.

mod cache;
mod check;
mod cleaner;
mod client;
mod debezium;
mod documents;
mod graph;
mod group;
mod instance;
mod letters;
mod link;
mod nemesis;
mod process;
mod rows;
mod stored;
mod truth;
mod workload;
mod world;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use world::{Settings, World};

/// How many seeds a test run tries.
const SEEDS: u64 = 2_000;

/// Runs a seed; answers the hash of all that happened, and the promises that were broken.
fn run(seed: u64, is_told: bool) -> (u64, Vec<String>) {
    // Also the source of the program's own jitter.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let settings = Settings::roll();
        let world = Arc::new(World::new(settings, is_told));
        world.note(format_args!("{:?}", world.settings));
        nemesis::run(&world).await;
        world.verdict()
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_fails_nothing_is_lost_resurrected_or_committed_too_early() {
    if let Some(seed) = number("SIM_SEED") {
        let (_, broken) = run(seed, true);
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failed.lock().unwrap().is_empty() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let (_, broken) = run(seed, false);
                    if !broken.is_empty() {
                        failed.lock().unwrap().push((seed, broken));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "replay with SIM_SEED=<seed> cargo test --test main simulation -- --nocapture: {failed:#?}"
    );
}

#[test]
fn a_seed_is_the_same_story_every_time() {
    for seed in 0..20 {
        assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
    }
}
