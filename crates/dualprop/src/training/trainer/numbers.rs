//! Numbers that go wrong: what stopped being finite, and that nothing of it is kept.

use crate::base::{Error, Result};
use crate::compute::all_finite;

use super::Trainer;

impl Trainer {
    /// The error of a training in which this is not finite, together with where that began.
    pub(super) fn diverged(&self, quantity: &str) -> Error {
        let quantity = match self.first_broken_state() {
            Some(state) => format!("{quantity}, and before it {state},"),
            None => quantity.to_string(),
        };
        let remedy = "a smaller optimizer.learning_rate, or moderate values of learning.beta and learning.gain";
        Error::Diverged { quantity, step: self.progress.steps, remedy }
    }

    /// What to call a parameter: that of layer k is the map into it, and counted from 0.
    pub(super) fn parameter_name(name: &str) -> String {
        match name.rsplit_once('.').and_then(|(_, map)| map.parse::<usize>().ok()) {
            Some(map) => format!("{name} (layer {})", map + 1),
            None => name.to_string(),
        }
    }

    /// The first that is not finite of what the last batch went through: its input, the mean states of the layers upwards, and
    /// the differences of their dyads downwards.
    fn first_broken_state(&self) -> Option<String> {
        let (engine, depth) = (&self.engines.rule, self.engines.rule.topology().depth());
        let broken = |numbers: &[f32]| !all_finite(&self.pool, numbers);
        if broken(&self.batch.x) {
            return Some("the input".into());
        }
        let upwards = (1..=depth).find(|&k| broken(engine.mean(k))).map(|k| format!("the mean state of layer {k}"));
        let downwards = || (1..=depth).rev().find(|&k| broken(engine.difference(k)));
        upwards.or_else(|| downwards().map(|k| format!("the difference of layer {k}")))
    }

    /// That all that a checkpoint keeps is finite. Weights can leave the range of numbers by an update whose gradient did not,
    /// and a checkpoint with such a weight would take the place of one from which the training can go on.
    ///
    /// # Errors
    /// [`Error::Diverged`] with the parameter, or the moment of the optimiser.
    pub(super) fn check_finite(&self) -> Result<()> {
        let named = |moment: &str| format!("the optimiser's moment `{moment}` of ");
        let moments = self.optimizer.moments().into_iter().map(|(moment, moments)| (named(moment), moments));
        for (what, parameters) in std::iter::once((String::new(), &self.parameters)).chain(moments) {
            let mut tensors = parameters.iter();
            if let Some((name, _)) = tensors.find(|(_, tensor)| !all_finite(&self.pool, tensor.data())) {
                return Err(self.diverged(&format!("{what}{}", Self::parameter_name(name))));
            }
        }
        match self.first_broken_state() {
            Some(state) => Err(self.diverged(&state)),
            None => Ok(()),
        }
    }
}
