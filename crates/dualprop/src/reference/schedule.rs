//! Schedules as plain lists: passes, in a pass groups, in a group layers (counted from 1).
//!
//! The layers of one group are updated at once from the values before it; a sequential schedule has groups of one. Each
//! function takes L, the number of layers, and K, the number of passes, and gives the `order` of
//! [`Settings`](super::Settings).

/// Passes → groups → layers.
type Order = Vec<Vec<Vec<usize>>>;

/// fwK: K times 1…L.
pub fn forward(layers: usize, passes: usize) -> Order {
    check(layers, passes);
    vec![singly((1..=layers).collect()); passes]
}

/// bwK: L…1, one pass whatever K is.
pub fn backward(layers: usize, passes: usize) -> Order {
    check(layers, passes);
    vec![singly((1..=layers).rev().collect())]
}

/// fwbwK: L…2, then K−1 times (1…L−1, L…1), then 1.
///
/// The first descent is pass 1, each way up and down is one more, and the final 1 belongs to the last pass.
pub fn forward_backward(layers: usize, passes: usize) -> Order {
    check(layers, passes);
    let mut order: Vec<Vec<usize>> = vec![(2..=layers).rev().collect()];
    for _ in 2..=passes {
        let up = 1..layers;
        let down = (1..=layers).rev();
        order.push(up.chain(down).collect());
    }
    order[passes - 1].push(1);
    order.into_iter().map(singly).collect()
}

/// The order of the paper's Julia program: L, then K times (L−1…1, 2…L), then L−1…1.
///
/// The leading L belongs to pass 1, the final descent to the last pass.
pub fn backward_forward(layers: usize, passes: usize) -> Order {
    check(layers, passes);
    let mut order: Vec<Vec<usize>> = Vec::new();
    for pass in 1..=passes {
        let mut layers_of_pass = if pass == 1 { vec![layers] } else { vec![] };
        layers_of_pass.extend((1..layers).rev());
        layers_of_pass.extend(2..=layers);
        order.push(layers_of_pass);
    }
    order[passes - 1].extend((1..layers).rev());
    order.into_iter().map(singly).collect()
}

/// K times: the odd layers 1, 3, …, then the even ones 2, 4, …
pub fn odd_even(layers: usize, passes: usize) -> Order {
    check(layers, passes);
    let odd = (1..=layers).filter(|k| k % 2 == 1);
    let even = (1..=layers).filter(|k| k % 2 == 0);
    vec![singly(odd.chain(even).collect()); passes]
}

/// K times: the even layers 2, 4, …, then the odd ones 1, 3, …
pub fn even_odd(layers: usize, passes: usize) -> Order {
    check(layers, passes);
    let odd = (1..=layers).filter(|k| k % 2 == 1);
    let even = (1..=layers).filter(|k| k % 2 == 0);
    vec![singly(even.chain(odd).collect()); passes]
}

/// K times: all layers at once from the old values (Jacobi).
pub fn parallel(layers: usize, passes: usize) -> Order {
    check(layers, passes);
    vec![vec![(1..=layers).collect()]; passes]
}

/// One group for each layer of a pass.
fn singly(layers: Vec<usize>) -> Vec<Vec<usize>> {
    layers.into_iter().map(|k| vec![k]).collect()
}

fn check(layers: usize, passes: usize) {
    assert!(layers > 0, "a network has at least one layer");
    assert!(passes > 0, "an inference has at least one pass");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(order: Order) -> Vec<usize> {
        order.concat().concat()
    }

    /// Printed by `schedule(name, passes, L)` of the executable specification.
    #[test]
    fn orders_are_those_of_the_specification() {
        assert_eq!(flat(forward(3, 2)), [1, 2, 3, 1, 2, 3]);
        assert_eq!(flat(backward(4, 7)), [4, 3, 2, 1]);
        assert_eq!(flat(forward_backward(3, 1)), [3, 2, 1]);
        assert_eq!(flat(forward_backward(3, 3)), [3, 2, 1, 2, 3, 2, 1, 1, 2, 3, 2, 1, 1]);
        assert_eq!(flat(forward_backward(1, 3)), [1, 1, 1]);
        assert_eq!(flat(odd_even(5, 2)), [1, 3, 5, 2, 4, 1, 3, 5, 2, 4]);
        assert_eq!(flat(even_odd(4, 1)), [2, 4, 1, 3]);
    }

    #[test]
    fn passes_are_where_they_should_be() {
        assert_eq!(forward_backward(3, 2), [vec![vec![3], vec![2]], [1, 2, 3, 2, 1, 1].map(|k| vec![k]).to_vec()]);
        assert_eq!(backward_forward(3, 1), [[3, 2, 1, 2, 3, 2, 1].map(|k| vec![k]).to_vec()]);
        let two = [[3, 2, 1, 2, 3].map(|k| vec![k]).to_vec(), [2, 1, 2, 3, 2, 1].map(|k| vec![k]).to_vec()];
        assert_eq!(backward_forward(3, 2), two);
        assert_eq!(backward_forward(1, 1), [[[1]]]);
        assert_eq!(parallel(3, 2), [[[1, 2, 3]], [[1, 2, 3]]]);
    }
}
