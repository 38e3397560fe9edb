//! How long changes take, as distributions.

use std::collections::BTreeMap;

use instance::Metrics;

use crate::run::float;

/// The quantiles that are reported.
pub(crate) const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// A histogram of the program's, for its search sink.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Histogram {
    /// From the record's Kafka timestamp to the store's acknowledgement.
    Changes,
    /// Of one request to the store.
    Requests,
}

impl Histogram {
    fn buckets(self) -> &'static str {
        match self {
            Self::Changes => "cdc_event_latency_seconds_bucket",
            Self::Requests => "cdc_write_seconds_bucket",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Changes => "the program's histogram, between its buckets interpolated",
            Self::Requests => "single requests to the store, from the program's histogram",
        }
    }
}

/// How long it took from the record's Kafka timestamp to the store's acknowledgement, or a request
/// alone.
#[derive(Debug, Clone)]
pub(crate) struct Delays {
    /// Under which load, for people.
    pub(crate) scenario: String,
    /// Who saw it, and how finely.
    pub(crate) source: &'static str,
    /// How many were timed.
    pub(crate) samples: u64,
    /// Seconds at each of [`QUANTILES`].
    pub(crate) seconds: Vec<f64>,
}

impl Delays {
    /// Of single delays, in seconds.
    pub(crate) fn seen(scenario: &str, mut seconds: Vec<f64>) -> Option<Self> {
        seconds.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            // The smallest that so many lie at or below.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index below the number of samples"
            )]
            let index = (quantile * float(seconds.len() as u64)).ceil() as usize;
            seconds.get(index.max(1) - 1).copied()
        };
        Some(Self {
            scenario: scenario.to_owned(),
            source: "asked from outside every 2 ms",
            samples: seconds.len() as u64,
            seconds: QUANTILES.into_iter().map(at).collect::<Option<_>>()?,
        })
    }

    /// Of what the program has counted between two looks at a histogram.
    pub(crate) fn counted(
        scenario: &str,
        histogram: Histogram,
        (before, after): (&Metrics, &Metrics),
    ) -> Option<Self> {
        let before = buckets(histogram, before);
        let delta: Vec<(f64, f64)> = buckets(histogram, after)
            .into_iter()
            .map(|(bound, count)| {
                let old = before.iter().find(|it| it.0 == bound);
                (bound, count - old.map_or(0.0, |it| it.1))
            })
            .collect();
        let total = delta.last().filter(|it| it.1 > 0.0)?.1;
        let at = |quantile| between(&delta, quantile * total);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter is a whole number from zero on"
        )]
        let samples = total as u64;
        Some(Self {
            scenario: scenario.to_owned(),
            source: histogram.source(),
            samples,
            seconds: QUANTILES.into_iter().map(at).collect(),
        })
    }
}

/// The search sink's cumulated buckets, by bound.
fn buckets(histogram: Histogram, metrics: &Metrics) -> Vec<(f64, f64)> {
    let search = [("target", "search")];
    let counts: BTreeMap<String, f64> = metrics.sum(histogram.buckets(), "le", &search);
    let mut buckets: Vec<(f64, f64)> = counts
        .into_iter()
        .filter_map(|(bound, count)| {
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().ok()?
            };
            Some((bound, count))
        })
        .collect();
    buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
    buckets
}

/// Where so many lie below, the counts of a bucket spread evenly over it.
fn between(buckets: &[(f64, f64)], rank: f64) -> f64 {
    let (mut low, mut below) = (0.0, 0.0);
    for &(high, count) in buckets {
        if count >= rank && count > below {
            if high.is_infinite() {
                return low;
            }
            return low + (high - low) * (rank - below) / (count - below);
        }
        (low, below) = (high, count);
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_samples_are_samples() {
        let delays = Delays::seen("", (1..=1000).map(f64::from).collect()).unwrap();
        assert_eq!(delays.seconds, [500.0, 990.0, 999.0]);
        assert!(Delays::seen("", vec![]).is_none());
    }

    #[test]
    fn quantiles_of_a_histogram_count_only_what_came_in_between() {
        let text = |counts: [u32; 3]| {
            let line = |(bound, count)| {
                format!(
                    "cdc_event_latency_seconds_bucket{{target=\"search\",table=\"t\",le=\"{bound}\"}} {count}\n"
                )
            };
            let lines = ["0.01", "0.02", "+Inf"].into_iter().zip(counts).map(line);
            Metrics::parse(&lines.collect::<String>())
        };
        let counted = |before, after| {
            let (before, after) = (text(before), text(after));
            Delays::counted("", Histogram::Changes, (&before, &after))
        };
        let delays = counted([50, 50, 50], [50, 150, 150]).unwrap();
        assert_eq!(delays.samples, 100);
        assert!((delays.seconds[0] - 0.015).abs() < 1e-9, "{delays:?}");
        assert!(counted([1, 1, 1], [1, 1, 1]).is_none());
    }
}
