//! Results on standard output.

use std::io::{self, ErrorKind, Write};

/// Writes text to standard output; a reader that has closed the pipe has seen enough.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// How the user called this program: what a suggested command begins with.
pub(crate) fn program() -> &'static str {
    // cargo sets this for the programs that it runs.
    if std::env::var_os("CARGO").is_some() { "cargo run --release --" } else { "dualprop" }
}
