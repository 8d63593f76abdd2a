//! A layer's affine map: dense, or a convolution, with the max pools around it.

/// W, as the list of its connections: which input a weight carries to which output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linear {
    /// Every input to every output; kernel `[inputs][outputs]`.
    Dense {
        /// Size of s.
        inputs: usize,
        /// Size of W s.
        outputs: usize,
    },
    /// Every pixel to the pixels around it, zeros outside the image; images `[height][width][channels]`, kernel
    /// `[size][size][inputs][outputs]`.
    Convolution {
        /// Rows of the image below and above.
        height: usize,
        /// Its columns.
        width: usize,
        /// Channels below.
        inputs: usize,
        /// Channels above.
        outputs: usize,
        /// Rows and columns of the kernel, an odd number.
        size: usize,
    },
}

impl Linear {
    /// Size of s.
    pub fn inputs(self) -> usize {
        match self {
            Linear::Dense { inputs, .. } => inputs,
            Linear::Convolution { height, width, inputs, .. } => height * width * inputs,
        }
    }

    /// Size of W s.
    pub fn outputs(self) -> usize {
        match self {
            Linear::Dense { outputs, .. } => outputs,
            Linear::Convolution { height, width, outputs, .. } => height * width * outputs,
        }
    }

    /// Calls `visit(i, w, j)` for every connection: element w of the kernel carries input i to output j.
    fn each_connection(self, mut visit: impl FnMut(usize, usize, usize)) {
        match self {
            Linear::Dense { inputs, outputs } => {
                for i in 0..inputs {
                    for j in 0..outputs {
                        visit(i, i * outputs + j, j);
                    }
                }
            }
            Linear::Convolution { height, width, inputs, outputs, size } => {
                let reach = size / 2;
                for (y, x) in grid(height, width) {
                    for (down, right) in grid(size, size) {
                        // The pixel below that this place of the kernel sees, counted with `reach` rows of zeros above it.
                        let (row, column) = (y + down, x + right);
                        if row < reach || column < reach || row - reach >= height || column - reach >= width {
                            continue;
                        }
                        let below = (row - reach) * width + column - reach;
                        for (c, d) in grid(inputs, outputs) {
                            let w = ((down * size + right) * inputs + c) * outputs + d;
                            visit(below * inputs + c, w, (y * width + x) * outputs + d);
                        }
                    }
                }
            }
        }
    }
}

/// All (row, column) in order.
fn grid(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}

/// A 2 × 2 max pool with stride 2 of an image `[height][width][channels]`; an odd last row or column is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Rows of the image.
    pub height: usize,
    /// Its columns.
    pub width: usize,
    /// Its channels.
    pub channels: usize,
}

impl MaxPool {
    /// For each number of the pooled image, which number of the image it is: the largest of its window, the first of equals.
    fn winners(self, image: &[f64]) -> Vec<usize> {
        assert_eq!(image.len(), self.height * self.width * self.channels, "a pool of another image");
        let mut winners = Vec::new();
        for (row, column) in grid(self.height / 2, self.width / 2) {
            for channel in 0..self.channels {
                let place = |(down, right)| ((2 * row + down) * self.width + 2 * column + right) * self.channels + channel;
                let mut winner = place((0, 0));
                for candidate in grid(2, 2).map(place) {
                    if image[candidate] > image[winner] {
                        winner = candidate;
                    }
                }
                winners.push(winner);
            }
        }
        winners
    }
}

/// A(s): perhaps a pool of s, then W s + b, then perhaps a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// A pool of s, where that of the layer below comes after its activation.
    pub pool_below: Option<MaxPool>,
    /// Which weight connects what.
    pub linear: Linear,
    /// The weights.
    pub kernel: Vec<f64>,
    /// b: one for each output of a dense layer, for each channel of a convolution.
    pub bias: Vec<f64>,
    /// A pool of W s + b.
    pub pool_above: Option<MaxPool>,
}

impl Layer {
    /// W s + b with a kernel `[inputs][outputs]`, row-major: the weight from input i to output j is `kernel[i * outputs + j]`.
    pub fn dense(inputs: usize, outputs: usize, kernel: Vec<f64>, bias: Vec<f64>) -> Self {
        Layer { pool_below: None, linear: Linear::Dense { inputs, outputs }, kernel, bias, pool_above: None }
    }

    /// A(s).
    pub fn affine(&self, s: &[f64]) -> Vec<f64> {
        let a = self.unpooled(&pooled(self.pool_below, s));
        pooled(self.pool_above, &a)
    }

    /// W s + b.
    fn unpooled(&self, s: &[f64]) -> Vec<f64> {
        assert_eq!(s.len(), self.linear.inputs(), "the input of a layer has another size than its kernel");
        // Channels are the last axis, so that the bias repeats itself.
        let mut a: Vec<f64> = self.bias.iter().copied().cycle().take(self.linear.outputs()).collect();
        self.linear.each_connection(|i, w, j| a[j] += self.kernel[w] * s[i]);
        a
    }

    /// A′(s)ᵀ d: from the size of A(s) back to that of s; where there is a pool it depends on s.
    pub fn adjoint(&self, d: &[f64], s: &[f64]) -> Vec<f64> {
        self.adjoint_by(&self.kernel, d, s)
    }

    /// The same with Bᵀ in the place of Wᵀ, B being laid out as W is; which pixels win in a pool is still said by A(s).
    pub fn adjoint_by(&self, b: &[f64], d: &[f64], s: &[f64]) -> Vec<f64> {
        assert_eq!(b.len(), self.kernel.len(), "a feedback kernel has the size of the kernel");
        let below = pooled(self.pool_below, s);
        let d = self.unpooled_above(d, &below);
        let mut fb = vec![0.0; self.linear.inputs()];
        self.linear.each_connection(|i, w, j| fb[i] += b[w] * d[j]);
        unpooled(self.pool_below, &fb, s)
    }

    /// Adds `scale` · ∂⟨d, A(s)⟩/∂kernel and ∂/∂bias.
    pub fn add_gradient(&self, scale: f64, d: &[f64], s: &[f64], (kernel, bias): (&mut [f64], &mut [f64])) {
        let below = pooled(self.pool_below, s);
        let d = self.unpooled_above(d, &below);
        self.linear.each_connection(|i, w, j| kernel[w] += scale * d[j] * below[i]);
        for (j, d) in d.iter().enumerate() {
            bias[j % self.bias.len()] += scale * d;
        }
    }

    /// d before the pool that follows W s + b.
    fn unpooled_above(&self, d: &[f64], s: &[f64]) -> Vec<f64> {
        match self.pool_above {
            None => {
                assert_eq!(d.len(), self.linear.outputs(), "what is fed back through a layer has another size than its kernel");
                d.to_vec()
            }
            pool => unpooled(pool, d, &self.unpooled(s)),
        }
    }
}

/// The image after the pool, if there is one.
fn pooled(pool: Option<MaxPool>, image: &[f64]) -> Vec<f64> {
    match pool {
        None => image.to_vec(),
        Some(pool) => pool.winners(image).into_iter().map(|winner| image[winner]).collect(),
    }
}

/// The adjoint of the pool, if there is one, held linear at this image.
fn unpooled(pool: Option<MaxPool>, d: &[f64], image: &[f64]) -> Vec<f64> {
    let Some(pool) = pool else { return d.to_vec() };
    let mut unpooled = vec![0.0; image.len()];
    let winners = pool.winners(image);
    assert_eq!(d.len(), winners.len(), "what is fed back through a pool has another size");
    for (d, winner) in d.iter().zip(winners) {
        unpooled[winner] = *d;
    }
    unpooled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::fixtures;

    /// [in][out] = [[1, 2, 3], [4, 5, 6]].
    fn by_hand() -> Layer {
        Layer::dense(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![0.5, 0.0, -0.5])
    }

    #[test]
    fn the_affine_map_and_its_adjoint_by_hand() {
        assert_eq!(by_hand().affine(&[1.0, -1.0]), [-2.5, -3.0, -3.5]);
        assert_eq!(by_hand().adjoint(&[1.0, 0.0, -1.0], &[0.0; 2]), [-2.0, -2.0]);
    }

    /// One row of three pixels under the kernel row (1, 10, 100), the rows above and below it being zeros' business.
    #[test]
    fn a_convolution_by_hand() {
        let mut kernel = vec![7.0; 9];
        (kernel[3], kernel[4], kernel[5]) = (1.0, 10.0, 100.0);
        let linear = Linear::Convolution { height: 1, width: 3, inputs: 1, outputs: 1, size: 3 };
        let layer = Layer { linear, kernel, bias: vec![0.5], ..by_hand() };
        assert_eq!(layer.affine(&[1.0, 2.0, 3.0]), [210.5, 321.5, 32.5]);
        assert_eq!(layer.adjoint(&[1.0, 2.0, 3.0], &[0.0; 3]), [12.0, 123.0, 230.0]);
    }

    #[test]
    fn a_pool_by_hand() {
        let pool = Some(MaxPool { height: 3, width: 2, channels: 1 });
        let image = [1.0, 5.0, 5.0, 2.0, 9.0, 9.0];
        assert_eq!(pooled(pool, &image), [5.0]);
        assert_eq!(unpooled(pool, &[4.0], &image), [0.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
    }

    /// ⟨A s, d⟩ = ⟨s, Aᵀ d⟩ for the linear part, pools held where they are.
    #[test]
    fn the_adjoint_is_the_adjoint() {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for (pool_below, pool_above) in [(false, false), (true, false), (false, true)] {
            let image = if pool_below { (4, 6) } else { (5, 6) };
            let (height, width) = if pool_below { (2, 3) } else { image };
            let linear = Linear::Convolution { height, width, inputs: 2, outputs: 3, size: 3 };
            let layer = Layer {
                pool_below: pool_below.then_some(MaxPool { height: 4, width: 6, channels: 2 }),
                linear,
                kernel: fixtures::normals(54, 1),
                bias: vec![0.0; 3],
                pool_above: pool_above.then_some(MaxPool { height: 5, width: 6, channels: 3 }),
            };
            let s = fixtures::normals(image.0 * image.1 * 2, 2);
            let a = layer.affine(&s);
            let d = fixtures::normals(a.len(), 3);
            assert!((dot(&a, &d) - dot(&s, &layer.adjoint(&d, &s))).abs() < 1e-12);
            // Without a bias A is homogeneous in the kernel: its derivative along the kernel is A itself.
            let (mut kernel, mut bias) = (vec![0.0; 54], vec![0.0; 3]);
            layer.add_gradient(2.0, &d, &s, (&mut kernel, &mut bias));
            assert!((2.0 * dot(&a, &d) - dot(&kernel, &layer.kernel)).abs() < 1e-12);
            let sums = (0..3).map(|c| 2.0 * d.iter().skip(c).step_by(3).sum::<f64>()).collect::<Vec<_>>();
            assert!(fixtures::distance(&bias, &sums) < 1e-12);
        }
    }
}
