//! What an error of driver or server means for a batch (D9).
//!
//! The server's messages quote property values, so only its codes are passed on. The surprising
//! fact: rivals cause `ConstraintValidationFailed` and `EntityNotFound`, which are client errors
//! by name and transient by nature; [`Patience`] tells a rival from a row that never fits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::SecretError;
use crate::sink::{Outage, OutageKind, Rejection, SinkError};

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// What the driver or the server said.
    Driver(neo4rs::Error),
    /// A statement of an open transaction had no answer in time.
    Slow,
    /// A rival transaction changed what this one had read.
    Rival(&'static str),
    /// The password cannot be read.
    Credentials(SecretError),
    /// The process has to stop; the text says what to do.
    Fatal(String),
}

impl From<neo4rs::Error> for Failure {
    fn from(error: neo4rs::Error) -> Self {
        Self::Driver(error)
    }
}

impl Failure {
    /// The server's code, such as `Neo.ClientError.Statement.TypeError`.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Driver(neo4rs::Error::Neo4j(error)) => Some(error.code()),
            _ => None,
        }
    }

    /// Whether the connection is as good as before.
    pub(super) fn is_answer(&self) -> bool {
        self.code().is_some() || matches!(self, Self::Rival(_) | Self::Fatal(_))
    }

    /// Whether the server refused a constraint: a rival's doing, or a row that never fits.
    pub(super) fn is_constraint(&self) -> bool {
        self.code() == Some(CONSTRAINT)
    }

    /// What it means for a batch of so many mutations.
    pub(super) fn classify(self, items: usize) -> SinkError {
        match self {
            Self::Fatal(remedy) => SinkError::Fatal(remedy),
            Self::Rival(what) => outage(OutageKind::Contention, what),
            Self::Credentials(error) => outage(OutageKind::Refused, error),
            Self::Slow => too_much("statement time-out", items),
            Self::Driver(neo4rs::Error::Neo4j(error)) => of_server(error.code(), items),
            Self::Driver(neo4rs::Error::AuthenticationError(reason)) => {
                outage(OutageKind::Refused, reason)
            }
            Self::Driver(
                error @ (neo4rs::Error::StringTooLong
                | neo4rs::Error::MapTooBig
                | neo4rs::Error::ListTooLong),
            ) => SinkError::TooMuch(Rejection::new("too_large", error)),
            Self::Driver(error) => outage(OutageKind::Unreachable, error),
        }
    }
}

const CONSTRAINT: &str = "Neo.ClientError.Schema.ConstraintValidationFailed";

/// What the server's code means. A code is `Neo.<class>.<category>.<title>`.
fn of_server(code: &str, items: usize) -> SinkError {
    let mut parts = code.split('.').skip(1);
    let (class, category, title) = (parts.next(), parts.next(), parts.next());
    let class = class.unwrap_or_default();
    match (
        class,
        category.unwrap_or_default(),
        title.unwrap_or_default(),
    ) {
        (_, _, "MemoryPoolOutOfMemoryError" | "TransactionOutOfMemoryError")
        | (_, "Transaction", "TransactionTimedOut" | "TransactionTimedOutClientConfiguration") => {
            too_much(code, items)
        }
        (_, "Schema", "ConstraintValidationFailed")
        | (_, "Statement", "EntityNotFound")
        | (
            _,
            "Transaction",
            "DeadlockDetected"
            | "LockClientStopped"
            | "LockAcquisitionTimeout"
            | "Outdated"
            | "Terminated",
        ) => outage(OutageKind::Contention, code),
        (_, "Security", "Forbidden") => outage(
            OutageKind::Refused,
            format!("{code}: the user lacks a right; the role publisher has those to write"),
        ),
        (_, "Security", _) => outage(OutageKind::Refused, code),
        (_, "Database" | "Cluster", _)
        | (_, "General", "ForbiddenOnReadOnlyDatabase" | "WriteOnReadOnlyAccessDatabase") => {
            outage(OutageKind::Blocked, code)
        }
        ("TransientError", _, _) => outage(OutageKind::Overloaded, code),
        // The one database error that a row causes: a key above the 8 kB that an index can hold.
        // Disc and memory faults have other codes, and are no reason to give up a row.
        ("DatabaseError", "Statement", "ExecutionFailed") | ("ClientError", _, _) => {
            SinkError::Refused(Rejection::new(code, "the server refused the statement"))
        }
        _ => outage(OutageKind::Overloaded, code),
    }
}

/// More than the server can do at once: halved as long as there is something to halve.
fn too_much(code: &str, items: usize) -> SinkError {
    if items > 1 {
        SinkError::TooMuch(Rejection::new(
            code,
            "the transaction was too large or too slow",
        ))
    } else {
        outage(OutageKind::Overloaded, code)
    }
}

fn outage(kind: OutageKind, reason: impl ToString) -> SinkError {
    SinkError::Outage(Outage::new(kind, reason))
}

/// Counts refusals by a constraint, so that a row which never fits (a constraint of the user's own)
/// is found in the end, and a rival's doing is not taken for one.
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<Refusals>);

#[derive(Debug, Default)]
struct Refusals {
    /// When batches were last refused, the latest at the end: which ones is not asked, for a retry
    /// may come in other company. That others are written meanwhile says nothing.
    batches: Vec<Instant>,
    /// Refusals of single mutations, by fingerprint.
    singles: HashMap<u64, u32>,
}

/// Refusals within [`WITHIN`] before a batch is halved, which costs nothing but speed if it was a
/// rival after all.
const BATCH: usize = 3;
/// How long a refusal counts.
const WITHIN: Duration = Duration::from_secs(60);
/// Refusals before a single mutation is called unfit: no rival wins that often.
const SINGLE: u32 = 12;
/// Mutations remembered; more are there only if some were dropped on a revoke.
const REMEMBERED: usize = 256;

impl Patience {
    /// Counts a refusal of the batch with this fingerprint; says whether patience is at its end.
    pub(super) fn is_over(&self, batch: u64, items: usize) -> bool {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if items > 1 {
            let now = Instant::now();
            let recent = |&at: &Instant| now.saturating_duration_since(at) < WITHIN;
            refusals.batches.retain(recent);
            refusals.batches.push(now);
            let older = refusals.batches.len().saturating_sub(BATCH);
            refusals.batches.drain(..older);
            return refusals.batches.len() >= BATCH;
        }
        if refusals.singles.len() > REMEMBERED {
            refusals.singles.clear();
        }
        let count = refusals.singles.entry(batch).or_default();
        *count += 1;
        let is_over = *count >= SINGLE;
        if is_over {
            refusals.singles.remove(&batch);
        }
        is_over
    }

    /// The batch was written.
    pub(super) fn reset(&self, batch: u64) {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.singles.remove(&batch);
    }
}

/// What a batch that never passes a constraint is answered.
pub(super) fn unfit() -> SinkError {
    SinkError::Refused(Rejection::new(
        CONSTRAINT,
        "a constraint of the database refuses the row",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, items: usize) -> Option<OutageKind> {
        match of_server(code, items) {
            SinkError::Outage(outage) => Some(outage.kind),
            SinkError::Refused(_) | SinkError::TooMuch(_) => None,
            SinkError::Fatal(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn each_code_means_hold_or_halve() {
        for (code, expected) in [
            (
                "Neo.TransientError.Transaction.DeadlockDetected",
                Some(OutageKind::Contention),
            ),
            (
                "Neo.ClientError.Statement.EntityNotFound",
                Some(OutageKind::Contention),
            ),
            (CONSTRAINT, Some(OutageKind::Contention)),
            (
                "Neo.ClientError.Security.Unauthorized",
                Some(OutageKind::Refused),
            ),
            (
                "Neo.ClientError.Security.AuthenticationRateLimit",
                Some(OutageKind::Refused),
            ),
            (
                "Neo.ClientError.Database.DatabaseNotFound",
                Some(OutageKind::Blocked),
            ),
            (
                "Neo.TransientError.General.DatabaseUnavailable",
                Some(OutageKind::Overloaded),
            ),
            (
                "Neo.DatabaseError.General.UnknownError",
                Some(OutageKind::Overloaded),
            ),
            (
                "Neo.DatabaseError.Transaction.TransactionLogError",
                Some(OutageKind::Overloaded),
            ),
            ("Neo.ClientError.Statement.TypeError", None),
            ("Neo.DatabaseError.Statement.ExecutionFailed", None),
            ("nonsense", Some(OutageKind::Overloaded)),
        ] {
            assert_eq!(kind(code, 10), expected, "{code}");
        }
    }

    #[test]
    fn what_is_too_much_is_halved_until_it_is_single_and_then_held() {
        for code in [
            "Neo.TransientError.General.MemoryPoolOutOfMemoryError",
            "Neo.ClientError.Transaction.TransactionTimedOut",
        ] {
            assert_eq!(kind(code, 2), None);
            assert_eq!(kind(code, 1), Some(OutageKind::Overloaded));
        }
    }

    #[test]
    fn a_constraint_is_a_rivals_doing_until_it_persists() {
        let patience = Patience::default();
        let refusals = |batch, items| (1..100).find(|_| patience.is_over(batch, items));
        assert_eq!(refusals(1, 1000), Some(3));
        // Its halves, one of which is written, are not given the same patience again.
        patience.reset(2);
        assert!(patience.is_over(3, 500));
        assert_eq!(refusals(4, 1), Some(SINGLE));
        assert!(!patience.is_over(5, 1));
    }

    #[test]
    fn what_is_written_in_between_does_not_hide_a_row_that_never_fits() {
        let patience = Patience::default();
        for over in [false, false, true] {
            patience.reset(2);
            assert_eq!(patience.is_over(1, 1000), over);
        }
    }
}
