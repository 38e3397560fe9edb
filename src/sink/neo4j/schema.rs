//! The constraints and indexes that the statements rely on: without them `MERGE` is neither atomic
//! nor fast.

use std::collections::BTreeSet;

use super::client::{Client, Transaction, column};
use super::error::Failure;
use super::pattern::{KeyPattern, LOCK, MARKER, TOMBSTONE, quoted};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// The key of nodes with a label is unique.
    Node {
        /// The label.
        label: String,
        /// The names of the key's properties.
        key: BTreeSet<String>,
    },
    /// The `_key` of relationships of a type is unique.
    Relationship {
        /// The type.
        kind: String,
    },
    /// Nodes with a label are found by the range of a property.
    Index {
        /// The label.
        label: String,
        /// The property.
        property: String,
    },
}

impl Rule {
    pub(super) fn node(pattern: &KeyPattern) -> Self {
        Self::Node {
            label: pattern.label.clone(),
            key: pattern.key.iter().cloned().collect(),
        }
    }

    /// What the sink's own nodes need.
    pub(super) fn own() -> impl Iterator<Item = Self> {
        let keys = [(TOMBSTONE, "_key"), (LOCK, "_key"), (MARKER, "projection")];
        let keys = keys.into_iter().map(|(label, key)| Self::Node {
            label: label.to_owned(),
            key: BTreeSet::from([key.to_owned()]),
        });
        let indexes = ["_at", "_v"].map(|property| Self::Index {
            label: TOMBSTONE.to_owned(),
            property: property.to_owned(),
        });
        keys.chain(indexes)
    }

    fn statement(&self) -> String {
        match self {
            Self::Node { label, key } => {
                let key: Vec<_> = key
                    .iter()
                    .map(|name| format!("n.{}", quoted(name)))
                    .collect();
                format!(
                    "CREATE CONSTRAINT IF NOT EXISTS FOR (n:{}) REQUIRE ({}) IS UNIQUE",
                    quoted(label),
                    key.join(", ")
                )
            }
            Self::Relationship { kind } => format!(
                "CREATE CONSTRAINT IF NOT EXISTS FOR ()-[r:{}]-() REQUIRE r._key IS UNIQUE",
                quoted(kind)
            ),
            Self::Index { label, property } => format!(
                "CREATE INDEX IF NOT EXISTS FOR (n:{}) ON (n.{})",
                quoted(label),
                quoted(property)
            ),
        }
    }
}

/// Makes sure that all of these are there: creates what is missing, or says what to run.
pub(super) async fn ensure(
    client: &Client,
    wanted: &BTreeSet<Rule>,
    create: bool,
) -> Result<(), Failure> {
    let mut tx = client.begin().await?;
    let there = existing(&mut tx).await;
    tx.roll_back().await;
    let there = there?;
    let missing: Vec<_> = wanted.difference(&there).map(Rule::statement).collect();
    if !create && !missing.is_empty() {
        return Err(Failure::Fatal(format!(
            "Neo4j lacks constraints without which nodes and relationships would be doubled, or \
             indexes without which tombstones would be found by reading all; set \
             create_constraints: true, or run:\n{};",
            missing.join(";\n")
        )));
    }
    for statement in &missing {
        let created = create_one(client, statement).await;
        created.map_err(|failure| with_remedy(failure, statement, &missing))?;
        tracing::info!(statement, "created what was missing");
    }
    Ok(())
}

/// Schema commands each need a transaction of their own.
async fn create_one(client: &Client, statement: &str) -> Result<(), Failure> {
    let mut tx = client.begin().await?;
    let created = tx.run(statement, Vec::new()).await;
    let Err(failure) = tx.end(created).await else {
        return Ok(());
    };
    let code = failure.code().unwrap_or_default();
    match code.rsplit('.').next() {
        // A rival instance that starts as well was faster.
        Some("EquivalentSchemaRuleAlreadyExists" | "ConstraintAlreadyExists") => Ok(()),
        _ => Err(failure),
    }
}

/// A refusal that waiting would not end is fatal, and says what does.
fn with_remedy(failure: Failure, statement: &str, missing: &[String]) -> Failure {
    let code = failure.code().unwrap_or_default();
    match remedy(code, missing) {
        Some(remedy) => Failure::Fatal(format!(
            "Neo4j refuses a constraint or an index ({code}): {statement}; {remedy}"
        )),
        None => failure,
    }
}

/// What ends a refusal with this code; `None` where time may.
fn remedy(code: &str, missing: &[String]) -> Option<String> {
    let mut parts = code.split('.').skip(1);
    match (parts.next()?, parts.next()?, parts.next()?) {
        (
            _,
            _,
            "ConstraintCreationFailed" | "IndexAlreadyExists" | "ConstraintWithNameAlreadyExists",
        ) => Some(
            "remove what is doubled, or the plain index that stands in a constraint's place, and \
             start again"
                .to_owned(),
        ),
        ("ClientError", "Security", "Forbidden") => Some(format!(
            "the user lacks the right: give it the role architect, or set create_constraints: \
             false and have somebody run who may:\n{};",
            missing.join(";\n")
        )),
        ("ClientError", "Statement" | "Schema", _) => Some(
            "the sink needs Neo4j 5.7 or later, which is the first that keeps relationships unique"
                .to_owned(),
        ),
        _ => None,
    }
}

async fn existing(tx: &mut Transaction) -> Result<BTreeSet<Rule>, Failure> {
    let mut there = constraints(tx).await?;
    let statement = "SHOW RANGE INDEXES YIELD entityType, labelsOrTypes, properties \
                     WHERE entityType = 'NODE' AND size(properties) = 1 \
                     RETURN labelsOrTypes[0] AS label, properties[0] AS property";
    for row in tx.rows(statement, Vec::new()).await? {
        there.insert(Rule::Index {
            label: column(&row, "label")?,
            property: column(&row, "property")?,
        });
    }
    Ok(there)
}

async fn constraints(tx: &mut Transaction) -> Result<BTreeSet<Rule>, Failure> {
    let statement = "SHOW CONSTRAINTS YIELD type, entityType, labelsOrTypes, properties";
    let mut there = BTreeSet::new();
    for row in tx.rows(statement, Vec::new()).await? {
        // UNIQUENESS, NODE_KEY, RELATIONSHIP_UNIQUENESS and their names in later versions.
        let kind: String = column(&row, "type")?;
        if !kind.ends_with("UNIQUENESS") && !kind.ends_with("_KEY") {
            continue;
        }
        let names: Vec<String> = column(&row, "labelsOrTypes")?;
        let key: BTreeSet<String> = column::<Vec<String>>(&row, "properties")?
            .into_iter()
            .collect();
        let Some(name) = names.into_iter().next() else {
            continue;
        };
        if column::<String>(&row, "entityType")? == "NODE" {
            there.insert(Rule::Node { label: name, key });
        } else if key.iter().eq(["_key"]) {
            there.insert(Rule::Relationship { kind: name });
        }
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_composite_key_is_one_constraint() {
        let rule = Rule::Node {
            label: "Item".into(),
            key: BTreeSet::from(["b".into(), "a".into()]),
        };
        assert_eq!(
            rule.statement(),
            "CREATE CONSTRAINT IF NOT EXISTS FOR (n:`Item`) REQUIRE (n.`a`, n.`b`) IS UNIQUE"
        );
    }

    #[test]
    fn a_refusal_that_waiting_would_not_end_says_what_does() {
        let missing = ["CREATE A".to_owned(), "CREATE B".to_owned()];
        for (code, says) in [
            ("Neo.ClientError.Statement.SyntaxError", "Neo4j 5.7"),
            ("Neo.ClientError.Security.Forbidden", "architect"),
            ("Neo.ClientError.Security.Forbidden", "CREATE A;\nCREATE B;"),
            (
                "Neo.DatabaseError.Schema.ConstraintCreationFailed",
                "doubled",
            ),
        ] {
            let remedy = remedy(code, &missing).unwrap_or_default();
            assert!(remedy.contains(says), "{code}: {remedy}");
        }
        for code in [
            "Neo.ClientError.Security.Unauthorized",
            "Neo.ClientError.Database.DatabaseNotFound",
            "Neo.TransientError.Transaction.DeadlockDetected",
        ] {
            assert_eq!(remedy(code, &missing), None, "{code}");
        }
    }

    #[test]
    fn tombstones_are_found_by_version_and_by_age() {
        let statements: Vec<_> = Rule::own().map(|rule| rule.statement()).collect();
        for property in ["_v", "_at"] {
            let index = format!(
                "CREATE INDEX IF NOT EXISTS FOR (n:`_DistributaryTombstone`) ON (n.`{property}`)"
            );
            assert!(statements.contains(&index), "{statements:?}");
        }
    }
}
