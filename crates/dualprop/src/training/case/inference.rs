//! From the settings of a case to its network and its inference.

use crate::base::{Named, Result};
use crate::compute::spectral::Power;
use crate::compute::{Activation, Loss};
use crate::inference::{
    Damping, Disturbance, Feedback, Inference, Nudge, PerLayer, PoolRouting, Rule, RuleKind, Schedule, Start,
};
use crate::network::{Layer, PoolOrder, Shape, Topology};

use super::settings::{COUNT, COUNTS, FLAG, FLAGS, NUMBER, PER_LAYER, Settings};

const SCHEDULES: [(&str, Schedule); 8] = [
    ("fwK", Schedule::Forward),
    ("bwK", Schedule::Backward),
    ("fwbwK", Schedule::ForwardBackward),
    ("bwfwK", Schedule::BackwardForward),
    ("oddeven", Schedule::OddEven),
    ("evenodd", Schedule::EvenOdd),
    ("parallel", Schedule::Parallel),
    ("random", Schedule::Random),
];

/// The network.
pub(super) fn topology(settings: &mut Settings) -> Result<Topology> {
    let input = match settings.required("input_shape", &COUNTS)?[..] {
        [height, width, channels] if height > 0 && width > 0 && channels > 0 => Shape::image(height, width, channels),
        _ => return Err(settings.wrong("input_shape", "expected [height, width, channels], none of them 0")),
    };
    let mut layers = convolutions(settings)?;
    let widths = settings.required("dense_features", &COUNTS)?;
    if widths.is_empty() || widths.contains(&0) {
        return Err(settings.wrong("dense_features", "expected at least one layer, and at least one neuron in each"));
    }
    let without_dense = layers.len();
    layers.extend(widths.into_iter().map(Layer::dense));
    let activation = settings.choice("activation", Activation::ALL)?;
    let pool_order = settings.optional_choice("pool_order", PoolOrder::ALL)?.unwrap_or_default();
    Topology::new(input, layers, activation, pool_order).map_err(|error| {
        let text = error.to_string();
        let of_convolution = (0..without_dense)
            .any(|i| text.starts_with(&format!("network.layers[{i}]")) || text.starts_with(&format!("kernel.{i} ")));
        let key = match (text.starts_with("network input"), of_convolution) {
            (true, _) => "input_shape",
            (false, true) => "conv_features",
            (false, false) => "dense_features",
        };
        settings.wrong(key, &text)
    })
}

/// The convolutions, which come before the dense layers.
fn convolutions(settings: &mut Settings) -> Result<Vec<Layer>> {
    let channels = settings.required("conv_features", &COUNTS)?;
    if channels.contains(&0) {
        return Err(settings.wrong("conv_features", "expected at least one channel in each layer"));
    }
    let pools = settings.required("pool_after_conv", &FLAGS)?;
    let sizes = settings.optional("conv_sizes", &COUNTS)?.unwrap_or_else(|| vec![3; channels.len()]);
    for (key, count) in [("pool_after_conv", pools.len()), ("conv_sizes", sizes.len())] {
        if count != channels.len() {
            let problem = format!("expected one for each of the {} convolutions", channels.len());
            return Err(settings.wrong(key, &problem));
        }
    }
    if sizes.iter().any(|size| size % 2 == 0 || *size > 99) {
        return Err(settings.wrong("conv_sizes", "expected odd numbers up to 99"));
    }
    let layers = channels.into_iter().zip(sizes).zip(pools);
    Ok(layers.map(|((channels, size), pool)| Layer::Conv { channels, size, pool }).collect())
}

/// The inference, with its warnings; `damping` holds L_k for k = 0..L−1, where the case gives them.
pub(super) fn inference(settings: &mut Settings, depth: usize, damping: Option<Vec<f64>>) -> Result<(Inference, Vec<String>)> {
    let rule = rule(settings, damping)?;
    let schedule = settings.choice("schedule", &SCHEDULES)?;
    let starts = Start::ALL.iter().copied().filter(|(_, start)| matches!(start, Start::Forward | Start::Zero));
    let inference = Inference {
        nudge: settings.optional_choice("nudge", Nudge::ALL)?.unwrap_or(Nudge::default_for(rule.kind)),
        rule,
        beta: settings.required("beta", &NUMBER)?,
        loss: settings.choice("loss", Loss::ALL)?,
        schedule,
        passes: whole(settings.required("passes", &COUNT)?),
        pool_routing: PoolRouting::Plus,
        start: settings.optional_choice("start", &starts.collect::<Vec<_>>())?.unwrap_or(Start::Forward),
        nudge_from_pass: settings.optional("nudge_from_pass", &COUNT)?.map_or(1, whole),
        divide_gain: settings.optional("divide_gain", &FLAG)?.unwrap_or(true),
        disturbance: Disturbance::default(),
        seed: match schedule {
            Schedule::Random => settings.optional("seed", &COUNT)?.unwrap_or(0),
            _ => 0,
        },
        feedback: Feedback::Tied,
    };
    match inference.check(depth) {
        // Recipes say `learning.beta`, a case says `beta`.
        Ok(warnings) => Ok((inference, warnings.iter().map(|text| text.replacen("learning.", "", 1)).collect())),
        Err(error) => Err(settings.misfit(error)),
    }
}

/// A count for an index; one too large for an index is too large for every range that follows.
fn whole(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn rule(settings: &mut Settings, damping: Option<Vec<f64>>) -> Result<Rule> {
    let kind = settings.choice("rule", RuleKind::ALL)?;
    Ok(Rule {
        kind,
        alpha: settings.required("alpha", &PER_LAYER)?,
        alpha_feedback: match kind {
            RuleKind::General => Some(settings.required("alpha_feedback", &PER_LAYER)?),
            _ => None,
        },
        output_alpha: settings.optional("output_alpha", &NUMBER)?,
        gain: settings.optional("feedback_gain", &PER_LAYER)?.unwrap_or(PerLayer::Uniform(1.0)),
        damping: self::damping(settings, kind, damping)?,
    })
}

/// L_k belongs to the state that map k leaves: the first, that of the input, has no meaning.
fn damping(settings: &mut Settings, kind: RuleKind, given: Option<Vec<f64>>) -> Result<Option<Damping>> {
    match (kind, given) {
        (RuleKind::DpDamped, Some(values)) => Ok(Some(Damping::Given(values[1..].to_vec()))),
        (RuleKind::DpDamped, None) => {
            let iterations = settings.optional("damping_power_iterations", &COUNT)?;
            let power = iterations.map_or(Power::Converged, |n| Power::Iterations(whole(n)));
            let asymmetry = settings.optional("damping_asymmetry", &FLAG)?.unwrap_or(false);
            Ok(Some(Damping::Spectral { power, asymmetry }))
        }
        (_, Some(_)) => Err(settings.wrong("rule", "only dp_damped makes use of the tensor `damping`; leave one out")),
        (_, None) => Ok(None),
    }
}

/// That the states of a batch fit into memory.
///
/// # Errors
/// [`Error::Malformed`], naming the batch.
pub(super) fn check_size(settings: &Settings, topology: &Topology, batch: usize) -> Result<()> {
    /// 2 GiB of f64.
    const MOST_NUMBERS: u128 = 1 << 28;
    let neurons: u128 = (0..=topology.depth()).map(|k| topology.state(k).neurons() as u128).sum();
    match batch as u128 * neurons * 4 <= MOST_NUMBERS {
        true => Ok(()),
        false => {
            let problem = format!("with {neurons} neurons a sample its states are too many; trace fewer samples at a time");
            Err(settings.wrong("batch", &problem))
        }
    }
}
