//! One process of the program: started, signalled, asked.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

/// How an instance is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The `distributary` binary.
    pub program: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// Addresses that the configuration names.
    pub environment: HashMap<String, String>,
    /// Where logs go.
    pub logs: PathBuf,
}

/// A signal that a process can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ends it at once.
    Kill,
    /// Asks it to stop, as Kubernetes would.
    Terminate,
    /// Freezes it.
    Stop,
    /// Lets it go on.
    Continue,
}

/// A running instance. Killed when dropped.
#[derive(Debug)]
pub struct Instance {
    child: Child,
    pid: u32,
    url: String,
    log: PathBuf,
}

impl Instance {
    /// Starts one; its log goes to `instance-NUMBER.log`, behind what is there.
    ///
    /// # Errors
    /// Where the binary cannot be started.
    pub fn start(setup: &Setup, number: usize) -> Result<Self> {
        let address = free_address()?;
        let log = setup.logs.join(format!("instance-{number}.log"));
        let output = OpenOptions::new().create(true).append(true).open(&log);
        let output = output.with_context(|| log.display().to_string())?;
        let child = Command::new(&setup.program)
            .args(["run", "--config"])
            .arg(&setup.config)
            .envs(&setup.environment)
            .env("HTTP_LISTEN", &address)
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", setup.program.display()))?;
        Ok(Self {
            pid: child.id().context("a process that was just started")?,
            child,
            url: format!("http://{address}"),
            log,
        })
    }

    /// Its process.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// Where the process is gone.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        let name = match signal {
            Signal::Kill => "-KILL",
            Signal::Terminate => "-TERM",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        let sent = Command::new("kill")
            .args([name, &self.pid.to_string()])
            .output();
        let sent = sent.await?.status.success();
        anyhow::ensure!(sent, "process {} is gone", self.pid);
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Where it does not end within `patience`.
    pub async fn ended(&mut self, patience: Duration) -> Result<ExitStatus> {
        let ended = tokio::time::timeout(patience, self.child.wait()).await;
        Ok(ended.with_context(|| format!("process {} does not end", self.pid))??)
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// Where the system cannot say.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Whether it says that it is in its group and reaches its stores.
    pub async fn is_ready(&self, http: &reqwest::Client) -> bool {
        let answer = http.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|it| it.status().is_success())
    }

    /// Its metrics, as text.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn metrics(&self, http: &reqwest::Client) -> Result<String> {
        let answer = http.get(format!("{}/metrics", self.url)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

/// A port that was free a moment ago.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
