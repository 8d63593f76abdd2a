//! PyTorch, timed by a program of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use dualprop::base::Named;
use dualprop::training::benchmark::Case;

/// What Python runs.
const PROGRAM: &str = include_str!("torch_step.py");

/// What PyTorch needed for a case.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerMeasurement {
    /// The median time of a step.
    pub(super) seconds: f64,
    /// The most memory that its process held, libraries included, where the system tells it.
    pub(super) peak_mib: Option<f64>,
}

/// PyTorch on this machine.
pub(super) struct Torch {
    python: PathBuf,
    samples: usize,
    threads: usize,
}

impl Torch {
    /// Finds out whether Python has PyTorch.
    ///
    /// # Errors
    /// If it has not.
    pub(super) fn new(python: &Path, samples: usize, threads: usize) -> Result<Self> {
        let torch = Torch { python: python.into(), samples, threads };
        torch.python("import torch", &[]).with_context(|| {
            format!("--against torch: {} has no PyTorch; install it, or name another with --python", python.display())
        })?;
        Ok(torch)
    }

    /// Times the steps of a case for at least so many seconds.
    pub(super) fn time(&self, case: Case, seconds: f64) -> Result<PeerMeasurement> {
        let arguments = [case.name().to_string(), self.samples.to_string(), self.threads.to_string(), seconds.to_string()];
        let printed = self.python(PROGRAM, &arguments)?;
        let numbers: Option<Vec<f64>> = printed.split_whitespace().map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some([seconds]) => Ok(PeerMeasurement { seconds: *seconds, peak_mib: None }),
            Some([seconds, peak_mib]) => Ok(PeerMeasurement { seconds: *seconds, peak_mib: Some(*peak_mib) }),
            _ => bail!("PyTorch's program printed `{}`, expected seconds and MiB", printed.trim()),
        }
    }

    /// Runs a program and returns what it printed.
    fn python(&self, program: &str, arguments: &[String]) -> Result<String> {
        let mut command = Command::new(&self.python);
        command.arg("-").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{}: cannot be started", self.python.display()))?;
        if let Some(mut input) = child.stdin.take() {
            // A program that ends before it has read everything tells why in its exit code.
            let _ = input.write_all(program.as_bytes());
        }
        let done = child.wait_with_output().context("Python: nothing can be read from it")?;
        if !done.status.success() {
            let complaint = String::from_utf8_lossy(&done.stderr);
            bail!("Python failed: {}", complaint.trim().lines().last().unwrap_or("it said nothing"));
        }
        String::from_utf8(done.stdout).context("Python printed something that is not text")
    }
}
