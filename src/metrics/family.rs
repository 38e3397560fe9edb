//! The names, meanings and labels of the metrics: what dashboards and alerts are written against.

/// One family of metrics.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) labels: &'static [&'static str],
}

pub(super) const LAG: Family = Family {
    name: "cdc_lag_seconds",
    help: "Age of the oldest change that the target has not acknowledged, 0 when caught up.",
    labels: &["source", "target", "table"],
};

pub(super) const LATENCY: Family = Family {
    name: "cdc_event_latency_seconds",
    help: "Time from the commit in Postgres to the target's acknowledgement.",
    labels: &["target", "table"],
};

pub(super) const WRITE: Family = Family {
    name: "cdc_write_seconds",
    help: "Time that one write of a batch took, until the target's answer or time-out.",
    labels: &["target"],
};

pub(super) const CONSUMER_LAG: Family = Family {
    name: "kafka_consumer_lag",
    help: "Records between the acknowledged watermark and the end of the partition.",
    labels: &["consumer_group", "topic", "partition"],
};

pub(super) const ERRORS: Family = Family {
    name: "sync_errors_total",
    help: "Failed attempts by kind of outage, dead letters and failed commits.",
    labels: &["pipeline", "target", "kind"],
};

pub(super) const LAST_SYNC: Family = Family {
    name: "last_sync_timestamp",
    help: "Unix time of the target's last acknowledgement of a change.",
    labels: &["source", "target"],
};

pub(super) const LAST_SYNC_SECONDS: Family = Family {
    name: "last_sync_timestamp_seconds",
    help: "Unix time of the target's last acknowledgement of a change.",
    labels: &["source", "target"],
};

pub(super) const READY: Family = Family {
    name: "cdc_ready",
    help: "1 when everything that /readyz asks for is there, otherwise 0.",
    labels: &[],
};

pub(super) const WAITING_FOR: Family = Family {
    name: "cdc_waiting_for",
    help: "What /readyz says is missing; 1 for each, none when the process is ready.",
    labels: &["what"],
};

pub(super) const EVENTS: Family = Family {
    name: "cdc_events_total",
    help: "Records consumed by what they were: a change, a truncate, undecodable, or why one concerns no store.",
    labels: &["consumer_group", "table", "outcome"],
};

pub(super) const MUTATIONS: Family = Family {
    name: "cdc_mutations_total",
    help: "Mutations by how they ended: written, incomplete (without a column that nothing had), stale or dead_lettered.",
    labels: &["target", "projection", "outcome"],
};

pub(super) const COALESCED: Family = Family {
    name: "cdc_coalesced_total",
    help: "Mutations that were merged into a newer one while they waited.",
    labels: &["target"],
};

pub(super) const RETRIES: Family = Family {
    name: "cdc_retries_total",
    help: "Mutations that were tried again, by kind of outage.",
    labels: &["target", "reason"],
};

pub(super) const IN_FLIGHT: Family = Family {
    name: "cdc_in_flight_bytes",
    help: "Bytes held between poll and acknowledgement.",
    labels: &["consumer_group"],
};

pub(super) const PAUSED: Family = Family {
    name: "cdc_paused_partitions",
    help: "Partitions whose consumption is paused by backpressure.",
    labels: &["consumer_group"],
};

pub(super) const REBALANCES: Family = Family {
    name: "cdc_rebalances_total",
    help: "Rebalances by kind: assigned, revoked or lost.",
    labels: &["consumer_group", "kind"],
};

pub(super) const DEAD_LETTERS: Family = Family {
    name: "cdc_dead_letters_total",
    help: "Records that can never be applied, by the kind of error.",
    labels: &["target", "reason"],
};

pub(super) const MISSING_BEFORE: Family = Family {
    name: "cdc_missing_before_total",
    help: "Updates without the old row on tables declared to have full replica identity.",
    labels: &["consumer_group", "table"],
};
