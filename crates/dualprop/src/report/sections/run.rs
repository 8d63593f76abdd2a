//! One run.

use crate::base::Result;
use crate::data::Source;
use crate::network::Model;
use crate::report::Models;
use crate::report::document::{Block, Section, Table};
use crate::report::figure::{Figure, number};
use crate::report::figures::{angles, confusion, curves, filters, norms, states};
use crate::report::subject::Run;
use crate::training::{self, Part, Recipe};

use super::{hundredths, mean_text};

/// Numbers of the largest layer that histograms are made of.
const NUMBERS_OF_LAYER: usize = 1 << 20;

/// What the run is, in a sentence.
pub(in crate::report) fn lead_of_run(run: &Run) -> String {
    let params = &run.params;
    let network = params.network.architecture.clone().unwrap_or_else(|| params.network.layers.join(", "));
    format!("{} on {}: {network}, trained by {}.", params.name, params.data.dataset, params.learning.rule)
}

/// Tables and figures of a run; `among` others, its name is part of the headings.
pub(in crate::report) fn of_run(run: &Run, models: Option<&Models>, among: bool) -> Result<Vec<Section>> {
    let heading = |title: &str| if among { format!("{}: {title}", run.name) } else { title.to_string() };
    let mut sections = vec![Section::new(heading("Result"), vec![result(run)])];
    let trained =
        [curves::of_run(run), angles::curves(run)].into_iter().flatten().chain(angles::maps(&[run])).chain(norms::of_run(run));
    sections.extend(Section::of_figures(heading("Training"), trained));
    sections.extend(
        models.map(|models| of_models(run, models)).transpose()?.flatten().map(|blocks| Section::new(heading("Model"), blocks)),
    );
    let mut recipe = Section::new(heading("Setting"), vec![]);
    recipe.blocks.push(Block::Text("Every effective value: a training by these lines gives the same bits again.".into()));
    recipe.blocks.push(Block::Command(run.params.to_toml()?));
    sections.push(recipe);
    Ok(sections)
}

/// The table of what came out of each seed.
fn result(run: &Run) -> Block {
    let Some(summary) = &run.summary else {
        let epochs = run.seeds.iter().filter_map(|seed| seed.log.epochs.last()).map(|epoch| epoch.epoch).max().unwrap_or(0);
        let all = run.params.training.epochs;
        return Block::Text(format!("The run is not complete: {epochs} of {all} epochs are done."));
    };
    let mut columns = vec!["seed", "#test accuracy in %", "#top-5 in %", "#test loss", "#validation in %", "#best epoch"];
    let norms = run.product_norms();
    if !norms.is_empty() {
        columns.push("#‖∏ₖ Wₖ‖₂");
    }
    let samples = summary.results.first().map_or(0, |result| result.test.samples);
    let caption =
        format!("{samples} test samples, with the parameters best on validation; the norm is that after the last epoch.");
    let mut table = Table::new(caption, &columns);
    let norm_of = |seed: u64| norms.iter().find(|(other, _)| *other == seed).map_or("–".into(), |(_, norm)| number(*norm));
    for result in &summary.results {
        let collapsed = result.collapsed.map_or(String::new(), |epoch| format!(" (collapsed in epoch {epoch})"));
        let mut row = vec![
            format!("{}{collapsed}", result.seed),
            hundredths(result.test.accuracy),
            hundredths(result.test.top5),
            number(result.test.loss),
            hundredths(result.validation_accuracy),
            result.best_epoch.to_string(),
        ];
        row.extend((!norms.is_empty()).then(|| norm_of(result.seed)));
        table.rows.push(row);
    }
    if summary.results.len() > 1 {
        let over = |value: fn(&training::SeedResult) -> f64, text| {
            mean_text(&summary.results.iter().map(value).collect::<Vec<_>>(), text)
        };
        let mut row = vec![
            "mean ± std".into(),
            over(|result| result.test.accuracy, hundredths),
            over(|result| result.test.top5, hundredths),
            over(|result| result.test.loss, number),
            over(|result| result.validation_accuracy, hundredths),
            String::new(),
        ];
        row.extend((!norms.is_empty()).then(|| mean_text(&norms.iter().map(|(_, norm)| *norm).collect::<Vec<_>>(), number)));
        table.rows.push(row);
    }
    Block::Table(table)
}

/// What the trained networks do; none where there is no model yet. Data that is not here is said.
fn of_models(run: &Run, models: &Models) -> Result<Option<Vec<Block>>> {
    let path = run.seeds[0].folder.join("model.safetensors");
    if run.summary.is_none() || !path.is_file() {
        return Ok(None);
    }
    let mut figures: Vec<Figure> = vec![];
    let mut blocks = vec![];
    match Source::find(&run.params.data.dataset, models.folders) {
        Ok(_) => figures.extend(of_data(run, models)?),
        Err(error) => {
            blocks.push(Block::Text(format!("Confusion matrix and states are not drawn, for the data is not here: {error}")))
        }
    }
    let model = Model::load(&path)?;
    let kernel = model.parameters.get(model.topology.kernel(1));
    let what = if run.seeds.len() > 1 { format!("{}, seed {}", run.name, run.seeds[0].seed) } else { run.name.clone() };
    figures.extend(filters::figure(kernel, model.topology.input(), &what));
    blocks.extend(figures.into_iter().map(Block::Figure));
    Ok(Some(blocks))
}

/// The figures that need the samples.
fn of_data(run: &Run, models: &Models) -> Result<Vec<Figure>> {
    let confused = training::confusion(&run.path, Part::Test, models.folders, models.pool)?;
    let what = if run.seeds.len() > 1 {
        format!("{} on its test samples, summed over the seeds", run.name)
    } else {
        format!("{} on its test samples", run.name)
    };
    let mut figures: Vec<Figure> = confusion::figure(&confused.counts, &confused.classes, &what).into_iter().collect();
    let first = &run.seeds[0];
    let recipe = Recipe::load_file(&run.path.join("recipe.toml"), &[format!("seeds=[{}]", first.seed)])?;
    let model = first.folder.join("model.safetensors");
    let (samples, layers) = training::settled_states(&recipe, &model, models.folders, NUMBERS_OF_LAYER)?;
    let what = format!("of {samples} validation samples, settled in the trained network of {} (seed {})", run.name, first.seed);
    figures.extend(states::figures(&layers, &what));
    Ok(figures)
}
