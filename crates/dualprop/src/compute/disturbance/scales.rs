//! What noise, ranges and stuck values are relative to.

use serde::{Deserialize, Serialize};

/// How much of a batch's mean square enters the running one.
const SHARE: f64 = 0.01;

/// Running mean squares of s̄ and Δ of every layer: of each batch the last update, before its own disturbances, enters by a hundredth,
/// of Δ the last update that was not at rest; the first batch that has one is a beginning. Part of a training's state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scales {
    /// Layer k = 1..L at k − 1; none where no batch has been.
    squares: Vec<[Option<f64>; 2]>,
}

impl Scales {
    /// Those of a network of `depth` layers that has seen no batch.
    pub fn new(depth: usize) -> Self {
        Scales { squares: vec![[None; 2]; depth] }
    }

    /// Those of these mean squares of s̄ and Δ, layer k = 1..L at k − 1.
    pub fn of(squares: &[[f64; 2]]) -> Self {
        Scales { squares: squares.iter().map(|squares| squares.map(Some)).collect() }
    }

    /// For how many layers there are any.
    pub fn len(&self) -> usize {
        self.squares.len()
    }

    /// Whether there are layers at all.
    pub fn is_empty(&self) -> bool {
        self.squares.is_empty()
    }

    /// Whether every number is finite and none is negative.
    pub fn are_valid(&self) -> bool {
        self.squares.iter().flatten().flatten().all(|square| square.is_finite() && *square >= 0.0)
    }

    /// (r, r_Δ) of layer k = 1..L; of the `present` mean squares where no batch has been.
    pub(super) fn roots(&self, k: usize, present: [f64; 2]) -> (f64, f64) {
        let running = self.squares.get(k - 1).copied().unwrap_or_default();
        (running[0].unwrap_or(present[0]).sqrt(), running[1].unwrap_or(present[1]).sqrt())
    }

    /// Takes in what a batch measured of each layer; none where it measured nothing.
    pub(super) fn take(&mut self, measured: &[[Option<f64>; 2]]) {
        for (running, new) in self.squares.iter_mut().flatten().zip(measured.iter().flatten()) {
            let Some(new) = new else { continue };
            match running {
                None => *running = Some(*new),
                Some(running) => *running += SHARE * (new - *running),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_batch_is_a_beginning_and_later_ones_enter_by_a_hundredth() {
        let mut scales = Scales::new(2);
        assert_eq!(scales.roots(1, [4.0, 9.0]), (2.0, 3.0));
        scales.take(&[[Some(16.0), Some(25.0)], [None, None]]);
        assert_eq!((scales.roots(1, [4.0, 9.0]), scales.roots(2, [1.0, 4.0])), ((4.0, 5.0), (1.0, 2.0)));
        scales.take(&[[Some(116.0), None], [Some(9.0), Some(1.0)]]);
        assert_eq!((scales.roots(1, [0.0; 2]), scales.roots(2, [0.0; 2])), ((17f64.sqrt(), 5.0), (3.0, 1.0)));
        let text = serde_json::to_string(&scales).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str(&text).ok()), ("[[17.0,25.0],[9.0,1.0]]", Some(scales)));
    }
}
