//! What a command prints, where nothing that becomes of it may stop the command half way: a reader
//! may go at any time, as `head` does.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::error::exit;

/// Prints the answer of a command that was carried out. Whoever reads no further needs no more of
/// it; where it cannot be written for another reason, such as a full disk, the exit code says so.
pub(super) fn print(answer: impl Display) -> ExitCode {
    match written(&mut io::stdout(), answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!(
                "error: the command was carried out, but its answer cannot be written: {error}"
            ));
            ExitCode::from(exit::OUTPUT)
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
