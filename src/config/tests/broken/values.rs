//! Keys and values of any section.

use super::*;

#[test]
fn keys_are_known_or_refused_with_the_nearest_one() {
    errors(&[
        (
            "pipeline: shop\n",
            "pipeline: shop\n«budgt»: 64MiB\n",
            "did you mean `budget`?",
        ),
        (
            "  group: shop\n",
            "  group: shop\n  «zzzzzz»: 1\n",
            "known here: brokers, group",
        ),
        (
            USERS,
            "users: {key: [id], «epoc»: 1}",
            "did you mean `epoch`?",
        ),
        (
            SEARCH,
            "search: {type: elasticsearch, url: http://es:9200, batch: {«max_item»: 1}}",
            "did you mean `max_items`?",
        ),
        ("invalidate:", "«invalidat»:", "did you mean `invalidate`?"),
        (
            "from: users, node",
            "«form»: users, from: users, node",
            "did you mean `from`?",
        ),
        (
            "index: {alias: products}",
            "index: {alias: products, «setings»: x}",
            "did you mean `settings`?",
        ),
        (
            LETTERS,
            "dead_letter: {topic: dead}\nhttp: {«listn»: x}",
            "did you mean `listen`?",
        ),
    ]);
}

#[test]
fn what_is_missing_is_shown_where_it_should_be() {
    let missing = |part: &str, replacement: &str, path: &str| {
        let found = mistakes(&shop_with(part, replacement));
        let told = format!("`{path}` is missing");
        assert!(
            found.len() == 1 && found[0].message == told,
            "{}",
            Mistakes(found)
        );
        found[0].place.excerpt.trim().to_owned()
    };
    assert_eq!(missing("  group: shop\n", "", "source.group"), "source:");
    assert_eq!(
        missing("username: neo4j, ", "", "sinks.graph.username")
            .split(':')
            .next(),
        Some("graph")
    );
    assert_eq!(
        missing(
            "  - name: products-index\n    sink",
            "  - sink",
            "projections[0].name"
        ),
        "- sink: search"
    );
    assert_eq!(missing("pipeline: shop\n", "", "pipeline"), "source:");
}

#[test]
fn values_have_the_type_that_their_key_needs() {
    errors(&[
        (
            "pipeline: shop",
            "pipeline: «[shop]»",
            "expected one value, found a list",
        ),
        (
            "pipeline: shop",
            "pipeline: «{a: b}»",
            "expected one value, found a mapping",
        ),
        ("pipeline: shop", "pipeline: «\"\"»", "found an empty text"),
        ("pipeline: shop", "pipeline: «a shop»", "cannot be a name"),
        (
            LETTERS,
            "dead_letter: {topic: dead}\nbudget: «lots»",
            "expected a size such as `64MiB`",
        ),
        (
            LETTERS,
            "dead_letter: {topic: dead}\nbudget: «1KiB»",
            "at least 1MiB",
        ),
        (
            LETTERS,
            "dead_letter: {topic: dead}\nbudget: «18446744073709551615»",
            "at most 1TiB",
        ),
        (
            LETTERS,
            "dead_letter: {topic: dead}\ndrain_timeout: «25»",
            "expected a duration such as",
        ),
        (
            LETTERS,
            "dead_letter: {topic: dead}\nhttp: {listen: «localhost»}",
            "expected an address and port",
        ),
        (
            LETTERS,
            "dead_letter: {topic: dead}\non_poison: «skip»",
            "expected one of dead_letter, stop",
        ),
        (
            LETTERS,
            "dead_letter: {topic: dead}\non_poison: «stopp»",
            "did you mean `stop`?",
        ),
    ]);
}

#[test]
fn sections_and_bounds_are_kept() {
    errors(&[
        (
            USERS,
            "users: {key: [id], epoch: «32768»}",
            "from 0 to 32767",
        ),
        (
            USERS,
            "users: {key: [id], on_truncate: «aply»}",
            "did you mean `apply`?",
        ),
        (USERS, "users: «[id]»", "expected a mapping"),
        (
            SEARCH,
            "search: {type: elasticsearch, url: http://es:9200, in_flight: «0»}",
            "from 1 to 16",
        ),
        (
            SEARCH,
            "search: {type: elasticsearch, url: http://es:9200, batch: {max_bytes: «200MiB»}}",
            "to 90MiB",
        ),
        (
            SEARCH,
            "search: {type: elasticsearch, url: http://es:9200, gc_deletes: «0»}",
            "from 1m 15s to",
        ),
        (
            CACHE,
            "cache: {type: redis, url: redis://redis, second_unlink_after: «18446744073709551615s»}",
            "from 0s to 1h",
        ),
        (INVALIDATE, "invalidate: «a:b»", "expected a list"),
        (
            "index: {alias: products}",
            "index: {alias: «Products»}",
            "cannot be an alias",
        ),
    ]);
}

#[test]
fn addresses_are_addresses_and_hold_no_password() {
    errors(&[
        (
            "[kafka:9092]",
            "[«kafka»]",
            "expected a broker as `host:port`",
        ),
        ("[kafka:9092]", "«[]»", "at least one broker"),
        ("[kafka:9092]", "«\",\"»", "at least one broker"),
        ("group: shop", "group: «\" \"»", "found white space"),
        (
            SEARCH,
            "search: {type: elasticsearch, url: «es:9200»}",
            "found no scheme",
        ),
        (
            SEARCH,
            "search: {type: elasticsearch, url: «redis://es:9200»}",
            "found the scheme `redis`",
        ),
        (
            CACHE,
            "cache: {type: redis, url: «redis://:hunter2@redis:6379»}",
            "would end up in logs",
        ),
        (
            CACHE,
            "cache: {type: redis, url: «redis://redis:port»}",
            "found an invalid port number",
        ),
        (
            CACHE,
            "cache: {type: redis, url: «redis://redis/notanumber»}",
            "Invalid database number",
        ),
        (
            SEARCH,
            "search: {type: elasticsearch, url: «'http://[::1/'»}",
            "found an invalid IPv6 address",
        ),
        (
            CACHE,
            "cache: {type: redis, url: redis://redis, «ca»: ca.pem}",
            "no meaning without TLS",
        ),
        (
            SEARCH,
            "search: {type: elasticsearch, url: http://es:9200, «ca»: ca.pem}",
            "no meaning without TLS",
        ),
    ]);
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_shown() {
    errors(&[
        (
            GRAPH_PASSWORD,
            "password: «hunter2»",
            "name where it is kept: `{file: path}` or `{env: NAME}`",
        ),
        (
            GRAPH_PASSWORD,
            "password: «{file: a, env: B}»",
            "expected one of",
        ),
        (
            SEARCH,
            "search: {type: elasticsearch, url: http://es:9200, api_key: «abc»}",
            "a secret does not belong",
        ),
        (
            "  group: shop\n",
            "  group: shop\n  properties: {«sasl.password»: hunter2}\n",
            "source.security.password",
        ),
    ]);
    for (part, replacement) in [
        (GRAPH_PASSWORD, "password: hunter2, databas: x"),
        (GRAPH_PASSWORD, "pasword: hunter2"),
        (
            CACHE,
            "cache: {type: redis, url: 'redis://:hunter2@redis', typo: x}",
        ),
        (
            "  group: shop\n",
            "  group: shop\n  properties: {sasl.password: hunter2}\n",
        ),
        (
            "  group: shop\n",
            "  group: shop\n  properties: {sasl.pasword: hunter2}\n",
        ),
        ("[kafka:9092]", "['me:hunter2@kafka:9092']"),
        (
            CACHE,
            "cache: {type: redis, url: 'redis://redis/0?password=hunter2'}",
        ),
        // What is no YAML any more.
        (GRAPH_PASSWORD, "password: \"hunter2"),
        (GRAPH_PASSWORD, "password: &it hunter2"),
    ] {
        let shown = load_text(&shop_with(part, replacement))
            .unwrap_err()
            .to_string();
        assert!(
            !shown.contains("hunter2") && shown.contains("*******"),
            "{shown}"
        );
    }
}

#[test]
fn a_mapping_in_a_text_does_not_show_its_secret() {
    for assignment in [
        "sinks.search={type: elasticsearch, password: hunter2}",
        "sinks.search: {password: hunter2}",
    ] {
        let shown = load(&inputs(&[], &[], &[assignment]))
            .unwrap_err()
            .to_string();
        assert!(
            !shown.contains("hunter2") && shown.contains("*******"),
            "{shown}"
        );
    }
}
