//! Seeds that diverged: a result of a sweep's cell, kept in its `diverged.json`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result, file};

use super::run_directory::{DIVERGED, read_json};

/// Where the training of a seed stopped having finite numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The seed.
    pub seed: u64,
    /// Weight updates before it.
    pub step: u64,
    /// What stopped being finite.
    pub quantity: String,
}

/// What `diverged.json` holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    /// An entry for each seed that diverged.
    diverged: Vec<Divergence>,
}

/// The seeds of a run that diverged so far, each written down as soon as it has, and then not trained again.
#[derive(Debug)]
pub(super) struct Divergences {
    path: PathBuf,
    seeds: Vec<Divergence>,
}

impl Divergences {
    /// Those of the run in this folder; none where there is no `diverged.json`.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Malformed`] for a file that is no list of them, or a link.
    pub(super) fn load(run: &Path) -> Result<Self> {
        let path = run.join(DIVERGED);
        let Some(Kept { format, diverged: seeds }) = read_json::<Kept>(&path, "no list of seeds that diverged")? else {
            return Ok(Divergences { path, seeds: vec![] });
        };
        if format != 1 {
            return Err(Error::malformed(path, format!("its format is {format}, expected 1; a newer version wrote it")));
        }
        let twice = seeds.iter().enumerate().find(|(index, of)| seeds[..*index].iter().any(|other| other.seed == of.seed));
        match twice {
            Some((_, of)) => Err(Error::malformed(
                path,
                format!("seed {} comes twice; remove one, or the file, and they are trained again", of.seed),
            )),
            None => Ok(Divergences { path, seeds }),
        }
    }

    /// Where this seed diverged, if it did.
    pub(super) fn of(&self, seed: u64) -> Option<&Divergence> {
        self.seeds.iter().find(|of| of.seed == seed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seeds.is_empty()
    }

    /// That all of them are of seeds that the run has.
    ///
    /// # Errors
    /// [`Error::Malformed`], with one that is not.
    pub(super) fn check(&self, seeds: &[u64]) -> Result<()> {
        match self.seeds.iter().find(|of| !seeds.contains(&of.seed)) {
            Some(of) => {
                let problem =
                    format!("it has seed {}, which is none of the run's; remove it, and what is missing is trained", of.seed);
                Err(Error::malformed(&self.path, problem))
            }
            None => Ok(()),
        }
    }

    /// Writes down one more.
    ///
    /// # Errors
    /// [`Error::Write`]; the file is then as it was.
    pub(super) fn note(&mut self, divergence: Divergence) -> Result<()> {
        let mut seeds = self.seeds.clone();
        seeds.push(divergence);
        let kept = Kept { format: 1, diverged: seeds };
        let text =
            serde_json::to_string(&kept).map_err(|error| Error::Write { path: self.path.clone(), source: error.into() })?;
        file::write_atomic(&self.path, (text + "\n").as_bytes())?;
        self.seeds = kept.diverged;
        Ok(())
    }
}

/// That no seed of the run in this folder diverged, nor the one whose folder it is.
///
/// # Errors
/// [`Error::Malformed`] with those that did, and `advice`; as [`Divergences::load`].
pub(super) fn refuse_diverged(run: &Path, advice: &str) -> Result<()> {
    let of_cell = Divergences::load(run)?.seeds;
    if !of_cell.is_empty() {
        let seeds: Vec<String> = of_cell.iter().map(|of| of.seed.to_string()).collect();
        let (s, seeds) = (if seeds.len() > 1 { "s" } else { "" }, seeds.join(", "));
        let problem = format!("it is a cell of a sweep, whose seed{s} {seeds} diverged, as {DIVERGED} in it says; {advice}");
        return Err(Error::malformed(run, problem));
    }
    // By whatever name the folder was reached.
    let Ok(real) = run.canonicalize() else { return Ok(()) };
    let seed = real.file_name().and_then(|name| name.to_str()?.strip_prefix("seed-")?.parse().ok());
    let Some((seed, cell)) = seed.zip(real.parent()) else { return Ok(()) };
    match Divergences::load(cell)?.of(seed) {
        Some(Divergence { step, quantity, .. }) => {
            let problem =
                format!("it is a seed of a sweep's cell, which diverged: {quantity} was not finite at step {step}; {advice}");
            Err(Error::malformed(run, problem))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn of(seed: u64) -> Divergence {
        Divergence { seed, step: 10 * seed, quantity: "the loss".into() }
    }

    #[test]
    fn what_is_noted_is_there_again_and_is_one_line() {
        let run = tempfile::tempdir().unwrap();
        let mut noted = Divergences::load(run.path()).unwrap();
        assert!(noted.is_empty());
        noted.note(of(3)).unwrap();
        noted.note(of(1)).unwrap();
        let text = fs::read_to_string(run.path().join(DIVERGED)).unwrap();
        assert_eq!(
            text,
            "{\"format\":1,\"diverged\":[{\"seed\":3,\"step\":30,\"quantity\":\"the loss\"},\
             {\"seed\":1,\"step\":10,\"quantity\":\"the loss\"}]}\n"
        );
        let again = Divergences::load(run.path()).unwrap();
        assert_eq!((again.of(1), again.of(2), again.of(3)), (Some(&of(1)), None, Some(&of(3))));
        assert!(again.check(&[1, 2, 3]).is_ok());
        assert!(again.check(&[1]).unwrap_err().to_string().contains("it has seed 3, which is none of the run's"));
    }

    #[test]
    fn what_is_no_list_of_seeds_is_told() {
        let run = tempfile::tempdir().unwrap();
        for (text, expected) in [
            (r#"{"seed":0,"step":3,"quantity":"the loss"}"#, "no list of seeds that diverged: missing field `format`"),
            (r#"{"format":2,"diverged":[]}"#, "its format is 2, expected 1"),
            (
                r#"{"format":1,"diverged":[{"seed":0,"step":3,"quantity":""},{"seed":0,"step":3,"quantity":""}]}"#,
                "seed 0 comes twice",
            ),
        ] {
            fs::write(run.path().join(DIVERGED), text).unwrap();
            let error = Divergences::load(run.path()).unwrap_err();
            assert!(error.is_input() && error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_cell_and_a_seed_that_diverged_are_refused_and_others_are_not() {
        let root = tempfile::tempdir().unwrap();
        let cell = root.path().join("lr=1");
        for seed in 0..3 {
            fs::create_dir_all(cell.join(format!("seed-{seed}"))).unwrap();
        }
        refuse_diverged(&cell, "leave it").unwrap();
        Divergences::load(&cell).unwrap().note(of(1)).unwrap();
        let error = refuse_diverged(&cell, "leave it").unwrap_err().to_string();
        assert!(error.ends_with("a cell of a sweep, whose seed 1 diverged, as diverged.json in it says; leave it"), "{error}");
        let error = refuse_diverged(&cell.join("seed-1"), "leave it").unwrap_err().to_string();
        assert!(error.ends_with("which diverged: the loss was not finite at step 10; leave it"), "{error}");
        refuse_diverged(&cell.join("seed-0"), "leave it").unwrap();
        refuse_diverged(&cell.join("seed-9"), "leave it").unwrap();
        Divergences::load(&cell).unwrap().note(of(2)).unwrap();
        assert!(refuse_diverged(&cell, "").unwrap_err().to_string().contains("whose seeds 1, 2 diverged"));
    }
}
