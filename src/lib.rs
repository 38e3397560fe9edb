//! distributary keeps Elasticsearch, Redis and Neo4j in step with Postgres, from Debezium's change
//! topics on Kafka.
//!
//! The way of one change, one direction: [`source`] polls a record; [`envelope`] decodes it into a
//! [`change::Change`]; [`pipeline`] tracks it and hands it to the sinks that want its table;
//! [`delivery`] has a [`projector`] make mutations of it, coalesces them and has a [`sink`] write
//! them. Acks come back the same way and move the watermark that is committed.
//!
//! `ARCHITECTURE.md` in the repository has the map and the invariants.

pub mod change;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod envelope;
pub mod error;
pub mod fault_point;
pub mod http;
mod json;
pub mod metrics;
pub mod pipeline;
pub mod projector;
pub mod sink;
pub mod source;
pub mod template;
