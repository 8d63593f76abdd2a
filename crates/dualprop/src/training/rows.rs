//! Tidy tables: one observation in each row, one quantity in each column, as a report or a notebook reads them.

use std::path::Path;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::base::{Error, Result, file};

/// Writes rows as CSV with a line of column names (`.csv`), or as a line of JSON each (`.jsonl`), whole or not at all. What is
/// not defined is an empty cell, or `null`.
///
/// # Errors
/// [`Error::Setting`] for a path of another extension; [`Error::Write`].
pub fn write_rows<R: Serialize>(path: &Path, rows: &[R]) -> Result<()> {
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => {
            let mut writer = csv::Writer::from_writer(vec![]);
            rows.iter().try_for_each(|row| writer.serialize(row)).map_err(|error| misplaced(path, &error))?;
            writer.into_inner().map_err(|error| misplaced(path, &error))?
        }
        Some("jsonl") => {
            let lines = rows.iter().map(|row| serde_json::to_string(row).map(|line| line + "\n"));
            lines.collect::<serde_json::Result<String>>().map_err(|error| misplaced(path, &error))?.into_bytes()
        }
        _ => return Err(is_no_table(path)),
    };
    file::write_atomic(path, &bytes)
}

/// Writes a table whose columns are known only as it is made: as [`write_rows`], a value for each column in every row.
///
/// # Errors
/// As [`write_rows`].
pub(super) fn write_table(path: &Path, columns: &[String], rows: &[Vec<Value>]) -> Result<()> {
    if path.extension().is_none_or(|extension| extension != "csv") {
        let rows: Vec<Named> = rows.iter().map(|row| Named { columns, row }).collect();
        return write_rows(path, &rows);
    }
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut writer = csv::Writer::from_writer(vec![]);
    let mut written = writer.write_record(columns);
    for row in rows {
        written = written.and_then(|()| writer.write_record(row.iter().map(cell)));
    }
    written.map_err(|error| misplaced(path, &error))?;
    file::write_atomic(path, &writer.into_inner().map_err(|error| misplaced(path, &error))?)
}

/// A row with the names of its columns, in their order.
struct Named<'a> {
    columns: &'a [String],
    row: &'a [Value],
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().zip(self.row))
    }
}

/// Whether [`write_rows`] could write to this path, before anything is computed for it.
///
/// # Errors
/// [`Error::Setting`] for another extension than `.csv` and `.jsonl`, or a folder that does not exist.
pub fn check_rows_path(path: &Path) -> Result<()> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv" | "jsonl") if path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.exists()) => {
            Err(Error::setting("--out", path.display(), "its folder does not exist; make it first"))
        }
        Some("csv" | "jsonl") => Ok(()),
        _ => Err(is_no_table(path)),
    }
}

/// Rows that no table can hold.
fn misplaced(path: &Path, problem: &dyn std::fmt::Display) -> Error {
    Error::malformed(path, format!("its rows have no place in a table: {problem}"))
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
        assert!(check_rows_path("nowhere/a.csv".as_ref()).is_err());
    }

    #[test]
    fn a_table_is_written_as_rows_are() {
        let folder = tempfile::tempdir().unwrap();
        let columns = ["layer", "name", "value"].map(String::from);
        let rows = ROWS.map(|row| vec![Value::from(row.layer), Value::from(row.name), Value::from(row.value)]);
        for name in ["a.csv", "a.jsonl"] {
            let [of_rows, of_table] = ["rows", "table"].map(|kind| folder.path().join(format!("{kind}-{name}")));
            write_rows(&of_rows, &ROWS).unwrap();
            write_table(&of_table, &columns, &rows).unwrap();
            assert_eq!(std::fs::read_to_string(of_table).unwrap(), std::fs::read_to_string(of_rows).unwrap());
        }
        let empty = folder.path().join("empty.csv");
        write_table(&empty, &columns, &[]).unwrap();
        assert_eq!(std::fs::read_to_string(empty).unwrap(), "layer,name,value\n");
    }
}
