//! Training by recipes: what `dualprop train` does, heard by a Python function.

use std::ops::ControlFlow;
use std::path::PathBuf;

use dualprop::data::Folders;
use dualprop::training::{BUILT_IN, Destination, Event, Outcome, Recipe, RecipeParams, resume, run};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::attention::Attention;
use crate::error::{OrRaise, Result, exception};
use crate::settings::flattened;

/// The names of the built-in recipes, each with what it is.
#[pyfunction]
pub(crate) fn recipes() -> Vec<(&'static str, &'static str)> {
    BUILT_IN.iter().map(|recipe| (recipe.name, recipe.purpose)).collect()
}

/// A recipe with every effective value, as TOML: a built-in one by its name, or one in a file by its path.
#[pyfunction]
pub(crate) fn recipe(name_or_path: &str, settings: &Bound<'_, PyDict>) -> Result<String> {
    let recipe = Recipe::load(name_or_path, &flattened("", settings)?).or_raise()?;
    recipe.params().to_toml().or_raise()
}

/// The values in a recipe's file, as JSON.
#[pyfunction]
pub(crate) fn recipe_values(path: &str) -> Result<String> {
    let params = RecipeParams::load(path, &[]).or_raise()?;
    Ok(serde_json::json!(params).to_string())
}

/// Trains by the text of a recipe, or goes on with the run of ``again``, and tells ``listener(event, what)`` what happens: "started",
/// "warning", "step", "epoch" and "finished", of which steps only where ``steps`` says so. A listener that returns True ends the
/// training after the present batch, with a checkpoint. The summary of the run as JSON, or None if it was ended.
#[pyfunction]
#[pyo3(signature = (text, listener, *, steps, data_dir = None, runs = None, name = None, force = false, again = None, threads = None))]
#[allow(clippy::too_many_arguments)] // Python calls it by their names.
pub(crate) fn train(
    py: Python<'_>,
    text: &str,
    listener: Py<PyAny>,
    steps: bool,
    data_dir: Option<PathBuf>,
    runs: Option<PathBuf>,
    name: Option<String>,
    force: bool,
    again: Option<PathBuf>,
    threads: Option<usize>,
) -> Result<Option<String>> {
    let folders = Folders::standard(data_dir);
    let mut ear = Ear { listener, steps, raised: None, ended: false, attention: Attention::default() };
    let mut listen = |event: Event<'_>| ear.hear(event);
    let done = py.detach(|| match &again {
        Some(path) => resume(path, &folders, threads, &mut listen),
        None => {
            let recipe = Recipe::parse(text, "recipe", &[])?;
            let destination = Destination { root: runs.unwrap_or_else(|| "runs".into()), name, force };
            run(&recipe, &folders, &destination, &mut listen)
        }
    });
    match (done, ear.raised) {
        // What a callback raised, or Ctrl-C, ended it: the checkpoint is kept.
        (_, Some(raised)) => Err(raised),
        (Ok(Outcome::Finished(summary)), None) => Ok(Some(serde_json::json!(summary).to_string())),
        (Ok(Outcome::Interrupted), None) => Ok(None),
        (Err(error), None) => Err(exception(error)),
    }
}

/// The listener of a training that tells a Python function.
struct Ear {
    listener: Py<PyAny>,
    steps: bool,
    /// What the function, or a signal, has raised.
    raised: Option<PyErr>,
    /// Whether the training is to end: not every event is one that can end it.
    ended: bool,
    attention: Attention,
}

impl Ear {
    fn hear(&mut self, event: Event<'_>) -> ControlFlow<()> {
        if self.ended {
            return ControlFlow::Break(());
        }
        if let Event::Step(_) = event
            && !self.steps
            && !self.attention.is_due()
        {
            return ControlFlow::Continue(());
        }
        match Python::attach(|py| self.tell(py, event)) {
            Ok(ended) => self.ended = ended,
            Err(raised) => (self.raised, self.ended) = (Some(raised), true),
        }
        if self.ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether the function wants the training to end.
    fn tell(&mut self, py: Python<'_>, event: Event<'_>) -> Result<bool> {
        self.attention.pay()?;
        let of_json = |value: serde_json::Value| value.to_string().into_pyobject(py).map(Bound::into_any);
        let (name, what) = match event {
            Event::Step(_) if !self.steps => return Ok(false),
            Event::Step(step) => ("step", step.into_pyobject(py)?.into_any()),
            Event::Warning(text) => ("warning", text.into_pyobject(py)?.into_any()),
            Event::Epoch(metrics) => ("epoch", of_json(serde_json::json!(metrics))?),
            Event::Finished(result) => ("finished", of_json(serde_json::json!(result))?),
            Event::Started { seed, parameters, samples, epochs, steps_per_epoch, steps_done, directory } => {
                let what = serde_json::json!({
                    "seed": seed, "parameters": parameters, "samples": samples, "epochs": epochs,
                    "steps_per_epoch": steps_per_epoch, "steps_done": steps_done, "directory": directory,
                });
                ("started", of_json(what)?)
            }
        };
        self.listener.bind(py).call1((name, what))?.is_truthy()
    }
}
