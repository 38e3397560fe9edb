//! The program under demonstration: started, asked, stopped, and its last words where it dies.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::Client;
use tokio::process::{Child, Command};

use crate::metrics::Metrics;

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// Above the example's drain timeout.
const STOP_PATIENCE: Duration = Duration::from_secs(40);
/// Lines of the log that are shown when the program dies.
const LAST_LINES: usize = 20;

/// A running `distributary run`. Killed if the demo dies first.
pub(crate) struct Program {
    child: Child,
    http: Client,
    address: String,
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
        let http = Client::builder().timeout(Duration::from_secs(5)).build()?;
        Ok(Self {
            child,
            http,
            address,
            log,
        })
    }

    /// Where it serves its metrics.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The file with its output.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until it is in its group and reaches every store.
    pub(crate) async fn ready(&mut self, patience: Duration) -> Result<()> {
        let (start, url) = (Instant::now(), format!("http://{}/readyz", self.address));
        loop {
            self.alive()?;
            let said = match self.http.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            if start.elapsed() > patience {
                bail!(
                    "the program is not ready in time; /readyz says: {said}{}",
                    self.last_words()
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What it measures now.
    pub(crate) async fn metrics(&mut self) -> Result<Metrics> {
        self.alive()?;
        let url = format!("http://{}/metrics", self.address);
        let text = self
            .http
            .get(&url)
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?;
        Ok(Metrics::parse(&text))
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

    fn alive(&mut self) -> Result<()> {
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
