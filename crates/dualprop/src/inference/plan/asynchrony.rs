//! Updates that can be carried out by themselves, for schedules that are drawn for every batch.

use std::ops::Range;

use crate::compute::Op;
use crate::inference::Pass;

use super::Step;

/// The operations of an update of each layer in each pass: first what listens to the neighbours, then what settles.
///
/// All updates of a layer in one pass are made of the same operations, so that one of them stands for all.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    /// Pass 1 first, in it layer 1.
    of_pass: Vec<Vec<[Range<usize>; 2]>>,
}

impl Blocks {
    /// Finds them in a naive list of steps.
    pub(super) fn of(steps: &[Step], passes: usize, depth: usize) -> Self {
        let run = |pass: usize, layer: usize, settles: bool| {
            let belongs = |step: &Step| step.pass == pass && step.layer == layer && self::settles(&step.op) == settles;
            // A layer that the pass does not update has none.
            let start = steps.iter().position(belongs).unwrap_or(steps.len());
            start..start + steps[start..].iter().take_while(|step| belongs(step)).count()
        };
        let of_pass = |pass| (1..=depth).map(|k| [false, true].map(|settles| run(pass, k, settles))).collect();
        Blocks { of_pass: (1..=passes).map(of_pass).collect() }
    }

    /// The ranges of a pass whose groups of layers are these.
    pub(super) fn ranges(&self, pass: usize, drawn: &Pass) -> Vec<Range<usize>> {
        let of_layer = |k: usize| &self.of_pass[pass - 1][k - 1];
        let of_group =
            |group: &Vec<usize>| [0, 1].map(|which| group.iter().map(move |&k| (k, which)).collect::<Vec<_>>()).concat();
        let blocks = drawn.iter().flat_map(of_group);
        blocks.map(|(k, which)| of_layer(k)[which].clone()).filter(|range| !range.is_empty()).collect()
    }
}

/// Whether an operation writes the state of its layer, and does not only read those of its neighbours.
fn settles(op: &Op) -> bool {
    matches!(
        op,
        Op::Activate { .. }
            | Op::Zero { .. }
            | Op::Dyad { .. }
            | Op::NudgeLinearised { .. }
            | Op::NudgeProximal { .. }
            | Op::Disturb { .. }
    )
}
