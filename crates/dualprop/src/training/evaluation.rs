//! How well parameters predict samples.

use serde::{Deserialize, Serialize};

use std::borrow::Cow;

use crate::base::Result;
use crate::compute::disturbance::Scales;
use crate::compute::{Loss, Pool};
use crate::data::{Batch, Dataset, Normalizer};
use crate::inference::{Inference, Predictor};
use crate::network::{Model, Parameters, Topology};

/// How well parameters predict samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many samples there were; none is dropped.
    pub samples: usize,
    /// Mean loss.
    pub loss: f64,
    /// Share of samples whose largest output is at their label, in percent; of equal outputs the first counts.
    pub accuracy: f64,
    /// Share of samples whose label is among the five largest outputs, in percent.
    pub top5: f64,
}

/// Counts of right predictions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Hits {
    pub(super) first: u64,
    pub(super) top5: u64,
}

/// Samples of one evaluation batch: enough to keep the threads busy, and no fewer than a training batch.
pub(super) fn evaluation_batch(batch_size: usize) -> usize {
    batch_size.max(256)
}

/// Forward passes over samples of any number.
pub(super) struct Evaluator {
    predictor: Predictor<f32>,
    batch: Batch,
    loss: Loss,
    pool: Pool,
}

impl Evaluator {
    /// Of the network as a function.
    fn new(topology: &Topology, loss: Loss, pool: &Pool) -> Self {
        let predictor = Predictor::new(topology, evaluation_batch(0), pool);
        Evaluator { predictor, batch: Batch::new(), loss, pool: pool.clone() }
    }

    /// Of the network on the device of this inference, which may disturb it.
    pub(super) fn on_device(topology: &Topology, inference: &Inference, batch_size: usize, pool: &Pool) -> Self {
        let predictor = Predictor::on_device(topology, inference, evaluation_batch(batch_size), pool);
        Evaluator { predictor, batch: Batch::new(), loss: inference.loss, pool: pool.clone() }
    }

    /// Predicts these samples, disturbed relative to these scales; an empty list has no mean.
    pub(super) fn evaluate(
        &mut self,
        subject: (&Parameters<f32>, &Scales),
        dataset: &Dataset,
        normalizer: &Normalizer,
        indices: &[usize],
    ) -> Result<Evaluation> {
        let (mut loss, mut hits, of) = (0.0, Hits::default(), self.loss);
        self.each_batch(subject, dataset, normalizer, indices, |logits, batch| {
            loss += summed_loss(of, logits, batch);
            let found = count_hits(logits, &batch.labels);
            hits = Hits { first: hits.first + found.first, top5: hits.top5 + found.top5 };
        })?;
        let samples = indices.len() as f64;
        let percent = |count: u64| 100.0 * count as f64 / samples;
        Ok(Evaluation { samples: indices.len(), loss: loss / samples, accuracy: percent(hits.first), top5: percent(hits.top5) })
    }

    /// Shows the logits of these samples to `see`, batch by batch.
    pub(super) fn each_batch(
        &mut self,
        (parameters, scales): (&Parameters<f32>, &Scales),
        dataset: &Dataset,
        normalizer: &Normalizer,
        indices: &[usize],
        mut see: impl FnMut(&[f32], &Batch),
    ) -> Result<()> {
        self.predictor.begin(scales);
        for indices in indices.chunks(self.predictor.capacity()) {
            self.batch.fill(dataset, normalizer, indices, &self.pool);
            see(self.predictor.predict(parameters, &self.batch.x)?, &self.batch);
        }
        Ok(())
    }

    /// Mean loss and hits of a batch by a forward pass.
    pub(super) fn of_batch(&mut self, (parameters, scales): (&Parameters<f32>, &Scales), batch: &Batch) -> Result<(f64, Hits)> {
        self.predictor.begin(scales);
        let mut summed = (0.0, Hits::default());
        let (inputs, classes) = (batch.x.len() / batch.len(), batch.targets.len() / batch.len());
        for part in (0..batch.len()).step_by(self.predictor.capacity()) {
            let samples = part..batch.len().min(part + self.predictor.capacity());
            let logits = self.predictor.predict(parameters, &batch.x[samples.start * inputs..samples.end * inputs])?;
            let targets = &batch.targets[samples.start * classes..samples.end * classes];
            summed.0 += logits.chunks(classes).zip(targets.chunks(classes)).map(|(z, y)| self.loss.value(z, y)).sum::<f64>();
            let found = count_hits(logits, &batch.labels[samples]);
            summed.1 = Hits { first: summed.1.first + found.first, top5: summed.1.top5 + found.top5 };
        }
        Ok((summed.0 / batch.len() as f64, summed.1))
    }
}

/// Evaluates a model on all samples of a data set.
///
/// # Errors
/// [`crate::Error::Shape`] if the model has another input or another number of outputs than the data set asks for;
/// [`crate::Error::Setting`] if its outputs are not finite.
pub fn evaluate(model: &Model, dataset: &Dataset, loss: Loss, pool: &Pool) -> Result<Evaluation> {
    let dataset = &fitted(model, dataset)?;
    let normalizer = normalizer_of(model, dataset)?;
    let indices: Vec<usize> = (0..dataset.len()).collect();
    let subject = (&model.parameters, &Scales::default());
    let evaluation = Evaluator::new(&model.topology, loss, pool).evaluate(subject, dataset, &normalizer, &indices)?;
    if !evaluation.loss.is_finite() {
        let problem = "the model's outputs are not finite on these samples; its weights are too large to say anything";
        return Err(crate::Error::setting("loss", evaluation.loss, problem));
    }
    Ok(evaluation)
}

/// The data set as the model takes it: padded, if the model was trained on padded images.
///
/// # Errors
/// [`crate::Error::Shape`] if the model has another input.
pub(super) fn fitted<'a>(model: &Model, dataset: &'a Dataset) -> Result<Cow<'a, Dataset>> {
    let expected = model.topology.input();
    if dataset.input.neurons() == expected.neurons() {
        return Ok(Cow::Borrowed(dataset));
    }
    let misfit = |_| crate::Error::shape(format!("{}: a sample", dataset.name), &dataset.input.extents(), &expected.extents());
    dataset.padded(expected).map_err(misfit)
}

/// What a model does to the pixels of a data set, which it must fit.
pub(super) fn normalizer_of(model: &Model, dataset: &Dataset) -> Result<Normalizer> {
    let (input, expected) = (dataset.input.neurons(), model.topology.input().neurons());
    if input != expected {
        return Err(crate::Error::shape(format!("{}: a sample", dataset.name), &[input], &[expected]));
    }
    if dataset.classes != model.topology.outputs() {
        let (classes, outputs) = (dataset.classes, model.topology.outputs());
        return Err(crate::Error::shape(format!("{}: the classes", dataset.name), &[classes], &[outputs]));
    }
    match &model.preprocessing {
        Some((mean, scale)) => Normalizer::from_parts(mean.clone(), scale.clone()),
        None => Ok(Normalizer::identity(input)),
    }
}

fn summed_loss(loss: Loss, logits: &[f32], batch: &Batch) -> f64 {
    let classes = logits.len() / batch.len();
    logits.chunks(classes).zip(batch.targets.chunks(classes)).map(|(z, y)| loss.value(z, y)).sum()
}

/// How many samples have their label first, or among the first five, in the order of falling outputs; of equal outputs the
/// first comes first.
pub(super) fn count_hits(logits: &[f32], labels: &[u32]) -> Hits {
    let classes = logits.len() / labels.len();
    let rank = |z: &[f32], label: usize| {
        // Whatever is no number comes before the label, and an output that is none is never right.
        let before = |i: usize| z[i] > z[label] || z[i] == z[label] && i < label || z[i].is_nan() || z[label].is_nan();
        (0..z.len()).filter(|&i| before(i)).count()
    };
    let ranks = logits.chunks(classes).zip(labels).map(|(z, &label)| rank(z, label as usize));
    ranks.fold(Hits::default(), |hits, rank| Hits {
        first: hits.first + u64::from(rank == 0),
        top5: hits.top5 + u64::from(rank < 5),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_outputs_the_first_counts() {
        let z = [1.0, 3.0, 3.0, 0.0, 2.0, -1.0];
        let hits = |label| count_hits(&z, &[label]);
        assert_eq!(hits(1), Hits { first: 1, top5: 1 });
        assert_eq!(hits(2), Hits { first: 0, top5: 1 });
        assert_eq!(hits(3), Hits { first: 0, top5: 1 });
        assert_eq!(hits(5), Hits { first: 0, top5: 0 });
        assert_eq!(count_hits(&[&z[..], &z[..]].concat(), &[1, 4]), Hits { first: 1, top5: 2 });
        assert_eq!(count_hits(&[f32::NAN; 6], &[0]), Hits { first: 0, top5: 0 });
        assert_eq!(count_hits(&[f32::NAN, 1.0, 0.0], &[1]), Hits { first: 0, top5: 1 });
    }
}
