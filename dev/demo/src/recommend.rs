//! The recommendation: what others in the categories of a user's purchases there is, asked of the
//! graph along its relationships and of Postgres by joins.

use anyhow::Result;
use checker::Stores;
use neo4rs::query;

use crate::table::Table;

/// Users whose whole answer is compared.
const USERS: i64 = 20;
/// Recommendations that are shown of the first of them.
const SHOWN: usize = 5;

const CYPHER: &str = "MATCH (u:User {id: $user})-[:PURCHASED]->(p)-[:IN_CATEGORY]->(c)\
    <-[:IN_CATEGORY]-(rec) WHERE NOT (u)-[:PURCHASED]->(rec)
    RETURN rec.id AS id, rec.name AS name, count(*) AS score ORDER BY score DESC, id";

const SQL: &str = "WITH bought AS (
        SELECT DISTINCT product_id FROM public.orders
        JOIN public.order_items ON order_id = id WHERE user_id = $1)
    SELECT rec.id, rec.name, count(*) FROM bought
    JOIN public.products p ON p.id = bought.product_id
    JOIN public.products rec ON rec.category_id = p.category_id
    WHERE rec.id NOT IN (SELECT product_id FROM bought)
    GROUP BY rec.id, rec.name ORDER BY 3 DESC, 1";

type Recommendation = (i64, String, i64);

/// What the graph recommends beside what SQL does.
pub(crate) struct Recommendations {
    /// For the terminal.
    pub(crate) text: String,
    /// Whether all answers are the same.
    pub(crate) is_equal: bool,
}

/// Asks both for the users with the most orders.
pub(crate) async fn recommend(stores: &Stores) -> Result<Recommendations> {
    let sql = "SELECT user_id FROM public.orders JOIN public.order_items ON order_id = id
        GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT $1";
    let users = stores.postgres.query(sql, &[&USERS]).await?;
    let (mut different, mut compared, mut text) = (Vec::new(), 0, String::new());
    for (index, user) in users.iter().map(|row| row.get::<_, i64>(0)).enumerate() {
        let (graph, postgres) = (
            from_graph(stores, user).await?,
            from_postgres(stores, user).await?,
        );
        if index == 0 {
            text = format!("Recommended to user {user}\n\n{}", show(&graph, &postgres));
        }
        compared += postgres.len();
        if graph != postgres {
            different.push(user.to_string());
        }
    }
    text += &format!(
        "\n  {compared} recommendations to {} users compared: ",
        users.len()
    );
    text += &match different.len() {
        0 => "all the same, in the same order\n".to_owned(),
        many => format!("{many} users DIFFER: {}\n", different.join(", ")),
    };
    Ok(Recommendations {
        text,
        is_equal: different.is_empty(),
    })
}

fn show(graph: &[Recommendation], postgres: &[Recommendation]) -> Table {
    let mut table = Table::new(&["by the graph", "score", "by SQL", "score"]);
    let cells = |side: &[Recommendation], at: usize| match side.get(at) {
        Some((id, name, score)) => [format!("{id} {name}"), score.to_string()],
        None => ["–".to_owned(), "–".to_owned()],
    };
    for at in 0..SHOWN.min(graph.len().max(postgres.len())) {
        table.row(&[cells(graph, at), cells(postgres, at)].concat());
    }
    table
}

async fn from_graph(stores: &Stores, user: i64) -> Result<Vec<Recommendation>> {
    let mut rows = stores
        .graph
        .execute(query(CYPHER).param("user", user))
        .await?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().await? {
        found.push((row.get("id")?, row.get("name")?, row.get("score")?));
    }
    Ok(found)
}

async fn from_postgres(stores: &Stores, user: i64) -> Result<Vec<Recommendation>> {
    let rows = stores.postgres.query(SQL, &[&user]).await?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect())
}
