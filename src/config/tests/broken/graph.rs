//! Patterns, and what graph projections must agree on.

use super::*;

#[test]
fn patterns_are_shown_where_they_break() {
    errors(&[
        (USER_NODE, r#"node: "(«U»ser {!id})""#, "expected `:`"),
        (
            USER_NODE,
            r#"node: "(:User {!id, «_v»})""#,
            "kept for distributary",
        ),
        (
            USER_NODE,
            r#"node: "(:«_DistributaryMarker» {!id})""#,
            "begin with `_Distributary`",
        ),
        (
            PLACED,
            r#"relationship: "(:User {!id: user_id})«<»-[:PLACED]-(:Order {!id})""#,
            "left to right",
        ),
    ]);
}

#[test]
fn the_graph_fits_together() {
    errors(&[
        (
            PLACED,
            r#"relationship: «"(:User {!uid: user_id})-[:PLACED]->(:Order {!id})"»"#,
            "`User` is found by `id`, as `user-node` says, and this end names `uid`",
        ),
        (
            PLACED,
            r#"relationship: «"(:User {!id: user_id, name})-[:PLACED]->(:Order {!id})"»"#,
            "an end names merge keys only",
        ),
        (
            PLACED,
            r#"relationship: «"(:User)-[:PLACED]->(:Order {!id})"»"#,
            "does not say which node",
        ),
        (
            "  - {name: placed,",
            "  - {name: again, sink: graph, from: users, node: «\"(:Order {!id})\"»}\n  - {name: placed,",
            "fills the label `Order` already",
        ),
        (
            "  - {name: placed,",
            "  - {name: again, sink: graph, from: users, node: «\"(:Again {id})\"»}\n  - {name: placed,",
            "marked with `!` is nothing",
        ),
    ]);
    warnings(&[(
        PLACED,
        r#"relationship: «"(:Usr {!id: user_id})-[:PLACED]->(:Order {!id})"»"#,
        "no projection fills the label `Usr`; did you mean `User`?",
    )]);
}

#[test]
fn a_derived_relationship_follows_from_others() {
    let derived = |rest: &str| format!("  - {{name: derived, sink: graph, {rest}}}\n{LETTERS}");
    let knows = r#""(:User)-[:KNOWS]->(:Order)""#;
    let path = r#"path: "(:User)-[:PLACED]->(:Order)""#;
    errors(&[
        (
            LETTERS,
            &derived(
                r#"derive: "(:User)-[:KNOWS]->(:Order)", path: «"(:User)-[:PLACD]->(:Order)"»"#,
            ),
            "no projection of this sink makes (:User)-[:PLACD]->(:Order)",
        ),
        (
            LETTERS,
            &derived(
                r#"derive: "(:Order)-[:KNOWS]->(:Order)", path: «"(:User)-[:PLACED]->(:Order)"»"#,
            ),
            "the path leads from `User` to `Order`",
        ),
        (
            LETTERS,
            &derived(
                r#"derive: «"(:User)-[:PLACED]->(:Order)"», path: "(:User)-[:PLACED]->(:Order)""#,
            ),
            "a type of its own",
        ),
        (
            LETTERS,
            &format!(
                "  - {{name: first, sink: graph, derive: {knows}, {path}}}\n{}",
                derived(&format!("derive: «{knows}», {path}"))
            ),
            "`first` derives (:User)-[:KNOWS]->(:Order) already; each would delete the other's",
        ),
    ]);
}

#[test]
fn what_one_projection_alone_may_write_is_told_by_the_database_and_not_by_the_sink() {
    let twice = |uri: &str, rest: &str, projections: &str| {
        let other = format!(
            "  other: {{type: neo4j, uri: {uri}, {rest}username: neo4j, {GRAPH_PASSWORD}}}\n"
        );
        let projections = projections.replace("sink: graph", "sink: other");
        SHOP.replace("projections:\n", &format!("{other}projections:\n"))
            .replace(LETTERS, &format!("{projections}\n{LETTERS}"))
    };
    let node = r#"  - {name: again, sink: graph, from: users, node: "(:User {!id})"}"#;
    for uri in ["bolt://neo4j:7687/", "bolt://Neo4j", "neo4j://neo4j"] {
        let found = mistakes(&twice(uri, "", node));
        let [mistake] = &found[..] else {
            panic!("{uri}:\n{}", Mistakes(found));
        };
        let expected = "`user-node` fills the label `User` already";
        assert!(mistake.message.contains(expected), "{uri}: {mistake}");
    }
    valid(&twice("bolt://neo4j", "database: second, ", node));
    valid(&twice("bolt://elsewhere", "", node));

    // An end may be a node of the other sink; a path has to be made by the sink itself.
    let liked = r#"  - {name: liked, sink: graph, from: orders, relationship: "(:User {!id: user_id})-[:LIKED]->(:Order {!id})"}"#;
    valid(&twice("bolt://neo4j", "", liked));
    let derived = r#"  - {name: derived, sink: graph, derive: "(:User)-[:KNOWS]->(:Order)", path: "(:User)-[:PLACED]->(:Order)"}"#;
    let found = mistakes(&twice("bolt://neo4j", "", &format!("{liked}\n{derived}")));
    let said = Mistakes(found).to_string();
    assert!(
        said.contains("no projection of this sink makes (:User)-[:PLACED]"),
        "{said}"
    );
}
