//! An update that is applied to each parameter as soon as its gradient is known, or to parts of it while it is computed.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::Real;
use crate::compute::finite::{finite_on, finite_piece};
use crate::compute::gemm::{Ahead, Shared};
use crate::compute::pool::Team;
use crate::compute::{Isa, ParameterId, Pool, Tensor};

use super::{AdamConstants, adam, sgd};

/// Elements that one thread updates at a time: fixed, so that the pieces are the same for any number of threads, and enough
/// that handing one out costs nothing beside it.
pub(super) const PIECE: usize = 1 << 15;

/// How one step changes parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum UpdateRule {
    /// [`sgd`]
    Sgd {
        /// η
        learning_rate: f64,
        /// μ
        momentum: f64,
        /// λ
        weight_decay: f64,
    },
    /// [`adam`]
    Adam {
        /// η
        learning_rate: f64,
        /// t = 1, 2, …
        step: u64,
        /// β₁, β₂, ε, λ
        constants: AdamConstants,
    },
}

impl UpdateRule {
    /// Updates parameters `w` and what the optimiser remembers of them; the second memory is Adam's alone.
    fn apply<T: Real>(self, isa: Isa, w: &mut [T], g: &[T], [first, second]: [&mut [T]; 2]) {
        match self {
            UpdateRule::Sgd { learning_rate, momentum, weight_decay } => {
                sgd(isa, w, g, first, learning_rate, momentum, weight_decay);
            }
            UpdateRule::Adam { learning_rate, step, constants } => {
                adam(isa, w, g, first, second, learning_rate, step, constants);
            }
        }
    }
}

/// One step of an optimiser over the parameters of a network, each of which it changes once. It is element-wise, so that no bit
/// depends on when, or in which pieces, a gradient arrives.
pub struct Update<'a, T> {
    rule: UpdateRule,
    parameters: &'a mut [Tensor<T>],
    moments: [&'a mut [Tensor<T>]; 2],
    broken: Option<ParameterId>,
}

impl<'a, T: Real> Update<'a, T> {
    /// An update of these parameters; `moments` has a tensor of the same shape for each of them, the second only with Adam.
    ///
    /// # Panics
    /// If moments and parameters are not those of one network.
    pub fn new(rule: UpdateRule, parameters: &'a mut [Tensor<T>], moments: [&'a mut [Tensor<T>]; 2]) -> Self {
        for (i, moments) in moments.iter().enumerate() {
            let unused = i == 1 && matches!(rule, UpdateRule::Sgd { .. });
            let expected = if unused { &[] } else { &*parameters };
            let alike = moments.iter().map(Tensor::shape).eq(expected.iter().map(Tensor::shape));
            assert!(alike, "an optimiser of other parameters");
        }
        Update { rule, parameters, moments, broken: None }
    }

    /// The parameters, of which some may be updated already.
    pub fn parameters(&self) -> &[Tensor<T>] {
        self.parameters
    }

    /// The first parameter whose gradient was not finite. It is updated like the others, since parts of it may have been before
    /// the rest of the gradient was known.
    pub fn broken(&self) -> Option<ParameterId> {
        self.broken
    }

    /// Updates a parameter by its gradient, a batch mean, on the threads of the pool.
    ///
    /// # Panics
    /// If the gradient is of another length.
    pub fn apply(&mut self, pool: &Pool, id: ParameterId, gradient: &[T]) {
        pool.enter(|team| self.apply_on(team, id, gradient));
    }

    /// As [`Update::apply`], on a team.
    pub(in crate::compute) fn apply_on(&mut self, team: &Team, id: ParameterId, gradient: &[T]) {
        let finite = finite_on(team, gradient);
        let (rule, w) = (self.rule, self.parameters[id.0].data_mut());
        assert_eq!(w.len(), gradient.len(), "the gradient of a parameter");
        let [first, second] = &mut self.moments;
        let first = first[id.0].data_mut();
        let part = |start: usize, n: usize| &gradient[start..start + n];
        match second.get_mut(id.0) {
            Some(second) => team.together([w, first, second.data_mut()], PIECE, |start, [w, first, second]| {
                rule.apply(team.isa(), w, part(start, w.len()), [first, second]);
            }),
            None => team.together([w, first], PIECE, |start, [w, first]| {
                rule.apply(team.isa(), w, part(start, w.len()), [first, &mut []]);
            }),
        }
        self.note(id, finite);
    }

    /// Lends a parameter of f32 with its memories to `work`, which applies the update to every part of it once; false, and
    /// nothing is done, where the parameters are of another type.
    pub(in crate::compute) fn in_parts(&mut self, id: ParameterId, work: impl FnOnce(&Parts)) -> bool {
        let columns = self.parameters[id.0].shape().last().copied().unwrap_or(1);
        let [first, second] = &mut self.moments;
        let second = second.get_mut(id.0).map_or(Some(&mut [][..]), |second| T::as_f32_mut(second.data_mut()));
        let arrays = (T::as_f32_mut(self.parameters[id.0].data_mut()), T::as_f32_mut(first[id.0].data_mut()), second);
        let (Some(w), Some(first), Some(second)) = arrays else { return false };
        // SAFETY: every part is updated once, by one thread.
        let [w, first, second] = [w, first, second].map(|array| unsafe { Shared::new(array) });
        let parts = Parts { rule: self.rule, columns, w, first, second, finite: AtomicBool::new(true) };
        work(&parts);
        let finite = parts.finite.into_inner();
        self.note(id, finite);
        true
    }

    fn note(&mut self, id: ParameterId, finite: bool) {
        if !finite && self.broken.is_none() {
            self.broken = Some(id);
        }
    }
}

/// A matrix of parameters, whose parts several threads update, each its own.
pub(in crate::compute) struct Parts<'a> {
    rule: UpdateRule,
    columns: usize,
    w: Shared<'a>,
    first: Shared<'a>,
    second: Shared<'a>,
    finite: AtomicBool,
}

impl Parts<'_> {
    /// What an update of these rows and columns reads.
    pub(in crate::compute) fn ahead(&self, rows: Range<usize>, columns: Range<usize>) -> [Ahead; 3] {
        [&self.w, &self.first, &self.second].map(|array| match columns.is_empty() || array.is_empty() {
            true => Ahead::NOTHING,
            false => {
                let start = array.at(rows.start * self.columns + columns.start, 1);
                Ahead::new(start, (rows.len(), columns.len()), self.columns)
            }
        })
    }

    /// Updates these rows and columns by their gradient, row by row.
    ///
    /// # Safety
    /// Nobody else updates them.
    pub(in crate::compute) unsafe fn apply(&self, isa: Isa, rows: Range<usize>, columns: Range<usize>, gradient: &[f32]) {
        if !finite_piece(isa, gradient) {
            self.finite.store(false, Ordering::Relaxed);
        }
        let n = columns.len();
        for (row, gradient) in rows.zip(gradient.chunks_exact(n)) {
            let of = |array: &Shared| {
                let (place, n) = if array.is_empty() { (0, 0) } else { (row * self.columns + columns.start, n) };
                // SAFETY: `at` has shown that they are there, and the caller guarantees that they are this thread's alone.
                unsafe { std::slice::from_raw_parts_mut(array.at(place, n), n) }
            };
            self.rule.apply(isa, of(&self.w), gradient, [of(&self.first), of(&self.second)]);
        }
    }
}
