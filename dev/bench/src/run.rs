//! What one run measured.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use chaos::{Server, Stack};

use crate::process;

/// The servers that take part in runs; the others are stopped.
pub(crate) const SERVERS: [Server; 4] = [
    Server::Kafka,
    Server::Elasticsearch,
    Server::Redis,
    Server::Neo4j,
];

/// What the process under test is called among the servers.
pub(crate) const CLIENT: &str = "client";

/// A number of a run.
pub(crate) type Figure = fn(&Run) -> f64;

/// One run of the program, of a bare client or of a peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// Records that were consumed; for a bare client, as many as its rows stand for.
    pub(crate) events: u64,
    /// Documents, keys, nodes or relationships that the store was asked to write or delete.
    pub(crate) writes: u64,
    /// From the first record to the last acknowledgement.
    pub(crate) seconds: f64,
    /// CPU seconds of the client and of each server meanwhile.
    pub(crate) cpu: BTreeMap<String, f64>,
    /// The most memory the client had.
    pub(crate) peak_bytes: Option<u64>,
}

impl Run {
    /// Records a second.
    pub(crate) fn events_per_second(&self) -> f64 {
        float(self.events) / self.seconds
    }

    /// Writes a second.
    pub(crate) fn writes_per_second(&self) -> f64 {
        float(self.writes) / self.seconds
    }

    /// Records that became one write, on average.
    pub(crate) fn coalesced(&self) -> f64 {
        float(self.events) / float(self.writes.max(1))
    }

    /// CPU seconds of a process for a million records.
    pub(crate) fn cpu_per_million(&self, of: &str) -> Option<f64> {
        Some(self.cpu.get(of)? * 1e6 / float(self.events))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events, {} writes, {:.2} s; CPU s for a million:",
            self.events, self.writes, self.seconds
        )?;
        for name in self.cpu.keys() {
            let cpu = self.cpu_per_million(name).unwrap_or_default();
            write!(f, " {name} {cpu:.2}")?;
        }
        match self.peak_bytes {
            Some(peak) => write!(f, "; peak {} MiB", peak >> 20),
            None => Ok(()),
        }
    }
}

/// A count as a float: all of them stay far below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run stay far below 2^53"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// The CPU clocks of a client and of all servers, from one moment on.
#[derive(Debug)]
pub(crate) struct Clocks {
    pids: BTreeMap<&'static str, u32>,
    begun: BTreeMap<&'static str, f64>,
}

impl Clocks {
    /// Reads them now; `client` is the process under test.
    pub(crate) fn start(stack: &Stack, client: u32) -> Result<Self> {
        let folder = PathBuf::from(stack.get("STACK_PIDS")?);
        let mut pids = BTreeMap::from([(CLIENT, client)]);
        for server in SERVERS {
            pids.insert(server.name(), process::server_pid(&folder, server.name())?);
        }
        let begun = read(&pids)?;
        Ok(Self { pids, begun })
    }

    /// Reads them again: what is counted begins now.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.begun = read(&self.pids)?;
        Ok(())
    }

    /// CPU seconds of each since the start.
    pub(crate) fn elapsed(&self) -> Result<BTreeMap<String, f64>> {
        let spent = |(name, now): (&str, f64)| (name.to_owned(), now - self.begun[name]);
        Ok(read(&self.pids)?.into_iter().map(spent).collect())
    }
}

fn read(pids: &BTreeMap<&'static str, u32>) -> Result<BTreeMap<&'static str, f64>> {
    let read = pids
        .iter()
        .map(|(&name, &pid)| Ok((name, process::cpu_seconds(pid)?)));
    read.collect()
}
