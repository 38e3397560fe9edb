//! What the benches share.

#![allow(dead_code, reason = "no bench uses all of it")]

pub(crate) mod cpu;
pub(crate) mod event;
