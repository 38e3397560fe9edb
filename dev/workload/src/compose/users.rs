//! Changes to users.

use crate::rows::{Statement, User, insert, statement};
use crate::shop::{Shop, pick};
use crate::{Kind, Random, text};

const REMOVE: &str = "DELETE FROM public.users WHERE id = $1";

pub(super) fn compose(kind: Kind, shop: &mut Shop, random: &mut Random) -> Option<Vec<Statement>> {
    if kind == Kind::AddUser {
        let id = shop.new_key(random);
        shop.users.insert(id);
        return Some(vec![insert(&[User::new(id, shop, random)])]);
    }
    let id = pick(random, shop.users.len(), |at| {
        shop.users.get_index(at).copied()
    })?;
    let rename = "UPDATE public.users SET name = $2 WHERE id = $1";
    Some(vec![match kind {
        Kind::RenameUser => statement!(rename, id, text::person(random)),
        Kind::LengthenUser => statement!(rename, id, text::long(random)),
        Kind::BlankUser => {
            statement!(
                "UPDATE public.users SET name = '', email = NULL WHERE id = $1",
                id
            )
        }
        Kind::TouchUser => {
            let email = format!("user{}@example.org", shop.next());
            statement!(
                "UPDATE public.users SET email = $2 WHERE id = $1",
                id,
                email
            )
        }
        Kind::RekeyUser => {
            let new = shop.new_key(random);
            shop.rekey_user(id, new);
            // `users` has the default replica identity, under which a key change does not carry a
            // wide name that stays as it is. A shop that wants its copies whole writes it again.
            statement!(
                "UPDATE public.users SET id = $2, name = name || '' WHERE id = $1",
                id,
                new
            )
        }
        Kind::RemoveUser => {
            shop.remove_user(id);
            statement!(REMOVE, id)
        }
        // Rolled back, so the shop keeps the user.
        _ => statement!(REMOVE, id),
    }])
}
