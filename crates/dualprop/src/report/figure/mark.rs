//! What a panel shows: lines, bands, points, cells, pixels.

use maud::{Markup, html};

use super::number::place;
use super::{Axis, Colour};

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) struct Stroke {
    pub(in crate::report) colour: Colour,
    pub(in crate::report) width: f64,
    pub(in crate::report) dashed: bool,
}

impl Stroke {
    pub(in crate::report) fn plain(colour: Colour) -> Self {
        Stroke { colour, width: 1.8, dashed: false }
    }

    pub(in crate::report) fn dashed(colour: Colour) -> Self {
        Stroke { dashed: true, ..Stroke::plain(colour) }
    }

    /// The pattern of its dashes, as an attribute.
    pub(super) fn dashes(&self) -> Option<&'static str> {
        self.dashed.then_some("5 3")
    }
}

/// A point, with what a closer look says of it.
#[derive(Debug, Clone)]
pub(in crate::report) struct Point {
    pub(in crate::report) x: f64,
    pub(in crate::report) y: f64,
    pub(in crate::report) tip: String,
}

/// A rectangle, from edge to edge in the even units of the axes.
#[derive(Debug, Clone)]
pub(in crate::report) struct Cell {
    pub(in crate::report) x: (f64, f64),
    pub(in crate::report) y: (f64, f64),
    pub(in crate::report) colour: Colour,
    /// Written into it where there is room.
    pub(in crate::report) label: String,
    pub(in crate::report) tip: String,
}

/// One layer of a panel, in units of its axes.
#[derive(Debug, Clone)]
pub(in crate::report) enum Mark {
    /// A line with gaps.
    Line { points: Vec<Option<(f64, f64)>>, stroke: Stroke },
    /// Of each x, from a low to a high y.
    Band { points: Vec<(f64, f64, f64)>, colour: Colour },
    /// Discs of this radius.
    Points { points: Vec<Point>, colour: Colour, radius: f64 },
    /// Places without anything to see, where a closer look says something.
    Tips(Vec<Point>),
    /// Cells of a map.
    Cells(Vec<Cell>),
    /// Columns from the bottom of the panel: x from edge to edge, and how high.
    Columns { columns: Vec<((f64, f64), f64)>, colour: Colour },
    /// A picture over the whole panel, row by row from its top, of colours; equal neighbours become one rectangle.
    Pixels { width: usize, colours: Vec<Colour> },
}

/// A panel's rectangle on the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) x: &'a Axis,
    pub(super) y: &'a Axis,
}

impl Frame<'_> {
    pub(super) fn across(&self, share: f64) -> f64 {
        self.left + share * self.width
    }

    pub(super) fn up(&self, share: f64) -> f64 {
        self.top + (1.0 - share) * self.height
    }

    /// Where a point lies on the page; none for one beyond the axes.
    fn at(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.across(self.x.share(x)?), self.up(self.y.share(y)?)))
    }
}

impl Mark {
    pub(super) fn draw(&self, frame: &Frame) -> Markup {
        match self {
            Mark::Line { points, stroke } => line(frame, points, stroke),
            Mark::Band { points, colour } => band(frame, points, *colour),
            Mark::Points { points, colour, radius } => html! {
                g fill=(colour.hex()) class=[colour.class()] stroke=(Colour::Paper.hex()) stroke-width="0.8" {
                    (discs(frame, points, *radius))
                }
            },
            Mark::Tips(points) => html! { g fill="#000000" fill-opacity="0" { (discs(frame, points, 5.0)) } },
            Mark::Cells(cells) => html! { @for cell in cells { (cell.draw(frame)) } },
            Mark::Columns { columns, colour } => html! {
                g fill=(colour.hex()) class=[colour.class()] fill-opacity="0.75" {
                    @for ((low, high), y) in columns { (column(frame, (*low, *high), *y)) }
                }
            },
            Mark::Pixels { width, colours } => pixels(frame, *width, colours),
        }
    }
}

fn line(frame: &Frame, points: &[Option<(f64, f64)>], stroke: &Stroke) -> Markup {
    let mut path = String::new();
    let mut pen_is_down = false;
    for point in points {
        match point.and_then(|(x, y)| frame.at(x, y)) {
            Some((x, y)) => {
                path += &format!("{}{} {}", if pen_is_down { "L" } else { "M" }, place(x), place(y));
                pen_is_down = true;
            }
            None => pen_is_down = false,
        }
    }
    html! {
        path d=(path) fill="none" stroke=(stroke.colour.hex()) class=[stroke.colour.class()] stroke-width=(place(stroke.width))
            stroke-linejoin="round" stroke-linecap=(if stroke.dashed { "butt" } else { "round" })
            stroke-dasharray=[stroke.dashes()] {}
    }
}

fn band(frame: &Frame, points: &[(f64, f64, f64)], colour: Colour) -> Markup {
    let corner = |(x, y)| frame.at(x, y).map(|(x, y)| format!("{},{}", place(x), place(y)));
    let lower = points.iter().map(|&(x, low, _)| (x, low));
    let upper = points.iter().rev().map(|&(x, _, high)| (x, high));
    let corners: Vec<String> = lower.chain(upper).filter_map(corner).collect();
    html! { polygon points=(corners.join(" ")) fill=(colour.hex()) class=[colour.class()] fill-opacity="0.18" {} }
}

fn discs(frame: &Frame, points: &[Point], radius: f64) -> Markup {
    let at = |point: &Point| frame.at(point.x, point.y);
    html! {
        @for (point, (x, y)) in points.iter().filter_map(|point| Some((point, at(point)?))) {
            circle cx=(place(x)) cy=(place(y)) r=(place(radius)) { title { (point.tip) } }
        }
    }
}

impl Cell {
    fn draw(&self, frame: &Frame) -> Markup {
        let across = |even: f64| frame.across(frame.x.share_of_even(even));
        let up = |even: f64| frame.up(frame.y.share_of_even(even));
        let sorted = |a: f64, b: f64| (a.min(b), a.max(b));
        let (left, right) = sorted(across(self.x.0), across(self.x.1));
        let (top, bottom) = sorted(up(self.y.0), up(self.y.1));
        let (width, height) = (right - left, bottom - top);
        let fits = !self.label.is_empty() && height >= 14.0 && width >= 6.5 * self.label.chars().count() as f64 + 4.0;
        let on = self.colour.on();
        html! {
            // A hair wider, or the page would show through between neighbours.
            rect x=(place(left)) y=(place(top)) width=(place(width + 0.3)) height=(place(height + 0.3)) fill=(self.colour.hex()) {
                title { (self.tip) }
            }
            @if fits {
                text x=(place(0.5 * (left + right))) y=(place(0.5 * (top + bottom) + 3.9)) font-size="11" text-anchor="middle"
                    fill=(on.hex()) pointer-events="none" { (self.label) }
            }
        }
    }
}

fn column(frame: &Frame, (low, high): (f64, f64), y: f64) -> Markup {
    let (Some(left), Some(right), Some(share)) = (frame.x.share(low), frame.x.share(high), frame.y.share(y)) else {
        return html! {};
    };
    let (left, right, top) = (frame.across(left), frame.across(right), frame.up(share));
    html! { rect x=(place(left)) y=(place(top)) width=(place(right - left)) height=(place(frame.top + frame.height - top)) {} }
}

/// A path for each colour, of all rectangles that have it.
fn pixels(frame: &Frame, width: usize, colours: &[Colour]) -> Markup {
    let rows = colours.len().div_ceil(width.max(1)).max(1);
    let (across, down) = (frame.width / width.max(1) as f64, frame.height / rows as f64);
    let mut paths: Vec<(String, String)> = vec![];
    for (row, pixels) in colours.chunks(width.max(1)).enumerate() {
        let mut begin = 0;
        for part in pixels.chunk_by(|a, b| a == b) {
            let (x, y) = (place(frame.left + begin as f64 * across), place(frame.top + row as f64 * down));
            let rectangle = format!("M{x} {y}h{0}v{1}h-{0}z", place(part.len() as f64 * across), place(down));
            let hex = part[0].hex();
            match paths.iter_mut().find(|(colour, _)| *colour == hex) {
                Some((_, path)) => *path += &rectangle,
                None => paths.push((hex, rectangle)),
            }
            begin += part.len();
        }
    }
    html! {
        g shape-rendering="crispEdges" {
            @for (colour, path) in &paths { path d=(path) fill=(colour) {} }
        }
    }
}
