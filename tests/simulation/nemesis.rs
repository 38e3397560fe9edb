//! Starts, kills, freezes and stops instances, takes stores away, and in the end heals everything.

use std::sync::Arc;
use std::time::Duration;

use distributary::error::Fatal;

use super::check;
use super::instance::Instance;
use super::rows::partitions;
use super::workload::Workload;
use super::world::World;

/// How long the program may take, after the last fault, until everything is done.
const RECOVERY: Duration = Duration::from_secs(90);

/// A place for one instance.
#[derive(Default)]
struct Seat {
    instance: Option<Instance>,
    /// When somebody starts it again.
    start_at: Duration,
    thaw_at: Option<Duration>,
}

/// Changes rows until it is calm, and a little beyond.
pub(super) async fn change_rows(world: Arc<World>) {
    let mut workload = Workload::new(&world.settings);
    let until = world.settings.calm_at + Duration::from_millis(500);
    while world.now() < until {
        for _ in 0..fastrand::u32(1..8) {
            let state = &mut *world.lock();
            workload.step(&mut state.log, &mut state.truth, world.now());
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..700))).await;
    }
}

/// The whole life of a simulated group.
pub(super) async fn run(world: &Arc<World>) {
    let mut seats: Vec<Seat> = (0..world.settings.instances)
        .map(|_| Seat::default())
        .collect();
    let mut started = 0;
    let workload = tokio::spawn(change_rows(Arc::clone(world)));
    tokio::spawn(super::cleaner::run(Arc::clone(world)));
    while world.now() < world.settings.calm_at && !world.is_broken() {
        seats
            .iter_mut()
            .for_each(|seat| tend(world, seat, &mut started));
        if world.strikes(0.4) {
            let seat = fastrand::usize(..seats.len());
            strike(world, &mut seats[seat]);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(50..400))).await;
    }
    workload.await.expect("the workload does not fail");
    world.note(format_args!("calm"));
    heal(world, &mut seats);
    let give_up = world.now() + RECOVERY;
    while !is_at_rest(world, &seats) && !world.is_broken() {
        if world.now() > give_up {
            world.broken(unrest(world, &seats));
            break;
        }
        seats
            .iter_mut()
            .for_each(|seat| tend(world, seat, &mut started));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    if !world.is_broken() {
        let wrong = check::at_rest(&world.lock());
        wrong.into_iter().for_each(|how| world.broken(how));
    }
}

/// Looks after a seat: what has ended is started again, what is frozen goes on.
fn tend(world: &Arc<World>, seat: &mut Seat, started: &mut usize) {
    let now = world.now();
    if let Some(instance) = &seat.instance {
        if seat.thaw_at.is_some_and(|at| now >= at) {
            seat.thaw_at = None;
            instance.process.thaw();
        }
        let ended = instance.ended.lock().unwrap().take();
        match &ended {
            Some(Ok(()) | Err(Fatal::DrainTimedOut)) | None => {}
            Some(Err(error)) => world.broken(format!("an instance stopped: {error}")),
        }
        if ended.is_none() && !instance.process.is_dead() {
            return;
        }
        // What the process still had under way ends with it.
        instance.process.kill();
        seat.instance = None;
        let away = if world.lock().calm { 500 } else { 4_000 };
        seat.start_at = now + Duration::from_millis(fastrand::u64(..away));
    }
    if now >= seat.start_at {
        *started += 1;
        world.note(format_args!("process {started} starts"));
        seat.instance = Some(Instance::start(world, *started));
    }
}

fn strike(world: &World, seat: &mut Seat) {
    let now = world.now();
    let Some(instance) = &seat.instance else {
        return;
    };
    match fastrand::u32(..9) {
        0 => instance.process.kill(),
        1..3 => instance.process.light_fuse(fastrand::u64(1..60)),
        3..5 => {
            let longest = if fastrand::bool() { 1_500 } else { 6_000 };
            instance.process.freeze();
            seat.thaw_at = Some(now + Duration::from_millis(fastrand::u64(..longest)));
        }
        5 => instance.stop.cancel(),
        6..8 => {
            let sink = fastrand::usize(..3);
            let until = now + Duration::from_millis(fastrand::u64(..3_000));
            world.note(format_args!(
                "the store of sink {sink} goes away until {until:?}"
            ));
            world.lock().outages[sink] = until;
        }
        _ => world.lock().group.rotate(),
    }
}

fn heal(world: &World, seats: &mut [Seat]) {
    {
        let mut state = world.lock();
        state.calm = true;
        state.outages = [Duration::ZERO; 3];
    }
    for seat in seats {
        seat.start_at = Duration::ZERO;
        seat.thaw_at = None;
        if let Some(instance) = &seat.instance {
            instance.process.light_fuse(0);
            instance.process.thaw();
        }
    }
}

/// Whether everything is committed, and nobody holds anything or believes to be behind.
fn is_at_rest(world: &World, seats: &[Seat]) -> bool {
    check::is_done(&world.lock()) && seats.iter().all(is_idle)
}

fn is_idle(seat: &Seat) -> bool {
    seat.instance.as_ref().is_some_and(|instance| {
        let held = *instance.process.held.lock().unwrap();
        let lag = instance.process.lag.lock().unwrap();
        held == (0, 0) && lag.values().all(|it| *it == 0)
    })
}

fn unrest(world: &World, seats: &[Seat]) -> String {
    let state = world.lock();
    let positions = partitions().map(|it| (state.group.committed(it), state.log.high(it)));
    let positions: Vec<_> = positions.collect();
    let told = seats.iter().flat_map(|it| &it.instance).map(|instance| {
        let held = *instance.process.held.lock().unwrap();
        (
            instance.process.number,
            held,
            instance.process.lag.lock().unwrap().clone(),
        )
    });
    let told: Vec<_> = told.collect();
    format!("no rest within {RECOVERY:?}: committed and ends {positions:?}, held and lag {told:?}")
}
