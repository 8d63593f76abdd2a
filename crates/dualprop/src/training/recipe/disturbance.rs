//! `[disturbance]`: what is not ideal in the device that trains, and checked.

use serde::{Deserialize, Serialize};

use crate::base::{Error, Named, Result};
use crate::compute::disturbance::{FEWEST_BITS, MOST_BITS, Quantizer, Rounding};
use crate::inference::{Disturbance, Drawn, MismatchPer, NoisePer, PerLayer};

use super::params::OneOrEach;
use super::values::named;

/// `[disturbance]`; how everything acts is said in [`Disturbance`]. A strength that is left out is 0, and so is a number of bits,
/// which means as many as the numbers have.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisturbanceParams {
    /// σ of the compartments of every layer, relative to the running scale of its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_noise: Option<f64>,
    /// σ of the nudge of the output's compartments, relative to the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nudge_noise: Option<f64>,
    /// σ of the messages of every layer, relative to the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_noise: Option<f64>,
    /// `pass` or `sample`: whether noise is drawn at every update or held for a sample; left out: `pass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_per: Option<String>,
    /// By which share what nudges s⁺ is stronger, and what nudges s⁻ weaker, than meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_mismatch: Option<f64>,
    /// The standard deviation of α over devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha_mismatch: Option<f64>,
    /// `together` or `apart`: whether the mean and the feedback weights of a dyad have the same α; left out: `apart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch_drawn: Option<String>,
    /// `neuron` or `layer`; left out: `neuron`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch_per: Option<String>,
    /// The share of hidden compartments that are 0 for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead: Option<f64>,
    /// The share of hidden compartments that are stuck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<f64>,
    /// Where, in units of the running scale; left out: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_at: Option<f64>,
    /// Bits of compartments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_bits: Option<u32>,
    /// Bits of messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_bits: Option<u32>,
    /// Bits of kernels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_bits: Option<u32>,
    /// `nearest` or `stochastic`; left out: `nearest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<String>,
    /// The largest level of states and messages, in units of their running scales; left out: 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<f64>,
    /// The largest level of kernels, in units of 1/√inputs; left out: 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_range: Option<f64>,
    /// The probability of each update, of all layers or of each, the output included; left out: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_probability: Option<OneOrEach>,
    /// Whether the schedule `random` draws its order anew for every batch; left out: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redraw_order: Option<bool>,
}

/// The largest level of kernels, in units of 1/√inputs, where none is given.
const WEIGHT_RANGE: f64 = 8.0;

impl DisturbanceParams {
    /// What disturbs the inference, still to be held against the network, and the levels of kernels. Whatever is made use of is
    /// written down.
    ///
    /// # Errors
    /// [`Error::Unknown`] or [`Error::Setting`], naming the first wrong value and what would be right.
    pub fn check(&mut self) -> Result<(Disturbance, Option<Quantizer>)> {
        self.check_used()?;
        let plain = Disturbance::default();
        let bits = |bits: Option<u32>| bits.filter(|bits| *bits > 0);
        let disturbance = Disturbance {
            state_noise: self.state_noise.unwrap_or(0.0),
            nudge_noise: self.nudge_noise.unwrap_or(0.0),
            message_noise: self.message_noise.unwrap_or(0.0),
            noise_per: choice::<NoisePer>("noise_per", self.noise_per.as_deref(), plain.noise_per)?,
            beta_mismatch: self.beta_mismatch.unwrap_or(0.0),
            alpha_mismatch: self.alpha_mismatch.unwrap_or(0.0),
            mismatch_drawn: choice::<Drawn>("mismatch_drawn", self.mismatch_drawn.as_deref(), plain.mismatch_drawn)?,
            mismatch_per: choice::<MismatchPer>("mismatch_per", self.mismatch_per.as_deref(), plain.mismatch_per)?,
            dead: self.dead.unwrap_or(0.0),
            stuck: self.stuck.unwrap_or(0.0),
            stuck_at: self.stuck_at.unwrap_or(plain.stuck_at),
            state_bits: bits(self.state_bits),
            message_bits: bits(self.message_bits),
            rounding: choice::<Rounding>("rounding", self.rounding.as_deref(), plain.rounding)?,
            range: self.range.unwrap_or(plain.range),
            update_probability: match &self.update_probability {
                None => plain.update_probability,
                Some(OneOrEach::One(p)) => PerLayer::Uniform(*p),
                Some(OneOrEach::Each(each)) => PerLayer::Each(each.clone()),
            },
            redraw_order: self.redraw_order.unwrap_or(false),
        };
        let weights = self.weights(disturbance.rounding)?;
        self.write_down(&disturbance);
        Ok((disturbance, weights))
    }

    fn weights(&self, rounding: Rounding) -> Result<Option<Quantizer>> {
        let (bits, range) = (self.weight_bits.unwrap_or(0), self.weight_range.unwrap_or(WEIGHT_RANGE));
        if bits != 0 && !(FEWEST_BITS..=MOST_BITS).contains(&bits) {
            let problem = format!("expected a number of bits from {FEWEST_BITS} to {MOST_BITS}, or 0 for no levels");
            return Err(Error::setting("disturbance.weight_bits", bits, problem));
        }
        if !(range > 0.0 && range.is_finite()) {
            return Err(Error::setting("disturbance.weight_range", range, "expected a finite number above 0"));
        }
        Ok((bits > 0).then_some(Quantizer { bits, range, rounding }))
    }

    fn has_noise(&self) -> bool {
        self.state_noise.is_some() || self.nudge_noise.is_some() || self.message_noise.is_some()
    }

    fn has_levels(&self) -> bool {
        self.state_bits.is_some() || self.message_bits.is_some()
    }

    /// That nothing is given without the strength that it belongs to, which may be 0.
    fn check_used(&self) -> Result<()> {
        let (noise, levels, mismatch) = (self.has_noise(), self.has_levels(), self.alpha_mismatch.is_some());
        let any_bits = levels || self.weight_bits.is_some();
        for (key, given, used, strength) in [
            ("noise_per", self.noise_per.is_some(), noise, "state_noise, nudge_noise or message_noise"),
            ("mismatch_drawn", self.mismatch_drawn.is_some(), mismatch, "alpha_mismatch"),
            ("mismatch_per", self.mismatch_per.is_some(), mismatch, "alpha_mismatch"),
            ("stuck_at", self.stuck_at.is_some(), self.stuck.is_some(), "stuck"),
            ("rounding", self.rounding.is_some(), any_bits, "state_bits, message_bits or weight_bits"),
            ("range", self.range.is_some(), levels, "state_bits or message_bits"),
            ("weight_range", self.weight_range.is_some(), self.weight_bits.is_some(), "weight_bits"),
        ] {
            if given && !used {
                let problem = format!("nothing makes use of it without {strength}; set that too, or leave this out");
                return Err(Error::setting(format!("disturbance.{key}"), "given", problem));
            }
        }
        Ok(())
    }

    /// Puts the effective value in the place of what was left out, so that a later default cannot change what a run directory says.
    fn write_down(&mut self, found: &Disturbance) {
        let name = |used: bool, name: &str| used.then(|| name.to_string());
        let (levels, mismatch) = (self.has_levels(), self.alpha_mismatch.is_some());
        self.noise_per = name(self.has_noise(), found.noise_per.name());
        self.mismatch_drawn = name(mismatch, found.mismatch_drawn.name());
        self.mismatch_per = name(mismatch, found.mismatch_per.name());
        self.stuck_at = self.stuck.map(|_| found.stuck_at);
        self.rounding = name(levels || self.weight_bits.is_some(), found.rounding.name());
        self.range = levels.then_some(found.range);
        self.weight_range = self.weight_bits.map(|_| self.weight_range.unwrap_or(WEIGHT_RANGE));
    }
}

fn choice<N: Named>(key: &str, name: Option<&str>, default: N) -> Result<N> {
    name.map_or(Ok(default), |name| named(&format!("disturbance.{key}"), name))
}

#[cfg(test)]
mod tests {
    use crate::training::RecipeParams;

    fn check(sets: &[&str]) -> Result<String, String> {
        let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
        let recipe = RecipeParams::load("digits", &sets).and_then(RecipeParams::check).map_err(|error| error.to_string())?;
        recipe.params().to_toml().map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_disturbances_are_refused_by_name() {
        for (sets, expected) in [
            (&["state_noise=-1"][..], "disturbance.state_noise = -1: expected a number from 0 to a million"),
            (&["message_noise=1e300"], "disturbance.message_noise = 1"),
            (&["stuck=0.1", "stuck_at=-1e7"], "disturbance.stuck_at = -10000000: expected a number of at most a million"),
            (&["message_noise='much'"], "disturbance.message_noise = \"much\": expected a number"),
            (&["state_nose=1"], "unknown key of [disturbance] `state_nose`; did you mean `state_noise`?"),
            (&["noise_per=pass"], "disturbance.noise_per = given: nothing makes use of it without state_noise"),
            (&["state_noise=1", "noise_per=batch"], "unknown disturbance.noise_per `batch`"),
            (&["beta_mismatch=1"], "disturbance.beta_mismatch = 1: expected a number above -1 and below 1"),
            (&["mismatch_per=layer"], "disturbance.mismatch_per = given"),
            (&["dead=0.6", "stuck=0.6"], "disturbance.dead + disturbance.stuck = 1.2"),
            (&["stuck_at=1"], "disturbance.stuck_at = given"),
            (&["state_bits=1"], "disturbance.state_bits = 1: expected a number of bits from 2 to 24"),
            (&["weight_bits=25"], "disturbance.weight_bits = 25"),
            (&["weight_range=1"], "disturbance.weight_range = given"),
            (&["weight_bits=4", "weight_range=0"], "disturbance.weight_range = 0"),
            (&["range=2"], "disturbance.range = given"),
            (&["rounding=nearest"], "disturbance.rounding = given"),
            (&["state_bits=4", "rounding=up"], "unknown disturbance.rounding `up`"),
            (&["update_probability=0"], "disturbance.update_probability = 0"),
            (&["update_probability=[0.5]"], "disturbance.update_probability = [0.5]: it has 1 values, the network has"),
            (&["redraw_order=true"], "disturbance.redraw_order = true: the schedule `forward_backward` draws no order"),
        ] {
            let sets: Vec<String> = sets.iter().map(|set| format!("disturbance.{set}")).collect();
            let error = check(&sets.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err();
            assert!(error.starts_with(expected), "{sets:?}: {error}");
        }
        for (sets, expected) in [
            (["learning.rule=backprop", "disturbance.alpha_mismatch=0.1"], "disturbance.alpha_mismatch = 0.1: backpropagation"),
            (["learning.rule=backprop", "disturbance.beta_mismatch=0.1"], "disturbance.beta_mismatch = 0.1: the compartments"),
            (["learning.pool_routing=plus", "disturbance.alpha_mismatch=0.1"], "disturbance.alpha_mismatch = 0.1: neurons"),
            (["network.layers=['dense 10']", "disturbance.dead=0.1"], "disturbance.dead = 0.1: the network has no hidden layer"),
            (["learning.start=zero", "disturbance.update_probability=0.5"], "disturbance.update_probability = 0.5: an update"),
        ] {
            let error = check(&sets).unwrap_err();
            assert!(error.starts_with(expected), "{sets:?}: {error}");
        }
    }

    #[test]
    fn what_is_made_use_of_is_written_down_and_nothing_else() {
        let text = check(&["disturbance.state_noise=0", "disturbance.weight_bits=4"]).unwrap();
        let section = text.split("[disturbance]").nth(1).unwrap().trim();
        let expected = "state_noise = 0.0\nnoise_per = \"pass\"\nweight_bits = 4\nrounding = \"nearest\"\nweight_range = 8.0";
        assert!(section.starts_with(expected), "{section}");
        assert!(!check(&[]).unwrap().contains("[disturbance]"));
    }
}
