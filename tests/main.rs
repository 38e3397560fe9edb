//! One binary for all tests that need more than one module: live servers, mock cluster, whole runs.

mod redis;
