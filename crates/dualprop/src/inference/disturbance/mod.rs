//! What is not ideal in the device that an inference runs on: noise, mismatch, defects, few bits, and updates that come when they
//! come.
//!
//! Whatever is drawn is keyed by the seed of the inference and the number of the batch, never by threads or by when a run was
//! resumed. A strength of 0 leaves no operation behind: the inference is then bitwise the undisturbed one.

mod device;
mod order;

pub(super) use device::Device;

use crate::base::{Error, Named, Result};
use crate::compute::disturbance::{FEWEST_BITS, MOST_BITS, Rounding};

use super::{Inference, PerLayer, PoolRouting, RuleKind, Schedule, Start};

/// How long a draw of noise stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoisePer {
    /// It is drawn anew at every update.
    Pass,
    /// It is drawn once for every sample of a batch and held during its inference.
    Sample,
}

impl Named for NoisePer {
    const WHAT: &'static str = "noise_per";
    const ALL: &'static [(&'static str, Self)] = &[("pass", NoisePer::Pass), ("sample", NoisePer::Sample)];
}

/// The largest strength, in units of scales: beyond it no number would stay in the range of single precision for long.
const MOST_STRENGTH: f64 = 1e6;

/// Whether a dyad forms its mean and weighs its feedback by one device or by two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// One: its α is off by the same amount in the mean and in the feedback weights.
    Together,
    /// Two, each off by an amount of its own.
    Apart,
}

impl Named for Drawn {
    const WHAT: &'static str = "mismatch_drawn";
    const ALL: &'static [(&'static str, Self)] = &[("together", Drawn::Together), ("apart", Drawn::Apart)];
}

/// What has a device of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MismatchPer {
    /// Every hidden layer.
    Layer,
    /// Every hidden neuron.
    Neuron,
}

impl Named for MismatchPer {
    const WHAT: &'static str = "mismatch_per";
    const ALL: &'static [(&'static str, Self)] = &[("layer", MismatchPer::Layer), ("neuron", MismatchPer::Neuron)];
}

/// Everything that disturbs an inference; the default disturbs nothing. How the parts act and in which order is said in
/// [`crate::compute::disturbance`].
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// σ of the compartments of every layer, relative to the running scale of the layer's state.
    pub state_noise: f64,
    /// σ of the output's compartments where they are nudged, relative to the same.
    pub nudge_noise: f64,
    /// σ of the messages s̄ and Δ of every layer, relative to the same.
    pub message_noise: f64,
    /// How long a draw stays.
    pub noise_per: NoisePer,
    /// m: everything that nudges s⁺ is 1+m times, what nudges s⁻ 1−m times as strong as meant, in every layer.
    pub beta_mismatch: f64,
    /// The standard deviation of α over devices, which are drawn once for a run; what falls outside 0 to 1 is at the end.
    pub alpha_mismatch: f64,
    /// Whether mean and feedback weights have one device or two.
    pub mismatch_drawn: Drawn,
    /// What has a device of its own.
    pub mismatch_per: MismatchPer,
    /// The share of hidden compartments that are 0 for ever.
    pub dead: f64,
    /// The share of hidden compartments that are stuck.
    pub stuck: f64,
    /// Where, in units of the layer's running scale.
    pub stuck_at: f64,
    /// n of compartments.
    pub state_bits: Option<u32>,
    /// n of messages.
    pub message_bits: Option<u32>,
    /// How numbers become levels.
    pub rounding: Rounding,
    /// The largest level of states and messages, in units of their running scales.
    pub range: f64,
    /// The probability with which each update of a layer takes place, layer 1 first; one number for all.
    pub update_probability: PerLayer,
    /// Whether the random schedule draws its order anew for every batch.
    pub redraw_order: bool,
}

impl Default for Disturbance {
    fn default() -> Self {
        Disturbance {
            state_noise: 0.0,
            nudge_noise: 0.0,
            message_noise: 0.0,
            noise_per: NoisePer::Pass,
            beta_mismatch: 0.0,
            alpha_mismatch: 0.0,
            mismatch_drawn: Drawn::Apart,
            mismatch_per: MismatchPer::Neuron,
            dead: 0.0,
            stuck: 0.0,
            stuck_at: 1.0,
            state_bits: None,
            message_bits: None,
            rounding: Rounding::Nearest,
            range: 4.0,
            update_probability: PerLayer::Uniform(1.0),
            redraw_order: false,
        }
    }
}

impl Disturbance {
    /// Whether dyads are disturbed after their updates.
    pub fn acts_on_states(&self) -> bool {
        let strengths = [self.state_noise, self.nudge_noise, self.message_noise, self.dead, self.stuck];
        strengths.iter().any(|strength| *strength > 0.0) || self.state_bits.is_some() || self.message_bits.is_some()
    }

    /// By what is multiplied that which nudges s⁺, and s⁻.
    pub(super) fn beta_factors(&self) -> [f64; 2] {
        [1.0 + self.beta_mismatch, 1.0 - self.beta_mismatch]
    }

    /// Whether which updates take place, or their order, is drawn for every batch.
    pub fn is_asynchronous(&self) -> bool {
        let certain = match &self.update_probability {
            PerLayer::Uniform(p) => *p >= 1.0,
            PerLayer::Each(each) => each.iter().all(|p| *p >= 1.0),
        };
        !certain || self.redraw_order
    }

    /// Checks every number, and that the inference of a network of `depth` layers has what is to be disturbed.
    pub(super) fn check(&self, inference: &Inference, depth: usize) -> Result<()> {
        self.check_numbers(depth)?;
        let wrong = |key: &str, value: String, problem: &str| Err(Error::setting(format!("disturbance.{key}"), value, problem));
        let backprop = inference.rule.kind == RuleKind::Backprop;
        if backprop && self.alpha_mismatch > 0.0 {
            return wrong("alpha_mismatch", self.alpha_mismatch.to_string(), "backpropagation has no alpha");
        }
        if backprop && self.beta_mismatch != 0.0 {
            let problem = "the compartments of backpropagation are not nudged apart; both mismatches cancel";
            return wrong("beta_mismatch", self.beta_mismatch.to_string(), problem);
        }
        let of_hidden = [("alpha_mismatch", self.alpha_mismatch), ("dead", self.dead), ("stuck", self.stuck)];
        if let Some((key, value)) = of_hidden.iter().find(|(_, value)| *value > 0.0 && depth < 2) {
            return wrong(key, value.to_string(), "the network has no hidden layer");
        }
        if self.alpha_mismatch > 0.0 && inference.pool_routing == PoolRouting::Plus {
            let problem = "neurons with an alpha of their own have no routing at s+; use learning.pool_routing = \"mean\"";
            return wrong("alpha_mismatch", self.alpha_mismatch.to_string(), problem);
        }
        if self.redraw_order && inference.schedule != Schedule::Random {
            let problem =
                format!("the schedule `{}` draws no order; use learning.schedule = \"random\"", inference.schedule.name());
            return wrong("redraw_order", "true".into(), &problem);
        }
        if self.is_asynchronous() && matches!(inference.start, Start::Zero | Start::Previous) {
            let problem =
                "an update of the output that does not take place makes no prediction; use learning.start = \"forward\"";
            let (key, value) = match &self.update_probability {
                _ if self.redraw_order => ("redraw_order", "true".into()),
                PerLayer::Uniform(p) => ("update_probability", p.to_string()),
                PerLayer::Each(each) => ("update_probability", format!("{each:?}")),
            };
            return wrong(key, value, problem);
        }
        Ok(())
    }

    fn check_numbers(&self, depth: usize) -> Result<()> {
        let check = |key: &str, value: f64, valid: bool, expected: &str| match valid {
            true => Ok(()),
            false => Err(Error::setting(format!("disturbance.{key}"), value, format!("expected {expected}"))),
        };
        let positive = |value: f64| (0.0..=MOST_STRENGTH).contains(&value);
        for (key, value) in [
            ("state_noise", self.state_noise),
            ("nudge_noise", self.nudge_noise),
            ("message_noise", self.message_noise),
            ("alpha_mismatch", self.alpha_mismatch),
        ] {
            check(key, value, positive(value), "a number from 0 to a million")?;
        }
        let unit = |value: f64| (0.0..=1.0).contains(&value);
        check("beta_mismatch", self.beta_mismatch, self.beta_mismatch.abs() < 1.0, "a number above -1 and below 1")?;
        check("dead", self.dead, unit(self.dead), "a share from 0 to 1")?;
        check("stuck", self.stuck, unit(self.stuck), "a share from 0 to 1")?;
        let broken = self.dead + self.stuck;
        check("dead + disturbance.stuck", broken, broken <= 1.0, "at most 1, the share of all compartments")?;
        check("stuck_at", self.stuck_at, positive(self.stuck_at.abs()), "a number of at most a million in size")?;
        check("range", self.range, self.range > 0.0 && positive(self.range), "a number above 0, up to a million")?;
        for (key, bits) in [("state_bits", self.state_bits), ("message_bits", self.message_bits)] {
            let Some(bits) = bits else { continue };
            let valid = (FEWEST_BITS..=MOST_BITS).contains(&bits);
            check(key, f64::from(bits), valid, &format!("a number of bits from {FEWEST_BITS} to {MOST_BITS}"))?;
        }
        let probabilities = match &self.update_probability {
            PerLayer::Uniform(p) => std::slice::from_ref(p),
            PerLayer::Each(each) if each.len() == depth => each,
            PerLayer::Each(each) => {
                let problem = format!("it has {} values, the network has {depth} layers", each.len());
                return Err(Error::setting("disturbance.update_probability", format!("{each:?}"), problem));
            }
        };
        let drawn = |p: f64| p > 0.0 && p <= 1.0;
        probabilities.iter().try_for_each(|p| check("update_probability", *p, drawn(*p), "a number above 0, up to 1"))
    }
}
