//! What a transaction may take of the server's memory.
//!
//! Community Edition takes the limit at its start only, for everybody: a server of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use distributary::config::Neo4j as Settings;
use distributary::sink::{OutageKind, Outcome, Sink as _, SinkError};

use super::rows::user;
use super::world::{World, coalesced, settings_of};
use crate::support::variable;

/// A Neo4j whose transactions may take 24 MiB. It is stopped in the end.
struct Limited {
    folder: PathBuf,
}

impl Limited {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".stack/limited");
        let limited = Self { folder };
        let started = limited.stack("up");
        let said = String::from_utf8_lossy(&started.stderr);
        assert!(started.status.success(), "{said}");
        limited
    }

    fn settings(&self) -> Settings {
        settings_of(variable(&self.folder.join("env"), "NEO4J_URI"))
    }

    fn stack(&self, command: &str) -> Output {
        let stack = Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/stack/stack");
        Command::new(stack)
            .args([command, "neo4j"])
            .env("STACK_DIR", &self.folder)
            // It is the other stack's.
            .env_remove("PORT_BASE")
            .env("NEO4J_TRANSACTION_MEMORY", "24m")
            .output()
            .expect("a script of this repository")
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // One that is left running is used again.
        drop(self.stack("stop"));
    }
}

#[tokio::test]
async fn what_is_too_much_for_the_server_s_memory_is_refused_together_and_held_alone() {
    let server = Limited::start();
    let settings = server.settings();
    let world = World::on(&settings).await;
    let sink = world.sink(&settings);
    let users = |version, name: &str| -> Vec<_> {
        let name = format!("\"{name}\"");
        let users = (0..400).map(|id| user(version, &id.to_string(), &name));
        coalesced(world.project(&users.collect::<Vec<_>>()))
    };
    let too_much = users(1, &"x".repeat(100 << 10));
    let Err(SinkError::TooMuch(rejection)) = sink.write(&too_much).await else {
        panic!("40 MiB were taken");
    };
    assert_eq!(
        rejection.kind,
        "Neo.TransientError.General.MemoryPoolOutOfMemoryError"
    );
    // As delivery halves it, and shorter again, for one transaction cleans up.
    let shorter = users(2, "short");
    for (part, shorter) in too_much.chunks(100).zip(shorter.chunks(100)) {
        assert_eq!(sink.write(part).await.unwrap(), vec![Outcome::Written; 100]);
        sink.write(shorter).await.unwrap();
    }
    let mut alone = world.project(&[user(1, "1000", &format!("\"{}\"", "x".repeat(30 << 20)))]);
    alone.truncate(1);
    let Err(SinkError::Outage(outage)) = sink.write(&alone).await else {
        panic!("30 MiB were taken, or given up");
    };
    assert_eq!(outage.kind, OutageKind::Overloaded);
    world.clean_up().await;
}
