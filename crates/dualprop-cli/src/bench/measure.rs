//! One case timed.

use std::time::{Duration, Instant};

use anyhow::Result;
use dualprop::base::Named;
use dualprop::compute::Pool;
use dualprop::training::benchmark::{Algorithm, Case, TrainingStep};

use super::peer::PeerMeasurement;

/// Steps before the clock starts: memory is touched, caches are warm.
const WARM_UP: usize = 3;

/// What came out for one case and algorithm.
#[derive(Debug, Clone)]
pub(super) struct Measurement {
    pub(super) case: Case,
    pub(super) algorithm: Algorithm,
    /// The median and the least.
    pub(super) seconds: f64,
    pub(super) least: f64,
    pub(super) threads: usize,
    pub(super) steps: usize,
    /// Needed floating-point operations of a step.
    pub(super) operations: u64,
    /// What the registers could do in a second.
    pub(super) peak: f64,
    /// The most memory that the process held, where the system tells it.
    pub(super) peak_mib: Option<f64>,
    /// What the peer was measured with.
    pub(super) peer: Option<Comparison>,
}

/// A comparison with a peer over several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Comparison {
    /// The median ratio of our step to the peer's of the same round.
    pub(super) ratio: f64,
    /// The peer's median of all rounds.
    pub(super) seconds: f64,
    /// The most memory that it held in any round.
    pub(super) peak_mib: Option<f64>,
}

/// Times steps for at least so many seconds, and at least 20 of them, of `vgg16` 5.
pub(super) fn time(
    case: Case,
    algorithm: Algorithm,
    samples: usize,
    seconds: f64,
    peak: f64,
    pool: &Pool,
) -> Result<Measurement> {
    forget_peak_memory();
    let mut step = TrainingStep::new(case, algorithm, samples, pool)?;
    for _ in 0..WARM_UP {
        step.run()?;
    }
    let (least, mut times) = (if case == Case::Vgg16 { 5 } else { 20 }, vec![]);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while times.len() < least || Instant::now() < end {
        let began = Instant::now();
        step.run()?;
        times.push(began.elapsed().as_secs_f64());
    }
    Ok(Measurement {
        case,
        algorithm,
        seconds: median(&mut times),
        least: times[0],
        threads: pool.threads(),
        steps: times.len(),
        operations: step.operations(),
        peak,
        peak_mib: peak_memory(),
        peer: None,
    })
}

/// The median; the times are then in rising order.
pub(super) fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

impl Measurement {
    /// The round with the median time, and the comparison with the peer's rounds.
    pub(super) fn middle(mut rounds: Vec<Measurement>, peer: Option<&[PeerMeasurement]>) -> Measurement {
        let peer = peer.map(|peer| Comparison {
            ratio: median(&mut rounds.iter().zip(peer).map(|(ours, theirs)| ours.seconds / theirs.seconds).collect::<Vec<_>>()),
            seconds: median(&mut peer.iter().map(|round| round.seconds).collect::<Vec<_>>()),
            peak_mib: peer.iter().filter_map(|round| round.peak_mib).reduce(f64::max),
        });
        rounds.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let middle = rounds.len() / 2;
        Measurement { peer, ..rounds.swap_remove(middle) }
    }

    /// 10⁹ operations in a second.
    pub(super) fn gflops(&self) -> f64 {
        self.operations as f64 / self.seconds / 1e9
    }

    /// Of what the registers could do.
    pub(super) fn share_of_peak(&self) -> f64 {
        self.operations as f64 / self.seconds / self.peak
    }

    /// As `--json` prints it.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "case": self.case.name(),
            "algorithm": self.algorithm.name(),
            "ms_per_step": 1e3 * self.seconds,
            "min_ms": 1e3 * self.least,
            "threads": self.threads,
            "steps": self.steps,
            "gflops": self.gflops(),
            "share_of_peak": self.share_of_peak(),
            "peak_mib": self.peak_mib,
            "ratio_to_torch": self.peer.map(|peer| peer.ratio),
            "torch_ms_per_step": self.peer.map(|peer| 1e3 * peer.seconds),
            "torch_peak_mib": self.peer.and_then(|peer| peer.peak_mib),
        })
    }
}

/// Linux counts the most memory from here on; where it does not, the count goes on from the start of the process.
fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that the process held, in MiB, as Linux tells it.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_round_is_reported_with_the_middle_ratio() {
        let round = |seconds| Measurement {
            case: Case::Mlp512,
            algorithm: Algorithm::Dp,
            seconds,
            least: seconds,
            threads: 1,
            steps: 20,
            operations: 6_000_000_000,
            peak: 12e9,
            peak_mib: None,
            peer: None,
        };
        let peer = [(4.0, Some(7.0)), (6.0, None), (2.0, Some(9.0))];
        let peer = peer.map(|(seconds, peak_mib)| PeerMeasurement { seconds, peak_mib });
        let middle = Measurement::middle(vec![round(1.0), round(3.0), round(2.0)], Some(&peer));
        assert_eq!(middle.seconds, 2.0);
        assert_eq!(middle.peer, Some(Comparison { ratio: 0.5, seconds: 4.0, peak_mib: Some(9.0) }));
        assert_eq!((middle.gflops(), middle.share_of_peak()), (3.0, 0.25));
        assert_eq!(middle.json()["case"], "mlp512");
    }
}
