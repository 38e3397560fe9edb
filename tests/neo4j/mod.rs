//! The Neo4j sink on the real server.

mod epoch;
mod fence;
mod memory;
mod older;
mod partial;
mod projections;
mod random;
mod rivals;
mod rows;
mod rules;
mod server;
mod world;
