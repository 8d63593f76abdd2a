//! Figures of what was measured, as SVG: text stays text, so that no font is needed and a page can embed the same file.

mod colour;
mod heat_map;
mod stability;

pub use stability::stability_map;
