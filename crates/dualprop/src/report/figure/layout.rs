//! Where the parts of a figure are.

use maud::{Markup, html};

use super::mark::Frame;
use super::number::place;
use super::{Axis, Colour, Entry, Figure, Panel, Scale, Stroke};

/// Sizes of text, in units of the figure.
const TITLE: f64 = 12.5;
const LABEL: f64 = 12.0;
const TICK: f64 = 11.0;

/// The room of lines of text.
const TITLE_LINE: f64 = 18.0;
const SUBTITLE_LINE: f64 = 15.0;
const GAP: f64 = 18.0;
const MARGIN: f64 = 8.0;

/// How far above a scale its label is.
const SCALE_LABEL: f64 = 15.0;

/// The figure as SVG.
pub(super) fn svg(figure: &Figure) -> String {
    let layout = Layout::of(figure);
    let (width, height) = (place(layout.width), place(layout.height));
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}"))
            font-family="Noto Sans, Noto Sans Math, Helvetica, Arial, sans-serif" role="img" aria-label=(figure.title) {
            rect width=(width) height=(height) fill=(Colour::Paper.hex()) class=[Colour::Paper.class()] {}
            @for (panel, &(left, top)) in figure.panels.iter().zip(&layout.corners) { (draw_panel(panel, left, top)) }
            @if let (Some(scale), Some(first)) = (&figure.scale, figure.panels.first()) {
                (draw_scale(scale, layout.scale_left, layout.corners[0].1, first.size.1))
            }
            @for (entry, &(left, middle)) in figure.legend.iter().zip(&layout.entries) { (draw_entry(entry, left, middle)) }
        }
    };
    markup.into_string()
}

/// Places of everything.
struct Layout {
    /// The upper left corner of each panel's plot.
    corners: Vec<(f64, f64)>,
    scale_left: f64,
    /// The left end and the middle of each line of the legend.
    entries: Vec<(f64, f64)>,
    width: f64,
    height: f64,
}

impl Layout {
    fn of(figure: &Figure) -> Self {
        // As many columns as fill the rows best; four panels are two rows of two, not three and one.
        let fewest_rows = figure.panels.len().div_ceil(figure.columns.max(1)).max(1);
        let columns = figure.panels.len().div_ceil(fewest_rows).max(1);
        let most = |room: &dyn Fn(&Panel) -> f64| figure.panels.iter().map(room).fold(0.0, f64::max);
        // What one column of panels needs beside it is no other column's room.
        let beside = |room: fn(&Panel) -> f64| -> Vec<f64> {
            let of_column = |column: usize| figure.panels.iter().skip(column).step_by(columns).map(room).fold(0.0, f64::max);
            (0..columns).map(of_column).collect()
        };
        let (left, right) = (beside(room_left), beside(room_right));
        let label = if figure.scale.is_some() { SCALE_LABEL + 0.6 * TICK } else { 0.0 };
        let (above, below) = (most(&room_above).max(label), most(&room_below));
        let (plot_width, plot_height) = (most(&|panel| panel.size.0), most(&|panel| panel.size.1));
        let left_of = |column: usize| {
            let before = left.iter().zip(&right).take(column).map(|(left, right)| left + plot_width + right + GAP);
            MARGIN + before.sum::<f64>()
        };
        let corner = |index: usize| {
            let (column, row) = (index % columns, (index / columns) as f64);
            (left_of(column) + left[column], MARGIN + above + row * (above + plot_height + below + 0.6 * GAP))
        };
        let corners: Vec<(f64, f64)> = (0..figure.panels.len()).map(corner).collect();
        let scale_left = left_of(columns);
        let scale_width = figure.scale.as_ref().map_or(0.0, Scale::width);
        // Without a scale no gap is left at the right.
        let width = if figure.scale.is_some() { scale_left + scale_width + MARGIN } else { scale_left - GAP + MARGIN };
        let rows = figure.panels.len().div_ceil(columns) as f64;
        let bottom = MARGIN + rows * (above + plot_height + below) + (rows - 1.0).max(0.0) * 0.6 * GAP;
        let (entries, height) = flow(&figure.legend, MARGIN + left.first().copied().unwrap_or(0.0).min(40.0), width, bottom);
        Layout { corners, scale_left, entries, width, height: height + MARGIN }
    }
}

/// The entries of a legend in lines, and where the last ends.
fn flow(legend: &[Entry], first: f64, width: f64, bottom: f64) -> (Vec<(f64, f64)>, f64) {
    if legend.is_empty() {
        return (vec![], bottom);
    }
    let (mut x, mut y) = (first, bottom + 14.0);
    let mut places = vec![];
    for entry in legend {
        let room = 30.0 + text_width(&entry.label, TICK) + 14.0;
        if x > first && x + room > width {
            (x, y) = (first, y + 17.0);
        }
        places.push((x, y));
        x += room;
    }
    (places, y + 8.0)
}

fn room_left(panel: &Panel) -> f64 {
    let ticks = panel.y.ticks().map(|(_, text)| text_width(text, TICK)).fold(0.0, f64::max);
    ticks + if ticks > 0.0 { 9.0 } else { 0.0 } + if panel.y.label.is_empty() { 0.0 } else { 19.0 }
}

fn room_right(panel: &Panel) -> f64 {
    // The last number of an axis reaches beyond it.
    let last = panel.x.ticks().map(|(share, text)| share * panel.size.0 + 0.5 * text_width(text, TICK)).fold(0.0, f64::max);
    (last - panel.size.0).max(4.0)
}

fn room_above(panel: &Panel) -> f64 {
    let title = if panel.title.is_empty() { 0.0 } else { TITLE_LINE };
    title + if panel.subtitle.is_empty() { 0.0 } else { SUBTITLE_LINE } + 4.0
}

fn room_below(panel: &Panel) -> f64 {
    let ticks = if panel.x.ticks().next().is_some() { 18.0 } else { 2.0 };
    ticks + if panel.x.label.is_empty() { 0.0 } else { 18.0 }
}

impl Scale {
    fn width(&self) -> f64 {
        let ticks = self.ticks.iter().map(|(_, text)| text_width(text, TICK)).fold(0.0, f64::max);
        (22.0 + ticks).max(text_width(&self.label, TICK))
    }
}

/// About how wide a text is: Noto Sans has no more than this for each of its characters, save capitals in a row.
fn text_width(text: &str, size: f64) -> f64 {
    0.57 * size * text.chars().count() as f64
}

/// A text at a place, `anchor`ed there; its middle is at `y`.
fn text(content: &str, (x, y): (f64, f64), size: f64, colour: Colour, anchor: &str, bold: bool) -> Markup {
    html! {
        text x=(place(x)) y=(place(y + 0.35 * size)) font-size=(place(size)) fill=(colour.hex()) class=[colour.class()]
            text-anchor=(anchor) font-weight=[bold.then_some("bold")] { (content) }
    }
}

fn rule((x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: Colour) -> Markup {
    html! {
        line x1=(place(x1)) y1=(place(y1)) x2=(place(x2)) y2=(place(y2)) stroke=(colour.hex()) class=[colour.class()] {}
    }
}

fn draw_panel(panel: &Panel, left: f64, top: f64) -> Markup {
    let Panel { x, y, size: (width, height), .. } = panel;
    let frame = Frame { left, top, width: *width, height: *height, x, y };
    let above = top - room_above(panel);
    html! {
        g {
            @if !panel.title.is_empty() {
                (text(&panel.title, (left, above + 0.5 * TITLE_LINE), TITLE, Colour::Ink, "start", true))
            }
            @if !panel.subtitle.is_empty() {
                (text(&panel.subtitle, (left, top - 4.0 - 0.5 * SUBTITLE_LINE), TICK, Colour::Faint, "start", false))
            }
            (draw_grid(&frame))
            @for mark in &panel.marks { (mark.draw(&frame)) }
            (draw_axes(&frame))
        }
    }
}

fn draw_grid(frame: &Frame) -> Markup {
    let shares = |axis: &Axis| axis.ticks().filter(|_| axis.grid).map(|(share, _)| share).collect::<Vec<_>>();
    html! {
        @for x in shares(frame.x).into_iter().map(|share| frame.across(share)) {
            (rule((x, frame.top), (x, frame.top + frame.height), Colour::Grid))
        }
        @for y in shares(frame.y).into_iter().map(|share| frame.up(share)) {
            (rule((frame.left, y), (frame.left + frame.width, y), Colour::Grid))
        }
    }
}

fn draw_axes(frame: &Frame) -> Markup {
    let Frame { left, top, width, height, x, y } = *frame;
    let bottom = top + height;
    let mut free_from = f64::NEG_INFINITY;
    // Numbers that would touch the one before them are left out; their tick stays.
    let mut fits = |middle: f64, content: &str| {
        let half = 0.5 * text_width(content, TICK);
        let fits = middle - half >= free_from;
        if fits {
            free_from = middle + half + 4.0;
        }
        fits
    };
    let widest = y.ticks().map(|(_, content)| text_width(content, TICK)).fold(0.0, f64::max);
    let (label_x, label_y) = (left - widest - 18.0, top + 0.5 * height);
    html! {
        rect x=(place(left)) y=(place(top)) width=(place(width)) height=(place(height)) fill="none" stroke=(Colour::Faint.hex())
            class=[Colour::Faint.class()] {}
        @for (share, content) in x.ticks() {
            (rule((frame.across(share), bottom), (frame.across(share), bottom + 4.0), Colour::Faint))
            @if fits(frame.across(share), content) {
                (text(content, (frame.across(share), bottom + 12.0), TICK, Colour::Ink, "middle", false))
            }
        }
        @for (share, content) in y.ticks() {
            (rule((left - 4.0, frame.up(share)), (left, frame.up(share)), Colour::Faint))
            (text(content, (left - 7.0, frame.up(share)), TICK, Colour::Ink, "end", false))
        }
        @if !x.label.is_empty() { (text(&x.label, (left + 0.5 * width, bottom + 29.0), LABEL, Colour::Ink, "middle", false)) }
        @if !y.label.is_empty() {
            g transform=(format!("rotate(-90 {} {})", place(label_x), place(label_y))) {
                (text(&y.label, (label_x, label_y), LABEL, Colour::Ink, "middle", false))
            }
        }
    }
}

fn draw_scale(scale: &Scale, left: f64, top: f64, height: f64) -> Markup {
    const STEPS: usize = 48;
    let step = height / STEPS as f64;
    html! {
        g {
            (text(&scale.label, (left, top - SCALE_LABEL), TICK, Colour::Ink, "start", false))
            @for index in 0..STEPS {
                @let colour = (scale.colour)((index as f64 + 0.5) / STEPS as f64);
                rect x=(place(left)) y=(place(top + height - (index + 1) as f64 * step)) width="14" height=(place(step + 0.3))
                    fill=(colour.hex()) class=[colour.class()] {}
            }
            @for (share, content) in &scale.ticks {
                (text(content, (left + 19.0, top + (1.0 - share) * height), TICK, Colour::Ink, "start", false))
            }
        }
    }
}

fn draw_entry(entry: &Entry, left: f64, middle: f64) -> Markup {
    let Stroke { colour, width, .. } = entry.stroke;
    html! {
        line x1=(place(left)) y1=(place(middle)) x2=(place(left + 24.0)) y2=(place(middle)) stroke=(colour.hex())
            class=[colour.class()] stroke-width=(place(width + 0.6)) stroke-dasharray=[entry.stroke.dashes()] {}
        (text(&entry.label, (left + 30.0, middle), TICK, Colour::Ink, "start", false))
    }
}
