//! Files of safetensors, which are read as models, cases, imported data sets and checkpoints.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use dualprop::Result;
use dualprop::data::{Folders, ImportedFile, import_arrays};
use dualprop::network::Model;
use dualprop::training::case::Case;
use dualprop::training::{Destination, Event, Recipe, resume, run};
use serde_json::{Value, json};

use crate::{npy, refused};

/// A file of safetensors, taken apart to be changed.
#[derive(Clone)]
struct Draft {
    metadata: Value,
    /// Name, type, shape and bytes, in the order of the data.
    tensors: Vec<(String, Value, Value, Vec<u8>)>,
}

impl Draft {
    fn of(bytes: &[u8]) -> Self {
        let (length, rest) = bytes.split_first_chunk().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header: serde_json::Map<String, Value> = serde_json::from_slice(header).unwrap();
        let metadata = header.remove("__metadata__").unwrap();
        let place = |tensor: &Value, i: usize| tensor["data_offsets"][i].as_u64().unwrap() as usize;
        let mut tensors: Vec<_> = header.into_iter().collect();
        tensors.sort_by_key(|(_, tensor)| place(tensor, 0));
        let bytes = |tensor: &Value| data[place(tensor, 0)..place(tensor, 1)].to_vec();
        let apart = |(name, tensor): (String, Value)| (name, tensor["dtype"].clone(), tensor["shape"].clone(), bytes(&tensor));
        Draft { metadata, tensors: tensors.into_iter().map(apart).collect() }
    }

    /// A file whose header names the tensors in reverse, each with the offsets that `place` makes of the right ones.
    fn file(&self, place: impl Fn(usize, [u64; 2]) -> [u64; 2]) -> Vec<u8> {
        let (mut entries, mut data) = (vec![], vec![]);
        for (i, (name, dtype, shape, bytes)) in self.tensors.iter().enumerate() {
            let start = data.len() as u64;
            data.extend(bytes);
            let offsets = place(i, [start, data.len() as u64]);
            let tensor = json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets });
            entries.push(format!("{}:{tensor}", json!(name)));
        }
        entries.push(format!("\"__metadata__\":{}", self.metadata));
        entries.reverse();
        let header = format!("{{{}}}", entries.join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
    }
}

/// The kinds of files that are safetensors, each with a good one and a way to read it that tells what was read.
pub(crate) struct Kinds {
    pub(crate) root: tempfile::TempDir,
}

impl Kinds {
    const NAMES: [&'static str; 4] = ["model", "case", "import", "checkpoint"];

    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let [images, labels] = ["images.npy", "labels.npy"].map(|name| root.path().join(name));
        fs::write(&images, npy("|u1", "(2, 1, 3)", &[1, 2, 3, 4, 5, 6])).unwrap();
        fs::write(&labels, npy("|u1", "(2,)", &[1, 0])).unwrap();
        import_arrays("own", (&images, &labels), None, 2, root.path()).unwrap();
        // Momentum and a best epoch, so that a checkpoint has all that one can have but states.
        let sets =
            ["training.epochs=2", "data.limit_train=96", "training.batch_size=32", "network.layers=['dense 4', 'dense 10']"];
        let recipe = Recipe::load("digits", &sets.map(String::from)).unwrap();
        let destination = Destination { root: root.path().into(), name: Some("run".into()), force: false };
        let mut stop = |event: Event| match event {
            Event::Step(4) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        run(&recipe, &Folders::new(vec![]), &destination, &mut stop).unwrap();
        Kinds { root }
    }

    fn path(&self, kind: &str) -> PathBuf {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        match kind {
            "model" => tests.join("models/format-1.safetensors"),
            "case" => tests.join("golden/mlp_a_dp_transpose_a0.25_b0.5_fwbwK3_relu_se.safetensors"),
            "import" => self.root.path().join("train.safetensors"),
            _ => self.root.path().join("run/checkpoints/last.safetensors"),
        }
    }

    /// Where a file of this kind is read from: a checkpoint only from its run.
    fn place(&self, kind: &str) -> PathBuf {
        if kind == "checkpoint" { self.path(kind) } else { self.root.path().join("hostile.safetensors") }
    }

    fn read(kind: &str, path: &Path) -> Result<String> {
        match kind {
            "model" => Model::load(path).map(|model| format!("{model:?}")),
            "case" => Case::read(path).map(|case| format!("{case:?}")),
            "import" => ImportedFile::open(path)?.dataset().map(|data| format!("{:?} {:?}", data.sample(1), data.labels())),
            _ => {
                let run = path.parent().and_then(Path::parent).unwrap();
                let mut listen = |event: Event| match event {
                    Event::Step(_) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                };
                resume(run, &Folders::new(vec![]), Some(1), &mut listen)?;
                // The checkpoint that was written one step later, without its counters, of which one is the time.
                Ok(format!("{:?}", Draft::of(&fs::read(path).unwrap()).tensors))
            }
        }
    }
}

#[test]
fn a_safetensors_file_that_claims_two_to_the_sixty_elements_is_refused_by_every_reader() {
    let kinds = Kinds::new();
    let elements = 1u64 << 60;
    for kind in Kinds::NAMES {
        let metadata = Draft::of(&fs::read(kinds.path(kind)).unwrap()).metadata;
        let path = kinds.place(kind);
        let read = |path: &Path| Kinds::read(kind, path);
        let with_header = |header: &str, length: u64| {
            fs::write(&path, [&length.to_le_bytes(), header.as_bytes()].concat()).unwrap();
            refused(&path, kind, read)
        };
        with_header("{}", elements);
        for name in ["images", "kernel.0", "x", "parameter.kernel.0"] {
            for (shape, size) in
                [(format!("[{elements}]"), elements), ("[1048576,1048576,1048576]".into(), elements), ("[]".into(), 1)]
            {
                let tensor = format!("\"{name}\":{{\"dtype\":\"U8\",\"shape\":{shape},\"data_offsets\":[0,{size}]}}");
                let header = format!("{{\"__metadata__\":{metadata},{tensor}}}");
                let text = with_header(&header, header.len() as u64);
                assert!(text.contains("but 0 are there: it is truncated or damaged"), "{text}");
            }
        }
    }
    // A topology of so many parameters, without any tensor.
    for (shape, layers) in [("[1, 1, 1152921504606846976]", "dense 2"), ("[1, 1, 3]", "dense 1152921504606846976")] {
        let mut draft = Draft::of(&fs::read(kinds.path("model")).unwrap());
        draft.metadata["input_shape"] = shape.into();
        draft.metadata["layers"] = json!([layers]).to_string().into();
        draft.tensors.clear();
        let path = kinds.place("model");
        fs::write(&path, draft.file(|_, offsets| offsets)).unwrap();
        refused(&path, shape, Model::load);
    }
    // No images at all, whose extents then need no byte.
    let mut draft = Draft::of(&fs::read(kinds.path("import")).unwrap());
    for (name, _, shape, bytes) in &mut draft.tensors {
        *shape = if name == "images" { json!([0, 1u64 << 40, 1u64 << 40, 1u64 << 40]) } else { json!([0]) };
        bytes.clear();
    }
    let path = kinds.place("import");
    fs::write(&path, draft.file(|_, offsets| offsets)).unwrap();
    let text = refused(&path, "no images", |path| Kinds::read("import", path));
    assert!(text.contains("it has no images"), "{text}");
}

#[test]
fn tensors_in_another_order_than_their_names_are_read_as_what_they_are() {
    let kinds = Kinds::new();
    for kind in Kinds::NAMES {
        let (good, place) = (fs::read(kinds.path(kind)).unwrap(), kinds.place(kind));
        let read = |bytes: &[u8]| {
            fs::write(&place, bytes).unwrap();
            Kinds::read(kind, &place).unwrap()
        };
        let mut draft = Draft::of(&good);
        let expected = read(&draft.file(|_, offsets| offsets));
        draft.tensors.reverse();
        assert!(read(&draft.file(|_, offsets| offsets)) == expected, "{kind}");
    }
}

#[test]
fn offsets_that_overlap_or_leave_a_gap_or_lead_elsewhere_are_refused_by_every_reader() {
    let kinds = Kinds::new();
    for kind in Kinds::NAMES {
        let draft = Draft::of(&fs::read(kinds.path(kind)).unwrap());
        let (last, path) = (draft.tensors.len() - 1, kinds.place(kind));
        let refuse = |bytes: Vec<u8>, what: &str| {
            fs::write(&path, bytes).unwrap();
            let text = refused(&path, &format!("{kind}: {what}"), |path| Kinds::read(kind, path));
            assert!(text.contains("its header is malformed"), "{what}: {text}");
        };
        let shifted = |from: usize, by: i64| {
            move |i: usize, offsets: [u64; 2]| {
                if i < from { offsets } else { offsets.map(|offset| offset.wrapping_add_signed(by)) }
            }
        };
        // The tensors from the second one begin within the first, and the data are cut to what is then left.
        let mut overlapping = draft.file(shifted(1, -4));
        overlapping.truncate(overlapping.len() - 4);
        refuse(overlapping, "overlap");
        refuse([draft.file(shifted(1, 4)), vec![0; 4]].concat(), "gap");
        refuse([draft.file(shifted(0, 4)), vec![0; 4]].concat(), "gap before the first");
        refuse(draft.file(shifted(last, 1 << 40)), "beyond the end");
        refuse(draft.file(|i, [start, end]| if i == last { [end, start] } else { [start, end] }), "backwards");
        refuse(draft.file(|i, [start, end]| if i == last { [0, end - start] } else { [start, end] }), "one on the other");
        refuse(draft.file(|_, [start, _]| [start, u64::MAX]), "all to the end");
    }
}

#[test]
fn a_number_that_is_none_is_refused_in_any_tensor_of_a_model_or_a_checkpoint() {
    let kinds = Kinds::new();
    for kind in ["model", "checkpoint"] {
        let draft = Draft::of(&fs::read(kinds.path(kind)).unwrap());
        let path = kinds.place(kind);
        let names: Vec<&str> = draft.tensors.iter().map(|(name, ..)| name.as_str()).collect();
        assert!(kind == "model" || names.iter().any(|name| name.starts_with("optimizer.")), "{names:?}");
        for (i, name) in names.iter().enumerate() {
            for number in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut broken = draft.clone();
                broken.tensors[i].3[..4].copy_from_slice(&number.to_le_bytes());
                fs::write(&path, broken.file(|_, offsets| offsets)).unwrap();
                let text = refused(&path, name, |path| Kinds::read(kind, path));
                assert!(text.contains(name) && text.contains("finite"), "{text}");
            }
        }
    }
}
