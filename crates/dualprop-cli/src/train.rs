//! `dualprop train`

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use dualprop::data::Folders;
use dualprop::training::{self, Destination, Event, Exports, Outcome, Recipe, Summary};

use crate::arguments::{TrainArguments, TrainOptions};
use crate::output::{self, Advice, folder_option, quoted};
use crate::progress::Progress;
use crate::stop::{INTERRUPTED, is_stopping, listen_for_stop};

/// Trains as the recipe says and prints what came out; the exit code of an interrupted training is [`INTERRUPTED`].
pub(crate) fn run(arguments: &TrainArguments) -> Result<u8> {
    let TrainArguments { recipe, resume, options } = arguments;
    let folders = Folders::standard(options.data_dir.clone());
    let mut exports = Exports::new(options.tensorboard, options.metrics_csv);
    if let Some(run) = resume {
        let mut listener = Listener::new(options)?;
        let resume = |listen: &mut training::Listener| training::resume(run, &folders, options.threads, listen);
        let outcome = exports.during(&mut |event| listener.hear(event), resume).and_then(|outcome| {
            // Of the seeds that were finished before nothing was heard.
            exports.complete(run).map(|()| outcome)
        });
        let outcome = outcome.map_err(|error| listener.with_what_is_kept(error, run, options))?;
        if listener.started.is_empty() && matches!(outcome, Outcome::Finished(_)) && !options.quiet {
            output::note(&format!("{}: finished already; nothing is left to do\n", run.display()));
        }
        return report(outcome, run, &quoted(&run.join("recipe.toml")), options);
    }
    let name = recipe.as_deref().unwrap_or("digits");
    let recipe = load(name, options)?;
    if options.print_recipe {
        output::print(&recipe.params().to_toml()?)?;
        return Ok(0);
    }
    if options.dry_run {
        output::print(&try_out(&recipe, &folders)?)?;
        return Ok(0);
    }
    let TrainOptions { runs_dir, name: run, force, .. } = options;
    let destination = Destination { root: runs_dir.clone(), name: run.clone(), force: *force };
    let mut listener = Listener::new(options)?;
    let train = |listen: &mut training::Listener| training::run(&recipe, &folders, &destination, listen);
    let outcome = exports.during(&mut |event| listener.hear(event), train);
    let outcome = outcome.map_err(|error| listener.with_what_is_kept(error, &listener.run_directory(&recipe), options))?;
    // What was overridden stands in the run directory.
    let run = listener.run_directory(&recipe);
    let changed = !options.set.is_empty() || options.limit_train.is_some() || options.from.is_some() || options.exact_conv;
    let again = if changed { run.join("recipe.toml") } else { name.into() };
    report(outcome, &run, &quoted(&again), options)
}

/// Progress, and Ctrl-C.
struct Listener {
    progress: Progress,
    /// The folders of the seeds so far.
    started: Vec<PathBuf>,
}

impl Listener {
    fn new(options: &TrainOptions) -> Result<Self> {
        listen_for_stop()?;
        Ok(Listener { progress: Progress::new(options.quiet), started: vec![] })
    }

    fn hear(&mut self, event: Event) -> ControlFlow<()> {
        if let Event::Started { directory, .. } = event {
            self.started.push(directory.into());
        }
        let flow = self.progress.hear(event);
        if is_stopping() { ControlFlow::Break(()) } else { flow }
    }

    /// After a training has failed that had begun: that nothing is lost, and how to go on where it was the disk's fault. What
    /// diverged would diverge again.
    fn with_what_is_kept(&self, error: dualprop::Error, run: &Path, options: &TrainOptions) -> anyhow::Error {
        if self.started.is_empty() {
            return error.into();
        }
        let (program, data) = (output::program(), folder_option("--data-dir", options.data_dir.as_deref()));
        let run = quoted(run);
        let mut advice = format!("the training has failed; what it had kept by its last checkpoint is safe in {run}\n");
        if matches!(error, dualprop::Error::Write { .. }) {
            advice += &format!(
                "once it can be written to again, go on with: {program} train --resume {run}{data}{}\n",
                exported(options)
            );
        }
        anyhow::Error::new(error).context(Advice(advice))
    }

    /// The folder of the run, above those of several seeds.
    fn run_directory(&self, recipe: &Recipe) -> PathBuf {
        let first = self.started.first().map(PathBuf::as_path);
        let folder = if recipe.params().seeds.len() > 1 { first.and_then(Path::parent) } else { first };
        folder.map(Path::to_path_buf).unwrap_or_default()
    }
}

fn load(recipe: &str, options: &TrainOptions) -> Result<Recipe> {
    let mut overrides = options.set.clone();
    if let Some(threads) = options.threads {
        overrides.push(format!("training.threads={threads}"));
    }
    if options.exact_conv {
        overrides.push("training.exact_conv=true".into());
    }
    if let Some(samples) = options.limit_train {
        overrides.push(format!("data.limit_train={samples}"));
    }
    if let Some(model) = &options.from {
        // Absolute, so that the run can be repeated from another folder.
        let refused = |problem: String| dualprop::Error::setting("--from", format!("{model:?}"), problem);
        let path = std::path::absolute(model).map_err(|error| refused(error.to_string()))?;
        let path = path.to_str().ok_or_else(|| refused("a recipe holds paths in UTF-8 only".into()))?;
        overrides.push(format!("network.from={}", serde_json::Value::from(path)));
    }
    Ok(Recipe::load(recipe, &overrides)?)
}

fn try_out(recipe: &Recipe, folders: &Folders) -> Result<String> {
    let done = training::dry_run(recipe, folders)?;
    let mebibytes = done.checkpoint_bytes as f64 / f64::from(1 << 20);
    let validation = done.validation;
    Ok(format!(
        "{}: one batch went through everything\n  parameters         {}\n  validation         {:.2} % of {} samples\n  \
         checkpoint         {mebibytes:.1} MiB\n",
        recipe.params().name,
        done.parameters,
        validation.accuracy,
        validation.samples
    ))
}

/// The options that say what is made of the metrics, as they were given.
fn exported(options: &TrainOptions) -> String {
    let given = [(options.tensorboard, " --tensorboard"), (options.metrics_csv, " --metrics-csv")];
    given.into_iter().filter(|(given, _)| *given).map(|(_, option)| option).collect()
}

/// Prints what came out and what `recipe` might be tried with next, or how to go on.
fn report(outcome: Outcome<Summary>, run: &Path, recipe: &str, options: &TrainOptions) -> Result<u8> {
    let Outcome::Finished(summary) = outcome else {
        let program = output::program();
        let (run, data) = (quoted(run), folder_option("--data-dir", options.data_dir.as_deref()));
        output::note(&format!(
            "interrupted; everything is kept. Go on with: {program} train --resume {run}{data}{}\n",
            exported(options)
        ));
        return Ok(INTERRUPTED);
    };
    let text = describe(&summary, &Recipe::load_file(&run.join("recipe.toml"), &[])?)?;
    let hints = if options.quiet { String::new() } else { next_things(&summary, recipe, options) };
    if options.json {
        if !options.quiet {
            output::note(&format!("{text}{hints}"));
        }
        output::print(&(serde_json::to_string(&summary)? + "\n"))?;
    } else {
        output::print(&format!("{text}{hints}"))?;
    }
    Ok(0)
}

fn describe(summary: &Summary, recipe: &Recipe) -> Result<String> {
    let params = recipe.params();
    let mut text = String::new();
    let learning = &params.learning;
    let network = params.network.architecture.clone().unwrap_or_else(|| params.network.layers.join(", "));
    writeln!(text, "{}: {network} by {}", summary.name, learning.rule)?;
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

fn next_things(summary: &Summary, recipe: &str, options: &TrainOptions) -> String {
    let program = output::program();
    let runs = Some(options.runs_dir.as_path()).filter(|folder| *folder != Path::new("runs"));
    let places = folder_option("--data-dir", options.data_dir.as_deref()) + &folder_option("--runs-dir", runs);
    let lines = [
        ("train", " --set learning.alpha=0.5", "symmetric nudging: both compartments are pulled"),
        ("train", " --set learning.rule=dp", "the rule that is stable only for alpha = 0.5"),
        ("train", " --set learning.rule=backprop", "the same network by backpropagation"),
        ("train", " --set 'seeds=[0,1,2,3,4]'", "five seeds, mean and deviation"),
        ("plan", "", "what one training step computes and costs"),
    ]
    .map(|(command, settings, what)| {
        let places = if command == "train" { places.as_str() } else { "" };
        (format!("{command} {recipe}{settings}{places}"), what)
    });
    let width = lines.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    let next: Vec<String> = lines.iter().map(|(command, what)| format!("  {program} {command:width$}  {what}\n")).collect();
    let (seeds, have) = if summary.seeds.len() > 1 { ("/seed-*", "have") } else { ("", "has") };
    let files = format!("  {}{seeds}/metrics.jsonl {have} every epoch in figures\n", summary.run_directory);
    format!("\nNext:\n{}{files}", next.concat())
}
