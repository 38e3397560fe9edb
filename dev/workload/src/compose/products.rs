//! Changes to products.
//!
//! Every update moves `updated_at` by the shop's own clock, so that a seed makes the same rows.

use rand::Rng;

use super::categories::{category, parent};
use crate::rows::{Product, Statement, insert, statement, status};
use crate::shop::{Shop, pick};
use crate::{Kind, Random, text};

const REMOVE: &str = "DELETE FROM public.products WHERE id = $1";

/// `UPDATE … SET <columns>, updated_at = <$2 microseconds>` of the product `$1`.
macro_rules! update {
    ($columns:literal) => {
        concat!(
            "UPDATE public.products SET ",
            $columns,
            ", updated_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond' WHERE id = $1"
        )
    };
}

/// Changes to the columns of one product.
pub(super) fn compose(kind: Kind, shop: &mut Shop, random: &mut Random) -> Option<Vec<Statement>> {
    if kind == Kind::AddProduct {
        let (id, category) = (shop.new_key(random), parent(shop, random));
        shop.products.insert(id);
        return Some(vec![insert(&[Product::new(id, category, shop, random)])]);
    }
    let id = product(shop, random)?;
    let now = shop.now_us();
    Some(vec![match kind {
        Kind::Reprice => {
            let base = text::price(random);
            let sql = update!("price = least($3::text::numeric + 0.1 + 0.2, 9999999999.99)");
            statement!(sql, id, now, base)
        }
        Kind::Restock => statement!(update!("stock = $3"), id, now, text::stock(random)),
        Kind::Describe => statement!(update!("description = $3"), id, now, text::long(random)),
        Kind::Retitle => statement!(update!("name = $3"), id, now, text::title(random)),
        Kind::Publish => statement!(update!("status = $3"), id, now, status(random)),
        Kind::Feature => {
            let featured = random.random_ratio(1, 3);
            statement!(update!("is_featured = $3"), id, now, featured)
        }
        Kind::Characterise => {
            let json = text::attributes(random);
            statement!(update!("attributes = $3::text::jsonb"), id, now, json)
        }
        Kind::MoveProduct => {
            let category = parent(shop, random);
            statement!(update!("category_id = $3"), id, now, category)
        }
        Kind::Reslug => {
            let slug = text::slug(random, shop.next());
            statement!(update!("slug = $3"), id, now, slug)
        }
        _ => {
            let sql = update!(
                "name = '', description = '', brand = NULL, tags = '{}', price = NULL,
                 attributes = 'null'"
            );
            statement!(sql, id, now)
        }
    }])
}

/// Changes to a product as a whole, or to many.
pub(super) fn compose_whole(
    kind: Kind,
    shop: &mut Shop,
    random: &mut Random,
) -> Option<Vec<Statement>> {
    if kind == Kind::Sale {
        return sale(shop, random);
    }
    let id = product(shop, random)?;
    Some(match kind {
        Kind::RekeyProduct => {
            let new = shop.new_key(random);
            shop.rekey_product(id, new);
            vec![statement!(
                "UPDATE public.products SET id = $2 WHERE id = $1",
                id,
                new
            )]
        }
        Kind::ReinsertProduct => {
            shop.remove_product(id);
            shop.products.insert(id);
            let category = parent(shop, random);
            vec![
                statement!(REMOVE, id),
                insert(&[Product::new(id, category, shop, random)]),
            ]
        }
        _ => {
            shop.remove_product(id);
            vec![statement!(REMOVE, id)]
        }
    })
}

/// Every product of up to three categories becomes dearer, in one statement.
fn sale(shop: &mut Shop, random: &mut Random) -> Option<Vec<Statement>> {
    let mut categories = vec![category(shop, random)?];
    categories.extend((0..2).filter_map(|_| category(shop, random)));
    let sql = "UPDATE public.products SET price = least(price + 0.1 + 0.2, 9999999999.99),
        updated_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
        WHERE category_id = ANY($1)";
    Some(vec![statement!(sql, categories, shop.now_us())])
}

/// A live product.
pub(super) fn product(shop: &Shop, random: &mut Random) -> Option<i64> {
    pick(random, shop.products.len(), |at| {
        shop.products.get_index(at).copied()
    })
}
