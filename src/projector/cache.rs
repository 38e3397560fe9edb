//! The cache model: which keys of a cache a change makes stale.
//!
//! A cache holds copies that somebody else wrote, so there is nothing to update: a key either goes
//! or stays. No version is kept in the store, because taking a key away twice only costs a miss.

use std::sync::Arc;

use super::{Mutation, ProjectError, Projector};
use crate::change::{Change, ProjectionId, Version};
use crate::config::Cache;
use crate::template::{Condition, KeyTemplate, TemplateError};

/// One key that has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    key: Arc<str>,
    version: Version,
    projection: ProjectionId,
}

impl Mutation for CacheKey {
    type Key = Arc<str>;

    fn key(&self) -> &Arc<str> {
        &self.key
    }

    fn version(&self) -> Version {
        self.version
    }

    fn projection(&self) -> ProjectionId {
        self.projection
    }

    fn merge(&mut self, newer: Self) {
        *self = newer;
    }

    fn bytes(&self) -> usize {
        // A bulk string of Redis' protocol has its length and two line ends around it.
        self.key.len() + 12
    }
}

/// Turns the changes of one table into the keys of one cache projection.
#[derive(Debug)]
pub struct CacheProjector {
    projection: ProjectionId,
    invalidations: Vec<(KeyTemplate, Option<Condition>)>,
}

impl CacheProjector {
    /// Compiles a projection on changes of `table` (as SQL names it, for errors).
    ///
    /// # Errors
    /// The first mistake in a template or condition; validation has found it before.
    pub fn new(
        projection: ProjectionId,
        config: &Cache,
        table: &str,
    ) -> Result<Self, TemplateError> {
        let invalidations = config.invalidate.iter().map(|invalidation| {
            let when = invalidation.when.as_deref();
            let when = when
                .map(|when| Condition::compile(when, table))
                .transpose()?;
            Ok((KeyTemplate::compile(&invalidation.key, table)?, when))
        });
        Ok(Self {
            projection,
            invalidations: invalidations.collect::<Result<_, _>>()?,
        })
    }
}

impl Projector for CacheProjector {
    type Mutation = CacheKey;

    fn project(&self, change: &Change<'_>, out: &mut Vec<CacheKey>) -> Result<(), ProjectError> {
        let first = out.len();
        for (template, when) in &self.invalidations {
            if let Some(when) = when
                && !when.holds_for_either(change)?
            {
                continue;
            }
            for key in template.keys(change)? {
                // A change makes a handful of keys: looking through them is faster than a set.
                let known = |it: &CacheKey| *it.key == *key;
                if !out.iter().skip(first).any(known) {
                    out.push(CacheKey {
                        key: key.into(),
                        version: change.version,
                        projection: self.projection,
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::change::{Op, Row, TableId};
    use crate::config::Invalidation;

    const ID: ProjectionId = ProjectionId(3);

    /// A projection that takes these keys away, each under its condition.
    pub(crate) fn projector(
        projection: ProjectionId,
        invalidate: &[(&str, Option<&str>)],
    ) -> CacheProjector {
        let invalidate = invalidate.iter().map(|(key, when)| Invalidation {
            key: String::from(*key),
            when: when.map(String::from),
        });
        let config = Cache {
            from: TableId(0),
            invalidate: invalidate.collect(),
        };
        CacheProjector::new(projection, &config, "products").unwrap()
    }

    fn product<'a>(slug: &'a str, category: &'a str, featured: &'a str) -> Row<'static> {
        Row::from_pairs(&[
            ("slug", slug),
            ("category_id", category),
            ("is_featured", featured),
        ])
    }

    fn change(
        op: Op,
        before: Option<Row<'static>>,
        after: Option<Row<'static>>,
    ) -> Change<'static> {
        Change {
            table: TableId(0),
            op,
            key: Row::from_pairs(&[("id", "7")]),
            before,
            after,
            moved_from: None,
            version: Version::new(0, 42),
            committed_at_ms: 0,
        }
    }

    /// The example's projection.
    fn keys(change: &Change<'_>) -> Vec<String> {
        let projector = projector(
            ID,
            &[
                ("product:{{ key.id }}", None),
                ("product:slug:{{ either.slug }}", None),
                ("category:{{ either.category_id }}:products", None),
                ("products:featured", Some("either.is_featured")),
            ],
        );
        let mut out = Vec::new();
        projector.project(change, &mut out).unwrap();
        assert!(out.iter().all(|it| it.version() == change.version));
        assert!(out.iter().all(|it| it.projection() == ID));
        out.iter().map(|it| it.key().to_string()).collect()
    }

    #[test]
    fn an_update_makes_the_keys_of_the_old_and_the_new_row_stale() {
        let old = product(r#""lamp""#, "1", "true");
        let new = product(r#""lantern""#, "1", "false");
        assert_eq!(
            keys(&change(Op::Update, Some(old), Some(new))),
            [
                "product:7",
                "product:slug:lamp",
                "product:slug:lantern",
                "category:1:products",
                "products:featured",
            ]
        );
    }

    #[test]
    fn a_delete_makes_the_keys_of_the_old_row_stale_and_a_null_makes_none() {
        let old = product(r#""lamp""#, "null", "false");
        assert_eq!(
            keys(&change(Op::Delete, Some(old), None)),
            ["product:7", "product:slug:lamp"]
        );
    }

    #[test]
    fn a_row_that_leaves_its_key_to_another_makes_the_keys_of_its_values_stale() {
        let old = product(r#""lamp""#, "null", "false");
        assert_eq!(
            keys(&change(Op::Leave, Some(old), None)),
            ["product:7", "product:slug:lamp"]
        );
    }

    #[test]
    fn a_snapshot_read_makes_the_keys_of_its_row_stale() {
        let row = product(r#""lamp""#, "2", "null");
        assert_eq!(
            keys(&change(Op::Read, None, Some(row))),
            ["product:7", "product:slug:lamp", "category:2:products"]
        );
    }

    #[test]
    fn one_key_of_two_templates_is_one_mutation() {
        let projector = projector(ID, &[("p:{{ key.id }}", None), ("p:{{ after.n }}", None)]);
        let row = Row::from_pairs(&[("n", "7")]);
        let mut out = Vec::new();
        let change = change(Op::Create, None, Some(row));
        projector.project(&change, &mut out).unwrap();
        assert_eq!(out.len(), 1);
        // What another change asked for is not this one's to skip.
        projector.project(&change, &mut out).unwrap();
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn of_two_waiting_mutations_the_newer_one_stands() {
        let projector = projector(ID, &[("p:{{ key.id }}", None)]);
        let mut out = Vec::new();
        let older = change(Op::Create, None, Some(Row::from_pairs(&[])));
        let newer = Change {
            version: Version::new(0, 43),
            ..change(Op::Delete, None, None)
        };
        projector.project(&older, &mut out).unwrap();
        projector.project(&newer, &mut out).unwrap();
        let newer = out.pop().unwrap();
        let mut waiting = out.pop().unwrap();
        waiting.merge(newer);
        assert_eq!(waiting.version(), Version::new(0, 43));
    }
}
