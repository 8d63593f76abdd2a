//! What a person reads: results on standard output, everything else on standard error.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};

/// Writes text to standard output; a reader that has closed the pipe has seen enough.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(escape(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("standard output: cannot be written"),
    }
}

/// Writes text to standard error; a failure is ignored, for what nobody can read must not end the run.
pub(crate) fn note(text: &str) {
    let _ = io::stderr().lock().write_all(escape(text).as_bytes());
}

/// What helps after an error: whole lines that follow it.
#[derive(Debug)]
pub(crate) struct Advice(pub(crate) String);

impl std::fmt::Display for Advice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a table can be written to this path, before anything is computed for it, and nothing that it is computed from would be
/// lost by it: a recipe, a model, or a file of a run.
pub(crate) fn check_table(out: Option<&Path>, subjects: &[&Path]) -> Result<()> {
    let Some(out) = out else { return Ok(()) };
    dualprop::training::check_rows_path(out)?;
    // A link is followed.
    let real = out.canonicalize().unwrap_or_else(|_| out.into());
    let is_metrics = real.file_name().is_some_and(|name| name == "metrics.jsonl" || name == "metrics.csv");
    let of_run = is_metrics && real.is_file() && real.with_file_name("recipe.toml").is_file();
    let is_model = real.extension().is_some_and(|extension| extension == "safetensors" || extension == "toml");
    if of_run || is_model || subjects.iter().any(|subject| is_same_file(subject, out)) {
        let problem = "it is a file of a run, or what the table is computed from, which would be lost; choose another name";
        return Err(dualprop::Error::setting("--out", out.display(), problem).into());
    }
    Ok(())
}

/// Whether a figure can be written to this path, before anything is computed for it.
pub(crate) fn check_figure(path: Option<&Path>) -> Result<()> {
    match path {
        Some(path) if path.extension().is_none_or(|extension| extension != "svg") => {
            Err(dualprop::Error::setting("--figure", path.display(), "expected a name that ends in .svg").into())
        }
        Some(path) => check_folder("--figure", path),
        None => Ok(()),
    }
}

/// Whether there is a folder for the file of this option.
pub(crate) fn check_folder(option: &str, path: &Path) -> Result<()> {
    match path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        true => Err(dualprop::Error::setting(option, path.display(), "its folder does not exist; make it first").into()),
        false => Ok(()),
    }
}

/// Whether two paths lead to one file.
pub(crate) fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// Escapes all control characters but line breaks, as JSON does: a text may quote a file that means to steer the terminal.
/// A line of JSON keeps its value.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// How the user called this program: what a suggested command begins with.
pub(crate) fn program() -> &'static str {
    // cargo sets this for the programs that it runs.
    if std::env::var_os("CARGO").is_some() { "cargo run --release --" } else { "dualprop" }
}

/// The path as a shell reads it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map_or_else(|_| text.clone(), |quoted| quoted.into_owned())
}

/// An option with a folder, if it was given.
pub(crate) fn folder_option(option: &str, folder: Option<&Path>) -> String {
    folder.map_or_else(String::new, |folder| format!(" {option} {}", quoted(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_json_keeps_its_value() {
        assert_eq!(escape("a\x1b[31m\r\u{9b}°\n"), "a\\u001b[31m\\u000d\\u009b°\n");
        let value = serde_json::json!({ "name": "\x1b \x7f \u{9b} \n" });
        let escaped = escape(&value.to_string());
        assert!(!escaped.contains(char::is_control), "{escaped}");
        assert_eq!(escaped.parse::<serde_json::Value>().ok(), Some(value));
    }
}
