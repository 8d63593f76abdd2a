//! An interrupted training goes on to the same bits.

use std::fs;
use std::ops::ControlFlow;

use dualprop::base::random::{Purpose, Random};
use dualprop::training::{Outcome, SeedResult, Summary, resume};

use crate::{folder, go_on, no_folders, recipe, result, stop_at, until, whole};

/// Recipes whose resume needs more than parameters: moments, states, several updates per batch, augmentation, feedback kernels,
/// perturbation, and disturbances with their running scales.
const RECIPES: [&[&str]; 14] = [
    &[],
    &["optimizer.kind=adam", "optimizer.learning_rate=1e-3", "learning.alpha=0.5", "data.augment=crop_flip"],
    &["learning.start=previous", "learning.schedule=parallel", "learning.passes=4", "learning.nudge=linearised_live"],
    &["learning.multistep=3", "optimizer.kind=adamw", "optimizer.learning_rate=1e-3", "learning.alpha=0.5"],
    &["learning.multistep=2", "learning.start=previous", "learning.passes=2", "optimizer.learning_rate=0.01"],
    &["learning.feedback=random", "optimizer.kind=adam", "optimizer.learning_rate=1e-3", "learning.rule=backprop"],
    &["learning.feedback=kolen_pollack", "learning.alpha=0.5", "training.checkpoint_every=3"],
    &["learning.feedback=noisy_copy", "learning.feedback_noise=0.5", "learning.multistep=2", "learning.alpha=0.5"],
    &["learning.rule=backprop", "learning.input_perturbation=0.1", "training.shuffle=batches", "training.checkpoint_every=5"],
    &[
        "disturbance.state_noise=0.02",
        "disturbance.message_bits=8",
        "disturbance.weight_bits=8",
        "disturbance.rounding=stochastic",
        "disturbance.dead=0.02",
        "disturbance.alpha_mismatch=0.1",
    ],
    &[
        "learning.multistep=2",
        "learning.schedule=parallel",
        "learning.passes=4",
        "disturbance.update_probability=[0.6,0.8,1]",
        "disturbance.message_noise=0.02",
        "disturbance.noise_per=sample",
    ],
    &["learning.start=previous", "learning.schedule=parallel", "learning.passes=4", "disturbance.nudge_noise=0.05"],
    &["learning.schedule=random", "learning.passes=5", "disturbance.redraw_order=true", "analysis.settling_samples=20"],
    &["learning.start=previous", "learning.multistep=2", "learning.passes=2", "disturbance.message_bits=8"],
];

fn without_time(summary: &Summary) -> Vec<SeedResult> {
    summary.results.clone()
}

#[test]
fn a_training_split_at_every_epoch_and_at_random_steps_is_the_unsplit_one() {
    let mut random = Random::new(11, Purpose::Synthetic, 0, 0);
    for (number, sets) in RECIPES.iter().enumerate() {
        let root = tempfile::tempdir().unwrap();
        let recipe = recipe("digits", &[*sets, &["training.threads=2"]].concat());
        let summary = whole(&recipe, root.path(), "whole");
        let expected = result(&folder(root.path(), "whole"));
        let per_epoch = 11 * recipe.params().learning.multistep as u64;
        let random_steps = (0..5).map(|_| 1 + random.below(3 * per_epoch as usize - 1) as u64);
        // The end of each epoch, the step before and after it, and anywhere.
        let steps = [per_epoch, 2 * per_epoch, per_epoch - 1, per_epoch + 1].into_iter().chain(random_steps);
        for step in steps {
            let name = format!("split-{step}");
            if folder(root.path(), &name).exists() {
                continue;
            }
            assert_eq!(until(&recipe, root.path(), &name, step), Outcome::Interrupted, "{sets:?} at {step}");
            let run = folder(root.path(), &name);
            assert!(!run.join("summary.json").exists());
            let resumed = go_on(&run, 1 + number % 3);
            assert!(result(&run) == expected, "{sets:?}, interrupted after step {step}: other bits");
            assert_eq!(without_time(&resumed), without_time(&summary));
        }
    }
}

#[test]
fn a_training_may_be_interrupted_again_and_again() {
    let root = tempfile::tempdir().unwrap();
    let recipe = recipe("digits", &[]);
    whole(&recipe, root.path(), "whole");
    until(&recipe, root.path(), "often", 1);
    let run = folder(root.path(), "often");
    for step in (2..33).step_by(3) {
        assert_eq!(resume(&run, &no_folders(), None, &mut stop_at(step)).unwrap(), Outcome::Interrupted);
    }
    go_on(&run, 3);
    assert!(result(&run) == result(&folder(root.path(), "whole")));
}

#[test]
fn what_was_written_after_the_checkpoint_is_cut_off() {
    let root = tempfile::tempdir().unwrap();
    let recipe = recipe("digits", &[]);
    whole(&recipe, root.path(), "whole");
    until(&recipe, root.path(), "killed", 16);
    let run = folder(root.path(), "killed");
    let mut text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text += "{\"kind\":\"epoch\",\"epoch\":2}\n{\"half a li";
    fs::write(run.join("metrics.jsonl"), text).unwrap();
    go_on(&run, 2);
    assert!(result(&run) == result(&folder(root.path(), "whole")));
}

#[test]
fn without_a_checkpoint_a_run_starts_from_its_recipe_and_a_finished_one_stays() {
    let root = tempfile::tempdir().unwrap();
    let recipe = recipe("digits", &[]);
    let summary = whole(&recipe, root.path(), "whole");
    until(&recipe, root.path(), "bare", 20);
    let run = folder(root.path(), "bare");
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    go_on(&run, 1);
    assert!(result(&run) == result(&folder(root.path(), "whole")));
    // A finished run says what came out, and nothing is touched.
    let before = fs::read(run.join("model.safetensors")).unwrap();
    let again = resume(&run, &no_folders(), None, &mut |event| panic!("{event:?}")).unwrap().finished().unwrap();
    assert_eq!(again.results, summary.results);
    assert_eq!(fs::read(run.join("model.safetensors")).unwrap(), before);
}

#[test]
fn several_seeds_go_on_where_they_were() {
    let root = tempfile::tempdir().unwrap();
    let recipe = recipe("digits", &["seeds=[3,4,5]"]);
    let summary = whole(&recipe, root.path(), "whole");
    let mut seeds = 0;
    let destination = dualprop::training::Destination { root: root.path().into(), name: Some("split".into()), force: false };
    let interrupted = dualprop::training::run(&recipe, &no_folders(), &destination, &mut |event| {
        seeds += u32::from(matches!(event, dualprop::training::Event::Started { .. }));
        if seeds == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(interrupted.unwrap(), Outcome::Interrupted);
    let resumed = go_on(&folder(root.path(), "split"), 2);
    assert_eq!(resumed.results, summary.results);
    assert_eq!(resumed.seeds, [3, 4, 5]);
    for seed in 3..=5 {
        let of_seed = |name: &str| result(&root.path().join(format!("{name}/seed-{seed}")));
        assert!(of_seed("split") == of_seed("whole"), "seed {seed}");
    }
    // Seeds differ.
    assert!(result(&root.path().join("whole/seed-3")).1 != result(&root.path().join("whole/seed-4")).1);
}

#[test]
fn damaged_checkpoints_are_refused_and_left_as_they_are() {
    let root = tempfile::tempdir().unwrap();
    let small = recipe("digits", &[]);
    until(&small, root.path(), "run", 16);
    let run = folder(root.path(), "run");
    let path = run.join("checkpoints/last.safetensors");
    let good = fs::read(&path).unwrap();
    let refused = |bytes: &[u8], expected: &str| {
        fs::write(&path, bytes).unwrap();
        let error = resume(&run, &no_folders(), None, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    };
    refused(&good[..good.len() - 1], "truncated");
    refused(&[], "expected at least the 8");
    refused(&fs::read(run.join("model.safetensors")).unwrap(), "metadata `kind` is missing");
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let place = good.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&good[..place], to.as_bytes(), &good[place + to.len()..]].concat()
    };
    refused(&replaced("momentum: 0.9", "momentum: 0.8"), "made by the optimizer Sgd { momentum: 0.8");
    refused(&replaced("parameter.bias.1", "parameter.bios.1"), "tensor `parameter.bias.1` is missing");
    refused(&replaced("\\\"steps\\\":16", "\\\"steps\\\":-6"), "metadata `progress`");
    refused(&replaced("\\\"seed\\\":0", "\\\"seed\\\":7"), "it is of seed 7, expected 0");
    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(&nan, "not finite");
    // Of another network.
    let wider = recipe("digits", &["network.layers=['dense 25', 'dense 16', 'dense 10']"]);
    until(&wider, root.path(), "wider", 3);
    refused(&fs::read(root.path().join("wider/checkpoints/last.safetensors")).unwrap(), "another network");
    fs::write(&path, good).unwrap();
    go_on(&run, 1);
}

#[test]
fn randomly_damaged_checkpoints_never_panic() {
    let root = tempfile::tempdir().unwrap();
    let recipe = recipe("digits", &["training.epochs=1"]);
    until(&recipe, root.path(), "run", 10);
    let run = folder(root.path(), "run");
    let path = run.join("checkpoints/last.safetensors");
    let good = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut random = Random::new(5, Purpose::Synthetic, 0, 0);
    for _ in 0..300 {
        let mut bytes = good.clone();
        let place = random.below(header);
        bytes[place] = random.bits() as u8;
        fs::write(&path, &bytes).unwrap();
        let metrics = fs::read(run.join("metrics.jsonl")).unwrap();
        // Whatever it is: an answer, at the latest after some batches that go on from what was read.
        let mut events = 0;
        let _ = resume(&run, &no_folders(), Some(1), &mut |_| {
            events += 1;
            if events < 6 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        fs::write(run.join("metrics.jsonl"), metrics).unwrap();
        let _ = fs::remove_file(run.join("summary.json"));
    }
}

#[test]
fn a_checkpoint_of_another_recipe_is_never_gone_on_from() {
    let root = tempfile::tempdir().unwrap();
    until(&recipe("digits", &[]), root.path(), "run", 16);
    let run = folder(root.path(), "run");
    let (path, good) = (run.join("recipe.toml"), fs::read_to_string(run.join("recipe.toml")).unwrap());
    // With more samples for validation others would test: those that the network was trained on.
    for (from, to) in [
        ("validation = 0.2", "validation = 0.4"),
        ("beta = 0.1", "beta = 0.2"),
        ("batch_size = 32", "batch_size = 16"),
        ("alignment_every = 4", "alignment_every = 5"),
    ] {
        assert!(good.contains(from), "{from} is not in {good}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let error = resume(&run, &no_folders(), None, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
        assert!(error.contains("recipe.toml or the data set has changed since"), "{to}: {error}");
    }
    // What never changes a result may change.
    fs::write(&path, good.replacen("checkpoint_every = 0", "checkpoint_every = 7", 1)).unwrap();
    go_on(&run, 2);
    whole(&recipe("digits", &[]), root.path(), "whole");
    assert_eq!(result(&run), result(&folder(root.path(), "whole")));
}

#[test]
fn another_seeds_summary_is_not_taken_for_ones_own() {
    let root = tempfile::tempdir().unwrap();
    whole(&recipe("digits", &["seeds=[0,1]"]), root.path(), "run");
    let run = folder(root.path(), "run");
    fs::remove_file(run.join("summary.json")).unwrap();
    fs::copy(run.join("seed-0/summary.json"), run.join("seed-1/summary.json")).unwrap();
    let error = resume(&run, &no_folders(), None, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(error.contains("it is not that of seed 1"), "{error}");
    fs::remove_file(run.join("seed-1/summary.json")).unwrap();
    assert_eq!(go_on(&run, 1).seeds, [0, 1]);
}

/// Force replaces a run that is over, and neither one that somebody is at work in nor the model that the new one starts from.
#[test]
fn force_takes_nothing_that_is_in_use() {
    let root = tempfile::tempdir().unwrap();
    let recipe = |sets: &[&str]| recipe("digits", sets);
    whole(&recipe(&["seeds=[0,1]"]), root.path(), "run");
    let run = folder(root.path(), "run");
    let forced = || dualprop::training::Destination { root: root.path().into(), name: Some("run".into()), force: true };
    let replace =
        |sets: &[&str]| dualprop::training::run(&recipe(sets), &no_folders(), &forced(), &mut |_| ControlFlow::Continue(()));
    for part in ["lock", "seed-1/lock"] {
        let lock = fs::File::options().write(true).open(run.join(part)).unwrap();
        lock.try_lock().unwrap();
        let error = replace(&[]).unwrap_err();
        assert!(matches!(error, dualprop::Error::Busy { .. }), "{error}");
    }
    let from = format!("network.from='{}'", run.join("seed-0/model.safetensors").display());
    let error = replace(&[&from]).unwrap_err().to_string();
    assert!(error.contains("it is part of the run that --force would replace"), "{error}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing was put aside");
    replace(&[]).unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

/// Where there is a checkpoint, the model that the training once started from is not needed any more.
#[test]
fn a_run_goes_on_without_the_model_that_it_started_from() {
    let root = tempfile::tempdir().unwrap();
    whole(&recipe("digits", &[]), root.path(), "first");
    let model = folder(root.path(), "first").join("model.safetensors");
    let from = format!("network.from='{}'", model.display());
    whole(&recipe("digits", &[&from]), root.path(), "whole");
    until(&recipe("digits", &[&from]), root.path(), "cut", 5);
    fs::remove_file(model).unwrap();
    go_on(&folder(root.path(), "cut"), 1);
    assert_eq!(result(&folder(root.path(), "cut")), result(&folder(root.path(), "whole")));
}
