//! The one error type of the library: each variant names what was wrong, where, and what would be right.

use std::path::PathBuf;

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, with the fields that a program needs and a text that tells a person what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that cannot be used.
    #[error("{field} = {value}: {problem}")]
    Setting {
        /// The setting, spelled as in a recipe or a case.
        field: String,
        /// The value found.
        value: String,
        /// What is wrong with it and what would do.
        problem: String,
    },
    /// A name that is not one of a known set.
    #[error("unknown {what} `{name}`{}; known: {known}", suggestion(.nearest))]
    Unknown {
        /// What was being named: "activation", "schedule", "key" …
        what: String,
        /// The name found.
        name: String,
        /// The nearest known name, where one is near.
        nearest: Option<String>,
        /// All known names, separated by commas.
        known: String,
    },
    /// Something has another shape than it must have.
    #[error("{what} has shape {found}, expected {expected}")]
    Shape {
        /// The tensor or buffer.
        what: String,
        /// The shape found.
        found: String,
        /// The shape expected.
        expected: String,
    },
    /// A file was read, but its content is not what it must be.
    #[error("{}: {problem}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what was expected.
        problem: String,
    },
    /// An error of which the place in a text is known.
    #[error("{place}: {source}")]
    At {
        /// The file and the line.
        place: String,
        /// What is wrong there.
        source: Box<Error>,
    },
    /// A file could not be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file or folder could not be written; whatever stood there before is unharmed.
    #[error("{}: cannot be written: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file could not be fetched.
    #[error("{what} cannot be fetched: {problem}")]
    Fetch {
        /// The file or the data set.
        what: String,
        /// The reason of each address.
        problem: String,
    },
    /// A library of the system is missing, or does not do what it is asked to.
    #[error("{library}: {problem}; {remedy}")]
    Library {
        /// The library.
        library: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// Something exists already and would have been overwritten.
    #[error("{} exists already; choose another name, or give --force to replace it", .path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A run directory is being written by somebody else.
    #[error("{} is in use by {holder}; wait for it to end, or stop it", .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// A number stopped being finite.
    #[error("{quantity} is not finite at step {step}: the training diverged; try {remedy}")]
    Diverged {
        /// What stopped being finite.
        quantity: String,
        /// The training step, counted from 0.
        step: u64,
        /// What may help.
        remedy: &'static str,
    },
    /// More memory would be needed than there is.
    #[error("{what} would need {needed} MiB of memory, and {available} MiB are available; {remedy}")]
    Memory {
        /// What would need it.
        what: String,
        /// How much, in MiB.
        needed: u64,
        /// How much there is, in MiB.
        available: u64,
        /// What to make smaller.
        remedy: &'static str,
    },
    /// The operating system refused threads.
    #[error("cannot start {threads} threads: {problem}; ask for fewer")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The reason.
        problem: String,
    },
}

impl Error {
    /// A setting whose value cannot be used.
    pub fn setting(field: impl Into<String>, value: impl ToString, problem: impl Into<String>) -> Self {
        Error::Setting { field: field.into(), value: shortened(&value.to_string(), 80), problem: problem.into() }
    }

    /// A name that is none of `known`; finds the nearest.
    pub fn unknown<'a>(what: impl Into<String>, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let nearest = known
            .iter()
            .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
            .filter(|(similarity, _)| *similarity > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, candidate)| candidate.to_string());
        Error::Unknown { what: what.into(), name: shortened(name, 80), nearest, known: known.join(", ") }
    }

    /// A tensor of another shape than expected.
    pub fn shape(what: impl Into<String>, found: &[usize], expected: &[usize]) -> Self {
        Error::Shape { what: what.into(), found: format!("{found:?}"), expected: format!("{expected:?}") }
    }

    /// A file whose content is wrong.
    pub fn malformed(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Error::Malformed { path: path.into(), problem: shortened(&problem.into(), 600) }
    }

    /// Whether the user's input is at fault (exit code 2), not the run itself (exit code 1).
    pub fn is_input(&self) -> bool {
        match self {
            Error::At { source, .. } => source.is_input(),
            other => !matches!(other, Error::Write { .. } | Error::Fetch { .. } | Error::Diverged { .. } | Error::Threads { .. }),
        }
    }
}

/// At most so many characters: a message quotes what is wrong, but not megabytes of it.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_string(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_quote_no_more_than_a_line_or_so() {
        let long = "ä".repeat(5000);
        for error in [Error::setting("a", &long, "b"), Error::unknown("a", &long, ["b"]), Error::malformed("a", long.as_str())] {
            let text = error.to_string();
            assert!(text.chars().count() < 700 && text.contains("ä…"), "{text}");
        }
    }

    #[test]
    fn unknown_names_suggest_the_nearest_known_one() {
        let text = Error::unknown("activation", "rleu", ["relu", "tanh"]).to_string();
        assert_eq!(text, "unknown activation `rleu`; did you mean `relu`?; known: relu, tanh");
        let text = Error::unknown("activation", "zzz", ["relu", "tanh"]).to_string();
        assert_eq!(text, "unknown activation `zzz`; known: relu, tanh");
    }
}
