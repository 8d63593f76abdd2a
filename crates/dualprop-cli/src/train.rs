//! `dualprop train`

use std::fmt::Write;

use anyhow::Result;
use dualprop::training::{self, Destination, Recipe, RecipeParams, Summary};

use crate::arguments::{TrainArguments, TrainOptions};
use crate::output;
use crate::progress::Progress;

/// Trains as the recipe says and prints what came out.
pub(crate) fn run(arguments: &TrainArguments) -> Result<()> {
    let options = &arguments.options;
    let recipe = load(arguments)?;
    let TrainOptions { runs_dir, name, force, .. } = options;
    let destination = Destination { root: runs_dir.clone(), name: name.clone(), force: *force };
    let mut progress = Progress::new(options.quiet);
    let summary = training::run(&recipe, &destination, &mut |event| progress.hear(event))?;
    let text = describe(&summary, &recipe)?;
    let hints = if options.quiet { String::new() } else { next_things(&summary) };
    if options.json {
        if !options.quiet {
            output::note(&format!("{text}{hints}"));
        }
        output::print(&(serde_json::to_string(&summary)? + "\n"))?;
    } else {
        output::print(&format!("{text}{hints}"))?;
    }
    Ok(())
}

fn load(arguments: &TrainArguments) -> Result<Recipe> {
    let mut params = RecipeParams::load(&arguments.recipe, &arguments.options.set)?;
    if let Some(threads) = arguments.options.threads {
        params.training.threads = threads;
    }
    Ok(params.check()?)
}

fn describe(summary: &Summary, recipe: &Recipe) -> Result<String> {
    let params = recipe.params();
    let mut text = String::new();
    let learning = &params.learning;
    writeln!(text, "{}: {} by {}", summary.name, params.network.layers.join(", "), learning.rule)?;
    let spread = match summary.seeds.len() {
        1 => String::new(),
        n => format!(" ± {:.2} over {n} seeds", summary.test_accuracy_std),
    };
    writeln!(text, "  test accuracy      {:.2} %{spread}", summary.test_accuracy)?;
    writeln!(text, "  best on validation {:.2} %", summary.validation_accuracy)?;
    let angles: Vec<String> = summary.angles_deg.iter().map(|angle| angle.map_or("-".into(), |a| format!("{a:.1}°"))).collect();
    writeln!(text, "  angle to backprop  {} (layers 1 to {})", angles.join("  "), angles.len())?;
    writeln!(text, "  time               {:.1} s", summary.seconds)?;
    writeln!(text, "  kept in            {}", summary.run_directory)?;
    Ok(text)
}

fn next_things(summary: &Summary) -> String {
    let program = output::program();
    let lines = [
        ("train --set learning.alpha=0.5", "symmetric nudging: both compartments are pulled"),
        ("train --set learning.rule=dp", "the rule that is stable only for alpha = 0.5"),
        ("train --set learning.rule=backprop", "the same network by backpropagation"),
        ("train --set 'seeds=[0,1,2,3,4]'", "five seeds, mean and deviation"),
        ("plan", "what one training step computes and costs"),
    ];
    let width = lines.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    let next: Vec<String> = lines.iter().map(|(command, what)| format!("  {program} {command:width$}  {what}\n")).collect();
    let (seeds, have) = if summary.seeds.len() > 1 { ("/seed-*", "have") } else { ("", "has") };
    let files = format!("  {}{seeds}/metrics.jsonl {have} every epoch in figures\n", summary.run_directory);
    format!("\nNext:\n{}{files}", next.concat())
}
