//! What tests of several modules share.

pub(crate) mod connector;
pub(crate) mod database;
pub(crate) mod feed;
pub(crate) mod kafka;
pub(crate) mod program;
pub(crate) mod redis_server;
pub(crate) mod shop;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a test waits for what must come: long, because the machine may be compiling.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// The addresses of the local stack: the variables of `.stack/env` (another file if
/// `DISTRIBUTARY_STACK_ENV` names one), or of the environment where they are set.
///
/// # Panics
/// When there is no stack: tests that need a server fail without it, they are never skipped.
pub(crate) fn stack(name: &str) -> String {
    if let Ok(value) = std::env::var(name) {
        return value;
    }
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".stack/env");
    let path = std::env::var_os("DISTRIBUTARY_STACK_ENV").map_or_else(own, PathBuf::from);
    variable(&path, name)
}

/// A variable of a stack's `env` file.
///
/// # Panics
/// When it is not there.
pub(crate) fn variable(file: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut variables = text.lines().filter_map(|line| line.split_once('='));
    let found = variables.find(|(variable, _)| *variable == name);
    let (_, value) =
        found.unwrap_or_else(|| panic!("{name} is not set: run `make stack-up` first"));
    value.to_owned()
}

/// A name that nothing else has, on servers that keep what earlier runs left: fit for topics,
/// groups, indices, databases, slots and labels.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("t{:x}{count:02}", since.as_millis())
}

/// Asks until there is an answer.
///
/// # Panics
/// When `what` has not come within [`DEADLINE`].
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "in vain waited until {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Runs what cleans up from a `drop`, where nothing can be awaited.
pub(crate) fn clean_up<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    std::thread::scope(|threads| {
        let thread = threads.spawn(move || runtime().block_on(work()));
        thread.join().unwrap()
    })
}
