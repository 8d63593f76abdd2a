//! What a person sees while a network trains: a bar on a terminal, a line per epoch elsewhere; always on standard error.

use std::io::IsTerminal;
use std::ops::ControlFlow;

use dualprop::training::{EpochMetrics, Event};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// A listener that shows what it hears.
pub(crate) struct Progress {
    quiet: bool,
    epochs: u32,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shows nothing but warnings if `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        Progress { quiet, epochs: 0, bar: None }
    }

    /// Takes one event.
    pub(crate) fn hear(&mut self, event: Event) -> ControlFlow<()> {
        match event {
            Event::Warning(text) => output::note(&format!("warning: {text}\n")),
            Event::Started {
                seed, parameters, samples: [train, validation, test], epochs, steps_per_epoch, steps_done, ..
            } => {
                self.epochs = epochs;
                if !self.quiet {
                    let samples = format!("{train} + {validation} + {test} samples");
                    let going_on = if steps_done > 0 { format!(", going on after step {steps_done}") } else { String::new() };
                    output::note(&format!("seed {seed}: {parameters} parameters, {samples}, {epochs} epochs{going_on}\n"));
                    self.bar = std::io::stderr().is_terminal().then(|| bar(u64::from(epochs) * steps_per_epoch));
                    self.with_bar(|bar| bar.set_position(steps_done));
                }
            }
            Event::Step(step) => self.with_bar(|bar| bar.set_position(step)),
            Event::Epoch(metrics) => self.epoch(metrics),
            Event::Finished(_) => self.with_bar(ProgressBar::finish_and_clear),
        }
        ControlFlow::Continue(())
    }

    fn with_bar(&self, show: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = &self.bar {
            show(bar);
        }
    }

    fn epoch(&self, metrics: &EpochMetrics) {
        let EpochMetrics { epoch, train_loss, validation_accuracy, learning_rate, .. } = metrics;
        let line = format!("loss {train_loss:.4}  validation {validation_accuracy:.2} %  learning rate {learning_rate:.5}");
        match &self.bar {
            Some(bar) => bar.set_message(format!("epoch {epoch}/{}  {line}", self.epochs)),
            None if !self.quiet => output::note(&format!("epoch {epoch:>3}/{}  {line}\n", self.epochs)),
            None => {}
        }
    }
}

/// A bar that never wraps: `wide_msg` cuts the message where the terminal ends.
fn bar(steps: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:20} {percent:>3} %  {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style)
}
