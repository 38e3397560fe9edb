//! The keys that the application caches under, and what Postgres gives for each.

use std::fmt;

use anyhow::Result;
use tokio_postgres::Client;

/// A key of the application's cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CacheKey {
    /// `product:{id}`: the product's row.
    Product(i64),
    /// `product:slug:{slug}`: the product's row, found by its slug.
    Slug(String),
    /// `category:{id}:products`: the category's products.
    CategoryProducts(i64),
    /// `products:featured`: what the front page shows.
    Featured,
    /// `user:{id}`: the user's row.
    User(i64),
    /// `order:{id}`: the order's row.
    Order(i64),
    /// `user:{id}:orders`: the user's orders.
    UserOrders(i64),
}

impl CacheKey {
    /// Reads a key as Redis has it; none where the application writes no such key.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        // First, because a slug may contain anything, colons and other keys' endings included.
        if let Some(slug) = key.strip_prefix("product:slug:") {
            return Some(Self::Slug(slug.to_owned()));
        }
        let number = |text: &str| {
            text.parse()
                .ok()
                .filter(|number: &i64| number.to_string() == text)
        };
        match key.split(':').collect::<Vec<_>>()[..] {
            ["products", "featured"] => Some(Self::Featured),
            ["product", id] => number(id).map(Self::Product),
            ["category", id, "products"] => number(id).map(Self::CategoryProducts),
            ["user", id] => number(id).map(Self::User),
            ["order", id] => number(id).map(Self::Order),
            ["user", id, "orders"] => number(id).map(Self::UserOrders),
            _ => None,
        }
    }

    /// What Postgres gives for the key now: JSON text, `null` where there is no such row.
    ///
    /// # Errors
    /// Where Postgres cannot be asked.
    pub async fn content(&self, postgres: &Client) -> Result<String> {
        const PRODUCTS: &str = "coalesce(json_agg(json_build_array(id, name, price)
            ORDER BY id), '[]')::text FROM public.products";
        let row = "to_jsonb(r)::text FROM public";
        let row = match self {
            Self::Product(id) => {
                let sql = format!("SELECT {row}.products r WHERE id = $1");
                postgres.query_opt(&sql, &[id]).await?
            }
            Self::Slug(slug) => {
                let sql = format!("SELECT {row}.products r WHERE slug = $1");
                postgres.query_opt(&sql, &[slug]).await?
            }
            Self::User(id) => {
                postgres
                    .query_opt(&format!("SELECT {row}.users r WHERE id = $1"), &[id])
                    .await?
            }
            Self::Order(id) => {
                postgres
                    .query_opt(&format!("SELECT {row}.orders r WHERE id = $1"), &[id])
                    .await?
            }
            Self::CategoryProducts(id) => {
                let sql = format!("SELECT {PRODUCTS} WHERE category_id = $1");
                postgres.query_opt(&sql, &[id]).await?
            }
            Self::Featured => {
                postgres
                    .query_opt(&format!("SELECT {PRODUCTS} WHERE is_featured"), &[])
                    .await?
            }
            Self::UserOrders(id) => {
                let sql = "SELECT coalesce(json_agg(json_build_array(id, status, total)
                    ORDER BY id), '[]')::text FROM public.orders WHERE user_id = $1";
                postgres.query_opt(sql, &[id]).await?
            }
        };
        Ok(row.map_or_else(|| "null".to_owned(), |row| row.get(0)))
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(id) => write!(f, "product:{id}"),
            Self::Slug(slug) => write!(f, "product:slug:{slug}"),
            Self::CategoryProducts(id) => write!(f, "category:{id}:products"),
            Self::Featured => f.write_str("products:featured"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Order(id) => write!(f, "order:{id}"),
            Self::UserOrders(id) => write!(f, "user:{id}:orders"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let keys = [
            CacheKey::Product(9_007_199_254_740_993),
            CacheKey::Slug("a:b:products {{ x }}\n".to_owned()),
            CacheKey::CategoryProducts(2),
            CacheKey::Featured,
            CacheKey::User(3),
            CacheKey::Order(4),
            CacheKey::UserOrders(-5),
        ];
        for key in keys {
            assert_eq!(CacheKey::parse(&key.to_string()), Some(key));
        }
    }

    #[test]
    fn other_keys_are_not_the_applications() {
        for key in [
            "",
            "product:",
            "product:01",
            "user:1:carts",
            "category:None:products",
        ] {
            assert_eq!(CacheKey::parse(key), None, "{key}");
        }
    }
}
