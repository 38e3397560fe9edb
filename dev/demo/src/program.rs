//! The program under demonstration: started, stopped, and its last words where it dies.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use instance::{Endpoint, Instance, Setup, Signal, free_address};

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// Above the example's drain timeout.
const STOP_PATIENCE: Duration = Duration::from_secs(40);
/// Lines of the log that are shown when the program dies.
const LAST_LINES: usize = 20;

/// A running `distributary run`. Killed if the demo dies first.
pub(crate) struct Program {
    instance: Instance,
}

impl Program {
    /// Starts it with its output in a file.
    pub(crate) fn start(program: PathBuf, config: PathBuf, log: PathBuf) -> Result<Self> {
        let address = std::env::var("HTTP_LISTEN").or_else(|_| free_address())?;
        let setup = Setup {
            program,
            config,
            environment: HashMap::new(),
        };
        let instance = Instance::start(&setup, &address, log)?;
        Ok(Self { instance })
    }

    /// Where it is asked.
    pub(crate) const fn endpoint(&self) -> &Endpoint {
        self.instance.endpoint()
    }

    /// The file with its output.
    pub(crate) fn log(&self) -> &Path {
        self.instance.log()
    }

    /// Waits until it is in its group and reaches every store.
    pub(crate) async fn ready(&mut self, patience: Duration) -> Result<()> {
        let start = Instant::now();
        while let Some(missing) = self.endpoint().missing().await {
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
        self.instance.signal(Signal::Terminate).await?;
        let ended = self.instance.ended(STOP_PATIENCE).await;
        let status = ended.context("the program does not stop within its drain timeout")?;
        if !status.success() {
            bail!("the program stopped with {status}{}", self.last_words());
        }
        Ok(())
    }

    /// Whether it still runs; the end of its log where it does not.
    pub(crate) fn alive(&mut self) -> Result<()> {
        if let Some(status) = self.instance.status()? {
            bail!("the program ended with {status}{}", self.last_words());
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let last = self.instance.last_lines(LAST_LINES).join("\n  ");
        format!("\nThe end of its log, {}:\n  {last}", self.log().display())
    }
}
