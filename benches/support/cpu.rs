//! Time on a processor, so that what else the machine does is not in the figures.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// Criterion's clock: how long the measuring thread has had a processor.
pub(crate) struct OnCpu;

impl Measurement for OnCpu {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        of_this_thread()
    }

    fn end(&self, begun: Duration) -> Duration {
        of_this_thread() - begun
    }

    fn add(&self, first: &Duration, second: &Duration) -> Duration {
        *first + *second
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_secs_f64() * 1e9
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// The processor time that this thread has had.
pub(crate) fn of_this_thread() -> Duration {
    on_cpu("/proc/thread-self/schedstat").expect("Linux says how long a thread ran")
}

/// The threads of this process by number: their names and processor times.
pub(crate) type Threads = HashMap<OsString, (String, Duration)>;

/// The threads that run now.
pub(crate) fn of_threads() -> Threads {
    let threads = fs::read_dir("/proc/self/task").expect("Linux lists the threads");
    let one = |task: std::io::Result<fs::DirEntry>| {
        // A thread may end while it is asked.
        let task = task.ok()?;
        let path = task.path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let time = on_cpu(&path.join("schedstat").to_string_lossy())?;
        Some((task.file_name(), (name.trim().to_owned(), time)))
    };
    threads.filter_map(one).collect()
}

fn on_cpu(path: &str) -> Option<Duration> {
    let statistics = fs::read_to_string(path).ok()?;
    let nanos = statistics.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
