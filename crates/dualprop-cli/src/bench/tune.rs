//! A new table of the algorithms of convolutions.

use std::time::Instant;

use anyhow::Result;
use dualprop::base::Named;
use dualprop::compute::Pool;
use dualprop::compute::affine::{Convolution, ConvolutionAlgorithm, ConvolutionTrial, MapProduct};
use dualprop::training::benchmark::convolutions;

use super::measure::median;
use crate::output;

/// How often the algorithms alternate.
const ROUNDS: usize = 7;

/// By how much a less accurate algorithm must be faster.
const WORTH_WHILE: f64 = 0.95;

/// Prints a row for every convolution of the named networks, as soon as it is measured, in the form in which the library has
/// them; what was measured stands in comments.
pub(super) fn run(samples: usize, pool: &Pool) -> Result<()> {
    output::print(&format!(
        "// Batches of {samples}, {} threads, {}; GFLOP/s of the direct way by {}.\n",
        pool.threads(),
        pool.isa().name(),
        ConvolutionAlgorithm::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    ))?;
    for c in convolutions() {
        let (mut chosen, mut measured) = (vec![], String::new());
        for &(name, product) in MapProduct::ALL {
            let speeds = speeds(c, product, samples, pool);
            let figures: Vec<String> =
                speeds.iter().map(|(_, gflops)| gflops.map_or("-".into(), |gflops| format!("{gflops:.0}"))).collect();
            measured += &format!("  {name} {}", figures.join(" "));
            chosen.push(format!("{:?}", best(&speeds)));
        }
        let Convolution { height, width, inputs, outputs, size } = c;
        let row = format!("    row({height}, {width}, {inputs}, {outputs}, {size}, [{}]),", chosen.join(", "));
        output::print(&format!("{row} //{measured}\n"))?;
    }
    Ok(())
}

/// 10⁹ operations in a second by each algorithm, where it can be used: medians of alternating runs.
fn speeds(c: Convolution, product: MapProduct, samples: usize, pool: &Pool) -> Vec<(ConvolutionAlgorithm, Option<f64>)> {
    let trial = |algorithm| ConvolutionTrial::new(c, algorithm, product, samples, pool);
    let mut trials: Vec<_> =
        ConvolutionAlgorithm::ALL.iter().map(|&(_, algorithm)| (algorithm, trial(algorithm), vec![])).collect();
    for round in 0..=ROUNDS {
        for (_, trial, times) in &mut trials {
            let Some(trial) = trial else { continue };
            let began = Instant::now();
            trial.run();
            // The first round warms up.
            if round > 0 {
                times.push(began.elapsed().as_secs_f64());
            }
        }
    }
    let speed = |(algorithm, trial, mut times): (_, Option<ConvolutionTrial>, Vec<f64>)| {
        (algorithm, trial.map(|trial| 2e-9 * trial.multiply_adds() as f64 / median(&mut times)))
    };
    trials.into_iter().map(speed).collect()
}

/// The fastest, of which one that stands before, and is more accurate, is preferred unless it is slower by more than a
/// twentieth.
fn best(speeds: &[(ConvolutionAlgorithm, Option<f64>)]) -> ConvolutionAlgorithm {
    let fastest = speeds.iter().filter_map(|(_, speed)| *speed).fold(0.0, f64::max);
    let good = speeds.iter().find(|(_, speed)| speed.is_some_and(|speed| speed >= WORTH_WHILE * fastest));
    good.map_or(ConvolutionAlgorithm::Direct, |(algorithm, _)| *algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConvolutionAlgorithm::{Direct, Winograd2, Winograd4};

    #[test]
    fn accuracy_is_preferred_where_the_speed_is_nearly_the_same() {
        assert_eq!(best(&[(Direct, Some(96.0)), (Winograd2, Some(100.0)), (Winograd4, None)]), Direct);
        assert_eq!(best(&[(Direct, Some(50.0)), (Winograd2, Some(94.0)), (Winograd4, Some(100.0))]), Winograd4);
        assert_eq!(best(&[(Direct, Some(50.0)), (Winograd2, None), (Winograd4, None)]), Direct);
    }
}
