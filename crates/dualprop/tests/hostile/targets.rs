//! What every parser does with bytes from anywhere: for the fuzz targets in `fuzz/`, and for the replay of their seeds here.

use std::cell::RefCell;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use dualprop::compute::{Loss, Pool};
use dualprop::data::{
    CifarKind, Dataset, Folders, ImportedFile, read_cifar, read_imagenet_npz, read_images, read_images_npy, read_labels,
    read_labels_npy, read_svhn,
};
use dualprop::network::Model;
use dualprop::report::Report;
use dualprop::training::case::{Case, TraceOptions, trace};
use dualprop::training::{
    Destination, Listener, MetricsLog, Recipe, RunDirectory, Sweep, SweepDirectory, Trainer, Workers, predict, resume, run,
    verify,
};
use tempfile::TempDir;

/// A parser, and what is done with what it reads.
pub(crate) struct Target {
    /// Of the fuzz target, and of the folder of its seeds.
    pub(crate) name: &'static str,
    /// Whether it took the bytes for what it reads.
    pub(crate) accepts: fn(&[u8]) -> bool,
    /// The most bytes of memory for one byte of a file, beside [`CONSTANT`]. Deflate makes 1032 bytes of one.
    pub(crate) per_byte: usize,
}

/// What any of them may use whatever the size of the file: tables of zlib, a small network with its engines, the digits.
pub(crate) const CONSTANT: usize = 8 << 20;

/// Deflate makes at most 258 bytes of two bits; once packed and once or twice unpacked.
const PACKED: usize = 3 * 1032;

/// Every parser that reads files of others.
pub(crate) const TARGETS: [Target; 13] = [
    Target { name: "case", accepts: case, per_byte: 64 },
    Target { name: "model", accepts: model, per_byte: 64 },
    Target { name: "idx", accepts: idx, per_byte: PACKED },
    Target { name: "cifar", accepts: cifar, per_byte: 8 },
    Target { name: "mat", accepts: mat, per_byte: PACKED },
    Target { name: "npy", accepts: npy, per_byte: 16 },
    Target { name: "npz", accepts: npz, per_byte: PACKED },
    Target { name: "imported", accepts: imported, per_byte: 64 },
    Target { name: "recipe", accepts: recipe, per_byte: 1024 },
    Target { name: "checkpoint", accepts: checkpoint, per_byte: 64 },
    Target { name: "run_directory", accepts: run_directory, per_byte: 64 },
    // Of a few lists of values up to 4096 cells are made, each with a recipe of its own.
    Target { name: "sweep", accepts: sweep, per_byte: 1 << 15 },
    // A row of a few bytes becomes a cell with its colour, its label and what a closer look says.
    Target { name: "tables", accepts: tables, per_byte: 1 << 10 },
];

/// The target of this name.
pub(crate) fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).expect("the target is in the table")
}

/// A folder in memory, where there is one.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder can be made")
}

/// Has a parser read a file of these bytes; each thread has one, and writes it again and again.
fn with_file<R>(bytes: &[u8], read: impl FnOnce(&Path) -> R) -> R {
    thread_local!(static FOLDER: TempDir = folder());
    FOLDER.with(|folder| {
        // A map of the file before must not change beneath it.
        let path = folder.path().join("input");
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).expect("a temporary file can be written");
        read(&path)
    })
}

fn one_thread() -> Pool {
    Pool::new(1).expect("one thread needs nothing")
}

/// Small enough to be traced thousands of times a second.
fn case(bytes: &[u8]) -> bool {
    let Ok(case) = Case::parse(Path::new("case"), bytes) else { return false };
    let setting = |key: &str| case.settings().get(key).and_then(|value| value.parse::<u64>().ok()).unwrap_or(1);
    if setting("passes") * setting("steps") * case.samples() as u64 * (case.topology().parameter_count() as u64) < 100_000 {
        let _ = trace::<f32>(&case, TraceOptions::default(), &one_thread());
    }
    true
}

fn model(bytes: &[u8]) -> bool {
    let Ok(model) = with_file(bytes, Model::load) else { return false };
    let input = model.topology.input();
    let (pixels, classes) = (vec![7; input.neurons()], model.topology.outputs());
    if let Ok(dataset) = Dataset::new("one", input, classes, 16, pixels, vec![0]) {
        let _ = predict(&model, &dataset, Loss::CrossEntropy, &one_thread());
    }
    true
}

fn idx(bytes: &[u8]) -> bool {
    with_file(bytes, |path| read_images(path).is_ok() | read_labels(path).is_ok())
}

fn cifar(bytes: &[u8]) -> bool {
    with_file(bytes, |path| [CifarKind::Ten, CifarKind::Hundred].map(|kind| read_cifar(path, kind).is_ok()).contains(&true))
}

fn mat(bytes: &[u8]) -> bool {
    with_file(bytes, read_svhn).is_ok()
}

fn npy(bytes: &[u8]) -> bool {
    with_file(bytes, |path| read_images_npy(path).is_ok() | read_labels_npy(path).is_ok())
}

fn npz(bytes: &[u8]) -> bool {
    with_file(bytes, read_imagenet_npz).is_ok()
}

fn imported(bytes: &[u8]) -> bool {
    let read = |path: &Path| {
        let file = ImportedFile::open(path)?;
        file.dataset()?;
        file.verify()
    };
    with_file(bytes, read).is_ok()
}

fn recipe(bytes: &[u8]) -> bool {
    with_file(bytes, |path| {
        let recipe = Recipe::load_file(path, &[]);
        if let Ok(recipe) = &recipe {
            // What is effective is a recipe as well.
            let text = recipe.params().to_toml().expect("a recipe can be written");
            Recipe::parse(&text, "its effective text", &[]).expect("and read again");
        }
        recipe.is_ok()
    })
}

/// A training of the digits that keeps all that a checkpoint can hold: moments, states, sums, the best epoch.
pub(crate) fn small() -> Recipe {
    let sets = [
        "training.epochs=2",
        "training.batch_size=16",
        "training.checkpoint_every=3",
        "training.alignment_every=4",
        "training.threads=1",
        "data.limit_train=64",
        "data.validation=20",
        "learning.start=previous",
        "optimizer.kind=adam",
        "network.layers=['dense 4', 'dense 10']",
    ];
    Recipe::load("digits", &sets.map(String::from)).expect("the recipe is sound")
}

fn no_folders() -> Folders {
    Folders::new(vec![])
}

/// A trainer, a run directory that it goes on in, and where that lies.
fn place() -> (Trainer, RunDirectory, TempDir) {
    let (recipe, root) = (small(), folder());
    let trainer = Trainer::new(&recipe, &no_folders(), 0, &one_thread()).expect("the recipe can be trained");
    let directory = RunDirectory::create(&Destination::below(root.path()), recipe.params(), 1).expect("the folder is new");
    (trainer, directory, root)
}

/// Stops after some events: whatever a checkpoint says, a training goes on from it for a while.
fn stopping() -> Box<Listener<'static>> {
    let mut events = 0;
    Box::new(move |_| {
        events += 1;
        if events < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}

fn checkpoint(bytes: &[u8]) -> bool {
    thread_local!(static PLACE: RefCell<(Trainer, RunDirectory, TempDir)> = RefCell::new(place()));
    PLACE.with_borrow_mut(|(trainer, directory, _)| {
        let checkpoints = directory.path().join("checkpoints");
        let write = |path: &Path, bytes: &[u8]| fs::write(path, bytes).expect("a temporary file can be written");
        fs::create_dir_all(&checkpoints).expect("a temporary folder can be made");
        write(&checkpoints.join("last.safetensors"), bytes);
        // As many bytes as the checkpoint may ask for.
        write(&directory.path().join("metrics.jsonl"), &[b'\n'; 4096]);
        let resumed = trainer.resume(directory).is_ok();
        if resumed {
            let _ = trainer.run(directory, &mut *stopping());
        }
        resumed
    })
}

/// The first byte says which file of a finished run the others stand in.
fn run_directory(bytes: &[u8]) -> bool {
    thread_local!(static RUN: TempDir = finished());
    let Some((which, bytes)) = bytes.split_first() else { return false };
    let files = ["recipe.toml", "summary.json", "metrics.jsonl", "lock"];
    let name = files[usize::from(*which) % files.len()];
    RUN.with(|root| {
        let run = &root.path().join("run");
        let path = run.join(name);
        let kept = fs::read(&path).expect("a finished run has the file");
        fs::write(&path, bytes).expect("a temporary file can be written");
        let accepted = match name {
            // A recipe may well ask for days of training, or for all of the memory: it is read, and compared with nothing.
            "recipe.toml" => RunDirectory::open(run).is_ok() && Recipe::load_file(&path, &[]).is_ok(),
            // Line by line, and up to the end of the first epoch.
            "metrics.jsonl" => MetricsLog::load(&path).is_ok() & verify(run, &no_folders(), None).is_ok(),
            _ => resume(run, &no_folders(), None, &mut *stopping()).is_ok(),
        };
        fs::write(&path, kept).expect("a temporary file can be written");
        accepted
    })
}

/// A folder with a run that is complete.
fn finished() -> TempDir {
    let root = folder();
    let destination = Destination { root: root.path().into(), name: Some("run".into()), force: false };
    run(&small(), &no_folders(), &destination, &mut |_| ControlFlow::Continue(())).expect("a small training ends well");
    root
}

/// A table that a report draws.
fn tables(bytes: &[u8]) -> bool {
    with_file(bytes, |path| Report::of(&[path.into()], None).is_ok_and(|report| report.figures() == 1))
}

/// The files of a sweep that are read, by the number that a seed begins with.
pub(crate) const OF_SWEEP: [&str; 3] = ["sweep.json", "alpha=0/summary.json", "alpha=1/diverged.json"];

/// The first byte says which file of a sweep that is over the others stand in.
fn sweep(bytes: &[u8]) -> bool {
    thread_local!(static SWEEP: TempDir = swept());
    let Some((which, bytes)) = bytes.split_first() else { return false };
    SWEEP.with(|root| {
        let folder = root.path().join("sweep");
        let path = folder.join(OF_SWEEP[usize::from(*which) % OF_SWEEP.len()]);
        let kept = fs::read(&path).expect("a sweep that is over has the file");
        fs::write(&path, bytes).expect("a temporary file can be written");
        // What is over is read and put into the table; what it would train, which may be anything, is not begun.
        let accepted = SweepDirectory::open(&folder)
            .and_then(|sweep| sweep.run(&no_folders(), Workers { jobs: 1, threads: 1 }, &|_| ControlFlow::Break(())))
            .is_ok();
        fs::write(&path, kept).expect("a temporary file can be written");
        accepted
    })
}

/// A folder with a sweep of two cells, one of which diverges.
pub(crate) fn swept() -> TempDir {
    let root = folder();
    let sets =
        ["training.epochs=1", "data.limit_train=64", "data.validation=20", "optimizer.learning_rate=0.1", "learning.beta=0.1"];
    let grid = ["learning.alpha=0,1".to_string()];
    let sweep = Sweep::new("digits", &sets.map(String::from), &grid, Some(1)).expect("the sweep is sound");
    let destination = Destination { root: root.path().into(), name: Some("sweep".into()), force: false };
    let directory = SweepDirectory::create(&destination, sweep).expect("the folder is new");
    directory.run(&no_folders(), Workers { jobs: 1, threads: 1 }, &|_| ControlFlow::Continue(())).expect("it ends well");
    // As if the second cell had died: no setting lets one of a sweep's cells do so whatever the numbers of the others.
    let cell = root.path().join("sweep/alpha=1");
    fs::remove_file(cell.join("summary.json")).expect("a finished cell has one");
    fs::write(cell.join("diverged.json"), r#"{"format":1,"diverged":[{"seed":0,"step":3,"quantity":"the loss"}]}"#)
        .expect("a file can be written");
    root
}
