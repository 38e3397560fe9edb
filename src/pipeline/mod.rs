//! One pipeline: one consumer group, its ledger and budget, and a sink for each store.
//!
//! The pipeline task owns all of that by value. Down goes data, up come acks only.

pub mod assemble;
pub mod budget;
pub mod ledger;
pub mod observer;
mod old_rows;
mod pace;
pub mod start;
pub mod store;

mod down;
mod drain;
mod gate;
mod hand_over;
mod horizon;
mod intake;
mod route;
mod run;
#[cfg(test)]
mod tests;
mod truncate;

pub use observer::{Observer, Rebalance};
pub use run::{Pipeline, Wiring};

/// Where mutations end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stores {
    /// In the stores that the configuration names.
    Configured,
    /// Nowhere: everything above the stores is measured by itself.
    Null,
}
