//! A short fault run on a stack of its own, with the program that the tests are built with.

use std::path::Path;
use std::process::Command;

#[test]
fn after_a_short_fault_run_nothing_differs_and_no_invariant_is_violated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let run = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args(["--seed", "7", "--duration", "45s"])
        .current_dir(root)
        .status();
    assert!(run.expect("the command starts").success());
}
