//! One process of the program: started, signalled, waited for.

use std::collections::HashMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

use crate::Endpoint;

/// How an instance is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The `distributary` binary.
    pub program: PathBuf,
    /// Its configuration, which listens on `${HTTP_LISTEN}`.
    pub config: PathBuf,
    /// Variables that the configuration names, beside those that this process has.
    pub environment: HashMap<String, String>,
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
    endpoint: Endpoint,
    log: PathBuf,
}

impl Instance {
    /// Starts one that listens on this address; its output goes to a new file.
    ///
    /// # Errors
    /// Where the binary cannot be started.
    pub fn start(setup: &Setup, address: &str, log: PathBuf) -> Result<Self> {
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let child = Command::new(&setup.program)
            .args(["run", "--config"])
            .arg(&setup.config)
            .envs(&setup.environment)
            .env("HTTP_LISTEN", address)
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", setup.program.display()))?;
        Ok(Self {
            pid: child.id().context("a process that was just started")?,
            child,
            endpoint: Endpoint::new(format!("http://{address}"))?,
            log,
        })
    }

    /// Its process.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Where it is asked.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log, so many at most: why it has ended, where it has.
    #[must_use]
    pub fn last_lines(&self, most: usize) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines: Vec<_> = log.lines().map(str::to_owned).collect();
        lines.split_off(lines.len().saturating_sub(most))
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
}

/// An address with a port that was free a moment ago: two checkouts can run side by side.
///
/// # Errors
/// Where no port is free.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_it_said_is_in_its_log() {
        let setup = Setup {
            program: "echo".into(),
            config: "some.yaml".into(),
            environment: HashMap::new(),
        };
        let log = std::env::temp_dir().join(format!("instance-{}.log", std::process::id()));
        let mut instance = Instance::start(&setup, "127.0.0.1:1", log).unwrap();
        let status = instance.ended(Duration::from_secs(60)).await.unwrap();
        assert!(status.success(), "{status}");
        assert_eq!(instance.status().unwrap(), Some(status));
        assert_eq!(instance.last_lines(3), ["run --config some.yaml"]);
        std::fs::remove_file(instance.log()).unwrap();
    }
}
