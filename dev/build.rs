//! Tells the program which commit it is built from, for `--version` and `cdc_build_info`.
//!
//! Only in release builds: a commit would otherwise recompile every working copy. Where there is no
//! repository, as in a container's build, `DISTRIBUTARY_COMMIT` says it.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=DISTRIBUTARY_COMMIT");
    println!("cargo::rerun-if-changed=dev/build.rs");
    if std::env::var_os("DISTRIBUTARY_COMMIT").is_some()
        || std::env::var("PROFILE").as_deref() != Ok("release")
    {
        return;
    }
    // The log of HEAD changes with every commit and every checkout.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rustc-env=DISTRIBUTARY_COMMIT={commit}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}
