//! The plan for people: every operation with its cost, and what was proved redundant.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::compute::{BufferId, Op, ParameterId};

use super::{Plan, Reason};

impl Display for Plan {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:<6} {:>5}  {:<15} {:<34} {:>14}", "pass", "layer", "operation", "", "multiply-adds")?;
        for step in &self.steps {
            let cost = self.cost(&step.op, 1);
            let cost = if cost == 0 { String::new() } else { cost.to_string() };
            let (name, formula) = self.describe(&step.op);
            writeln!(out, "{:<6} {:>5}  {name:<15} {formula:<34} {cost:>14}", self.pass_name(step.pass), step.layer)?;
        }
        writeln!(out, "\n{} operations, {} multiply-adds for one sample", self.steps.len(), self.multiply_adds(1))?;
        self.tell_disturbed(out)?;
        if self.removed.is_empty() {
            return Ok(());
        }
        let mut groups: BTreeMap<(Reason, &str), (usize, u64)> = BTreeMap::new();
        for removed in &self.removed {
            let (count, saved) = groups.entry((removed.reason, name(&removed.step.op))).or_default();
            *count += 1;
            *saved += self.cost(&removed.step.op, 1);
        }
        writeln!(out, "\nproved redundant and left out:")?;
        for ((reason, name), (count, saved)) in groups {
            writeln!(out, "{count:>6} x {name:<15} {:<42} {saved:>14}", reason.text())?;
        }
        let (spent, saved) = (self.multiply_adds(1), self.multiply_adds_saved(1));
        let ratio = (spent + saved) as f64 / spent.max(1) as f64;
        writeln!(out, "{saved} multiply-adds saved; the schedule carried out naively costs {ratio:.2} times as much")
    }
}

impl Plan {
    /// Why a disturbed plan is longer than others.
    fn tell_disturbed(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if self.is_asynchronous() {
            let what = "which of these updates take place, or their order, is drawn for every batch";
            writeln!(out, "{what}: nothing can be proved redundant, and the cost is that of all of them")?;
        }
        match self.steps.iter().filter(|step| matches!(step.op, Op::Disturb { .. })).count() {
            0 => Ok(()),
            count => writeln!(out, "{count} of them disturb: they are never redundant, nor is what depends on them"),
        }
    }

    fn pass_name(&self, pass: usize) -> String {
        match pass {
            0 => "start".to_string(),
            pass if pass > self.passes => "learn".to_string(),
            pass => pass.to_string(),
        }
    }

    fn describe(&self, op: &Op) -> (&'static str, String) {
        let b = |id: BufferId| self.layout.name(id);
        let parameter = |id: ParameterId| self.topology.parameters().swap_remove(id.0).0;
        let formula = match *op {
            Op::Affine { kernel, input, output, .. } => {
                format!("{} = {} kernel.{i} + bias.{i}", b(output), b(input), i = kernel.0 / 2)
            }
            Op::Adjoint { kernel, input, output, .. } => format!("{} = {} {}^T", b(output), b(input), parameter(kernel)),
            Op::Pool { input, output, .. } => format!("{} = pool({})", b(output), b(input)),
            Op::RoutedPool { input, output, .. } => format!("{} = routed pool({})", b(output), b(input)),
            Op::Unpool { input, output, .. } => format!("{} = unpool({})", b(output), b(input)),
            Op::Plus { mean, difference, plus, .. } => format!("{} from {}, {}", b(plus), b(mean), b(difference)),
            Op::Activate { activation, pre_activation, mean } => {
                let name = crate::base::Named::name(activation);
                format!("{} = {name}({})", b(mean), b(pre_activation))
            }
            Op::Dyad { pre_activation, feedback, mean, difference, .. } => {
                format!("{}, {} from {}, {}", b(mean), b(difference), b(pre_activation), b(feedback))
            }
            Op::Disturb { mean, difference, .. } => format!("{}, {} disturbed", b(mean), b(difference)),
            Op::LossGradient { logits, gradient, .. } => format!("{} = loss'({})", b(gradient), b(logits)),
            Op::NudgeLinearised { pre_activation, gradient, mean, difference, .. } => {
                format!("{}, {} from {}, {}", b(mean), b(difference), b(pre_activation), b(gradient))
            }
            Op::NudgeProximal { pre_activation, target, mean, difference, .. } => {
                format!("{}, {} from {}, {}", b(mean), b(difference), b(pre_activation), b(target))
            }
            Op::Copy { from, to } => format!("{} = {}", b(to), b(from)),
            Op::Zero { buffer } => format!("{} = 0", b(buffer)),
            Op::Damping { kernel, scalar, .. } => format!("L{} from the norm of kernel.{}", scalar.0 + 1, kernel.0 / 2),
            Op::Constant { value, scalar } => format!("L{} = {value}", scalar.0 + 1),
            Op::WeightProduct { kernel, mean, difference, .. } => {
                format!("grad.{} = {}^T {}", kernel.0 / 2, b(mean), b(difference))
            }
            Op::ZeroGradient { kernel, .. } => format!("grad.{} = 0", kernel.0 / 2),
            Op::CopyGradient { from, to } => format!("grad of {} = grad.{}", parameter(to), from.0 / 2),
        };
        (name(op), formula)
    }
}

fn name(op: &Op) -> &'static str {
    match op {
        Op::Affine { .. } => "affine",
        Op::Adjoint { .. } => "adjoint",
        Op::Pool { .. } => "pool",
        Op::RoutedPool { .. } => "routed pool",
        Op::Unpool { .. } => "unpool",
        Op::Plus { .. } => "plus",
        Op::Activate { .. } => "activate",
        Op::Dyad { damping: None, .. } => "dyad",
        Op::Dyad { .. } => "damped dyad",
        Op::Disturb { .. } => "disturb",
        Op::LossGradient { .. } => "loss gradient",
        Op::NudgeLinearised { .. } => "nudge",
        Op::NudgeProximal { .. } => "proximal nudge",
        Op::Copy { .. } => "copy",
        Op::Zero { .. } => "zero",
        Op::Damping { .. } => "damping",
        Op::Constant { .. } => "constant",
        Op::WeightProduct { .. } => "weight product",
        Op::ZeroGradient { .. } => "zero gradient",
        Op::CopyGradient { .. } => "copy gradient",
    }
}
