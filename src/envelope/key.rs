//! The record key: which row a record is about.
//!
//! Its fields must be exactly the table's configured key, in any order: with one too few rows
//! could not be told apart, with one too many two rows would share an identity.

use std::sync::Arc;

use super::error::{DecodeError, Part};
use super::fields::Columns;
use super::rows::Image;
use super::schema::{Schemas, Type};
use super::shapes::{Known, refuse_duplicates};
use super::{TableName, text};
use crate::change::Row;
use crate::json::{Malformed, Scanner, has_lone_surrogate, syntax_error};

/// What Debezium's `ByLogicalTableRouter` adds to keys; no column.
const PHYSICAL_TABLE: &str = "__dbz__physicalTableIdentifier";

/// Reads the record keys of one table.
pub(super) struct KeyReader {
    /// The configured key columns.
    known: Arc<Known>,
    /// The fields of the last record key, in its order.
    expected: Arc<Known>,
    /// For each key column the position among those fields.
    positions: Vec<usize>,
    schemas: Schemas,
    /// Whether the last record key had a schema.
    wrapped: bool,
}

impl KeyReader {
    pub(super) fn new(columns: &[String]) -> Self {
        let known = Arc::new(Known::new(columns, |_| false));
        Self {
            expected: Arc::clone(&known),
            known,
            positions: (0..columns.len()).collect(),
            schemas: Schemas::default(),
            wrapped: false,
        }
    }

    /// Whether a column is one of the key.
    pub(super) fn has(&self, column: &str) -> bool {
        self.known.shape.position(column).is_some()
    }

    /// The row of the key columns.
    pub(super) fn read<'k>(
        &mut self,
        table: &TableName,
        key: &'k str,
    ) -> Result<Row<'k>, DecodeError> {
        let (columns, wrapped) = self.parse(table, key)?;
        self.wrapped = wrapped;
        self.row(table, columns)
    }

    /// The row of the key that a header of the last record names. Headers have a converter of their
    /// own, whose default writes no schema and not always JSON: a hint that may be unreadable.
    pub(super) fn read_header<'k>(&mut self, table: &TableName, key: &'k [u8]) -> Option<Row<'k>> {
        let key = text(Part::Key, key).ok()?;
        let (columns, wrapped) = self.parse(table, key).ok()?;
        self.wrapped |= wrapped;
        self.row(table, columns).ok()
    }

    /// The columns of the key and whether they have a schema, which is the current one then.
    fn parse<'k>(
        &mut self,
        table: &TableName,
        key: &'k str,
    ) -> Result<(Columns<'k>, bool), DecodeError> {
        if has_lone_surrogate(key) {
            return Err(DecodeError::LoneSurrogate(Part::Key));
        }
        let recognised = self.schemas.recognise(key);
        let columns = self.columns(table, (key, recognised.unwrap_or(key)))?;
        let Some(wrapper) = wrapper(&columns) else {
            return Ok((columns, recognised.is_some()));
        };
        self.schemas.learn(key, wrapper, Part::Key)?;
        Ok((self.columns(table, (key, wrapper.1))?, true))
    }

    fn row<'k>(&mut self, table: &TableName, columns: Columns<'k>) -> Result<Row<'k>, DecodeError> {
        if let Some(names) = &columns.names {
            refuse_duplicates(names, Part::Key)?;
            self.positions = self.locate(table, names)?;
            self.expected = Arc::new(Known::new(names, |_| false));
        }
        let types = match self.wrapped {
            true => self.schemas.types(&self.known),
            false => None,
        };
        let cells = match Arc::ptr_eq(&self.expected, &self.known) {
            true => columns.cells,
            false => {
                let positions = self.positions.iter();
                positions.map(|at| columns.cells[*at].clone()).collect()
            }
        };
        let mut image = Image {
            cells,
            known: Arc::clone(&self.known),
            types,
            // A text that looks like infinity would get the identity of another row.
            untyped: Type::Verbatim,
        };
        image.canonicalize(false)?;
        let row = image.row();
        let null = row.columns().find(|(_, value)| value.is_null());
        match null {
            None => Ok(row),
            Some((column, _)) => Err(DecodeError::KeyNull {
                table: table.to_string(),
                column: column.to_owned(),
            }),
        }
    }

    fn columns<'k>(
        &self,
        table: &TableName,
        (whole, part): (&'k str, &str),
    ) -> Result<Columns<'k>, DecodeError> {
        let wrong_form = || DecodeError::KeyForm {
            table: table.to_string(),
        };
        let mut scanner = Scanner::of_part(whole, part);
        let read = Columns::read(&mut scanner, &self.expected);
        match read.and_then(|columns| scanner.end().map(|()| columns)) {
            Ok(Some(columns)) => Ok(columns),
            Ok(None) => Err(DecodeError::NoKey {
                table: table.to_string(),
            }),
            Err(Malformed) => match syntax_error(part) {
                Some(detail) if part.trim_ascii_start().starts_with('{') => {
                    Err(DecodeError::Json {
                        part: Part::Key,
                        detail,
                    })
                }
                _ => Err(wrong_form()),
            },
        }
    }

    /// Where each key column stands among the fields of a record key.
    fn locate(&self, table: &TableName, names: &[String]) -> Result<Vec<usize>, DecodeError> {
        let shape = &self.known.shape;
        let extra = names
            .iter()
            .find(|name| shape.position(name).is_none() && *name != PHYSICAL_TABLE);
        let locate = |column: &str| {
            let position = names.iter().position(|name| name == column);
            position.ok_or_else(|| DecodeError::KeyColumn {
                table: table.to_string(),
                column: column.to_owned(),
            })
        };
        let positions = shape.names().map(locate).collect::<Result<_, _>>()?;
        match extra {
            None => Ok(positions),
            Some(column) => Err(DecodeError::KeyExtra {
                table: table.to_string(),
                column: column.clone(),
            }),
        }
    }
}

/// `schema` and `payload`, if the key is of the wrapped form.
fn wrapper<'c>(columns: &'c Columns<'_>) -> Option<(&'c str, &'c str)> {
    let names = columns.names.as_ref().filter(|names| names.len() == 2)?;
    let field = |field: &str| {
        let at = names.iter().position(|name| name == field)?;
        columns.cells[at].value().json()
    };
    field("schema").zip(field("payload"))
}
