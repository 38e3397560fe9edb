//! The shop's tables and changes of their rows.

use distributary::change::{Change, Op, Row, TableId, Version};

pub(super) const USERS: TableId = TableId(0);
pub(super) const PRODUCTS: TableId = TableId(1);
pub(super) const ORDERS: TableId = TableId(2);
pub(super) const ITEMS: TableId = TableId(3);

/// Above all versions that other tests delete at: a row of about this version has few tombstones
/// that are newer.
pub(super) const HIGH: i64 = 1 << 40;

/// A change of a row: `None` of `after` deletes it. Columns given as `?` were not sent.
pub(super) fn change(
    (table, op): (TableId, Op),
    version: i64,
    key: &[(&str, &str)],
    after: Option<&[(&str, &str)]>,
) -> Change<'static> {
    Change {
        table,
        op,
        key: Row::from_pairs(key),
        before: None,
        after: after.map(row),
        moved_from: None,
        version: Version::new(0, version),
        committed_at_ms: 0,
    }
}

fn row(pairs: &[(&str, &str)]) -> Row<'static> {
    let columns = pairs
        .iter()
        .map(|&(name, json)| (name, (json != "?").then_some(json)));
    Row::of(&columns.collect::<Vec<_>>())
}

pub(super) fn user(version: i64, id: &str, name: &str) -> Change<'static> {
    user_with_friend(version, id, name, "null")
}

pub(super) fn befriended(version: i64, id: &str, friend: &str) -> Change<'static> {
    user_with_friend(version, id, "null", friend)
}

fn user_with_friend(version: i64, id: &str, name: &str, friend: &str) -> Change<'static> {
    let after = user_row(id, name, "null", friend);
    change((USERS, Op::Update), version, &[("id", id)], Some(&after))
}

/// The columns of a user.
pub(super) fn user_row<'a>(
    id: &'a str,
    name: &'a str,
    bio: &'a str,
    friend: &'a str,
) -> [(&'a str, &'a str); 4] {
    [
        ("id", id),
        ("name", name),
        ("bio", bio),
        ("friend_id", friend),
    ]
}

pub(super) fn product(version: i64, id: &str) -> Change<'static> {
    let after = [("id", id), ("name", "\"thing\""), ("price", "\"0.10\"")];
    change((PRODUCTS, Op::Update), version, &[("id", id)], Some(&after))
}

pub(super) fn order(version: i64, id: &str, user_id: &str) -> Change<'static> {
    let after = [("id", id), ("user_id", user_id), ("status", "\"new\"")];
    change((ORDERS, Op::Update), version, &[("id", id)], Some(&after))
}

pub(super) fn item(version: i64, order_id: &str, product_id: &str) -> Change<'static> {
    let key = [("order_id", order_id), ("product_id", product_id)];
    let after = [key[0], key[1], ("quantity", "1"), ("note", "null")];
    change((ITEMS, Op::Update), version, &key, Some(&after))
}

pub(super) fn deleted(version: i64, table: TableId, key: &[(&str, &str)]) -> Change<'static> {
    change((table, Op::Delete), version, key, None)
}
