//! The kinds of change and how often each comes up.

/// One kind of change; each is a transaction of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A user signs up, now and then with a key beyond 2^53 and an awkward name.
    AddUser,
    /// A user's name changes.
    RenameUser,
    /// A user's name becomes empty and the e-mail address null.
    BlankUser,
    /// A user's name becomes random text of over 8 kB, which Postgres stores out of line.
    LengthenUser,
    /// Only the e-mail address changes: a long name is left alone and not logged by Postgres.
    TouchUser,
    /// A user goes, with orders and order items.
    RemoveUser,
    /// A user's primary key changes, and the name is written again; the orders follow.
    RekeyUser,
    /// A category appears, at the top or below another.
    AddCategory,
    /// A category's name changes.
    RenameCategory,
    /// A category moves to another parent, or to the top.
    MoveCategory,
    /// A category goes with its subtree; its products stay, in none.
    RemoveCategory,
    /// A category's primary key changes; subcategories and products follow.
    RekeyCategory,
    /// A product appears.
    AddProduct,
    /// A price changes by 0.1 + 0.2.
    Reprice,
    /// The stock becomes a number that a double cannot hold.
    Restock,
    /// The description becomes random text of over 8 kB.
    Describe,
    /// The name changes and the long description is left alone.
    Retitle,
    /// A product is drafted, published or archived.
    Publish,
    /// A product is put on the front page, or taken off.
    Feature,
    /// The JSON attributes change.
    Characterise,
    /// A product changes category, or leaves all.
    MoveProduct,
    /// A product's slug changes.
    Reslug,
    /// Everything that may be empty becomes empty or null.
    BlankProduct,
    /// A product's primary key changes; the order items follow.
    RekeyProduct,
    /// A product goes, with its order items.
    RemoveProduct,
    /// A product is deleted and inserted again under the same key in one transaction.
    ReinsertProduct,
    /// All products of a few categories change price in one statement.
    Sale,
    /// An order with items and an outbox row, in one transaction.
    PlaceOrder,
    /// A product is added to an order.
    AddItem,
    /// A quantity changes.
    Requantify,
    /// A product is taken out of an order.
    RemoveItem,
    /// An order item is deleted and inserted again in one transaction.
    ReplaceItem,
    /// An order item's product, part of its key, changes.
    RekeyItem,
    /// An order changes hands.
    MoveOrder,
    /// An order's status and total change.
    AdvanceOrder,
    /// An order goes, with its items.
    RemoveOrder,
    /// An order's primary key changes; the items follow.
    RekeyOrder,
    /// Two items of an order swap their keys.
    SwapItems,
    /// A transaction that is rolled back: nothing may be seen of it.
    Abandon,
}

impl Kind {
    /// Every kind with its weight. Additions outweigh removals, so that the shop does not die out.
    pub const WEIGHTS: [(Self, u32); 39] = [
        (Self::AddUser, 7),
        (Self::RenameUser, 5),
        (Self::BlankUser, 1),
        (Self::LengthenUser, 1),
        (Self::TouchUser, 6),
        (Self::RemoveUser, 3),
        (Self::RekeyUser, 2),
        (Self::AddCategory, 4),
        (Self::RenameCategory, 2),
        (Self::MoveCategory, 3),
        (Self::RemoveCategory, 1),
        (Self::RekeyCategory, 1),
        (Self::AddProduct, 9),
        (Self::Reprice, 10),
        (Self::Restock, 5),
        (Self::Describe, 3),
        (Self::Retitle, 4),
        (Self::Publish, 6),
        (Self::Feature, 4),
        (Self::Characterise, 4),
        (Self::MoveProduct, 5),
        (Self::Reslug, 3),
        (Self::BlankProduct, 2),
        (Self::RekeyProduct, 2),
        (Self::RemoveProduct, 3),
        (Self::ReinsertProduct, 2),
        (Self::Sale, 1),
        (Self::PlaceOrder, 14),
        (Self::AddItem, 9),
        (Self::Requantify, 5),
        (Self::RemoveItem, 6),
        (Self::ReplaceItem, 3),
        (Self::RekeyItem, 3),
        (Self::MoveOrder, 3),
        (Self::AdvanceOrder, 8),
        (Self::RemoveOrder, 3),
        (Self::RekeyOrder, 2),
        (Self::SwapItems, 2),
        (Self::Abandon, 1),
    ];
}
