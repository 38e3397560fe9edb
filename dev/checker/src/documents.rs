//! Elasticsearch: one document for each row that its projection takes.
//!
//! Both sides are sorted by the key column; the documents' `_id` must be that key's text.

use anyhow::{Context, Result, bail};
use futures_util::TryStreamExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio_postgres::RowStream;

use crate::exact::Exact;
use crate::merge::{Entry, Key, merge};
use crate::report::Section;
use crate::targets::Stores;

/// Documents of one page; some are 20 kB.
const PAGE: usize = 500;
/// How long the server keeps the view of the index between two pages.
const KEEP_ALIVE: &str = "2m";

/// One projection of the example: which documents a table makes.
#[derive(Debug)]
struct Documents {
    table: &'static str,
    /// Column holding a moment.
    moment: &'static str,
    /// Gives the key and the document as JSON text, in key order.
    sql: &'static str,
}

const PRODUCTS: Documents = Documents {
    table: "products",
    moment: "updated_at",
    sql: r#"SELECT id, json_build_object('id', id, 'name', name, 'slug', slug,
        'description', description, 'brand', brand, 'tags', tags, 'price', price::text,
        'stock', stock, 'is_featured', is_featured, 'category_id', category_id,
        'attributes', attributes, 'weight', attributes->'weight',
        'updated_at', to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
        FROM public.products WHERE status <> 'draft' ORDER BY id"#,
};

const ORDERS: Documents = Documents {
    table: "orders",
    moment: "placed_at",
    sql: r#"SELECT id, json_build_object('id', id, 'user_id', user_id, 'status', status,
        'total', total::text, 'note', note,
        'placed_at', to_char(placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
        FROM public.orders ORDER BY id"#,
};

/// Compares both indices.
pub(crate) async fn compare(stores: &Stores) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    for documents in [PRODUCTS, ORDERS] {
        let alias = format!("{}{}", stores.targets.index_prefix, documents.table);
        let mut section = Section::new("elasticsearch", alias.clone(), documents.table);
        let rows = stores
            .postgres
            .query_raw(documents.sql, std::iter::empty::<&str>())
            .await?;
        let name = |key: Key| format!("{alias}/_doc/{}", key[0]);
        let expected = |sender| expected(rows, documents.moment, sender);
        let found = |sender| found(stores, &alias, documents.moment, sender);
        merge(&mut section, name, expected, found)
            .await
            .with_context(|| format!("index {alias}"))?;
        sections.push(section);
    }
    Ok(sections)
}

async fn expected(rows: RowStream, moment: &str, sender: Sender<Entry>) -> Result<()> {
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await? {
        let mut document = Exact::parse(row.get(1))?;
        document.trim_fraction(moment);
        sender.send(Entry::new([row.get(0), 0], document)).await?;
    }
    Ok(())
}

async fn found(stores: &Stores, alias: &str, moment: &str, sender: Sender<Entry>) -> Result<()> {
    post(stores, &format!("{alias}/_refresh"), None).await?;
    let pit = post(
        stores,
        &format!("{alias}/_pit?keep_alive={KEEP_ALIVE}"),
        None,
    )
    .await?;
    let mut pit: Pit = serde_json::from_str(&pit)?;
    let mut after: Option<Vec<Value>> = None;
    loop {
        let page: Page =
            serde_json::from_str(&post(stores, "_search", Some(&search(&pit.id, after))).await?)?;
        after = page.hits.hits.last().map(|hit| hit.sort.clone());
        let Some(next) = page.pit_id else {
            bail!("the answer has no point in time")
        };
        pit.id = next;
        if after.is_none() {
            break;
        }
        for hit in page.hits.hits {
            sender.send(hit.entry(moment)?).await?;
        }
    }
    close(stores, &pit.id).await
}

fn search(pit: &str, after: Option<Vec<Value>>) -> Value {
    let mut body = json!({
        "size": PAGE,
        "track_total_hits": false,
        "pit": {"id": pit, "keep_alive": KEEP_ALIVE},
        "sort": [{"id": {"order": "asc", "missing": "_last", "unmapped_type": "long"}}],
    });
    if let Some(after) = after {
        body["search_after"] = after.into();
    }
    body
}

async fn close(stores: &Stores, pit: &str) -> Result<()> {
    let url = format!("{}/_pit", stores.targets.es_url);
    stores
        .http
        .delete(url)
        .json(&json!({"id": pit}))
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}

async fn post(stores: &Stores, path: &str, body: Option<&Value>) -> Result<String> {
    let request = stores
        .http
        .post(format!("{}/{path}", stores.targets.es_url));
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("Elasticsearch answered {status} to POST {path}: {text}");
    }
    Ok(text)
}

#[derive(Deserialize)]
struct Pit {
    id: String,
}

#[derive(Deserialize)]
struct Page {
    pit_id: Option<String>,
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_source")]
    source: Box<RawValue>,
    sort: Vec<Value>,
}

impl Hit {
    fn entry(self, moment: &str) -> Result<Entry> {
        let key = self
            .sort
            .first()
            .and_then(Value::as_i64)
            .context("a key that is no integer")?;
        let mut document = Exact::parse(self.source.get())?;
        document.trim_fraction(moment);
        let mut entry = Entry::new([key, 0], document);
        if self.id != key.to_string() {
            entry
                .faults
                .push(format!("_id: expected {key}, found {}", self.id));
        }
        Ok(entry)
    }
}
