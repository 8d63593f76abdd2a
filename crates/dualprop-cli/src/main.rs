//! The command line of `dualprop`: parse, validate, run.
//!
//! Exit codes: 0 done; 1 failed while running; 2 wrong usage or input; 101 a defect of the program; 130 interrupted.

// They panic where nothing can be written; `output` does not.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod alignment;
mod arguments;
mod bench;
mod cells;
mod compare;
mod data;
mod export;
mod gradcheck;
mod lipschitz;
mod memory;
mod model;
mod objective;
mod output;
mod panics;
mod plan;
mod progress;
mod recipes;
mod report;
mod reproduce;
mod robustness;
mod stability;
mod stop;
mod summary;
mod sweep;
mod trace;
mod train;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Cli, Command, TrainArguments};

fn main() -> ExitCode {
    panics::guard(|| {
        let cli = Cli::parse();
        let verbose = cli.verbose || std::env::var_os("RUST_LOG").is_some_and(|filter| !filter.is_empty());
        match run(cli) {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                output::note(&format!("error: {}\n", describe(&error)));
                if let Some(output::Advice(lines)) = error.downcast_ref() {
                    output::note(lines);
                }
                if verbose {
                    output::note(&causes(&error));
                }
                ExitCode::from(exit_code(&error))
            }
        }
    })
}

fn run(cli: Cli) -> anyhow::Result<u8> {
    if let Some(mebibytes) = cli.memory_limit {
        memory::limit(mebibytes)?;
    }
    let done = |result: anyhow::Result<()>| result.map(|()| 0);
    match cli.command {
        None => train::run(&TrainArguments::main_job(cli.options)),
        Some(Command::Train(arguments)) => train::run(&arguments),
        Some(Command::Sweep(arguments)) => sweep::run(&arguments),
        Some(Command::Reproduce(arguments)) => reproduce::run(&arguments),
        Some(Command::Report(arguments)) => done(report::run(&arguments)),
        Some(Command::Compare(arguments)) => done(compare::run(&arguments)),
        Some(Command::Recipes) => done(recipes::run()),
        Some(Command::Summary(arguments)) => done(summary::run(&arguments)),
        Some(Command::Gradcheck(arguments)) => done(gradcheck::run(&arguments)),
        Some(Command::Alignment(arguments)) => done(alignment::run(&arguments)),
        Some(Command::Lipschitz(arguments)) => done(lipschitz::run(&arguments)),
        Some(Command::Objective(arguments)) => done(objective::run(&arguments)),
        Some(Command::Robustness(arguments)) => done(robustness::run(&arguments)),
        Some(Command::Stability(arguments)) => done(stability::run(&arguments)),
        Some(Command::Eval(arguments)) => done(model::eval(&arguments)),
        Some(Command::Predict(arguments)) => done(model::predict(&arguments)),
        Some(Command::Export(arguments)) => done(export::run(&arguments)),
        Some(Command::Data(arguments)) => done(data::run(&arguments)),
        Some(Command::Bench(arguments)) => done(bench::run(&arguments)),
        Some(Command::Plan(arguments)) => done(plan::run(&arguments)),
        Some(Command::Trace(arguments)) => done(trace::run(&arguments)),
        Some(Command::Verify(arguments)) => done(verify::run(&arguments)),
    }
}

/// The error and its causes, each once: a text of the library names its cause already.
fn describe(error: &anyhow::Error) -> String {
    error.downcast_ref::<dualprop::Error>().map_or_else(|| format!("{error:#}"), ToString::to_string)
}

/// The error and each of its causes on a line of its own, with their fields. Of others than those of the library and of the system
/// the fields might be a trace of calls, which RUST_BACKTRACE makes and which nobody is shown.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::from("chain of causes:\n");
    let advice = usize::from(error.is::<output::Advice>());
    for (depth, cause) in error.chain().skip(advice).enumerate() {
        text += &format!("  {depth}: {cause}\n");
        if cause.is::<dualprop::Error>() || cause.is::<std::io::Error>() {
            text += &format!("     {cause:?}\n");
        }
    }
    text
}

/// 2 where the user's input is at fault, 1 where the run failed.
fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<dualprop::Error>() {
        Some(error) if error.is_input() => 2,
        _ => 1,
    }
}
