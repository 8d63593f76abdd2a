//! How long an experiment takes on this machine, about: operations counted from the plans, over what its processor was measured to do.

use crate::base::Result;
use crate::compute::affine::Map;
use crate::compute::{Pool, fma_peak};
use crate::data::Description;
use crate::inference::{Plan, PlanOptions};
use crate::network::Topology;
use crate::training::Recipe;
use crate::training::sweep::{Sweep, Workers};

/// The share of the peak of its registers that a step of dense layers reaches, and one of convolutions: docs/performance.md has 35 % to
/// 65 % and 58 % to 141 % (where Winograd's algorithm makes fewer operations than are counted).
const SHARES: [f64; 2] = [0.5, 0.9];

/// Seconds of a step beside what is counted: batches, dyads, measurements. Where layers are small it is most of it.
const OVERHEAD: f64 = 1e-4;

/// Seconds for each parameter and step: the moments and the parameter are read and written.
const PER_PARAMETER: f64 = 1e-9;

/// What this machine can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Floating-point operations of one thread in a second, at most.
    peak: f64,
    cores: usize,
}

impl Speed {
    /// Measures the processor, in a tenth of a second or so; what else is at work on it slows it, as it would slow a training.
    ///
    /// # Errors
    /// As [`Pool::new`].
    pub fn measure() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Speed { peak: fma_peak(&Pool::new(1)?, 3), cores })
    }

    /// About how many seconds all of a sweep takes, cells side by side: within a factor of two if the
    /// machine stays as busy as it was. None for
    /// data of which nothing is known before they are read.
    ///
    /// # Errors
    /// As [`Plan::compile`]; [`crate::base::Error::Setting`] for too many jobs.
    pub fn seconds(&self, sweep: &Sweep, workers: Workers) -> Result<Option<f64>> {
        let mut cells = vec![];
        for cell in sweep.cells() {
            let Some(seconds) = self.of_seed(&cell.recipe)? else { return Ok(None) };
            cells.push(seconds * sweep.seeds().len() as f64);
        }
        let threads = if workers.threads == 0 { self.cores } else { workers.threads };
        let at_work = (workers.count()?.min(cells.len()) * threads).min(self.cores).max(1);
        let longest = cells.iter().fold(0.0, |longest: f64, &cell| longest.max(cell)) / threads.min(self.cores) as f64;
        Ok(Some(longest.max(cells.iter().sum::<f64>() / at_work as f64)))
    }

    /// Of one thread, for one seed.
    fn of_seed(&self, recipe: &Recipe) -> Result<Option<f64>> {
        let params = recipe.params();
        let (topology, training) = (recipe.expected_topology()?, &params.training);
        let Some([train, validation, test]) = samples(recipe)? else { return Ok(None) };
        let steps = (train / training.batch_size) as f64 * f64::from(training.epochs);
        let forward = (1..=topology.depth()).map(|k| topology.map(k).multiply_adds()).sum::<u64>() as f64;
        let plan = Plan::compile(&topology, &recipe.inference(params.seeds[0]), PlanOptions::default())?;
        // An attack goes up and down once for each of its steps.
        let attack =
            recipe.input_attack().map_or(0.0, |attack| 2.0 * forward * (attack.steps.max(1) * training.batch_size) as f64);
        let updates = params.learning.multistep as f64;
        let of_step = plan.multiply_adds(training.batch_size) as f64 * updates + attack;
        let evaluated = (validation as f64 * f64::from(training.epochs) + test as f64) * forward;
        let share = SHARES[usize::from(has_convolutions(&topology))];
        let products = 2.0 * (steps * of_step + evaluated) / (share * self.peak);
        Ok(Some(products + steps * updates * (OVERHEAD + PER_PARAMETER * topology.parameter_count() as f64)))
    }
}

fn has_convolutions(topology: &Topology) -> bool {
    (1..=topology.depth()).any(|k| matches!(topology.map(k), Map::Convolution(_)))
}

/// How many samples train, validate and test, if that was published.
fn samples(recipe: &Recipe) -> Result<Option<[usize; 3]>> {
    let data = recipe.data();
    let about = Description::of(&recipe.params().data.dataset)?;
    let Some([all, test]) = about.published else { return Ok(None) };
    let count = |held: f64| if held < 1.0 { (held * all as f64).round() as usize } else { held as usize };
    let (validation, drawn) = (count(data.validation), data.test.map_or(0, count));
    let left = all.saturating_sub(validation + drawn);
    Ok(Some([data.limit_train.map_or(left, |most| most.min(left)), validation, test + drawn]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::experiment::{Experiment, Form};

    const ALONE: Workers = Workers { jobs: 1, threads: 1 };

    /// A machine with numbers that are easy to divide by.
    fn speed(peak: f64, cores: usize) -> Speed {
        Speed { peak, cores }
    }

    #[test]
    fn the_samples_are_those_of_the_split() {
        let of = |name: &str, sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
            samples(&Recipe::load(name, &sets).unwrap()).unwrap().unwrap()
        };
        assert_eq!(of("mnist", &[]), [50_000, 10_000, 10_000]);
        assert_eq!(of("cifar10", &[]), [45_000, 5000, 10_000]);
        assert_eq!(of("cifar10-quick", &[]), [20_000, 5000, 10_000]);
        assert_eq!(of("digits", &[]), [1797 - 2 * 359, 359, 359]);
    }

    #[test]
    fn twice_the_work_takes_twice_the_time_and_cores_share_it() {
        let experiment = Experiment::find("mnist").unwrap();
        let sweep = |sets: &[&str]| {
            let with = sets.iter().map(|set| set.to_string()).collect();
            experiment.sweep(&Form { quick: true, with, seeds: None }).unwrap()
        };
        let seconds = |sweep: &Sweep, cores, workers| speed(1e11, cores).seconds(sweep, workers).unwrap().unwrap();
        let (one, two) = (sweep(&["training.epochs=10"]), sweep(&["training.epochs=20"]));
        let ratio = seconds(&two, 2, ALONE) / seconds(&one, 2, ALONE);
        assert!(ratio > 1.9 && ratio <= 2.0, "{ratio}");
        let both = seconds(&one, 2, ALONE) / seconds(&one, 2, Workers { jobs: 2, threads: 1 });
        assert!((both - 2.0).abs() < 1e-9, "{both}");
        // More jobs than cores gain nothing.
        let many = Workers { jobs: 8, threads: 2 };
        assert_eq!(seconds(&one, 2, many), seconds(&one, 2, Workers { jobs: 2, threads: 1 }));
        // A cell is never faster than by itself.
        assert!(seconds(&one, 1000, Workers { jobs: 13, threads: 1 }) >= seconds(&one, 1, ALONE) / 13.0);
        assert!(Speed::measure().unwrap().seconds(&one, Workers { jobs: 0, threads: 0 }).unwrap().unwrap() > 0.0);
    }

    #[test]
    fn every_quick_form_takes_minutes_and_the_tables_of_vgg16_take_months() {
        // Two cores that do 100 GFLOP/s each, as in docs/performance.md.
        let machine = speed(1e11, 2);
        for experiment in Experiment::all() {
            let seconds = |quick| {
                let sweep = experiment.sweep(&Form { quick, ..Form::default() }).unwrap();
                machine.seconds(&sweep, Workers { jobs: 2, threads: 1 }).unwrap().unwrap()
            };
            let (full, quick) = (seconds(false), seconds(true));
            println!("{:<16} {full:>12.0} s, quick {quick:>6.1} s", experiment.name);
            assert!(quick < 300.0 && full > 5.0 * quick, "{}: {full} {quick}", experiment.name);
        }
    }
}
