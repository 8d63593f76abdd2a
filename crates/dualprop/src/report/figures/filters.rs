//! What the neurons of the first layer look for.

use crate::compute::Tensor;
use crate::network::Shape;
use crate::report::figure::{Axis, Colour, Figure, Mark, Panel};

/// The most filters that are shown.
const MOST: usize = 32;

/// Steps of colour on either side of 0: more make the figure larger, not clearer.
const STEPS: f64 = 10.0;

/// The kernels of the first neurons, or channels, of the first layer as pictures of its inputs, [inputs, neurons] or
/// [k, k, inputs, channels]; none for inputs that are no image.
pub(in crate::report) fn figure(kernel: &Tensor<f32>, input: Shape, what: &str) -> Option<Figure> {
    let (height, width, channels, count) = match *kernel.shape() {
        [height, width, channels, count] => (height, width, channels, count),
        [_, count] if input.height > 1 && input.width > 1 => (input.height, input.width, input.channels, count),
        _ => return None,
    };
    if !matches!(channels, 1 | 3) {
        return None;
    }
    let shown = count.min(MOST);
    let caption = format!(
        "Kernels of the first {shown} of {count} {} of the first layer of {what}, each scaled by its largest weight{}.",
        if kernel.shape().len() == 4 { "channels" } else { "neurons" },
        if channels == 1 { ": blue negative, red positive" } else { ", as colours around grey" }
    );
    let mut figure = Figure::new("first-layer", "First layer", caption);
    figure.columns = 8;
    for filter in 0..shown {
        let weight = |place: usize, channel: usize| f64::from(kernel.data()[(place * channels + channel) * count + filter]);
        let pixels = height * width;
        let largest = (0..pixels).flat_map(|place| (0..channels).map(move |channel| (place, channel)));
        let largest = largest.map(|(place, channel)| weight(place, channel).abs()).fold(f64::MIN_POSITIVE, f64::max);
        let colour = |place: usize| {
            let step = |channel: usize| (STEPS * weight(place, channel) / largest).round() / STEPS;
            let component = |channel: usize| (127.5 + 127.5 * step(channel)).round() as u8;
            if channels == 1 { Colour::Diverging(step(0)) } else { Colour::Plain(component(0), component(1), component(2)) }
        };
        let bare = || Axis::from_to("", 0.0, 1.0).bare();
        let mut panel = Panel::new("", bare(), bare());
        panel.size = (64.0, 64.0 * height as f64 / width as f64);
        panel.marks.push(Mark::Pixels { width, colours: (0..pixels).map(colour).collect() });
        figure.panels.push(panel);
    }
    Some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_the_picture_of_its_weights() {
        // Two neurons on an image of 2 × 2: one looks at its first pixel, the other is against its last.
        let kernel = Tensor::new(&[4, 2], vec![2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]).unwrap();
        let drawn = figure(&kernel, Shape::image(2, 2, 1), "a test").unwrap();
        let colours: Vec<&Mark> = drawn.panels.iter().flat_map(|panel| &panel.marks).collect();
        let [Mark::Pixels { colours: first, .. }, Mark::Pixels { colours: second, .. }] = colours[..] else { panic!() };
        let [none, most, least] = [0.0, 1.0, -1.0].map(Colour::Diverging);
        assert_eq!((first[..].to_vec(), second[..].to_vec()), (vec![most, none, none, none], vec![none, none, none, least]));
        assert!(figure(&kernel, Shape::flat(4), "a vector").is_none());
    }
}
