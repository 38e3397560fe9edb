//! The words of a template's code, for what minijinja does not tell about a template.

/// One word: a name, a number, a text with its quotes, or a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    /// Where it begins in the template, in bytes.
    pub(super) offset: usize,
    /// The innermost bracket that is open around it; a bracket itself stands outside.
    pub(super) within: Option<char>,
    /// How many brackets are open around it.
    pub(super) depth: usize,
}

/// Begins a statement; the only one of minijinja's braces that is a word.
pub(super) const STATEMENT: &str = "{%";

const LONG_SIGNS: [&str; 6] = ["==", "!=", "<=", ">=", "//", "**"];

/// The words of a condition.
pub(super) fn of_expression(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    code(text, 0, &mut words);
    words
}

/// The words of what a key template has between its braces.
pub(super) fn of_template(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(found) = from(text, at).find('{') {
        let start = at + found;
        let rest = from(text, start);
        at = if rest.starts_with("{#") {
            start + rest.find("#}").unwrap_or(rest.len())
        } else if rest.starts_with("{{") {
            code(text, start + 2, &mut words)
        } else if rest.starts_with(STATEMENT) {
            words.push(Word {
                text: STATEMENT,
                offset: start,
                within: None,
                depth: 0,
            });
            let trims = from(text, start + 2).starts_with(['-', '+']);
            code(text, start + 2 + usize::from(trims), &mut words)
        } else {
            start + 1
        };
    }
    words
}

/// Adds the words up to the closing brace; gives the place behind it.
fn code<'a>(text: &'a str, mut at: usize, words: &mut Vec<Word<'a>>) -> usize {
    let mut open = Vec::new();
    while let Some(first) = from(text, at).chars().next() {
        let rest = from(text, at);
        if open.is_empty() && (rest.starts_with("}}") || rest.starts_with("%}")) {
            return at + 2;
        }
        let length = length(rest, first);
        if matches!(first, ')' | ']' | '}') {
            open.pop();
        }
        if !first.is_whitespace() {
            words.push(Word {
                text: rest.get(..length).unwrap_or(rest),
                offset: at,
                within: open.last().copied(),
                depth: open.len(),
            });
        }
        if matches!(first, '(' | '[' | '{') {
            open.push(first);
        }
        at += length;
    }
    at
}

fn length(rest: &str, first: char) -> usize {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    if matches!(first, '\'' | '"') {
        return length_of_text(rest, first);
    }
    if is_of_name(first) {
        return rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
    }
    match LONG_SIGNS.iter().any(|sign| rest.starts_with(sign)) {
        true => 2,
        false => first.len_utf8(),
    }
}

fn length_of_text(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

fn from(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_stands_between_the_braces() {
        let template = "a[1:2]{# b #}{{- c.d['}}' ~ \"\\\"\"]>=1 }}e{%- set f = {'g': h} %}";
        let words: Vec<&str> = of_template(template).iter().map(|it| it.text).collect();
        let expected = [
            "-", "c", ".", "d", "[", "'}}'", "~", "\"\\\"\"", "]", ">=", "1", "{%", "set", "f",
            "=", "{", "'g'", ":", "h", "}",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn each_word_knows_the_bracket_around_it() {
        let within: Vec<_> = of_expression("a[({b:c})]")
            .iter()
            .map(|it| (it.text, it.within))
            .collect();
        let expected = [
            ("a", None),
            ("[", None),
            ("(", Some('[')),
            ("{", Some('(')),
            ("b", Some('{')),
            (":", Some('{')),
            ("c", Some('{')),
            ("}", Some('(')),
            (")", Some('[')),
            ("]", None),
        ];
        assert_eq!(within, expected);
    }
}
