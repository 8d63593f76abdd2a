//! Measurements for people.

use dualprop::base::Named;
use dualprop::compute::Pool;

use super::measure::Measurement;

/// A line for each measurement.
pub(super) fn table(measured: &[Measurement], pool: &Pool, samples: usize) -> String {
    let peak = measured.iter().map(|measurement| measurement.peak).fold(0.0, f64::max) / 1e9;
    let mut text = format!(
        "batches of {samples}, {} threads, {}: registers alone do {peak:.0} GFLOP/s\n\n{:<11}{:<18}{:>10}{:>10}{:>7}{:>10}{:>9}{:>10}",
        pool.threads(),
        pool.isa().name(),
        "case",
        "algorithm",
        "median ms",
        "least ms",
        "steps",
        "GFLOP/s",
        "of peak",
        "peak MiB"
    );
    let compared = measured.iter().any(|measurement| measurement.peer.is_some());
    text += if compared { "  ÷ PyTorch bp  PyTorch MiB\n" } else { "\n" };
    for measurement in measured {
        let memory = measurement.peak_mib.map_or("-".into(), |mib| format!("{mib:.0}"));
        text += &format!(
            "{:<11}{:<18}{:>10.3}{:>10.3}{:>7}{:>10.1}{:>8.1}%{memory:>10}",
            measurement.case.name(),
            measurement.algorithm.name(),
            1e3 * measurement.seconds,
            1e3 * measurement.least,
            measurement.steps,
            measurement.gflops(),
            100.0 * measurement.share_of_peak(),
        );
        if let Some(peer) = measurement.peer {
            let memory = peer.peak_mib.map_or("-".into(), |mib| format!("{mib:.0}"));
            text += &format!("{:>14.3}{memory:>13}", peer.ratio);
        }
        text.push('\n');
    }
    text
}
