//! Which operations provably change nothing.
//!
//! Every message carries a *version*: the expression that produced it. Walking the naive list once,
//!
//! * an operation whose outputs already hold the version that it would give them is dropped ([`Reason::Unchanged`]);
//! * a difference with the version *zero* is never fed back, and a layer to which nothing is fed back is an activation
//!   ([`Reason::NothingFedBack`]);
//! * the mean of a dyad that ignores its feedback (DP⊤ at α ∈ {0, 1}, backpropagation) has the version of the activation.
//!
//! An operation that disturbs makes new versions whatever it reads, so that neither it nor what it reads or is read from is redundant.
//!
//! Walking back, an operation whose outputs are all overwritten before anything reads them is dropped
//! ([`Reason::Unread`]). A damped update reads its own old state, which every update makes new: it is never dropped.

use std::collections::{HashMap, HashSet};

use crate::compute::{BufferId, Op, ParameterId, RoutingId, ScalarId};

use super::{Layout, Step};

/// Why an operation was proved redundant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Its inputs have no new version since it last ran.
    Unchanged,
    /// The difference above is still zero.
    NothingFedBack,
    /// Its result is overwritten before anything reads it.
    Unread,
}

impl Reason {
    /// The reason in words.
    pub fn text(self) -> &'static str {
        match self {
            Reason::Unchanged => "its inputs have no new version",
            Reason::NothingFedBack => "the difference above is still zero",
            Reason::Unread => "overwritten before anything reads it",
        }
    }
}

/// An operation of the naive list that the plan does without.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Removed {
    /// The operation and its place in the schedule.
    pub step: Step,
    /// Why.
    pub reason: Reason,
}

/// Splits the naive list into what must run and what need not. `every_pass` keeps the states of each pass.
pub(super) fn reduce(naive: Vec<Step>, layout: &Layout, every_pass: bool) -> (Vec<Step>, Vec<Removed>) {
    let (changing, mut removed) = drop_unchanged(naive);
    let unread = unread(&changing, layout, every_pass);
    let mut kept = vec![];
    for (index, candidate) in changing.into_iter().enumerate() {
        match unread.contains(&index) {
            false => kept.push(candidate.step),
            true if candidate.simplified => {} // the operation that it stands for is listed already
            true => removed.push(Removed { step: candidate.step, reason: Reason::Unread }),
        }
    }
    (kept, removed)
}

/// An operation that changes something, and whether it stands for a costlier one of the naive list.
struct Candidate {
    step: Step,
    simplified: bool,
}

/// Walks the naive list once; what is left gives every output a new version.
fn drop_unchanged(naive: Vec<Step>) -> (Vec<Candidate>, Vec<Removed>) {
    let mut versions = Versions::default();
    let (mut kept, mut removed) = (vec![], vec![]);
    for step in naive {
        let ops = versions.simplify(step.op);
        let simplified = ops[0] != step.op;
        if simplified {
            removed.push(Removed { step, reason: Reason::NothingFedBack });
        }
        for op in ops {
            match versions.apply(op) {
                true => kept.push(Candidate { step: Step { op, ..step }, simplified }),
                false if simplified => {}
                false => removed.push(Removed { step, reason: Reason::Unchanged }),
            }
        }
    }
    (kept, removed)
}

/// What an operation can read or write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Buffer(BufferId),
    Routing(RoutingId),
    Scalar(ScalarId),
    Gradient(ParameterId),
}

/// One output of an operation, and the inputs that determine it.
struct Effect {
    writes: Place,
    reads: Vec<Place>,
    /// The operation that stands for the expression: two operations that always give the same value name the same one.
    expression: Op,
}

fn effects(op: Op) -> Vec<Effect> {
    let buffer = Place::Buffer;
    let one = |writes: Place, reads: Vec<Place>| vec![Effect { writes, reads, expression: op }];
    match op {
        Op::Affine { input, output, .. } | Op::Adjoint { input, output, .. } => one(buffer(output), vec![buffer(input)]),
        Op::Pool { input, output, routing, .. } => [buffer(output), Place::Routing(routing)]
            .map(|writes| Effect { writes, reads: vec![buffer(input)], expression: op })
            .into(),
        Op::RoutedPool { input, routing, output, .. } | Op::Unpool { input, routing, output, .. } => {
            one(buffer(output), vec![buffer(input), Place::Routing(routing)])
        }
        Op::Plus { mean, difference, plus, .. } => one(buffer(plus), vec![buffer(mean), buffer(difference)]),
        Op::Activate { pre_activation, mean, .. } => one(buffer(mean), vec![buffer(pre_activation)]),
        Op::Dyad { activation, weights, neurons, damping, pre_activation, feedback, mean, difference } => {
            let mut reads = vec![buffer(pre_activation), buffer(feedback)];
            if let Some(scalar) = damping {
                reads.extend([buffer(mean), buffer(difference), Place::Scalar(scalar)]);
            }
            let of_mean = match damping.is_none() && neurons.is_none() && weights.mean_ignores_feedback() {
                true => {
                    let expression = Op::Activate { activation, pre_activation, mean };
                    Effect { writes: buffer(mean), reads: vec![buffer(pre_activation)], expression }
                }
                false => Effect { writes: buffer(mean), reads: reads.clone(), expression: op },
            };
            vec![of_mean, Effect { writes: buffer(difference), reads, expression: op }]
        }
        Op::LossGradient { logits, target, gradient, .. } => one(buffer(gradient), vec![buffer(logits), buffer(target)]),
        Op::NudgeLinearised { pre_activation, gradient, mean, difference, .. } => vec![
            Effect { writes: buffer(mean), reads: vec![buffer(pre_activation), buffer(gradient)], expression: op },
            Effect { writes: buffer(difference), reads: vec![buffer(gradient)], expression: op },
        ],
        Op::NudgeProximal { pre_activation, target, mean, difference, .. } => [mean, difference]
            .map(|output| Effect { writes: buffer(output), reads: vec![buffer(pre_activation), buffer(target)], expression: op })
            .into(),
        Op::Disturb { mean, difference, .. } => [mean, difference]
            .map(|output| Effect { writes: buffer(output), reads: vec![buffer(mean), buffer(difference)], expression: op })
            .into(),
        Op::Copy { from, to } => one(buffer(to), vec![buffer(from)]),
        Op::Zero { buffer: zeroed } => one(buffer(zeroed), vec![]),
        Op::Damping { scalar, .. } | Op::Constant { scalar, .. } => one(Place::Scalar(scalar), vec![]),
        Op::WeightProduct { kernel, bias, mean, difference, .. } => [kernel, bias]
            .map(|parameter| Effect {
                writes: Place::Gradient(parameter),
                reads: vec![buffer(mean), buffer(difference)],
                expression: op,
            })
            .into(),
        Op::ZeroGradient { kernel, bias } => {
            [kernel, bias].map(|parameter| Effect { writes: Place::Gradient(parameter), reads: vec![], expression: op }).into()
        }
        Op::CopyGradient { from, to } => one(Place::Gradient(to), vec![Place::Gradient(from)]),
    }
}

/// The number of a distinct value; equal versions are equal values.
type Version = usize;

/// The version of everything that is zero.
const ZERO: Version = 0;

/// The version of every place, and the expressions met so far.
#[derive(Default)]
struct Versions {
    of_place: HashMap<Place, Version>,
    /// Distinct operations; an expression is named by its place here.
    operations: Vec<Op>,
    /// (operation, output, versions read) → version
    expressions: HashMap<(usize, Place, Vec<Version>), Version>,
    newest: Version,
}

impl Versions {
    /// The version of a place; one never written has an unknown value of its own.
    fn of(&mut self, place: Place) -> Version {
        let newest = &mut self.newest;
        *self.of_place.entry(place).or_insert_with(|| {
            *newest += 1;
            *newest
        })
    }

    /// Replaces an operation on a zero difference by what it amounts to.
    fn simplify(&mut self, op: Op) -> Vec<Op> {
        let mut is_zero = |buffer: BufferId| self.of(Place::Buffer(buffer)) == ZERO;
        match op {
            Op::Adjoint { input, output, .. } | Op::RoutedPool { input, output, .. } | Op::Unpool { input, output, .. }
                if is_zero(input) =>
            {
                vec![Op::Zero { buffer: output }]
            }
            Op::Plus { mean, difference, plus, .. } if is_zero(difference) => vec![Op::Copy { from: mean, to: plus }],
            Op::Dyad { activation, damping: None, pre_activation, feedback, mean, difference, .. } if is_zero(feedback) => {
                vec![Op::Activate { activation, pre_activation, mean }, Op::Zero { buffer: difference }]
            }
            Op::WeightProduct { kernel, bias, difference, .. } if is_zero(difference) => vec![Op::ZeroGradient { kernel, bias }],
            op => vec![op],
        }
    }

    /// Gives the outputs of an operation their new versions; false if they have them already.
    fn apply(&mut self, op: Op) -> bool {
        // All inputs are read before any output is written.
        let written: Vec<(Place, Version)> =
            effects(op).into_iter().map(|effect| (effect.writes, self.version(op, effect))).collect();
        let mut news = false;
        for (place, version) in written {
            news |= self.of_place.insert(place, version) != Some(version);
        }
        news
    }

    fn version(&mut self, op: Op, effect: Effect) -> Version {
        let reads: Vec<Version> = effect.reads.into_iter().map(|place| self.of(place)).collect();
        match op {
            Op::Zero { .. } => return ZERO,
            Op::Copy { .. } => return reads[0],
            // What it draws is always new.
            Op::Disturb { .. } => {
                self.newest += 1;
                return self.newest;
            }
            _ => {}
        }
        let operation = self.operations.iter().position(|known| *known == effect.expression).unwrap_or_else(|| {
            self.operations.push(effect.expression);
            self.operations.len() - 1
        });
        let newest = &mut self.newest;
        *self.expressions.entry((operation, effect.writes, reads)).or_insert_with(|| {
            *newest += 1;
            *newest
        })
    }
}

/// The steps whose outputs are all overwritten before they are read; at the end the states, the logits and the gradients
/// are read.
fn unread(steps: &[Candidate], layout: &Layout, every_pass: bool) -> HashSet<usize> {
    let states = || (1..=layout.depth()).flat_map(|k| [layout.mean(k), layout.difference(k)]).map(Place::Buffer);
    let mut live: HashSet<Place> = states().chain([Place::Buffer(layout.logits())]).collect();
    let mut unread = HashSet::new();
    for (index, Candidate { step, .. }) in steps.iter().enumerate().rev() {
        let next_pass = steps.get(index + 1).map(|next| next.step.pass);
        if every_pass && next_pass.is_some_and(|next| next != step.pass) {
            live.extend(states());
        }
        let effects = effects(step.op);
        let kept = |effect: &Effect| live.contains(&effect.writes) || matches!(effect.writes, Place::Gradient(_));
        // The draws of a layer are counted, so that none may be missing.
        if !matches!(step.op, Op::Disturb { .. }) && !effects.iter().any(kept) {
            unread.insert(index);
            continue;
        }
        effects.iter().for_each(|effect| {
            live.remove(&effect.writes);
        });
        effects.iter().for_each(|effect| live.extend(&effect.reads));
    }
    unread
}
