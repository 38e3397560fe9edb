//! The layers above the files: `DISTRIBUTARY__A__B=value` and `--set a.b=value`.
//!
//! Both keep the text they are given; figment's own environment provider guesses types.

use std::borrow::Cow;
use std::ffi::OsStr;

use figment::value::{Dict, Value};

use super::super::mistake::{Mistake, Place, Severity, masked, mentions_secret};
use super::super::read::KEYS;
use super::{Layer, Path, Segment, Spot};

const PREFIX: &str = "DISTRIBUTARY__";

/// The layer of the environment. Names are lower-cased; `__` goes one step into the tree.
pub(in crate::config) fn environment<'a>(
    variables: impl Iterator<Item = (&'a str, &'a OsStr)>,
) -> Layer {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        match (name.strip_prefix(PREFIX), value.to_str()) {
            (Some(path), Some(value)) => good.push(Assignment {
                segments: segments(path),
                name,
                value,
            }),
            (Some(_), None) => bad.push(no_text(name)),
            (None, _) => bad.extend(near_miss(name)),
        }
    }
    let mut layer = collect("environment", good.into_iter());
    layer.mistakes.extend(bad);
    layer
}

fn segments(path: &str) -> Vec<String> {
    let path = path.to_lowercase();
    let segments: Vec<String> = path.split("__").map(str::to_owned).collect();
    // librdkafka's names have dots, which most shells do not take in a variable's name.
    if let ["source", "properties", ..] = strs(&segments)[..] {
        let names = property(&segments, "__").into_iter();
        return names.map(|it| it.replace('_', ".")).collect();
    }
    segments
}

fn no_text(name: &str) -> Mistake {
    Mistake {
        severity: Severity::Error,
        message: format!("the value of `{name}` is no UTF-8 text"),
        help: None,
        path: String::new(),
        place: Place::whole("environment"),
    }
}

/// A variable that would override a key if it had one underscore more.
fn near_miss(name: &str) -> Option<Mistake> {
    let path = name.strip_prefix("DISTRIBUTARY_")?;
    let first = path.split("__").next()?.to_lowercase();
    KEYS.contains(&first.as_str()).then(|| Mistake {
        severity: Severity::Warning,
        message: format!("`{name}` overrides nothing"),
        help: Some(format!("write `{PREFIX}{path}`")),
        path: String::new(),
        place: Place::whole("environment"),
    })
}

/// The layer of `--set path=value`.
pub(in crate::config) fn command_line(assignments: &[String]) -> Layer {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for assignment in assignments {
        let Some((name, value)) = assignment.split_once('=') else {
            bad.push(sets_nothing(assignment));
            continue;
        };
        let mut segments: Vec<String> = name.split('.').map(str::to_owned).collect();
        if let ["source", "properties", ..] = strs(&segments)[..] {
            segments = property(&segments, ".");
        }
        good.push(Assignment {
            segments,
            name,
            value,
        });
    }
    let mut layer = collect("command line", good.into_iter());
    layer.mistakes.extend(bad);
    layer
}

fn sets_nothing(assignment: &str) -> Mistake {
    Mistake {
        severity: Severity::Error,
        message: format!("`--set {}` sets nothing", shown(assignment)),
        help: Some("write --set path.to.key=value".into()),
        path: String::new(),
        place: Place::whole("command line"),
    }
}

struct Assignment<'a> {
    segments: Vec<String>,
    name: &'a str,
    value: &'a str,
}

fn strs(segments: &[String]) -> Vec<&str> {
    segments.iter().map(String::as_str).collect()
}

/// Everything below `source.properties` is one key.
fn property(segments: &[String], separator: &str) -> Vec<String> {
    let (path, name) = segments.split_at(2);
    [path, &[name.join(separator)]].concat()
}

fn collect<'a>(origin: &str, assignments: impl Iterator<Item = Assignment<'a>>) -> Layer {
    let mut layer = Layer {
        origin: origin.to_owned(),
        ..Layer::default()
    };
    for assignment in assignments {
        let path = Path(
            assignment
                .segments
                .iter()
                .cloned()
                .map(Segment::Key)
                .collect(),
        );
        let spot = spot(origin, &assignment);
        if !insert(&mut layer.values, &assignment.segments, assignment.value) {
            layer.mistakes.push(Mistake {
                severity: Severity::Error,
                message: format!("`{path}` is set both as a value and as a mapping"),
                help: None,
                path: path.to_string(),
                place: spot.value.clone(),
            });
        }
        layer.spots.insert(path, spot);
    }
    layer
}

/// A text as it may be shown: a mapping in a text is read by nobody, who would know its secrets.
fn shown(text: &str) -> Cow<'_, str> {
    match mentions_secret(text) {
        true => masked(text).into(),
        false => text.into(),
    }
}

/// Shows an assignment as a line of its own.
fn spot(origin: &str, assignment: &Assignment<'_>) -> Spot {
    let Assignment { name, value, .. } = assignment;
    let place = |column, length| Place {
        origin: origin.to_owned(),
        line: 1,
        column,
        length,
        excerpt: format!("{name}={}", shown(value)),
    };
    let name_length = name.chars().count();
    Spot {
        key: Some(place(1, name_length)),
        value: place(name_length + 2, value.chars().count()),
    }
}

/// Whether `value` could be put there.
fn insert(values: &mut Dict, segments: &[String], value: &str) -> bool {
    let Some((first, rest)) = segments.split_first() else {
        return false;
    };
    if rest.is_empty() {
        let taken = values.insert(first.clone(), Value::from(value));
        return taken.is_none();
    }
    let below = values
        .entry(first.clone())
        .or_insert_with(|| Value::from(Dict::new()));
    match below {
        Value::Dict(_, below) => insert(below, rest, value),
        _ => false,
    }
}
