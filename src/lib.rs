//! distributary keeps derived stores in step with Postgres.

pub mod change;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod envelope;
pub mod error;
pub mod http;
pub mod metrics;
pub mod pipeline;
pub mod projector;
pub mod sink;
pub mod source;
pub mod template;
