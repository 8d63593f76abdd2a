//! Reading back what a run has measured.

use std::path::Path;

use serde::Deserialize;

use crate::analysis::ObjectiveRow;
use crate::base::{Error, Result, file};

use super::metrics::{NormRow, SettlingRow};
use super::{EpochMetrics, Robustness, StepMetrics};

/// The largest file of metrics that is read.
const MOST_BYTES: u64 = 1 << 30;

/// Every line of a `metrics.jsonl`, by kind, in the order of the file. What is not one number for each epoch has its epoch beside it.
///
/// Numbers that JSON cannot hold, those that are not finite, are NaN where the field is a plain number.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricsLog {
    /// After each epoch.
    pub epochs: Vec<EpochMetrics>,
    /// At each step whose alignment was measured.
    pub steps: Vec<StepMetrics>,
    /// The lifted objectives after an epoch.
    pub objectives: Vec<(u32, ObjectiveRow)>,
    /// The norms of the kernels after an epoch, by so many power iterations.
    pub norms: Vec<(u32, NormRow)>,
    /// How settled the layers are after an epoch.
    pub settling: Vec<(u32, SettlingRow)>,
    /// Accuracies under attack after an epoch.
    pub robustness: Vec<(u32, Robustness)>,
}

/// A line, as `super::metrics::Line` writes it.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Entry {
    // By far the largest.
    Epoch(Box<EpochMetrics>),
    Step(StepMetrics),
    Objective(AfterEpoch<ObjectiveRow>),
    Norm(AfterEpoch<NormRow>),
    Settling(AfterEpoch<SettlingRow>),
    Robustness(AfterEpoch<Robustness>),
}

#[derive(Deserialize)]
struct AfterEpoch<R> {
    epoch: u32,
    #[serde(flatten)]
    row: R,
}

impl MetricsLog {
    /// Reads a `metrics.jsonl`, also while a training is at work on it. What a process that was killed left of a last line is not
    /// taken; keys that the version which wrote it did not have are empty.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Malformed`] with the number of a line that is none of metrics.
    pub fn load(path: &Path) -> Result<Self> {
        let text = file::read_text(path, MOST_BYTES)?;
        let mut log = MetricsLog::default();
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            match serde_json::from_str(line) {
                Ok(entry) => log.take(entry),
                Err(_) if !line.ends_with('\n') => {}
                Err(error) => {
                    return Err(Error::malformed(path, format!("line {number} is no line of metrics: {error}")));
                }
            }
        }
        Ok(log)
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Epoch(metrics) => self.epochs.push(*metrics),
            Entry::Step(metrics) => self.steps.push(metrics),
            Entry::Objective(AfterEpoch { epoch, row }) => self.objectives.push((epoch, row)),
            Entry::Norm(AfterEpoch { epoch, row }) => self.norms.push((epoch, row)),
            Entry::Settling(AfterEpoch { epoch, row }) => self.settling.push((epoch, row)),
            Entry::Robustness(AfterEpoch { epoch, row }) => self.robustness.push((epoch, row)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::path::PathBuf;

    use super::super::metrics::Line;
    use super::super::{Destination, Recipe, run};
    use super::*;
    use crate::data::Folders;

    /// A small training with a line of every kind.
    fn metrics(root: &Path) -> PathBuf {
        let sets = [
            "training.epochs=2",
            "training.batch_size=16",
            "data.limit_train=64",
            "data.validation=20",
            "network.layers=['dense 4', 'dense 10']",
            "analysis.lipschitz_samples=3",
            "analysis.objective_samples=3",
            "analysis.settling_samples=3",
            "analysis.robustness_samples=3",
            "analysis.attacks=['fgsm linf 0.1', 'pgd-2 l2 1']",
        ];
        let recipe = Recipe::load("digits", &sets.map(String::from)).unwrap();
        let destination = Destination { root: root.into(), name: Some("run".into()), force: false };
        run(&recipe, &Folders::new(vec![]), &destination, &mut |_| ControlFlow::Continue(())).unwrap();
        root.join("run/metrics.jsonl")
    }

    /// The lines that would write a log, sorted.
    fn written(log: &MetricsLog) -> Vec<String> {
        let epochs = log.epochs.iter().map(Line::Epoch);
        let steps = log.steps.iter().map(Line::Step);
        let objectives = log.objectives.iter().map(|(epoch, row)| Line::Objective { epoch: *epoch, row });
        let norms = log.norms.iter().map(|(epoch, row)| Line::Norm { epoch: *epoch, row });
        let settling = log.settling.iter().map(|(epoch, row)| Line::Settling { epoch: *epoch, row });
        let robustness = log.robustness.iter().map(|(epoch, row)| Line::Robustness { epoch: *epoch, row });
        let lines = epochs.chain(steps).chain(objectives).chain(norms).chain(settling).chain(robustness);
        let mut lines: Vec<String> = lines.map(|line| serde_json::to_string(&line).unwrap()).collect();
        lines.sort();
        lines
    }

    #[test]
    fn every_line_of_every_kind_is_read_to_the_bit() {
        let root = tempfile::tempdir().unwrap();
        let path = metrics(root.path());
        let log = MetricsLog::load(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort();
        assert_eq!(written(&log), lines);
        let kinds = [log.steps.len(), log.objectives.len(), log.norms.len(), log.settling.len(), log.robustness.len()];
        assert!(log.epochs.len() == 2 && !kinds.contains(&0), "{kinds:?}");
    }

    #[test]
    fn a_last_line_that_a_kill_cut_off_is_not_taken_and_any_other_flaw_is_told() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("metrics.jsonl");
        let line = r#"{"kind":"norm","epoch":3,"layer":1,"power_iterations":10,"gamma":2.5,"damping":null}"#;
        let load = |text: String| {
            std::fs::write(&path, text).unwrap();
            MetricsLog::load(&path)
        };
        for cut in 0..line.len() {
            let log = load(format!("{line}\n{}", &line[..cut])).unwrap();
            assert_eq!(log.norms.len(), 1, "cut after {cut} bytes");
        }
        assert_eq!(load(format!("{line}\n{line}")).unwrap().norms.len(), 2, "whole but for its end");
        for (text, problem) in [
            (format!("{line}\n{}\n{line}\n", &line[..20]), "metrics.jsonl: line 2 is no line of metrics: "),
            (format!("{line}\n\n"), "line 2 is"),
            (line.replace("norm", "charm") + "\n", "line 1 is no line of metrics: unknown variant `charm`"),
            (line.replace("\"layer\":1,", "") + "\n", "missing field `layer`"),
            (r#"{"kind":"robustness","epoch":1,"attack":"fgms"}"#.to_string() + "\n", "did you mean `fgsm`?"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        assert_eq!(load(String::new()).unwrap(), MetricsLog::default());
        let missing = MetricsLog::load(&root.path().join("nothing")).unwrap_err();
        assert!(matches!(missing, Error::Read { .. }), "{missing}");
    }

    #[test]
    fn a_run_of_version_0_1_0_is_read_without_what_it_did_not_measure() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/training/version-0.1.0/metrics.jsonl");
        let log = MetricsLog::load(&path).unwrap();
        let (step, epoch) = (&log.steps[0], &log.epochs[0]);
        assert_eq!((step.norm_ratios.len(), step.sign_agreements.len()), (2, 0));
        assert_eq!((epoch.feedback_cosines.len(), epoch.local_lipschitz), (0, None));
        assert!(epoch.validation_accuracy > 0.0 && epoch.gammas.len() == 2);
    }
}
