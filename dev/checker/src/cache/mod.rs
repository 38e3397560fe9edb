//! Redis: the cache of an application that reads through to Postgres.
//!
//! The program only ever removes keys; the values are written by the application, played here by
//! [`Reader`]. A value that is present must be what Postgres would give now, also where that is
//! nothing: an application remembers that a page does not exist.

mod key;
mod reader;

use anyhow::Result;
use redis::AsyncCommands;

pub use key::CacheKey;
pub use reader::Reader;

use crate::report::{Fault, Section};
use crate::targets::Stores;

/// Keys asked for at once.
const PAGE: usize = 500;

/// Compares every value in the cache.
pub(crate) async fn compare(stores: &Stores) -> Result<Section> {
    let mut section = Section::new("redis", "cached keys", "");
    let mut connection = stores.redis.clone();
    let mut cursor = 0_u64;
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("COUNT")
            .arg(PAGE)
            .query_async(&mut connection)
            .await?;
        if !keys.is_empty() {
            let values: Vec<Option<Vec<u8>>> = connection.mget(&keys).await?;
            for (key, value) in keys.iter().zip(values) {
                compare_one(stores, &mut section, key, value).await?;
            }
        }
        if next == 0 {
            return Ok(section);
        }
        cursor = next;
    }
}

/// A key without a value has expired since it was listed.
async fn compare_one(
    stores: &Stores,
    section: &mut Section,
    key: &[u8],
    value: Option<Vec<u8>>,
) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let name = String::from_utf8_lossy(key);
    section.found += 1;
    let Some(key) = std::str::from_utf8(key).ok().and_then(CacheKey::parse) else {
        section.add(
            Fault::Extra,
            name,
            vec!["the application writes no such key".to_owned()],
        );
        return Ok(());
    };
    section.expected += 1;
    let expected = key.content(&stores.postgres).await?;
    if expected.as_bytes() != value {
        let found = String::from_utf8_lossy(&value);
        let details = vec![
            format!("expected {expected:.200}"),
            format!("found    {found:.200}"),
        ];
        section.add(Fault::Wrong, name, details);
    }
    Ok(())
}
