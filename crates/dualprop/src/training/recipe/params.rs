//! The recipe as written: names and numbers, not yet checked against each other.

use serde::{Deserialize, Serialize, Serializer};

use super::{AnalysisParams, DisturbanceParams};

/// A recipe as its file has it; what the file leaves out has its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeParams {
    /// Names the run directory.
    pub name: String,
    /// One run for each seed.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// `[data]`
    pub data: DataParams,
    /// `[network]`
    pub network: NetworkParams,
    /// `[learning]`
    #[serde(default)]
    pub learning: LearningParams,
    /// `[disturbance]`; left out: nothing is disturbed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disturbance: Option<DisturbanceParams>,
    /// `[optimizer]`
    #[serde(default)]
    pub optimizer: OptimizerParams,
    /// `[training]`
    #[serde(default)]
    pub training: TrainingParams,
    /// `[analysis]`; left out: nothing of it is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<AnalysisParams>,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataParams {
    /// The data set's name.
    pub dataset: String,
    /// The training samples held out for validation: a share if below 1, else how many.
    #[serde(default = "fifth", serialize_with = "share_or_count")]
    pub validation: f64,
    /// The share of samples held out for the test, of a data set without a test part of its own; left out: a fifth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
    /// Which samples validate: `stratified` (drawn by the seed, every class alike) or `last`.
    #[serde(default = "stratified")]
    pub split: String,
    /// How pixels become inputs: `unit` (0 to 1), `standardize`, or `published`.
    #[serde(default = "unit")]
    pub normalization: String,
    /// How training samples vary from epoch to epoch: `none`, `crop` or `crop_flip`.
    #[serde(default = "none")]
    pub augment: String,
    /// The side of square images in whose middle samples stand, with inputs of zero around them; left out: as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pad: Option<usize>,
    /// How many training samples are used, the first ones of those that do not validate; left out: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_train: Option<usize>,
}

/// `[network]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkParams {
    /// A network by name; excludes `layers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// `"dense N"`, `"conv C"`, `"conv C pool"`, `"conv C 5x5 pool"` for each layer; the last is the output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// f of the hidden layers.
    #[serde(default = "relu")]
    pub activation: String,
    /// Whether max pools come before the activation of their layer or after it.
    #[serde(default = "before_activation")]
    pub pool_order: String,
    /// How kernels start.
    #[serde(default = "lecun_normal")]
    pub initializer: String,
    /// How biases start.
    #[serde(default = "zero")]
    pub bias_initializer: String,
    /// A model file whose parameters the training starts from; left out: they are drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A number for all layers, or one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrEach {
    /// For all layers.
    One(f64),
    /// For each of those that have one.
    Each(Vec<f64>),
}

/// `[learning]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearningParams {
    /// The rule's name; `lpom` and `adversarial` are `dp_damped` at α = 1 and at α = 0.
    pub rule: String,
    /// α (α_m of the rule `general`); left out: ½, or that of the rule's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<OneOrEach>,
    /// α_f of the rule `general`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha_feedback: Option<OneOrEach>,
    /// α of the output layer; left out: that of the last hidden layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_alpha: Option<f64>,
    /// β
    pub beta: f64,
    /// g_k, the feedback gain.
    pub gain: OneOrEach,
    /// Whether gradients are divided by the gains as well as by β.
    pub divide_gain: bool,
    /// L_k of the rule `dp_damped`, one for each hidden layer; left out: from spectral norms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damping: Option<Vec<f64>>,
    /// Whether the rules `lpom` and `adversarial` are damped; left out: they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damped: Option<bool>,
    /// Power iterations per batch for the spectral norms; 0, or left out: until they converge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_iterations: Option<usize>,
    /// Whether L_k is multiplied by |1−2α|.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damping_asymmetry: Option<bool>,
    /// The nudge's name; left out: the rule's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nudge: Option<String>,
    /// The first pass in which the output is nudged.
    pub nudge_from_pass: usize,
    /// The schedule's name.
    pub schedule: String,
    /// K
    pub passes: usize,
    /// Where the states start.
    pub start: String,
    /// Where the feedback through a max pool is linearised, `mean` or `plus`; dense layers have the same states under both.
    pub pool_routing: String,
    /// Through which kernels differences travel down: `random`, `kolen_pollack` or `noisy_copy`; left out, or `tied`: the forward ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// σ of `noisy_copy`: the deviation of the noise, in units of the root mean square of the kernel's weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback_noise: Option<f64>,
    /// Weight updates per batch; the second and later ones follow inferences that go on from the states of the one before.
    pub multistep: usize,
    /// ε: every input is perturbed against the present weights, as in input-adversarial training; 0: it stays as it is.
    pub input_perturbation: f64,
    /// How: `gradient` (x + ε ∇ₓℓ(x), as it is; the default), `fgsm` or `pgd`, whose ε is a share of a pixel's range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_attack: Option<String>,
    /// Of `fgsm` and `pgd`: `linf` or `l2`; left out: `linf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_norm: Option<String>,
    /// Steps of `pgd`; left out: 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_steps: Option<usize>,
    /// The loss's name.
    pub loss: String,
}

impl Default for LearningParams {
    fn default() -> Self {
        LearningParams {
            rule: "dp_transpose".into(),
            alpha: None,
            alpha_feedback: None,
            output_alpha: None,
            beta: 0.1,
            gain: OneOrEach::One(1.0),
            divide_gain: true,
            damping: None,
            damped: None,
            power_iterations: None,
            damping_asymmetry: None,
            nudge: None,
            nudge_from_pass: 1,
            schedule: "forward_backward".into(),
            passes: 1,
            start: "forward".into(),
            pool_routing: "mean".into(),
            feedback: None,
            feedback_noise: None,
            multistep: 1,
            input_perturbation: 0.0,
            input_attack: None,
            input_norm: None,
            input_steps: None,
            loss: "cross_entropy".into(),
        }
    }
}

/// `[optimizer]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerParams {
    /// `sgd`, `adam` or `adamw`.
    pub kind: String,
    /// The largest learning rate.
    pub learning_rate: f64,
    /// μ of SGD; left out: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// μ of SGD from the end of the warm-up on; left out: the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum_after_warmup: Option<f64>,
    /// λ, on kernels and biases: SGD adds it to the gradient, AdamW to the update; left out: 0 (AdamW: 1e-4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// The decay of Adam's first moment; left out: 0.9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f64>,
    /// The decay of Adam's second moment; left out: 0.999.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2: Option<f64>,
    /// ε of Adam, outside the root; left out: 1e-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// `[optimizer.schedule]`
    pub schedule: RateParams,
}

impl Default for OptimizerParams {
    fn default() -> Self {
        OptimizerParams {
            kind: "sgd".into(),
            learning_rate: 0.05,
            momentum: None,
            momentum_after_warmup: None,
            weight_decay: None,
            beta1: None,
            beta2: None,
            epsilon: None,
            schedule: RateParams::default(),
        }
    }
}

/// `[optimizer.schedule]`: the learning rate over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateParams {
    /// `constant`, `cosine` or `warmup_cosine`.
    pub kind: String,
    /// The learning rate before a warm-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
    /// The learning rate after a cosine; left out: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<f64>,
    /// Epochs of the linear warm-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_epochs: Option<u32>,
    /// Epochs after which a cosine has reached `last`, the warm-up included; left out: all epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_epochs: Option<u32>,
}

impl Default for RateParams {
    fn default() -> Self {
        RateParams { kind: "constant".into(), first: None, last: None, warmup_epochs: None, decay_epochs: None }
    }
}

/// `[training]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingParams {
    /// Passes over the training samples.
    pub epochs: u32,
    /// Samples per weight update; the last incomplete batch of an epoch is dropped.
    pub batch_size: usize,
    /// Threads; 0: one per core. Never changes a result.
    pub threads: usize,
    /// Batches between two measurements of the angle to backpropagation, from the first of each epoch; 0: never.
    pub alignment_every: u64,
    /// What an epoch shuffles: its `samples`, or the order of the same `batches`.
    pub shuffle: String,
    /// Steps between two checkpoints within an epoch; 0: only at the end of each. Never changes a result.
    pub checkpoint_every: u64,
    /// Whether convolutions are computed term by term, without transforms that round otherwise.
    pub exact_conv: bool,
}

impl Default for TrainingParams {
    fn default() -> Self {
        TrainingParams {
            epochs: 20,
            batch_size: 50,
            threads: 0,
            alignment_every: 100,
            shuffle: "samples".into(),
            checkpoint_every: 0,
            exact_conv: false,
        }
    }
}

/// A share as it is, a count without the decimal point that looks like a share.
fn share_or_count<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match *value {
        count if count >= 1.0 && count.fract() == 0.0 && count <= f64::from(u32::MAX) => serializer.serialize_u32(count as u32),
        share => serializer.serialize_f64(share),
    }
}
fn one_seed() -> Vec<u64> {
    vec![0]
}
fn fifth() -> f64 {
    0.2
}
fn stratified() -> String {
    "stratified".into()
}
fn unit() -> String {
    "unit".into()
}
fn none() -> String {
    "none".into()
}
fn before_activation() -> String {
    "before_activation".into()
}
fn relu() -> String {
    "relu".into()
}
fn lecun_normal() -> String {
    "lecun_normal".into()
}
fn zero() -> String {
    "zero".into()
}
