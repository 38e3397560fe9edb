//! The example's configuration, in its essential parts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::*;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce/distributary.yaml")
}

fn load_with(environment: &[(&str, &str)]) -> Loaded {
    let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    let inputs = Inputs {
        files: vec![example()],
        environment: environment.iter().map(pair).collect::<BTreeMap<_, _>>(),
        assignments: Vec::new(),
    };
    match load(&inputs) {
        Ok(loaded) => loaded,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

#[test]
fn the_example_is_valid_and_without_warnings() {
    let Loaded { config, warnings } = load_with(&[]);
    assert_eq!(warnings, []);
    assert_eq!(
        (
            config.tables.len(),
            config.sinks.len(),
            config.projections.len()
        ),
        (5, 3, 14)
    );
    assert_eq!(config.pipeline, "ecommerce");
    assert_eq!(config.source.brokers, ["127.0.0.1:9092"]);
    assert_eq!(config.source.groups, Groups::Shared);
    assert_eq!(config.budget, 64 << 20);
    assert_eq!(config.drain_timeout, Duration::from_secs(25));
    assert_eq!(
        config.on_poison,
        OnPoison::DeadLetter {
            topic: "ecommerce.dead-letter".into()
        }
    );
}

#[test]
fn the_environment_fills_in_addresses() {
    let config = load_with(&[("KAFKA_BROKERS", "a:1,b:2"), ("ES_URL", "http://es:9200")]).config;
    assert_eq!(config.source.brokers, ["a:1", "b:2"]);
}
