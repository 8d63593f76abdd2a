//! Ctrl-C, heard while Rust is at work.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::error::Result;

/// How long a signal may have to wait, beside the batch that is at work.
const PATIENCE: Duration = Duration::from_millis(50);

/// Who looks after signals now and then: to ask Python after every batch would cost more than a small one.
pub(crate) struct Attention {
    /// When it was last asked.
    asked: Instant,
}

impl Default for Attention {
    fn default() -> Self {
        Attention { asked: Instant::now() }
    }
}

impl Attention {
    /// Whether it is time to ask again.
    pub(crate) fn is_due(&self) -> bool {
        self.asked.elapsed() >= PATIENCE
    }

    /// Asks, if it is time.
    ///
    /// # Errors
    /// What the handler of a signal raises: `KeyboardInterrupt` after Ctrl-C.
    pub(crate) fn pay(&mut self) -> Result<()> {
        if !self.is_due() {
            return Ok(());
        }
        self.asked = Instant::now();
        Python::attach(|py| py.check_signals())
    }
}
