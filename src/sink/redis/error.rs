//! What Redis' errors mean. None is poison: no key is one that Redis could not take away.

use redis::{ErrorKind, RedisError};

use crate::sink::{Outage, OutageKind, SinkError};

/// The meaning of an error of the client.
pub(super) fn of(error: &RedisError) -> SinkError {
    if let Some(code) = error.code() {
        return of_server(code, error.detail());
    }
    let kind = match error.kind() {
        ErrorKind::AuthenticationFailed => OutageKind::Refused,
        _ => OutageKind::Unreachable,
    };
    SinkError::Outage(Outage::new(kind, error))
}

/// The meaning of an error of the server, by its code (Redis calls it the error prefix).
pub(super) fn of_server(code: &str, details: Option<&str>) -> SinkError {
    let details = without_arguments(details.unwrap_or_default());
    let kind = match code {
        "LOADING" | "BUSY" | "TRYAGAIN" | "OOM" => OutageKind::Overloaded,
        "NOAUTH" | "WRONGPASS" | "NOPERM" => OutageKind::Refused,
        "MOVED" | "ASK" | "CROSSSLOT" => {
            return SinkError::Fatal(String::from(
                "the server is a node of a Redis Cluster, which this sink does not speak; point \
                 the sink's url at a server or proxy that holds all keys",
            ));
        }
        // READONLY, MASTERDOWN, CLUSTERDOWN, MISCONF, NOREPLICAS, and what a later version adds.
        _ => OutageKind::Blocked,
    };
    let hint = match code {
        "READONLY" => "; the url leads to a replica, or the primary has changed",
        "NOPERM" => "; the user needs PING and UNLINK on the keys of the templates",
        _ => "",
    };
    SinkError::Outage(Outage::new(kind, format!("{code} {details}{hint}")))
}

/// Cuts an explanation off where it begins to quote the command, whose arguments are keys: a
/// server that has no UNLINK says `unknown command 'UNLINK', with args beginning with: 'user:7' `.
fn without_arguments(details: &str) -> &str {
    details.split(", with args").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_an_outage_of_its_kind() {
        let kinds = [
            ("LOADING", OutageKind::Overloaded),
            ("BUSY", OutageKind::Overloaded),
            ("TRYAGAIN", OutageKind::Overloaded),
            ("OOM", OutageKind::Overloaded),
            ("READONLY", OutageKind::Blocked),
            ("MASTERDOWN", OutageKind::Blocked),
            ("CLUSTERDOWN", OutageKind::Blocked),
            ("MISCONF", OutageKind::Blocked),
            ("ERR", OutageKind::Blocked),
            ("NOAUTH", OutageKind::Refused),
            ("WRONGPASS", OutageKind::Refused),
            ("NOPERM", OutageKind::Refused),
        ];
        for (code, expected) in kinds {
            let SinkError::Outage(outage) = of_server(code, Some("why")) else {
                panic!("{code} is no outage");
            };
            assert_eq!(outage.kind, expected, "{code}");
            assert!(outage.reason.starts_with(&format!("{code} why")));
        }
    }

    #[test]
    fn a_cluster_is_told_apart_because_waiting_would_not_help() {
        assert!(matches!(of_server("MOVED", None), SinkError::Fatal(_)));
    }
}
