//! Operations that the device executes together, so that what stands between them is never in memory.

use super::affine::{self, Map};
use super::{BufferId, Op, ParameterId, Program, RoutingId};
use crate::base::Real;

/// What becomes of an operation that is executed together with a neighbour.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fused {
    /// An affine map together with the pool that follows it.
    AffineAndPool { map: Map, kernel: ParameterId, bias: ParameterId, input: BufferId, output: BufferId, routing: RoutingId },
    /// Nothing: the operation before has done it.
    Done,
}

/// For every operation how it is fused, if it is; buffers that nothing reads any more have no room in the program then.
/// `exact` is for convolutions without transforms.
pub(super) fn fuse<T: Real>(program: &mut Program, exact: bool) -> Vec<Option<Fused>> {
    let mut fused = vec![None; program.ops.len()];
    for index in 1..program.ops.len() {
        let (Op::Affine { map, kernel, bias, input, output: between }, Op::Pool { input: pooled, output, routing, .. }) =
            (program.ops[index - 1], program.ops[index])
        else {
            continue;
        };
        if pooled == between && affine::pools::<T>(map, exact) && only_pooled(program, between) {
            fused[index - 1] = Some(Fused::AffineAndPool { map, kernel, bias, input, output, routing });
            fused[index] = Some(Fused::Done);
        }
    }
    for (op, fused) in program.ops.iter().zip(&fused) {
        if let (Op::Pool { input, .. }, Some(Fused::Done)) = (op, fused) {
            program.buffers[input.0] = 0;
        }
    }
    fused
}

/// Whether a buffer is nothing but what stands between an affine map and the pool that follows it, wherever it occurs.
pub(super) fn only_pooled(program: &Program, buffer: BufferId) -> bool {
    program.ops.iter().enumerate().filter(|(_, op)| op.buffers().contains(&buffer)).all(|(index, op)| match *op {
        Op::Affine { input, output, .. } => {
            let next = program.ops.get(index + 1);
            input != buffer && output == buffer && matches!(next, Some(Op::Pool { input, .. }) if *input == buffer)
        }
        Op::Pool { input, output, .. } => {
            let before = index.checked_sub(1).map(|before| program.ops[before]);
            output != buffer && input == buffer && matches!(before, Some(Op::Affine { output, .. }) if output == buffer)
        }
        _ => false,
    })
}
