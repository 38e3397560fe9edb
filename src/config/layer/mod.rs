//! One layer of the configuration: values as text, and where each of them was written.
//!
//! Every scalar stays the text that was written, because a guess of its type loses (`0123` would
//! become 123); the reader of a key knows what it wants. Layers are put on top of each other by
//! figment, which replaces lists as a whole.

mod assignment;
mod interpolate;
mod yaml;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path as FilePath, PathBuf};

use figment::value::{Dict, Map};
use figment::{Metadata, Profile, Provider};

pub(super) use assignment::{command_line, environment};

use super::mistake::{Mistake, Place, Severity};

/// One step into the tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// Into a mapping.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// The way from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Path(pub(super) Vec<Segment>);

impl Path {
    pub(super) fn key(&self, name: &str) -> Self {
        self.with(Segment::Key(name.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    pub(super) fn parent(&self) -> Self {
        let all_but_last = self.0.len().saturating_sub(1);
        Self(self.0[..all_but_last].to_vec())
    }

    fn with(&self, segment: Segment) -> Self {
        let mut path = self.clone();
        path.0.push(segment);
        path
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(name) if at == 0 => f.write_str(name)?,
                Segment::Key(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Where a value was written, and the key it was written under.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) key: Option<Place>,
    pub(super) value: Place,
}

/// One layer.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The file's name, `environment` or `command line`.
    pub(super) origin: String,
    /// What relative paths in this layer are relative to.
    pub(super) directory: PathBuf,
    values: Dict,
    spots: HashMap<Path, Spot>,
    /// What is wrong with its form.
    pub(super) mistakes: Vec<Mistake>,
    /// Whether more was said than could be read, so that what is missing means nothing.
    pub(super) is_broken: bool,
}

impl Layer {
    /// Reads a file and fills in `${NAME}`.
    pub(super) fn file(path: &FilePath, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let origin = path.display().to_string();
        let directory = path.parent().map(FilePath::to_owned).unwrap_or_default();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                return Self {
                    mistakes: vec![unreadable(&origin, &error)],
                    is_broken: true,
                    origin,
                    ..Self::default()
                };
            }
        };
        let parsed = yaml::parse(&origin, &text, variable);
        Self {
            origin,
            directory,
            values: parsed.values,
            spots: parsed.spots,
            mistakes: parsed.mistakes,
            is_broken: parsed.stopped,
        }
    }

    pub(super) fn spot(&self, path: &Path) -> Option<&Spot> {
        self.spots.get(path)
    }

    /// Some place below `path`; a layer of assignments has no places of mappings.
    pub(super) fn spot_below(&self, path: &Path) -> Option<&Spot> {
        let mut below = self
            .spots
            .iter()
            .filter(|(it, _)| it.0.starts_with(&path.0));
        below.next().map(|(_, spot)| spot)
    }
}

fn unreadable(origin: &str, error: &std::io::Error) -> Mistake {
    Mistake {
        severity: Severity::Error,
        message: format!("the configuration file cannot be read: {error}"),
        help: Some("name it with --config or DISTRIBUTARY_CONFIG".into()),
        path: String::new(),
        place: Place::whole(origin),
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}
