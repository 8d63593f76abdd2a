//! Vectors that every thread keeps for its next spectral norm, so that a training step that needs one allocates nothing once it has
//! been made.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

thread_local! {
    static SPARE: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) };
}

/// The most vectors that a thread keeps: those of one norm, and some more.
const MOST: usize = 8;

/// A vector that goes back to its thread when it is dropped.
pub(crate) struct Lent(Vec<f64>);

impl Lent {
    /// So many zeros.
    pub(super) fn zeros(count: usize) -> Self {
        let mut lent = Lent::empty();
        lent.0.resize(count, 0.0);
        lent
    }

    fn empty() -> Self {
        let mut vector = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        vector.clear();
        Lent(vector)
    }
}

impl FromIterator<f64> for Lent {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut lent = Lent::empty();
        lent.0.extend(numbers);
        lent
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let vector = std::mem::take(&mut self.0);
        // A thread that ends keeps nothing any more.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST {
                spare.push(vector);
            }
        });
    }
}

impl Deref for Lent {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.0
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_lent_again_and_remembers_nothing() {
        let mut first = Lent::zeros(5);
        first.fill(7.0);
        let place = first.as_ptr();
        drop(first);
        let again = Lent::zeros(4);
        assert_eq!((again.as_ptr(), &again[..]), (place, &[0.0; 4][..]));
        let other: Lent = [1.0, 2.0].into_iter().collect();
        assert_eq!(&other[..], [1.0, 2.0]);
        // More than a thread keeps.
        drop((0..3 * MOST).map(Lent::zeros).collect::<Vec<Lent>>());
        assert_eq!(SPARE.with_borrow(Vec::len), MOST);
    }
}
