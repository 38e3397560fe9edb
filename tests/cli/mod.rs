//! The command line as a shell sees it: exit codes, and what goes to which stream.

mod offsets;
mod run;

use std::path::Path;
use std::process::{Command, Output};

fn distributary(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_distributary"))
        .current_dir(directory)
        .args(arguments)
        .env_remove("DISTRIBUTARY_CONFIG")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn example() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ecommerce"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Everything it has said, to whichever stream.
fn said(output: &Output) -> String {
    [text(&output.stdout), text(&output.stderr)].concat()
}

#[test]
fn a_valid_configuration_is_summed_up_in_one_line() {
    let output = distributary(example(), &["validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary = "valid: 5 tables, 3 sinks, 14 projections; no network used\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), (summary, ""));
}

#[test]
fn all_mistakes_are_shown_and_the_code_is_that_of_a_configuration() {
    let mistakes = [
        "validate",
        "--set",
        "budget=lots",
        "--set",
        "sorce.group=x",
        "--set",
        "drain_timeout=soon",
    ];
    let output = distributary(example(), &mistakes);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(78), ""));
    let shown = text(&output.stderr);
    for part in [
        "found `lots`",
        "did you mean `source`?",
        "found `soon`",
        "3 errors",
    ] {
        assert!(shown.contains(part), "expected `{part}` in\n{shown}");
    }
    let missing = distributary(example(), &["validate", "-c", "none.yaml"]);
    assert_eq!(missing.status.code(), Some(78));
    assert!(text(&missing.stderr).contains("none.yaml"));
}

#[test]
fn warnings_fail_only_where_they_are_denied() {
    let unused = [
        "--set",
        "sinks.spare.type=redis",
        "--set",
        "sinks.spare.url=redis://spare",
    ];
    let output = distributary(example(), &[&["validate"], &unused[..]].concat());
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("no projection writes to the sink `spare`"));
    let denied = distributary(
        example(),
        &[&["validate", "--deny-warnings"], &unused[..]].concat(),
    );
    assert_eq!((denied.status.code(), text(&denied.stdout)), (Some(1), ""));
}

#[test]
fn the_version_names_librdkafka_and_help_gives_examples() {
    let version = distributary(example(), &["--version"]);
    assert!(
        text(&version.stdout).starts_with("distributary 0.")
            && text(&version.stdout).contains("librdkafka 2.")
    );
    for arguments in [&["--help"][..], &["validate", "--help"]] {
        let help = distributary(example(), arguments);
        assert_eq!(help.status.code(), Some(0));
        assert!(
            text(&help.stdout).contains("\nExamples:\n"),
            "{arguments:?}"
        );
    }
    assert_eq!(distributary(example(), &["validat"]).status.code(), Some(2));
}
