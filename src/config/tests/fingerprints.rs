//! What changes a projection's fingerprint, and what does not.

use super::*;

fn fingerprints(text: &str) -> Vec<String> {
    let config = valid(text);
    let ids = 0..u16::try_from(config.projections.len()).unwrap();
    ids.map(|id| config.fingerprint(ProjectionId(id))).collect()
}

/// Which projections have another fingerprint after the change.
fn changed(part: &str, replacement: &str) -> Vec<usize> {
    let (before, after) = (
        fingerprints(SHOP),
        fingerprints(&shop_with(part, replacement)),
    );
    assert_eq!(before.len(), after.len());
    (0..before.len())
        .filter(|at| before[*at] != after[*at])
        .collect()
}

#[test]
fn what_decides_what_is_written_changes_it() {
    assert_eq!(changed("{alias: products}", "{alias: items}"), [0]);
    assert_eq!(
        changed("after.status != 'draft'", "after.status == 'live'"),
        [0]
    );
    assert_eq!(
        changed(
            "index: {alias: products}",
            "index: {alias: products}\n    fields: [id]"
        ),
        [0]
    );
    assert_eq!(changed("{{ either.slug }}", "{{ either.name }}"), [1]);
    assert_eq!(
        changed("(:User {!id, name})", "(:User {!id, full: name})"),
        [2]
    );
    assert_eq!(changed("[:PLACED]", "[:ORDERED]"), [4]);
    assert_eq!(
        changed("users: {key: [id]}", "users: {key: [id], epoch: 1}"),
        [2]
    );
}

#[test]
fn where_and_how_it_is_written_does_not() {
    assert_eq!(changed("http://es:9200", "http://other:9200"), [0; 0]);
    assert_eq!(
        changed(
            "url: http://es:9200",
            "url: http://es:9200, in_flight: 4, batch: {max_items: 7}"
        ),
        [0; 0]
    );
    assert_eq!(changed("name: products-index", "name: renamed"), [0; 0]);
    assert_eq!(changed("  group: shop", "  group: other"), [0; 0]);
}

#[test]
fn all_projections_have_their_own() {
    let mut all = fingerprints(SHOP);
    assert!(all.iter().all(|it| it.len() == 64));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5);
}
