//! Changes to orders and their items: what makes and unmakes the paths of derived relationships.

use rand::Rng;

use super::products::product;
use crate::rows::{Item, Order, Statement, insert, statement};
use crate::shop::{Shop, pick};
use crate::{Kind, Random, text};

const REMOVE_ITEM: &str = "DELETE FROM public.order_items WHERE order_id = $1 AND product_id = $2";

/// Changes to orders.
pub(super) fn compose(kind: Kind, shop: &mut Shop, random: &mut Random) -> Option<Vec<Statement>> {
    if kind == Kind::PlaceOrder {
        return place(shop, random);
    }
    let id = order(shop, random)?;
    Some(vec![match kind {
        Kind::MoveOrder => {
            let user = user(shop, random)?;
            shop.orders.insert(id, user);
            statement!(
                "UPDATE public.orders SET user_id = $2 WHERE id = $1",
                id,
                user
            )
        }
        Kind::AdvanceOrder => {
            let status = ["paid", "shipped", "returned", "späť"][random.random_range(0..4)];
            let sql =
                "UPDATE public.orders SET status = $2, total = $3::text::numeric WHERE id = $1";
            statement!(sql, id, status, text::total(random))
        }
        Kind::RekeyOrder => {
            let new = shop.new_key(random);
            shop.rekey_order(id, new);
            statement!("UPDATE public.orders SET id = $2 WHERE id = $1", id, new)
        }
        _ => {
            shop.remove_order(id);
            statement!("DELETE FROM public.orders WHERE id = $1", id)
        }
    }])
}

/// Changes to order items.
pub(super) fn compose_item(
    kind: Kind,
    shop: &mut Shop,
    random: &mut Random,
) -> Option<Vec<Statement>> {
    if kind == Kind::AddItem {
        let key = (order(shop, random)?, product(shop, random)?);
        return shop
            .items
            .insert(key)
            .then(|| vec![insert(&[Item::new(key, random)])]);
    }
    let key = pick(random, shop.items.len(), |at| {
        shop.items.get_index(at).copied()
    })?;
    let remove = statement!(REMOVE_ITEM, key.0, key.1);
    Some(match kind {
        Kind::Requantify => {
            let sql = "UPDATE public.order_items SET quantity = $3
                WHERE order_id = $1 AND product_id = $2";
            vec![statement!(sql, key.0, key.1, random.random_range(0..100))]
        }
        Kind::ReplaceItem => vec![remove, insert(&[Item::new(key, random)])],
        Kind::RekeyItem => vec![rekey(key, shop, random)?],
        Kind::SwapItems => vec![swap(key, shop)?],
        _ => {
            shop.items.swap_remove(&key);
            vec![remove]
        }
    })
}

/// An order, its items and the event that tells of it, as a shop would write them: in one transaction.
fn place(shop: &mut Shop, random: &mut Random) -> Option<Vec<Statement>> {
    let user = user(shop, random)?;
    let id = shop.new_key(random);
    shop.orders.insert(id, user);
    let mut items = Vec::new();
    for _ in 0..random.random_range(0..5) {
        let key = (id, product(shop, random)?);
        if shop.items.insert(key) {
            items.push(Item::new(key, random));
        }
    }
    let payload = serde_json::json!({"order": id, "user": user, "note": text::person(random)});
    let event = statement!(
        "INSERT INTO public.outbox (id, aggregate_type, aggregate_id, event_type, payload)
         VALUES ($1::text::uuid, 'order', $2, 'placed', $3::text::jsonb)",
        format!("{:032x}", shop.next()),
        id.to_string(),
        payload.to_string(),
    );
    Some(vec![
        insert(&[Order::new(id, user, shop, random)]),
        insert(&items),
        event,
    ])
}

/// The item's product becomes another: a change of one column of a composite key.
fn rekey(key: (i64, i64), shop: &mut Shop, random: &mut Random) -> Option<Statement> {
    let new = (key.0, product(shop, random)?);
    if !shop.items.insert(new) {
        return None;
    }
    shop.items.swap_remove(&key);
    let sql =
        "UPDATE public.order_items SET product_id = $3 WHERE order_id = $1 AND product_id = $2";
    Some(statement!(sql, key.0, key.1, new.1))
}

/// The item and another one of its order exchange their keys; the set of keys stays what it is.
fn swap(key: (i64, i64), shop: &Shop) -> Option<Statement> {
    let other = shop
        .items
        .iter()
        .find(|item| item.0 == key.0 && item.1 != key.1)?;
    let sql = "UPDATE public.order_items
        SET product_id = CASE product_id WHEN $2 THEN $3 ELSE $2 END
        WHERE order_id = $1 AND product_id IN ($2, $3)";
    Some(statement!(sql, key.0, key.1, other.1))
}

fn order(shop: &Shop, random: &mut Random) -> Option<i64> {
    pick(random, shop.orders.len(), |at| {
        shop.orders.get_index(at).map(|(id, _)| *id)
    })
}

fn user(shop: &Shop, random: &mut Random) -> Option<i64> {
    pick(random, shop.users.len(), |at| {
        shop.users.get_index(at).copied()
    })
}
