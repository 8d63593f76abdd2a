//! What a figure is made of, as whoever reads its file finds it.

use super::*;

/// The tags of an SVG, each closed in its order; the text between them.
pub(in crate::report) fn parsed(svg: &str) -> (Vec<String>, Vec<String>) {
    let (mut open, mut tags, mut texts) = (vec![], vec![], vec![]);
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag that ends");
        let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_alphanumeric()).collect();
        assert!(tag.matches('"').count() % 2 == 0, "{tag}");
        match tag.starts_with('/') {
            true => assert_eq!(open.pop(), Some(name)),
            false => {
                tags.push(name.clone());
                open.push(name);
            }
        }
        if !text.trim().is_empty() {
            assert!(
                !text.replace("&amp;", "").replace("&lt;", "").replace("&quot;", "").replace("&gt;", "").contains('&'),
                "{text}"
            );
            texts.push(text.trim().to_string());
        }
    }
    assert!(open.is_empty(), "{open:?} never end");
    (tags, texts)
}

/// A figure with every kind of mark.
fn full() -> Figure {
    let mut figure = Figure::new("full", "Everything <&> \"all\"", "caption");
    let axes = || (Axis::linear("x", [0.0, 10.0]), Axis::logarithmic("y", [0.1, 10.0]));
    let point = |x: f64, y: f64| Point { x, y, tip: format!("at {x}") };
    let cell = |x: f64| Cell {
        x: (x, x + 1.0),
        y: (-1.0, 1.0),
        colour: Colour::Viridis(x),
        label: "42".into(),
        tip: "a <cell> & more".into(),
    };
    let marks = [
        Mark::Line {
            points: vec![Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((2.0, 5.0))],
            stroke: Stroke::dashed(Colour::Series(1)),
        },
        Mark::Band { points: vec![(0.0, 0.5, 1.0), (1.0, 0.6, 2.0)], colour: Colour::Series(2) },
        Mark::Points { points: vec![point(1.0, 1.0), point(2.0, 1e9)], colour: Colour::Series(3), radius: 3.0 },
        Mark::Tips(vec![point(3.0, 3.0)]),
        Mark::Cells(vec![cell(0.0), cell(4.0)]),
        Mark::Columns { columns: vec![((1.0, 2.0), 5.0), ((2.0, 3.0), f64::NAN)], colour: Colour::Series(4) },
        Mark::Pixels {
            width: 2,
            colours: vec![Colour::Diverging(1.0), Colour::Diverging(1.0), Colour::Missing, Colour::Diverging(-1.0)],
        },
    ];
    for mark in marks {
        let (x, y) = axes();
        let mut panel = Panel::new("a title", x, y);
        panel.subtitle = "a subtitle".into();
        panel.marks.push(mark);
        figure.panels.push(panel);
    }
    figure.legend =
        (0..9).map(|index| Entry { label: format!("line {index}"), stroke: Stroke::plain(Colour::Series(index)) }).collect();
    figure.scale = Some(Scale::even("a scale", (0.0, 1.0), number));
    figure
}

#[test]
fn every_mark_is_drawn_and_what_has_no_place_is_not() {
    let (tags, texts) = parsed(&full().svg());
    let count = |name: &str| tags.iter().filter(|tag| *tag == name).count();
    // The line, and the two colours of the pixels beside that of what is missing.
    assert_eq!((count("path"), count("polygon")), (1 + 3, 1));
    assert_eq!(count("circle"), 2, "the point beyond the axis has no disc");
    assert_eq!(count("title"), 2 + 2, "of the discs and of the cells");
    for text in ["a title", "a subtitle", "x", "y", "0.1", "10", "42", "line 8", "a scale", "a &lt;cell&gt; &amp; more"] {
        assert!(texts.iter().any(|found| found == text), "{text} in {texts:?}");
    }
}

#[test]
fn a_picture_has_three_pixels_for_each_unit_and_shows_something() {
    let figure = full();
    let svg = figure.svg();
    let length = |name: &str| -> u32 {
        let (_, rest) = svg.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse::<f32>().map(|length| (3.0 * length).ceil() as u32).unwrap()
    };
    let png = figure.png();
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!(&png[1..4], b"PNG");
    assert_eq!((number(16), number(20)), (length("width"), length("height")));
    let pixels = resvg::tiny_skia::Pixmap::decode_png(&png).unwrap();
    let dark = pixels.pixels().iter().filter(|pixel| pixel.red() < 100 && pixel.green() < 100 && pixel.blue() < 100).count();
    assert!(dark > 2000, "no text and no axes: {dark}");
    assert_eq!(png, full().png(), "the same bits again");
}
