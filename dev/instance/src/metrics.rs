//! Reads Prometheus' text format, as far as what the program measures needs it.

use std::collections::BTreeMap;

/// One scrape.
#[derive(Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Every sample line; comments are left out, and so is what is not understood.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self {
            samples: lines.filter_map(Sample::parse).collect(),
        }
    }

    /// Whether the program owns a partition: without one it lags behind nothing.
    #[must_use]
    pub fn has_partitions(&self) -> bool {
        self.count("kafka_consumer_lag") > 0
    }

    /// Whether the program still has something to consume or to store.
    #[must_use]
    pub fn lags(&self) -> bool {
        let mut lags = ["kafka_consumer_lag", "cdc_lag_seconds"].into_iter();
        lags.any(|name| self.values(name).any(|value| value != 0.0))
    }

    /// Whether the program has consumed and stored all that Kafka has.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.has_partitions() && !self.lags()
    }

    /// How many series a family has.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.values(name).count()
    }

    /// The largest value of each value of a label.
    #[must_use]
    pub fn largest(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        self.fold(name, label, &[], f64::max)
    }

    /// The sum for each value of a label, over the samples that have the labels of `only`.
    #[must_use]
    pub fn sum(&self, name: &str, label: &str, only: &[(&str, &str)]) -> BTreeMap<String, f64> {
        self.fold(name, label, only, |sum, value| sum + value)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = f64> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
            .map(|sample| sample.value)
    }

    fn fold(
        &self,
        name: &str,
        label: &str,
        only: &[(&str, &str)],
        join: impl Fn(f64, f64) -> f64,
    ) -> BTreeMap<String, f64> {
        let mut joined = BTreeMap::new();
        let has = |sample: &Sample, (label, value): &(&str, &str)| {
            sample
                .labels
                .get(*label)
                .is_some_and(|found| found == value)
        };
        for sample in self.samples.iter().filter(|sample| sample.name == name) {
            if let Some(key) = sample.labels.get(label)
                && only.iter().all(|wanted| has(sample, wanted))
            {
                let value = joined.entry(key.clone()).or_insert(0.0);
                *value = join(*value, sample.value);
            }
        }
        joined
    }
}

impl Sample {
    /// `name{label="value",…} 1.5`; label values of the program have no quotes in them.
    fn parse(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}')?.split("\",").filter_map(|label| {
            let (name, value) = label.split_once("=\"")?;
            Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
        });
        Some(Self {
            name: name.to_owned(),
            labels: labels.collect(),
            value: value.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAPE: &str = "# HELP kafka_consumer_lag Records\n\
        kafka_consumer_lag{consumer_group=\"g\",topic=\"users-events\",partition=\"0\"} 0\n\
        cdc_lag_seconds{source=\"postgres\",target=\"graph\",table=\"users\"} 1.5\n\
        cdc_lag_seconds{source=\"postgres\",target=\"graph\",table=\"orders\"} 0.5\n\
        process_threads 7\n";

    #[test]
    fn the_largest_of_a_label_is_found() {
        let largest = Metrics::parse(SCRAPE).largest("cdc_lag_seconds", "target");
        assert_eq!(largest, BTreeMap::from([("graph".to_owned(), 1.5)]));
    }

    #[test]
    fn only_samples_with_the_wanted_labels_are_summed() {
        let metrics = Metrics::parse(SCRAPE);
        let sum = metrics.sum("cdc_lag_seconds", "target", &[("table", "orders")]);
        assert_eq!(sum["graph"], 0.5);
    }

    #[test]
    fn a_lag_or_no_assignment_at_all_is_not_caught_up() {
        assert!(!Metrics::parse(SCRAPE).caught_up());
        assert!(!Metrics::parse("").caught_up());
        let at_rest = SCRAPE.replace("1.5", "0").replace("0.5", "0");
        assert!(Metrics::parse(&at_rest).caught_up());
        let unread = at_rest.replace("\"} 0\ncdc", "\"} 3\ncdc");
        assert!(!Metrics::parse(&unread).caught_up());
    }
}
