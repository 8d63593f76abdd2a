//! The output dyad: where the loss enters.

use super::loss::softmax;
use super::{Loss, Nudge, Settings};

/// (s_L⁺, s_L⁻) from the pre-activation `a` of the output, the target `y` and `frozen`, the gradient at the first
/// pre-activation.
pub(super) fn output_dyad(settings: &Settings, a: &[f64], y: &[f64], frozen: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let output = settings.w_plus.len() - 1;
    let (u, d, beta) = (settings.w_plus[output], settings.w_minus[output], settings.beta);
    let linearised = |g: &[f64]| {
        let plus = a.iter().zip(g).map(|(a, g)| a - u * beta * g).collect();
        let minus = a.iter().zip(g).map(|(a, g)| a + d * beta * g).collect();
        (plus, minus)
    };
    match settings.nudge {
        Nudge::LinearisedFrozen => linearised(frozen),
        Nudge::LinearisedLive => linearised(&settings.loss.gradient(a, y)),
        Nudge::Proximal => (proximal(settings.loss, a, y, u * beta), proximal(settings.loss, a, y, -d * beta)),
    }
}

/// The stationary point s of c ℓ(s, y) + ½‖s−a‖² that is reached from a by descent; 0 = s − a + c ∂ℓ/∂s there.
///
/// c = uβ gives s_L⁺ = argmin uβ ℓ + ½‖s−a‖², c = −dβ gives s_L⁻ = argmax dβ ℓ − ½‖s−a‖².
///
/// For a squared error ℓ = κ/2 ‖s−y‖² it is s = (a + cκ y) / (1 + cκ).
/// For the cross-entropy it is unique while c ≥ −2 (c Σy ≥ −2 where the target does not sum to 1): the eigenvalues of
/// ∂²ℓ/∂s² lie in [0, ½ Σy]. For smaller c there may be several, of which this one is the first downhill from a.
///
/// # Panics
/// For a squared error with 1 + cκ ≤ 0, which has no extremum.
pub fn proximal(loss: Loss, a: &[f64], y: &[f64], c: f64) -> Vec<f64> {
    let closed_form = |kappa: f64| {
        assert!(1.0 + c * kappa > 0.0, "the proximal nudge of a squared error has a maximiser only for d beta < {}", 1.0 / kappa);
        a.iter().zip(y).map(|(a, y)| (a + c * kappa * y) / (1.0 + c * kappa)).collect()
    };
    match loss {
        Loss::SquaredError => closed_form(2.0),
        Loss::HalfSquaredError => closed_form(1.0),
        Loss::CrossEntropy => descend(a, y, c),
    }
}

/// Where F is this small and H positive definite, a Newton step stays near the point that the descent approaches.
const NEAR: f64 = 1e-4;
/// Where no step makes F smaller, this is what rounding may have left of it, relative to the numbers it is made of.
const ROUNDING: f64 = 1e-13;
/// The descent alone would need more only within 1e-4 of a point where two stationary points merge.
const MOST_STEPS: usize = 100_000;

/// Finds F(s) = s − a + c ∂ℓ/∂s = 0 for the cross-entropy by descent from a.
///
/// Where the function is convex (c Σy ≥ −2), by Newton steps, which then always make F smaller. Else by s ← a − c ∂ℓ/∂s,
/// which is a gradient step of length 1: for c < 0 no curvature exceeds 1, so that it always descends and jumps over no
/// valley. Newton steps only finish it.
fn descend(a: &[f64], y: &[f64], c: f64) -> Vec<f64> {
    let convex = c * y.iter().sum::<f64>() >= -2.0;
    let mut s = a.to_vec();
    for _ in 0..MOST_STEPS {
        let f = stationarity(&s, a, y, c);
        let size = largest(&f);
        if size == 0.0 || !size.is_finite() {
            break;
        }
        let newton = if convex || size < NEAR { newton_step(&s, a, y, c) } else { None };
        match newton {
            Some(better) => s = better,
            None if size <= ROUNDING * (1.0 + largest(&s) + largest(a) + c.abs()) => break,
            None => s.iter_mut().zip(&f).for_each(|(s, f)| *s -= f),
        }
    }
    s
}

/// F(s) = s − a + c ∂ℓ/∂s of the cross-entropy.
fn stationarity(s: &[f64], a: &[f64], y: &[f64], c: f64) -> Vec<f64> {
    let g = Loss::CrossEntropy.gradient(s, y);
    (0..s.len()).map(|i| s[i] - a[i] + c * g[i]).collect()
}

/// s − t H⁻¹ F with the largest t = 1, ½, ¼ … that makes F smaller; none if H is not positive definite or no t does.
fn newton_step(s: &[f64], a: &[f64], y: &[f64], c: f64) -> Option<Vec<f64>> {
    let n = s.len();
    let curvature = c * y.iter().sum::<f64>();
    let p = softmax(s);
    // H = I + c Σy (diag p − p pᵀ)
    let mut h = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..n {
            h[i][j] = -curvature * p[i] * p[j];
        }
        h[i][i] += 1.0 + curvature * p[i];
    }
    let now = stationarity(s, a, y, c);
    let direction = solve_positive_definite(h, now.clone())?;
    let mut t = 1.0;
    while t > 1e-6 {
        let trial: Vec<f64> = (0..n).map(|i| s[i] - t * direction[i]).collect();
        if largest(&stationarity(&trial, a, y, c)) < largest(&now) {
            return Some(trial);
        }
        t *= 0.5;
    }
    None
}

/// H⁻¹ b by Gaussian elimination; none if a pivot is not positive, which is how a symmetric H shows that it is not positive
/// definite (and only then would it need pivoting).
fn solve_positive_definite(mut h: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for k in 0..n {
        if h[k][k] <= 0.0 {
            return None;
        }
        for i in k + 1..n {
            let factor = h[i][k] / h[k][k];
            for j in k..n {
                h[i][j] -= factor * h[k][j];
            }
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        for j in k + 1..n {
            b[k] -= h[k][j] * b[j];
        }
        b[k] /= h[k][k];
    }
    Some(b)
}

/// max |vᵢ|; NaN if any component is.
fn largest(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |largest, v| if v.abs() <= largest { largest } else { v.abs() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::fixtures;

    /// c ℓ(s) + ½‖s−a‖²
    fn objective(loss: Loss, s: &[f64], a: &[f64], y: &[f64], c: f64) -> f64 {
        c * loss.value(s, y) + 0.5 * s.iter().zip(a).map(|(s, a)| (s - a) * (s - a)).sum::<f64>()
    }

    #[test]
    fn the_proximal_point_is_stationary_to_rounding_and_an_extremum() {
        for seed in 0..200 {
            let a: Vec<f64> = fixtures::normals(7, seed).iter().map(|a| 3.0 * a).collect();
            let mut y = vec![0.0; 7];
            y[seed as usize % 7] = 1.0;
            for loss in [Loss::CrossEntropy, Loss::SquaredError, Loss::HalfSquaredError] {
                for c in [1e-3, 0.1, 1.0, 10.0, 1000.0, -1e-3, -0.1, -0.45, -1.9, -2.0, -5.0, -50.0] {
                    if loss != Loss::CrossEntropy && c < -0.45 {
                        continue;
                    }
                    let s = proximal(loss, &a, &y, c);
                    let g = loss.gradient(&s, &y);
                    let residual: Vec<f64> = (0..7).map(|i| s[i] - a[i] + c * g[i]).collect();
                    // Rounding of s, of a and of c g.
                    let scale = 1.0 + largest(&s) + largest(&a) + c.abs();
                    assert!(largest(&residual) < 5e-16 * scale, "{loss:?}, seed {seed}, c {c}: residual {residual:?}");
                    let lowest = objective(loss, &s, &a, &y, c);
                    assert!(lowest <= objective(loss, &a, &a, &y, c) + 1e-13 * scale, "{loss:?}, seed {seed}, c {c}: above a");
                    for i in 0..7 {
                        let mut near = s.clone();
                        near[i] += 1e-3;
                        assert!(objective(loss, &near, &a, &y, c) > lowest, "{loss:?}, seed {seed}, c {c}: not a minimum");
                    }
                }
            }
        }
    }

    #[test]
    fn squared_errors_are_in_the_papers_closed_form() {
        // s⁺ = (a + αβ y) / (1 + αβ), s⁻ = (a − ᾱβ y) / (1 − ᾱβ)
        assert_eq!(proximal(Loss::HalfSquaredError, &[3.0], &[1.0], 1.0), [2.0]);
        assert_eq!(proximal(Loss::HalfSquaredError, &[3.0], &[1.0], -0.5), [5.0]);
        assert_eq!(proximal(Loss::SquaredError, &[3.0], &[1.0], 0.5), [2.0]);
    }

    #[test]
    #[should_panic(expected = "d beta < 0.5")]
    fn a_squared_error_that_is_pushed_too_hard_has_no_maximiser() {
        proximal(Loss::SquaredError, &[3.0], &[1.0], -0.5);
    }

    /// The gradient flow ds/dt = −F(s) from a, in steps of 0.05, ends where `proximal` ends, also where there are several ends.
    #[test]
    fn beyond_two_the_end_is_that_of_the_gradient_flow() {
        let y = [0.0, 1.0, 0.0, 0.0];
        let mut starts: Vec<Vec<f64>> = (0..60).map(|seed| fixtures::normals(4, seed)).collect();
        // Almost a tie: the descent passes close to a saddle between two minima.
        starts.push(vec![1e-7, 1.0, 0.0, -3.0]);
        for a in starts {
            for c in [-3.0, -6.0, -12.0, -40.0] {
                let mut s = a.clone();
                for _ in 0..6_000 {
                    let f = stationarity(&s, &a, &y, c);
                    s.iter_mut().zip(f).for_each(|(s, f)| *s -= 0.05 * f);
                }
                let ours = proximal(Loss::CrossEntropy, &a, &y, c);
                assert!(fixtures::distance(&s, &ours) < 1e-7, "from {a:?}, c {c}: flow {s:?}, ours {ours:?}");
            }
        }
    }

    #[test]
    fn a_broken_number_ends_the_descent() {
        assert!(proximal(Loss::CrossEntropy, &[f64::NAN, 0.0], &[0.0, 1.0], 0.5)[0].is_nan());
    }
}
