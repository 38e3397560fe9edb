//! Deals faults to the program and its servers, and says whether the stores still equal Postgres.
//!
//! It knows the program as an operator does: a binary, a configuration, signals, `/metrics`. The
//! same seed picks the same faults in the same order; what they meet depends on the machine.

mod clock;
mod fault;
mod fleet;
mod lines;
mod proxy;
mod rival;
mod run;
mod servers;
mod setup;
mod shop;
mod stack;
mod topics;
mod verdict;

pub use fault::Store;
pub use lines::Lines;
pub use proxy::{Mode, Proxy};
pub use run::{Plan, Verdict};
pub use stack::{Server, Stack};
