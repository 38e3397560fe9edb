//! `${NAME}` and `${NAME:-default}` in a single value, after the YAML is parsed.
//!
//! So a value can bring neither a key nor a list into the tree, and keeps the text it has. `$${`
//! is a literal `${`; a `$` before anything else is itself.

/// Fills in `text`.
///
/// # Errors
/// What is wrong, for a person: a variable that is not set, or a `${` without its `}`.
pub(super) fn interpolate(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(literal) = before.strip_suffix('$') {
            filled.push_str(literal);
            filled.push_str("${");
            rest = after;
            continue;
        }
        filled.push_str(before);
        let Some((reference, after)) = after.split_once('}') else {
            return Err("`${` without its `}`; write `$${` for a literal `${`".into());
        };
        filled.push_str(&fill(reference, variable)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn fill(reference: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !named {
        return Err(format!(
            "`${{{reference}}}` names no environment variable; write `$${{` for a literal `${{`"
        ));
    }
    // As in a shell, `:-` stands in for an empty variable too.
    let value = variable(name).filter(|value| default.is_none() || !value.is_empty());
    value.or(default.map(str::to_owned)).ok_or_else(|| {
        format!(
            "the environment variable {name} is not set to any text, and `${{{name}}}` has no default"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        interpolate(text, &|name| match name {
            "ZEROS" => Some("0123".into()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${ZEROS}".into()),
            _ => None,
        })
    }

    #[test]
    fn a_variable_keeps_its_text_and_is_not_filled_in_again() {
        assert_eq!(
            filled("a ${ZEROS} b ${NESTED}").unwrap(),
            "a 0123 b ${ZEROS}"
        );
        assert_eq!(filled("${EMPTY}").unwrap(), "");
    }

    #[test]
    fn a_default_stands_in_for_what_is_not_set_or_empty() {
        assert_eq!(
            filled("${NONE:-http://x:1}/${EMPTY:-y}").unwrap(),
            "http://x:1/y"
        );
        assert_eq!(filled("${NONE:-}").unwrap(), "");
    }

    #[test]
    fn two_dollars_are_a_literal_one() {
        assert_eq!(filled("$${ZEROS} $5 $ {x}").unwrap(), "${ZEROS} $5 $ {x}");
    }

    #[test]
    fn what_cannot_be_filled_in_says_why() {
        assert!(
            filled("${NONE}")
                .unwrap_err()
                .contains("NONE is not set to")
        );
        assert!(filled("${NONE").unwrap_err().contains("without its `}`"));
        assert!(
            filled("${a b}")
                .unwrap_err()
                .contains("names no environment variable")
        );
    }
}
