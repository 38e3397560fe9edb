//! Turns a kind of change into statements, and keeps the shop's keys in step with them.
//!
//! Composing touches no database. `None` means that the shop has no row such a change could be made
//! to, and another kind is drawn.

mod categories;
mod orders;
mod products;
mod users;

use crate::rows::Statement;
use crate::shop::Shop;
use crate::{Kind, Random};

/// The statements of one change: one transaction.
pub(crate) fn compose(kind: Kind, shop: &mut Shop, random: &mut Random) -> Option<Vec<Statement>> {
    use Kind as K;
    match kind {
        K::AddUser
        | K::RenameUser
        | K::BlankUser
        | K::LengthenUser
        | K::TouchUser
        | K::RemoveUser
        | K::RekeyUser
        | K::Abandon => users::compose(kind, shop, random),
        K::AddCategory
        | K::RenameCategory
        | K::MoveCategory
        | K::RemoveCategory
        | K::RekeyCategory => categories::compose(kind, shop, random),
        K::AddProduct
        | K::Reprice
        | K::Restock
        | K::Describe
        | K::Retitle
        | K::Publish
        | K::Feature
        | K::Characterise
        | K::MoveProduct
        | K::Reslug
        | K::BlankProduct => products::compose(kind, shop, random),
        K::RekeyProduct | K::RemoveProduct | K::ReinsertProduct | K::Sale => {
            products::compose_whole(kind, shop, random)
        }
        K::PlaceOrder | K::MoveOrder | K::AdvanceOrder | K::RemoveOrder | K::RekeyOrder => {
            orders::compose(kind, shop, random)
        }
        K::AddItem
        | K::Requantify
        | K::RemoveItem
        | K::ReplaceItem
        | K::RekeyItem
        | K::SwapItems => orders::compose_item(kind, shop, random),
    }
}
