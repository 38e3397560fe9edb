//! A process that runs, is frozen or is dead, and what it is doing.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use distributary::source::Partition;
use futures_util::FutureExt;

use super::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    Frozen,
    Dead,
}

/// One process.
pub(super) struct Process {
    pub(super) number: usize,
    life: Mutex<(Life, Vec<Waker>)>,
    /// After so many steps it dies; 0: not at all.
    fuse: AtomicU64,
    /// Its member in the group.
    pub(super) member: AtomicU64,
    /// Keys in writes under way, as hashes.
    pub(super) in_flight: Mutex<HashSet<u64>>,
    /// Bytes charged to the budget, and partitions paused.
    pub(super) held: Mutex<(u64, usize)>,
    pub(super) lag: Mutex<BTreeMap<Partition, i64>>,
    world: Arc<World>,
}

impl Process {
    pub(super) fn new(world: &Arc<World>, number: usize) -> Self {
        Self {
            number,
            life: Mutex::new((Life::Running, Vec::new())),
            fuse: AtomicU64::new(0),
            member: AtomicU64::new(0),
            in_flight: Mutex::default(),
            held: Mutex::default(),
            lag: Mutex::default(),
            world: Arc::clone(world),
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.life.lock().unwrap().0 == Life::Dead
    }

    /// SIGKILL.
    pub(super) fn kill(&self) {
        self.become_(Life::Dead);
    }

    /// SIGSTOP.
    pub(super) fn freeze(&self) {
        self.become_(Life::Frozen);
    }

    /// SIGCONT.
    pub(super) fn thaw(&self) {
        self.become_(Life::Running);
    }

    /// Dies by itself after so many steps.
    pub(super) fn light_fuse(&self, steps: u64) {
        self.fuse.store(steps, Ordering::Relaxed);
    }

    fn become_(&self, next: Life) {
        let mut life = self.life.lock().unwrap();
        if life.0 == Life::Dead || life.0 == next {
            return;
        }
        let wakers = std::mem::take(&mut life.1);
        life.0 = next;
        drop(life);
        self.world
            .note(format_args!("process {} is {next:?}", self.number));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// One step of what crosses the process's border: a send, an answer. It does not come back
    /// while the process is frozen, and never when it is dead.
    pub(super) async fn step(&self) {
        let fuse = self.fuse.load(Ordering::Relaxed);
        if fuse > 0 {
            self.fuse.store(fuse - 1, Ordering::Relaxed);
            if fuse == 1 {
                self.kill();
            }
        }
        std::future::poll_fn(|context| {
            let mut life = self.life.lock().unwrap();
            if life.0 == Life::Running {
                return Poll::Ready(());
            }
            life.1.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Runs a task of the process: it stands still while the process is frozen, and ends with it.
    pub(super) fn spawn<T: 'static>(
        self: &Arc<Self>,
        name: &'static str,
        task: impl Future<Output = T> + Send + 'static,
        ended: impl FnOnce(T) + Send + 'static,
    ) {
        let process = Arc::clone(self);
        tokio::spawn(async move {
            let mut task = pin!(AssertUnwindSafe(task).catch_unwind());
            let outcome = std::future::poll_fn(|context| {
                let mut life = process.life.lock().unwrap();
                // Also while it runs, for a kill has to wake it.
                if !life.1.iter().any(|it| it.will_wake(context.waker())) {
                    life.1.push(context.waker().clone());
                }
                match life.0 {
                    Life::Dead => return Poll::Ready(None),
                    Life::Frozen => return Poll::Pending,
                    Life::Running => drop(life),
                }
                task.as_mut().poll(context).map(Some)
            });
            match outcome.await {
                Some(Ok(value)) => ended(value),
                Some(Err(_)) => process.world.broken(format!("task {name} panicked")),
                None => {}
            }
        });
    }
}
