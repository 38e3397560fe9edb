//! Why the process stops, and with which exit code.

/// Exit codes; `sysexits.h` where it has one.
pub mod exit {
    /// The command ran, and its answer is no.
    pub const NO: u8 = 1;
    /// A policy stopped on data (`EX_DATAERR`).
    pub const DATA: u8 = 65;
    /// Something we depend on cannot be used (`EX_UNAVAILABLE`).
    pub const UNAVAILABLE: u8 = 69;
    /// A bug (`EX_SOFTWARE`).
    pub const SOFTWARE: u8 = 70;
    /// Try again (`EX_TEMPFAIL`).
    pub const TEMPORARY: u8 = 75;
    /// The configuration (`EX_CONFIG`).
    pub const CONFIG: u8 = 78;
    /// The second SIGINT, which does not wait.
    pub const INTERRUPTED: u8 = 130;
    /// The second SIGTERM, which does not wait.
    pub const TERMINATED: u8 = 143;
}
