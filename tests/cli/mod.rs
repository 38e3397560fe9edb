//! The command line as a shell sees it: exit codes, and what goes to which stream.

mod connect;
mod explain;
mod offsets;
mod run;

use std::fs::File;
use std::io::PipeWriter;
use std::path::Path;
use std::process::{Command, Output};

/// What there is a warning of: a sink that no projection writes to.
const UNUSED: [&str; 4] = [
    "--set",
    "sinks.spare.type=redis",
    "--set",
    "sinks.spare.url=redis://spare",
];

fn distributary(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_distributary"));
    command
        .current_dir(directory)
        .args(arguments)
        .env_remove("DISTRIBUTARY_CONFIG")
        .env_remove("RUST_LOG");
    command
}

/// A pipe that nobody reads any more.
fn read_no_more() -> PipeWriter {
    std::io::pipe().unwrap().1
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
fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    let empty = command(example(), &["validate"])
        .env("DISTRIBUTARY_CONFIG", "")
        .env("DISTRIBUTARY_LOG_FORMAT", "")
        .output()
        .unwrap();
    assert_eq!(empty.status.code(), Some(0), "{}", said(&empty));
    let comma = command(example(), &["validate"])
        .env("DISTRIBUTARY_CONFIG", "distributary.yaml,")
        .output()
        .unwrap();
    assert_eq!(comma.status.code(), Some(2), "{}", said(&comma));
    assert!(said(&comma).contains("DISTRIBUTARY_CONFIG has a comma too many"));
}

#[test]
fn warnings_fail_only_where_they_are_denied() {
    let output = distributary(example(), &[&["validate"], &UNUSED[..]].concat());
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("no projection writes to the sink `spare`"));
    let denied = distributary(
        example(),
        &[&["validate", "--deny-warnings"], &UNUSED[..]].concat(),
    );
    assert_eq!((denied.status.code(), text(&denied.stdout)), (Some(1), ""));
}

#[test]
fn a_command_ends_as_ever_although_nobody_reads_what_it_says() {
    for (arguments, code) in [
        (vec!["validate"], 0),
        ([&["validate", "--deny-warnings"], &UNUSED[..]].concat(), 1),
        (vec!["validate", "--set", "budget=lots"], 78),
        // The warnings are logged.
        ([&["run", "--adopt", "none"], &UNUSED[..]].concat(), 2),
    ] {
        let mut command = command(example(), &arguments);
        command.stdout(read_no_more()).stderr(read_no_more());
        let ended = command.status().unwrap();
        assert_eq!(ended.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_written_has_an_exit_code_of_its_own() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = command(example(), &["validate"]);
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(text(&output.stderr).starts_with("error: the command was carried out, but "));
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
