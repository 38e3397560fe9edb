//! Several mistakes at once, and what is only doubtful.

use super::*;

#[test]
fn what_nothing_uses_is_worth_a_warning() {
    warnings(&[
        (
            USERS,
            "users: {key: [id]}\n  «unused»: {key: [id]}",
            "no projection reads the table `unused`",
        ),
        (
            CACHE,
            "cache: {type: redis, url: redis://redis:6379}\n  «other»: {type: redis, url: redis://o}",
            "no projection writes to the sink `other`",
        ),
    ]);
}

#[test]
fn every_mistake_is_found_at_once_in_the_order_of_the_file() {
    let text = SHOP
        .replace("pipeline: shop", "pipelin: shop")
        .replace("key: [id], replica_identity: full", "replica_identity: ful")
        .replace("sink: search", "sink: searhc")
        .replace("(:User {!id, name})", "(User {!id, name})");
    let Err(found) = load_text(&text) else {
        panic!("it has mistakes")
    };
    let lines: Vec<_> = found
        .0
        .iter()
        .map(|it| {
            (
                it.place.line,
                it.message.split('`').nth(1).unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (2, "pipelin"),
            (2, "pipeline"),
            (10, "key"),
            (10, "ful"),
            (17, "searhc"),
            (25, ":")
        ],
        "{found}"
    );
    assert!(found.to_string().ends_with("\n6 errors"), "{found}");
}
