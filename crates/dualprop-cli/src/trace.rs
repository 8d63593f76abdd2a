//! `dualprop trace`

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use dualprop::Error;
use dualprop::compute::Pool;
use dualprop::inference::PoolRouting;
use dualprop::training::case::{Case, Trace, TraceOptions, trace};

use crate::output;

const TRACE_EXAMPLES: &str = "Examples:
  dualprop trace case.safetensors --out states.safetensors
  dualprop trace case.safetensors --out states.safetensors --dtype f32 --every-pass

A case holds a network, one batch (or those of a short training) and all settings.
Its layout is that of the golden files.
Of a key or a tensor that is unknown or of no use nothing is guessed: it is an error.";

/// `dualprop trace`
#[derive(Debug, Args)]
#[command(after_help = TRACE_EXAMPLES)]
pub(crate) struct TraceArguments {
    /// The case, a safetensors file
    pub(crate) case: PathBuf,
    /// Where states and gradients go, a safetensors file
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// The type to compute in, and to write
    #[arg(long, value_enum, default_value_t = Dtype::F64)]
    pub(crate) dtype: Dtype,
    /// Linearise the feedback through a max pool at s+ or at the mean; dense networks have no pools, and the same states
    /// under both
    #[arg(long, value_enum, default_value_t = Routing::Plus)]
    pub(crate) pool_routing: Routing,
    /// Carry out every operation of the schedule, also those proved redundant; the result is the same
    #[arg(long)]
    pub(crate) naive: bool,
    /// Of an inference, write also how settled the states are after each pass
    #[arg(long)]
    pub(crate) every_pass: bool,
    /// Threads, 0 for one per core; never changes a result
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
}

/// A floating-point type.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Dtype {
    /// Double precision
    F64,
    /// Single precision
    F32,
}

/// Where the feedback through a max pool is linearised.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Routing {
    /// At s+, as the authors' program does
    Plus,
    /// At the mean of s+ and s-
    Mean,
}

/// Carries out the case and writes what came out.
pub(crate) fn run(arguments: &TraceArguments) -> Result<()> {
    let out = &arguments.out;
    if output::is_same_file(&arguments.case, out) {
        return Err(Error::setting("--out", out.display(), "it is the case itself; write to another file").into());
    }
    let case = Case::read(&arguments.case)?;
    let options = TraceOptions {
        naive: arguments.naive,
        every_pass: arguments.every_pass,
        pool_routing: match arguments.pool_routing {
            Routing::Plus => PoolRouting::Plus,
            Routing::Mean => PoolRouting::Mean,
        },
    };
    let pool = Pool::new(arguments.threads)?;
    let trace = match arguments.dtype {
        Dtype::F64 => trace::<f64>(&case, options, &pool)?,
        Dtype::F32 => trace::<f32>(&case, options, &pool)?,
    };
    for warning in trace.warnings() {
        output::note(&format!("warning: {warning}\n"));
    }
    trace.write(out)?;
    output::print(&describe(&case, &trace, out))?;
    Ok(())
}

fn describe(case: &Case, trace: &Trace, out: &Path) -> String {
    let what = if case.is_training() { "short training" } else { "inference" };
    let tensors = trace.tensors().len();
    format!("{}: {tensors} tensors of the {what} {}\n", out.display(), case.name())
}
