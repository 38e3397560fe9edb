//! Members of JSON values.

use super::*;

#[test]
fn members_of_json_values_and_list_items_can_be_named() {
    let change = insert(&[("attributes", r#"{"a":{"b":[1.50,"x"]}}"#)]);
    assert_eq!(keys("{{ after.attributes.a.b[0] }}", &change), ["1.50"]);
    assert!(holds("after.attributes.a.b[1] == 'x'", &change));
    assert!(!holds("after.attributes.nothing.here == 1", &change));
}

#[test]
fn a_member_of_json_that_is_still_text_is_poison_because_it_would_be_null() {
    let change = insert(&[
        ("attributes", r#"" {\"colour\": \"scarlet\"}""#),
        ("n", r#""{}""#),
    ]);
    let advice = "column `attributes` is text, and a member of it is read: write `attributes` in the \
                  `json` list of its table";
    for condition in [
        "after.attributes.colour == 'red'",
        "after.attributes['colour'] == 'red'",
        "after.attributes[0] is none",
    ] {
        let condition = Condition::compile(condition, "products").unwrap();
        let error = condition.holds(&change).unwrap_err().to_string();
        assert!(
            error.contains(advice) && !error.contains("scarlet"),
            "{error}"
        );
    }
    let template = KeyTemplate::compile("c:{{ after.attributes.colour }}", "products").unwrap();
    let error = template.keys(&change).unwrap_err().to_string();
    assert!(error.contains(advice), "{error}");
    // The text itself may be read, and a JSON value may be a text that has no members.
    assert!(holds("after.n == '{}' or after.attributes == ''", &change));
    let scalar = insert(&[("attributes", r#""red""#)]);
    assert!(!holds("after.attributes.colour == 'red'", &scalar));
}
