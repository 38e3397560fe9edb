//! What the tests project into their graphs.

use std::sync::LazyLock;

use distributary::config::{
    Derived, Node, NodePattern, ProjectionKind, Property, Relationship, Step,
};

use super::rows::{ITEMS, ORDERS, PRODUCTS, USERS};

/// The shop's.
pub(super) fn shop(prefix: &str) -> Vec<(String, ProjectionKind)> {
    let label = |name: &str| format!("{prefix}{name}");
    let pattern = |name: &str, key: &[&str], others: &[&str]| NodePattern {
        label: label(name),
        key: properties(key),
        properties: properties(others),
    };
    let node = |from, name: &str, others: &[&str]| {
        ProjectionKind::Node(Node {
            from,
            node: pattern(name, &["id"], others),
            when: None,
        })
    };
    let relationship = |from, kind: &str, [start, end]: [NodePattern; 2], others: &[&str]| {
        ProjectionKind::Relationship(Relationship {
            from,
            start,
            kind: label(kind),
            properties: properties(others),
            end,
            when: None,
        })
    };
    let [placed, contains, knows] = ends(prefix);
    let derived = purchased(prefix);
    let all = [
        ("user-node", node(USERS, "User", &["name", "bio"])),
        (
            "product-node",
            node(PRODUCTS, "Product", &["name", "price"]),
        ),
        ("order-node", node(ORDERS, "Order", &["status"])),
        ("knows", relationship(USERS, "KNOWS", knows, &[])),
        ("placed", relationship(ORDERS, "PLACED", placed, &[])),
        (
            "contains",
            relationship(ITEMS, "CONTAINS", contains, &["quantity", "note"]),
        ),
        ("purchased", derived),
    ];
    all.into_iter()
        .map(|(name, kind)| (label(name), kind))
        .collect()
}

/// Nodes whose key is two columns, and which have no property besides.
pub(super) fn items(prefix: &str) -> Vec<(String, ProjectionKind)> {
    let node = ProjectionKind::Node(Node {
        from: ITEMS,
        node: NodePattern {
            label: format!("{prefix}Item"),
            key: properties(&["order_id", "product_id"]),
            properties: Vec::new(),
        },
        when: None,
    });
    vec![(format!("{prefix}item-node"), node)]
}

/// Who bought which product.
fn purchased(prefix: &str) -> ProjectionKind {
    let label = |name: &str| format!("{prefix}{name}");
    let step = |from: &str, kind: &str, to: &str| Step {
        from: label(from),
        kind: label(kind),
        to: label(to),
    };
    ProjectionKind::Derived(Derived {
        start: label("User"),
        kind: label("PURCHASED"),
        end: label("Product"),
        path: vec![
            step("User", "PLACED", "Order"),
            step("Order", "CONTAINS", "Product"),
        ],
    })
}

/// The ends of the shop's relationships: PLACED, CONTAINS, KNOWS.
fn ends(prefix: &str) -> [[NodePattern; 2]; 3] {
    let end = |name: &str, key: &str| NodePattern {
        label: format!("{prefix}{name}"),
        key: properties(&[key]),
        properties: Vec::new(),
    };
    [
        [end("User", "id: user_id"), end("Order", "id")],
        [
            end("Order", "id: order_id"),
            end("Product", "id: product_id"),
        ],
        [end("User", "id"), end("User", "id: friend_id")],
    ]
}

pub(super) fn properties(names: &[&str]) -> Vec<Property> {
    let property = |text: &&str| {
        let (name, column) = text.split_once(": ").unwrap_or((text, text));
        Property {
            name: name.into(),
            column: column.into(),
        }
    };
    names.iter().map(property).collect()
}

/// The columns of the table's key.
pub(super) fn key_of(kind: &ProjectionKind) -> &'static [String] {
    static KEYS: LazyLock<[Vec<String>; 2]> = LazyLock::new(|| {
        [&["id"][..], &["order_id", "product_id"]]
            .map(|key| key.iter().map(ToString::to_string).collect())
    });
    match kind.from() {
        None => &[],
        Some(ITEMS) => &KEYS[1],
        Some(_) => &KEYS[0],
    }
}
