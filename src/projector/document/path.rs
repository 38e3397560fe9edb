//! The way into a JSON value: `attributes.weight`.
//!
//! The column may hold a JSON value, or a JSON string whose text is JSON: that is how Debezium
//! sends json and jsonb where the table does not list the column under `json`.

use std::borrow::Cow;

use crate::json::{compact, each_member, unescaped};

/// Appends the value that `path` leads to in `json`, on one line; `null` where it leads nowhere.
pub(super) fn push(text: &mut String, json: &str, path: &[String]) {
    let json = unescaped(json).unwrap_or(Cow::Borrowed(json));
    match path
        .iter()
        .try_fold(&*json, |json, name| member(json, name))
    {
        Some(value) => text.push_str(&compact(value)),
        None => text.push_str("null"),
    }
}

/// The text of a member of a JSON object; of several of one name the last, as Postgres has it.
fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    each_member(json, |member, value| {
        if member == name {
            found = Some(value);
        }
    })
    .ok()?;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(json: &str, path: &[&str]) -> String {
        let path: Vec<_> = path.iter().map(|name| (*name).to_owned()).collect();
        let mut text = String::new();
        push(&mut text, json, &path);
        text
    }

    #[test]
    fn a_path_leads_into_a_value_and_into_text_that_holds_json() {
        for json in [
            r#"{"weight":1.50,"size":{"w":2}}"#,
            r#""{\"weight\": 1.50, \"size\": {\n\"w\": 2}}""#,
        ] {
            assert_eq!(at(json, &["weight"]), "1.50");
            assert_eq!(at(json, &["size"]), r#"{"w":2}"#);
            assert_eq!(at(json, &["size", "w"]), "2");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_null() {
        for json in [
            "null",
            "7",
            "[1]",
            r#""no json""#,
            r#"{"a":{}}"#,
            r#""{\"a\":""#,
        ] {
            assert_eq!(at(json, &["a", "b"]), "null", "{json}");
        }
    }
}
