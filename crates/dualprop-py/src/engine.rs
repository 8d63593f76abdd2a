//! Engines, kept from one call to the next: to compile a plan and reserve its memory costs more than a small batch.

use std::sync::{Mutex, PoisonError};

use dualprop::base::memory;
use dualprop::compute::Pool;
use dualprop::inference::{Engine, Inference, Plan, PlanOptions};
use dualprop::network::Topology;

use crate::array::Number;

/// An engine that waits for its next batch, with its threads and the largest batch that it takes.
pub(crate) struct Kept<T> {
    engine: Engine<T>,
    threads: usize,
    capacity: usize,
}

/// At most one engine of each type of number.
#[derive(Default)]
pub(crate) struct Engines {
    of_f32: Mutex<Option<Kept<f32>>>,
    of_f64: Mutex<Option<Kept<f64>>>,
}

/// Numbers of which [`Engines`] keeps an engine.
pub(crate) trait Computed: Number {
    /// Where it is kept.
    fn place(engines: &Engines) -> &Mutex<Option<Kept<Self>>>;
}

impl Computed for f32 {
    fn place(engines: &Engines) -> &Mutex<Option<Kept<f32>>> {
        &engines.of_f32
    }
}

impl Computed for f64 {
    fn place(engines: &Engines) -> &Mutex<Option<Kept<f64>>> {
        &engines.of_f64
    }
}

impl Engines {
    /// Lends an engine for batches of `samples` to `work`: the one that is kept, if it fits, or a new one. Whoever comes while it
    /// is lent has one of his own.
    pub(crate) fn with<T: Computed, R>(
        &self,
        topology: &Topology,
        inference: &Inference,
        samples: usize,
        pool: &Pool,
        work: impl FnOnce(&mut Engine<T>) -> dualprop::Result<R>,
    ) -> dualprop::Result<R> {
        let place = T::place(self);
        let taken = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fits = |kept: &Kept<T>| {
            // A batch much smaller than the engine would carry its memory about for nothing.
            kept.engine.topology() == topology
                && kept.threads == pool.threads()
                && (samples..=samples.saturating_mul(8)).contains(&kept.capacity)
        };
        let mut kept = match taken.filter(fits) {
            Some(kept) => kept,
            None => Kept { engine: bound(topology, inference, samples, pool)?, threads: pool.threads(), capacity: samples },
        };
        let done = work(&mut kept.engine);
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        done
    }
}

/// An engine for batches of up to `samples`, if it fits into memory.
pub(crate) fn bound<T: Number>(
    topology: &Topology,
    inference: &Inference,
    samples: usize,
    pool: &Pool,
) -> dualprop::Result<Engine<T>> {
    let plan = Plan::compile(topology, inference, PlanOptions::default())?;
    memory::require("this batch", plan.memory(samples, size_of::<T>()), "choose a smaller one")?;
    Engine::new(plan, samples, pool)
}
