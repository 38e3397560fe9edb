//! Completes a partial body from another one.

use super::fields::{Body, BodyBuilder, MissingField};
use crate::change::label;
use crate::json::{Malformed, compact, each_member};

/// Appends to `known` those of the `missing` fields that `base`, the text of a JSON object, has;
/// answers the body and the fields that are still missing. Other fields of `base` are left behind:
/// they belong to columns that the row no longer has.
///
/// # Errors
/// When `base` is not a JSON object.
pub(crate) fn fill(
    known: &Body,
    missing: &[MissingField],
    base: &str,
) -> Result<(Body, Vec<MissingField>), Malformed> {
    let mut found: Vec<Option<&str>> = vec![None; missing.len()];
    each_member(base, |name, value| {
        let index = missing.iter().position(|missing| **missing == *name);
        if let Some(index) = index {
            found[index] = Some(value);
        }
    })?;
    let added: usize = found.iter().flatten().map(|value| value.len() + 64).sum();
    let mut body = BodyBuilder::with_fields_of(known, added);
    let mut still = Vec::new();
    for (name, value) in missing.iter().zip(found) {
        match value {
            Some(value) => body.push(&label(name), |text| text.push_str(&compact(value))),
            None => still.push(name.clone()),
        }
    }
    Ok((body.finish(), still))
}
