//! Plans: what an inference computes and costs, before it is paid for.

use dualprop::inference::Plan as Compiled;
use pyo3::prelude::*;

/// What one training step computes: the operations of an inference and its gradients, without those that are proved redundant; made by
/// ``DualProp.plan``. ``print(plan)`` lists them with their cost.
///
/// Attributes
/// ----------
/// operations : int
///     How many are carried out.
/// removed : int
///     How many the schedule asked for that are proved redundant and left out.
/// passes : int
///     Passes of the schedule.
/// warnings : list of str
///     Settings that are valid but rarely meant.
#[pyclass(module = "dualprop", frozen)]
pub(crate) struct Plan {
    pub(crate) plan: Compiled,
}

#[pymethods]
impl Plan {
    /// How many operations are carried out.
    #[getter]
    fn operations(&self) -> usize {
        self.plan.steps().len()
    }

    /// How many operations are left out.
    #[getter]
    fn removed(&self) -> usize {
        self.plan.removed().len()
    }

    /// Passes of the schedule.
    #[getter]
    fn passes(&self) -> usize {
        self.plan.passes()
    }

    /// Settings that are valid but rarely meant.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.plan.warnings().to_vec()
    }

    /// Multiply-adds for a batch.
    ///
    /// Parameters
    /// ----------
    /// samples : int
    ///     Samples of the batch.
    ///
    /// Returns
    /// -------
    /// int
    #[pyo3(signature = (samples = 1))]
    fn multiply_adds(&self, samples: usize) -> u64 {
        self.plan.multiply_adds(samples)
    }

    /// Multiply-adds that the operations left out would have cost for a batch.
    ///
    /// Parameters
    /// ----------
    /// samples : int
    ///     Samples of the batch.
    ///
    /// Returns
    /// -------
    /// int
    #[pyo3(signature = (samples = 1))]
    fn multiply_adds_saved(&self, samples: usize) -> u64 {
        self.plan.multiply_adds_saved(samples)
    }

    /// Bytes that states, gradients and working space of a batch take.
    ///
    /// Parameters
    /// ----------
    /// samples : int
    ///     Samples of the batch.
    /// element : int
    ///     Bytes of a number: 4 or 8.
    ///
    /// Returns
    /// -------
    /// int
    #[pyo3(signature = (samples, element = 4))]
    fn memory(&self, samples: usize, element: usize) -> u64 {
        self.plan.memory(samples, element)
    }

    fn __str__(&self) -> String {
        self.plan.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Plan({} operations, {} left out)", self.operations(), self.removed())
    }
}
