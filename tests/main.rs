//! One binary for all tests that need more than one module: live servers, mock cluster, whole runs.

// What the helpers of a test expect, they say by failing.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod cli;
mod elasticsearch;
mod end_to_end;
mod faults;
mod mock_cluster;
mod neo4j;
mod redis;
mod simulation;
mod support;
mod types;
