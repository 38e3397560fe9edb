//! The form of a file: YAML that is none, keys that are there twice, and anything at all.

use proptest::prelude::*;

use super::*;

/// Where the mistake that says this is shown; others may be there too.
#[track_caller]
fn told(text: &str, says: &str) -> (usize, usize) {
    let mistakes = load_text(text).unwrap_err();
    let mistake = mistakes.0.iter().find(|it| it.message.contains(says));
    let place = &mistake
        .unwrap_or_else(|| panic!("expected `{says}` in\n{mistakes}"))
        .place;
    (place.line, place.column)
}

#[test]
fn what_yaml_allows_and_we_do_not_says_so() {
    assert_eq!(
        told("a: 1\nb: 2\na: 3\n", "`a` is already set in line 1"),
        (3, 1)
    );
    assert_eq!(told("a: &x 1\nb: *x\n", "anchors").0, 1);
    assert_eq!(
        told(
            "a: 1\nwhen: !after.x\n",
            "quote a value that begins with `!`"
        )
        .0,
        2
    );
    assert_eq!(told("a: 1\n---\nb: 2\n", "second YAML document").0, 2);
    assert_eq!(told("[a, b]: c\n", "a key must be plain text"), (1, 1));
    assert_eq!(
        told("- a\n", "the file must be a mapping, `key: value`").0,
        1
    );
    assert_eq!(told(&"[".repeat(100), "nested too deeply").0, 1);
    assert_eq!(
        told("pipeline: ${NOT_SET}\n", "NOT_SET is not set"),
        (1, 11)
    );
}

#[test]
fn a_wrong_form_does_not_hide_the_other_mistakes() {
    let text = shop_with("  group: shop\n", "  group: ${NONE}\n  group: ${NONE}\n");
    let text = text.replace("pipeline: shop", "pipeline: [shop]");
    let found = load_text(&text).unwrap_err();
    let told: Vec<_> = found
        .0
        .iter()
        .map(|it| (it.place.line, it.path.as_str()))
        .collect();
    assert_eq!(told[0], (2, "pipeline"), "{found}");
    assert!(
        told[1..].iter().all(|(_, path)| *path == "source.group"),
        "{found}"
    );
}

#[test]
fn broken_yaml_is_shown_where_it_breaks() {
    assert!(told("pipeline: shop\nsource: {group: [\n", "not valid YAML").0 >= 2);
    assert_eq!(told("a: {b: ${NAME}, c: d}\n", "not valid YAML").0, 1);
}

#[test]
fn an_empty_file_lacks_everything() {
    for text in ["", "# nothing\n", "---\n", "~\n"] {
        let mistakes = load_text(text).unwrap_err();
        let missing = mistakes
            .0
            .iter()
            .filter(|it| it.message.contains("is missing"));
        assert_eq!(missing.count(), 5, "{mistakes}");
    }
}

fn yaml() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just(String::from("null")),
        "[a-z0-9{}!:'\"$*&%-]{0,12}",
        any::<i64>().prop_map(|it| it.to_string()),
        Just(String::from("(:A {!id})-[:T]->(:B")),
        Just(String::from("'{{ key.id }}'")),
    ];
    scalar.prop_recursive(4, 32, 6, |inner| {
        let words = [
            "pipeline",
            "source",
            "tables",
            "sinks",
            "projections",
            "key",
            "type",
            "name",
            "sink",
            "from",
            "node",
            "index",
            "invalidate",
            "when",
            "batch",
            "derive",
            "path",
            "security",
            "properties",
            "brokers",
            "password",
            "fields",
            "dead_letter",
            "http",
            "budget",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|it| format!("[{}]", it.join(", "))),
            prop::collection::vec((prop::sample::select(words.to_vec()), inner), 0..6).prop_map(
                |it| {
                    let entries: Vec<_> = it
                        .iter()
                        .map(|(key, value)| format!("{key}: {value}"))
                        .collect();
                    format!("{{{}}}", entries.join(", "))
                }
            ),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_in_the_file_there_is_an_answer(text in prop_oneof![any::<String>(), yaml()]) {
        if let Err(mistakes) = load_text(&text) {
            prop_assert!(!mistakes.0.is_empty());
            prop_assert!(!mistakes.to_string().is_empty());
        }
    }

    #[test]
    fn a_line_that_is_lost_or_doubled_is_survived(line in 0..30_usize, double in any::<bool>()) {
        let mut lines: Vec<_> = SHOP.lines().collect();
        if double { lines.insert(line.min(lines.len()), lines[line.min(lines.len() - 1)]) } else { lines.remove(line.min(lines.len() - 1)); }
        if let Err(mistakes) = load_text(&lines.join("\n")) {
            prop_assert!(!mistakes.0.is_empty());
        }
    }
}
