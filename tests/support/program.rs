//! The real program as a process: started, asked, signalled; its log is shown when a test fails.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use serde_json::Value;

use super::redis_server::free_port;
use super::until;

/// How a program is called: its configuration files, and the variables they refer to.
#[derive(Clone, Default)]
pub(crate) struct Call {
    pub(crate) configs: Vec<PathBuf>,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Call {
    /// Runs one command to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts `distributary run`; its log goes into `folder`.
    pub(crate) fn run(&self, folder: &Path, arguments: &[&str]) -> Program {
        let port = free_port().unwrap();
        let listen = format!("http.listen=127.0.0.1:{port}");
        let log = folder.join(format!("{port}.log"));
        let mut command = self.command(&["run", "--set", &listen]);
        command.args(arguments).stderr(File::create(&log).unwrap());
        Program {
            child: command.spawn().unwrap(),
            url: format!("http://127.0.0.1:{port}"),
            http: reqwest::Client::new(),
            log,
        }
    }

    /// The command, not run yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_distributary"));
        command.args(arguments);
        for config in &self.configs {
            command.arg("--config").arg(config);
        }
        // The stack's variables may be set for the tests and must not reach the program unseen.
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running `distributary run`; killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    url: String,
    http: reqwest::Client,
    log: PathBuf,
}

impl Program {
    /// Waits until it is in its group and every store answers.
    pub(crate) async fn ready(&mut self) {
        until("the program is ready", async || {
            self.still_runs();
            let (status, _) = self.ask("readyz").await?;
            (status == 200).then_some(())
        })
        .await;
    }

    /// Waits until `/readyz` says no and names this.
    pub(crate) async fn waits_for(&mut self, name: &str) -> Value {
        until("/readyz names what is missing", async || {
            self.still_runs();
            let (status, said) = self.ask("readyz").await?;
            let said: Value = serde_json::from_str(&said).unwrap();
            let names = said["waiting_for"].get(name).is_some();
            (status == 503 && names).then_some(said)
        })
        .await
    }

    /// Waits until it owns so many partitions, by the lags that it tells.
    pub(crate) async fn owns_partitions(&self, count: usize) {
        until("it owns all partitions", async || {
            let (_, scrape) = self.ask("metrics").await?;
            let lags = scrape
                .lines()
                .filter(|it| it.starts_with("kafka_consumer_lag{"));
            (lags.count() >= count).then_some(())
        })
        .await;
    }

    /// An answer of the endpoint; `None` while nobody listens.
    pub(crate) async fn ask(&self, path: &str) -> Option<(u16, String)> {
        let answer = self.http.get(format!("{}/{path}", self.url)).send().await;
        let answer = answer.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }

    /// Sends a signal: `TERM`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &process]).status();
        assert!(sent.unwrap().success(), "kill -s {signal} failed");
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        let ended = until("the program ends", async || self.child.try_wait().unwrap()).await;
        ended.code()
    }

    /// Asks it to stop, and waits for the end; on a machine this busy the drain may take too long.
    pub(crate) async fn leave(mut self) {
        self.signal("TERM");
        let code = self.exit_code().await;
        assert!(code == Some(0) || code == Some(75), "{code:?}");
    }

    /// Asks it to stop, and waits for the orderly end.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM");
        assert_eq!(self.exit_code().await, Some(0), "an orderly stop");
    }

    /// Waits until it stops with this code, saying all of this.
    pub(crate) async fn refuses(&mut self, code: i32, says: &[&str]) {
        assert_eq!(self.exit_code().await, Some(code));
        let log = self.log();
        let missing = says.iter().find(|text| !log.contains(**text));
        assert_eq!(missing, None, "the log does not say this");
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn still_runs(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the program ended: {ended:?}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nothing to end where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- the program's log\n{}---", self.log());
        }
    }
}
