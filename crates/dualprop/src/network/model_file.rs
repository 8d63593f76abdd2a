//! Trained networks in files: safetensors, so that every other program can read them.
//!
//! Format 1. Metadata (strings): `format` "1"; `input_shape` as JSON [H, W, C]; `layers` as a JSON list of strings, from
//! the first above the input to the output, as recipes write them; `activation` of the hidden layers; `pool_order` where it
//! is not "before_activation"; `feedback` "separate" where there are kernels of its own for what is fed back. Tensors (F32): the
//! topology's parameters (`kernel.i` [in, out] or [k, k, in, out], `bias.i` [out], with separate feedback `feedback.i` of the shape
//! of `kernel.i`, i ≥ 1) and, where the inputs were standardised, `input.mean` and `input.scale`, both [H, W, C].

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use crate::base::{Error, Named, Result, file};
use crate::compute::{Activation, Tensor};

use super::{Layer, Parameters, PoolOrder, Shape, Topology, tensor_file};

/// The format that [`Model::save`] writes and [`Model::load`] reads; any change to the layout counts it up.
pub const FORMAT: u32 = 1;

const METADATA_KEYS: [&str; 6] = ["format", "input_shape", "layers", "activation", "pool_order", FEEDBACK];
const FEEDBACK: &str = "feedback";
/// The one value of [`FEEDBACK`].
const SEPARATE: &str = "separate";
pub(super) const MEAN: &str = "input.mean";
pub(super) const SCALE: &str = "input.scale";

/// Shape and numbers of each tensor of a model, by its name in the file.
pub(super) type Tensors<'a> = BTreeMap<&'a str, (Vec<usize>, &'a [f32])>;

/// A network with its parameters and with what must be done to an input before it enters.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The layers.
    pub topology: Topology,
    /// Kernels and biases, and feedback kernels where the topology has them.
    pub parameters: Parameters<f32>,
    /// Mean and scale of every pixel, in NHWC order: x ↦ (x − mean)/scale. None: inputs enter as they are.
    pub preprocessing: Option<(Vec<f32>, Vec<f32>)>,
}

impl Model {
    /// Writes the model; the same model gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters or the preprocessing are not those of the topology; [`Error::Write`] if the file
    /// cannot be written, or a number of the model is not finite, such that no [`Model::load`] would accept it.
    pub fn save(&self, path: &Path) -> Result<()> {
        let tensors = self.tensors()?;
        for (name, (_, values)) in &tensors {
            check_values(name, values)
                .map_err(|problem| Error::Write { path: path.into(), source: std::io::Error::other(problem) })?;
        }
        let mut metadata = describe(&self.topology);
        metadata.insert("format", FORMAT.to_string());
        if self.topology.has_feedback() {
            metadata.insert(FEEDBACK, SEPARATE.to_string());
        }
        let metadata = metadata.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let entries = tensors.iter().map(|(name, (shape, values))| (*name, shape.as_slice(), bytes(values)));
        file::write_atomic(path, &tensor_file::join(&metadata, Dtype::F32, entries))
    }

    /// All tensors, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters or the preprocessing are not those of the topology.
    pub(super) fn tensors(&self) -> Result<Tensors<'_>> {
        let mut tensors = Tensors::new();
        for (index, (name, shape)) in self.topology.parameters().iter().enumerate() {
            let tensor = self.parameters.tensors().get(index).filter(|_| self.parameters.names()[index] == *name);
            let found = tensor.map_or(&[][..], Tensor::shape);
            if found != shape {
                return Err(Error::shape(name, found, shape));
            }
            tensors.extend(tensor.map(|tensor| (self.parameters.names()[index].as_str(), (shape.clone(), tensor.data()))));
        }
        let input = self.topology.input();
        for (name, values) in self.preprocessing.iter().flat_map(|(mean, scale)| [(MEAN, mean), (SCALE, scale)]) {
            if values.len() != input.neurons() {
                return Err(Error::shape(name, &[values.len()], &input.extents()));
            }
            tensors.insert(name, (input.extents().to_vec(), values));
        }
        Ok(tensors)
    }

    /// Reads a model.
    ///
    /// # Errors
    /// [`Error::Read`] if the file cannot be read; [`Error::Malformed`], with the field and what was expected, for
    /// everything else that can be wrong with it: it is never trusted, and nothing larger than itself is allocated.
    pub fn load(path: &Path) -> Result<Self> {
        parse(path, &file::read(path)?)
    }
}

/// What a network is, as metadata: all of it but the numbers, and how it feeds back.
pub(super) fn describe(topology: &Topology) -> BTreeMap<&'static str, String> {
    let layers: Vec<String> = topology.layers().iter().map(Layer::to_string).collect();
    let mut metadata = BTreeMap::from([
        ("input_shape", format!("{:?}", topology.input().extents())),
        ("layers", serde_json::Value::from(layers).to_string()),
        ("activation", topology.activation().name().to_string()),
    ]);
    if topology.pool_order() != PoolOrder::default() {
        metadata.insert("pool_order", topology.pool_order().name().to_string());
    }
    metadata
}

/// What is wrong with a file, with the field and what was expected.
type Flaw = String;

/// What both directions demand of a tensor's values.
fn check_values(name: &str, values: &[f32]) -> std::result::Result<(), Flaw> {
    if let Some(place) = values.iter().position(|x| !x.is_finite()) {
        return Err(format!("tensor `{name}`: element {place} is {}, expected finite numbers", values[place]));
    }
    match values.iter().position(|x| *x <= 0.0).filter(|_| name == SCALE) {
        Some(place) => Err(format!("tensor `{name}`: element {place} is {}, expected positive numbers", values[place])),
        None => Ok(()),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Model> {
    let flawed = |problem: Flaw| Error::malformed(path, problem);
    let (header, data) = tensor_file::split(path, bytes)?;
    let topology = parse_topology(header.metadata().as_ref().unwrap_or(&HashMap::new())).map_err(flawed)?;
    let mut shapes: HashMap<String, Vec<usize>> = topology.parameters().into_iter().collect();
    let standardised = [MEAN, SCALE].iter().any(|name| header.info(name).is_some());
    for name in [MEAN, SCALE].iter().filter(|_| standardised) {
        shapes.insert(name.to_string(), topology.input().extents().to_vec());
    }
    if let Some(name) = header.offset_keys().iter().find(|name| !shapes.contains_key(*name)) {
        let last = topology.depth() - 1;
        let feedback = if topology.has_feedback() { format!("feedback.1 to feedback.{last}, ") } else { String::new() };
        let expected = format!("kernel.0 to kernel.{last}, bias.0 to bias.{last}, {feedback}and {MEAN} with {SCALE} or neither");
        return Err(flawed(format!("unexpected tensor `{name}`; expected {expected}")));
    }
    let read = |name: &str| read_tensor(&header, data, name, &shapes[name]).map_err(flawed);
    let parameters = Parameters::collect(&topology, read)?;
    let values = |name| read(name).map(|tensor| tensor.data().to_vec());
    let preprocessing = if standardised { Some((values(MEAN)?, values(SCALE)?)) } else { None };
    Ok(Model { topology, parameters, preprocessing })
}

fn parse_topology(metadata: &HashMap<String, String>) -> std::result::Result<Topology, Flaw> {
    let field =
        |key: &str| metadata.get(key).ok_or_else(|| format!("metadata `{key}` is missing: not a model that dualprop wrote"));
    let format = field("format")?;
    if *format != FORMAT.to_string() {
        return Err(format!("metadata `format` is `{format}`, expected {FORMAT}; a newer dualprop may read it"));
    }
    // The smallest, so that the message does not depend on the map's order.
    if let Some(key) = metadata.keys().filter(|key| !METADATA_KEYS.contains(&key.as_str())).min() {
        return Err(Error::unknown("metadata key", key, METADATA_KEYS).to_string());
    }
    let wrong = |key: &str, text: &str, expected: &str| format!("metadata `{key}` is `{text}`, expected {expected}");
    let text = field("input_shape")?;
    let [height, width, channels] =
        serde_json::from_str(text).map_err(|_| wrong("input_shape", text, "height, width and channels such as [8, 8, 1]"))?;
    let text = field("layers")?;
    let expected = "a list such as [\"dense 128\", \"dense 10\"]";
    let layers: Vec<String> = serde_json::from_str(text).map_err(|_| wrong("layers", text, expected))?;
    let layers: Result<Vec<Layer>> = layers.iter().map(|layer| Layer::parse("metadata `layers`", layer)).collect();
    let layers = layers.map_err(|error| error.to_string())?;
    let activation = Activation::parse(field("activation")?).map_err(|error| format!("metadata `activation`: {error}"))?;
    let pool_order = metadata.get("pool_order").map_or(Ok(PoolOrder::default()), |name| PoolOrder::parse(name));
    let pool_order = pool_order.map_err(|error| format!("metadata `pool_order`: {error}"))?;
    let separate = match metadata.get(FEEDBACK).map(String::as_str) {
        None => false,
        Some(SEPARATE) => true,
        Some(text) => return Err(wrong(FEEDBACK, text, &format!("`{SEPARATE}`, or no such key"))),
    };
    let topology = Topology::new(Shape::image(height, width, channels), layers, activation, pool_order);
    topology.map(|topology| topology.with_feedback(separate)).map_err(|error| error.to_string())
}

fn read_tensor(header: &Metadata, data: &[u8], name: &str, shape: &[usize]) -> std::result::Result<Tensor<f32>, Flaw> {
    let info = header.info(name).ok_or_else(|| format!("tensor `{name}` is missing, expected one of shape {shape:?}"))?;
    if info.dtype != Dtype::F32 {
        return Err(format!("tensor `{name}` is of type {}, expected F32", info.dtype));
    }
    if info.shape != shape {
        return Err(format!("tensor `{name}` has shape {:?}, expected {shape:?}", info.shape));
    }
    let bytes = data.get(info.data_offsets.0..info.data_offsets.1).unwrap_or_default();
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
    check_values(name, &values)?;
    Tensor::new(shape, values).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs 3, hidden 2, outputs 2, every number exact in f32. The committed file of format 1 holds it.
    fn example() -> Model {
        let topology = Topology::mlp(Shape::flat(3), &[2, 2], Activation::Tanh).unwrap();
        let parameters = Parameters::collect(&topology, |name| match name {
            "kernel.0" => Tensor::new(&[3, 2], vec![0.5, -1.0, 0.25, 2.0, -0.125, 3.0]),
            "bias.0" => Tensor::new(&[2], vec![0.75, -0.5]),
            "kernel.1" => Tensor::new(&[2, 2], vec![1.5, -2.5, f32::MIN_POSITIVE, f32::MAX]),
            _ => Tensor::new(&[2], vec![0.0, -4.0]),
        });
        let preprocessing = Some((vec![0.0, 8.0, -1.0], vec![1.0, 0.5, 4.0]));
        Model { topology, parameters: parameters.unwrap(), preprocessing }
    }

    fn old_file() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/format-1.safetensors")
    }

    /// The text of the header and the data.
    fn halves(bytes: &[u8]) -> (&str, &[u8]) {
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        (std::str::from_utf8(header).unwrap(), data)
    }

    fn saved(model: &Model) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        model.save(&path).unwrap();
        assert_eq!(Model::load(&path).unwrap(), *model);
        let bytes = file::read(&path).unwrap();
        assert_eq!(halves(&bytes).0.len() % 8, 0, "the data are not aligned");
        bytes
    }

    /// The same network with a feedback kernel.
    fn with_feedback() -> Model {
        let topology = example().topology.with_feedback(true);
        let parameters = Parameters::collect(&topology, |name| match name {
            "feedback.1" => Tensor::new(&[2, 2], vec![0.5, 8.0, -0.25, 1.0]),
            name => Ok(example().parameters.named(name).unwrap().clone()),
        });
        Model { topology, parameters: parameters.unwrap(), ..example() }
    }

    #[test]
    fn a_file_of_format_1_keeps_its_numbers_for_ever() {
        assert_eq!(Model::load(&old_file()).unwrap(), example());
    }

    #[test]
    fn feedback_kernels_are_kept_and_a_file_without_them_is_as_it_was() {
        let committed = old_file().with_file_name("format-1-feedback.safetensors");
        assert_eq!(Model::load(&committed).unwrap(), with_feedback());
        let bytes = saved(&with_feedback());
        assert_eq!(bytes, file::read(&committed).unwrap(), "the layout changed: count FORMAT up, keep reading the old one");
        let (header, data) = halves(&bytes);
        let flaw = |from: &str, to: &str| {
            assert!(header.contains(from), "{from}: {header}");
            let header = header.replacen(from, to, 1);
            flaw_of(&[&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat())
        };
        let text = flaw(r#""feedback":"separate""#, r#""feedback":"other""#);
        assert!(text.contains("metadata `feedback` is `other`, expected `separate`, or no such key"), "{text}");
        let text = flaw(r#""feedback":"separate","#, "");
        assert!(text.contains("unexpected tensor `feedback.1`; expected kernel.0 to kernel.1"), "{text}");
        let text = flaw(r#""feedback.1""#, r#""feedback.2""#);
        assert!(
            text.contains("unexpected tensor `feedback.2`; expected kernel.0 to kernel.1, bias.0 to bias.1, feedback.1"),
            "{text}"
        );
        let mut flawed = bytes.clone();
        // The data are in the order of names: two biases of two numbers come before it.
        let place = bytes.len() - data.len() + 4 * 4;
        flawed[place..place + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(flaw_of(&flawed).contains("tensor `feedback.1`: element 0 is NaN"), "{}", flaw_of(&flawed));
    }

    #[test]
    fn a_model_comes_back_as_it_went_and_its_bytes_are_the_same_every_time() {
        let model = example();
        let bytes = saved(&model);
        assert_eq!(bytes, saved(&model));
        assert_eq!(bytes, file::read(&old_file()).unwrap(), "the layout changed: count FORMAT up, keep reading the old one");
        saved(&Model { preprocessing: None, ..model });
        let input = Shape::image(4, 5, 2);
        let image = Topology::mlp(input, &[3], Activation::LeakyRelu).unwrap();
        saved(&Model {
            parameters: Parameters::zeros(&image),
            topology: image,
            preprocessing: Some((vec![0.5; 40], vec![2.0; 40])),
        });
    }

    #[test]
    fn other_programs_find_metadata_and_tensors() {
        let bytes = file::read(&old_file()).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!(metadata["format"], "1");
        assert_eq!(metadata["input_shape"], "[1, 1, 3]");
        assert_eq!(metadata["layers"], r#"["dense 2","dense 2"]"#);
        assert_eq!(metadata["activation"], "tanh");
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("kernel.0").unwrap().shape(), [3, 2]);
        assert_eq!(tensors.tensor("input.scale").unwrap().shape(), [1, 1, 3]);
    }

    #[test]
    fn a_model_that_no_file_could_hold_is_not_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let broken = |change: fn(&mut Model)| {
            let mut model = example();
            change(&mut model);
            model.save(&path).unwrap_err().to_string()
        };
        let text = broken(|model| model.parameters.tensors_mut()[2].data_mut()[1] = f32::NAN);
        assert!(text.contains("cannot be written: tensor `kernel.1`: element 1 is NaN"), "{text}");
        let text = broken(|model| model.preprocessing = Some((vec![0.0; 3], vec![1.0, 0.0, 1.0])));
        assert!(text.contains("tensor `input.scale`: element 1 is 0, expected positive"), "{text}");
        let text = broken(|model| model.preprocessing = Some((vec![0.0; 3], vec![1.0; 2])));
        assert_eq!(text, "input.scale has shape [2], expected [1, 1, 3]");
        let text = broken(|model| model.topology = Topology::mlp(Shape::flat(3), &[2, 5], Activation::Tanh).unwrap());
        assert_eq!(text, "kernel.1 has shape [2, 2], expected [2, 5]");
        let text = broken(|model| model.topology = Topology::mlp(Shape::flat(3), &[2, 2, 2], Activation::Tanh).unwrap());
        assert_eq!(text, "kernel.2 has shape [], expected [2, 2]");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// The example's file with one text of its header replaced, or with the data changed.
    fn flaw(change: impl FnOnce(&str, &mut Vec<u8>) -> String) -> String {
        let bytes = file::read(&old_file()).unwrap();
        let (header, data) = halves(&bytes);
        let mut data = data.to_vec();
        let header = change(header, &mut data);
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
        flaw_of(&bytes)
    }

    fn flaw_of(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.safetensors");
        std::fs::write(&path, bytes).unwrap();
        let error = Model::load(&path).unwrap_err();
        assert!(matches!(&error, Error::Malformed { path: found, .. } if *found == path), "{error:?}");
        error.to_string()
    }

    #[test]
    fn every_flaw_of_the_header_is_named() {
        let mut failures = Vec::new();
        for (from, to, expected) in [
            (r#""format":"1""#, r#""format":"2""#, "metadata `format` is `2`, expected 1"),
            (r#""format":"1","#, "", "metadata `format` is missing"),
            (r#""activation":"tanh","#, "", "metadata `activation` is missing"),
            (r#""activation":"tanh""#, r#""activation":"tahn""#, "did you mean `tanh`?"),
            (
                r#""activation":"tanh""#,
                r#""activation":"tanh","layer":"x""#,
                "unknown metadata key `layer`; did you mean `layers`?",
            ),
            ("[1, 1, 3]", "[1, 3]", "metadata `input_shape` is `[1, 3]`, expected height, width and channels"),
            ("[1, 1, 3]", "[1, 1, -3]", "metadata `input_shape`"),
            ("[1, 1, 3]", "[1, 1, 0]", "network input = [1, 1, 0]: it needs at least one number"),
            ("[1, 1, 3]", "[4294967296, 4294967296, 3]", "no more than memory can address"),
            ("[1, 1, 3]", "[1, 1, 4611686018427387904]", "no more than memory can address"),
            ("[1, 1, 3]", "[1, 1, 1000000000000]", "tensor `kernel.0` has shape [3, 2], expected [1000000000000, 2]"),
            (r#"[\"dense 2\",\"dense 2\"]"#, "[]", "at least one layer"),
            (r#"[\"dense 2\",\"dense 2\"]"#, "dense 2", "metadata `layers` is `dense 2`, expected a list such as"),
            (r#"[\"dense 2\",\"dense 2\"]"#, r#"[\"dense 2\"]"#, "unexpected tensor `bias.1`; expected kernel.0 to kernel.0"),
            (r#"\"dense 2\"]"#, r#"\"dense 2\",\"dense 9\"]"#, "tensor `kernel.2` is missing, expected one of shape [2, 9]"),
            (r#"\"dense 2\"]"#, r#"\"dense two\"]"#, "metadata `layers`"),
            (r#"\"dense 2\"]"#, r#"\"conv 2\"]"#, "a network needs at least one layer, the output, and that must be dense"),
            (r#"\"dense 2\"]"#, r#"\"conv two\"]"#, "metadata `layers`"),
            (r#"{"activation""#, r#"{"pool_order":"sometimes","activation""#, "metadata `pool_order`: unknown pool order"),
            (r#"\"dense 2\"]"#, r#"\"dense 99999999999999999999\"]"#, "metadata `layers`"),
            (r#""input.mean""#, r#""input.men""#, "unexpected tensor `input.men`"),
            (r#""bias.0":{"dtype":"F32""#, r#""bias.0":{"dtype":"I32""#, "tensor `bias.0` is of type I32, expected F32"),
            (r#""bias.0":{"dtype":"F32""#, r#""bias.0":{"dtype":"F64""#, "its header is malformed: invalid shape"),
            (r#""shape":[3,2]"#, r#""shape":[2,3]"#, "tensor `kernel.0` has shape [2, 3], expected [3, 2]"),
            (r#""shape":[3,2]"#, r#""shape":[6000000000,6000000000]"#, "its header is malformed: overflow"),
            (r#""data_offsets":[0,8]"#, r#""data_offsets":[0,80]"#, "its header is malformed: invalid shape"),
            (r#"{"__metadata__""#, r#"["__metadata__""#, "its header is malformed"),
        ] {
            let text = flaw(|header, _| {
                assert!(header.contains(from), "`{from}` is not in the header: {header}");
                header.replacen(from, to, 1)
            });
            if !text.contains(expected) {
                failures.push(format!("`{from}` -> `{to}`: {text}"));
            }
        }
        assert!(failures.is_empty(), "{failures:#?}");
        let text = flaw(|_, _| r#"{"kernel.0":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#.into());
        assert!(text.contains("its tensors have 0 bytes, but 80 are there"), "{text}");
    }

    #[test]
    fn offsets_whose_sum_overflows_are_a_flaw_and_no_panic() {
        let elements = (1u64 << 59) - 1;
        let tensors = (0..8).map(|i| {
            let (start, end) = (i * elements * 4, (i + 1) * elements * 4);
            format!(r#""t{i}":{{"dtype":"F32","shape":[{elements}],"data_offsets":[{start},{end}]}}"#)
        });
        let header = format!("{{{}}}", tensors.collect::<Vec<_>>().join(","));
        let text = flaw_of(&[&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat());
        assert!(text.contains("but 0 are there: it is truncated or damaged"), "{text}");
    }

    #[test]
    fn broken_values_and_lengths_are_named() {
        // The data begin with bias.0, the first in the order of names.
        let text = flaw(|header, data| {
            data[4..8].copy_from_slice(&f32::INFINITY.to_le_bytes());
            header.into()
        });
        assert!(text.contains("tensor `bias.0`: element 1 is inf, expected finite numbers"), "{text}");
        let text = flaw(|header, data| {
            data.push(0);
            header.into()
        });
        assert!(text.contains("truncated or damaged"), "{text}");
        let text = flaw_of(&u64::MAX.to_le_bytes());
        assert!(text.contains("its header should have 18446744073709551615 bytes, but only 0 follow"), "{text}");
        let text = flaw_of(&[&2u64.to_le_bytes()[..], &[0xff, 0xfe]].concat());
        assert!(text.contains("its header is malformed"), "{text}");
        assert!(matches!(Model::load(Path::new("no/such/file")), Err(Error::Read { .. })));
    }

    #[test]
    fn every_truncation_is_a_flaw() {
        let bytes = file::read(&old_file()).unwrap();
        for length in 0..bytes.len() {
            let text = flaw_of(&bytes[..length]);
            assert!(text.contains("truncated") || text.contains("expected at least the 8"), "{length} bytes: {text}");
        }
    }
}
