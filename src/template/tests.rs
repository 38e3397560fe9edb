mod members;
mod nulls;
mod refused;

use proptest::prelude::*;

use super::{Condition, KeyTemplate, Name, Scope};
use crate::change::{Change, Op, Row, TableId, Version};
use crate::projector::ProjectError;

type Columns<'a> = &'a [(&'a str, &'a str)];

fn change(op: Op, before: Option<Columns<'_>>, after: Option<Columns<'_>>) -> Change<'static> {
    Change {
        table: TableId(0),
        op,
        key: Row::from_pairs(&[("id", "7")]),
        before: before.map(Row::from_pairs),
        after: after.map(Row::from_pairs),
        moved_from: None,
        version: Version::new(0, 1),
        committed_at_ms: 0,
    }
}

fn insert(after: Columns<'_>) -> Change<'static> {
    change(Op::Create, None, Some(after))
}

fn update(before: Columns<'_>, after: Columns<'_>) -> Change<'static> {
    change(Op::Update, Some(before), Some(after))
}

fn keys(template: &str, change: &Change<'_>) -> Vec<String> {
    let template = KeyTemplate::compile(template, "products").unwrap();
    template.keys(change).unwrap().into_vec()
}

fn holds(condition: &str, change: &Change<'_>) -> bool {
    let condition = Condition::compile(condition, "products").unwrap();
    condition.holds(change).unwrap()
}

/// The same template, made too complicated for the plain renderer.
fn elaborate(template: &str) -> String {
    format!("{template}{{# no plain one #}}")
}

#[test]
fn either_gives_the_key_of_the_old_and_of_the_new_row() {
    let moved = update(&[("slug", r#""old""#)], &[("slug", r#""new""#)]);
    let same = update(&[("slug", r#""old""#)], &[("slug", r#""old""#)]);
    let gone = change(Op::Delete, Some(&[("slug", r#""old""#)]), None);
    for template in ["p:{{ either.slug }}", "p:{{ either.slug | lower }}"] {
        assert_eq!(keys(template, &moved), ["p:old", "p:new"]);
        assert_eq!(keys(template, &same), ["p:old"]);
        assert_eq!(keys(template, &gone), ["p:old"]);
        assert_eq!(keys(template, &insert(&[("slug", r#""new""#)])), ["p:new"]);
    }
}

#[test]
fn a_delete_without_an_old_row_still_knows_its_key_columns() {
    let gone = change(Op::Delete, None, None);
    assert_eq!(keys("order:{{ either.id }}", &gone), ["order:7"]);
    assert!(keys("user:{{ either.user_id }}:orders", &gone).is_empty());
}

#[test]
fn a_key_shows_every_digit_and_character_of_a_value() {
    let values = [
        ("9007199254740993", "9007199254740993"),
        (
            "170141183460469231731687303715884105728",
            "170141183460469231731687303715884105728",
        ),
        ("12.50", "12.50"),
        (
            "0.1000000000000000055511151231257827",
            "0.1000000000000000055511151231257827",
        ),
        ("-0", "-0"),
        ("1e400", "1e400"),
        ("true", "true"),
        ("false", "false"),
        (r#""it's \"ü\" <b>""#, r#"it's "ü" <b>"#),
        (r#""""#, ""),
    ];
    for (json, text) in values {
        let change = insert(&[("it", json)]);
        let expected = [format!("k:{text}")];
        if json != "1e400" {
            assert_eq!(keys(&elaborate("k:{{ after.it }}"), &change), expected);
        }
        assert_eq!(keys("k:{{ after.it }}", &change), expected);
    }
}

#[test]
fn a_key_that_prints_a_null_or_nothing_is_no_key() {
    let change = insert(&[("slug", "null"), ("attributes", "{}")]);
    for template in [
        "p:{{ after.slug }}",
        "p:{{ before.slug }}",
        "{{ after.attributes.x.y }}",
    ] {
        assert!(keys(template, &change).is_empty(), "{template}");
        assert!(keys(&elaborate(template), &change).is_empty(), "{template}");
    }
    assert!(keys("{% if op == 'd' %}gone{% endif %}", &change).is_empty());
    let fallback = "p:{{ after.slug | default('none', true) }}";
    assert_eq!(keys(fallback, &change), ["p:none"]);
}

#[test]
fn a_list_or_an_object_in_a_key_is_poison() {
    let change = insert(&[("tags", "[1]"), ("attributes", "{}")]);
    for template in ["{{ after.tags }}", "{{ after.attributes }}"] {
        for template in [String::from(template), elaborate(template)] {
            let template = KeyTemplate::compile(&template, "products").unwrap();
            let error = template.keys(&change).unwrap_err();
            assert!(error.to_string().contains("name one member"), "{error}");
        }
    }
}

fn partial(op: Op, before: Option<Columns<'_>>) -> Change<'static> {
    Change {
        after: Some(Row::of(&[("description", None)])),
        ..change(op, before, None)
    }
}

#[test]
fn a_column_that_was_not_sent_is_poison_unless_the_old_row_tells_it() {
    let unknown = partial(Op::Update, None);
    let template = KeyTemplate::compile("{{ after.description }}", "products").unwrap();
    let error = template.keys(&unknown).unwrap_err();
    let expected = ProjectError::Unavailable {
        table: String::from("products"),
        column: String::from("description"),
        reader: String::from("the key template `{{ after.description }}`"),
    };
    assert_eq!(error, expected);

    let known = partial(Op::Update, Some(&[("description", r#""long""#)]));
    assert_eq!(template.keys(&known).unwrap().as_slice(), ["long"]);
    assert!(!holds("changed.description", &known));
}

#[test]
fn a_column_that_the_table_has_not_is_poison() {
    let condition = Condition::compile("after.staus == 'x'", "products").unwrap();
    let error = condition.holds(&insert(&[("status", "1")])).unwrap_err();
    assert!(matches!(error, ProjectError::MissingColumn { column, .. } if column == "staus"));
}

#[test]
fn conditions_compare_numbers_texts_and_booleans() {
    let change = insert(&[
        ("stock", "9007199254740993"),
        ("price", r#""100.10""#),
        ("weight", "1.50"),
        ("status", r#""live""#),
        ("is_featured", "true"),
        ("note", "null"),
    ]);
    for condition in [
        "after.stock > 9007199254740992",
        "after.price | float > 100",
        "after.weight == 1.5",
        "after.status != 'draft'",
        "after.status in ['live', 'sold']",
        "after.is_featured",
        "not after.note",
        "after.note is none and op == 'c'",
        "changed.status",
    ] {
        assert!(holds(condition, &change), "{condition}");
    }
    for condition in [
        "after.note",
        "before.status == 'live'",
        "after.stock > 9007199254740993",
    ] {
        assert!(!holds(condition, &change), "{condition}");
    }
}

#[test]
fn a_text_beside_a_number_is_poison_because_it_would_always_be_greater() {
    let text = insert(&[("price", r#""1.50""#), ("stock", "2")]);
    for condition in [
        "after.price > 100",
        "100 < after.price",
        "(after.price) > 1000",
        "after.stock < after.price",
    ] {
        let condition = Condition::compile(condition, "products").unwrap();
        let number = insert(&[("price", "1000.5"), ("stock", "2")]);
        assert!(condition.holds(&number).unwrap());
        let error = condition.holds(&text).unwrap_err();
        let advice = "`price` is text and is compared with a number: write `after.price | float`";
        assert!(error.to_string().contains(advice), "{error}");
    }
    // What is advised.
    for condition in [
        "1 < after.price | float",
        "(after.price | float) > 1",
        "after.price | float < after.stock",
    ] {
        assert!(holds(condition, &text), "{condition}");
    }
}

#[test]
fn a_condition_that_yields_no_boolean_is_poison_and_tells_no_value() {
    let condition = Condition::compile("after.status", "products").unwrap();
    let error = condition
        .holds(&insert(&[("status", r#""secret""#)]))
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("yields a string") && !text.contains("secret"),
        "{text}"
    );
}

#[test]
fn a_condition_on_either_holds_if_it_does_for_one_of_the_rows() {
    let condition = Condition::compile("either.is_featured", "products").unwrap();
    let cases = [
        ("true", "false", true),
        ("false", "true", true),
        ("false", "false", false),
    ];
    for (old, new, expected) in cases {
        let change = update(&[("is_featured", old)], &[("is_featured", new)]);
        assert_eq!(condition.holds_for_either(&change).unwrap(), expected);
    }
}

#[test]
fn a_condition_on_one_row_alone_does_not_hold_where_there_is_no_such_row() {
    let row: Columns<'_> = &[("is_featured", "true")];
    let gone = change(Op::Delete, Some(row), None);
    for (condition, of_a_delete, of_an_insert) in [
        ("either.is_featured", true, true),
        ("after.is_featured", false, true),
        ("before.is_featured", true, false),
    ] {
        let condition = Condition::compile(condition, "products").unwrap();
        let holds = |change: &Change<'_>| condition.holds_for_either(change).unwrap();
        assert_eq!(
            (holds(&gone), holds(&insert(row))),
            (of_a_delete, of_an_insert)
        );
    }
}

#[test]
fn changed_compares_the_rows() {
    let change = update(&[("a", "1"), ("b", "2")], &[("a", "1"), ("b", "3")]);
    assert!(!holds("changed.a", &change));
    assert!(holds("changed.b", &change));
    assert!(holds("changed.a", &insert(&[("a", "1")])));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let cases = [
        ("p:{{ aftr.slug }}", (1, 6), "did you mean `after`?"),
        ("p:{{ row.slug }}", (1, 6), "there are key, before"),
        ("p:{{ after }}", (1, 6), "name one column"),
        ("a\nb:{{ key.id | nosuch( }}", (2, 23), "unexpected"),
        ("a\nb{{ key.id | lowr }}", (2, 14), "lowr"),
        ("p:{{ op.x }}", (1, 6), "no such name"),
        ("p:{{ changed.a.b }}", (1, 6), "no members"),
    ];
    for (template, place, hint) in cases {
        let error = KeyTemplate::compile(template, "products").unwrap_err();
        assert!(error.message.contains(hint), "{template}: {error}");
        assert_eq!((error.line, error.column), place, "{template}: {error}");
    }
    let error = Condition::compile("after.stock >", "products").unwrap_err();
    assert_eq!(error.line, 1);
}

#[test]
fn the_columns_that_a_template_reads_are_known_before_any_row() {
    let template = "{{ key.id }}{% for tag in after.tags %}{{ tag.x }}{% endfor %}{{ either.a.b }}";
    let template = KeyTemplate::compile(template, "products").unwrap();
    let name = |scope, column| Name {
        scope,
        column: String::from(column),
    };
    let expected = [
        name(Scope::Key, "id"),
        name(Scope::After, "tags"),
        name(Scope::Either, "a"),
    ];
    assert_eq!(template.names(), expected);
}

proptest! {
    #[test]
    fn no_text_makes_compiling_or_rendering_panic(text in r"(\{\{|\}\}|\{%|%\}|after|key|either|\.|a|id| |if|'|\||lower|[0-9]|\PC){0,12}") {
        let change = update(&[("a", "1"), ("id", "7")], &[("a", "[1]"), ("id", "8")]);
        if let Ok(template) = KeyTemplate::compile(&text, "t") {
            drop(template.keys(&change));
        }
        if let Ok(condition) = Condition::compile(&text, "t") {
            drop(condition.holds_for_either(&change));
        }
    }

    #[test]
    fn both_renderers_make_the_same_key_of_any_text(text in any::<String>(), n in any::<i64>()) {
        let text = serde_json::to_string(&text).unwrap();
        let change = insert(&[("a", &text), ("n", &n.to_string())]);
        let template = "x:{{ after.a }}:{{ after.n }}";
        prop_assert_eq!(keys(template, &change), keys(&elaborate(template), &change));
    }

    #[test]
    fn a_quick_condition_says_what_the_expression_says(
        json in prop_oneof![
            Just(String::from("null")), Just(String::from("true")), Just(String::from("false")),
            Just(String::from("[]")), Just(String::from("{}")),
            any::<i64>().prop_map(|n| n.to_string()),
            "(live|draft|\\PC{0,3})".prop_map(|text| serde_json::to_string(&text).unwrap()),
        ],
        quick in prop_oneof![
            Just("after.a"), Just("changed.a"), Just("after.a == 'live'"), Just("after.a!=\"live\""),
        ],
    ) {
        let change = update(&[("a", r#""live""#)], &[("a", &json)]);
        // Brackets make it too complicated to be quick, and change nothing else.
        let [quick, full] = [String::from(quick), format!("({quick})")].map(|text| {
            let holds = Condition::compile(&text, "t").unwrap().holds(&change);
            holds.map_err(|error| error.to_string().replace(&text, ""))
        });
        prop_assert_eq!(quick, full);
    }
}
