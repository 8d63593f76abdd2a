//! The naive reference path against the golden files: numbers that the paper's authors' own program printed in f64.
//!
//! The oracle here is that program; the tolerance of 1e-10 is the one at which the files were made, and what is found is
//! nearer to 1e-15.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test by panicking")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use dualprop::base::Named;
use dualprop::reference::*;
use safetensors::{Dtype, SafeTensors};

const TOLERANCE: f64 = 1e-10;

/// A golden file: its metadata and its tensors, flat and in f64 (labels too), with their shapes.
struct Golden {
    name: String,
    metadata: HashMap<String, String>,
    tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Golden {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let mut tensors = HashMap::new();
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
            let words = view.data().chunks_exact(8).map(|word| <[u8; 8]>::try_from(word).unwrap());
            let values = match view.dtype() {
                Dtype::F64 => words.map(f64::from_le_bytes).collect(),
                Dtype::I64 => words.map(|word| i64::from_le_bytes(word) as f64).collect(),
                other => panic!("{name} is {other:?}"),
            };
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Golden { name, metadata: header.metadata().clone().unwrap(), tensors }
    }

    fn text(&self, key: &str) -> &str {
        self.metadata.get(key).unwrap_or_else(|| panic!("{}: no key {key}", self.name))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> T {
        self.text(key).parse().unwrap_or_else(|_| panic!("{}: {key} is no number", self.name))
    }

    fn tensor(&self, name: &str) -> &[f64] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name)).1
    }

    fn network(&self) -> Network {
        let numbers = |key: &str| -> Vec<usize> { serde_json::from_str(self.text(key)).unwrap() };
        let pools: Vec<bool> = serde_json::from_str(self.text("pool_after_conv")).unwrap();
        let input = numbers("input_shape");
        // The image that comes next; the authors' program pools before the activation.
        let (mut height, mut width) = (input[0], input[1]);
        let mut layers = Vec::new();
        while let Some((shape, kernel)) = self.tensors.get(&format!("kernel.{}", layers.len())) {
            let (kernel, bias) = (kernel.clone(), self.tensor(&format!("bias.{}", layers.len())).to_vec());
            layers.push(match shape[..] {
                [size, _, inputs, outputs] => {
                    let linear = Linear::Convolution { height, width, inputs, outputs, size };
                    let pool_above = pools[layers.len()].then_some(MaxPool { height, width, channels: outputs });
                    if pool_above.is_some() {
                        (height, width) = (height / 2, width / 2);
                    }
                    Layer { pool_below: None, linear, kernel, bias, pool_above }
                }
                _ => Layer::dense(shape[0], shape[1], kernel, bias),
            });
        }
        Network { layers, activation: Activation::parse(self.text("activation")).unwrap() }
    }

    fn settings(&self, network: &Network) -> Settings {
        let (depth, alpha, beta) = (network.depth(), self.number("alpha"), self.number("beta"));
        let loss = Loss::parse(self.text("loss")).unwrap();
        let order = match self.text("schedule") {
            "fwK" => schedule::forward,
            "bwK" => schedule::backward,
            "fwbwK" => schedule::forward_backward,
            "oddeven" => schedule::odd_even,
            "evenodd" => schedule::even_odd,
            other => panic!("{}: schedule {other}", self.name),
        }(depth, self.number("passes"));
        let settings = match self.text("rule") {
            "dp" => Settings::dp(depth, alpha, beta, loss, order),
            "dp_transpose" => Settings::dp_transpose(depth, alpha, beta, loss, order),
            // L_k belongs to the state that map k leaves, maps counted from 0: the first is that of the input.
            "dp_damped" => Settings::dp_damped(depth, alpha, beta, loss, order, self.tensor("damping")[1..].to_vec()),
            other => panic!("{}: rule {other}", self.name),
        };
        Settings { pool_routing: PoolRouting::Plus, ..settings }
    }

    /// Inputs and one-hot targets, one vector for each sample; of a training case those of all steps in turn.
    fn samples(&self, network: &Network) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let (inputs, classes) = (network.layers[0].linear.inputs(), network.layers[network.depth() - 1].linear.outputs());
        let xs = self.tensor("x").chunks_exact(inputs).map(<[f64]>::to_vec).collect();
        let one_hot = |label: &f64| (0..classes).map(|class| if class as f64 == *label { 1.0 } else { 0.0 }).collect();
        (xs, self.tensor("labels").iter().map(one_hot).collect())
    }

    /// The largest difference between `found` and the tensor of this name, in units of the larger of 1 and its value.
    fn error(&self, name: &str, found: &[f64]) -> f64 {
        let expected = self.tensor(name);
        assert_eq!(found.len(), expected.len(), "{}: {name}", self.name);
        let errors = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs() / expected.abs().max(1.0));
        // Not f64::max, which would hide a NaN.
        errors.fold(0.0, |worst, error| if error <= worst { worst } else { error })
    }
}

/// The cases of a folder.
fn cases(folder: &str) -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    paths.sort();
    paths.iter().map(|path| Golden::read(path)).collect()
}

/// Prints the worst error, and fails naming all that are too large.
fn judge(case: &Golden, what: &str, errors: Vec<(String, f64)>, tolerance: f64) {
    let worst = errors.iter().fold(0.0f64, |worst, (_, error)| if *error <= worst { worst } else { *error });
    println!("{worst:9.2e}  {}: {what}", case.name);
    let bad: Vec<_> = errors.iter().filter(|(_, error)| error.is_nan() || *error > tolerance).collect();
    assert!(bad.is_empty(), "{}, {what}: {bad:?}", case.name);
}

#[test]
fn every_inference_agrees_with_the_authors_program() {
    let cases = cases("");
    assert_eq!(cases.len(), 15, "golden files are missing, or new ones need a look");
    for case in &cases {
        let network = case.network();
        let settings = case.settings(&network);
        let (xs, ys) = case.samples(&network);
        let states = infer_batch(&network, &xs, &ys, &settings);
        let local = local_gradients(&network, &states, &settings, true);
        let exact = backprop(&network, &xs, &ys, settings.loss);

        let mut errors = Vec::new();
        let mut check = |name: String, found: &[f64]| errors.push((name.clone(), case.error(&name, found)));
        check("logits".into(), &xs.iter().flat_map(|x| network.logits(x)).collect::<Vec<_>>());
        check("loss".into(), &[mean_loss(&network, &xs, &ys, settings.loss)]);
        check("contrastive_objective".into(), &[contrastive_objective(&network, &states, &settings)]);
        for k in 1..=network.depth() {
            check(format!("s_plus.{k}"), &states.iter().flat_map(|states| states.plus[k].clone()).collect::<Vec<_>>());
            check(format!("s_minus.{k}"), &states.iter().flat_map(|states| states.minus[k].clone()).collect::<Vec<_>>());
        }
        for i in 0..network.depth() {
            check(format!("grad_kernel.{i}"), &local[i].kernel);
            check(format!("grad_bias.{i}"), &local[i].bias);
            check(format!("bp_grad_kernel.{i}"), &exact[i].kernel);
            check(format!("bp_grad_bias.{i}"), &exact[i].bias);
        }
        check("cosine_to_backprop".into(), &local.iter().zip(&exact).map(|(a, b)| cosine(a, b)).collect::<Vec<_>>());
        let norms: Vec<f64> = network.layers.iter().map(spectral_norm).collect();
        check("spectral_norm".into(), &norms);
        if settings.damping.is_some() {
            check("damping".into(), &norms.iter().map(|gamma| ((gamma * gamma - 1.0) / 2.0).max(0.0)).collect::<Vec<_>>());
        }
        judge(case, "inference", errors, TOLERANCE);
    }
}

/// η of a step as the authors' program applied it. Its optimiser counts steps in 32-bit integers, for which optax evaluates
/// the schedule in f32: (0.001 − 0.05) + 0.05 is then 2e-9 too large. The file's `step_learning_rate` is the f64 value.
fn applied_rate(step: u64, [init, peak, last]: [f64; 3], [warmup, decay]: [u64; 2]) -> f64 {
    if step < warmup {
        return f64::from((init - peak) as f32 * (1.0 - step as f32 / warmup as f32) + peak as f32);
    }
    f64::from(warmup_cosine(step, init, peak, last, warmup, decay) as f32)
}

/// Trains from the initial parameters with these learning rates; gives the network and the loss before each step.
fn train(case: &Golden, rates: &[f64]) -> (Network, Vec<f64>) {
    let (momentum, weight_decay, batch) = (case.number("momentum"), case.number("weight_decay"), case.number("batch"));
    let mut network = case.network();
    let settings = case.settings(&network);
    let (xs, ys) = case.samples(&network);
    let mut memory = zero_gradients(&network);
    let mut losses = Vec::new();
    for ((xs, ys), &eta) in xs.chunks(batch).zip(ys.chunks(batch)).zip(rates) {
        losses.push(mean_loss(&network, xs, ys, settings.loss));
        let gradients = local_gradients(&network, &infer_batch(&network, xs, ys, &settings), &settings, true);
        for (layer, (g, m)) in network.layers.iter_mut().zip(gradients.iter().zip(&mut memory)) {
            sgd_step(&mut layer.kernel, &g.kernel, &mut m.kernel, eta, momentum, weight_decay);
            sgd_step(&mut layer.bias, &g.bias, &mut m.bias, eta, momentum, weight_decay);
        }
    }
    (network, losses)
}

#[test]
fn every_training_agrees_with_the_authors_program() {
    let cases = cases("training");
    assert_eq!(cases.len(), 2, "golden files are missing, or new ones need a look");
    for case in &cases {
        assert_eq!((case.text("optimizer"), case.text("schedule_kind")), ("sgd", "warmup_cosine"));
        let of_rate = ["init_learning_rate", "learning_rate", "final_learning_rate"].map(|key| case.number(key));
        let lengths = ["warmup_steps", "decay_steps"].map(|key| case.number(key));
        let ([init, peak, last], [warmup, decay]) = (of_rate, lengths);
        let steps = 0..case.number("steps");
        let rates: Vec<f64> = steps.clone().map(|step| warmup_cosine(step, init, peak, last, warmup, decay)).collect();
        let applied: Vec<f64> = steps.map(|step| applied_rate(step, of_rate, lengths)).collect();
        let errors_with = |rates: &[f64]| {
            let (network, losses) = train(case, rates);
            let mut errors = vec![("step_loss".to_string(), case.error("step_loss", &losses))];
            for (i, layer) in network.layers.iter().enumerate() {
                errors.push((format!("trained_kernel.{i}"), case.error(&format!("trained_kernel.{i}"), &layer.kernel)));
                errors.push((format!("trained_bias.{i}"), case.error(&format!("trained_bias.{i}"), &layer.bias)));
            }
            errors
        };
        judge(
            case,
            "step_learning_rate",
            vec![("step_learning_rate".into(), case.error("step_learning_rate", &rates))],
            TOLERANCE,
        );
        judge(case, "with the rates as applied, in f32", errors_with(&applied), TOLERANCE);
        // A rate that is 2e-6 (relative) smaller in the first step moves a loss whose slope along the step is about 7.
        judge(case, "with the rates in f64", errors_with(&rates), 1e-7);
    }
}
