//! The same bits on every processor: the model after an epoch has one digest, whatever computes them.

use std::fs;
use std::ops::ControlFlow;

use dualprop::compute::{Isa, Pool};
use dualprop::training::{Destination, Recipe, RunDirectory, Trainer};
use sha2::{Digest, Sha256};

use super::no_folders;

/// Of the recipe `digits` with one epoch.
const DENSE: &str = "1435946e5ad036fa47b5f93aba1a50dfa9c4c913447c01de2ce966edfa986d1f";

/// Of a network of transformed and direct convolutions, by DP⊤ with α = ½.
const CONVOLUTIONAL: &str = "5b372904e92458c262f1e2c44b7c475676b1bd3293a3162c1dffb8df2a5c3965";

/// The same with a weight product by the small transforms, for which the table has images of 16 x 16.
const SMALL_TRANSFORMS: &str = "8bd6f922ae6eb8b507d584358b85f2f38cd5a4c004534a849ecf2753a9ab83dd";

/// The digest of the model that a training on these instructions ends with.
fn digest(recipe: &Recipe, threads: usize, isa: Isa) -> String {
    let root = tempfile::tempdir().unwrap();
    let pool = Pool::with_isa(threads, isa).unwrap();
    let mut trainer = Trainer::new(recipe, &no_folders(), 0, &pool).unwrap();
    let directory = RunDirectory::create(&Destination::below(root.path()), recipe.params(), threads).unwrap();
    trainer.run(&directory, &mut |_| ControlFlow::Continue(())).unwrap().finished().unwrap();
    let bytes = fs::read(directory.path().join("model.safetensors")).unwrap();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(sets: &[&str], expected: &str) {
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    let recipe = Recipe::load("digits", &sets).unwrap();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        // All of them by one set of instructions; the others take the same shares.
        let threads: &[usize] = if isa == Isa::Portable { &[1, 2, 3, 8] } else { &[1, 3] };
        for &threads in threads {
            assert_eq!(digest(&recipe, threads, isa), expected, "{}, {threads} threads", isa.name());
        }
    }
}

#[test]
fn a_dense_network_has_one_digest() {
    check(&["training.epochs=1", "training.alignment_every=0"], DENSE);
}

#[test]
fn a_convolutional_network_has_one_digest() {
    let layers = "network.layers=['conv 32', 'conv 32 pool', 'conv 20 5x5 pool', 'dense 10']";
    let sets = ["training.epochs=1", "training.alignment_every=0", "data.limit_train=200", "learning.alpha=0.5", layers];
    check(&sets, CONVOLUTIONAL);
}

#[test]
fn a_network_of_small_transforms_has_one_digest() {
    let layers = "network.layers=['conv 64', 'conv 64 pool', 'dense 10']";
    let sets = ["training.epochs=1", "training.alignment_every=0", "data.limit_train=100", "data.pad=16", layers];
    check(&sets, SMALL_TRANSFORMS);
}
