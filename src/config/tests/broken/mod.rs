//! Each mistake, with the exact place that is shown for it: what stands between `«` and `»`.

mod graph;
mod projections;
mod source;
mod together;
mod values;

use super::*;

/// The text without its mark, and the line, column and length of what was marked.
fn unmark(text: &str) -> (String, (usize, usize, usize)) {
    let (before, rest) = text.split_once('«').unwrap();
    let (marked, after) = rest.split_once('»').unwrap();
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let place = (
        before.matches('\n').count() + 1,
        column,
        marked.chars().count(),
    );
    (format!("{before}{marked}{after}"), place)
}

fn mistakes(text: &str) -> Vec<Mistake> {
    match load_text(text) {
        Ok(loaded) => loaded.warnings,
        Err(mistakes) => mistakes.0,
    }
}

/// Replaces `part` of the shop's configuration: exactly one mistake, where the mark is.
#[track_caller]
fn refused(part: &str, replacement: &str, severity: Severity, says: &str) {
    let (text, place) = unmark(&shop_with(part, replacement));
    let found = mistakes(&text);
    let [mistake] = &found[..] else {
        panic!(
            "expected one mistake for `{replacement}`, found:\n{}",
            Mistakes(found)
        );
    };
    let at = &mistake.place;
    assert_eq!((at.line, at.column, at.length), place, "{mistake}");
    assert!(at.origin.ends_with("shop.yaml"), "{mistake}");
    assert_eq!(mistake.severity, severity, "{mistake}");
    let told = format!(
        "{} {}",
        mistake.message,
        mistake.help.as_deref().unwrap_or_default()
    );
    assert!(told.contains(says), "expected `{says}` in:\n{mistake}");
}

#[track_caller]
fn errors(cases: &[(&str, &str, &str)]) {
    for (part, replacement, says) in cases {
        refused(part, replacement, Severity::Error, says);
    }
}

#[track_caller]
fn warnings(cases: &[(&str, &str, &str)]) {
    for (part, replacement, says) in cases {
        refused(part, replacement, Severity::Warning, says);
    }
}

const LETTERS: &str = "dead_letter: {topic: shop.dead-letter}";
const USERS: &str = "users: {key: [id]}";
const PRODUCTS: &str = "products: {key: [id], replica_identity: full}";
const SEARCH: &str = "search: {type: elasticsearch, url: http://es:9200}";
const CACHE: &str = "cache: {type: redis, url: redis://redis:6379}";
const GRAPH_PASSWORD: &str = "password: {env: NEO4J_PASSWORD}";
const WHEN: &str = "when: after.status != 'draft'";
const INVALIDATE: &str = r#"invalidate: ["product:{{ either.slug }}"]"#;
const USER_NODE: &str = r#"node: "(:User {!id, name})""#;
const PLACED: &str = r#"relationship: "(:User {!id: user_id})-[:PLACED]->(:Order {!id})""#;
