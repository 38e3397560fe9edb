//! What a comparison found, for people and as JSON.

use std::fmt;

use serde::Serialize;

/// Differences kept in full for each section; the rest are only counted.
const KEPT: usize = 200;
/// Differences that the text for people shows of each section.
const SHOWN: usize = 5;

/// How something in a store departs from Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A row calls for it and it is not there.
    Missing,
    /// It is there and no row calls for it.
    Extra,
    /// It is there and says something else than the row.
    Wrong,
    /// It is there more than once.
    Double,
    /// A node that stands for a row is marked as a stub, or a stub stands for no row.
    Stub,
}

/// One difference.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// In what way it differs.
    pub fault: Fault,
    /// Which document, key, node or relationship.
    pub subject: String,
    /// What was expected and what was found, a line per field.
    pub details: Vec<String>,
}

/// One comparison: all documents of an index, all nodes of a label, and so on.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// The store: `elasticsearch`, `redis` or `neo4j`.
    pub store: &'static str,
    /// The index, label or relationship type, or `cached keys`.
    pub name: String,
    /// The table it is made from; empty where it has several.
    pub table: &'static str,
    /// How many Postgres calls for.
    pub expected: u64,
    /// How many the store has.
    pub found: u64,
    /// All differences, of which `differences` may hold only the first.
    pub different: u64,
    /// The first differences in key order.
    pub differences: Vec<Difference>,
}

impl Section {
    pub(crate) fn new(store: &'static str, name: impl Into<String>, table: &'static str) -> Self {
        let (name, differences) = (name.into(), Vec::new());
        Self {
            store,
            name,
            table,
            expected: 0,
            found: 0,
            different: 0,
            differences,
        }
    }

    pub(crate) fn add(&mut self, fault: Fault, subject: impl Into<String>, details: Vec<String>) {
        self.different += 1;
        if self.differences.len() < KEPT {
            self.differences.push(Difference {
                fault,
                subject: subject.into(),
                details,
            });
        }
    }
}

/// Everything that was compared.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// One entry per comparison, in the order in which they were made.
    pub sections: Vec<Section>,
}

impl Report {
    /// Whether every store equals Postgres.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.sections.iter().all(|section| section.different == 0)
    }

    /// The comparison of that store and name.
    #[must_use]
    pub fn section(&self, store: &str, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| section.store == store && section.name == name)
    }

    /// All faults found of one kind.
    #[must_use]
    pub fn count(&self, fault: Fault) -> usize {
        let differences = self
            .sections
            .iter()
            .flat_map(|section| &section.differences);
        differences
            .filter(|difference| difference.fault == fault)
            .count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .sections
            .iter()
            .map(|section| section.name.chars().count())
            .max()
            .unwrap_or(0);
        for section in &self.sections {
            let Section {
                store,
                name,
                expected,
                found,
                different,
                ..
            } = section;
            let verdict = match different {
                0 => "equal".to_owned(),
                many => format!("{many} DIFFERENT"),
            };
            writeln!(
                f,
                "{store:<14} {name:<width$} {expected:>9} expected {found:>9} found   {verdict}"
            )?;
        }
        for section in self.sections.iter().filter(|section| section.different > 0) {
            writeln!(f, "\n{} {}:", section.store, section.name)?;
            for difference in section.differences.iter().take(SHOWN) {
                write!(f, "{difference}")?;
            }
            let hidden = section.different.saturating_sub(SHOWN as u64);
            if hidden > 0 {
                writeln!(f, "  … and {hidden} more")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Missing => "missing",
            Fault::Extra => "extra",
            Fault::Wrong => "wrong",
            Fault::Double => "double",
            Fault::Stub => "stub",
        };
        writeln!(f, "  {fault:<8} {}", self.subject)?;
        self.details
            .iter()
            .try_for_each(|detail| writeln!(f, "           {detail}"))
    }
}
