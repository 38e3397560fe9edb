//! What the demo and the benchmark have in common: reading what the program measures.

mod metrics;

pub use metrics::Metrics;
