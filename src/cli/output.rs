//! What a command prints, where nothing that becomes of it may stop the command half way: a reader
//! may go at any time, as `head` does.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::error::exit;

/// Prints a command's answer to standard output. Whoever reads no further needs no more of it;
/// what cannot be written for another reason, such as a full disk, is the command's failure.
pub(super) fn print(answer: impl Display) -> ExitCode {
    match written(&mut io::stdout(), answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("error: cannot write the output: {error}"));
            ExitCode::from(exit::UNAVAILABLE)
        }
    }
}

/// Tells a person what is wrong, on standard error; the exit code says it as well.
pub(super) fn complain(what: impl Display) {
    drop(written(&mut io::stderr(), what));
}

fn written(stream: &mut impl Write, what: impl Display) -> io::Result<()> {
    let written = writeln!(stream, "{what}").and_then(|()| stream.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
