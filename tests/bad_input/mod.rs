//! What a running program does about records, topics and servers that are not as they should be.

mod compacted;
mod key_swap;
mod password;
mod poison;
mod servers;
mod topics;
mod transactions;
mod truncate;
