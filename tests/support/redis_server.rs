//! A redis-server of a test's own, on a free port, that dies with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use redis::aio::MultiplexedConnection;

pub(crate) struct Server {
    pub(crate) port: u16,
    directory: PathBuf,
    arguments: Vec<String>,
    process: Child,
    /// Deletes the folder, last.
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start(arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let directory = folder.path().join("data");
        std::fs::create_dir(&directory)?;
        let port = free_port()?;
        let arguments: Vec<_> = arguments.iter().copied().map(String::from).collect();
        let process = spawn(port, &directory, &arguments)?;
        let server = Self {
            port,
            directory,
            arguments,
            process,
            _folder: folder,
        };
        server.answering().await?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn stop(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    pub(crate) async fn start_again(&mut self) -> Result<()> {
        self.process = spawn(self.port, &self.directory, &self.arguments)?;
        self.answering().await
    }

    /// Sends a signal: STOP freezes the process with its connections open, CONT thaws it.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let process = self.process.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &process])
            .status()?;
        anyhow::ensure!(sent.success(), "kill -s {signal} failed");
        Ok(())
    }

    /// A connection of the test's own.
    pub(crate) async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url())?
            .get_multiplexed_async_connection()
            .await
    }

    /// Runs one command, words separated by blanks.
    pub(crate) async fn run<T: redis::FromRedisValue>(&self, command: &str) -> Result<T> {
        let mut connection = self.connect().await?;
        let mut words = command.split_whitespace();
        let mut it = redis::cmd(words.next().context("a command")?);
        it.arg(words.collect::<Vec<_>>());
        it.query_async(&mut connection)
            .await
            .context(command.to_owned())
    }

    async fn answering(&self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let answer = match self.connect().await {
                Ok(mut connection) => redis::cmd("PING").exec_async(&mut connection).await,
                Err(error) => Err(error),
            };
            match answer {
                // A server that wants a password answers.
                Err(error) if error.code() == Some("NOAUTH") => return Ok(()),
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > until => bail!("redis-server: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A frozen process dies of KILL as well.
        drop(self.stop());
    }
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn spawn(port: u16, directory: &Path, arguments: &[String]) -> Result<Child> {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(directory)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .context("redis-server is installed (Debian: redis-server)")
}
