//! From files, environment and command line to the tree, or to every mistake in them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::layer::{self, Layer};
use super::merged::Merged;
use super::mistake::{Mistake, Mistakes, Place, Severity};
use super::{Config, read};

/// Where the configuration comes from, the weakest first.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The files; a later one overrides an earlier one, key by key.
    pub files: Vec<PathBuf>,
    /// The environment: `DISTRIBUTARY__*` overrides the files, and `${NAME}` refers to it.
    pub environment: BTreeMap<String, OsString>,
    /// `path.to.key=value` from the command line, which overrides everything.
    pub assignments: Vec<String>,
}

/// A configuration that can be used, and what is doubtful in it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings, in the order in which they are written.
    pub warnings: Vec<Mistake>,
}

/// Loads and validates. Uses no network and reads no secret.
///
/// # Errors
/// Every mistake that was found, warnings among them.
pub fn load(inputs: &Inputs) -> Result<Loaded, Mistakes> {
    let layers = layers(inputs);
    if layers.iter().any(|layer| layer.is_broken) {
        return Err(Mistakes(
            layers
                .into_iter()
                .flat_map(|layer| layer.mistakes)
                .collect(),
        ));
    }
    let merged = Merged::merge(layers).map_err(unmergeable)?;
    let config = read::config(&merged);
    let mistakes = merged.into_mistakes();
    match config {
        Some(config) if mistakes.iter().all(|it| it.severity == Severity::Warning) => Ok(Loaded {
            config,
            warnings: mistakes,
        }),
        _ => Err(Mistakes(mistakes)),
    }
}

fn layers(inputs: &Inputs) -> Vec<Layer> {
    let variable = |name: &str| {
        let value = inputs.environment.get(name)?;
        value.to_str().map(str::to_owned)
    };
    let files = inputs.files.iter().map(|path| Layer::file(path, &variable));
    let variables = inputs
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_os_str()));
    let above = [
        layer::environment(variables),
        layer::command_line(&inputs.assignments),
    ];
    files.chain(above).collect()
}

/// Layers hold nothing that figment could refuse; should it, its words are all there is.
fn unmergeable(message: String) -> Mistakes {
    Mistakes(vec![Mistake {
        severity: Severity::Error,
        message,
        help: None,
        path: String::new(),
        place: Place::whole("configuration"),
    }])
}
