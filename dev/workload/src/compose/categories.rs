//! Changes to categories.

use rand::Rng;

use crate::rows::{Category, Statement, insert, statement};
use crate::shop::{Shop, pick};
use crate::{Kind, Random, text};

pub(super) fn compose(kind: Kind, shop: &mut Shop, random: &mut Random) -> Option<Vec<Statement>> {
    if kind == Kind::AddCategory {
        let parent = parent(shop, random);
        let id = shop.new_key(random);
        shop.categories.insert(id, parent);
        let row = Category {
            id,
            parent_id: parent,
            name: text::title(random),
        };
        return Some(vec![insert(&[row])]);
    }
    let id = category(shop, random)?;
    Some(vec![match kind {
        Kind::RenameCategory => {
            let name = text::title(random);
            statement!(
                "UPDATE public.categories SET name = $2 WHERE id = $1",
                id,
                name
            )
        }
        Kind::MoveCategory => {
            let parent = parent(shop, random).filter(|&parent| !shop.is_within(parent, id));
            shop.categories.insert(id, parent);
            statement!(
                "UPDATE public.categories SET parent_id = $2 WHERE id = $1",
                id,
                parent
            )
        }
        Kind::RekeyCategory => {
            let new = shop.new_key(random);
            shop.rekey_category(id, new);
            statement!(
                "UPDATE public.categories SET id = $2 WHERE id = $1",
                id,
                new
            )
        }
        _ => {
            shop.remove_category(id);
            statement!("DELETE FROM public.categories WHERE id = $1", id)
        }
    }])
}

/// A live category.
pub(super) fn category(shop: &Shop, random: &mut Random) -> Option<i64> {
    pick(random, shop.categories.len(), |at| {
        shop.categories.get_index(at).map(|(id, _)| *id)
    })
}

/// A live category, or now and then none.
pub(super) fn parent(shop: &Shop, random: &mut Random) -> Option<i64> {
    category(shop, random).filter(|_| !random.random_ratio(1, 6))
}
