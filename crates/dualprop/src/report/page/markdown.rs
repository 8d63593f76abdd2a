//! The same as Markdown, for a repository or a notebook; figures are links to their files.

use std::fmt::Write;

use crate::report::document::{Block, Document, Table};

/// The document as Markdown.
pub(in crate::report) fn markdown(document: &Document) -> String {
    let mut text = format!("# {}\n", escaped(&document.title));
    for line in &document.lead {
        text += &format!("\n{}\n", escaped(line));
    }
    for section in &document.sections {
        text += &format!("\n## {}\n", escaped(&section.title));
        for block in &section.blocks {
            text += &match block {
                Block::Text(line) => format!("\n{}\n", escaped(line)),
                Block::Command(lines) => format!("\n```text\n{}\n```\n", lines.trim_end()),
                Block::Table(table) => format!("\n{}", of_table(table)),
                Block::Figure(figure) => format!(
                    "\n![{}](figures/{}.svg)\n\n*{}. {}*\n",
                    escaped(&figure.title),
                    figure.name,
                    escaped(&figure.title),
                    escaped(&figure.caption)
                ),
            };
        }
    }
    text += "\n---\n";
    for line in &document.colophon {
        text += &format!("\n{}\n", escaped(line));
    }
    text
}

fn of_table(table: &Table) -> String {
    let row = |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut text = row(&mut table.columns.iter().map(|column| cell(&column.name)));
    text += &row(&mut table.columns.iter().map(|column| if column.is_number { "---:".into() } else { "---".into() }));
    for cells in &table.rows {
        text += &row(&mut cells.iter().map(|text| cell(text)));
    }
    if !table.caption.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n*{}*", escaped(&table.caption));
    }
    text
}

fn cell(text: &str) -> String {
    escaped(text).replace('\n', " ")
}

/// What Markdown or HTML would take for its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped += "&lt;",
            '&' => escaped += "&amp;",
            '*' | '_' | '`' | '[' | ']' | '|' | '\\' | '#' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_says_stays_text() {
        let mut table = Table::new("of *all*", &["name", "#value"]);
        table.rows.push(vec!["a|b <script>".into(), "1".into()]);
        assert_eq!(of_table(&table), "| name | value |\n| --- | ---: |\n| a\\|b &lt;script> | 1 |\n\n*of \\*all\\**\n");
    }
}
