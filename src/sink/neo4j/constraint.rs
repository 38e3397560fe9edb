//! The constraints and the index that the statements rely on: without them `MERGE` is neither
//! atomic nor fast.

use std::collections::BTreeSet;

use super::client::{Client, Transaction, column};
use super::error::Failure;
use super::pattern::{KeyPattern, LOCK, MARKER, TOMBSTONE, quoted};

/// Something that must be unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unique {
    /// The key of nodes with a label.
    Node {
        /// The label.
        label: String,
        /// The names of the key's properties.
        key: BTreeSet<String>,
    },
    /// The `_key` of relationships of a type.
    Relationship {
        /// The type.
        kind: String,
    },
}

impl Unique {
    pub(super) fn node(pattern: &KeyPattern) -> Self {
        Self::Node {
            label: pattern.label.clone(),
            key: pattern.key.iter().cloned().collect(),
        }
    }

    /// What the sink's own nodes need.
    pub(super) fn own() -> impl Iterator<Item = Self> {
        [(TOMBSTONE, "_key"), (LOCK, "_key"), (MARKER, "projection")]
            .into_iter()
            .map(|(label, key)| Self::Node {
                label: label.to_owned(),
                key: BTreeSet::from([key.to_owned()]),
            })
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
        }
    }
}

/// Makes sure that all of these are there: creates what is missing, or says what to run.
pub(super) async fn ensure(
    client: &Client,
    wanted: &BTreeSet<Unique>,
    create: bool,
) -> Result<(), Failure> {
    let mut tx = client.begin().await?;
    let there = existing(&mut tx).await;
    tx.roll_back().await;
    let there = there?;
    let missing: Vec<_> = wanted.difference(&there).map(Unique::statement).collect();
    if !create && !missing.is_empty() {
        return Err(Failure::Fatal(format!(
            "Neo4j lacks constraints without which nodes and relationships would be doubled; \
             set create_constraints: true, or run:\n{};",
            missing.join(";\n")
        )));
    }
    for statement in &missing {
        create_one(client, statement).await?;
        tracing::info!(statement, "created a constraint");
    }
    if create {
        let index = format!("CREATE INDEX IF NOT EXISTS FOR (t:{TOMBSTONE}) ON (t._at)");
        create_one(client, &index).await?;
    }
    Ok(())
}

/// Schema commands each need a transaction of their own.
async fn create_one(client: &Client, statement: &str) -> Result<(), Failure> {
    let mut tx = client.begin().await?;
    let failure = match tx.run(statement, Vec::new()).await {
        Ok(()) => match tx.commit().await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        },
        Err(failure) => {
            tx.roll_back().await;
            failure
        }
    };
    let code = failure.code().unwrap_or_default();
    match code.rsplit('.').next() {
        // A rival instance that starts as well was faster.
        Some("EquivalentSchemaRuleAlreadyExists" | "ConstraintAlreadyExists") => Ok(()),
        Some(
            "ConstraintCreationFailed" | "IndexAlreadyExists" | "ConstraintWithNameAlreadyExists",
        ) => Err(Failure::Fatal(format!(
            "Neo4j refuses a constraint ({code}): {statement}; remove what is doubled, or the \
                 plain index that stands in its place, and start again"
        ))),
        _ => Err(failure),
    }
}

async fn existing(tx: &mut Transaction) -> Result<BTreeSet<Unique>, Failure> {
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
            there.insert(Unique::Node { label: name, key });
        } else if key.iter().eq(["_key"]) {
            there.insert(Unique::Relationship { kind: name });
        }
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_composite_key_is_one_constraint() {
        let unique = Unique::Node {
            label: "Item".into(),
            key: BTreeSet::from(["b".into(), "a".into()]),
        };
        assert_eq!(
            unique.statement(),
            "CREATE CONSTRAINT IF NOT EXISTS FOR (n:`Item`) REQUIRE (n.`a`, n.`b`) IS UNIQUE"
        );
    }
}
