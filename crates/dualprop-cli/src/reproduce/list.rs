//! The table of experiments.

use anyhow::Result;
use dualprop::data::Source;
use dualprop::training::{Experiment, Form, Speed, Sweep};
use serde_json::{Value, json};

use super::{about, data};
use crate::cells::{Session, table};
use crate::output;

/// What one form of an experiment costs.
struct Cost {
    trainings: usize,
    seconds: Option<f64>,
}

/// Prints every experiment.
pub(super) fn print(session: &Session, json: bool) -> Result<()> {
    let speed = Speed::measure()?;
    let header = ["experiment", "data", "here", "trainings", "expected", "quick", "what"];
    let (mut rows, mut values) = (vec![header.map(String::from).to_vec()], vec![]);
    for experiment in Experiment::all() {
        let [full, quick] = [false, true].map(|quick| experiment.sweep(&Form { quick, ..Form::default() }));
        let (full, quick) = (full?, quick?);
        let data = data(&full);
        let is_here = Source::find(&data, &session.folders).is_ok();
        let [full, quick] = [cost(&full, speed, session)?, cost(&quick, speed, session)?];
        values.push(machine_readable(&experiment, &data, is_here, [&full, &quick]));
        let time = |cost: &Cost| cost.seconds.map_or("not known".into(), about);
        let (here, trainings) = (if is_here { "yes" } else { "no" }, full.trainings.to_string());
        let row = [experiment.name, &data, here, &trainings, &time(&full), &time(&quick), experiment.title];
        rows.push(row.map(String::from).to_vec());
    }
    if json {
        return output::print(&format!("{}\n", Value::from(values)));
    }
    let footer = "\nTimes are those of this machine as busy as it is now, within a factor of two or so.\n`dualprop data list` says how data \
                  that is not here is got; docs/experiments.md has more of each.\n";
    output::print(&(table(&rows) + footer))
}

fn cost(sweep: &Sweep, speed: Speed, session: &Session) -> Result<Cost> {
    let trainings = sweep.cells().len() * sweep.seeds().len();
    Ok(Cost { trainings, seconds: speed.seconds(sweep, session.workers)? })
}

fn machine_readable(experiment: &Experiment, data: &str, is_here: bool, [full, quick]: [&Cost; 2]) -> Value {
    json!({
        "experiment": experiment.name,
        "title": experiment.title,
        "source": experiment.source,
        "data": data,
        "data_is_here": is_here,
        "trainings": full.trainings,
        "expected_seconds": full.seconds,
        "quick_trainings": quick.trainings,
        "quick_expected_seconds": quick.seconds,
    })
}
