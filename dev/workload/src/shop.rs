//! What is alive in the shop: keys only, with the cascades that Postgres performs mirrored.
//!
//! It exists so that a random live row is found without asking Postgres. Sets keep an order that
//! depends on nothing but the changes made, or a seed would not replay.

use anyhow::Result;
use indexmap::{IndexMap, IndexSet};
use rand::Rng;
use tokio_postgres::Client;

use crate::Random;

/// Microseconds since 1970 at which the shop's clock starts: 2026-01-01 00:00 UTC.
const OPENING_US: i64 = 1_767_225_600_000_000;
/// Each change of the clock, an odd number so that every digit of the fraction is used.
const TICK_US: i64 = 1_234_567;
/// Keys above this are past what a double can count.
const BIG_KEY: i64 = (1 << 53) + 1;

/// The keys of all live rows.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    pub(crate) users: IndexSet<i64>,
    /// Category to parent.
    pub(crate) categories: IndexMap<i64, Option<i64>>,
    pub(crate) products: IndexSet<i64>,
    /// Order to user.
    pub(crate) orders: IndexMap<i64, i64>,
    /// Order and product.
    pub(crate) items: IndexSet<(i64, i64)>,
    /// The last number handed out for a key, a slug or a moment.
    sequence: i64,
}

impl Shop {
    /// Reads what is alive, in key order, so that the same rows give the same shop.
    pub(crate) async fn load(client: &Client) -> Result<Self> {
        let mut shop = Self::default();
        for row in client
            .query("SELECT id FROM public.users ORDER BY id", &[])
            .await?
        {
            shop.users.insert(row.get(0));
        }
        for row in client
            .query(
                "SELECT id, parent_id FROM public.categories ORDER BY id",
                &[],
            )
            .await?
        {
            shop.categories.insert(row.get(0), row.get(1));
        }
        for row in client
            .query("SELECT id FROM public.products ORDER BY id", &[])
            .await?
        {
            shop.products.insert(row.get(0));
        }
        for row in client
            .query("SELECT id, user_id FROM public.orders ORDER BY id", &[])
            .await?
        {
            shop.orders.insert(row.get(0), row.get(1));
        }
        let items = "SELECT order_id, product_id FROM public.order_items ORDER BY 1, 2";
        for row in client.query(items, &[]).await? {
            shop.items.insert((row.get(0), row.get(1)));
        }
        shop.sequence = shop.largest_key().max(last_used(client).await?);
        Ok(shop)
    }

    fn largest_key(&self) -> i64 {
        let keys = self.users.iter().chain(self.categories.keys());
        let keys = keys.chain(&self.products).chain(self.orders.keys());
        let small = |key: i64| if key >= BIG_KEY { key - BIG_KEY } else { key };
        keys.map(|&key| small(key)).max().unwrap_or(0)
    }

    /// The next number of the shop's one sequence: no key or slug is ever used twice by accident.
    pub(crate) fn next(&mut self) -> i64 {
        self.sequence += 1;
        self.sequence
    }

    /// A key that was never used; one in eight is beyond 2^53.
    pub(crate) fn new_key(&mut self, random: &mut Random) -> i64 {
        let next = self.next();
        if random.random_ratio(1, 8) {
            BIG_KEY + next
        } else {
            next
        }
    }

    /// A moment later than all before, in microseconds since 1970.
    pub(crate) fn now_us(&mut self) -> i64 {
        OPENING_US + self.next() * TICK_US
    }

    /// Takes a user out, with orders and their items.
    pub(crate) fn remove_user(&mut self, user: i64) {
        self.users.swap_remove(&user);
        let orders = self.orders.iter().filter(|(_, owner)| **owner == user);
        for order in orders.map(|(order, _)| *order).collect::<Vec<_>>() {
            self.remove_order(order);
        }
    }

    /// Takes an order out, with its items.
    pub(crate) fn remove_order(&mut self, order: i64) {
        self.orders.swap_remove(&order);
        self.items.retain(|item| item.0 != order);
    }

    /// Takes a product out, with its order items.
    pub(crate) fn remove_product(&mut self, product: i64) {
        self.products.swap_remove(&product);
        self.items.retain(|item| item.1 != product);
    }

    /// Takes a category and all below it out.
    pub(crate) fn remove_category(&mut self, category: i64) {
        self.categories.swap_remove(&category);
        let below = self
            .categories
            .iter()
            .filter(|(_, parent)| **parent == Some(category));
        for child in below.map(|(child, _)| *child).collect::<Vec<_>>() {
            self.remove_category(child);
        }
    }

    /// Gives a user another key.
    pub(crate) fn rekey_user(&mut self, old: i64, new: i64) {
        self.users.swap_remove(&old);
        self.users.insert(new);
        self.orders
            .values_mut()
            .filter(|user| **user == old)
            .for_each(|user| *user = new);
    }

    /// Gives a category another key.
    pub(crate) fn rekey_category(&mut self, old: i64, new: i64) {
        let parent = self.categories.swap_remove(&old).flatten();
        self.categories.insert(new, parent);
        let children = self
            .categories
            .values_mut()
            .filter(|parent| **parent == Some(old));
        children.for_each(|parent| *parent = Some(new));
    }

    /// Gives a product another key.
    pub(crate) fn rekey_product(&mut self, old: i64, new: i64) {
        self.products.swap_remove(&old);
        self.products.insert(new);
        let rename = |item: &(i64, i64)| if item.1 == old { (item.0, new) } else { *item };
        self.items = self.items.iter().map(rename).collect();
    }

    /// Gives an order another key.
    pub(crate) fn rekey_order(&mut self, old: i64, new: i64) {
        if let Some(user) = self.orders.swap_remove(&old) {
            self.orders.insert(new, user);
        }
        let rename = |item: &(i64, i64)| if item.0 == old { (new, item.1) } else { *item };
        self.items = self.items.iter().map(rename).collect();
    }

    /// Whether `category` is `above` or below it, so that hanging `above` under it makes a circle.
    pub(crate) fn is_within(&self, category: i64, above: i64) -> bool {
        let parents = std::iter::successors(Some(category), |at| {
            self.categories.get(at).copied().flatten()
        });
        parents.into_iter().any(|at| at == above)
    }
}

/// At least the last number that an earlier workload on this shop used: it is in the events of the
/// outbox, which nobody deletes, and one more may be in the slug of the latest change.
async fn last_used(client: &Client) -> Result<i64> {
    let sql = "SELECT
        coalesce((SELECT ('x' || right(max(id::text), 12))::bit(48)::bigint FROM public.outbox
            WHERE id < '00000000-0000-0000-0001-000000000000'), 0),
        coalesce((SELECT extract(epoch FROM max(updated_at)) * 1000000 FROM public.products), 0)::bigint";
    let row = client.query_one(sql, &[]).await?;
    let (event, moment_us): (i64, i64) = (row.get(0), row.get(1));
    Ok(event.max((moment_us - OPENING_US) / TICK_US) + 1)
}

/// A live row, picked at random.
pub(crate) fn pick<T: Copy>(
    random: &mut Random,
    count: usize,
    at: impl Fn(usize) -> Option<T>,
) -> Option<T> {
    if count == 0 {
        None
    } else {
        at(random.random_range(0..count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Shop {
        let mut shop = Shop::default();
        shop.users.extend([1, 2]);
        shop.categories
            .extend([(10, None), (11, Some(10)), (12, Some(11))]);
        shop.products.extend([20, 21]);
        shop.orders.extend([(30, 1), (31, 2)]);
        shop.items.extend([(30, 20), (30, 21), (31, 20)]);
        shop
    }

    #[test]
    fn a_removed_user_takes_orders_and_items_along() {
        let mut shop = shop();
        shop.remove_user(1);
        assert_eq!(shop.orders.keys().copied().collect::<Vec<_>>(), [31]);
        assert_eq!(shop.items.iter().copied().collect::<Vec<_>>(), [(31, 20)]);
    }

    #[test]
    fn a_removed_category_takes_its_subtree_along() {
        let mut shop = shop();
        shop.remove_category(11);
        assert_eq!(shop.categories.keys().copied().collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn a_new_key_reaches_the_children() {
        let mut shop = shop();
        shop.rekey_product(20, 99);
        shop.rekey_order(30, 98);
        shop.rekey_category(11, 97);
        assert!(shop.items.contains(&(98, 99)) && shop.items.contains(&(31, 99)));
        assert_eq!(shop.categories[&12], Some(97));
    }

    #[test]
    fn a_category_is_within_all_that_is_above_it() {
        let shop = shop();
        assert!(shop.is_within(12, 10) && shop.is_within(10, 10));
        assert!(!shop.is_within(10, 12));
    }
}
