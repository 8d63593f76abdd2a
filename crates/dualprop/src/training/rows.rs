//! Tidy tables: one observation in each row, one quantity in each column, as a report or a notebook reads them.

use std::path::Path;

use serde::Serialize;

use crate::base::{Error, Result, file};

/// Writes rows as CSV with a line of column names (`.csv`), or as a line of JSON each (`.jsonl`), whole or not at all. What is
/// not defined is an empty cell, or `null`.
///
/// # Errors
/// [`Error::Setting`] for a path of another extension; [`Error::Write`].
pub fn write_rows<R: Serialize>(path: &Path, rows: &[R]) -> Result<()> {
    let failed = |problem: String| Error::malformed(path, format!("its rows have no place in a table: {problem}"));
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => {
            let mut writer = csv::Writer::from_writer(vec![]);
            rows.iter().try_for_each(|row| writer.serialize(row)).map_err(|error| failed(error.to_string()))?;
            writer.into_inner().map_err(|error| failed(error.to_string()))?
        }
        Some("jsonl") => {
            let lines = rows.iter().map(|row| serde_json::to_string(row).map(|line| line + "\n"));
            lines.collect::<serde_json::Result<String>>().map_err(|error| failed(error.to_string()))?.into_bytes()
        }
        _ => return Err(is_no_table(path)),
    };
    file::write_atomic(path, &bytes)
}

/// Whether [`write_rows`] could write to this path, before anything is computed for it.
///
/// # Errors
/// [`Error::Setting`] for another extension than `.csv` and `.jsonl`.
pub fn check_rows_path(path: &Path) -> Result<()> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv" | "jsonl") => Ok(()),
        _ => Err(is_no_table(path)),
    }
}

fn is_no_table(path: &Path) -> Error {
    Error::setting("--out", path.display(), "expected a name that ends in .csv or .jsonl, which says how rows are written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        layer: Option<usize>,
        name: &'static str,
        value: f64,
    }

    const ROWS: [Row; 2] = [Row { layer: Some(1), name: "a,b", value: 0.1 }, Row { layer: None, name: "c", value: -1e-300 }];

    #[test]
    fn rows_are_written_as_their_extension_says() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str| {
            let path = folder.path().join(name);
            write_rows(&path, &ROWS).map(|()| std::fs::read_to_string(path).unwrap())
        };
        assert_eq!(written("a.csv").unwrap(), "layer,name,value\n1,\"a,b\",0.1\n,c,-1e-300\n");
        let lines = written("a.jsonl").unwrap();
        assert_eq!(lines.lines().next(), Some(r#"{"layer":1,"name":"a,b","value":0.1}"#));
        assert_eq!(lines.lines().nth(1), Some(r#"{"layer":null,"name":"c","value":-1e-300}"#));
        for name in ["a.txt", "a"] {
            let error = written(name).unwrap_err().to_string();
            assert!(error.contains("--out = ") && error.contains(".jsonl"), "{error}");
            assert!(check_rows_path(name.as_ref()).is_err());
        }
        assert!(check_rows_path("a.csv".as_ref()).is_ok());
    }
}
