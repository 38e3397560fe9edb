//! Quix Streams, a peer that can be had as a package, on the same rows into an index of the same
//! settings.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::bench::Bench;
use crate::load::{Load, Op};
use crate::process;
use crate::run::{Clocks, Run};
use crate::stores::elasticsearch::Found;

const INDEX: &str = "peer";
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(300);

/// Installs it, unless that was done before.
///
/// # Errors
/// Where Python or the packages are not to be had; the peer is then not measured.
pub(crate) async fn install(bench: &Bench) -> Result<PathBuf> {
    let peer = bench.stack.root().join("dev/bench/peer");
    let cache = std::env::var_os("STACK_CACHE").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| bench.stack.root().join(".cache"));
    let (folder, done) = (
        cache.join("quixstreams"),
        cache.join("quixstreams/installed"),
    );
    let requirements = std::fs::read_to_string(peer.join("requirements.txt"))?;
    if std::fs::read_to_string(&done).is_ok_and(|it| it == requirements) {
        return Ok(folder.join("bin/python"));
    }
    println!("  installing Quix Streams");
    command(Command::new("python3").args(["-m", "venv"]).arg(&folder)).await?;
    let file = peer.join("requirements.txt");
    let pip = folder.join("bin/pip");
    command(
        Command::new(pip)
            .args(["install", "--quiet", "-r"])
            .arg(file),
    )
    .await?;
    std::fs::write(done, requirements)?;
    Ok(folder.join("bin/python"))
}

async fn command(command: &mut Command) -> Result<()> {
    let output = command.kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// One run over a topic.
pub(crate) async fn run(bench: &Bench, python: &Path, load: &Load) -> Result<Run> {
    bench.search.delete(INDEX).await?;
    bench.search.create(INDEX).await?;
    let mut child = start(bench, python, load)?;
    let run = follow(bench, &mut child, load).await;
    // Ended in order where it can be; what it has not committed is nobody's any more.
    child.start_kill()?;
    child.wait().await?;
    let run = run?;
    bench.search.compare(INDEX, load, Found::Upserts).await?;
    bench.search.delete(INDEX).await?;
    Ok(run)
}

fn start(bench: &Bench, python: &Path, load: &Load) -> Result<Child> {
    let log = std::fs::File::create(bench.stack.logs().join("quixstreams.log"))?;
    let script = bench.stack.root().join("dev/bench/peer/quix.py");
    Command::new(python)
        .arg(script)
        .envs(bench.stack.environment())
        .env("GROUP", bench.group())
        .env("INDEX", INDEX)
        .env("TOPIC", load.shape.topic)
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("starting Quix Streams")
}

/// From its first record until the index has had every row.
async fn follow(bench: &Bench, child: &mut Child, load: &Load) -> Result<Run> {
    let out = child.stdout.take().context("its output")?;
    let mut lines = BufReader::new(out).lines();
    let first = tokio::time::timeout(PATIENCE, lines.next_line()).await??;
    ensure!(
        first.as_deref() == Some("first"),
        "it ended without a record; see quixstreams.log"
    );
    let begun = Instant::now();
    let pid = child.id().context("a running process")?;
    let clocks = Clocks::start(&bench.stack, pid)?;
    let rows = load.events.iter();
    let rows = rows.filter(|it| matches!(it.op, Op::Create | Op::Update));
    let writes = rows.count() as u64;
    while bench.search.indexed(INDEX).await? < writes {
        ensure!(
            child.try_wait()?.is_none(),
            "it has ended; see quixstreams.log"
        );
        ensure!(begun.elapsed() < PATIENCE, "it does not get to the end");
        tokio::time::sleep(LOOK).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let spent = clocks.elapsed()?;
    Ok(Run {
        events: load.len(),
        writes,
        seconds,
        cpu: spent.cpu,
        others: spent.others,
        peak_bytes: Some(process::peak_bytes(pid)?),
    })
}
