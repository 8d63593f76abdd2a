//! Ctrl-C and SIGTERM: what is at work ends after its present batch, with a checkpoint.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// The exit code of a training that the user interrupted: 128 + SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Whether the user has asked for the training to stop.
static STOP: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C and SIGTERM end a training after its present batch; the second time they end the program at once.
pub(crate) fn listen_for_stop() -> Result<()> {
    ctrlc::set_handler(|| {
        // The second time means it.
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// Whether the user has asked for an end.
pub(crate) fn is_stopping() -> bool {
    STOP.load(Ordering::Relaxed)
}
