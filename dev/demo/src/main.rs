//! What `make demo` runs: the example from an empty database to a report, on a stack that is up.
//!
//! It starts the program, waits until all stores hold the first rows, lets the workload change the
//! shop, waits until they have followed, and compares everything. Exit code 0 means that everything
//! is equal, 1 that something differs, 2 that the demo could not be carried out.

mod program;
mod recommend;
mod report;
mod search;
mod table;
mod watch;

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use checker::{Stores, Targets};
use clap::{Parser, Subcommand};
use instance::Endpoint;
use program::Program;
use tokio::process;
use watch::Watch;
use workload::{Session, Workload};

/// Shows Postgres' changes arriving in Elasticsearch, Redis and Neo4j.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    targets: Targets,
    /// The program to show; by default the `distributary` beside this binary.
    #[arg(long)]
    program: Option<PathBuf>,
    /// The repository: where `examples`, `connectors` and the stack are.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Where the program's log goes.
    #[arg(long, env = "STACK_LOGS", default_value = ".")]
    logs: PathBuf,
    /// The same seed on an empty shop makes the same changes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Changes to the shop; each is a transaction of one or more row changes.
    #[arg(long, default_value_t = 3000)]
    changes: u64,
    /// Changes per second; 0 is as fast as Postgres takes them.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Seconds that each wait may take: for the connector, the program, and the stores.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Only waits until the stores have followed, and reports; nothing is started or changed.
    Report {
        /// Where the running program is asked for its metrics.
        #[arg(
            long,
            env = "DISTRIBUTARY_URL",
            default_value = "http://127.0.0.1:9464"
        )]
        program: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("\nThe demo could not be carried out: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool> {
    let clock = Clock(Instant::now());
    let patience = Duration::from_secs(arguments.patience);
    let stores = arguments.targets.connect().await?;
    if let Some(Command::Report { program }) = &arguments.command {
        let program = Endpoint::new(program.clone())?;
        return report(&stores, &mut Watch::default(), &program, patience).await;
    }
    let mut session = prepare(arguments, &stores, &clock).await?;

    connect(&arguments.root, patience).await?;
    clock.say("Debezium's connector runs");

    let config = arguments.root.join("examples/ecommerce/distributary.yaml");
    let log = arguments.logs.join("demo-distributary.log");
    let beside = std::env::current_exe()?.with_file_name("distributary");
    let binary = arguments.program.clone().unwrap_or(beside);
    let mut program = Program::start(binary, config, log)?;
    program.ready(patience).await?;
    let (url, log) = (program.endpoint().url(), program.log().display());
    clock.say(&format!("distributary is ready: {url}/metrics, log {log}"));

    let mut watch = Watch::default();
    let begun = watch.begin(&stores, program.endpoint(), patience).await;
    // A program that died explains more than the question it did not answer.
    program.alive()?;
    let first = begun?;
    if !first.is_equal() {
        println!("\nThe stores do not hold the rows that were there before:\n\n{first}");
        return Ok(false);
    }
    clock.say("every store holds the rows that were there before");
    let done = watch
        .during(&mut session, &stores, program.endpoint())
        .await;
    program.alive()?;
    done?;
    clock.say(&format!("the workload is done: {}", session.summary()));
    let is_equal = report(&stores, &mut watch, program.endpoint(), patience).await;
    program.alive()?;
    program.stop().await?;
    clock.say("distributary has stopped in order; the stack stays up until `make stack-down`");
    is_equal
}

/// Waits until the stores have followed, compares, and prints what was found.
async fn report(
    stores: &Stores,
    watch: &mut Watch,
    program: &Endpoint,
    patience: Duration,
) -> Result<bool> {
    let start = Instant::now();
    let report = watch.until_equal(stores, program, patience).await?;
    let seconds = start.elapsed().as_secs_f64();
    match watch.metrics.caught_up() {
        true => println!("           the stores followed within {seconds:.1} s of the last change"),
        false => println!("           the stores have NOT caught up after {seconds:.1} s"),
    }
    show(stores, &report, watch).await
}

/// The tables, and rows in them: a topic exists once its table has had a row.
async fn prepare(arguments: &Arguments, stores: &Stores, clock: &Clock) -> Result<Session> {
    let schema = arguments.root.join("examples/ecommerce/schema.sql");
    let sql = std::fs::read_to_string(&schema).with_context(|| schema.display().to_string())?;
    stores
        .postgres
        .batch_execute(&sql)
        .await
        .context("creating the shop's tables")?;
    let workload = Workload::new(arguments.seed)
        .changes(arguments.changes)
        .rate(arguments.rate);
    let session = workload.open(arguments.targets.postgres().await?).await?;
    clock.say("the shop's tables are there, with rows in them");
    Ok(session)
}

/// Debezium's connector, as `make connector` registers it: the command waits until its task runs,
/// and says why where it does not.
async fn connect(root: &Path, patience: Duration) -> Result<()> {
    let registered = process::Command::new(root.join("dev/stack/stack"))
        .args(["connector", "register", "ecommerce"])
        .env("START_TIMEOUT", patience.as_secs().to_string())
        .stdout(Stdio::null())
        .status()
        .await
        .context("starting dev/stack/stack")?;
    ensure!(
        registered.success(),
        "the connector does not run, see above"
    );
    Ok(())
}

/// Prints the report and says whether everything in it is equal.
async fn show(stores: &Stores, report: &checker::Report, watch: &Watch) -> Result<bool> {
    let search = search::search(stores).await?;
    let recommendations = recommend::recommend(stores).await?;
    println!("\n{}", report::tables(stores, report).await?);
    println!("{}", report::cache(report, &watch.metrics));
    println!("{}", report::lags(watch));
    println!("{}\n{}", search.text, recommendations.text);

    let (samples, regressions) = (watch.sampler.samples(), watch.sampler.regressions());
    println!(
        "{samples} versions were looked at meanwhile, {} went backwards.",
        regressions.len()
    );
    regressions
        .iter()
        .take(10)
        .for_each(|regression| println!("  {regression}"));
    if !report.is_equal() {
        println!("\nWhat differs:\n\n{report}");
    }
    let caught_up = watch.metrics.caught_up();
    let stores_equal = report.is_equal() && search.is_equal && recommendations.is_equal;
    let is_equal = stores_equal && regressions.is_empty() && caught_up;
    println!(
        "\n{}\n",
        match is_equal {
            true => "Every store equals Postgres, field by field.",
            false => "The stores and Postgres DIFFER, or the stores lag; see above.",
        }
    );
    Ok(is_equal)
}

/// Says what happened and how long after the start.
struct Clock(Instant);

impl Clock {
    fn say(&self, what: &str) {
        println!("[{:6.1} s] {what}", self.0.elapsed().as_secs_f64());
    }
}
