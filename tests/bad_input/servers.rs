//! Servers that are away when the program starts.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::support::feed::Feed;
use crate::support::redis_server::free_port;
use crate::support::{stack, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_at_the_start_is_named_and_waited_for() {
    let mut feed = Feed::new(1).await;
    feed.redis.stop().unwrap();
    feed.insert(1).await;
    let mut program = feed.run(&[]);
    until("of the stores only this one is missing", async || {
        let said = program.waits_for("sink cache").await;
        let search = said["waiting_for"].get("sink search");
        search.is_none().then_some(())
    })
    .await;
    assert_eq!(program.ask("livez").await.unwrap().0, 200);
    assert_eq!(feed.kafka.committed(&feed.topic(), 0), None);
    until("the other store is prepared all the same", async || {
        let alias = format!("{}/{}-items", stack("ES_URL"), feed.name);
        let answer = reqwest::get(alias).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;

    feed.redis.start_again().await.unwrap();
    program.ready().await;
    feed.until_committed().await;
    assert!(feed.document(1).await.is_some());
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_down_at_the_start_is_waited_for() {
    let mut feed = Feed::new(1).await;
    let port = free_port().unwrap();
    let brokers = format!("127.0.0.1:{port}");
    feed.configure("away.yaml", &format!("source: {{brokers: ['{brokers}']}}"));
    feed.insert(1).await;
    let mut program = feed.run(&[]);
    let group = format!("consumer group {}", feed.name);
    program.waits_for(&group).await;
    assert_eq!(program.ask("livez").await.unwrap().0, 200);

    // The real broker appears at that address.
    let listener = TcpListener::bind(brokers).await.unwrap();
    let door = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut broker = TcpStream::connect(stack("KAFKA_BROKERS")).await.unwrap();
            // Either side may hang up as it likes.
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut broker).await.ok() });
        }
    });
    program.ready().await;
    feed.until_committed().await;
    assert!(feed.document(1).await.is_some());
    program.stop().await;
    door.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_loses_nothing_and_buries_nothing() {
    let mut feed = Feed::new(1).await;
    feed.insert(1).await;
    let mut program = feed.run(&[]);
    program.ready().await;
    feed.until_committed().await;
    feed.redis.stop().unwrap();
    let offset = feed.insert(2).await;
    program.waits_for("sink cache").await;
    assert_eq!(feed.kafka.committed(&feed.topic(), 0), Some(offset));

    feed.redis.start_again().await.unwrap();
    feed.until_committed().await;
    program.ready().await;
    let dead_letters = format!("{}.dead-letter", feed.name);
    assert_eq!(feed.kafka.end(&dead_letters, 0), 0);
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_under_a_running_program_is_an_outage_until_its_file_says_the_new_one() {
    let mut feed = Feed::new(1).await;
    let set_user = "ACL SETUSER app on resetpass ~* +@all";
    let ok: String = feed.redis.run(&format!("{set_user} >first")).await.unwrap();
    assert_eq!(ok, "OK");
    let file = feed.folder().join("password");
    std::fs::write(&file, "first").unwrap();
    let user = format!(
        "sinks: {{cache: {{username: app, password: {{file: '{}'}}}}}}\n",
        file.display()
    );
    feed.configure("user.yaml", &user);
    feed.insert(1).await;
    let mut program = feed.run(&[]);
    program.ready().await;
    feed.until_committed().await;

    let ok: String = feed
        .redis
        .run(&format!("{set_user} >second"))
        .await
        .unwrap();
    assert_eq!(ok, "OK");
    let ended: i64 = feed.redis.run("CLIENT KILL USER app").await.unwrap();
    assert!(ended > 0, "the program had a connection");
    let offset = feed.insert(2).await;
    program.waits_for("sink cache").await;
    assert_eq!(feed.kafka.committed(&feed.topic(), 0), Some(offset));

    std::fs::write(&file, "second").unwrap();
    feed.until_committed().await;
    program.ready().await;
    let dead_letters = format!("{}.dead-letter", feed.name);
    assert_eq!(feed.kafka.end(&dead_letters, 0), 0);
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_store_that_is_down_and_commits_what_every_store_has() {
    let mut feed = Feed::new(1).await;
    feed.insert(1).await;
    let mut program = feed.run(&[]);
    program.ready().await;
    feed.until_committed().await;
    feed.redis.stop().unwrap();
    let offset = feed.insert(2).await;
    program.waits_for("sink cache").await;
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0), "{}", program.log());
    assert_eq!(feed.kafka.committed(&feed.topic(), 0), Some(offset));
}
