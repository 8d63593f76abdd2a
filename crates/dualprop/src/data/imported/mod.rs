//! Imported data sets: one file for each part, whose pixels training reads in place.
//!
//! Format 1 is a safetensors file, so that every other program can read it: `images` (U8, [n, H, W, C]) and `labels` (U32,
//! [n]), with the metadata `format` "1", `name`, `part` ("train" or "test"), `classes` (how many), and `sha256`, that of the
//! bytes of images and labels in this order. The header is filled with spaces to a fixed size, so that a file of any length
//! can be written in one go.

#[cfg(test)]
mod faults;
mod write;

pub use write::{Imported, import, import_arrays};

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use sha2::{Digest, Sha256};

use crate::base::{Error, Result};
use crate::network::{Shape, tensor_file};

use super::dataset::Pixels;
use super::known::KNOWN;
use super::{Dataset, Folders};

/// The format that is written and read; any change to the layout counts it up.
const FORMAT: &str = "1";

/// The names of the two parts, as the metadata and the files have them.
pub(super) const PARTS: [&str; 2] = ["train", "test"];

const KEYS: [&str; 5] = ["format", "name", "part", "classes", "sha256"];
const IMAGES: &str = "images";
const LABELS: &str = "labels";

/// The file of a part (0: training, 1: test) in the folder of an imported data set.
pub(super) fn file_of(folder: &Path, part: usize) -> PathBuf {
    folder.join(PARTS[part]).with_extension("safetensors")
}

/// An imported file, mapped into memory; its header is checked, its pixels are not read before they are asked for.
#[derive(Debug, Clone)]
pub struct ImportedFile {
    path: PathBuf,
    /// What the data set is called.
    pub name: String,
    /// The extents of one sample.
    pub input: Shape,
    /// How many classes there are.
    pub classes: usize,
    /// How many samples there are.
    pub samples: usize,
    sha256: String,
    map: Arc<Mmap>,
    /// Where in the map the images begin, and the labels.
    starts: [usize; 2],
}

impl ImportedFile {
    /// Maps a file.
    ///
    /// # Errors
    /// [`Error::Read`] if it cannot be read; [`Error::Malformed`], with the field and what was expected, if it is no such file.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Read { path: path.into(), source };
        let flawed = |problem: String| Error::malformed(path, problem);
        if !path.metadata().map_err(failed)?.is_file() {
            return Err(flawed("it is not a regular file".into()));
        }
        let file = File::open(path).map_err(failed)?;
        // SAFETY: a map is sound as long as nobody changes the file beneath it. This program never does: an import is a new
        // file that takes the old one's name (`NewFile`), and the old one's bytes live on while they are mapped. That no other
        // program truncates a data set during a training is what every memory-mapped format asks of its user.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        let (header, data) = tensor_file::split(path, &map)?;
        let base = map.len() - data.len();
        let Fields { name, input, classes, samples, sha256, offsets } = fields(&header).map_err(flawed)?;
        let starts = offsets.map(|offset| base + offset);
        Ok(ImportedFile { path: path.into(), name, input, classes, samples, sha256, map: Arc::new(map), starts })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The data set, its pixels in the file itself.
    ///
    /// # Errors
    /// As [`Dataset::new`], naming the file.
    pub fn dataset(&self) -> Result<Dataset> {
        let [images, labels] = self.starts;
        let labels = self.map[labels..labels + 4 * self.samples].as_chunks().0.iter();
        let labels: Vec<u32> = labels.map(|word| u32::from_le_bytes(*word)).collect();
        let pixels = Pixels::Mapped { map: Arc::clone(&self.map), start: images, length: self.samples * self.input.neurons() };
        let dataset = Dataset::of_pixels(&self.name, self.input, self.classes, u8::MAX, pixels, labels);
        let mut dataset = dataset.map_err(|error| Error::malformed(&self.path, error.to_string()))?;
        dataset.constants = KNOWN.iter().find(|known| known.name == self.name).and_then(|known| known.constants);
        Ok(dataset)
    }

    /// Reads every byte and holds it against the checksum.
    ///
    /// # Errors
    /// [`Error::Malformed`] with both sums if they differ.
    pub fn verify(&self) -> Result<()> {
        let [images, labels] = self.starts;
        let mut sum = Sha256::new();
        sum.update(&self.map[images..images + self.samples * self.input.neurons()]);
        sum.update(&self.map[labels..labels + 4 * self.samples]);
        let found = hex(&sum.finalize());
        match found == self.sha256 {
            true => Ok(()),
            false => {
                let problem = format!("its sum is {found}, expected {}; import it again", self.sha256);
                Err(Error::malformed(&self.path, problem))
            }
        }
    }
}

/// Every imported file of a data set in these folders.
pub fn imported_files(name: &str, folders: &Folders) -> Vec<Result<ImportedFile>> {
    let paths = folders.iter().flat_map(|folder| (0..PARTS.len()).map(move |part| file_of(&folder.join(name), part)));
    paths.filter(|path| path.is_file()).map(|path| ImportedFile::open(&path)).collect()
}

/// The bytes as two hexadecimal digits each.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a header says.
struct Fields {
    name: String,
    input: Shape,
    classes: usize,
    samples: usize,
    sha256: String,
    offsets: [usize; 2],
}

fn fields(header: &Metadata) -> std::result::Result<Fields, String> {
    let none = HashMap::new();
    let metadata = header.metadata().as_ref().unwrap_or(&none);
    let field = |key: &str| metadata.get(key).ok_or_else(|| format!("metadata `{key}` is missing: it is no imported data set"));
    let format = field("format")?;
    if format != FORMAT {
        return Err(format!("metadata `format` is `{format}`, expected {FORMAT}; a newer dualprop may read it"));
    }
    if let Some(key) = metadata.keys().filter(|key| !KEYS.contains(&key.as_str())).min() {
        return Err(Error::unknown("metadata key", key, KEYS).to_string());
    }
    let classes = field("classes")?;
    let classes = classes.parse().map_err(|_| format!("metadata `classes` is `{classes}`, expected how many there are"))?;
    let tensor = |name: &str, dtype: Dtype| -> std::result::Result<&TensorInfo, String> {
        let info = header.info(name).ok_or_else(|| format!("tensor `{name}` is missing"))?;
        match info.dtype == dtype {
            true => Ok(info),
            false => Err(format!("tensor `{name}` is of type {}, expected {dtype}", info.dtype)),
        }
    };
    let (images, labels) = (tensor(IMAGES, Dtype::U8)?, tensor(LABELS, Dtype::U32)?);
    let (&[samples, height, width, channels], &[labelled]) = (&images.shape[..], &labels.shape[..]) else {
        return Err(format!("images have shape {:?} and labels {:?}, expected [n, H, W, C] and [n]", images.shape, labels.shape));
    };
    if samples != labelled {
        return Err(format!("there are {samples} images, but {labelled} labels"));
    }
    // Of no images at all the extents may be anything, such that their product overflows.
    if samples == 0 {
        return Err("it has no images, expected at least one".into());
    }
    let (name, sha256) = (field("name")?.clone(), field("sha256")?.clone());
    let offsets = [images.data_offsets.0, labels.data_offsets.0];
    Ok(Fields { name, input: Shape::image(height, width, channels), classes, samples, sha256, offsets })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::Source;
    use std::fs;

    /// CIFAR-100 files of three and two records, below a folder of data sets.
    pub(super) fn cifar(root: &Path) -> Folders {
        let folder = root.join("cifar-100-binary");
        fs::create_dir_all(&folder).unwrap();
        let record =
            |label: u8| -> Vec<u8> { [0, label].into_iter().chain((0..3072).map(|i| (i % 251) as u8 ^ label)).collect() };
        fs::write(folder.join("train.bin"), [record(3), record(99), record(0)].concat()).unwrap();
        fs::write(folder.join("test.bin"), [record(7), record(8)].concat()).unwrap();
        Folders::new(vec![root.join("nothing-here"), root.into()])
    }

    #[test]
    fn an_import_is_found_first_and_holds_the_same_samples() {
        let root = tempfile::tempdir().unwrap();
        let folders = cifar(root.path());
        let published = Source::find("cifar-100", &folders).unwrap();
        let expected = [published.training().unwrap(), published.test().unwrap().unwrap()];
        let written = import("cifar-100", &folders, None).unwrap();
        assert_eq!(written.iter().map(|part| part.samples).collect::<Vec<_>>(), [3, 2]);
        let warning = written[0].warning.clone().unwrap();
        assert_eq!(warning, "cifar-100: 3 training samples were found, 50000 were published");
        fs::remove_dir_all(root.path().join("cifar-100-binary")).unwrap();
        let source = Source::find("cifar-100", &folders).unwrap();
        assert_eq!([source.training().unwrap(), source.test().unwrap().unwrap()], expected);
        assert_eq!(source.description(), published.description());
        for part in written {
            ImportedFile::open(&part.path).unwrap().verify().unwrap();
            assert_eq!(part.path.parent().unwrap(), root.path().join("cifar-100"));
            // Other programs read it too.
            let bytes = fs::read(part.path).unwrap();
            let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(tensors.tensor("images").unwrap().shape(), [part.samples, 32, 32, 3]);
        }
        // By the path of its folder it is the same data set.
        let path = root.path().join("cifar-100").display().to_string();
        let by_path = Source::find(&path, &Folders::new(vec![])).unwrap();
        assert_eq!((by_path.training().unwrap(), by_path.test().unwrap().unwrap().len()), (expected[0].clone(), 2));
        assert!(import("digits", &folders, None).unwrap_err().to_string().contains("has no files"));
    }

    #[test]
    fn arrays_of_ones_own_are_a_data_set_with_or_without_a_test_part() {
        let root = tempfile::tempdir().unwrap();
        let [images, labels] = ["x.npy", "y.npy"].map(|name| root.path().join(name));
        let npy = super::super::npy::tests::file;
        fs::write(&images, npy("|u1", false, "(3, 1, 2)", &[1, 2, 3, 4, 5, 6])).unwrap();
        fs::write(&labels, npy("|u1", false, "(3,)", &[2, 0, 1])).unwrap();
        let folder = root.path().join("own");
        let import = |test: bool, classes| {
            let arrays = (images.as_path(), labels.as_path());
            import_arrays("own", arrays, test.then_some(arrays), classes, &folder)
        };
        let error = |classes| import(true, classes).unwrap_err().to_string();
        assert!(error(2).contains("label 0 is 2, but there are 2 classes"), "{}", error(2));
        assert!(!folder.exists(), "nothing is left of what was refused");
        import(false, 3).unwrap();
        let path = folder.display().to_string();
        let source = Source::find(&path, &Folders::new(vec![])).unwrap();
        let training = source.training().unwrap();
        assert_eq!((training.sample(1), training.labels(), training.input), (&[3, 4][..], &[2, 0, 1][..], Shape::image(1, 2, 1)));
        assert!(!source.description().has_test && source.test().unwrap().is_none());
        assert_eq!(import(true, 3).unwrap().len(), 2);
        assert_eq!(Source::find(&path, &Folders::new(vec![])).unwrap().test().unwrap().unwrap().len(), 3);
        let mixed = import(false, 3).unwrap_err().to_string();
        assert!(mixed.contains("test.safetensors: it is of an earlier import"), "{mixed}");
        fs::write(&labels, npy("|u1", false, "(2,)", &[2, 0])).unwrap();
        assert!(error(3).contains("it has 2 labels, but"), "{}", error(3));
    }

    #[test]
    fn what_is_damaged_is_an_error_or_found_by_its_sum() {
        let root = tempfile::tempdir().unwrap();
        let folders = cifar(root.path());
        let path = import("cifar-100", &folders, None).unwrap().remove(1).path;
        let whole = fs::read(&path).unwrap();
        let damaged = root.path().join("damaged.safetensors");
        let open = |bytes: &[u8]| {
            fs::write(&damaged, bytes).unwrap();
            ImportedFile::open(&damaged)
        };
        for length in [0, 7, 8, 100, 4095, 4096, whole.len() - 1] {
            assert!(open(&whole[..length]).is_err(), "{length}");
        }
        assert!(open(&[&whole[..], &[0]].concat()).is_err());
        // A byte of an image or of a label: the header cannot know, the sum does.
        for place in [4096, 4096 + 3072, whole.len() - 8] {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            let text = open(&bytes).unwrap().verify().unwrap_err().to_string();
            assert!(text.contains("import it again"), "{text}");
        }
        let mut bytes = whole.clone();
        let last = bytes.len() - 1;
        bytes[last] = 1;
        assert!(open(&bytes).unwrap().dataset().unwrap_err().to_string().contains("labels must be below 100"));
        // A header is never believed: whatever a byte of it becomes, nothing panics.
        let end = whole[8..4096].iter().rposition(|&byte| byte != b' ').unwrap() + 8;
        for place in 0..=end {
            for byte in [b'0', b'9', b'"', 0xff] {
                let mut bytes = whole.clone();
                bytes[place] = byte;
                let _ = open(&bytes).and_then(|file| file.dataset());
            }
        }
        let header = |from: &str, to: &str| {
            let text = String::from_utf8(whole[8..4096].to_vec()).unwrap();
            assert!(text.contains(from), "{from} is not in {text}");
            let mut changed = text.replacen(from, to, 1).trim_end().as_bytes().to_vec();
            changed.resize(4088, b' ');
            open(&[&whole[..8], &changed, &whole[4096..]].concat()).unwrap_err().to_string()
        };
        assert!(header("\"format\":\"1\"", "\"format\":\"2\"").contains("metadata `format` is `2`, expected 1"));
        assert!(header("\"classes\":\"100\"", "\"classes\":\"many\"").contains("metadata `classes` is `many`"));
        assert!(header("\"images\"", "\"image\"").contains("tensor `images` is missing"));
        assert!(header("[2,32,32,3]", "[2,1024,3]").contains("images have shape [2, 1024, 3]"));
        assert!(header("[2,32,32,3]", "[1,64,32,3]").contains("there are 1 images, but 2 labels"));
    }
}
