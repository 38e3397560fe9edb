//! What is null, or not there, in templates and conditions.

use super::*;

#[test]
fn a_null_that_goes_through_a_filter_makes_no_key() {
    let gone = change(
        Op::Delete,
        Some(&[("name", r#""Lamp""#), ("a", "{}")]),
        None,
    );
    let null = insert(&[("name", "null"), ("a", "{}")]);
    for filter in [
        "lower",
        "upper",
        "trim",
        "title",
        "capitalize",
        "length",
        "string",
        "first",
        "int",
        "float",
        "replace('a', 'b')",
        "trim | lower",
    ] {
        for of in ["after.name", "after.a.member"] {
            let template = format!("n:{{{{ {of} | {filter} }}}}");
            assert!(keys(&template, &null).is_empty(), "{template}");
            assert!(keys(&template, &gone).is_empty(), "{template}");
        }
    }
    assert_eq!(keys("n:{{ either.name | lower }}", &gone), ["n:lamp"]);
    let fallback = "n:{{ after.name | lower | default('nobody', true) }}";
    assert_eq!(keys(fallback, &null), ["n:nobody"]);
    assert_eq!(
        keys("n:{{ after.a.b | lower | default('x') }}", &null),
        ["n:x"]
    );
}

#[test]
fn a_null_passes_no_test_on_texts_and_compares_behind_a_filter_as_before_it() {
    let null = insert(&[("name", "null"), ("price", "null")]);
    for condition in [
        "after.name is startingwith 'n'",
        "after.name is endingwith 'e'",
        "after.name is lower",
        "after.price | float > 100",
        "after.name | length > 3",
        "after.name | lower == 'none'",
    ] {
        assert!(!holds(condition, &null), "{condition}");
    }
    for condition in [
        "after.name is none",
        "after.name | lower is none",
        "after.price | float < 1",
    ] {
        assert!(holds(condition, &null), "{condition}");
    }
}

#[test]
fn what_fails_on_a_null_is_refused_with_what_to_write() {
    for template in [
        "n:{{ after.stock * 2 }}",
        "n:{{ either.stock - 1 }}",
        "{% if op == 'd' %}{{ after.stock * 2 }}{% endif %}",
        "{% if op == 'c' %}{{ before.stock * 2 }}{% endif %}",
    ] {
        let error = KeyTemplate::compile(template, "products").unwrap_err();
        let advice = "`… | default(0, true)`";
        assert!(error.message.contains(advice), "{template}: {error}");
    }
    for condition in ["after.stock % 2 == 0", "'x' in after.tags"] {
        let error = Condition::compile(condition, "products").unwrap_err();
        let advice = "`… | default([], true)`";
        assert!(error.message.contains(advice), "{condition}: {error}");
    }
    // What is advised.
    let gone = change(Op::Delete, None, None);
    assert_eq!(
        keys("n:{{ after.stock | default(0, true) * 2 }}", &gone),
        ["n:0"]
    );
    assert_eq!(keys("n:{{ key.id | int % 4 }}", &gone), ["n:3"]);
    assert!(!holds("'x' in after.tags | default([], true)", &gone));
}

#[test]
fn a_condition_that_never_yields_a_boolean_is_refused() {
    for condition in [
        "after.name | upper",
        "after.name | length",
        "'live'",
        "op",
        "after.a ~ 'x'",
    ] {
        let error = Condition::compile(condition, "products").unwrap_err();
        let advice = "write a comparison";
        assert!(error.message.contains(advice), "{condition}: {error}");
    }
    for condition in [
        "after.a",
        "after.a or after.b",
        "after.a.b | default(false)",
        "after.flags[0]",
        "after.flags | first",
        "after.a if after.b else changed.c",
        "true",
        "none",
    ] {
        assert!(
            Condition::compile(condition, "products").is_ok(),
            "{condition}"
        );
    }
}

#[test]
fn what_takes_one_kind_of_value_only_is_accepted_and_holds_for_rows_of_that_kind() {
    let row = insert(&[
        ("id", "71"),
        ("name", r#""blue lamp""#),
        ("stock", "5"),
        ("reserved", "null"),
        ("tags", "[4]"),
        ("attributes", r#"{"b":1}"#),
    ]);
    let gone = change(Op::Delete, None, None);
    for (template, key, of_gone) in [
        ("bucket:{{ key.id % 16 }}", "bucket:7", "bucket:7"),
        ("{{ key.id // 2 + 1 }}", "4", "4"),
        (
            "{{ key.id - 1 }}:{{ after.name | default('x', true) | split(' ') | first }}",
            "6:blue",
            "6:x",
        ),
        (
            "{{ key.id }}:{{ (after.tags | default([], true) + [5]) | join('-') }}",
            "7:4-5",
            "7:5",
        ),
        (
            "{% for k, v in after.attributes | default({}, true) | items %}{{ k }}{% endfor %}-",
            "b-",
            "-",
        ),
    ] {
        assert_eq!(keys(template, &row), [key], "{template}");
        assert_eq!(keys(template, &gone), [of_gone], "{template}");
    }
    let free = "(after.stock | default(0, true)) - (after.reserved | default(0, true)) > 0";
    assert!(holds(free, &row));
    assert!(!holds(free, &gone));
    assert!(holds("key.id % 2 == 1", &gone));
}

#[test]
fn what_fails_on_texts_and_on_numbers_is_refused_with_what_to_write() {
    let template = "{{ key.id % 4 }}:{{ key.id | join }}:{{ 'x' ~ key.id + 1 }}";
    let error = KeyTemplate::compile(template, "products").unwrap_err();
    assert!(error.message.contains("`… | int`"), "{error}");
    let error = Condition::compile("'a' - after.a | default(1, true) > 0", "products").unwrap_err();
    assert!(error.message.contains("texts or numbers"), "{error}");
    // An unknown name is told as such, wherever the trial comes to it.
    let error = KeyTemplate::compile("{{ (key.id % 4) | nosuch }}", "products").unwrap_err();
    assert!(error.message.contains("nosuch"), "{error}");
    assert!(!error.message.contains("`… | int`"), "{error}");
}
