//! What one run measured.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use chaos::{Server, Stack};

use crate::process::{self, cores};

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
    /// The share of all cores that processes had meanwhile which have no part in it.
    pub(crate) others: f64,
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
        write!(f, "; others {:.0} % of the cores", 100.0 * self.others)?;
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

/// The CPU clocks of a client, of all servers and of the machine, from one moment on.
#[derive(Debug)]
pub(crate) struct Clocks {
    families: BTreeMap<&'static str, Vec<u32>>,
    /// Whether this process is the client itself.
    is_own: bool,
    begun: Reading,
}

/// What was spent from one moment to another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spent {
    /// CPU seconds of the client and of each server.
    pub(crate) cpu: BTreeMap<String, f64>,
    /// See [`Run::others`].
    pub(crate) others: f64,
}

#[derive(Debug)]
struct Reading {
    at: Instant,
    cpu: BTreeMap<&'static str, f64>,
    /// CPU seconds of whoever has no part in the run.
    others: f64,
}

impl Clocks {
    /// Reads them now; `client` is the process under test. Children that it or a server has later
    /// are counted when they have ended.
    pub(crate) fn start(stack: &Stack, client: u32) -> Result<Self> {
        let folder = PathBuf::from(stack.get("STACK_PIDS")?);
        let mut families = BTreeMap::from([(CLIENT, process::family(client)?)]);
        for server in SERVERS {
            let pid = process::server_pid(&folder, server.name())?;
            families.insert(server.name(), process::family(pid)?);
        }
        let is_own = client == std::process::id();
        let begun = read(&families, is_own)?;
        Ok(Self {
            families,
            is_own,
            begun,
        })
    }

    /// Reads them again: what is counted begins now.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.begun = read(&self.families, self.is_own)?;
        Ok(())
    }

    /// What was spent since the start.
    pub(crate) fn elapsed(&self) -> Result<Spent> {
        let now = read(&self.families, self.is_own)?;
        let seconds = (now.at - self.begun.at).as_secs_f64();
        let others = (now.others - self.begun.others) / seconds / float(cores() as u64);
        let spent = |(name, now): (&str, f64)| (name.to_owned(), now - self.begun.cpu[name]);
        Ok(Spent {
            cpu: now.cpu.into_iter().map(spent).collect(),
            // The machine's clock is coarser than a process's.
            others: others.max(0.0),
        })
    }
}

fn read(families: &BTreeMap<&'static str, Vec<u32>>, is_own: bool) -> Result<Reading> {
    let mut cpu = BTreeMap::new();
    for (&name, family) in families {
        cpu.insert(name, process::cpu_seconds(family)?);
    }
    let mut known: f64 = cpu.values().sum();
    if !is_own {
        known += process::own_cpu_seconds()?;
    }
    Ok(Reading {
        at: Instant::now(),
        others: process::machine_cpu_seconds()? - known,
        cpu,
    })
}
