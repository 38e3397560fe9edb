//! Which columns a template reads, found before any row is seen.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use minijinja::Value;

use super::TemplateError;
use super::words::{STATEMENT, Word};

/// Through which row a template reads a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `key.<column>`: the record key.
    Key,
    /// `before.<column>`: the old row; needs full replica identity.
    Before,
    /// `after.<column>`: the new row.
    After,
    /// `either.<column>`: the old row, then the new one; needs full replica identity, except for
    /// columns of the key.
    Either,
    /// `changed.<column>`: whether old and new value differ, true where one of them is not known;
    /// needs full replica identity.
    Changed,
}

impl Scope {
    const ALL: [Self; 5] = [
        Self::Key,
        Self::Before,
        Self::After,
        Self::Either,
        Self::Changed,
    ];

    /// The word in the template.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Before => "before",
            Self::After => "after",
            Self::Either => "either",
            Self::Changed => "changed",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// One column that a template reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Through which row.
    pub scope: Scope,
    /// The column's name.
    pub column: String,
}

/// Everything a template reads, each column once, in the order of scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) columns: Vec<Name>,
    pub(super) op: bool,
    /// Those of the columns that a member or an item is read of.
    pub(super) with_members: Vec<Name>,
}

impl Names {
    /// Sorts out what minijinja calls the undeclared variables of `text` (`after.stock`, `op`).
    pub(super) fn check(
        text: &str,
        undeclared: HashSet<String>,
        words: &[Word<'_>],
    ) -> Result<Self, TemplateError> {
        let mut names = Self::default();
        let mut columns = BTreeSet::new();
        // In order, so that of several mistakes always the same one is told.
        for variable in undeclared.into_iter().collect::<BTreeSet<_>>() {
            let mut parts = variable.split('.');
            let root = parts.next().unwrap_or_default();
            match (Scope::parse(root), parts.next(), parts.next()) {
                (Some(Scope::Changed), Some(_), Some(_)) => {
                    return Err(mistake(text, &variable, "a boolean has no members"));
                }
                (Some(scope), Some(column), _) => {
                    columns.insert(Name {
                        scope,
                        column: String::from(column),
                    });
                }
                (Some(_), None, _) => return Err(whole_row(text, root)),
                (None, None, _) if root == "op" => names.op = true,
                (None, None, _) if GLOBALS.contains(&root) => {}
                (None, ..) => return Err(unknown(text, root)),
            }
        }
        check_words(text, words)?;
        names.columns = columns.into_iter().collect();
        names.with_members = with_members(words);
        Ok(names)
    }

    /// A context for a trial run, with what each scope's columns shall be; `changed` is always a
    /// boolean.
    pub(super) fn trial(&self, op: &str, column: impl Fn(Scope) -> Value) -> Value {
        let mut root = BTreeMap::from([(Value::from("op"), Value::from(op))]);
        for of_scope in self.columns.chunk_by(|a, b| a.scope == b.scope) {
            let Some(Name { scope, .. }) = of_scope.first() else {
                continue;
            };
            let value = match scope {
                Scope::Changed => Value::from(true),
                scope => column(*scope),
            };
            let columns: BTreeMap<_, _> = of_scope
                .iter()
                .map(|name| (Value::from(name.column.as_str()), value.clone()))
                .collect();
            root.insert(Value::from(scope.as_str()), Value::from(columns));
        }
        Value::from(root)
    }

    pub(super) fn uses(&self, scope: Scope) -> bool {
        self.columns.iter().any(|name| name.scope == scope)
    }
}

/// Refuses what [`Names::check`] is not told of: minijinja lists no name that it finds within a slice
/// or a `filter` statement, and none that the template itself has given another meaning. Such a
/// column would not be bound, and read as null.
fn check_words(text: &str, words: &[Word<'_>]) -> Result<(), TemplateError> {
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|it| words.get(it));
        let before = before.map_or("", |it| it.text);
        let after = words.get(at + 1).map_or("", |it| it.text);
        let refused = |why: String| Err(TemplateError::at(text, word.offset, why));
        match word.text {
            // The name of an argument, `dict(key=…)`.
            _ if after == "=" && word.within == Some('(') => {}
            ":" if word.within == Some('[') => return refused(String::from(SLICE)),
            "filter" | "autoescape" if before == STATEMENT => {
                return refused(format!(
                    "`{}`: there is no such statement here: write the filter behind each value, \
                     `{{{{ … | lower }}}}`",
                    word.text
                ));
            }
            // What it encloses would be read as code.
            "raw" if before == STATEMENT => {
                return refused(String::from(
                    "`raw`: there is no such statement here: write braces as a text, `{{ '{{' }}`",
                ));
            }
            scope if Scope::parse(scope).is_some() && before != "." && after != "." => {
                return refused(format!(
                    "`{scope}`: it is a row of the change and can be nothing else: choose another \
                     name"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn with_members(words: &[Word<'_>]) -> Vec<Name> {
    let name = |it: &[Word<'_>]| match it {
        [scope, dot, column, of] if dot.text == "." && matches!(of.text, "." | "[") => Some(Name {
            scope: Scope::parse(scope.text)?,
            column: String::from(column.text),
        }),
        _ => None,
    };
    words.windows(4).filter_map(name).collect()
}

const SLICE: &str = "there are no slices here: write `… is startingwith 'x'` in a condition, and for one \
                     character or item `… | first`, `… | last` or, of a list, `…[0]`";

/// minijinja's own functions.
const GLOBALS: [&str; 3] = ["range", "dict", "namespace"];

fn whole_row(text: &str, scope: &str) -> TemplateError {
    let hint = format!("it is a whole row: name one column, `{scope}.<column>`");
    mistake(text, scope, &hint)
}

fn unknown(text: &str, root: &str) -> TemplateError {
    let words = Scope::ALL.map(Scope::as_str).into_iter().chain(["op"]);
    let near = words
        .map(|word| (strsim::damerau_levenshtein(root, word), word))
        .min()
        .filter(|(distance, _)| distance * 2 < root.len());
    let hint = near.map_or_else(
        || String::from("no such name; there are key, before, after, either, changed and op"),
        |(_, word)| format!("no such name; did you mean `{word}`?"),
    );
    mistake(text, root, &hint)
}

fn mistake(text: &str, name: &str, hint: &str) -> TemplateError {
    let offset = text.find(name).unwrap_or(0);
    TemplateError::at(text, offset, format!("`{name}`: {hint}"))
}
