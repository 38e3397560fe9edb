//! What `--version` says.

use std::sync::LazyLock;

/// The program's version, the commit it was built from, and librdkafka's version.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    let version = env!("CARGO_PKG_VERSION");
    match option_env!("DISTRIBUTARY_COMMIT") {
        Some(commit) => format!("{version} (commit {commit}, librdkafka {librdkafka})"),
        None => format!("{version} (librdkafka {librdkafka})"),
    }
});
