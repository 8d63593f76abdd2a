//! `dualprop bench`

mod measure;
mod peer;
mod table;
mod tune;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use dualprop::base::Named;
use dualprop::compute::{Pool, fma_peak};
use dualprop::training::benchmark::{Algorithm, Case};

use crate::output;
use measure::Measurement;

const EXAMPLES: &str = "Examples:
  dualprop bench --case mlp512 --case mlp1000x4
  dualprop bench --case vgg16 --threads 2 --against torch
  dualprop bench --case mlp512 --algorithm dp --json
  dualprop bench --tune                          the table of crates/dualprop/src/compute/affine/table.rs

A step is forward, inference, local gradients and SGD with momentum on one resident batch.
The median of the timed steps is printed; run it on a machine that does nothing else.";

/// `dualprop bench`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArguments {
    /// A network: mlp512, mlp1000x4, mlp1024, minicnn or vgg16; may be repeated [default: mlp512, mlp1000x4, minicnn, vgg16]
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// bp, dp, dp_16_alpha0 or dp_16_alpha_half; may be repeated [default: bp, dp]
    #[arg(long, value_name = "NAME")]
    algorithm: Vec<String>,
    /// Threads, 0 for one per core
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Samples in the batch
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=65536))]
    samples: u32,
    /// How long each case and algorithm is timed, at least; in seconds
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Time this peer too, alternating three times
    #[arg(long, value_enum)]
    against: Option<Peer>,
    /// The Python program that has PyTorch installed
    #[arg(long, value_name = "PROGRAM", default_value = "python3", requires = "against")]
    python: PathBuf,
    /// Compute convolutions term by term, without transforms that round otherwise
    #[arg(long)]
    exact_conv: bool,
    /// Print one JSON object for each case and algorithm, and nothing else
    #[arg(long)]
    json: bool,
    /// Time every algorithm of the convolutions of all named networks instead, and print a new table of them
    #[arg(long, conflicts_with_all = ["case", "algorithm", "seconds", "against", "exact_conv", "json"])]
    tune: bool,
}

/// What the steps are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// The same network by backpropagation in PyTorch
    Torch,
}

fn seconds(text: &str) -> Result<f64, String> {
    let valid = text.parse().ok().filter(|seconds| (0.0..=3600.0).contains(seconds));
    valid.ok_or_else(|| "expected a number of seconds from 0 to 3600".to_string())
}

/// How often the peers alternate.
const ROUNDS: usize = 3;

/// Times the steps and prints what came out.
pub(crate) fn run(arguments: &BenchArguments) -> Result<()> {
    let cases = chosen(&arguments.case, "--case", &[Case::Mlp512, Case::Mlp1000x4, Case::MiniCnn, Case::Vgg16])?;
    let algorithms = chosen(&arguments.algorithm, "--algorithm", &[Algorithm::Backprop, Algorithm::Dp])?;
    let pool = Pool::new(arguments.threads)?.with_exact_convolutions(arguments.exact_conv);
    let (samples, seconds) = (arguments.samples as usize, arguments.seconds);
    if arguments.tune {
        return tune::run(samples, &pool);
    }
    let peer = arguments.against.map(|Peer::Torch| peer::Torch::new(&arguments.python, samples, pool.threads())).transpose()?;
    let mut measured: Vec<Measurement> = vec![];
    // A core that has rested needs a moment to reach its clock.
    let peak = fma_peak(&pool, 50);
    for &case in &cases {
        let rounds = if peer.is_some() { ROUNDS } else { 1 };
        let mut ours: Vec<Vec<Measurement>> = vec![vec![]; algorithms.len()];
        let mut theirs = vec![];
        for _ in 0..rounds {
            for (&algorithm, rounds) in algorithms.iter().zip(&mut ours) {
                rounds.push(measure::time(case, algorithm, samples, seconds, peak, &pool)?);
            }
            if let Some(peer) = &peer {
                theirs.push(peer.time(case, seconds)?);
            }
        }
        let theirs = peer.is_some().then_some(theirs);
        let done = ours.into_iter().map(|rounds| Measurement::middle(rounds, theirs.as_deref()));
        for measurement in done {
            if arguments.json {
                output::print(&(serde_json::to_string(&measurement.json())? + "\n"))?;
            }
            measured.push(measurement);
        }
    }
    if arguments.json { Ok(()) } else { output::print(&table::table(&measured, &pool, samples)) }
}

/// The values with these names, or those by default.
fn chosen<N: Named + Copy>(names: &[String], option: &str, default: &[N]) -> Result<Vec<N>> {
    let parse = |name: &String| {
        N::parse(name).map_err(|error| match error {
            dualprop::Error::Unknown { name, nearest, known, .. } => {
                dualprop::Error::Unknown { what: option.into(), name, nearest, known }
            }
            other => other,
        })
    };
    match names {
        [] => Ok(default.to_vec()),
        names => Ok(names.iter().map(parse).collect::<Result<Vec<N>, _>>()?),
    }
}
