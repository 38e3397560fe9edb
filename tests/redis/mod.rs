//! The Redis sink on real servers, each with a fault of its own.

mod tls;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use distributary::change::{Change, Op, ProjectionId, Row, TableId, Version};
use distributary::config::{Batch, Cache, Credentials, Invalidation, Redis, Secret};
use distributary::projector::Projector as _;
use distributary::projector::cache::{CacheKey, CacheProjector};
use distributary::sink::redis::RedisSink;
use distributary::sink::{Outage, OutageKind, Outcome, Sink as _, SinkError};

use crate::support::redis_server::{Server, free_port};

const NO_SNAPSHOTS: [&str; 2] = ["--save", ""];

fn config(url: String) -> Redis {
    Redis {
        url,
        credentials: None,
        ca: None,
        second_unlink_after: Duration::ZERO,
        batch: Batch {
            max_items: 5000,
            max_bytes: 1 << 20,
        },
    }
}

fn sink(url: String) -> Result<RedisSink> {
    Ok(RedisSink::new(&config(url))?)
}

fn with_password(url: String, username: &str, password: PathBuf) -> Result<RedisSink> {
    let credentials = Credentials::Basic {
        username: String::from(username),
        password: Secret::File(password),
    };
    Ok(RedisSink::new(&Redis {
        credentials: Some(credentials),
        ..config(url)
    })?)
}

/// The keys `k:0` to `k:<count - 1>`, as the projector makes them.
fn keys(count: u32) -> Result<Vec<CacheKey>> {
    let cache = Cache {
        from: TableId(0),
        invalidate: vec![Invalidation {
            key: String::from("k:{{ key.id }}"),
            when: None,
        }],
    };
    let projector = CacheProjector::new(ProjectionId(0), &cache, "rows")?;
    let mut out = Vec::new();
    for id in 0..count {
        let change = Change {
            table: TableId(0),
            op: Op::Delete,
            key: Row::from_pairs(&[("id", &id.to_string())]),
            before: None,
            after: None,
            moved_from: None,
            version: Version::new(0, 1),
            committed_at_ms: 0,
        };
        projector.project(&change, &mut out)?;
    }
    Ok(out)
}

/// Writes one key and expects an outage, within the sink's own deadlines.
async fn outage(sink: &RedisSink) -> Result<Outage> {
    let batch = keys(1)?;
    let written = tokio::time::timeout(Duration::from_secs(15), sink.write(&batch));
    match written.await.context("the write has a deadline")? {
        Err(SinkError::Outage(outage)) => Ok(outage),
        other => bail!("expected an outage, got {other:?}"),
    }
}

async fn assert_written(sink: &RedisSink) -> Result<()> {
    assert_eq!(sink.write(&keys(1)?).await?, [Outcome::Written]);
    Ok(())
}

/// Writes until the sink gets through: as delivery does after an outage.
async fn assert_recovers(sink: &RedisSink) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match sink.write(&keys(1)?).await {
            Ok(outcomes) => {
                assert_eq!(outcomes, [Outcome::Written]);
                return Ok(());
            }
            Err(error) if Instant::now() > until => bail!("still {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn the_keys_of_a_batch_go_and_no_others() -> Result<()> {
    let server = Server::start(&NO_SNAPSHOTS).await?;
    let mut connection = server.connect().await?;
    let mut fill = redis::pipe();
    for id in 0..1300 {
        fill.cmd("SET").arg(format!("k:{id}")).arg("old").ignore();
    }
    fill.exec_async(&mut connection).await?;

    let sink = sink(server.url())?;
    let batch = keys(1201)?;
    for _ in 0..2 {
        assert_eq!(sink.write(&batch).await?, vec![Outcome::Written; 1201]);
        assert_eq!(server.run::<u64>("DBSIZE").await?, 99);
    }
    assert_eq!(sink.write(&[]).await?, []);
    assert!(server.run::<bool>("EXISTS k:1201").await?);
    assert_eq!(sink.prepare().await?, []);
    // All of it over one connection; the tests' own are closed or counted.
    assert!(server.run::<String>("CLIENT LIST").await?.lines().count() <= 3);
    Ok(())
}

#[tokio::test]
async fn a_second_unlink_is_wanted_unless_it_is_turned_off() -> Result<()> {
    let url = || String::from("redis://127.0.0.1:1");
    let second_unlink_after = Duration::from_secs(1);
    let sink_twice = RedisSink::new(&Redis {
        second_unlink_after,
        ..config(url())
    })?;
    assert_eq!(sink_twice.again_after(), Some(second_unlink_after));
    assert_eq!(sink(url())?.again_after(), None);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_down_is_an_outage_until_it_comes() -> Result<()> {
    let mut server = Server::start(&NO_SNAPSHOTS).await?;
    server.stop()?;
    let sink = sink(server.url())?;
    assert_eq!(outage(&sink).await?.kind, OutageKind::Unreachable);
    assert!(sink.ping().await.is_err() && sink.prepare().await.is_err());

    server.start_again().await?;
    assert_written(&sink).await?;
    server.stop()?;
    assert_eq!(outage(&sink).await?.kind, OutageKind::Unreachable);
    server.start_again().await?;
    assert_written(&sink).await?;
    sink.ping().await?;
    Ok(())
}

#[tokio::test]
async fn a_frozen_server_ends_in_an_outage_and_a_thawed_one_is_found_again() -> Result<()> {
    let server = Server::start(&NO_SNAPSHOTS).await?;
    let (connected, new) = (sink(server.url())?, sink(server.url())?);
    assert_written(&connected).await?;
    server.signal("STOP")?;
    // One with a connection that has gone silent, one whose greeting is never answered, and both
    // again, to see that the first time-out has not left a broken connection behind.
    for _ in 0..2 {
        let (one, two) = tokio::try_join!(outage(&connected), outage(&new))?;
        assert_eq!(one.kind, OutageKind::Unreachable);
        assert_eq!(two.kind, OutageKind::Unreachable);
    }
    server.signal("CONT")?;
    assert_recovers(&connected).await?;
    assert_recovers(&new).await
}

#[tokio::test]
async fn a_changed_password_is_read_again() -> Result<()> {
    let server = Server::start(&["--save", "", "--requirepass", "first"]).await?;
    let folder = tempfile::tempdir()?;
    let password = folder.path().join("password");
    let sink = with_password(server.url(), "default", password.clone())?;
    assert_eq!(
        outage(&sink).await?.kind,
        OutageKind::Refused,
        "no file yet"
    );
    std::fs::write(&password, "wrong\n")?;
    assert_eq!(outage(&sink).await?.kind, OutageKind::Refused);
    std::fs::write(&password, "first\n")?;
    assert_written(&sink).await?;

    let mut connection = server.connect().await?;
    let admin = |words: &[&str]| {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command
    };
    admin(&["AUTH", "first"])
        .exec_async(&mut connection)
        .await?;
    let change = admin(&["CONFIG", "SET", "requirepass", "second"]);
    change.exec_async(&mut connection).await?;
    admin(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
        .exec_async(&mut connection)
        .await?;
    // The closed connection is found first, then the old password is refused.
    let kinds = [outage(&sink).await?.kind, outage(&sink).await?.kind];
    assert_eq!(kinds[1], OutageKind::Refused, "{kinds:?}");
    std::fs::write(&password, "second\n")?;
    assert_written(&sink).await
}

#[tokio::test]
async fn a_missing_password_and_a_missing_right_are_refusals() -> Result<()> {
    let server = Server::start(&["--save", "", "--requirepass", "first"]).await?;
    assert_eq!(
        outage(&sink(server.url())?).await?.kind,
        OutageKind::Refused
    );

    let server = Server::start(&NO_SNAPSHOTS).await?;
    server
        .run::<()>("ACL SETUSER reader on >pw ~k:* -@all +ping")
        .await?;
    let folder = tempfile::tempdir()?;
    let password = folder.path().join("password");
    std::fs::write(&password, "pw")?;
    let sink = with_password(server.url(), "reader", password)?;
    sink.ping().await?;
    let refused = outage(&sink).await?;
    assert_eq!(refused.kind, OutageKind::Refused);
    assert!(refused.reason.contains("UNLINK"), "{}", refused.reason);
    server.run::<()>("ACL SETUSER reader +unlink").await?;
    assert_written(&sink).await
}

#[tokio::test]
async fn a_server_without_unlink_is_an_outage_that_quotes_no_key() -> Result<()> {
    let server = Server::start(&["--save", "", "--rename-command", "UNLINK", ""]).await?;
    let blocked = outage(&sink(server.url())?).await?;
    assert_eq!(blocked.kind, OutageKind::Blocked);
    assert_eq!(blocked.reason, "ERR unknown command 'UNLINK'");
    Ok(())
}

#[tokio::test]
async fn a_server_with_too_many_clients_does_not_refuse_the_password() -> Result<()> {
    let server = Server::start(&["--save", "", "--requirepass", "first"]).await?;
    let folder = tempfile::tempdir()?;
    let password = folder.path().join("password");
    std::fs::write(&password, "first")?;
    let sink = with_password(server.url(), "default", password)?;
    let mut only = server.connect().await?;
    let mut limit = redis::pipe();
    limit.cmd("AUTH").arg("first").ignore();
    limit
        .cmd("CONFIG")
        .arg(&["SET", "maxclients", "1"])
        .ignore();
    limit.exec_async(&mut only).await?;
    let outage = outage(&sink).await?;
    assert_eq!(outage.kind, OutageKind::Unreachable, "{}", outage.reason);
    drop(only);
    assert_recovers(&sink).await
}

#[tokio::test]
async fn a_full_server_still_lets_keys_go() -> Result<()> {
    let server = Server::start(&["--save", "", "--maxmemory-policy", "noeviction"]).await?;
    server.run::<()>("SET k:0 old").await?;
    server.run::<()>("CONFIG SET maxmemory 1").await?;
    assert!(server.run::<()>("SET k:1 new").await.is_err(), "it is full");
    assert_written(&sink(server.url())?).await?;
    assert_eq!(server.run::<u64>("DBSIZE").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_replica_is_an_outage_until_it_is_promoted() -> Result<()> {
    let server = Server::start(&NO_SNAPSHOTS).await?;
    let sink = sink(server.url())?;
    assert_written(&sink).await?;
    server
        .run::<()>(&format!("REPLICAOF 127.0.0.1 {}", free_port()?))
        .await?;
    let blocked = outage(&sink).await?;
    assert_eq!(blocked.kind, OutageKind::Blocked);
    assert!(blocked.reason.contains("READONLY"), "{}", blocked.reason);
    server.run::<()>("REPLICAOF NO ONE").await?;
    assert_written(&sink).await
}

#[tokio::test]
async fn a_server_that_cannot_save_is_an_outage_until_it_can() -> Result<()> {
    let server = Server::start(&["--save", "3600 1"]).await?;
    let sink = sink(server.url())?;
    // Root may write to any folder, but not to one that is gone.
    std::fs::remove_dir_all(server.directory())?;
    server.run::<()>("SET k:1 dirty").await?;
    server.run::<()>("BGSAVE").await?;
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match sink.write(&keys(1)?).await {
            Err(SinkError::Outage(outage)) => {
                assert_eq!(outage.kind, OutageKind::Blocked);
                assert!(outage.reason.contains("MISCONF"), "{}", outage.reason);
                break;
            }
            Err(error) => bail!("{error}"),
            Ok(_) if Instant::now() > until => bail!("the failed save went unnoticed"),
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    server
        .run::<()>("CONFIG SET stop-writes-on-bgsave-error no")
        .await?;
    assert_written(&sink).await
}

#[tokio::test]
async fn a_server_busy_with_a_script_is_overloaded() -> Result<()> {
    let server = Server::start(&["--save", "", "--busy-reply-threshold", "10"]).await?;
    let sink = sink(server.url())?;
    assert_written(&sink).await?;
    let mut connection = server.connect().await?;
    let script = tokio::spawn(async move {
        let mut script = redis::cmd("EVAL");
        script.arg("while true do end").arg(0);
        drop(script.exec_async(&mut connection).await);
    });
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match sink.write(&keys(1)?).await {
            Err(SinkError::Outage(outage)) => {
                assert_eq!(outage.kind, OutageKind::Overloaded, "{}", outage.reason);
                break;
            }
            other if Instant::now() > until => bail!("the script is not noticed: {other:?}"),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    server.run::<()>("SCRIPT KILL").await?;
    script.await?;
    assert_recovers(&sink).await
}

#[test]
fn a_url_that_cannot_work_is_refused_without_a_connection() {
    for (url, ca) in [
        ("http://127.0.0.1", None),
        ("redis://127.0.0.1", Some(PathBuf::from("ca.pem"))),
    ] {
        let config = Redis {
            ca,
            ..config(String::from(url))
        };
        assert!(
            matches!(RedisSink::new(&config), Err(SinkError::Fatal(_))),
            "{url}"
        );
    }
}
