//! Compares Postgres with the three stores of the example, field by field and in both directions.
//!
//! It shares no code with the program under test and knows nothing of Kafka: what a store must hold
//! is computed from Postgres by SQL alone. Numbers are compared as digits, never as floats. Both
//! sides are read in key order and merged, so the memory it needs does not grow with the tables.
//!
//! - [`compare`] says what is missing, extra, wrong, double or a stub left over.
//! - [`until_equal`] does so until nothing differs or time is up.
//! - [`cache::Reader`] plays the application that fills the cache.
//! - [`Sampler`] watches versions while a workload runs: none may ever go backwards.

pub mod cache;
mod compare;
mod documents;
mod exact;
mod graph;
mod merge;
mod report;
mod sampler;
mod targets;

pub use compare::{compare, until_equal};
pub use report::{Difference, Fault, Report, Section};
pub use sampler::{Regression, Sampler};
pub use targets::{Stores, Targets};
