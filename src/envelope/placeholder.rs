//! Recognises Debezium's stand-in for an unchanged TOASTed value, in every form it takes on the
//! wire (`unavailable.value.placeholder`, its default).
//!
//! Compared by the whole value. A real value that equals it cannot be told apart.

/// The forms, after the column's type.
pub(super) const FORMS: [&str; 8] = [
    // text and most others
    r#""__debezium_unavailable_value""#,
    // bytea in mode bytes
    r#""X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==""#,
    // text[], json[] and their kin
    r#"["__debezium_unavailable_value"]"#,
    // bytea[]
    r#"["X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="]"#,
    // uuid[]: the name-based UUID of the text
    r#"["b68a35a7-17ad-35b3-af2a-ae46edb4545a"]"#,
    // int[], bigint[], date[]: the bytes of the text
    "[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,108,117,101]",
    // hstore as a map
    r#"{"__debezium_unavailable_value":"__debezium_unavailable_value"}"#,
    // hstore as JSON in a string
    r#""{\"__debezium_unavailable_value\":\"__debezium_unavailable_value\"}""#,
];

/// Whether a column's JSON text (compact, before any conversion) stands for an unavailable value.
#[must_use]
pub fn is_placeholder(json: &str) -> bool {
    FORMS.contains(&json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_array_form_is_the_bytes_of_the_text() {
        let text = FORMS[0].trim_matches('"');
        let bytes: Vec<u8> = text.bytes().collect();
        let array = serde_json::to_string(&bytes).expect("numbers");
        assert!(is_placeholder(&array), "{array}");
    }

    #[test]
    fn a_value_that_merely_contains_the_text_is_a_value() {
        assert!(!is_placeholder(r#""x __debezium_unavailable_value""#));
        assert!(!is_placeholder(r#"["a","__debezium_unavailable_value"]"#));
    }
}
