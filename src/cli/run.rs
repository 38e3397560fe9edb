//! `distributary run`: consume, project, acknowledge, commit, until asked to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::complain;
use super::version::VERSION;
use super::{Global, check_projections, refuse};
use crate::config::Config;
use crate::error::{Fatal, exit, in_full};
use crate::http::{self, Health};
use crate::metrics::Metrics;
use crate::pipeline::Stores;
use crate::pipeline::assemble::Process;

/// A poll loop that has not moved for so long beyond the drain is stuck.
const STALL: Duration = Duration::from_secs(60);

/// Consume the topics and keep the stores in step, until SIGTERM.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// Begin although this projection's store would be refused as partial, changed or filled by
    /// another group: you vouch for what it holds, or have sent the group back. Repeatable.
    #[arg(long, value_name = "PROJECTION")]
    adopt: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  distributary run --config shop.yaml
  distributary run -c shop.yaml --adopt products-index    # after a replay in place";

impl Run {
    /// Runs until a signal or a reason to stop.
    pub(super) fn execute(self, global: &Global) -> ExitCode {
        let config = match global.load() {
            Ok(config) => config,
            Err(mistakes) => return refuse(&mistakes),
        };
        if let Err(code) = check_projections(&config, "--adopt", &self.adopt) {
            return code;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => {
                let code = runtime.block_on(self.run(Arc::new(config)));
                // Whatever still waits for a broker or a store has nothing to say any more.
                runtime.shutdown_background();
                code
            }
            Err(error) => {
                complain(format_args!("error: cannot start the runtime: {error}"));
                ExitCode::from(exit::SOFTWARE)
            }
        }
    }

    async fn run(self, config: Arc<Config>) -> ExitCode {
        let listener = match http::listen(config.listen).await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!("{error}");
                return ExitCode::from(exit::UNAVAILABLE);
            }
        };
        // With port 0 only the listener knows which one it is.
        let listens = listener.local_addr();
        tracing::info!(
            version = VERSION.as_str(),
            listen = %listens.unwrap_or(config.listen),
            "distributary starts"
        );
        let process = Process {
            metrics: Arc::new(Metrics::new(&config.pipeline)),
            health: Arc::new(Health::new(STALL + config.drain_timeout, &config.groups())),
            stop: CancellationToken::new(),
            adopted: self.adopt,
            stores: Stores::Configured,
            config,
        };
        let served = http::serve(
            listener,
            Arc::clone(&process.metrics),
            Arc::clone(&process.health),
            std::future::pending(),
        );
        tokio::spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the http endpoint has ended");
            }
        });
        if let Err(error) = stop_on_signal(process.stop.clone()) {
            tracing::error!(%error, "cannot listen for signals");
            return ExitCode::from(exit::SOFTWARE);
        }
        finish(process.run().await)
    }
}

fn finish(outcome: Result<(), Fatal>) -> ExitCode {
    match outcome {
        Ok(()) => {
            tracing::info!("stopped; everything acknowledged is committed");
            ExitCode::SUCCESS
        }
        Err(fatal) => {
            tracing::error!(
                exit_code = fatal.exit_code(),
                "stopped: {}",
                in_full(&fatal)
            );
            ExitCode::from(fatal.exit_code())
        }
    }
}

/// The first SIGTERM or SIGINT asks for an orderly stop, the second does not wait.
fn stop_on_signal(stop: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut asked = async || {
            tokio::select! {
                _ = terminate.recv() => exit::TERMINATED,
                _ = interrupt.recv() => exit::INTERRUPTED,
            }
        };
        asked().await;
        // It may be stopping already, because one of its groups has failed: the others drain.
        stop.cancel();
        let code = asked().await;
        tracing::warn!("second signal: stopping at once");
        std::process::exit(i32::from(code));
    });
    Ok(())
}
