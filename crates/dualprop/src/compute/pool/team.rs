//! Loops that are cut by shape, never by the number of threads.

use std::marker::PhantomData;

use super::crew::Crew;
use crate::compute::Isa;

/// The threads that a loop may use, and the instructions. Every loop is cut into the same pieces whatever their number, so that
/// results are too.
#[derive(Clone, Copy)]
pub(in crate::compute) struct Team<'a> {
    pub(super) isa: Isa,
    pub(super) exact: bool,
    pub(super) crew: Option<&'a Crew>,
}

impl Team<'_> {
    /// What the products of f32 are made of: instructions that this processor has.
    pub(in crate::compute) fn isa(&self) -> Isa {
        self.isa
    }

    /// Whether convolutions are computed term by term.
    pub(in crate::compute) fn is_exact(&self) -> bool {
        self.exact
    }

    /// The calling thread alone, with the same instructions.
    pub(in crate::compute) fn alone(&self) -> Team<'static> {
        Team { isa: self.isa, exact: self.exact, crew: None }
    }

    /// Calls `work(task)` for every task 0..count.
    pub(in crate::compute) fn tasks(&self, count: usize, work: impl Fn(usize) + Sync) {
        match self.crew {
            Some(crew) => crew.run(count, &work),
            None => (0..count).for_each(work),
        }
    }

    /// Calls `work(start, piece)` for every piece of `size` elements of `data`; `start` is the index of its first element.
    pub(in crate::compute) fn pieces<T: Send>(&self, data: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        let data = Pieces::new(data, size);
        // SAFETY: every task is done once.
        self.tasks(data.count(), |i| work(i * size, unsafe { data.piece(i) }));
    }

    /// As [`Team::pieces`] for two arrays of the same length.
    pub(in crate::compute) fn pairs<A: Send, B: Send>(
        &self,
        a: &mut [A],
        b: &mut [B],
        size: usize,
        work: impl Fn(usize, &mut [A], &mut [B]) + Sync,
    ) {
        self.zipped((a, size), (b, size), |i, a, b| work(i * size, a, b));
    }

    /// Calls `work(i, a, b)` for the i-th pieces of two arrays, of so many elements each.
    pub(in crate::compute) fn zipped<A: Send, B: Send>(
        &self,
        (a, a_size): (&mut [A], usize),
        (b, b_size): (&mut [B], usize),
        work: impl Fn(usize, &mut [A], &mut [B]) + Sync,
    ) {
        let (a, b) = (Pieces::new(a, a_size), Pieces::new(b, b_size));
        // SAFETY: every task is done once.
        self.tasks(a.count().min(b.count()), |i| unsafe { work(i, a.piece(i), b.piece(i)) });
    }

    /// As [`Team::pieces`] for arrays of the same type and length.
    pub(in crate::compute) fn together<T: Send, const N: usize>(
        &self,
        arrays: [&mut [T]; N],
        size: usize,
        work: impl Fn(usize, [&mut [T]; N]) + Sync,
    ) {
        let arrays = arrays.map(|array| Pieces::new(array, size));
        let count = arrays.iter().map(Pieces::count).min().unwrap_or(0);
        // SAFETY: every task is done once.
        self.tasks(count, |i| work(i * size, arrays.each_ref().map(|array| unsafe { array.piece(i) })));
    }

    /// Calls `work(item)` for every item.
    pub(in crate::compute) fn each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync) {
        self.pieces(items, 1, |_, items| items.iter_mut().for_each(&work));
    }
}

/// An array in pieces of equal size but the last, which several threads write, each its own.
struct Pieces<'a, T> {
    start: *mut T,
    length: usize,
    size: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: pieces are handed out under the guarantee that each goes to one thread.
unsafe impl<T: Send> Sync for Pieces<'_, T> {}

impl<'a, T> Pieces<'a, T> {
    fn new(data: &'a mut [T], size: usize) -> Self {
        assert!(size > 0, "pieces of no elements");
        Pieces { start: data.as_mut_ptr(), length: data.len(), size, borrowed: PhantomData }
    }

    fn count(&self) -> usize {
        self.length.div_ceil(self.size)
    }

    /// The i-th piece.
    ///
    /// # Safety
    /// i < count, and nobody else has or gets this piece.
    #[expect(clippy::mut_from_ref, reason = "each piece is handed out once")]
    unsafe fn piece(&self, i: usize) -> &mut [T] {
        let first = i * self.size;
        // SAFETY: the piece is within the array, and the caller's alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), self.size.min(self.length - first)) }
    }
}

#[cfg(test)]
mod tests {
    use crate::compute::Pool;

    #[test]
    fn pieces_cover_the_array_once() {
        for threads in [1, 3] {
            let pool = Pool::new(threads).unwrap();
            for (length, size) in [(0, 4), (1, 4), (4, 4), (9, 4), (100, 1)] {
                let (mut a, mut b) = (vec![0; length], vec![0u8; length]);
                pool.enter(|team| {
                    team.pairs(&mut a, &mut b, size, |start, a, b| {
                        assert!(a.len() == b.len() && a.len() <= size);
                        a.iter_mut().enumerate().for_each(|(i, a)| *a += start + i);
                        b.iter_mut().for_each(|b| *b += 1);
                    });
                });
                assert!(a.iter().enumerate().all(|(i, &a)| a == i) && b.iter().all(|&b| b == 1), "{length} by {size}");
            }
        }
    }
}
