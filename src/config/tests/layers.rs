//! Files, environment and command line on top of each other.

use std::path::Path;

use super::*;

fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn loaded(inputs: &Inputs) -> Config {
    match load(inputs) {
        Ok(loaded) => loaded.config,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

#[test]
fn each_layer_overrides_the_one_below_key_by_key() {
    let directory = tempfile::tempdir().unwrap();
    let base = write(directory.path(), "base.yaml", SHOP);
    let above = write(
        directory.path(),
        "above.yaml",
        "source: {group: file, prefix: two}\nbudget: 2MiB",
    );
    let environment = [
        ("DISTRIBUTARY__SOURCE__GROUP", "environment"),
        ("DISTRIBUTARY__BUDGET", "3MiB"),
    ];
    let files: [&Path; 2] = [&base, &above];
    let config = loaded(&inputs(&files, &[], &[]));
    assert_eq!(
        (config.source.group.as_str(), config.budget),
        ("file", 2 << 20)
    );
    assert_eq!(config.tables[0].topic, "two.public.orders");
    assert_eq!(config.source.brokers, ["kafka:9092"]);
    let config = loaded(&inputs(&files, &environment, &[]));
    assert_eq!(
        (config.source.group.as_str(), config.budget),
        ("environment", 3 << 20)
    );
    let config = loaded(&inputs(&files, &environment, &["source.group=flag"]));
    assert_eq!(
        (config.source.group.as_str(), config.budget),
        ("flag", 3 << 20)
    );
}

#[test]
fn values_keep_the_text_they_have() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(
        directory.path(),
        "shop.yaml",
        &shop_with("username: neo4j", "username: 0123"),
    );
    let username = |config: Config| match &config.sinks["graph"] {
        Sink::Neo4j(graph) => graph.username.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(username(loaded(&inputs(&[&file], &[], &[]))), "0123");
    let set = [
        ("DISTRIBUTARY__SINKS__GRAPH__USERNAME", "0007"),
        ("N", "1e3"),
    ];
    assert_eq!(username(loaded(&inputs(&[&file], &set, &[]))), "0007");
    let file = write(
        directory.path(),
        "shop.yaml",
        &shop_with("username: neo4j", "username: \"${N}\""),
    );
    assert_eq!(
        username(loaded(&inputs(&[&file], &[("N", "1e3")], &[]))),
        "1e3"
    );
    assert_eq!(
        username(loaded(&inputs(&[&file], &[("N", "{a: b}")], &[]))),
        "{a: b}"
    );
}

#[test]
fn lists_and_dotted_names_can_be_given_from_outside() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "shop.yaml", SHOP);
    for brokers in ["a:1,b:2", "[a:1, b:2]", "[\"a:1\", 'b:2']"] {
        let environment = [
            ("DISTRIBUTARY__SOURCE__BROKERS", brokers),
            ("DISTRIBUTARY__SOURCE__PROPERTIES__FETCH_WAIT_MAX_MS", "50"),
        ];
        let config = loaded(&inputs(
            &[&file],
            &environment,
            &["source.properties.client.id=me"],
        ));
        assert_eq!(config.source.brokers, ["a:1", "b:2"]);
        assert_eq!(config.source.properties["fetch.wait.max.ms"], "50");
        assert_eq!(config.source.properties["client.id"], "me");
    }
}

#[test]
fn a_mistake_from_outside_names_the_variable() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "shop.yaml", SHOP);
    let variable = [("DISTRIBUTARY__BUDGET", "lots")];
    let mistakes = load(&inputs(&[&file], &variable, &["drain_timeout=soon"])).unwrap_err();
    let shown: Vec<_> = mistakes
        .0
        .iter()
        .map(|it| (it.place.origin.as_str(), it.place.excerpt.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("environment", "DISTRIBUTARY__BUDGET=lots"),
            ("command line", "drain_timeout=soon")
        ]
    );
}

#[test]
fn a_variable_that_cannot_override_anything_is_told() {
    use std::os::unix::ffi::OsStringExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "shop.yaml", SHOP);
    let near = [
        ("DISTRIBUTARY_SOURCE__GROUP", "x"),
        // Kubernetes' own, for a service of this name.
        ("DISTRIBUTARY_SERVICE_HOST", "10.0.0.1"),
    ];
    let mut inputs = inputs(&[&file], &near, &[]);
    let warnings = load(&inputs).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let help = warnings[0].help.as_deref();
    assert_eq!(help, Some("write `DISTRIBUTARY__SOURCE__GROUP`"));

    let no_text = std::ffi::OsString::from_vec(vec![0xff]);
    let name = "DISTRIBUTARY__SOURCE__GROUP".to_owned();
    inputs.environment = [(name, no_text)].into();
    let mistakes = load(&inputs).unwrap_err().to_string();
    assert!(mistakes.contains("is no UTF-8 text"), "{mistakes}");
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let directory = tempfile::tempdir().unwrap();
    let settings = write(
        directory.path(),
        "base/indices/products.json",
        r#"{"settings": {}}"#,
    );
    let with_settings = shop_with(
        "{alias: products}",
        "{alias: products, settings: indices/products.json}",
    );
    let base = write(directory.path(), "base/shop.yaml", &with_settings);
    let above = write(
        directory.path(),
        "other/above.yaml",
        "sinks: {graph: {password: {env: null, file: secret}}}",
    );
    let config = loaded(&inputs(&[&base, &above], &[], &[]));
    let ProjectionKind::Document(document) = &config.projections[0].kind else {
        panic!("the first projection is a document");
    };
    assert_eq!(document.settings.as_ref().unwrap().path, settings);
    let Sink::Neo4j(graph) = &config.sinks["graph"] else {
        panic!("a graph")
    };
    assert_eq!(
        graph.password,
        Secret::File(directory.path().join("other/secret"))
    );
}

#[test]
fn a_sink_that_an_overlay_leaves_without_projections_is_behind_no_group() {
    let directory = tempfile::tempdir().unwrap();
    let base = write(directory.path(), "base.yaml", SHOP);
    let overlay =
        "projections: [{name: user-node, sink: graph, from: users, node: '(:User_2 {!id})'}]";
    let above = write(directory.path(), "above.yaml", overlay);
    for (groups, group) in [("shared", "shop"), ("per_sink", "shop.graph")] {
        let groups = format!("source.groups={groups}");
        let loaded = load(&inputs(&[&base, &above], &[], &[&groups])).unwrap();
        let expected = BTreeMap::from([(group.to_owned(), vec!["graph".to_owned()])]);
        assert_eq!(loaded.config.groups(), expected);
    }
}

#[test]
fn a_secret_of_another_kind_must_take_the_lower_one_back() {
    let directory = tempfile::tempdir().unwrap();
    let base = write(directory.path(), "base.yaml", SHOP);
    let overlay = "sinks: {graph: {password: {file: secret}}}";
    let above = write(directory.path(), "above.yaml", overlay);
    let refused = load(&inputs(&[&base, &above], &[], &[])).unwrap_err();
    let refused = refused.to_string();
    let [base, above] = [base.display(), above.display()];
    for part in [
        format!("`env` is set in {base}, `file` in {above}"),
        format!("write `env: null` beside `file` in {above}"),
    ] {
        assert!(refused.contains(&part), "{part} in {refused}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_mistake_and_not_an_empty_file() {
    let mistakes = load(&inputs(&[Path::new("/nowhere/shop.yaml")], &[], &[])).unwrap_err();
    assert_eq!(mistakes.0.len(), 1);
    assert!(
        mistakes.to_string().contains("/nowhere/shop.yaml"),
        "{mistakes}"
    );
}

#[test]
fn index_settings_hold_what_an_index_is_created_with_and_documents_can_be_put_in() {
    for (content, says) in [
        (
            r#"{"settings": {}, "mapings": {}}"#,
            "did you mean `mappings`?",
        ),
        (
            r#"{"mappings": {"_routing": {"required": true}}}"#,
            "Elasticsearch would refuse every one",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "products.json", content);
        let text = shop_with(
            "{alias: products}",
            "{alias: products, settings: products.json}",
        );
        let file = write(directory.path(), "shop.yaml", &text);
        let mistakes = load(&inputs(&[&file], &[], &[])).unwrap_err();
        assert_eq!(mistakes.0.len(), 1, "{mistakes}");
        assert!(mistakes.0[0].message.ends_with(says), "{mistakes}");
    }
}
