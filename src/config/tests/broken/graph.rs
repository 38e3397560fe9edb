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
            "no projection makes (:User)-[:PLACD]->(:Order)",
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
