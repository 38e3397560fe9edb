//! Relationships: one for each row of a projection's table, found by its `_key`.
//!
//! The way of a batch: probe (which are there), guard (lock those, compare versions, change in
//! place what keeps its ends), detach (what goes, and what moves), create (what is new, and what
//! moved). The guard comes before the ends are merged, so a stale row never makes a stub;
//! upserts that a tombstone overrules do not come here.

use std::collections::{HashMap, HashSet};

use neo4rs::{BoltNull, BoltType};

use super::Fate;
use super::client::{Transaction, column};
use super::error::Failure;
use super::pattern::{KeyPattern, TOMBSTONE, keyed, names, quoted};
use super::properties::{Pieces, Properties, Setting};
use super::value::list_of;
use crate::config;

/// A relationship projection: its patterns and its statements.
pub(super) struct RelationshipTarget {
    pub(super) start: KeyPattern,
    pub(super) kind: String,
    pub(super) end: KeyPattern,
    pub(super) properties: Vec<String>,
    probe: String,
    guard: Setting,
    detach: String,
    create: Setting,
    reserve: String,
}

/// Where the properties begin in a row's list.
const PROPERTIES: usize = 5;

/// The properties that are the program's own: of a relationship that moves they are new.
const OWN: [&str; 2] = ["_key", "_v"];

/// A row's relationship as a statement takes it.
#[derive(Debug)]
pub(super) struct RelationshipRow {
    /// The place in the batch.
    pub(super) item: usize,
    /// Its `_key`.
    pub(super) key: String,
    pub(super) version: i64,
    /// The merge keys of its ends; `None` deletes it.
    pub(super) ends: Option<(Vec<BoltType>, Vec<BoltType>)>,
    /// What is set; on a delete nothing.
    pub(super) properties: Properties,
}

/// What the guard found out about the rows of a batch, by their places in it.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// A newer version is there.
    pub(super) stale: HashSet<usize>,
    /// There is none.
    pub(super) absent: HashSet<usize>,
    /// It is there, and goes: deleted, or its ends are others now.
    pub(super) leaving: HashSet<usize>,
    /// It is there, and was an earlier row's, which has not the values that were not sent.
    pub(super) incomplete: Vec<usize>,
}

/// A relationship that was detached: what a moved one carries over, and what it held.
#[derive(Debug)]
pub(super) struct Detached {
    version: i64,
    properties: HashMap<String, BoltType>,
    pub(super) start: BoltType,
    pub(super) end: BoltType,
}

impl RelationshipTarget {
    pub(super) fn new(relationship: &config::Relationship) -> Self {
        let start = KeyPattern::new(&relationship.start);
        let end = KeyPattern::new(&relationship.end);
        let kind = quoted(&relationship.kind);
        let properties = names(&relationship.properties);
        let own = ["_key = r[1]", "_v = r[2]"];
        let keyed = |a, b| keyed((a, "x", b), &relationship.kind, "r[1]");
        Self {
            probe: format!(
                "UNWIND $given.rows AS r \
                 MATCH {found} \
                 RETURN collect(r[0]) AS items",
                found = keyed("", ""),
            ),
            guard: Setting::new("x", (&properties, PROPERTIES), &["_v = r[2]"], |pieces| {
                guard(&keyed("a", "b"), (&start, &end), pieces)
            }),
            detach: format!(
                "UNWIND $given.rows AS r \
                 MATCH {found} \
                 WITH r, x, {starts} AS start, {ends} AS end, x._v AS version, \
                   properties(x) AS properties \
                 DELETE x \
                 RETURN r[0] AS item, start, end, version, properties",
                found = keyed("a", "b"),
                starts = start.values("a"),
                ends = end.values("b"),
            ),
            create: Setting::new("x", (&properties, PROPERTIES), &own, |pieces| {
                format!(
                    "UNWIND $given.rows AS r \
                     MERGE {starts} ON CREATE SET a._stub = true \
                     MERGE {ends} ON CREATE SET b._stub = true \
                     CREATE (a)-[x:{kind}]->(b) {set}",
                    starts = start.node("a", "r[3]", 0),
                    ends = end.node("b", "r[4]", 0),
                    set = pieces.set,
                )
            }),
            reserve: format!(
                "UNWIND $given.rows AS r \
                 MATCH (t:{TOMBSTONE} {{_key: r[1]}}) \
                 CREATE (t)-[x:{kind} {{_key: r[1]}}]->(t) \
                 DELETE x"
            ),
            kind: relationship.kind.clone(),
            properties,
            start,
            end,
        }
    }

    /// Locks what is there, compares versions, and changes in place what keeps its ends.
    pub(super) async fn guard(
        &self,
        tx: &mut Transaction,
        rows: &[RelationshipRow],
    ) -> Result<Guarded, Failure> {
        let keys = rows
            .iter()
            .map(|row| list_of(vec![super::place(row.item), row.key.as_str().into()]));
        let answer = tx
            .rows(&self.probe, vec![("rows", list_of(keys.collect()))])
            .await?;
        let mut known = HashSet::new();
        for row in &answer {
            known.extend(column::<Vec<usize>>(row, "items")?);
        }
        let mut guarded = Guarded::default();
        let (known, unknown): (Vec<_>, Vec<_>) =
            rows.iter().partition(|row| known.contains(&row.item));
        guarded.absent.extend(unknown.iter().map(|row| row.item));
        if known.is_empty() {
            return Ok(guarded);
        }
        let known = known.iter();
        let known = known.map(|row| (row.parameter(), row.properties.clone()));
        let (statement, parameters) = self.guard.of_rows(&self.properties, known.collect());
        let answer = tx.rows(statement, vec![("rows", parameters)]).await?;
        for row in &answer {
            let items: Vec<usize> = column(row, "items")?;
            match column::<i64>(row, "fate")? {
                Fate::STALE => guarded.stale.extend(items),
                Fate::ABSENT => guarded.absent.extend(items),
                Fate::LEAVING => guarded.leaving.extend(items),
                Fate::INCOMPLETE => guarded.incomplete.extend(items),
                _ => return Err(Failure::Rival("a relationship was deleted by a rival")),
            }
        }
        Ok(guarded)
    }

    /// Deletes relationships that the guard has locked; answers what they were, by place.
    pub(super) async fn detach(
        &self,
        tx: &mut Transaction,
        rows: &[&RelationshipRow],
    ) -> Result<HashMap<usize, Detached>, Failure> {
        let keys = rows
            .iter()
            .map(|row| list_of(vec![super::place(row.item), row.key.as_str().into()]));
        let answer = tx
            .rows(&self.detach, vec![("rows", list_of(keys.collect()))])
            .await?;
        let detached = answer.iter().map(|row| {
            let mut properties: HashMap<String, BoltType> = column(row, "properties")?;
            properties.retain(|name, _| !OWN.contains(&name.as_str()));
            let one = Detached {
                version: column(row, "version")?,
                properties,
                start: column(row, "start")?,
                end: column(row, "end")?,
            };
            Ok((column(row, "item")?, one))
        });
        detached.collect()
    }

    /// Creates relationships, and stubs where an end is missing. What was detached of the same
    /// place is carried over. Answers the places of those that stay without some value.
    pub(super) async fn create(
        &self,
        tx: &mut Transaction,
        rows: &[&RelationshipRow],
        detached: &HashMap<usize, Detached>,
    ) -> Result<Vec<usize>, Failure> {
        let mut incomplete = Vec::new();
        let rows = rows.iter().map(|row| {
            let mut properties = row.properties.clone();
            if let Some(before) = detached.get(&row.item) {
                let held = (before.version, before.properties.clone());
                properties.carry_over(&self.properties, held);
            }
            if !properties.are_complete() {
                incomplete.push(row.item);
            }
            (row.parameter(), properties)
        });
        let (statement, parameters) = self.create.of_rows(&self.properties, rows.collect());
        tx.run(statement, vec![("rows", parameters)]).await?;
        Ok(incomplete)
    }

    /// Locks the `_key` of relationships that are not there, after their tombstones were written:
    /// a rival that creates one, and has not seen the tombstone, makes this fail, or waits and
    /// then finds it.
    pub(super) async fn reserve(
        &self,
        tx: &mut Transaction,
        rows: &[&RelationshipRow],
    ) -> Result<(), Failure> {
        let keys = rows
            .iter()
            .map(|row| list_of(vec![super::place(row.item), row.key.as_str().into()]));
        tx.run(&self.reserve, vec![("rows", list_of(keys.collect()))])
            .await
    }
}

fn guard(found: &str, (start, end): (&KeyPattern, &KeyPattern), pieces: &Pieces) -> String {
    format!(
        "UNWIND $given.rows AS r \
         OPTIONAL MATCH {found} \
         SET x._lock = null \
         WITH r, x, a, b, x[$version] AS version \
         WITH r, x, CASE \
           WHEN x IS NOT NULL AND version IS NULL THEN {lost} \
           WHEN x IS NULL THEN {absent} \
           WHEN version > r[2] THEN {stale} \
           WHEN {starts} = r[3] AND {ends} = r[4] THEN {taken} \
           ELSE {leaving} END AS fate \
         {write}",
        lost = Fate::LOST,
        stale = Fate::STALE,
        absent = Fate::ABSENT,
        leaving = Fate::LEAVING,
        starts = start.values("a"),
        ends = end.values("b"),
        taken = pieces.fate,
        write = pieces.write(),
    )
}

impl RelationshipRow {
    /// What the row's list begins with.
    fn parameter(&self) -> Vec<BoltType> {
        let end = |values: Option<&Vec<BoltType>>| {
            values.map_or(BoltType::Null(BoltNull), |values| list_of(values.clone()))
        };
        vec![
            super::place(self.item),
            self.key.as_str().into(),
            self.version.into(),
            end(self.ends.as_ref().map(|ends| &ends.0)),
            end(self.ends.as_ref().map(|ends| &ends.1)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableId;

    /// The planner is not to be trusted with it: see `pattern::seek`.
    #[test]
    fn statements_that_find_relationships_seek_them() {
        let end = |label: &str| config::NodePattern {
            label: label.to_owned(),
            key: Vec::new(),
            properties: Vec::new(),
        };
        let target = RelationshipTarget::new(&config::Relationship {
            from: TableId(0),
            start: end("Order"),
            kind: "CONTAINS".to_owned(),
            properties: Vec::new(),
            end: end("Product"),
            when: None,
        });
        let guards = [target.guard.whole, target.guard.by_name];
        for statement in [target.probe, target.detach].into_iter().chain(guards) {
            let hint = "]->() USING INDEX SEEK x:`CONTAINS`(_key) ";
            let statement = statement.replace("(b)", "()");
            assert!(statement.contains(hint), "{statement}");
        }
    }
}
