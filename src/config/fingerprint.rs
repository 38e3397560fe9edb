//! What a projection writes, as one short text: the stores' markers keep it (D15).

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Config, ProjectionKind, Table};
use crate::change::ProjectionId;

/// Raised when the program itself writes something else for the same configuration.
const FORM: u32 = 1;

impl Config {
    /// A hash over everything in the configuration that decides what the projection writes: what
    /// it makes of which table, the index's settings, for a derived relationship its path. Names of
    /// projections and sinks, addresses and batch sizes are no part of it. 64 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self, id: ProjectionId) -> String {
        let kind = &self.projection(id).kind;
        let written = match kind {
            ProjectionKind::Document(it) => {
                let content = it.settings.as_ref().map(|settings| &settings.content);
                format!(
                    "document {:?} {:?} {:?} {content:?}",
                    it.alias, it.fields, it.when
                )
            }
            ProjectionKind::Cache(it) => format!("cache {:?}", it.invalidate),
            ProjectionKind::Node(it) => format!("node {:?} {:?}", it.node, it.when),
            ProjectionKind::Relationship(it) => {
                let ends = (&it.start, &it.end);
                format!(
                    "relationship {:?} {:?} {ends:?} {:?}",
                    it.kind, it.properties, it.when
                )
            }
            ProjectionKind::Derived(it) => format!("derived {it:?}"),
        };
        let table = kind
            .from()
            .map(|from| table(self.table(from)))
            .unwrap_or_default();
        let text = format!("{FORM}\n{written}\n{table}");
        Sha256::digest(text)
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                write!(hex, "{byte:02x}").expect("a String takes everything");
                hex
            })
    }
}

/// The life of the topic is part of it: with a new epoch older versions mean nothing. The replica
/// identity is not, it mends what a row's later changes say and nothing that is written already.
fn table(it: &Table) -> String {
    let (schema, table, key) = (&it.schema, &it.table, &it.key);
    let (json, epoch) = (&it.json, it.epoch);
    format!("table {schema:?} {table:?} {key:?} {json:?} {epoch}\n")
}
