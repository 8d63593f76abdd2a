//! What a report says, before it becomes a page or Markdown.

use super::figure::Figure;

/// A report.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) title: String,
    /// A sentence or two beneath the title.
    pub(super) lead: Vec<String>,
    pub(super) sections: Vec<Section>,
    /// The last lines: by what and from what it was made.
    pub(super) colophon: Vec<String>,
}

/// A part of a report under a heading.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug)]
pub(super) enum Block {
    Text(String),
    /// Lines as a shell reads them.
    Command(String),
    Table(Table),
    Figure(Figure),
}

/// A table; every row has a cell for each column.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// Whether it holds numbers, which stand right.
    pub(super) is_number: bool,
}

impl Section {
    pub(super) fn new(title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Section { title: title.into(), blocks }
    }

    /// The section of these figures; none if there is no figure.
    pub(super) fn of_figures(title: impl Into<String>, figures: impl IntoIterator<Item = Figure>) -> Option<Self> {
        let blocks: Vec<Block> = figures.into_iter().map(Block::Figure).collect();
        (!blocks.is_empty()).then(|| Section::new(title, blocks))
    }
}

impl Table {
    /// Columns of text and, behind a `#`, of numbers.
    pub(super) fn new(caption: impl Into<String>, columns: &[&str]) -> Self {
        let column = |name: &&str| match name.strip_prefix('#') {
            Some(name) => Column { name: name.into(), is_number: true },
            None => Column { name: (*name).into(), is_number: false },
        };
        Table { caption: caption.into(), columns: columns.iter().map(column).collect(), rows: vec![] }
    }
}

impl Document {
    pub(super) fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.sections.iter().flat_map(|section| &section.blocks).filter_map(|block| match block {
            Block::Figure(figure) => Some(figure),
            _ => None,
        })
    }

    /// Gives figures that have the name of an earlier one another, since each is a file.
    pub(super) fn name_apart(&mut self) {
        let mut taken = std::collections::HashSet::new();
        for block in self.sections.iter_mut().flat_map(|section| &mut section.blocks) {
            if let Block::Figure(figure) = block {
                let mut name = figure.name.clone();
                let mut number = 1;
                while !taken.insert(name.clone()) {
                    number += 1;
                    name = format!("{}-{number}", figure.name);
                }
                figure.name = name;
            }
        }
    }
}
