//! What of Elasticsearch's explanations is shown: fields, never what a row has in them.

/// Cuts an explanation off where it begins to quote the document (its id, a preview of a field, a
/// term, or whatever follows a colon).
pub(super) fn without_values(reason: &str) -> String {
    const QUOTES_BEGIN: [&str; 6] = [
        "/[",
        " in document with id",
        " Preview of field",
        " The prefix of",
        "'",
        ": ",
    ];
    const SHOWN: usize = 300;
    let starts = QUOTES_BEGIN.iter().filter_map(|quote| reason.find(quote));
    let end = starts.min().unwrap_or(reason.len());
    reason
        .get(..end)
        .unwrap_or_default()
        .chars()
        .take(SHOWN)
        .collect()
}

/// Cuts off what is below a field: the names of the members of a JSON value are the row's, too.
pub(super) fn without_members(reason: &str) -> String {
    const INTRODUCED: &str = "dynamic introduction of [";
    const WITHIN: &str = "] within [";
    let mut shown = reason.to_owned();
    if let Some((before, after)) = reason.split_once(INTRODUCED)
        && let Some((_, parent)) = after.rsplit_once(WITHIN)
        && !parent.starts_with("_doc]")
    {
        shown = format!("{before}{INTRODUCED}…{WITHIN}{parent}");
    }
    let mut names = shown.match_indices('[').map(|(at, _)| at + 1);
    let member = names.find_map(|at| {
        let name = shown.get(at..)?.split(']').next()?;
        name.find('.').map(|dot| at + dot)
    });
    if let Some(dot) = member {
        shown.truncate(dot);
        shown.push_str(".…]");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_the_field_and_not_the_value() {
        let reasons = [
            (
                "[1:9] failed to parse field [price] of type [double] in document with id '7'. \
                 Preview of field's value: 'secret'",
                "[1:9] failed to parse field [price] of type [double]",
            ),
            (
                "routing is required for [items]/[7]",
                "routing is required for [items]",
            ),
            ("For input string: \"secret\"", "For input string"),
            (
                "Limit of total fields [1000] has been exceeded",
                "Limit of total fields [1000] has been exceeded",
            ),
        ];
        for (reason, shown) in reasons {
            assert_eq!(without_values(reason), shown);
        }
    }

    #[test]
    fn reasons_name_the_column_and_not_the_members_of_its_json() {
        let reasons = [
            (
                "[1:16] mapping set to strict, dynamic introduction of [ann] within [facts] is not \
                 allowed",
                "[1:16] mapping set to strict, dynamic introduction of […] within [facts] is not \
                 allowed",
            ),
            (
                "[1:16] mapping set to strict, dynamic introduction of [ann] within [facts.bob] is \
                 not allowed",
                "[1:16] mapping set to strict, dynamic introduction of […] within [facts.…]",
            ),
            (
                "[1:8] mapping set to strict, dynamic introduction of [price] within [_doc] is not \
                 allowed",
                "[1:8] mapping set to strict, dynamic introduction of [price] within [_doc] is not \
                 allowed",
            ),
            (
                "[1:30] object mapping for [facts.ann@example.com] tried to parse field [com] as \
                 object, but found a concrete value",
                "[1:30] object mapping for [facts.…]",
            ),
            (
                "[1:15] object mapping for [facts] tried to parse field [facts] as object",
                "[1:15] object mapping for [facts] tried to parse field [facts] as object",
            ),
        ];
        for (reason, shown) in reasons {
            assert_eq!(without_members(reason), shown);
        }
    }
}
