//! The example's configuration, in its essential parts.

use std::path::PathBuf;

use super::*;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce/distributary.yaml")
}

fn load_with(environment: &[(&str, &str)]) -> Loaded {
    match load(&inputs(&[&example()], environment, &[])) {
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
    let topic = "ecommerce.dead-letter".to_owned();
    assert_eq!(config.on_poison, OnPoison::DeadLetter { topic });
}

#[test]
fn the_configurations_in_the_documents_are_valid_and_without_warnings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["README.md", "docs/configuration.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let (_, yaml) = text.split_once("```yaml\n").unwrap();
        let (yaml, _) = yaml.split_once("```").unwrap();
        // The settings file that the text beside it names is the example's.
        let directory = tempfile::tempdir().unwrap();
        let settings = root.join("examples/ecommerce/indices/products.json");
        std::fs::copy(settings, directory.path().join("products.json")).unwrap();
        let file = directory.path().join("distributary.yaml");
        std::fs::write(&file, yaml).unwrap();
        let loaded = load(&inputs(&[&file], &[], &[]));
        let warnings = loaded.map(|it| it.warnings);
        assert_eq!(warnings, Ok(vec![]), "{document}");
    }
}

#[test]
fn its_tables_have_topics_keys_and_identities() {
    let config = load_with(&[]).config;
    let table = |name: &str| config.tables.iter().find(|it| it.name == name).unwrap();
    assert_eq!(table("products").topic, "products-events");
    assert_eq!(table("products").json, ["attributes"]);
    assert!(table("products").full_identity && !table("users").full_identity);
    assert_eq!(table("order_items").key, ["order_id", "product_id"]);
    assert_eq!(table("order_items").on_truncate, OnTruncate::Stop);
}

#[test]
fn its_projections_say_what_they_make() {
    let config = load_with(&[]).config;
    let kind = |name: &str| {
        &config
            .projections
            .iter()
            .find(|it| it.name == name)
            .unwrap()
            .kind
    };
    let ProjectionKind::Document(document) = kind("products-index") else {
        panic!()
    };
    let fields = document.fields.as_ref().unwrap();
    assert_eq!(
        (fields.len(), &fields[11].name, &fields[11].path),
        (13, &"weight".to_owned(), &vec!["weight".to_owned()])
    );
    assert!(document.settings.as_ref().unwrap().content["mappings"].is_object());
    let ProjectionKind::Cache(cache) = kind("product-cache") else {
        panic!()
    };
    assert_eq!(
        (cache.invalidate.len(), cache.invalidate[3].when.as_deref()),
        (4, Some("either.is_featured"))
    );
    let ProjectionKind::Derived(derived) = kind("purchased") else {
        panic!()
    };
    assert_eq!(
        (derived.kind.as_str(), derived.path.len()),
        ("PURCHASED", 2)
    );
}

#[test]
fn the_environment_fills_in_addresses() {
    let config = load_with(&[("KAFKA_BROKERS", "a:1,b:2"), ("ES_URL", "http://es:9200")]).config;
    assert_eq!(config.source.brokers, ["a:1", "b:2"]);
    let Sink::Elasticsearch(search) = &config.sinks["search"] else {
        panic!()
    };
    assert_eq!(search.url, "http://es:9200");
    assert_eq!((search.batch.max_items, search.in_flight), (5000, 2));
}

#[test]
fn every_configuration_that_is_shipped_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in [
        "deploy/kubernetes/base/distributary.yaml",
        "deploy/kubernetes/overlays/example/distributary.yaml",
    ] {
        let loaded = load(&inputs(&[&root.join(file)], &[], &[]));
        assert_eq!(
            loaded
                .unwrap_or_else(|mistakes| panic!("{mistakes}"))
                .warnings,
            []
        );
    }
}

#[test]
fn the_handbook_shows_a_valid_configuration() {
    let handbook = include_str!("../../../docs/configuration.md");
    let (_, yaml) = handbook.split_once("```yaml\n").unwrap();
    valid(yaml.split_once("```").unwrap().0);
}
