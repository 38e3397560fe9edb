//! What tests of several modules share.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The addresses of the local stack: the variables of `.stack/env` (another file if
/// `DISTRIBUTARY_STACK_ENV` names one), or of the environment where they are set.
///
/// # Panics
/// When there is no stack: tests that need a server fail without it, they are never skipped.
pub(crate) fn stack(name: &str) -> String {
    if let Ok(value) = std::env::var(name) {
        return value;
    }
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".stack/env");
    let path = std::env::var_os("DISTRIBUTARY_STACK_ENV").map_or_else(own, PathBuf::from);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut variables: HashMap<_, _> = lines.collect();
    let value = variables.remove(name);
    let value = value.unwrap_or_else(|| panic!("{name} is not set: run `make stack-up` first"));
    value.to_owned()
}
