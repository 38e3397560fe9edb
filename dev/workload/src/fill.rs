//! The rows an empty shop starts with, inserted a thousand to a statement.

use anyhow::Result;
use rand::Rng;
use tokio_postgres::Client;

use crate::Random;
use crate::rows::{Category, Item, Order, Product, Row, User, insert};
use crate::shop::{Shop, pick};
use crate::text;

/// Rows of one statement: large enough that the round trip does not count.
const BATCH: usize = 1000;

/// Fills an empty shop with about `rows` rows over all tables.
pub(crate) async fn fill(
    client: &Client,
    shop: &mut Shop,
    random: &mut Random,
    rows: usize,
) -> Result<()> {
    let share = |parts: usize| (rows * parts).div_ceil(100);
    add_users(client, shop, random, share(8)).await?;
    add_categories(client, shop, random, share(2).min(2000)).await?;
    add_products(client, shop, random, share(20)).await?;
    add_orders(client, shop, random, share(20)).await?;
    add_items(client, shop, random, share(50)).await
}

async fn add_users(
    client: &Client,
    shop: &mut Shop,
    random: &mut Random,
    count: usize,
) -> Result<()> {
    let mut users = Vec::with_capacity(count);
    for _ in 0..count {
        let id = shop.new_key(random);
        shop.users.insert(id);
        users.push(User::new(id, shop, random));
    }
    write(client, &users).await
}

async fn add_categories(
    client: &Client,
    shop: &mut Shop,
    random: &mut Random,
    count: usize,
) -> Result<()> {
    let mut categories = Vec::with_capacity(count);
    for _ in 0..count {
        let at = |at| shop.categories.get_index(at).map(|(id, _)| *id);
        let parent_id =
            pick(random, shop.categories.len(), at).filter(|_| random.random_ratio(3, 4));
        let id = shop.new_key(random);
        shop.categories.insert(id, parent_id);
        categories.push(Category {
            id,
            parent_id,
            name: text::title(random),
        });
    }
    write(client, &categories).await
}

async fn add_products(
    client: &Client,
    shop: &mut Shop,
    random: &mut Random,
    count: usize,
) -> Result<()> {
    let mut products = Vec::with_capacity(count);
    for _ in 0..count {
        let at = |at| shop.categories.get_index(at).map(|(id, _)| *id);
        let category = pick(random, shop.categories.len(), at);
        let id = shop.new_key(random);
        shop.products.insert(id);
        products.push(Product::new(id, category, shop, random));
    }
    write(client, &products).await
}

async fn add_orders(
    client: &Client,
    shop: &mut Shop,
    random: &mut Random,
    count: usize,
) -> Result<()> {
    let mut orders = Vec::with_capacity(count);
    for _ in 0..count {
        let at = |at| shop.users.get_index(at).copied();
        let Some(user) = pick(random, shop.users.len(), at) else {
            break;
        };
        let id = shop.new_key(random);
        shop.orders.insert(id, user);
        orders.push(Order::new(id, user, shop, random));
    }
    write(client, &orders).await
}

async fn add_items(
    client: &Client,
    shop: &mut Shop,
    random: &mut Random,
    count: usize,
) -> Result<()> {
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let order = pick(random, shop.orders.len(), |at| {
            shop.orders.get_index(at).map(|(id, _)| *id)
        });
        let product = pick(random, shop.products.len(), |at| {
            shop.products.get_index(at).copied()
        });
        let Some(key) = order.zip(product) else { break };
        if shop.items.insert(key) {
            items.push(Item::new(key, random));
        }
    }
    write(client, &items).await
}

async fn write<R: Row>(client: &Client, rows: &[R]) -> Result<()> {
    for batch in rows.chunks(BATCH) {
        let statement = insert(batch);
        let params: Vec<_> = statement.params.iter().map(|param| &**param as _).collect();
        client.execute(statement.sql, &params).await?;
    }
    Ok(())
}
