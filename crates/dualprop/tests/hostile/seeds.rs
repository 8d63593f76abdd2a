//! Writes the seeds: `cargo test -p dualprop --test hostile write_the_seeds -- --ignored`, after a format has changed.

use std::fs;
use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::Path;

use dualprop::data::Folders;
use dualprop::training::{BUILT_IN, Destination, Event, Experiment, Form, Recipe, SweepDirectory, resume, run};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::targets::{OF_SWEEP, small, swept};

/// Writes a seed; `name` is "target/file".
fn write(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/seeds").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
#[ignore = "it writes into the sources"]
fn write_the_seeds() {
    idx();
    cifar();
    mat();
    npy_and_npz();
    imported();
    cases();
    texts_and_models();
    runs();
}

/// Numbers without much of a pattern.
fn pixels(count: usize) -> Vec<u8> {
    (0..count).map(|i| (i * i + i / 7) as u8).collect()
}

fn idx() {
    let images = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 3][..], &pixels(24)].concat();
    let labels = [0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 9];
    write("idx/valid-images", &images);
    write("idx/valid-labels", &labels);
    for (name, bytes) in [("images", &images[..]), ("labels", &labels[..])] {
        let mut packed = GzEncoder::new(vec![], Compression::best());
        packed.write_all(bytes).unwrap();
        write(&format!("idx/valid-{name}.gz"), &packed.finish().unwrap());
    }
}

fn cifar() {
    let ten = [&[3][..], &pixels(3072)].concat();
    write("cifar/valid-ten", &[&ten[..], &ten].concat());
    write("cifar/valid-hundred", &[&[7, 99][..], &pixels(3072)].concat());
}

fn mat() {
    let element = |kind: u32, data: &[u8]| {
        let mut bytes = [&kind.to_le_bytes(), &(data.len() as u32).to_le_bytes(), data].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let variable = |name: &str, extents: &[u32], kind: u32, data: &[u8]| {
        let extents: Vec<u8> = extents.iter().flat_map(|n| n.to_le_bytes()).collect();
        let parts =
            [element(6, &[9, 0, 0, 0, 0, 0, 0, 0]), element(5, &extents), element(1, name.as_bytes()), element(kind, data)];
        element(14, &parts.concat())
    };
    let variables = [variable("X", &[32, 32, 3, 1], 2, &pixels(3072)), variable("y", &[1, 1], 9, &10f64.to_le_bytes())];
    let mut header = b"MATLAB 5.0 MAT-file".to_vec();
    header.resize(124, b' ');
    header.extend([0, 1, b'I', b'M']);
    write("mat/valid-plain", &[&header[..], &variables.concat()].concat());
    let packed = variables.map(|variable| {
        let mut packed = ZlibEncoder::new(vec![], Compression::best());
        packed.write_all(&variable).unwrap();
        let data = packed.finish().unwrap();
        [&15u32.to_le_bytes(), &(data.len() as u32).to_le_bytes(), &data[..]].concat()
    });
    write("mat/valid-packed", &[&header[..], &packed.concat()].concat());
}

fn npy_and_npz() {
    let array = |kind: &str, shape: &str, data: &[u8]| {
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        header.extend(std::iter::repeat_n(' ', 117usize.saturating_sub(header.len())));
        header.push('\n');
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    };
    let doubles: Vec<u8> = [0.0f64, 0.25, 0.5, 1.0, 0.75, 0.125].iter().flat_map(|x| x.to_le_bytes()).collect();
    write("npy/valid-bytes", &array("|u1", "(2, 3, 4, 1)", &pixels(24)));
    write("npy/valid-labels", &array("<i8", "(2,)", &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]));
    write("npy/valid-flat", &array("|u1", "(2, 3)", &pixels(6)));
    write("npy/doubles", &array("<f8", "(2, 3)", &doubles));
    for (name, method) in [("stored", CompressionMethod::Stored), ("deflated", CompressionMethod::Deflated)] {
        let mut archive = ZipWriter::new(Cursor::new(vec![]));
        for (name, bytes) in [("data.npy", array("|u1", "(1, 3072)", &pixels(3072))), ("labels.npy", array("|u1", "(1,)", &[5]))]
        {
            archive.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
            archive.write_all(&bytes).unwrap();
        }
        write(&format!("npz/valid-{name}"), &archive.finish().unwrap().into_inner());
    }
}

/// A safetensors file: (name, type, shape, bytes) of each tensor.
fn safetensors(metadata: &[(&str, &str)], tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let metadata: Vec<String> = metadata.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect();
    let (mut header, mut data) = (format!("{{\"__metadata__\":{{{}}}", metadata.join(",")), vec![]);
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        header += &format!(",{name:?}:{{\"dtype\":{dtype:?},\"shape\":{shape:?},\"data_offsets\":[{start},{}]}}", data.len());
    }
    header.push('}');
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

fn imported() {
    let (images, labels) = (pixels(2 * 12), [1u32, 0].map(u32::to_le_bytes).concat());
    let sum: String = Sha256::digest([&images[..], &labels].concat()).iter().map(|byte| format!("{byte:02x}")).collect();
    let metadata = [("format", "1"), ("name", "mine"), ("part", "train"), ("classes", "3"), ("sha256", &sum)];
    let tensors = [("images", "U8", &[2, 3, 4, 1][..], images), ("labels", "U32", &[2], labels)];
    write("imported/valid", &safetensors(&metadata, &tensors));
}

fn cases() {
    let numbers = |count: usize| -> Vec<u8> { (0..count).flat_map(|i| libm::sin(i as f64 + 0.3).to_le_bytes()).collect() };
    let labels = || [1i32, 0].map(i32::to_le_bytes).concat();
    let network = [
        ("rule", "dp_transpose"),
        ("alpha", "0.25"),
        ("beta", "0.5"),
        ("schedule", "fwbwK"),
        ("passes", "2"),
        ("activation", "relu"),
        ("loss", "cross_entropy"),
        ("input_shape", "[4, 4, 1]"),
        ("conv_features", "[2]"),
        ("pool_after_conv", "[true]"),
        ("dense_features", "[3]"),
        ("batch", "2"),
    ];
    let maps = [
        ("kernel.0", "F64", &[3, 3, 1, 2][..], numbers(18)),
        ("bias.0", "F64", &[2], numbers(2)),
        ("kernel.1", "F64", &[8, 3], numbers(24)),
        ("bias.1", "F64", &[3], numbers(3)),
    ];
    let once = [("x", "F64", &[2, 4, 4, 1][..], numbers(32)), ("labels", "I32", &[2], labels())];
    write("case/valid-inference", &safetensors(&network, &[&maps[..], &once].concat()));
    let optimizer = [
        ("optimizer", "sgd"),
        ("steps", "2"),
        ("momentum", "0.9"),
        ("weight_decay", "0.01"),
        ("schedule_kind", "warmup_cosine"),
        ("learning_rate", "0.1"),
        ("init_learning_rate", "0"),
        ("final_learning_rate", "0.01"),
        ("warmup_steps", "1"),
        ("decay_steps", "2"),
    ];
    let twice = [("x", "F64", &[2, 2, 4, 4, 1][..], numbers(64)), ("labels", "I32", &[2, 2], [labels(), labels()].concat())];
    write("case/valid-training", &safetensors(&[&network[..], &optimizer].concat(), &[&maps[..], &twice].concat()));
}

fn texts_and_models() {
    for built_in in BUILT_IN {
        let recipe = Recipe::load(built_in.name, &[]).unwrap();
        write(&format!("recipe/valid-{}.toml", built_in.name), recipe.params().to_toml().unwrap().as_bytes());
    }
    let analysed = [
        "learning.rule=lpom",
        "learning.damped=false",
        "learning.input_perturbation=0.1",
        "learning.input_attack=pgd",
        "analysis.robustness_samples=5",
        "analysis.attacks=['noise linf 0.1', 'pgd-3 l2 1']",
    ];
    let recipe = Recipe::load("digits", &analysed.map(String::from)).unwrap();
    write("recipe/valid-analysed.toml", recipe.params().to_toml().unwrap().as_bytes());
    let disturbed = [
        "learning.schedule=random",
        "learning.passes=4",
        "disturbance.state_noise=0.1",
        "disturbance.nudge_noise=0.1",
        "disturbance.message_noise=0.1",
        "disturbance.noise_per=sample",
        "disturbance.beta_mismatch=-0.1",
        "disturbance.alpha_mismatch=0.1",
        "disturbance.dead=0.1",
        "disturbance.stuck=0.1",
        "disturbance.state_bits=8",
        "disturbance.message_bits=8",
        "disturbance.weight_bits=8",
        "disturbance.rounding=stochastic",
        "disturbance.update_probability=[0.5,0.5,1]",
        "disturbance.redraw_order=true",
    ];
    let recipe = Recipe::load("digits", &disturbed.map(String::from)).unwrap();
    write("recipe/valid-disturbed.toml", recipe.params().to_toml().unwrap().as_bytes());
    let sets = ["learning.feedback=noisy_copy", "learning.feedback_noise=0.25"].map(String::from);
    let recipe = Recipe::load("digits", &sets).unwrap();
    write("recipe/valid-feedback.toml", recipe.params().to_toml().unwrap().as_bytes());
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for name in ["format-1", "format-1-feedback"] {
        write(&format!("model/valid-{name}"), &fs::read(tests.join(format!("models/{name}.safetensors"))).unwrap());
    }
}

/// The metrics of one epoch, with a line of every kind.
fn analysed_metrics() -> Vec<u8> {
    let sets = [
        "training.epochs=1",
        "training.batch_size=16",
        "training.threads=1",
        "data.limit_train=32",
        "data.validation=20",
        "network.layers=['dense 4', 'dense 10']",
        "analysis.lipschitz_samples=2",
        "analysis.objective_samples=2",
        "analysis.settling_samples=2",
        "analysis.robustness_samples=2",
        "analysis.attacks=['fgsm linf 0.1', 'pgd-2 l2 1']",
    ];
    let (recipe, root) = (Recipe::load("digits", &sets.map(String::from)).unwrap(), tempfile::tempdir().unwrap());
    let destination = Destination { root: root.path().into(), name: Some("run".into()), force: false };
    run(&recipe, &Folders::new(vec![]), &destination, &mut |_| ControlFlow::Continue(())).unwrap();
    fs::read(root.path().join("run/metrics.jsonl")).unwrap()
}

/// Of a small training: its checkpoint in the first epoch and after the last, and its files.
fn runs() {
    let root = tempfile::tempdir().unwrap();
    let (folders, destination) =
        (Folders::new(vec![]), Destination { root: root.path().into(), name: Some("run".into()), force: false });
    let mut stop = |event: Event| match event {
        Event::Step(2) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    run(&small(), &folders, &destination, &mut stop).unwrap();
    let run = root.path().join("run");
    let checkpoint = run.join("checkpoints/last.safetensors");
    write("checkpoint/valid-begun", &fs::read(&checkpoint).unwrap());
    resume(&run, &folders, None, &mut |_| ControlFlow::Continue(())).unwrap().finished().unwrap();
    write("checkpoint/valid-finished", &fs::read(&checkpoint).unwrap());
    write("model/valid-small", &fs::read(run.join("model.safetensors")).unwrap());
    for (number, name) in (0..).zip(["recipe.toml", "summary.json", "metrics.jsonl", "lock"]) {
        write(&format!("run_directory/valid-{name}"), &[&[number][..], &fs::read(run.join(name)).unwrap()].concat());
    }
    write("run_directory/valid-analysed-metrics.jsonl", &[&[2][..], &analysed_metrics()].concat());
    let root = swept();
    for (number, name) in (0..).zip(OF_SWEEP) {
        let bytes = fs::read(root.path().join("sweep").join(name)).unwrap();
        write(&format!("sweep/valid-{}", name.replace('/', "-")), &[&[number][..], &bytes].concat());
    }
    write("sweep/valid-experiment.json", &[&[0][..], &experiment()].concat());
}

/// What the folder of an experiment says of itself.
fn experiment() -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    let form = Form { quick: true, with: vec!["training.batch_size=50".into()], seeds: None };
    let sweep = Experiment::find("vgg16-2023").unwrap().sweep(&form).unwrap();
    let directory = SweepDirectory::create(&Destination::below(root.path()), sweep).unwrap();
    fs::read(directory.path().join("sweep.json")).unwrap()
}

#[test]
#[ignore = "it writes into the sources"]
fn write_the_seed_of_an_experiment() {
    write("sweep/valid-experiment.json", &[&[0][..], &experiment()].concat());
}
