//! Whether cells fit into memory side by side.

use crate::base::{Error, Result, memory};
use crate::data::Folders;
use crate::training::preparation::{REMEDY, memory_of};

use super::{Sweep, Workers};

/// Address space that a further thread reserves where that is limited, whatever it allocates: its stack, and the arena that the
/// allocator of Linux's C library gives it.
const THREAD: u64 = (64 << 20) + (2 << 20);

/// What cells need.
pub(super) struct Needs {
    /// Bytes of each with its place among the cells, the largest first.
    cells: Vec<(u64, usize)>,
    /// Bytes of each thread beyond the first.
    thread: u64,
}

/// Cells that are trained side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jobs {
    pub(super) count: usize,
    /// Where there are cores for more: how many, and the bytes that they would need of those that there are.
    pub(super) lowered: Option<(usize, [u64; 2])>,
}

impl Needs {
    /// Of these cells.
    fn of(sweep: &Sweep, cells: &[usize], folders: &Folders) -> Result<Self> {
        let of_cell = |&index: &usize| {
            let cell = &sweep.cells()[index];
            let needed = memory_of(&cell.recipe, folders).map_err(|error| sweep.in_cell(cell, error))?;
            Ok((needed, index))
        };
        let mut cells = cells.iter().map(of_cell).collect::<Result<Vec<_>>>()?;
        cells.sort_by_key(|&(needed, index)| (std::cmp::Reverse(needed), index));
        Ok(Needs { cells, thread: if memory::address_space().is_some() { THREAD } else { 0 } })
    }

    /// Bytes of the largest `jobs` cells: no others that are at work together need more.
    fn together(&self, jobs: usize) -> u64 {
        let threads = self.thread.saturating_mul((jobs as u64).saturating_sub(1));
        self.cells.iter().take(jobs).fold(threads, |sum, (needed, _)| sum.saturating_add(*needed))
    }

    /// How many of `jobs` fit.
    fn fitting(&self, jobs: usize, available: u64) -> usize {
        (1..=jobs).take_while(|&jobs| self.together(jobs) <= available).count()
    }
}

impl Sweep {
    /// How many of these cells are trained side by side: what was asked for, or as many as there are cores for and as fit.
    ///
    /// # Errors
    /// [`Error::Setting`] if what was asked for does not fit into the memory that there is; [`Error::Memory`] for a cell that does
    /// not by itself; as [`Workers::count`] and [`memory_of`].
    pub(super) fn jobs(&self, workers: Workers, cells: &[usize], folders: &Folders) -> Result<Jobs> {
        let count = workers.count()?.min(cells.len());
        match memory::available() {
            Some(available) if count > 0 => {
                let needs = Needs::of(self, cells, folders)?;
                self.fitting(needs, count, workers.jobs > 0, available)
            }
            _ => Ok(Jobs { count, lowered: None }),
        }
    }

    fn fitting(&self, needs: Needs, count: usize, is_asked_for: bool, available: u64) -> Result<Jobs> {
        let fitting = needs.fitting(count, available);
        let together = needs.together(count);
        if fitting == count {
            return Ok(Jobs { count, lowered: None });
        }
        if let (0, Some(&(needed, index))) = (fitting, needs.cells.first()) {
            let (needed, available) = (needed >> 20, available >> 20);
            let error = Error::Memory { what: "this training".into(), needed, available, remedy: REMEDY };
            return Err(self.in_cell(&self.cells()[index], error));
        }
        if is_asked_for {
            let problem = format!(
                "the {count} largest cells would need {} MiB of memory together, and {} MiB are available, into which {fitting} \
                 would fit; give --jobs {fitting}, or 0 for as many as fit",
                together >> 20,
                available >> 20
            );
            return Err(Error::setting("--jobs", count, problem));
        }
        Ok(Jobs { count: fitting, lowered: Some((count, [together, available])) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sweep of three cells, and what they would need if each MiB were one.
    fn sweep() -> (Sweep, impl Fn() -> Needs) {
        let sweep = Sweep::new("digits", &[], &["learning.alpha=0,0.5,1".into()], Some(1)).unwrap();
        (sweep, || Needs { cells: vec![(30 << 20, 1), (20 << 20, 0), (5 << 20, 2)], thread: 1 << 20 })
    }

    #[test]
    fn as_many_fit_as_the_largest_cells_allow() {
        let (_, needs) = sweep();
        for (mebibytes, fitting) in [(0, 0), (29, 0), (30, 1), (50, 1), (51, 2), (56, 2), (57, 3), (1000, 3)] {
            assert_eq!(needs().fitting(3, mebibytes << 20), fitting, "{mebibytes} MiB");
        }
        assert_eq!(needs().fitting(2, u64::MAX), 2);
        let endless = Needs { cells: vec![(u64::MAX, 0); 2], thread: u64::MAX };
        assert_eq!((endless.fitting(2, u64::MAX - 1), endless.together(2)), (0, u64::MAX));
    }

    #[test]
    fn jobs_are_lowered_unless_they_were_asked_for() {
        let (sweep, needs) = sweep();
        let jobs = |count, is_asked_for, mebibytes: u64| sweep.fitting(needs(), count, is_asked_for, mebibytes << 20);
        for is_asked_for in [false, true] {
            assert_eq!(jobs(3, is_asked_for, 57).unwrap(), Jobs { count: 3, lowered: None });
        }
        let lowered = Some((3, [57 << 20, 52 << 20]));
        assert_eq!(jobs(3, false, 52).unwrap(), Jobs { count: 2, lowered });
        let error = jobs(3, true, 52).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--jobs = 3: the 3 largest cells would need 57 MiB of memory together, and 52 MiB are available, into which 2 would \
             fit; give --jobs 2, or 0 for as many as fit"
        );
        assert!(error.is_input());
        for is_asked_for in [false, true] {
            let error = jobs(3, is_asked_for, 29).unwrap_err().to_string();
            assert!(
                error
                    .starts_with("cell learning.alpha=0.5: this training would need 30 MiB of memory, and 29 MiB are available;"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_cells_need_is_what_their_trainings_need() {
        let sweep = Sweep::new(
            "digits",
            &[],
            &["training.batch_size=10,100".into(), "network.layers=['dense 10'],['dense 500', 'dense 10']".into()],
            Some(1),
        )
        .unwrap();
        let needs = Needs::of(&sweep, &[0, 1, 2, 3], &Folders::new(vec![])).unwrap();
        let order: Vec<usize> = needs.cells.iter().map(|(_, cell)| *cell).collect();
        assert_eq!(order, [3, 1, 2, 0], "more neurons and larger batches need more");
        // At least the parameters, their gradient, the optimiser's moments, the best, and a checkpoint of all of them twice.
        let parameters = 4 * (64 * 500 + 500 + 500 * 10 + 10);
        assert!(needs.cells[0].0 > 10 * parameters && needs.cells[0].0 < 64 * parameters, "{:?}", needs.cells);
        assert!(needs.cells[3].0 >= 1797 * 64, "{:?}", needs.cells);
    }
}
