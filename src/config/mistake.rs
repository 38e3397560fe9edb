//! A mistake in the configuration, where it stands, and how it is shown to a person.
//!
//! The form is rustc's: what, where, the line with a caret, and what to do. Secrets that were
//! written inline are masked in every line that is shown.

use std::fmt;

/// Whether a mistake stops the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but is probably not what is meant; stops only with `--deny-warnings`.
    Warning,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Whether it stops the program.
    pub severity: Severity,
    /// What is wrong, and why it matters.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The path in the configuration, `projections[2].invalidate[0]`; empty for a whole file.
    pub path: String,
    /// Where it was written.
    pub place: Place,
}

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file as it was named on the command line, `environment`, or `command line`.
    pub origin: String,
    /// The line, from 1; 0 when the origin as a whole is meant.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant.
    pub length: usize,
    /// The line's text.
    pub excerpt: String,
}

impl Place {
    /// An origin as a whole.
    #[must_use]
    pub fn whole(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            ..Self::default()
        }
    }

    /// Replaces what `secret` covers, if it is on this place's line.
    pub(super) fn mask(&mut self, secret: &Self) {
        if (&self.origin, self.line) == (&secret.origin, secret.line) {
            let covered = secret.column - 1..secret.column - 1 + secret.length;
            let mask = |(at, c)| if covered.contains(&at) { '*' } else { c };
            self.excerpt = self.excerpt.chars().enumerate().map(mask).collect();
        }
    }
}

/// Words beside which a text may hold a secret that somebody wrote where none belongs.
const SECRETS: [&str; 7] = [
    "pass",
    "secret",
    "token",
    "api_key",
    "apikey",
    "credential",
    "private",
];

/// Whether `text` speaks of a secret, so that no log is to show what else it says.
pub(super) fn mentions_secret(text: &str) -> bool {
    let text = text.to_lowercase();
    SECRETS.iter().any(|word| text.contains(word))
}

/// The text with a `*` for everything but white space.
pub(super) fn masked(text: &str) -> String {
    let mask = |c: char| if c.is_whitespace() { c } else { '*' };
    text.chars().map(mask).collect()
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}: {}", self.message)?;
        let Place {
            origin,
            line,
            column,
            length,
            excerpt,
        } = &self.place;
        let width = if *line == 0 {
            1
        } else {
            line.to_string().len()
        };
        write!(f, "{:width$}--> {origin}", "")?;
        if *line > 0 {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        writeln!(f)?;
        if *line > 0 {
            // A tab or an escape sequence would move the caret, or worse.
            let shown: String = excerpt
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            writeln!(f, "{:width$} |", "")?;
            writeln!(f, "{line} | {shown}")?;
            let (indent, carets) = (column.saturating_sub(1), "^".repeat((*length).max(1)));
            writeln!(f, "{:width$} | {:indent$}{carets}", "", "")?;
        }
        if let Some(help) = &self.help {
            writeln!(f, "{:width$} = help: {help}", "")?;
        }
        Ok(())
    }
}

/// Every mistake that was found, at least one of them an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.0 {
            writeln!(f, "{mistake}")?;
        }
        let count = |severity, word: &str| {
            let n = self.0.iter().filter(|it| it.severity == severity).count();
            (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }))
        };
        let counts = [
            count(Severity::Error, "error"),
            count(Severity::Warning, "warning"),
        ];
        f.write_str(&counts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// `; did you mean …?` for the known word nearest to `word`, or nothing when none is near.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = known
        .into_iter()
        .map(|it| (strsim::damerau_levenshtein(word, it), it))
        .min()
        .filter(|(distance, it)| *distance <= it.chars().count().max(word.chars().count()) / 3 + 1);
    match nearest {
        Some((_, it)) => format!("; did you mean `{it}`?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_with_its_line_a_caret_and_the_remedy() {
        let mistake = Mistake {
            severity: Severity::Error,
            message: "unknown key `invalidat`; did you mean `invalidate`?".into(),
            help: Some("write `invalidate`".into()),
            path: "projections[2].invalidat".into(),
            place: Place {
                origin: "shop.yaml".into(),
                line: 47,
                column: 5,
                length: 9,
                excerpt: "\t   invalidat:".into(),
            },
        };
        let shown = "\
error: unknown key `invalidat`; did you mean `invalidate`?
  --> shop.yaml:47:5 (projections[2].invalidat)
   |
47 |     invalidat:
   |     ^^^^^^^^^
   = help: write `invalidate`
";
        assert_eq!(mistake.to_string(), shown);
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["invalidate", "index", "node"];
        assert_eq!(
            did_you_mean("invalidat", known),
            "; did you mean `invalidate`?"
        );
        assert_eq!(did_you_mean("zzzzzzz", known), "");
    }
}
