//! The one renderer: a figure is panels with axes, marks and a legend, and becomes an SVG that papers and the report's page share.
//!
//! Every colour is an attribute, which any viewer and LaTeX understand, beside a class, by which the page adapts it to a dark
//! background. Text stays text. What is worth a closer look has a `<title>`, which browsers show as a tooltip.

mod axis;
mod colour;
mod layout;
mod mark;
mod number;
mod png;
#[cfg(test)]
mod tests;

pub(super) use axis::Axis;
pub(super) use colour::Colour;
pub(super) use mark::{Cell, Mark, Point, Stroke};
pub(super) use number::number;
pub(super) use png::font_face;
#[cfg(test)]
pub(super) use tests::parsed;

/// A figure: panels in rows, each with its axes, below them what its colours mean.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    /// The stem of its files, unlike any other of a report.
    pub(super) name: String,
    /// What it shows, in a few words.
    pub(super) title: String,
    /// What a reader must know besides, as a caption of a paper has it.
    pub(super) caption: String,
    /// The most panels side by side.
    pub(super) columns: usize,
    pub(super) panels: Vec<Panel>,
    pub(super) legend: Vec<Entry>,
    pub(super) scale: Option<Scale>,
}

/// A rectangle with axes.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// Its size without axes and titles, in pixels.
    pub(super) size: (f64, f64),
    pub(super) marks: Vec<Mark>,
}

/// The size of a panel in a row of two or three.
pub(super) const PANEL: (f64, f64) = (290.0, 200.0);

/// A line of the legend.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) label: String,
    pub(super) stroke: Stroke,
}

/// What the colours of cells, or of lines in an order, mean: a bar of them with values beside it.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    pub(super) label: String,
    /// The texts at shares of the bar.
    pub(super) ticks: Vec<(f64, String)>,
    /// The colour of a share.
    pub(super) colour: fn(f64) -> Colour,
}

impl Figure {
    /// A figure with this name, title and caption, and nothing in it.
    pub(super) fn new(name: impl Into<String>, title: impl Into<String>, caption: impl Into<String>) -> Self {
        let (name, title, caption) = (name.into(), title.into(), caption.into());
        Figure { name, title, caption, columns: 3, panels: vec![], legend: vec![], scale: None }
    }

    /// The figure as SVG.
    pub(super) fn svg(&self) -> String {
        layout::svg(self)
    }

    /// The figure as PNG, at three pixels for each of its units: about 300 dots per inch at the width of a page.
    pub(super) fn png(&self) -> Vec<u8> {
        png::of_svg(&self.svg())
    }
}

impl Panel {
    pub(super) fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Panel { title: title.into(), subtitle: String::new(), x, y, size: PANEL, marks: vec![] }
    }
}

impl Scale {
    /// From `low` to `high`, evenly.
    pub(super) fn even(label: impl Into<String>, (low, high): (f64, f64), text: fn(f64) -> String) -> Self {
        let ticks = [0.0, 0.5, 1.0].map(|share| (share, text(low + share * (high - low))));
        Scale { label: label.into(), ticks: ticks.into(), colour: Colour::Viridis }
    }
}
