//! Key templates: the name of what a row stands behind.

use std::error::Error as _;
use std::fmt;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, Value};
use smallvec::SmallVec;

use super::bind::{Cell, Reader, Side, View, sides};
use super::names::{Name, Names, Scope};
use super::value::{self, Fractions};
use super::{TemplateError, environment, trial, words};
use crate::change::Change;
use crate::projector::ProjectError;

/// A compiled key template such as `product:slug:{{ either.slug }}`.
pub struct KeyTemplate {
    renderer: Renderer,
    names: Names,
    reader: Reader,
}

/// How a template is rendered.
enum Renderer {
    /// Literals and plain columns alternate: by far the most templates, rendered without minijinja.
    Plain(Vec<Piece>),
    /// Everything else; the environment holds this one template.
    Full(Box<Environment<'static>>),
}

enum Piece {
    Literal(String),
    Column(Name),
}

const TEMPLATE: &str = "key";

const NOT_SCALAR: &str = "a list or an object cannot be part of a key: name one member of it";

impl KeyTemplate {
    /// Compiles a template for changes of `table` (the configured name, for errors).
    ///
    /// # Errors
    /// The first mistake, with its place in the text.
    pub fn compile(text: &str, table: &str) -> Result<Self, TemplateError> {
        let mut environment = environment();
        environment.set_formatter(print);
        environment
            .add_template_owned(TEMPLATE, String::from(text))
            .map_err(|error| TemplateError::of_minijinja(text, &error))?;
        let template = environment
            .get_template(TEMPLATE)
            .map_err(|error| TemplateError::of_minijinja(text, &error))?;
        let words = words::of_template(text);
        let names = Names::check(text, template.undeclared_variables(true), &words)?;
        trial::check(text, &names, |context| {
            let rendered = template.render(context).map(drop);
            rendered.or_else(|error| match unprintable(&error) {
                Some(Unprintable::Null) => Ok(()),
                _ => Err(error),
            })
        })?;
        let renderer =
            plain(text).map_or_else(|| Renderer::Full(Box::new(environment)), Renderer::Plain);
        Ok(Self {
            renderer,
            names,
            reader: Reader {
                table: String::from(table),
                what: format!("the key template `{text}`"),
            },
        })
    }

    /// The columns that it reads, each once.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.names.columns
    }

    /// The keys of a change: with `either` one for the old and one for the new row, otherwise one;
    /// equal ones once, those that print a null or are empty not at all.
    ///
    /// # Errors
    /// When a column is missing or unavailable, or the template fails on this row.
    pub fn keys(&self, change: &Change<'_>) -> Result<SmallVec<[String; 2]>, ProjectError> {
        let mut keys = SmallVec::new();
        if !self.names.uses(Scope::Either) {
            keys.extend(self.render(change, Side::New)?);
            return Ok(keys);
        }
        for side in sides(change) {
            if let Some(key) = self.render(change, side)?
                && !keys.contains(&key)
            {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    fn render(&self, change: &Change<'_>, side: Side) -> Result<Option<String>, ProjectError> {
        let view = View {
            change,
            side,
            reader: &self.reader,
        };
        let key = match &self.renderer {
            Renderer::Plain(pieces) => self.render_plain(pieces, view)?,
            Renderer::Full(environment) => self.render_full(environment, view)?,
        };
        Ok(key.filter(|key| !key.is_empty()))
    }

    fn render_plain(
        &self,
        pieces: &[Piece],
        view: View<'_>,
    ) -> Result<Option<String>, ProjectError> {
        // A key is rarely longer; one allocation then.
        let mut key = String::with_capacity(48);
        for piece in pieces {
            let name = match piece {
                Piece::Literal(literal) => {
                    key.push_str(literal);
                    continue;
                }
                Piece::Column(name) => name,
            };
            match view.cell(name)? {
                Cell::Bool(changed) => key.push_str(if changed { "true" } else { "false" }),
                Cell::Json("null") => return Ok(None),
                Cell::Json(json) if json.starts_with('"') => {
                    let text = value::text(json);
                    let text = text.ok_or_else(|| self.reader.unusable("a column is not JSON"))?;
                    key.push_str(&text);
                }
                Cell::Json(json) if json.starts_with(['[', '{']) => {
                    return Err(self.reader.unusable(NOT_SCALAR));
                }
                Cell::Json(json) => key.push_str(json),
            }
        }
        Ok(Some(key))
    }

    fn render_full(
        &self,
        environment: &Environment<'static>,
        view: View<'_>,
    ) -> Result<Option<String>, ProjectError> {
        let context = view.context(&self.names, Fractions::Text)?;
        let rendered = environment
            .get_template(TEMPLATE)
            .and_then(|template| template.render(context));
        rendered.map(Some).or_else(|error| {
            match unprintable(&error) {
                Some(Unprintable::Null) => Ok(None),
                Some(Unprintable::NotScalar) => Err(self.reader.unusable(NOT_SCALAR)),
                // minijinja's detail may quote values, its kind does not.
                None => Err(self.reader.unusable(error.kind().to_string())),
            }
        })
    }
}

impl fmt::Debug for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyTemplate")
            .field(&self.reader.what)
            .finish()
    }
}

/// Why a value cannot be printed into a key; travels as the source of minijinja's error.
#[derive(Debug, thiserror::Error)]
enum Unprintable {
    #[error("null")]
    Null,
    #[error("list or object")]
    NotScalar,
}

fn unprintable(error: &Error) -> Option<&Unprintable> {
    error.source()?.downcast_ref()
}

/// What `{{ … }}` prints: the same text that the plain renderer makes.
fn print(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let unprintable = |why| Err(Error::new(ErrorKind::InvalidOperation, "no key").with_source(why));
    let written = match value.kind() {
        ValueKind::None | ValueKind::Undefined => return unprintable(Unprintable::Null),
        ValueKind::Bool if value.is_true() => out.write_str("true"),
        ValueKind::Bool => out.write_str("false"),
        ValueKind::Number | ValueKind::String => write!(out, "{value}"),
        _ => return unprintable(Unprintable::NotScalar),
    };
    written.map_err(Error::from)
}

/// The pieces of a template that holds nothing but literals and plain columns.
fn plain(text: &str) -> Option<Vec<Piece>> {
    // A newline at the end, statements and comments are minijinja's business.
    if text.contains('\n') || text.contains("{%") || text.contains("{#") {
        return None;
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, tail)) = rest.split_once("{{") {
        let (expression, tail) = tail.split_once("}}")?;
        let (scope, column) = expression.trim().split_once('.')?;
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if column.is_empty() || !column.chars().all(name) {
            return None;
        }
        pieces.push(Piece::Literal(String::from(literal)));
        pieces.push(Piece::Column(Name {
            scope: Scope::parse(scope)?,
            column: String::from(column),
        }));
        rest = tail;
    }
    pieces.push(Piece::Literal(String::from(rest)));
    Some(pieces)
}
