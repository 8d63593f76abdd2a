//! Single operations, on all cores: `cargo bench -p dualprop --bench operations`.

use divan::Bencher;
use dualprop::compute::affine::{Convolution, Map};
use dualprop::compute::pooling::Pooling;
use dualprop::compute::{BufferId, Cpu, Op, ParameterId, Pool, Program, RoutingId, Tensor};

fn main() {
    divan::main();
}

/// Samples of a batch.
const SAMPLES: usize = 100;

/// The convolutions of VGG16 that differ: side, channels below and above.
const CONVOLUTIONS: [(usize, usize, usize); 10] = [
    (32, 3, 64),
    (32, 64, 64),
    (16, 64, 64),
    (16, 64, 128),
    (16, 128, 128),
    (8, 128, 256),
    (8, 256, 256),
    (4, 256, 512),
    (4, 512, 512),
    (2, 512, 512),
];

/// Dense maps: inputs and outputs.
const DENSE: [(usize, usize); 5] = [(784, 512), (512, 512), (1000, 1000), (4096, 4096), (1000, 10)];

const OPERATIONS: [&str; 3] = ["forward", "adjoint", "product"];

fn map(side: usize, inputs: usize, outputs: usize) -> Map {
    Map::Convolution(Convolution { height: side, width: side, inputs, outputs, size: 3 })
}

/// Executes one operation on numbers of order 1.
fn execute(bencher: Bencher, buffers: Vec<usize>, parameters: Vec<Vec<usize>>, op: Op, multiply_adds: u64) {
    let pool = Pool::new(0).expect("a pool of one thread per core");
    let tensors: Vec<Tensor<f32>> = parameters
        .iter()
        .map(|shape| {
            let count = shape.iter().product();
            Tensor::new(shape, (0..count).map(|i: usize| (i % 17) as f32 / 16.0 - 0.5).collect()).expect("as many as the shape")
        })
        .collect();
    let routings = vec![buffers.iter().copied().max().unwrap_or(0); 1];
    let program = Program { buffers, routings, parameters, scalars: 0, neurons: vec![], disturbances: None, ops: vec![op] };
    let mut cpu = Cpu::new(program, SAMPLES, pool);
    for id in [0, 1] {
        cpu.buffer_mut(BufferId(id)).iter_mut().enumerate().for_each(|(i, x)| *x = (i % 13) as f32 / 12.0 - 0.5);
    }
    bencher
        .counter(divan::counter::ItemsCount::new(2 * multiply_adds * SAMPLES as u64))
        .bench_local(|| cpu.execute(0..1, &tensors).expect("everything fits"));
}

fn affine(bencher: Bencher, map: Map, operation: &str) {
    let (kernel, bias, below, above) = (ParameterId(0), ParameterId(1), BufferId(0), BufferId(1));
    let op = match operation {
        "forward" => Op::Affine { map, kernel, bias, input: below, output: above },
        "adjoint" => Op::Adjoint { map, kernel, input: above, output: below },
        _ => Op::WeightProduct { map, kernel, bias, mean: below, difference: above, scale: -1.0 },
    };
    execute(bencher, vec![map.inputs(), map.outputs()], vec![map.kernel(), vec![map.bias()]], op, map.multiply_adds());
}

#[divan::bench(args = OPERATIONS.iter().flat_map(|op| CONVOLUTIONS.map(|c| (*op, c))).map(|(op, (s, i, o))| format!("{op} {s}x{s} {i} {o}")), max_time = 1)]
fn convolution(bencher: Bencher, arguments: &str) {
    let words: Vec<&str> = arguments.split(' ').collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let side = number(words[1].split('x').next().unwrap_or(""));
    affine(bencher, map(side, number(words[2]), number(words[3])), words[0]);
}

#[divan::bench(args = OPERATIONS.iter().flat_map(|op| DENSE.map(|d| (*op, d))).map(|(op, (i, o))| format!("{op} {i} {o}")), max_time = 1)]
fn dense(bencher: Bencher, arguments: &str) {
    let words: Vec<&str> = arguments.split(' ').collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    affine(bencher, Map::Dense { inputs: number(words[1]), outputs: number(words[2]) }, words[0]);
}

#[divan::bench(args = ["pool", "unpool"], max_time = 1)]
fn pooling(bencher: Bencher, operation: &str) {
    let pooling = Pooling { height: 32, width: 32, channels: 64 };
    let (large, small, routing) = (BufferId(0), BufferId(1), RoutingId(0));
    let op = match operation {
        "pool" => Op::Pool { pooling, input: large, output: small, routing },
        _ => Op::Unpool { pooling, input: small, routing, output: large },
    };
    execute(bencher, vec![pooling.inputs(), pooling.outputs()], vec![], op, 0);
}
