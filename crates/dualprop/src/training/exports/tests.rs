//! The files against a reader of their formats that shares nothing with what writes them, and of a training that was interrupted
//! against those of the whole one.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::super::{Destination, Event, Exports, MetricsLog, Outcome, Recipe, resume, run};
use crate::base::protobuf::tests::fields;
use crate::data::Folders;

/// An event: its wall time, its step, and its numbers by tag; without a step, the version of the file.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::training) struct Read {
    pub(in crate::training) wall_time: f64,
    pub(in crate::training) step: Option<u64>,
    pub(in crate::training) scalars: Vec<(String, f32)>,
}

/// Takes a file of events apart.
pub(in crate::training) fn read_events(path: &Path) -> Vec<Read> {
    let (mut bytes, mut events) = (&fs::read(path).unwrap()[..], vec![]);
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let sum = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(sum(8), masked(&bytes[..8]));
        let event = &bytes[12..12 + length];
        assert_eq!(sum(12 + length), masked(event));
        events.push(read_event(event));
        bytes = &bytes[16 + length..];
    }
    events
}

/// By a table, where the writer goes bit by bit.
fn masked(bytes: &[u8]) -> u32 {
    let entry = |i: u32| (0..8).fold(i, |c, _| if c % 2 == 1 { (c / 2) ^ 0x82f63b78 } else { c / 2 });
    let table: Vec<u32> = (0..256).map(entry).collect();
    let crc = bytes.iter().fold(u32::MAX, |c, b| table[((c ^ u32::from(*b)) & 0xff) as usize] ^ (c >> 8)) ^ u32::MAX;
    crc.rotate_left(17).wrapping_add(0xa282ead8)
}

fn read_event(event: &[u8]) -> Read {
    let mut read = Read { wall_time: f64::NAN, step: None, scalars: vec![] };
    for (field, content) in fields(event) {
        match field {
            1 => read.wall_time = f64::from_le_bytes(content.try_into().unwrap()),
            2 => read.step = Some(u64::from_le_bytes(content.try_into().unwrap())),
            3 => assert_eq!(content, b"brain.Event:2"),
            5 => read.scalars = fields(&content).iter().map(|(_, value)| scalar(value)).collect(),
            other => panic!("a field {other}"),
        }
    }
    read
}

fn scalar(value: &[u8]) -> (String, f32) {
    let [(1, tag), (2, number)] = &fields(value)[..] else { panic!("no scalar") };
    (String::from_utf8(tag.clone()).unwrap(), f32::from_le_bytes(number[..].try_into().unwrap()))
}

fn recipe(more: &[&str]) -> Recipe {
    let sets = [
        "training.epochs=2",
        "training.batch_size=16",
        "training.checkpoint_every=3",
        "training.alignment_every=2",
        "training.threads=1",
        "data.limit_train=64",
        "data.validation=20",
        "network.layers=['dense 4', 'dense 10']",
    ];
    Recipe::load("digits", &sets.iter().chain(more).map(|set| set.to_string()).collect::<Vec<_>>()).unwrap()
}

fn no_folders() -> Folders {
    Folders::new(vec![])
}

/// Trains until `stop` says so, in `root/run`.
fn train(root: &Path, recipe: &Recipe, exports: &mut Exports, stop: &dyn Fn(&Event) -> bool) -> Outcome<super::super::Summary> {
    let destination = Destination { root: root.into(), name: Some("run".into()), force: false };
    let mut listen = |event: Event| if stop(&event) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    exports.during(&mut listen, |listen| run(recipe, &no_folders(), &destination, listen)).unwrap()
}

/// All but the times.
pub(in crate::training) fn contents(run: &Path) -> (Vec<Read>, Vec<Vec<String>>) {
    let mut events = read_events(&run.join("events.out.tfevents.dualprop"));
    for event in &mut events {
        event.wall_time = 0.0;
        event.scalars.retain(|(tag, _)| tag != "speed");
    }
    let mut table = csv::Reader::from_path(run.join("metrics.csv")).unwrap();
    let times: Vec<bool> = table.headers().unwrap().iter().map(|name| name.contains("second")).collect();
    let row = |row: csv::StringRecord| row.iter().zip(&times).filter(|(_, time)| !**time).map(|(cell, _)| cell.into()).collect();
    let rows = table.records().map(|record| row(record.unwrap())).collect();
    (events, rows)
}

#[test]
fn events_and_table_say_what_the_metrics_say() {
    let root = tempfile::tempdir().unwrap();
    train(root.path(), &recipe(&[]), &mut Exports::new(true, true), &|_| false).finished().unwrap();
    let run = root.path().join("run");
    let log = MetricsLog::load(&run.join("metrics.jsonl")).unwrap();
    let events = read_events(&run.join("events.out.tfevents.dualprop"));
    assert_eq!(events[0].step, None, "it begins with its version");
    let steps: Vec<u64> = events[1..].iter().map(|event| event.step.unwrap()).collect();
    assert_eq!(steps, [0, 2, 4, 4, 6, 8], "measured steps before their epoch");
    assert!(events.windows(2).all(|pair| pair[0].wall_time <= pair[1].wall_time));
    let value = |event: usize, tag: &str| events[event].scalars.iter().find(|(name, _)| name == tag).map(|(_, value)| *value);
    for (event, epoch) in [(3, &log.epochs[0]), (6, &log.epochs[1])] {
        for (tag, expected) in [
            ("accuracy/train", epoch.train_accuracy),
            ("accuracy/validation", epoch.validation_accuracy),
            ("loss/train", epoch.train_loss),
            ("loss/validation", epoch.validation_loss),
            ("learning_rate", epoch.learning_rate),
            ("angle_deg/layer_1", epoch.angles_deg[0].unwrap()),
            ("gamma/layer_2", epoch.gammas[1]),
            ("product_norm", epoch.product_norm.unwrap()),
            ("speed", epoch.samples_per_second),
        ] {
            assert_eq!(value(event, tag), Some(expected as f32), "{tag}");
        }
    }
    assert_eq!(value(1, "step/angle_deg/layer_1"), log.steps[0].angles_deg[0].map(|angle| angle as f32));
    assert_eq!(value(1, "step/loss"), Some(log.steps[0].train_loss as f32));
    let text = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let (mut table, epoch) = (csv::Reader::from_reader(text.as_bytes()), &log.epochs[1]);
    let columns = table.headers().unwrap().clone();
    let last = table.records().last().unwrap().unwrap();
    let cell = |name: &str| last.get(columns.iter().position(|column| column == name).unwrap()).unwrap().to_string();
    assert_eq!(cell("epoch"), "2");
    assert_eq!(cell("validation_loss").parse(), Ok(epoch.validation_loss));
    assert_eq!(cell("gamma_2").parse(), Ok(epoch.gammas[1]));
    assert_eq!((cell("feedback_cosine_1"), cell("local_lipschitz_mean")), (String::new(), String::new()));
    assert_eq!(cell("parameters_sha256"), epoch.parameters_sha256);
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn interrupted_anywhere_the_files_become_those_of_the_whole_training() {
    let whole = tempfile::tempdir().unwrap();
    let recipe = recipe(&[]);
    train(whole.path(), &recipe, &mut Exports::new(true, true), &|_| false).finished().unwrap();
    let expected = contents(&whole.path().join("run"));
    for at in 1..8 {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        let stop = |event: &Event| matches!(event, Event::Step(step) if *step == at);
        assert_eq!(train(root.path(), &recipe, &mut Exports::new(true, true), &stop), Outcome::Interrupted);
        // What a kill in the middle of an append leaves, and of a line of metrics.
        for name in ["events.out.tfevents.dualprop", "metrics.jsonl"] {
            let path = run.join(name);
            let mut bytes = fs::read(&path).unwrap();
            bytes.extend(b"\x20\0\0\0\0");
            fs::write(&path, bytes).unwrap();
        }
        let go_on = |exports: &mut Exports| {
            let mut listen = |_: Event| ControlFlow::Continue(());
            exports.during(&mut listen, |listen| resume(&run, &no_folders(), None, listen)).unwrap().finished().unwrap();
        };
        go_on(&mut Exports::new(true, true));
        assert!(contents(&run) == expected, "interrupted after step {at}");
        // Of a run that is complete nothing is heard.
        fs::remove_file(run.join("metrics.csv")).unwrap();
        fs::write(run.join("events.out.tfevents.dualprop"), "rubbish").unwrap();
        let mut later = Exports::new(true, true);
        go_on(&mut later);
        later.complete(&run).unwrap();
        assert!(contents(&run) == expected, "made afterwards");
    }
}

#[test]
fn each_seed_has_files_of_its_own_and_only_those_that_were_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let mut exports = Exports::new(true, false);
    train(root.path(), &recipe(&["seeds=[3,5]"]), &mut exports, &|_| false).finished().unwrap();
    let exist = |name: &str| ["seed-3", "seed-5", ""].map(|folder| run.join(folder).join(name).exists());
    assert_eq!(exist("events.out.tfevents.dualprop"), [true, true, false]);
    assert_eq!(exist("metrics.csv"), [false; 3]);
    let before = fs::read(run.join("seed-3/events.out.tfevents.dualprop")).unwrap();
    exports.complete(&run).unwrap();
    assert_eq!(fs::read(run.join("seed-3/events.out.tfevents.dualprop")).unwrap(), before, "up to date already");
    Exports::new(false, true).complete(&run).unwrap();
    assert_eq!(exist("metrics.csv"), [true, true, false]);
}
