//! The way into a JSON value: `attributes.weight`.
//!
//! The column may hold a JSON value, or a JSON string whose text is JSON: that is how Debezium
//! sends json and jsonb where the table does not list the column under `json`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Appends the value that `path` leads to in `json`, on one line; `null` where it leads nowhere.
pub(super) fn push(text: &mut String, json: &str, path: &[String]) {
    let inner;
    let json = if json.starts_with('"') {
        inner = serde_json::from_str::<Cow<'_, str>>(json).unwrap_or_default();
        inner.as_ref()
    } else {
        json
    };
    match path.iter().try_fold(json, |json, name| member(json, name)) {
        Some(value) => push_compact(text, value),
        None => text.push_str("null"),
    }
}

/// Appends a JSON value without the white space between its tokens.
pub(super) fn push_compact(text: &mut String, json: &str) {
    let (mut in_string, mut escaped) = (false, false);
    text.extend(json.chars().filter(|c| {
        let keep = in_string || !c.is_ascii_whitespace();
        if *c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && *c == '\\' && !escaped;
        keep
    }));
}

/// Appends a JSON value on one line.
pub(super) fn push_line(text: &mut String, json: &str) {
    if json.contains(['\n', '\r']) {
        push_compact(text, json);
    } else {
        text.push_str(json);
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

/// Calls back for every member of a JSON object with its name and the text of its value.
///
/// # Errors
/// When the text is not a JSON object.
pub(super) fn each_member<'a>(
    json: &'a str,
    visit: impl FnMut(&str, &'a str),
) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Members(visit))?;
    reader.end()
}

struct Members<F>(F);

impl<'a, F: FnMut(&str, &'a str)> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = members.next_key()? {
            let value: &'a RawValue = members.next_value()?;
            (self.0)(&name, value.get());
        }
        Ok(())
    }
}

/// A member's name, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Whether the text is one JSON value.
#[cfg(test)]
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
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

    #[test]
    fn white_space_goes_between_tokens_and_stays_in_strings() {
        let mut text = String::new();
        push_compact(&mut text, "{ \"a \\\" b\" :\n[ 1 , \"\\\\\" , \" c\" ]\t}");
        assert_eq!(text, r#"{"a \" b":[1,"\\"," c"]}"#);
        assert!(is_json(&text));
    }
}
