//! Neo4j: nodes of four labels and relationships of five types, and no others between them.
//!
//! The program's own records are left out of the comparison: labels, types and properties that
//! start with an underscore. Only `_stub` is read, because a stub that is left over is a fault.

use anyhow::{Context, Result};
use futures_util::TryStreamExt;
use neo4rs::{Graph, Row, query};
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio_postgres::RowStream;

use crate::exact::Exact;
use crate::merge::{Entry, Key, merge};
use crate::report::{Fault, Section};
use crate::targets::Stores;

/// A label: its table, and SQL that gives key and properties as JSON text in key order.
pub(crate) struct Nodes {
    pub(crate) label: &'static str,
    pub(crate) table: &'static str,
    sql: &'static str,
}

/// A relationship type: labels of its ends, and SQL that gives both keys and the properties.
struct Relationships {
    kind: &'static str,
    table: &'static str,
    ends: [&'static str; 2],
    sql: &'static str,
}

pub(crate) const NODES: [Nodes; 4] = [
    Nodes {
        label: "User",
        table: "users",
        sql: "SELECT id, json_build_object('id', id, 'name', name)::text
            FROM public.users ORDER BY id",
    },
    Nodes {
        label: "Category",
        table: "categories",
        sql: "SELECT id, json_build_object('id', id, 'name', name)::text
            FROM public.categories ORDER BY id",
    },
    Nodes {
        label: "Product",
        table: "products",
        sql: "SELECT id, json_build_object('id', id, 'name', name, 'price', price::text)::text
            FROM public.products ORDER BY id",
    },
    Nodes {
        label: "Order",
        table: "orders",
        sql: "SELECT id, json_build_object('id', id, 'status', status)::text
            FROM public.orders ORDER BY id",
    },
];

const RELATIONSHIPS: [Relationships; 5] = [
    Relationships {
        kind: "IN_CATEGORY",
        table: "products",
        ends: ["Product", "Category"],
        sql: "SELECT id, category_id, '{}' FROM public.products
            WHERE category_id IS NOT NULL ORDER BY 1, 2",
    },
    Relationships {
        kind: "CHILD_OF",
        table: "categories",
        ends: ["Category", "Category"],
        sql: "SELECT id, parent_id, '{}' FROM public.categories
            WHERE parent_id IS NOT NULL ORDER BY 1, 2",
    },
    Relationships {
        kind: "PLACED",
        table: "orders",
        ends: ["User", "Order"],
        sql: "SELECT user_id, id, '{}' FROM public.orders ORDER BY 1, 2",
    },
    Relationships {
        kind: "CONTAINS",
        table: "order_items",
        ends: ["Order", "Product"],
        sql: "SELECT order_id, product_id, json_build_object('quantity', quantity)::text
            FROM public.order_items ORDER BY 1, 2",
    },
    Relationships {
        kind: "PURCHASED",
        table: "",
        ends: ["User", "Product"],
        sql: "SELECT DISTINCT user_id, product_id, '{}' FROM public.orders
            JOIN public.order_items ON order_id = id ORDER BY 1, 2",
    },
];

/// Compares every label and type, then looks for relationships of none of them.
pub(crate) async fn compare(stores: &Stores) -> Result<Vec<Section>> {
    let prefix = &stores.targets.label_prefix;
    let mut sections = Vec::new();
    for nodes in &NODES {
        sections.push(compare_nodes(stores, nodes).await?);
    }
    for relationships in &RELATIONSHIPS {
        sections.push(compare_relationships(stores, relationships).await?);
    }
    sections.push(
        strangers(&stores.graph, prefix)
            .await
            .context("unknown relationship types")?,
    );
    Ok(sections)
}

async fn compare_nodes(stores: &Stores, nodes: &Nodes) -> Result<Section> {
    let label = format!("{}{}", stores.targets.label_prefix, nodes.label);
    let mut section = Section::new("neo4j", format!(":{label}"), nodes.table);
    let rows = stores
        .postgres
        .query_raw(nodes.sql, std::iter::empty::<&str>())
        .await?;
    let cypher = format!(
        "MATCH (n:`{label}`)
         RETURN n.id AS a, labels(n) AS start, properties(n) AS properties ORDER BY a"
    );
    let ends: [&str; 1] = [&label];
    let name = |key: Key| format!("(:{label} {{id: {}}})", key[0]);
    let (expected, found) = (
        |to| expected(rows, 1, to),
        |to| found(&stores.graph, cypher, &ends, to),
    );
    merge(&mut section, name, expected, found)
        .await
        .with_context(|| format!("label {label}"))?;
    Ok(section)
}

async fn compare_relationships(stores: &Stores, relationships: &Relationships) -> Result<Section> {
    let prefix = &stores.targets.label_prefix;
    let kind = format!("{prefix}{}", relationships.kind);
    let [start, end] = relationships.ends.map(|label| format!("{prefix}{label}"));
    let mut section = Section::new("neo4j", format!("[:{kind}]"), relationships.table);
    let rows = stores
        .postgres
        .query_raw(relationships.sql, std::iter::empty::<&str>())
        .await?;
    let cypher = format!(
        "MATCH (a)-[r:`{kind}`]->(b) RETURN a.id AS a, b.id AS b, labels(a) AS start,
         labels(b) AS end, properties(r) AS properties ORDER BY a, b"
    );
    let ends: [&str; 2] = [&start, &end];
    let name = |key: Key| {
        format!(
            "(:{start} {{id: {}}})-[:{kind}]->(:{end} {{id: {}}})",
            key[0], key[1]
        )
    };
    let (expected, found) = (
        |to| expected(rows, 2, to),
        |to| found(&stores.graph, cypher, &ends, to),
    );
    merge(&mut section, name, expected, found)
        .await
        .with_context(|| format!("type {kind}"))?;
    Ok(section)
}

async fn expected(rows: RowStream, keys: usize, sender: Sender<Entry>) -> Result<()> {
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await? {
        let second = if keys == 2 { row.get(1) } else { 0 };
        let properties = Exact::parse(row.get(keys))?;
        sender
            .send(Entry::new([row.get(0), second], properties))
            .await?;
    }
    Ok(())
}

async fn found(graph: &Graph, cypher: String, ends: &[&str], sender: Sender<Entry>) -> Result<()> {
    let mut rows = graph.execute(query(&cypher)).await?;
    while let Some(row) = rows.next().await? {
        sender.send(entry(&row, ends)?).await?;
    }
    Ok(())
}

/// A node or relationship as the comparison wants it. Ends without an integer for an id sort last,
/// as the largest key there is: no row has it, so they are reported as extra.
fn entry(row: &Row, ends: &[&str]) -> Result<Entry> {
    let id = |column| {
        row.get::<Value>(column)
            .ok()
            .as_ref()
            .and_then(Value::as_i64)
    };
    let second = if ends.len() == 2 {
        id("b").unwrap_or(i64::MAX)
    } else {
        0
    };
    let key = [id("a").unwrap_or(i64::MAX), second];
    let mut properties = Exact::from(row.get::<Value>("properties").context("properties")?);
    let is_stub = properties.field("_stub") == &Exact::Bool(true);
    properties.retain(|name| !name.starts_with('_'));
    let mut entry = Entry {
        is_stub,
        ..Entry::new(key, properties)
    };
    for (column, expected) in ["start", "end"].into_iter().zip(ends) {
        let labels: Vec<String> = row.get(column).context("labels")?;
        let own: Vec<_> = labels
            .iter()
            .filter(|label| !label.starts_with('_'))
            .collect();
        if own != [expected] {
            entry.faults.push(format!(
                "labels of the {column}: expected {expected}, found {own:?}"
            ));
        }
    }
    Ok(entry)
}

/// Relationships that no projection of the example makes, at its nodes. Nodes of other labels are not
/// looked at: others may share the database.
async fn strangers(graph: &Graph, prefix: &str) -> Result<Section> {
    let mut section = Section::new("neo4j", "anything else", "");
    let labels: Vec<_> = NODES
        .iter()
        .map(|nodes| format!("{prefix}{}", nodes.label))
        .collect();
    let kinds: Vec<_> = RELATIONSHIPS
        .iter()
        .map(|kind| format!("{prefix}{}", kind.kind))
        .collect();
    let cypher = query(
        "MATCH (a)-[r]->(b) WHERE NOT type(r) IN $kinds AND NOT type(r) STARTS WITH '_'
         AND any(l IN labels(a) + labels(b) WHERE l IN $labels)
         RETURN reduce(all = '(', l IN labels(a) | all + ':' + l) + ')-[:' + type(r) + ']->'
             + reduce(all = '(', l IN labels(b) | all + ':' + l) + ')' AS name LIMIT 100",
    );
    let mut rows = graph
        .execute(cypher.param("kinds", kinds).param("labels", labels))
        .await?;
    while let Some(row) = rows.next().await? {
        section.found += 1;
        section.add(Fault::Extra, row.get::<String>("name")?, Vec::new());
    }
    Ok(section)
}
