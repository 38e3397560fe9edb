//! What would hide a column from the checks.

use super::*;

#[test]
fn a_slice_is_refused_because_minijinja_does_not_say_what_it_reads() {
    for template in [
        "x:{{ either.name[:1] | join }}",
        "x:{{ nosuch.a[1:] }}",
        "{% if after.tags[1:2:3] %}x{% endif %}",
    ] {
        let error = KeyTemplate::compile(template, "products").unwrap_err();
        assert!(error.message.contains("no slices"), "{template}: {error}");
    }
    let error = Condition::compile("after.name[:1] == 'n'", "products").unwrap_err();
    assert!(error.message.contains("`… is startingwith 'x'`"), "{error}");
    assert_eq!(error.column, 12);

    // What is advised instead.
    let change = insert(&[("name", r#""nut""#), ("tags", "[4,5]")]);
    assert!(holds("after.name is startingwith 'n'", &change));
    assert!(holds("{'a:b': after.name}['a:b'] == 'nut'", &change));
    for (template, key) in [
        ("a[:1]:{{ after.name | first }}", "a[:1]:n"),
        ("{{ after.name | last }}", "t"),
        ("{{ after.tags[0] }}", "4"),
    ] {
        assert_eq!(keys(template, &change), [key]);
    }
}

#[test]
fn a_scope_can_be_given_no_other_meaning() {
    for template in [
        "{% set key = key.id %}product:{{ key }}",
        "{% set (a, after) = [1, 2] %}{{ after.x }}",
        "{% for either in key.id %}{{ either.x }}{% endfor %}",
        "{% with changed = 1 %}{{ changed.a }}{% endwith %}",
        "{% set before %}x{% endset %}{{ before.a }}",
    ] {
        let error = KeyTemplate::compile(template, "products").unwrap_err();
        let expected = "choose another name";
        assert!(error.message.contains(expected), "{template}: {error}");
    }
    let change = insert(&[("a", "1")]);
    let other = "{% set id = key.id %}product:{{ id }}{{ dict(key=after.a).key }}";
    assert_eq!(keys(other, &change), ["product:71"]);
}

#[test]
fn a_statement_whose_columns_minijinja_does_not_tell_is_refused() {
    for template in [
        "{% filter replace(after.a, 'x') %}{{ key.id }}{% endfilter %}",
        "{%- autoescape after.a %}{{ key.id }}{% endautoescape %}",
        "{% raw %}{{ '{% endraw %}{{ key.id[after.a:] }}",
    ] {
        let error = KeyTemplate::compile(template, "products").unwrap_err();
        let expected = "no such statement";
        assert!(error.message.contains(expected), "{template}: {error}");
    }
    // What is advised instead of `raw`.
    let braces = "{{ '{{' }}{{ key.id }}}}";
    assert_eq!(keys(braces, &insert(&[])), ["{{7}}"]);
}
