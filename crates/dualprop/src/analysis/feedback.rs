//! How close feedback kernels are to the kernels whose place they take.

use crate::base::Real;
use crate::network::{Parameters, Topology};

use super::alignment::inner;

/// ⟨W, B⟩ / (‖W‖ ‖B‖) of the kernel W of the map into layer k = 1..L and the feedback kernel B beside it, as vectors; none where there
/// is no B, as for layer 1, or one of the two is zero.
pub fn feedback_cosines<T: Real>(topology: &Topology, parameters: &Parameters<T>) -> Vec<Option<f64>> {
    let cosine = |k: usize| {
        let (w, b) = (parameters.get(topology.kernel(k)).data(), parameters.get(topology.feedback(k)?).data());
        Some(inner(w, b) / (inner(w, w).sqrt() * inner(b, b).sqrt())).filter(|cosine| cosine.is_finite())
    };
    (1..=topology.depth()).map(cosine).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::{Activation, Tensor};
    use crate::network::Shape;

    #[test]
    fn a_cosine_has_the_two_kernels_as_vectors() {
        let tied = Topology::mlp(Shape::flat(2), &[1, 2, 1], Activation::Relu).unwrap();
        let separate = tied.clone().with_feedback(true);
        let parameters = Parameters::collect(&separate, |name| match name {
            "kernel.1" => Tensor::new(&[1, 2], vec![3.0, 4.0]),
            "feedback.1" => Tensor::new(&[1, 2], vec![0.0, -2.0]),
            "kernel.0" | "kernel.2" => Tensor::new(&[2, 1], vec![1.0, 1.0]),
            "feedback.2" => Tensor::new(&[2, 1], vec![0.0, 0.0]),
            name => Ok(Tensor::zeros(&[if name == "bias.1" { 2 } else { 1 }])),
        });
        let parameters: Parameters<f32> = parameters.unwrap();
        assert_eq!(feedback_cosines(&separate, &parameters), [None, Some(-0.8), None]);
        assert_eq!(feedback_cosines(&tied, &parameters), [None; 3]);
    }
}
