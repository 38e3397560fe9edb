//! Rows to insert, and one statement per table that inserts one of them or a thousand.
//!
//! A list of rows travels as JSON text and is taken apart by Postgres, which keeps every digit of a
//! decimal and of a JSON number.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::types::ToSql;

use crate::Random;
use crate::shop::Shop;
use crate::text;
use rand::Rng;

/// A statement with its parameters; text parameters are cast in the SQL.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) params: Vec<Box<dyn ToSql + Sync + Send>>,
}

/// `statement("… $1 … $2", a, b)` without the boxes.
macro_rules! statement {
    ($sql:expr $(, $param:expr)* $(,)?) => {
        $crate::rows::Statement { sql: $sql, params: vec![$(Box::new($param)),*] }
    };
}
pub(crate) use statement;

/// A row of one table.
pub(crate) trait Row: Serialize {
    /// Takes a JSON array of rows as its only parameter.
    const INSERT: &'static str;
}

/// The statement that inserts these rows.
pub(crate) fn insert<R: Row>(rows: &[R]) -> Statement {
    let json = serde_json::to_string(rows).expect("rows are plain data with text keys");
    statement!(R::INSERT, json)
}

#[derive(Debug, Serialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    name: String,
    email: Option<String>,
    created_us: i64,
}

impl User {
    pub(crate) fn new(id: i64, shop: &mut Shop, random: &mut Random) -> Self {
        let email = (!random.random_ratio(1, 10)).then(|| format!("user{id}@example.org"));
        Self {
            id,
            name: text::person(random),
            email,
            created_us: shop.now_us(),
        }
    }
}

impl Row for User {
    const INSERT: &'static str = "INSERT INTO public.users (id, name, email, created_at)
        SELECT id, name, email, timestamptz 'epoch' + created_us * interval '1 microsecond'
        FROM json_to_recordset($1::text::json)
        AS r(id bigint, name text, email text, created_us bigint)";
}

#[derive(Debug, Serialize)]
pub(crate) struct Category {
    pub(crate) id: i64,
    pub(crate) parent_id: Option<i64>,
    pub(crate) name: String,
}

impl Row for Category {
    const INSERT: &'static str = "INSERT INTO public.categories (id, parent_id, name)
        SELECT id, parent_id, name FROM json_to_recordset($1::text::json)
        AS r(id bigint, parent_id bigint, name text)";
}

#[derive(Debug, Serialize)]
pub(crate) struct Product {
    pub(crate) id: i64,
    category_id: Option<i64>,
    slug: String,
    name: String,
    description: Option<String>,
    brand: Option<String>,
    tags: Option<Vec<Option<String>>>,
    price: Option<String>,
    stock: i64,
    status: &'static str,
    is_featured: bool,
    attributes: Option<Box<RawValue>>,
    updated_us: i64,
}

impl Product {
    pub(crate) fn new(
        id: i64,
        category: Option<i64>,
        shop: &mut Shop,
        random: &mut Random,
    ) -> Self {
        let attributes = text::attributes(random)
            .map(|json| RawValue::from_string(json).expect("attributes are JSON, as tested"));
        Self {
            id,
            category_id: category,
            slug: text::slug(random, shop.next()),
            name: text::title(random),
            description: (!random.random_ratio(1, 8)).then(|| text::paragraph(random)),
            brand: text::brand(random),
            tags: text::tags(random),
            price: (!random.random_ratio(1, 20)).then(|| text::price(random)),
            stock: text::stock(random),
            status: status(random),
            is_featured: random.random_ratio(1, 10),
            attributes,
            updated_us: shop.now_us(),
        }
    }
}

/// A product's status: mostly active.
pub(crate) fn status(random: &mut Random) -> &'static str {
    match random.random_range(0..6) {
        0 => "draft",
        1 => "archived",
        _ => "active",
    }
}

impl Row for Product {
    const INSERT: &'static str = "INSERT INTO public.products (id, category_id, slug, name,
            description, brand, tags, price, stock, status, is_featured, attributes, updated_at)
        SELECT id, category_id, slug, name, description, brand, tags, price, stock, status,
            is_featured, attributes, timestamptz 'epoch' + updated_us * interval '1 microsecond'
        FROM json_to_recordset($1::text::json) AS r(id bigint, category_id bigint, slug text,
            name text, description text, brand text, tags text[], price numeric, stock bigint,
            status text, is_featured boolean, attributes jsonb, updated_us bigint)";
}

#[derive(Debug, Serialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
    user_id: i64,
    status: &'static str,
    total: String,
    note: Option<String>,
    placed_us: i64,
}

impl Order {
    pub(crate) fn new(id: i64, user_id: i64, shop: &mut Shop, random: &mut Random) -> Self {
        let note = match random.random_range(0..4) {
            0 => Some(String::new()),
            1 => Some(text::person(random)),
            _ => None,
        };
        let placed_us = shop.now_us();
        Self {
            id,
            user_id,
            status: "new",
            total: text::total(random),
            note,
            placed_us,
        }
    }
}

impl Row for Order {
    const INSERT: &'static str = "INSERT INTO public.orders
            (id, user_id, status, total, note, placed_at)
        SELECT id, user_id, status, total, note,
            timestamptz 'epoch' + placed_us * interval '1 microsecond'
        FROM json_to_recordset($1::text::json) AS r(id bigint, user_id bigint, status text,
            total numeric, note text, placed_us bigint)";
}

#[derive(Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) order_id: i64,
    pub(crate) product_id: i64,
    quantity: i32,
    unit_price: String,
}

impl Item {
    pub(crate) fn new((order_id, product_id): (i64, i64), random: &mut Random) -> Self {
        let quantity = random.random_range(1..10);
        Self {
            order_id,
            product_id,
            quantity,
            unit_price: text::price(random),
        }
    }
}

impl Row for Item {
    const INSERT: &'static str = "INSERT INTO public.order_items
            (order_id, product_id, quantity, unit_price)
        SELECT order_id, product_id, quantity, unit_price
        FROM json_to_recordset($1::text::json)
        AS r(order_id bigint, product_id bigint, quantity integer, unit_price numeric)";
}
