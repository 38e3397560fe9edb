//! The program with every store replaced by one that takes everything and keeps nothing.
//!
//! `null run --config FILE` is `distributary run` otherwise: the same source, pipeline, projectors
//! and sink tasks. It commits what it has thrown away, so it is no command of the program: what
//! `make bench` measures with it is the program's own cost.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use distributary::config::{self, Config, Inputs};
use distributary::http::{self, Health};
use distributary::metrics::Metrics;
use distributary::pipeline::Stores;
use distributary::pipeline::assemble::Process;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STALL: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [run, option, file] = arguments.as_slice() else {
        eprintln!("usage: null run --config FILE");
        return ExitCode::from(64);
    };
    if (run.as_str(), option.as_str()) != ("run", "--config") {
        eprintln!("usage: null run --config FILE");
        return ExitCode::from(64);
    }
    match config::load(&inputs(file)) {
        Ok(loaded) => process(loaded.config).await,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            ExitCode::from(78)
        }
    }
}

fn inputs(file: &str) -> Inputs {
    Inputs {
        files: vec![PathBuf::from(file)],
        environment: std::env::vars()
            .map(|(name, value)| (name, value.into()))
            .collect(),
        assignments: Vec::new(),
    }
}

async fn process(config: Config) -> ExitCode {
    let process = Process {
        metrics: Arc::new(Metrics::new(&config.pipeline)),
        health: Arc::new(Health::new(STALL, &config.groups())),
        stop: CancellationToken::new(),
        adopted: Vec::new(),
        stores: Stores::Null,
        config: Arc::new(config),
    };
    let listener = http::listen(process.config.listen).await;
    let listener = listener.expect("whoever starts this has chosen a free port");
    let (metrics, health) = (Arc::clone(&process.metrics), Arc::clone(&process.health));
    tokio::spawn(http::serve(
        listener,
        metrics,
        health,
        std::future::pending(),
    ));
    let stop = process.stop.clone();
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened for");
    tokio::spawn(async move {
        terminate.recv().await;
        stop.cancel();
    });
    if let Err(fatal) = process.run().await {
        eprintln!("stopped: {fatal}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
