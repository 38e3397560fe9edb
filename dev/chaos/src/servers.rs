//! Faults of servers and of the connections to them: dealt, held for a while, healed.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, bail};
use checker::Targets;
use rand::Rng;
use serde_json::{Value, json};

use crate::fault::{Fault, Random, Store, span};
use crate::lines::Lines;
use crate::proxy::Mode;
use crate::rival::Rival;
use crate::stack::{Server, Stack};

/// Between two resets of all connections.
const RESET_EVERY: Duration = Duration::from_millis(700);
/// A server that is stopped is gone for so long, in seconds; freezing it is worse, because nothing
/// reports an error, so that lasts longer than a session.
const GONE_S: (f64, f64) = (1.0, 8.0);
const FROZEN_S: (f64, f64) = (4.0, 15.0);

/// The servers, seen from the nemesis.
pub(crate) struct Servers {
    stack: Stack,
    lines: Lines,
    /// Where the servers really are: faults are not dealt through the proxies.
    targets: Targets,
    http: reqwest::Client,
}

impl Servers {
    /// These servers, with a proxy before each of the stores.
    ///
    /// # Errors
    /// Where no ports can be had.
    pub(crate) async fn new(stack: Stack, stores: &[Store], targets: Targets) -> Result<Self> {
        let lines = Lines::start(&stack, stores).await?;
        let timeout = Duration::from_secs(30);
        let http = reqwest::Client::builder().timeout(timeout).build()?;
        Ok(Self {
            stack,
            lines,
            targets,
            http,
        })
    }

    /// The stack.
    #[must_use]
    pub(crate) const fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Where the servers really are.
    #[must_use]
    pub(crate) const fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The program's environment: the stack's, with the stores behind their proxies.
    #[must_use]
    pub(crate) fn environment(&self) -> HashMap<String, String> {
        self.lines.environment(&self.stack)
    }

    /// Deals a fault and heals it.
    ///
    /// # Errors
    /// Where it can be neither dealt nor healed.
    pub(crate) async fn deal(&self, fault: Fault, random: &mut Random) -> Result<()> {
        let gone = span(random, GONE_S.0, GONE_S.1);
        let frozen = span(random, FROZEN_S.0, FROZEN_S.1);
        match fault {
            Fault::Stop(server) => self.away("stop", server, gone).await,
            Fault::Die(server) => self.away("kill", server, gone).await,
            Fault::Pause(server) => {
                self.stack.control("pause", server).await?;
                tokio::time::sleep(frozen).await;
                self.stack.control("resume", server).await
            }
            Fault::Slow(store) => {
                let delay = Duration::from_millis(random.random_range(50..1500));
                self.bad_line(store, Mode::Slow(delay), frozen).await
            }
            Fault::HalfOpen(store) => self.bad_line(store, Mode::HalfOpen, frozen).await,
            Fault::Cut(store) => {
                let limit = random.random_range(1..3000);
                self.bad_line(store, Mode::Cut(limit), gone).await
            }
            Fault::Refuse(store) => self.bad_line(store, Mode::Refuse, gone).await,
            Fault::Reset(store) => self.resets(store, gone).await,
            Fault::ReadOnly => self.block("write", frozen).await,
            Fault::FloodStage => self.block("read_only_allow_delete", frozen).await,
            Fault::OutOfMemory => self.out_of_memory(frozen).await,
            Fault::Snapshot => self.snapshot().await,
            Fault::Rival => Rival::connect(&self.targets)?.run(frozen, random).await,
            _ => bail!("{fault} is not a fault of servers"),
        }
    }

    /// Everything as it should be, whatever was dealt.
    ///
    /// # Errors
    /// Where a server cannot be started.
    pub(crate) async fn heal(&self) -> Result<()> {
        self.lines.set(Mode::Pass);
        let all = [
            Server::Kafka,
            Server::Connect,
            Server::Elasticsearch,
            Server::Redis,
            Server::Neo4j,
        ];
        for server in all {
            // Refused where the server is down, which the start below mends.
            self.stack.control("resume", server).await.ok();
            self.stack.control("start", server).await?;
        }
        self.restart_failed_task().await
    }

    /// Debezium gives up when the broker is away for too long; restarting its task is an
    /// operator's business and none of the program's.
    async fn restart_failed_task(&self) -> Result<()> {
        let connector = format!("{}/connectors/ecommerce", self.stack.get("CONNECT_URL")?);
        for _ in 0..60 {
            let status = self.http.get(format!("{connector}/status")).send().await?;
            let status: Value = serde_json::from_str(&status.text().await?)?;
            match status["tasks"][0]["state"].as_str() {
                Some("RUNNING") => return Ok(()),
                Some("FAILED") => {
                    let restart = format!("{connector}/tasks/0/restart");
                    self.http.post(restart).send().await?;
                }
                _ => {}
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bail!("Debezium's task does not run again")
    }

    async fn away(&self, action: &str, server: Server, length: Duration) -> Result<()> {
        self.stack.control(action, server).await?;
        tokio::time::sleep(length).await;
        self.stack.control("start", server).await
    }

    async fn bad_line(&self, store: Store, mode: Mode, length: Duration) -> Result<()> {
        let proxy = self.lines.before(store);
        proxy.set(mode);
        tokio::time::sleep(length).await;
        proxy.set(Mode::Pass);
        Ok(())
    }

    async fn resets(&self, store: Store, length: Duration) -> Result<()> {
        let end = tokio::time::Instant::now() + length;
        while tokio::time::Instant::now() < end {
            self.lines.before(store).reset();
            tokio::time::sleep(RESET_EVERY).await;
        }
        Ok(())
    }

    async fn block(&self, block: &str, length: Duration) -> Result<()> {
        let name = format!("index.blocks.{block}");
        self.index_setting(&name, json!(true)).await?;
        tokio::time::sleep(length).await;
        self.index_setting(&name, Value::Null).await
    }

    async fn index_setting(&self, name: &str, value: Value) -> Result<()> {
        let url = format!("{}/products,orders/_settings", self.targets.es_url);
        let body = json!({name: value}).to_string();
        let put = self
            .http
            .put(url)
            .header("content-type", "application/json");
        put.body(body).send().await?.error_for_status()?;
        Ok(())
    }

    /// Its rows come at offsets of their own, in between the changes that are made meanwhile.
    async fn snapshot(&self) -> Result<()> {
        let sql = "INSERT INTO public.debezium_signal VALUES (gen_random_uuid()::text, \
                   'execute-snapshot', '{\"type\": \"incremental\", \"data-collections\": \
                   [\"public.products\", \"public.orders\", \"public.users\"]}')";
        let postgres = self.targets.postgres().await?;
        Ok(postgres.batch_execute(sql).await?)
    }

    async fn out_of_memory(&self, length: Duration) -> Result<()> {
        self.redis_setting("maxmemory", "1mb").await?;
        tokio::time::sleep(length).await;
        self.redis_setting("maxmemory", "0").await
    }

    async fn redis_setting(&self, name: &str, value: &str) -> Result<()> {
        let client = redis::Client::open(self.targets.redis_url.as_str())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg(name).arg(value);
        set.query_async::<()>(&mut connection).await?;
        Ok(())
    }
}
