//! The misspelt search: fuzziness, a facet and a highlight, and its answer checked with SQL.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use checker::{Stores, Targets};
use serde_json::{Value, json};

use crate::table::{Table, one_line};

/// Two words with a letter missing.
const MISSPELT: &str = "wirelss laptop";
/// Hits that are shown.
const SHOWN: usize = 4;

/// What the search gave beside what SQL gives.
pub(crate) struct Search {
    /// For the terminal.
    pub(crate) text: String,
    /// Whether hits and facet are those of Postgres.
    pub(crate) is_equal: bool,
}

/// Runs the search and the SQL.
pub(crate) async fn search(stores: &Stores) -> Result<Search> {
    let answer = ask(stores).await?;
    let found = facet(&answer)?;
    let expected = expected(stores).await?;
    let hits = answer["hits"]["total"]["value"]
        .as_u64()
        .context("no total")?;
    let rows: u64 = expected.values().sum();
    let highlighted = answer["hits"]["hits"][0]["highlight"].is_object();
    let is_equal = found == expected && hits == rows && highlighted;
    let mut text = format!("Search for {MISSPELT:?}, misspelt: {hits} products in Elasticsearch, ");
    text += &format!(
        "{rows} in Postgres when spelt right\n\n{}\n",
        hit_table(&answer)
    );
    text += &format!("  by brand in Elasticsearch   {}\n", line(&found));
    text += &format!("  by brand in Postgres        {}\n", line(&expected));
    if !highlighted {
        text += "  nothing was highlighted\n";
    }
    Ok(Search { text, is_equal })
}

async fn ask(stores: &Stores) -> Result<Value> {
    let query = json!({
        "size": SHOWN,
        "track_total_hits": true,
        "query": {"multi_match": {
            "query": MISSPELT, "fields": ["name^3", "description"],
            "operator": "and", "fuzziness": "AUTO",
        }},
        "sort": ["_score", {"id": "asc"}],
        "highlight": {
            "pre_tags": ["»"], "post_tags": ["«"], "fragment_size": 60, "number_of_fragments": 1,
            "fields": {"name": {}, "description": {}},
        },
        "aggs": {"brands": {"terms": {"field": "brand", "size": 100, "missing": ""}}},
    });
    let Targets {
        es_url,
        index_prefix,
        ..
    } = &stores.targets;
    let url = format!("{es_url}/{index_prefix}products/_search");
    let answer = stores.http.post(url).json(&query).send().await?;
    let (status, answer): (_, Value) = (answer.status(), answer.json().await?);
    if !status.is_success() {
        bail!("the search was refused ({status}): {answer}");
    }
    Ok(answer)
}

fn facet(answer: &Value) -> Result<BTreeMap<String, u64>> {
    let buckets = answer["aggregations"]["brands"]["buckets"]
        .as_array()
        .context("no facet")?;
    let bucket = |bucket: &Value| {
        let brand = bucket["key"].as_str().context("a brand that is no text")?;
        Ok((
            brand.to_owned(),
            bucket["doc_count"].as_u64().context("no count")?,
        ))
    };
    buckets.iter().map(bucket).collect()
}

/// The same without a search engine: the two words, spelt right, in one of the two columns.
async fn expected(stores: &Stores) -> Result<BTreeMap<String, u64>> {
    let sql = r"SELECT coalesce(brand, ''), count(*) FROM public.products
        WHERE status <> 'draft' AND (
            (name ~* '\mwireless\M' AND name ~* '\mlaptop\M')
            OR (description ~* '\mwireless\M' AND description ~* '\mlaptop\M'))
        GROUP BY 1";
    let rows = stores.postgres.query(sql, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.get(0), u64::try_from(row.get::<_, i64>(1))?)))
        .collect()
}

fn hit_table(answer: &Value) -> Table {
    let mut table = Table::new(&["product", "brand", "price", "found in"]);
    for hit in answer["hits"]["hits"].as_array().into_iter().flatten() {
        let text = |name: &str| hit["_source"][name].as_str().unwrap_or("–").to_owned();
        let highlight = hit["highlight"].as_object().into_iter().flatten().next();
        let highlight = highlight.map_or_else(String::new, |(field, fragments)| {
            format!("{field}: {}", fragments[0].as_str().unwrap_or_default())
        });
        table.row(&[text("name"), text("brand"), text("price"), highlight]);
    }
    table
}

fn line(facet: &BTreeMap<String, u64>) -> String {
    let brand = |brand: &str| {
        if brand.is_empty() {
            "none".to_owned()
        } else {
            one_line(brand)
        }
    };
    let brands: Vec<_> = facet
        .iter()
        .map(|(name, count)| format!("{} {count}", brand(name)))
        .collect();
    brands.join(" · ")
}
