//! The program under demonstration: started, asked, stopped, and its last words where it dies.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::Client;
use tokio::process::{Child, Command};

use demo::Metrics;

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// Above the example's drain timeout.
const STOP_PATIENCE: Duration = Duration::from_secs(40);
/// Lines of the log that are shown when the program dies.
const LAST_LINES: usize = 20;

/// Where a running program is asked: its `/metrics` and `/readyz`.
pub(crate) struct Endpoint {
    http: Client,
    /// Scheme, host and port.
    url: String,
}

impl Endpoint {
    /// The endpoint at this address.
    pub(crate) fn new(url: String) -> Result<Self> {
        let http = Client::builder().timeout(Duration::from_secs(5)).build()?;
        Ok(Self { http, url })
    }

    /// The address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What the program measures now.
    pub(crate) async fn metrics(&self) -> Result<Metrics> {
        let answer = self.http.get(format!("{}/metrics", self.url)).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        Ok(Metrics::parse(
            &answer.context("the program's metrics")?.text().await?,
        ))
    }

    /// What is missing before the program is ready; nothing where it is.
    async fn unready(&self) -> Option<String> {
        match self.http.get(format!("{}/readyz", self.url)).send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.text().await.unwrap_or_default()),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// A running `distributary run`. Killed if the demo dies first.
pub(crate) struct Program {
    child: Child,
    /// Where it is asked.
    pub(crate) endpoint: Endpoint,
    log: PathBuf,
}

impl Program {
    /// Starts it with its output in a file.
    pub(crate) fn start(program: &Path, config: &Path, log: PathBuf) -> Result<Self> {
        let address = match std::env::var("HTTP_LISTEN") {
            Ok(address) => address,
            Err(_) => free_address()?,
        };
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(config)
            .env("HTTP_LISTEN", &address)
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self {
            child,
            endpoint: Endpoint::new(format!("http://{address}"))?,
            log,
        })
    }

    /// The file with its output.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until it is in its group and reaches every store.
    pub(crate) async fn ready(&mut self, patience: Duration) -> Result<()> {
        let start = Instant::now();
        while let Some(missing) = self.endpoint.unready().await {
            self.alive()?;
            if start.elapsed() > patience {
                bail!(
                    "the program is not ready in time; /readyz says: {missing}{}",
                    self.last_words()
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Asks it to stop, as Kubernetes would, and waits for the orderly end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = self
            .child
            .id()
            .context("the program has ended before it was stopped")?;
        Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .await?;
        let ended = tokio::time::timeout(STOP_PATIENCE, self.child.wait()).await;
        let status = ended.context("the program does not stop within its drain timeout")??;
        if !status.success() {
            bail!("the program stopped with {status}{}", self.last_words());
        }
        Ok(())
    }

    /// Whether it still runs; the end of its log where it does not.
    pub(crate) fn alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the program ended with {status}{}", self.last_words());
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
        format!("\nThe end of its log, {}:\n  {last}", self.log.display())
    }
}

/// A port that was free a moment ago: two checkouts can run their demos side by side.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
