//! The spectral norm of an affine map, γ = ‖W‖₂ = max ‖W v‖ / ‖v‖.
//!
//! Damped dual propagation derives its proximal weight from it, L_k = max(0, (γ² − 1)/2) with the γ of the outgoing map.
//! γ² is the largest eigenvalue of WᵀW, the maximum of the Rayleigh quotient θ(v) = ‖W v‖² / ‖v‖², and both ways of
//! finding it only ever apply WᵀW to a vector: 2 multiply-adds for each of the map, accumulated in f64 in a fixed order,
//! from a start vector that is the same for ever. The same kernel gives the same bits. W of a convolution is the whole map
//! at the size of its images, without a pool.

mod ascent;
mod convolution;
mod feedback;
mod product;
mod room;

pub(crate) use ascent::{RayleighAscent, unit};
pub use feedback::feedback_eigenvalue;
pub use product::product_norm;
pub(crate) use room::Lent;

use crate::base::Real;
use crate::base::random::{Purpose, Random};
use crate::compute::Tensor;
use crate::compute::affine::Map;

use convolution::ConvolutionGram;

/// How the spectral norm is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Power {
    /// This many power iterations v ← WᵀW v / ‖WᵀW v‖, at least one; the result is a lower bound of γ that grows with them.
    Iterations(usize),
    /// To about 1e-13 relative; see [`spectral_norm`].
    Converged,
}

/// [`Power::Converged`] stops at ‖WᵀW v − θ v‖ ≤ this · θ. A residual so small puts θ within this of an eigenvalue, however
/// near the next one is (Weyl), and γ within half of it. That θ stands still would prove nothing: between singular values
/// that agree to eight digits it rests for a hundred steps and then climbs on.
const RESIDUAL: f64 = 1e-13;

/// Where [`Power::Converged`] gives up and returns the lower bound of γ that it has. Fifty times what the nearest singular
/// values of the tests need, whose gaps go down to rounding; a kernel would have to be enormous or made for it.
const MOST_ITERATIONS: usize = 20_000;

/// γ = ‖W‖₂ of a map W, without unit.
///
/// [`Power::Iterations`] takes γ = ‖WᵀW v‖ / ‖W v‖ of its last step, the square root of θ at W v. Plain power iteration
/// needs about 1/δ steps where the two leading singular values differ by δ relative, so [`Power::Converged`] climbs the
/// Rayleigh quotient by conjugate gradients instead (the same products, about 1/√δ steps): with the residual
/// r = WᵀW v − θ v, the direction d = r + max(0, ⟨r, r − r′⟩/⟨r′, r′⟩) d′ (Polak–Ribière, ′ the previous step) and the
/// exact maximum of θ in the plane of v and d.
///
/// A kernel of zeros, or without elements, has γ = 0; one that holds a number that is not finite has γ = NaN.
///
/// # Panics
/// If the kernel is not that of the map.
pub fn spectral_norm<T: Real>(map: Map, kernel: &Tensor<T>, power: Power) -> f64 {
    // Not `map.kernel()`, which allocates.
    let fits = match map {
        Map::Dense { inputs, outputs } => kernel.shape() == [inputs, outputs],
        Map::Convolution(c) => kernel.shape() == [c.size, c.size, c.inputs, c.outputs],
    };
    assert!(fits, "the kernel of another map");
    if !kernel.is_finite() {
        return f64::NAN;
    }
    let largest = kernel.data().iter().fold(0.0f64, |largest, x| largest.at_least(x.to_f64().abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let scale = scale_for(largest);
    let scaled = match map {
        Map::Dense { outputs, .. } => norm_of(&Gram { kernel: kernel.data(), outputs, scale }, power),
        Map::Convolution(c) => norm_of(&ConvolutionGram::new(c, kernel, scale), power),
    };
    scaled / scale
}

fn norm_of(gram: &impl Gramian, power: Power) -> f64 {
    match power {
        Power::Iterations(n) => power_iteration(gram, n.max(1)),
        Power::Converged => rayleigh_ascent(gram),
    }
}

/// A power of two, so that scaling is exact, which keeps every square far from overflow and underflow.
fn scale_for(largest: f64) -> f64 {
    libm::ldexp(1.0, (-libm::frexp(largest).1).clamp(-1022, 1023))
}

/// A map G = AᵀA.
trait Gramian {
    /// The length of the vectors that G maps.
    fn size(&self) -> usize;
    /// `product` = G v; returns vᵀ G v = ‖A v‖².
    fn apply(&self, v: &[f64], product: &mut [f64]) -> f64;
}

/// G = WᵀW of a kernel W times `scale`.
struct Gram<'a, T> {
    kernel: &'a [T],
    outputs: usize,
    scale: f64,
}

impl<T: Real> Gramian for Gram<'_, T> {
    fn size(&self) -> usize {
        self.outputs
    }

    fn apply(&self, v: &[f64], product: &mut [f64]) -> f64 {
        product.fill(0.0);
        let mut squared = 0.0;
        for row in self.kernel.chunks_exact(self.outputs) {
            let u = dot_by(row, v, |w| w.to_f64() * self.scale);
            squared += u * u;
            product.iter_mut().zip(row).for_each(|(p, &w)| *p += u * (w.to_f64() * self.scale));
        }
        squared
    }
}

fn power_iteration(gram: &impl Gramian, iterations: usize) -> f64 {
    let mut v = start(gram.size());
    let mut product = Lent::zeros(gram.size());
    let mut gamma = 0.0;
    for _ in 0..iterations {
        let squared = gram.apply(&v, &mut product);
        let length = norm(&product);
        gamma = length / squared.sqrt();
        v.iter_mut().zip(product.iter()).for_each(|(v, p)| *v = p / length);
    }
    gamma
}

fn rayleigh_ascent(gram: &impl Gramian) -> f64 {
    let mut ascent = RayleighAscent::new(start(gram.size()));
    let mut product = Lent::zeros(gram.size());
    for _ in 0..MOST_ITERATIONS {
        let theta = gram.apply(ascent.vector(), &mut product);
        if ascent.look(&product, theta) <= RESIDUAL * theta {
            break;
        }
        let along = gram.apply(ascent.direction(), &mut product);
        ascent.turn(&product, along);
    }
    ascent.theta().sqrt()
}

/// A unit vector without structure, so that it is orthogonal to no kernel's leading singular vector but by accident.
fn start(n: usize) -> Lent {
    let mut random = Random::new(0, Purpose::PowerIteration, 0, 0);
    let v = (0..n).map(|_| random.normal()).collect();
    ascent::unit(v)
}

fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    dot_by(a, b, |a| a)
}

/// Σ f(aᵢ) bᵢ in eight interleaved sums: a fixed order that a processor can still work on in parallel.
fn dot_by<A: Copy>(a: &[A], b: &[f64], f: impl Fn(A) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let ((whole, rest), (whole_b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in whole.iter().zip(whole_b) {
        for i in 0..8 {
            sums[i] += f(a[i]) * b[i];
        }
    }
    for ((sum, &a), b) in sums.iter_mut().zip(rest).zip(rest_b) {
        *sum += f(a) * b;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm_of_kernel<T: Real>(kernel: &Tensor<T>, power: Power) -> f64 {
        let &[inputs, outputs] = kernel.shape() else { panic!("a dense kernel has two axes") };
        spectral_norm(Map::Dense { inputs, outputs }, kernel, power)
    }

    /// H₁ D H₂ with two reflections H = 1 − 2 h hᵀ, which hide the singular values D in a full [rows, columns] kernel.
    fn with_singular_values(values: &[f64], rows: usize, columns: usize) -> Tensor<f64> {
        let mut random = Random::new(5, Purpose::Synthetic, 0, 0);
        let mut reflection = |n: usize| {
            let h: Vec<f64> = (0..n).map(|_| random.normal()).collect();
            let squared = dot(&h, &h);
            move |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * h[i] * h[j] / squared
        };
        let (left, right) = (reflection(rows), reflection(columns));
        let element = |i, j| values.iter().enumerate().map(|(k, value)| left(i, k) * value * right(k, j)).sum();
        let data = (0..rows * columns).map(|index| element(index / columns, index % columns)).collect();
        Tensor::new(&[rows, columns], data).unwrap()
    }

    fn diagonal(values: &[f64]) -> Tensor<f64> {
        let n = values.len();
        let data = (0..n * n).map(|index| if index / n == index % n { values[index / n] } else { 0.0 }).collect();
        Tensor::new(&[n, n], data).unwrap()
    }

    /// The relative error that the documentation promises.
    const PROMISED: f64 = 1e-13;

    #[test]
    fn converged_finds_the_largest_of_known_singular_values_however_near_the_second() {
        let mut failures = Vec::new();
        for distance in [0.5, 1e-1, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-14, 0.0] {
            // Three that nearly agree, above a crowd.
            let value = |k| if k < 3 { 1.0 - f64::from(k) * distance / 2.0 } else { 0.99 - f64::from(k) / 64.0 };
            let values: Vec<f64> = (0..60).map(value).collect();
            for (shape, kernel) in [
                ("diagonal", diagonal(&values)),
                ("square", with_singular_values(&values, 60, 60)),
                ("wide", with_singular_values(&values, 65, 90)),
                ("tall", with_singular_values(&values, 80, 60)),
            ] {
                let error = norm_of_kernel(&kernel, Power::Converged) - 1.0;
                if error.abs() > PROMISED {
                    failures.push(format!("{shape}, distance {distance:e}: {error:e}"));
                }
            }
        }
        assert!(failures.is_empty(), "{failures:#?}");
    }

    #[test]
    fn an_orthogonal_kernel_has_norm_one_and_a_rank_one_kernel_the_product_of_its_factors() {
        let orthogonal = with_singular_values(&[1.0; 12], 12, 12);
        let (u, v) = ([3.0, 0.0, -4.0], [1.0, -2.0, 2.0, 4.0, 0.0]);
        let outer = Tensor::new(&[3, 5], u.iter().flat_map(|u| v.map(|v| u * v)).collect()).unwrap();
        for power in [Power::Iterations(1), Power::Converged] {
            assert!((norm_of_kernel(&orthogonal, power) - 1.0).abs() < PROMISED);
            assert!((norm_of_kernel(&outer, power) - 25.0).abs() < 25.0 * PROMISED);
        }
    }

    /// From v₀, n steps on a diagonal kernel give γ² = Σ σ⁴ⁿ v₀² / Σ σ⁴ⁿ⁻² v₀².
    #[test]
    fn power_iterations_follow_their_closed_form() {
        let values = [2.0, -1.9, 0.5];
        let moment = |p: i32| start(3).iter().zip(values).map(|(v, s): (&f64, f64)| v * v * s.abs().powi(p)).sum::<f64>();
        for n in [1, 2, 5, 40] {
            let expected = (moment(4 * n) / moment(4 * n - 2)).sqrt();
            let got = norm_of_kernel(&diagonal(&values), Power::Iterations(n as usize));
            assert!((got - expected).abs() < 1e-14 * expected, "{n}: {got}, expected {expected}");
        }
        let [none, one] = [0, 1].map(|n| norm_of_kernel(&diagonal(&values), Power::Iterations(n)));
        assert_eq!(none, one);
    }

    #[test]
    fn extremes_of_magnitude_cost_no_accuracy() {
        for magnitude in [1e300, 1e-300, 1e-320f64] {
            let kernel = diagonal(&[3.0 * magnitude, -magnitude, 0.0]);
            // The largest element itself: exact also where it is subnormal.
            let expected = kernel.data()[0];
            for power in [Power::Iterations(60), Power::Converged] {
                let got = norm_of_kernel(&kernel, power);
                assert!((got - expected).abs() <= expected * PROMISED, "{magnitude:e}: {got:e}, expected {expected:e}");
            }
        }
    }

    #[test]
    fn zeros_nothing_and_broken_numbers_end_at_once() {
        for power in [Power::Iterations(3), Power::Converged] {
            assert_eq!(norm_of_kernel(&Tensor::<f32>::zeros(&[4, 3]), power), 0.0);
            assert_eq!(norm_of_kernel(&Tensor::<f32>::zeros(&[0, 3]), power), 0.0);
            for broken in [f32::NAN, f32::INFINITY] {
                for other in [1.0, broken] {
                    assert!(norm_of_kernel(&Tensor::new(&[1, 2], vec![other, broken]).unwrap(), power).is_nan());
                }
            }
        }
    }

    #[test]
    fn f32_is_f64_of_the_rounded_kernel_and_a_repetition_gives_the_same_bits() {
        let kernel = with_singular_values(&[3.0, 2.9, 1.0], 9, 7).cast::<f32>();
        for power in [Power::Iterations(5), Power::Converged] {
            let norm = norm_of_kernel(&kernel, power);
            assert_eq!(norm.to_bits(), norm_of_kernel(&kernel.cast::<f64>(), power).to_bits());
            assert_eq!(norm.to_bits(), norm_of_kernel(&kernel, power).to_bits());
        }
    }
}
