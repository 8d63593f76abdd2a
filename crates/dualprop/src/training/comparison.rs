//! Runs held against a baseline, seed by seed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::analysis::PairedDifference;
use crate::base::{Error, Named, Result};

use super::divergence::refuse_diverged;
use super::run_directory::{METRICS, RECIPE, SUMMARY};
use super::{EpochMetrics, MetricsLog, Recipe, RecipeParams, SeedResult, Summary, folder_of_seed, mean_and_deviation};

/// The number of a seed that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Accuracy on the test samples in percent, with the parameters best on validation.
    TestAccuracy,
    /// The share of test samples whose label is among the five largest outputs, in percent.
    TestTop5,
    /// Mean loss on the test samples.
    TestLoss,
    /// The best accuracy on the validation samples, in percent.
    ValidationAccuracy,
    /// The angle to backpropagation in degrees, in the last epoch that measured it; the mean over the layers that have one.
    MeanAngle,
    /// ‖W_L … W_1‖₂ after the last epoch.
    ProductNorm,
    /// Time spent on the training batches of all epochs, without measurements.
    Seconds,
}

impl Named for Metric {
    const WHAT: &'static str = "metric";
    const ALL: &'static [(&'static str, Self)] = &[
        ("test_accuracy", Metric::TestAccuracy),
        ("test_top5", Metric::TestTop5),
        ("test_loss", Metric::TestLoss),
        ("validation_accuracy", Metric::ValidationAccuracy),
        ("mean_angle_deg", Metric::MeanAngle),
        ("product_norm", Metric::ProductNorm),
        ("seconds", Metric::Seconds),
    ];
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Runs that were compared with the first of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What was compared.
    pub metric: Metric,
    /// The run that the others are compared with.
    pub baseline: ComparedRun,
    /// The others, in order.
    pub others: Vec<Against>,
    /// Why the numbers may mean less than they seem to.
    pub warnings: Vec<String>,
}

/// A run and its number for each seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedRun {
    /// Its folder, as it was named.
    pub run: String,
    /// The name of its recipe.
    pub name: String,
    /// The seeds that count, in ascending order.
    pub seeds: Vec<u64>,
    /// The number of each of them.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with n−1 in the denominator; 0 of a single seed.
    pub deviation: f64,
}

/// A run against the baseline, over the seeds that both have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// The run, of the seeds that both have.
    #[serde(flatten)]
    pub run: ComparedRun,
    /// Seeds of the baseline that it does not have; they are left out.
    pub only_in_baseline: Vec<u64>,
    /// Seeds that the baseline does not have; they are left out.
    pub only_here: Vec<u64>,
    /// Its number minus that of the baseline.
    pub difference: PairedDifference,
}

/// Compares runs that are complete with the first of them, paired by seed: the same seed draws the same samples, the same initial
/// weights and the same order, so that what differs between the two of a pair is what their recipes say.
///
/// # Errors
/// [`Error::Malformed`] for a folder that is no complete run, or has no seed in common with the first; [`Error::Setting`] where a
/// run has not measured what is asked for, and for fewer than two runs; [`Error::Read`].
pub fn compare(runs: &[PathBuf], metric: Metric) -> Result<Comparison> {
    let [first, others @ ..] = runs else { return Err(too_few(runs)) };
    if others.is_empty() {
        return Err(too_few(runs));
    }
    let baseline = Subject::load(first, metric)?;
    let (mut compared, mut warnings) = (vec![], vec![]);
    for path in others {
        let other = Subject::load(path, metric)?;
        warnings.extend(baseline.warning_about(&other));
        compared.push(baseline.against(&other)?);
    }
    let seeds: Vec<u64> = baseline.values.keys().copied().collect();
    Ok(Comparison { metric, baseline: baseline.of(&seeds), others: compared, warnings })
}

fn too_few(runs: &[PathBuf]) -> Error {
    Error::setting("runs", runs.len(), "expected at least two: the first is the baseline that the others are compared with")
}

/// A run that was read.
struct Subject {
    path: PathBuf,
    params: RecipeParams,
    /// By seed, in ascending order: the number, and how many samples tested it.
    values: BTreeMap<u64, (f64, usize)>,
}

impl Subject {
    fn load(path: &Path, metric: Metric) -> Result<Self> {
        if path.join("sweep.json").is_file() {
            return Err(Error::malformed(path, "it is a sweep; name the folders of its cells, which are runs"));
        }
        if !path.join(RECIPE).is_file() {
            return Err(Error::malformed(path, "it is no run directory: it has no recipe.toml"));
        }
        let recipe = Recipe::load_file(&path.join(RECIPE), &[])?;
        refuse_diverged(path, "it has no result to be compared")?;
        let summary = Summary::of_run(path)?;
        let Some(Summary { results, .. }) = summary else {
            let problem = "it has no summary.json, and so no result yet; complete it with `dualprop train --resume`";
            return Err(Error::malformed(path, problem));
        };
        let params = recipe.params().clone();
        let mut values = BTreeMap::new();
        for result in &results {
            let folder = folder_of_seed(path, &params.seeds, result.seed);
            let value = value_of(&folder, result, metric)?;
            if values.insert(result.seed, (value, result.test.samples)).is_some() {
                let problem = format!("it has two results of seed {}", result.seed);
                return Err(Error::malformed(path.join(SUMMARY), problem));
            }
        }
        if values.is_empty() {
            return Err(Error::malformed(path.join(SUMMARY), "it has no result of any seed"));
        }
        Ok(Subject { path: path.into(), params, values })
    }

    /// With these of its seeds.
    fn of(&self, seeds: &[u64]) -> ComparedRun {
        let values: Vec<f64> = seeds.iter().filter_map(|seed| self.values.get(seed)).map(|(value, _)| *value).collect();
        let (mean, deviation) = mean_and_deviation(&values);
        ComparedRun {
            run: self.path.display().to_string(),
            name: self.params.name.clone(),
            seeds: seeds.into(),
            values,
            mean,
            deviation,
        }
    }

    /// `other` against this one.
    fn against(&self, other: &Subject) -> Result<Against> {
        let without = |a: &Subject, b: &Subject| a.values.keys().copied().filter(|seed| !b.values.contains_key(seed)).collect();
        let common: Vec<u64> = self.values.keys().copied().filter(|seed| other.values.contains_key(seed)).collect();
        if common.is_empty() {
            let problem = format!(
                "it has the seeds {}, and {} has {}: none in common, and only results of the same seed can be paired",
                list(other.values.keys()),
                self.path.display(),
                list(self.values.keys())
            );
            return Err(Error::malformed(&other.path, problem));
        }
        let (baseline, run) = (self.of(&common), other.of(&common));
        let difference = PairedDifference::of(&baseline.values, &run.values)?;
        Ok(Against { run, only_in_baseline: without(self, other), only_here: without(other, self), difference })
    }

    /// Where the two of a pair were not tested by the same samples, or trained by others.
    fn warning_about(&self, other: &Subject) -> Option<String> {
        let (a, b) = (self.path.display(), other.path.display());
        let (mine, theirs) = (&self.params.data, &other.params.data);
        let tested = |of: &Subject| of.values.values().map(|(_, samples)| *samples).max();
        if mine.dataset != theirs.dataset || mine.test != theirs.test || tested(self) != tested(other) {
            return Some(format!("{a} and {b} were not tested with the same samples; that their seeds are paired means little"));
        }
        let differ = mine.validation != theirs.validation || mine.split != theirs.split || mine.limit_train != theirs.limit_train;
        differ.then(|| format!("{a} and {b} do not split their data in the same way; that their seeds are paired means less"))
    }
}

/// The number of one seed.
fn value_of(folder: &Path, result: &SeedResult, metric: Metric) -> Result<f64> {
    let value = match metric {
        Metric::TestAccuracy => Some(result.test.accuracy),
        Metric::TestTop5 => Some(result.test.top5),
        Metric::TestLoss => Some(result.test.loss),
        Metric::ValidationAccuracy => Some(result.validation_accuracy),
        Metric::MeanAngle => {
            let angles: Vec<f64> = result.angles_deg.iter().copied().flatten().collect();
            (!angles.is_empty()).then(|| mean_and_deviation(&angles).0)
        }
        Metric::ProductNorm => epochs(folder)?.last().and_then(|last| last.product_norm),
        Metric::Seconds => Some(epochs(folder)?.iter().map(|epoch| epoch.seconds).sum()),
    };
    value.filter(|value| value.is_finite()).ok_or_else(|| {
        let problem = format!("{} has not measured it, or it is not defined there; choose another", folder.display());
        Error::setting("metric", metric.name(), problem)
    })
}

fn epochs(folder: &Path) -> Result<Vec<EpochMetrics>> {
    Ok(MetricsLog::load(&folder.join(METRICS))?.epochs)
}

fn list<'a>(seeds: impl Iterator<Item = &'a u64>) -> String {
    seeds.map(u64::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Evaluation;
    use super::*;

    /// A run that is complete, with this accuracy of each seed.
    fn run(root: &Path, name: &str, sets: &[&str], accuracies: &[(u64, f64)]) -> PathBuf {
        let folder = root.join(name);
        fs::create_dir(&folder).unwrap();
        let mut sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
        sets.push(format!("seeds=[{}]", list(accuracies.iter().map(|(seed, _)| seed))));
        fs::write(folder.join(RECIPE), Recipe::load("digits", &sets).unwrap().params().to_toml().unwrap()).unwrap();
        let result = |&(seed, accuracy): &(u64, f64)| SeedResult {
            seed,
            test: Evaluation { samples: 360, loss: 0.5, accuracy, top5: 99.0 },
            validation_accuracy: 90.0,
            best_epoch: 1,
            angles_deg: vec![Some(10.0), None, Some(0.0)],
            collapsed: None,
        };
        let summary = Summary::of("digits", accuracies.iter().map(result).collect(), "elsewhere".into(), 1.0);
        fs::write(folder.join(SUMMARY), serde_json::to_string(&summary).unwrap()).unwrap();
        folder
    }

    #[test]
    fn results_are_paired_by_seed_and_what_only_one_has_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        let a = run(root.path(), "a", &[], &[(2, 92.0), (0, 90.0), (1, 91.0), (7, 10.0)]);
        let b = run(root.path(), "b", &["learning.alpha=0.5"], &[(0, 91.0), (1, 93.0), (2, 95.0), (9, 0.0)]);
        let Comparison { baseline, others, warnings, .. } = compare(&[a, b], Metric::TestAccuracy).unwrap();
        assert_eq!((baseline.seeds, warnings), (vec![0, 1, 2, 7], vec![]));
        let [Against { run, only_in_baseline, only_here, difference }] = &others[..] else { panic!("{others:?}") };
        assert_eq!((&run.seeds[..], run.mean, run.deviation), (&[0, 1, 2][..], 93.0, 2.0));
        assert_eq!((&only_in_baseline[..], &only_here[..]), (&[7][..], &[9][..]));
        assert_eq!((difference.mean, difference.deviation, difference.wilcoxon.unwrap().p), (2.0, Some(1.0), 0.25));
    }

    #[test]
    fn every_metric_is_found_where_it_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| run(root.path(), name, &[], &[(0, 90.0)]));
        let of_both = |metric| compare(&paths, metric).map(|found| (found.baseline.mean, found.others[0].run.mean));
        for (metric, value) in [
            (Metric::TestAccuracy, 90.0),
            (Metric::TestTop5, 99.0),
            (Metric::TestLoss, 0.5),
            (Metric::ValidationAccuracy, 90.0),
            (Metric::MeanAngle, 5.0),
        ] {
            assert_eq!(of_both(metric).unwrap(), (value, value), "{metric:?}");
        }
        assert!(matches!(of_both(Metric::ProductNorm), Err(Error::Read { .. })), "there are no metrics");
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/training/version-0.1.0/metrics.jsonl");
        for path in &paths {
            fs::copy(&kept, path.join(METRICS)).unwrap();
        }
        let epochs = MetricsLog::load(&kept).unwrap().epochs;
        let norm = epochs.last().unwrap().product_norm.unwrap();
        assert_eq!(of_both(Metric::ProductNorm).unwrap(), (norm, norm));
        let seconds: f64 = epochs.iter().map(|epoch| epoch.seconds).sum();
        assert_eq!(of_both(Metric::Seconds).unwrap(), (seconds, seconds));
        fs::write(paths[1].join(METRICS), "").unwrap();
        let error = of_both(Metric::ProductNorm).unwrap_err().to_string();
        assert!(error.starts_with("metric = product_norm: ") && error.contains("b has not measured it"), "{error}");
    }

    #[test]
    fn other_samples_are_warned_of() {
        let root = tempfile::tempdir().unwrap();
        let a = run(root.path(), "a", &[], &[(0, 90.0), (1, 91.0)]);
        for (name, set, said) in [
            ("alpha", "learning.alpha=0.5", None),
            ("split", "data.validation=0.1", Some("do not split their data in the same way")),
            ("test", "data.test=0.3", Some("were not tested with the same samples")),
        ] {
            let b = run(root.path(), name, &[set], &[(0, 91.0), (1, 93.0)]);
            let warnings = compare(&[a.clone(), b], Metric::TestAccuracy).unwrap().warnings;
            assert_eq!(warnings.len(), usize::from(said.is_some()), "{name}");
            assert!(said.is_none_or(|said| warnings[0].contains(said)), "{warnings:?}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_told() {
        let root = tempfile::tempdir().unwrap();
        let a = run(root.path(), "a", &[], &[(0, 90.0)]);
        let refused = |b: PathBuf| compare(&[a.clone(), b], Metric::TestAccuracy).unwrap_err().to_string();
        let other = run(root.path(), "other", &[], &[(1, 90.0), (2, 90.0)]);
        assert!(refused(other).contains("it has the seeds 1, 2, and "));
        assert!(refused(root.path().join("nothing")).contains("it has no recipe.toml"));
        let begun = run(root.path(), "begun", &[], &[(0, 90.0)]);
        fs::remove_file(begun.join(SUMMARY)).unwrap();
        assert!(refused(begun).contains("complete it with `dualprop train --resume`"));
        let sweep = root.path().join("sweep");
        fs::create_dir(&sweep).unwrap();
        fs::write(sweep.join("sweep.json"), "").unwrap();
        assert!(refused(sweep).contains("name the folders of its cells"));
        for runs in [vec![], vec![a.clone()]] {
            assert!(compare(&runs, Metric::TestAccuracy).unwrap_err().to_string().contains("expected at least two"));
        }
    }
}
