//! The program as a process, for all who start it: the demo, the fault run and the benchmark.
//!
//! It is known as an operator knows it: a binary, a configuration, signals, a log, and what it says
//! on `/readyz` and `/metrics`.

mod endpoint;
mod metrics;
mod process;

pub use endpoint::Endpoint;
pub use metrics::Metrics;
pub use process::{Instance, Setup, Signal, free_address};
