//! Kafka's password: refused, and changed while the program runs.

use std::path::Path;

use tokio::process::Command;

use crate::support::feed::Feed;
use crate::support::{stack, until};

/// The broker's listener with SASL lets its clients in for a few seconds at a time.
fn security(user: &str, file: &Path) -> String {
    format!(
        "source:\n  brokers: ['{}']\n  security: {{protocol: sasl_plaintext, mechanism: \
         scram-sha-256, username: {user}, password: {{file: '{}'}}}}\n",
        stack("KAFKA_SASL_BROKERS"),
        file.display()
    )
}

/// Sets a user's password at the broker.
async fn set_password(user: &str, password: &str) {
    let credentials = format!("SCRAM-SHA-256=[iterations=4096,password={password}]");
    let changed = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/stack/stack"))
        .args(["kafka", "configs", "--alter", "--entity-type", "users"])
        .args(["--entity-name", user, "--add-config", &credentials])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&changed.stderr);
    assert!(changed.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_kafka_refuses_is_told_and_a_changed_one_is_taken_by_the_next_start() {
    let mut feed = Feed::new(1).await;
    let file = feed.folder().join("password");
    std::fs::write(&file, "wrong").unwrap();
    let config = security(&feed.name, &file);
    feed.configure("security.yaml", &config);
    set_password(&feed.name, "first").await;
    feed.insert(1).await;

    let mut program = feed.run(&[]);
    until("the log says why nobody answers", async || {
        let log = program.log();
        let is_told = log.contains("waiting for a Kafka broker") && log.contains("uthentication");
        is_told.then_some(())
    })
    .await;
    let shown = feed.call.output(&["offsets", "show"]);
    let shown = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(shown.contains("uthentication"), "{shown}");

    std::fs::write(&file, "first").unwrap();
    program.ready().await;
    feed.until_committed().await;

    // Its file is changed later than the broker, as when two systems are told one after the other.
    set_password(&feed.name, "second-and-secret").await;
    until("/readyz says why nobody answers", async || {
        let (_, said) = program.ask("readyz").await?;
        said.contains("uthentication").then_some(())
    })
    .await;
    std::fs::write(&file, "second-and-secret").unwrap();
    program
        .refuses(75, &["no Kafka broker answers", "has changed meanwhile"])
        .await;

    feed.insert(2).await;
    let mut program = feed.run(&[]);
    program.ready().await;
    feed.until_committed().await;
    assert!(feed.document(2).await.is_some());
    program.stop().await;
    assert!(!is_logged(&feed, "second-and-secret"));
}

/// Whether any log of the program has this text.
fn is_logged(feed: &Feed, text: &str) -> bool {
    let files = std::fs::read_dir(feed.folder()).unwrap();
    let logs = files.map(|it| it.unwrap().path());
    let mut logs = logs.filter(|it| it.extension().is_some_and(|it| it == "log"));
    logs.any(|it| std::fs::read_to_string(it).unwrap().contains(text))
}
