//! The operations of the map into a layer: up, its linear part up and down, and its gradient.
//!
//! Where the layer below is pooled after its activation the map begins with that pool; where its own pool comes before its
//! activation it ends with it. On the way down a pool is held linear at a routing: that of s̄ below, which the way up
//! leaves behind, or that of s⁺ below, for which the way up is gone once more.

use crate::compute::disturbance::Occasion;
use crate::compute::{BufferId, Op, ParameterId, RoutingId};
use crate::network::Topology;

use super::Layout;

/// The maps of a network over the buffers of a layout.
#[derive(Clone, Copy)]
pub(in crate::inference) struct Maps<'a> {
    pub(in crate::inference) topology: &'a Topology,
    pub(in crate::inference) layout: &'a Layout,
}

impl Maps<'_> {
    /// Whether the map into layer k = 1..L has a pool.
    pub(in crate::inference) fn pooled(self, k: usize) -> bool {
        self.topology.pool_below(k).is_some() || self.topology.pool_above(k).is_some()
    }

    /// a_k from s̄_{k−1}, and the routing at s̄_{k−1}.
    pub(in crate::inference) fn up(self, k: usize) -> Vec<Op> {
        let Maps { topology, layout } = self;
        let (map, kernel, bias) = (topology.map(k), topology.kernel(k), topology.bias(k));
        let (input, output, between) = (layout.mean(k - 1), layout.pre_activation(k), layout.between_up(k));
        let routing = layout.routing(k);
        match (topology.pool_below(k), topology.pool_above(k)) {
            (Some(pooling), _) => vec![
                Op::Pool { pooling, input, output: between, routing },
                Op::Affine { map, kernel, bias, input: between, output },
            ],
            (None, Some(pooling)) => vec![
                Op::Affine { map, kernel, bias, input, output: between },
                Op::Pool { pooling, input: between, output, routing },
            ],
            (None, None) => vec![Op::Affine { map, kernel, bias, input, output }],
        }
    }

    /// A forward pass: a_k and s̄_k = f(a_k) of every layer from x, but of the output a_L alone.
    pub(in crate::inference) fn forward_pass(self) -> Vec<Op> {
        (1..=self.topology.depth()).flat_map(|k| self.up(k).into_iter().chain(self.activate(k))).collect()
    }

    /// [`Maps::forward_pass`] with the disturbances of dyads at rest.
    pub(in crate::inference) fn disturbed_forward_pass(self) -> Vec<Op> {
        let Maps { topology, layout } = self;
        let disturb = |k| {
            let (mean, difference) = (layout.mean(k), layout.difference(k));
            let ops = [Op::Zero { buffer: difference }, Op::Disturb { layer: k, occasion: Occasion::Rest, mean, difference }];
            ops.into_iter().filter(move |_| k < topology.depth())
        };
        (1..=topology.depth()).flat_map(|k| self.up(k).into_iter().chain(self.activate(k)).chain(disturb(k))).collect()
    }

    /// s̄_k = f(a_k) of a hidden layer.
    fn activate(self, k: usize) -> Option<Op> {
        let Maps { topology, layout } = self;
        let (pre_activation, mean) = (layout.pre_activation(k), layout.mean(k));
        (k < topology.depth()).then_some(Op::Activate { activation: topology.activation(), pre_activation, mean })
    }

    /// The routing of the map into layer k at s̄_{k−1}, k = 1..L: as much of the way up as it takes.
    pub(in crate::inference) fn route(self, k: usize) -> Vec<Op> {
        match self.topology.pool_below(k) {
            Some(_) => self.up(k).into_iter().take(1).collect(),
            None => self.up(k),
        }
    }

    /// The routing of the map into layer k at s⁺_{k−1} = s̄ + weight · Δ, k = 2..L.
    pub(super) fn route_plus(self, k: usize, weight: f64) -> Vec<Op> {
        let Maps { topology, layout } = self;
        let (mean, difference, plus) = (layout.mean(k - 1), layout.difference(k - 1), layout.plus(k - 1));
        let (between, output, routing) = (layout.plus_between_up(k), layout.plus_pooled(k), layout.plus_routing(k));
        let mut ops = vec![Op::Plus { weight, mean, difference, plus }];
        match (topology.pool_below(k), topology.pool_above(k)) {
            (Some(pooling), _) => ops.push(Op::Pool { pooling, input: plus, output: between, routing }),
            (None, Some(pooling)) => {
                let (map, kernel, bias) = (topology.map(k), topology.kernel(k), topology.bias(k));
                ops.push(Op::Affine { map, kernel, bias, input: plus, output: between });
                ops.push(Op::Pool { pooling, input: between, output, routing });
            }
            (None, None) => return vec![],
        }
        ops
    }

    /// fb_{k−1} from Δ_k, k = 1..L, the pool held at this routing.
    pub(in crate::inference) fn down(self, k: usize, routing: RoutingId) -> Vec<Op> {
        self.down_by(k, self.topology.kernel(k), routing)
    }

    /// As [`Maps::down`], by a kernel that may be another one than that of the way up.
    pub(super) fn down_by(self, k: usize, kernel: ParameterId, routing: RoutingId) -> Vec<Op> {
        let Maps { topology, layout } = self;
        let map = topology.map(k);
        let (input, output, between) = (layout.difference(k), layout.feedback(k - 1), layout.between_down(k));
        match (topology.pool_below(k), topology.pool_above(k)) {
            (Some(pooling), _) => {
                vec![Op::Adjoint { map, kernel, input, output: between }, Op::Unpool { pooling, input: between, routing, output }]
            }
            (None, Some(pooling)) => {
                vec![Op::Unpool { pooling, input, routing, output: between }, Op::Adjoint { map, kernel, input: between, output }]
            }
            (None, None) => vec![Op::Adjoint { map, kernel, input, output }],
        }
    }

    /// output = the linear part of the map into layer k of `input`, k = 1..L, for parameters whose biases are zero; the pool is
    /// held at the routing of s̄_{k−1}. The transpose of [`Maps::down`].
    pub(in crate::inference) fn linear_up(self, k: usize, input: BufferId, output: BufferId) -> Vec<Op> {
        let Maps { topology, layout } = self;
        let (map, kernel, bias) = (topology.map(k), topology.kernel(k), topology.bias(k));
        let (between, routing) = (layout.between_down(k), layout.routing(k));
        match (topology.pool_below(k), topology.pool_above(k)) {
            (Some(pooling), _) => vec![
                Op::RoutedPool { pooling, input, routing, output: between },
                Op::Affine { map, kernel, bias, input: between, output },
            ],
            (None, Some(pooling)) => vec![
                Op::Affine { map, kernel, bias, input, output: between },
                Op::RoutedPool { pooling, input: between, routing, output },
            ],
            (None, None) => vec![Op::Affine { map, kernel, bias, input, output }],
        }
    }

    /// ∂J/∂W_{k−1} = scale/n · Σ Δ_k s̄_{k−1}ᵀ, a pool held at the routing of s̄_{k−1}.
    pub(in crate::inference) fn gradient(self, k: usize, scale: f64) -> Vec<Op> {
        let Maps { topology, layout } = self;
        let (map, kernel, bias, routing) = (topology.map(k), topology.kernel(k), topology.bias(k), layout.routing(k));
        let (mean, difference) = (layout.mean(k - 1), layout.difference(k));
        let product = |mean, difference| Op::WeightProduct { map, kernel, bias, mean, difference, scale };
        match (topology.pool_below(k), topology.pool_above(k)) {
            (Some(_), _) => [self.route(k), vec![product(layout.between_up(k), difference)]].concat(),
            (None, Some(pooling)) => {
                let output = layout.between_down(k);
                let unpool = Op::Unpool { pooling, input: difference, routing, output };
                [self.route(k), vec![unpool, product(mean, output)]].concat()
            }
            (None, None) => vec![product(mean, difference)],
        }
    }
}
