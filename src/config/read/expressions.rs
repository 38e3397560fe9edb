//! Checks key templates and conditions: they compile, and what they read can be known.

use super::super::Table;
use super::super::merged::{Node, Say};
use super::super::mistake::did_you_mean;
use crate::template::{Condition, KeyTemplate, Name, Scope, TemplateError};

/// Reads and checks a key template.
pub(super) fn template(node: &Node<'_>, table: Option<&Table>) -> Option<String> {
    let text = node.text()?;
    let compiled = KeyTemplate::compile(&text, name_of(table));
    let compiled = compiled.map_err(|error| refuse(node, &text, &error)).ok()?;
    check_names(node, &text, compiled.names(), table);
    Some(text)
}

/// Reads and checks a condition on a row: of a document, a node or a relationship.
pub(super) fn row_condition(node: &Node<'_>, table: Option<&Table>) -> Option<String> {
    let (text, condition) = condition(node, table)?;
    if condition.reads_op() {
        node.refuse(
            Say::from(
                "`op` says what happened last, and the condition decides whether the row as it is \
                 now belongs to the store: the same row would come and go with each change",
            )
            .help("leave `op` out"),
        );
        return None;
    }
    for Name { scope, column } in condition.names() {
        if !matches!(scope, Scope::Key | Scope::After) {
            let scope = scope.as_str();
            refuse_name(
                node,
                &text,
                &format!("{scope}.{column}"),
                Say::from(
                    "the condition decides whether the row as it is now belongs to the store",
                )
                .help(format!("write `after.{column}`")),
            );
            return None;
        }
    }
    Some(text)
}

/// Reads and checks a condition on a cache key.
pub(super) fn key_condition(node: &Node<'_>, table: Option<&Table>) -> Option<String> {
    condition(node, table).map(|(text, _)| text)
}

/// Whether a condition changed its mind can be told only from the old row, so every condition
/// needs full replica identity (D4).
fn condition(node: &Node<'_>, table: Option<&Table>) -> Option<(String, Condition)> {
    let text = node.text()?;
    let compiled = Condition::compile(&text, name_of(table));
    let compiled = compiled.map_err(|error| refuse(node, &text, &error)).ok()?;
    let names = compiled.names();
    check_names(node, &text, names, table);
    let reads_old = table.is_some_and(|it| names.iter().any(|name| reads_old_row(name, it)));
    if let Some(table) = table
        && !table.full_identity
        && !reads_old
    {
        let why = "a condition needs the whole row, and a change that leaves a large value alone \
                   comes without it";
        node.refuse(full_identity(why, table));
    }
    Some((text, compiled))
}

fn name_of(table: Option<&Table>) -> &str {
    table.map_or("", |table| &table.name)
}

fn check_names(node: &Node<'_>, text: &str, names: &[Name], table: Option<&Table>) {
    let Some(table) = table else { return };
    for name in names {
        let (scope, column) = (name.scope.as_str(), &name.column);
        let written = format!("{scope}.{column}");
        if name.scope == Scope::Key && !table.key.contains(column) {
            let hint = did_you_mean(column, table.key.iter().map(String::as_str));
            let say = format!(
                "`{column}` is no column of the key of `{}`{hint}",
                table.name
            );
            refuse_name(node, text, &written, say);
        }
        if reads_old_row(name, table) && !table.full_identity {
            refuse_name(
                node,
                text,
                &written,
                full_identity(&format!("`{written}` reads the old row"), table),
            );
        }
    }
}

/// The key's columns are in the record key, which is why `either` may read them anyway.
fn reads_old_row(name: &Name, table: &Table) -> bool {
    match name.scope {
        Scope::Before | Scope::Changed => true,
        Scope::Either => !table.key.contains(&name.column),
        Scope::Key | Scope::After => false,
    }
}

fn full_identity(why: &str, table: &Table) -> Say {
    let Table {
        name,
        schema,
        table,
        ..
    } = table;
    Say::from(format!(
        "{why}, and `{name}` is not declared with full replica identity"
    ))
    .help(format!(
        "run ALTER TABLE {schema}.{table} REPLICA IDENTITY FULL; and write `replica_identity: \
             full` at `tables.{name}`"
    ))
}

fn refuse(node: &Node<'_>, text: &str, error: &TemplateError) {
    if error.line == 1 && !text.contains('\n') {
        node.refuse_part(error.column - 1, 1, error.message.clone());
    } else {
        node.refuse(error.message.clone());
    }
}

fn refuse_name(node: &Node<'_>, text: &str, written: &str, say: impl Into<Say>) {
    match text.split_once(written) {
        Some((before, _)) => {
            node.refuse_part(before.chars().count(), written.chars().count(), say);
        }
        None => node.refuse(say),
    }
}
