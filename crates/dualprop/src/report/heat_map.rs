//! Heat maps side by side: cells of shares over two numeric axes, lines drawn into them, one scale of colours.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colour;

/// One axis: the values of its cells, in rising order.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) values: Vec<f64>,
    pub(super) logarithmic: bool,
}

impl Axis {
    /// Where a value lies, in the unit in which the axis is even.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.logarithmic { libm::log10(value) } else { value }
    }

    /// Where the cells begin and end: half way between the values, and as far beyond the outermost ones.
    fn edges(&self) -> Vec<f64> {
        let places: Vec<f64> = self.values.iter().map(|&value| self.place(value)).collect();
        let (Some(first), Some(last)) = (places.first(), places.last()) else { return vec![0.0, 1.0] };
        let between: Vec<f64> = places.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])).collect();
        let (Some(low), Some(high)) = (between.first(), between.last()) else { return vec![first - 0.5, first + 0.5] };
        [vec![2.0 * first - low], between.clone(), vec![2.0 * last - high]].concat()
    }
}

/// A line in units of the two axes; a gap where a point is none.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) points: Vec<Option<(f64, f64)>>,
    pub(super) dashed: bool,
}

/// One map.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    pub(super) title: [String; 2],
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// Of each y, the share of every x.
    pub(super) shares: Vec<Vec<Option<f64>>>,
    pub(super) lines: Vec<Line>,
}

/// All maps of a figure.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// What the lines are.
    pub(super) note: Option<String>,
    pub(super) scale: String,
    pub(super) panels: Vec<Panel>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

const PLOT: (i32, i32) = (270, 230);
const LEFT: i32 = 68;
const TOP: i32 = 50;
const SLOT: (i32, i32) = (LEFT + PLOT.0 + 14, TOP + PLOT.1 + 58);
const HEAD: i32 = 62;
const SCALE: i32 = 96;
const MOST_COLUMNS: usize = 3;
const INK: RGBColor = RGBColor(30, 30, 30);
const FAINT: RGBColor = RGBColor(90, 90, 90);

impl Figure {
    /// The figure as SVG.
    pub(super) fn svg(&self) -> Result<String, Box<dyn std::error::Error>> {
        // As many columns as fill the rows best; four panels are two rows of two, not three and one.
        let fewest_rows = self.panels.len().div_ceil(MOST_COLUMNS).max(1);
        let columns = self.panels.len().div_ceil(fewest_rows).max(1) as i32;
        let rows = (self.panels.len() as i32 + columns - 1) / columns;
        // No line of text is wider than about this for each of its characters.
        let longest = [Some(&self.subtitle), self.note.as_ref()].into_iter().flatten().map(|line| line.chars().count()).max();
        let width = (columns * SLOT.0 + SCALE).max(28 + 15 * longest.unwrap_or(0) as i32 / 2);
        let height = HEAD + rows * SLOT.1 + if self.note.is_some() { 30 } else { 8 };
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
            root.fill(&WHITE)?;
            text(&root, &self.title, (14, 14), 21.0, INK, HPos::Left, VPos::Top)?;
            text(&root, &self.subtitle, (14, 40), 15.0, FAINT, HPos::Left, VPos::Top)?;
            for (index, panel) in (0..).zip(&self.panels) {
                panel.draw(&root, ((index % columns) * SLOT.0, HEAD + (index / columns) * SLOT.1))?;
            }
            self.draw_scale(&root, (columns * SLOT.0 + 18, HEAD + TOP))?;
            if let Some(note) = &self.note {
                text(&root, note, (14, height - 12), 15.0, FAINT, HPos::Left, VPos::Bottom)?;
            }
            root.present()?;
        }
        Ok(svg)
    }

    fn draw_scale(&self, root: &Area, (x, y): (i32, i32)) -> Drawn {
        const STEPS: i32 = 46;
        for step in 0..STEPS {
            let share = (f64::from(step) + 0.5) / f64::from(STEPS);
            let bottom = y + PLOT.1 - step * PLOT.1 / STEPS;
            let top = y + PLOT.1 - (step + 1) * PLOT.1 / STEPS;
            root.draw(&Rectangle::new([(x, top), (x + 16, bottom)], colour::of_share(Some(share)).filled()))?;
        }
        for (share, label) in [(0, "0 %"), (50, "50 %"), (100, "100 %")] {
            let place = y + PLOT.1 - share * PLOT.1 / 100;
            text(root, label, (x + 21, place), 13.0, INK, HPos::Left, VPos::Center)?;
        }
        text(root, &self.scale, (x, y - 12), 14.0, INK, HPos::Left, VPos::Bottom)
    }
}

impl Panel {
    fn draw(&self, root: &Area, (left, top): (i32, i32)) -> Drawn {
        let (x0, y0) = (left + LEFT, top + TOP);
        let (x_edges, y_edges) = (self.x.edges(), self.y.edges());
        let scaled = |edges: &[f64], place: f64, length: i32| {
            let (first, last) = (edges[0], edges[edges.len() - 1]);
            (f64::from(length) * (place - first) / (last - first)).round() as i32
        };
        let across = |place: f64| x0 + scaled(&x_edges, place, PLOT.0);
        let up = |place: f64| y0 + PLOT.1 - scaled(&y_edges, place, PLOT.1);
        for (line, title) in (0..).zip(&self.title) {
            let (size, colour) = if line == 0 { (16.0, INK) } else { (13.5, FAINT) };
            text(root, title, (x0 + PLOT.0 / 2, y0 - 30 + 18 * line), size, colour, HPos::Center, VPos::Center)?;
        }
        for (row, y) in self.shares.iter().zip(y_edges.windows(2)) {
            for (&share, x) in row.iter().zip(x_edges.windows(2)) {
                let (colour, corners) = (colour::of_share(share), [(across(x[0]), up(y[1])), (across(x[1]), up(y[0]))]);
                root.draw(&Rectangle::new(corners, colour.filled()))?;
                let [(a, b), (c, d)] = corners;
                if c - a >= 34 && d - b >= 17 {
                    let label = share.map_or("–".into(), |share| format!("{:.0}", 100.0 * share));
                    text(root, &label, ((a + c) / 2, (b + d) / 2), 14.0, colour::on(colour), HPos::Center, VPos::Center)?;
                }
            }
        }
        for line in &self.lines {
            let inside = |&(x, y): &(f64, f64)| {
                let within = |place: f64, edges: &[f64]| place >= edges[0] && place <= edges[edges.len() - 1];
                within(self.x.place(x), &x_edges) && within(self.y.place(y), &y_edges)
            };
            let points = line.points.iter().map(|point| point.filter(inside));
            let points: Vec<_> = points.map(|p| p.map(|(x, y)| (across(self.x.place(x)), up(self.y.place(y))))).collect();
            draw_line(root, &points, line.dashed)?;
        }
        root.draw(&Rectangle::new([(x0, y0), (x0 + PLOT.0, y0 + PLOT.1)], INK.stroke_width(1)))?;
        for value in shown(&self.x.values) {
            let place = across(self.x.place(value));
            root.draw(&PathElement::new([(place, y0 + PLOT.1), (place, y0 + PLOT.1 + 4)], INK))?;
            text(root, &value.to_string(), (place, y0 + PLOT.1 + 8), 13.0, INK, HPos::Center, VPos::Top)?;
        }
        for value in shown(&self.y.values) {
            let place = up(self.y.place(value));
            root.draw(&PathElement::new([(x0 - 4, place), (x0, place)], INK))?;
            text(root, &value.to_string(), (x0 - 7, place), 13.0, INK, HPos::Right, VPos::Center)?;
        }
        text(root, &self.x.label, (x0 + PLOT.0 / 2, y0 + PLOT.1 + 28), 15.0, INK, HPos::Center, VPos::Top)?;
        let style = style(15.0, INK, HPos::Center, VPos::Center).transform(FontTransform::Rotate270);
        root.draw(&Text::new(self.y.label.as_str(), (x0 - 50, y0 + PLOT.1 / 2), style))?;
        Ok(())
    }
}

/// White on black, which stands out from every colour of the cells; the parts between gaps, and of a dashed line every other bit.
fn draw_line(root: &Area, points: &[Option<(i32, i32)>], dashed: bool) -> Drawn {
    let parts: Vec<Vec<(i32, i32)>> =
        points.split(Option::is_none).map(|part| part.iter().flatten().copied().collect()).collect();
    for (colour, width) in [(BLACK, 4), (WHITE, 2)] {
        for part in parts.iter().filter(|part| part.len() > 1) {
            match dashed {
                false => root.draw(&PathElement::new(part.clone(), colour.stroke_width(width)))?,
                true => dashes(part)
                    .into_iter()
                    .try_for_each(|dash| root.draw(&PathElement::new(dash, colour.stroke_width(width))))?,
            }
        }
    }
    Ok(())
}

/// Pieces of about seven pixels with gaps of five.
fn dashes(part: &[(i32, i32)]) -> Vec<Vec<(i32, i32)>> {
    let (mut dashes, mut travelled) = (vec![vec![]], 0.0);
    for pair in part.windows(2) {
        let step = f64::from(pair[1].0 - pair[0].0).hypot(f64::from(pair[1].1 - pair[0].1));
        travelled += step;
        let dash = dashes.len() - 1;
        match travelled % 12.0 < 7.0 {
            true if dashes[dash].is_empty() => dashes[dash].extend(pair),
            true => dashes[dash].push(pair[1]),
            false if dashes[dash].is_empty() => {}
            false => dashes.push(vec![]),
        }
    }
    dashes.retain(|dash| dash.len() > 1);
    dashes
}

/// The values that have a tick: all of few, else evenly chosen ones, with the last among them if that can be.
fn shown(values: &[f64]) -> Vec<f64> {
    let least = values.len().div_ceil(7).max(1);
    let step = (least..2 * least).find(|step| (values.len().max(1) - 1).is_multiple_of(*step)).unwrap_or(least);
    values.iter().copied().step_by(step).collect()
}

fn style<'a>(size: f64, colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'a> {
    TextStyle {
        // plotters writes it divided by this.
        font: ("sans-serif", 1.24 * size).into_font(),
        color: colour.to_backend_color(),
        pos: Pos::new(horizontal, vertical),
    }
}

fn text(root: &Area, text: &str, at: (i32, i32), size: f64, colour: RGBColor, horizontal: HPos, vertical: VPos) -> Drawn {
    Ok(root.draw(&Text::new(text.to_string(), at, style(size * 0.92, colour, horizontal, vertical)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_reach_half_way_to_their_neighbours() {
        let axis = |values: &[f64], logarithmic| Axis { label: String::new(), values: values.to_vec(), logarithmic };
        assert_eq!(axis(&[0.0, 0.5, 1.0], false).edges(), [-0.25, 0.25, 0.75, 1.25]);
        assert_eq!(axis(&[0.01, 1.0], true).edges(), [-3.0, -1.0, 1.0]);
        assert_eq!(axis(&[2.0], false).edges(), [1.5, 2.5]);
    }

    #[test]
    fn dashes_leave_gaps() {
        let line: Vec<(i32, i32)> = (0..60).map(|x| (x, 0)).collect();
        let drawn: usize = dashes(&line).iter().map(|dash| dash.len() - 1).sum();
        assert!(dashes(&line).len() == 5 && (28..=40).contains(&drawn), "{:?}", dashes(&line));
    }

    #[test]
    fn few_values_have_all_their_ticks() {
        assert_eq!(shown(&[0.0, 0.5, 1.0]), [0.0, 0.5, 1.0]);
        assert_eq!(shown(&(0..21).map(f64::from).collect::<Vec<_>>()), [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]);
        assert_eq!(shown(&(0..8).map(f64::from).collect::<Vec<_>>()), [0.0, 2.0, 4.0, 6.0]);
        assert!(shown(&[]).is_empty());
    }
}
