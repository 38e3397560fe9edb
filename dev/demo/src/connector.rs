//! Registers the Debezium connector and waits until it and its task run.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::{Client, StatusCode};
use serde::Deserialize;

/// Pause between two looks at the connector.
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, Deserialize)]
struct Status {
    connector: State,
    tasks: Vec<State>,
}

#[derive(Debug, Deserialize)]
struct State {
    state: String,
    trace: Option<String>,
}

/// Puts the configuration as it stands; harmless where the connector is there already.
pub(crate) async fn register(url: &str, file: &Path, patience: Duration) -> Result<()> {
    let name = file
        .file_stem()
        .and_then(|name| name.to_str())
        .context("the connector's name")?;
    let config = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let (http, start) = (Client::new(), Instant::now());
    loop {
        let put = http.put(format!("{url}/connectors/{name}/config"));
        let put = put
            .header("content-type", "application/json")
            .body(config.clone());
        let answer = put
            .send()
            .await
            .context("Kafka Connect does not answer; is the stack up?")?;
        match answer.status() {
            status if status.is_success() => break,
            // The worker is rebalancing and takes no changes meanwhile.
            StatusCode::CONFLICT if start.elapsed() < patience => tokio::time::sleep(PAUSE).await,
            status => bail!(
                "connector {name} was refused ({status}): {}",
                answer.text().await?
            ),
        }
    }
    wait(
        &http,
        &format!("{url}/connectors/{name}/status"),
        start,
        patience,
    )
    .await
}

/// A connector can be running while its only task has failed: both must run.
async fn wait(http: &Client, url: &str, start: Instant, patience: Duration) -> Result<()> {
    loop {
        let answer = http.get(url).send().await?;
        let status: Option<Status> = match answer.status().is_success() {
            true => Some(answer.json().await?),
            false => None,
        };
        if let Some(Status { connector, tasks }) = &status {
            let mut all = tasks.iter().chain([connector]);
            if let Some(failed) = all.clone().find(|state| state.state == "FAILED") {
                bail!(
                    "the connector failed: {}",
                    failed.trace.as_deref().unwrap_or("no trace")
                );
            }
            if !tasks.is_empty() && all.all(|state| state.state == "RUNNING") {
                return Ok(());
            }
        }
        if start.elapsed() > patience {
            bail!("the connector does not run in time; its state is {status:?}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
