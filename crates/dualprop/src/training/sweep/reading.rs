//! What the folder of a sweep holds by now, for whoever looks at it: nothing is locked and nothing written.

use std::path::{Path, PathBuf};

use crate::base::Result;
use crate::training::run_directory::{METRICS, refuse_link};
use crate::training::{MetricsLog, RecipeParams, folder_of_seed};

use super::{CellOutcome, Origin, Sweep};

/// A sweep, and what came out of its cells so far.
#[derive(Debug, Clone)]
pub struct SweepReading {
    path: PathBuf,
    sweep: Sweep,
    outcomes: Vec<Option<CellOutcome>>,
}

/// One cell of a [`SweepReading`].
#[derive(Debug, Clone)]
pub struct CellReading<'a> {
    /// The name of its folder.
    pub name: &'a str,
    /// Its value of each column; empty where it has none.
    pub values: &'a [String],
    /// What is trained.
    pub params: &'a RecipeParams,
    /// Its run directory, which is not there before it has begun.
    pub folder: PathBuf,
    /// What came out of its seeds; none as long as it is not over.
    pub outcome: Option<&'a CellOutcome>,
}

impl SweepReading {
    /// Reads the folder of a sweep or of an experiment, while it is trained or afterwards.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`] if it is no sweep, its description is damaged, a result is not of its seeds, or a cell is a link;
    /// [`crate::Error::Read`].
    pub fn load(path: &Path) -> Result<Self> {
        let sweep = Sweep::load(path)?;
        let outcome = |cell: &super::Cell| CellOutcome::load(&path.join(&cell.name), cell);
        let outcomes = sweep.cells().iter().map(outcome).collect::<Result<_>>()?;
        Ok(SweepReading { path: path.into(), sweep, outcomes })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the cells have a value of.
    pub fn columns(&self) -> &[String] {
        self.sweep.columns()
    }

    /// The seeds of every cell.
    pub fn seeds(&self) -> &[u64] {
        self.sweep.seeds()
    }

    /// The experiment whose arms the cells are, and which form of it; none if they are those of a grid.
    pub fn origin(&self) -> Option<&Origin> {
        self.sweep.origin()
    }

    /// The cells, in order.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = CellReading<'_>> {
        self.sweep.cells().iter().zip(&self.outcomes).map(|(cell, outcome)| CellReading {
            name: &cell.name,
            values: &cell.values,
            params: cell.params(),
            folder: self.path.join(&cell.name),
            outcome: outcome.as_ref(),
        })
    }
}

impl CellReading<'_> {
    /// The folder with the files of one of the seeds.
    pub fn folder_of(&self, seed: u64) -> PathBuf {
        folder_of_seed(&self.folder, &self.params.seeds, seed)
    }

    /// ‖W_L … W_1‖₂ after the last epoch of each seed that finished; without those where it is not defined.
    ///
    /// # Errors
    /// [`crate::Error::Read`] and [`crate::Error::Malformed`].
    pub fn product_norms(&self) -> Result<Vec<f64>> {
        let seeds = self.outcome.iter().flat_map(|outcome| &outcome.results).map(|result| result.seed);
        let last = |seed: u64| {
            let path = self.folder_of(seed).join(METRICS);
            refuse_link(&path)?;
            Ok(MetricsLog::load(&path)?.epochs.last().and_then(|epoch| epoch.product_norm))
        };
        Ok(seeds.map(last).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use serde_json::Value;

    use super::*;
    use crate::data::Folders;
    use crate::training::{Destination, SweepDirectory, SweepEvent, Workers};

    #[test]
    fn a_sweep_is_read_while_it_is_trained_and_nothing_is_written() {
        let sets = ["training.epochs=2", "data.limit_train=64", "network.layers=['dense 4', 'dense 10']"].map(String::from);
        let sweep = Sweep::new("digits", &sets, &["learning.alpha=0,1".into()], Some(2)).unwrap();
        let root = tempfile::tempdir().unwrap();
        let directory = SweepDirectory::create(&Destination::below(root.path()), sweep).unwrap();
        let stop = |event: SweepEvent| match event {
            SweepEvent::Ended { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let alone = Workers { jobs: 1, threads: 1 };
        directory.run(&Folders::new(vec![]), alone, &stop).unwrap();
        let names = || std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let before = names();
        // The lock is held all the while.
        let reading = SweepReading::load(directory.path()).unwrap();
        assert_eq!((reading.columns(), reading.seeds()), (&["learning.alpha".to_string()][..], &[0, 1][..]));
        assert!(reading.origin().is_none() && reading.path() == directory.path());
        let cells: Vec<CellReading> = reading.cells().collect();
        assert_eq!(cells.iter().map(|cell| cell.name).collect::<Vec<_>>(), ["alpha=0", "alpha=1"]);
        assert_eq!(cells[0].outcome.unwrap().results.len(), 2);
        assert_eq!((cells[1].outcome, cells[1].params.seeds.len()), (None, 2));
        // As the metrics of each seed have it.
        let norms = cells[0].product_norms().unwrap();
        let text = std::fs::read_to_string(cells[0].folder_of(1).join("metrics.jsonl")).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((norms.len(), norms[1], &last["epoch"]), (2, last["product_norm"].as_f64().unwrap(), &2.into()));
        assert!(cells[1].product_norms().unwrap().is_empty());
        assert_eq!(names(), before);
        let error = SweepReading::load(root.path()).unwrap_err().to_string();
        assert!(error.contains("it is no sweep: it has no sweep.json"), "{error}");
    }
}
