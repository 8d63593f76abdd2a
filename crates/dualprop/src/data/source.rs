//! A data set's files: where they are, and how they are read.

use std::path::{Path, PathBuf};

use crate::base::{Error, Result, memory};
use crate::network::Shape;

use super::footprint::Footprint;
use super::imported::{ImportedFile, file_of};
use super::known::{Constants, KNOWN, Known, Layout};
use super::records::Records;
use super::{CifarKind, Dataset, Folders, digits, read_cifar, read_imagenet_npz, read_images, read_labels, read_svhn};

/// The files of the training part or of the test part.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Idx { images: PathBuf, labels: PathBuf },
    Cifar(CifarKind, Vec<PathBuf>),
    Svhn(PathBuf),
    ImageNet(Vec<PathBuf>),
    Imported(PathBuf),
}

impl Part {
    /// Both parts, if every file of them is in this folder.
    fn both(layout: Layout, folder: &Path) -> Option<[Part; 2]> {
        let names = |names: &[&str]| -> Option<Vec<PathBuf>> {
            let paths = names.iter().map(|name| Some(folder.join(name)).filter(|path| path.is_file()));
            paths.collect()
        };
        let cifar = |kind, files: &[&str]| names(files).map(|files| Part::Cifar(kind, files));
        match layout {
            Layout::Embedded => None,
            Layout::Idx => Some([Part::idx(folder, "train")?, Part::idx(folder, "t10k")?]),
            Layout::Cifar10 => Some([cifar(CifarKind::Ten, &CIFAR_10)?, cifar(CifarKind::Ten, &["test_batch.bin"])?]),
            Layout::Cifar100 => Some([cifar(CifarKind::Hundred, &["train.bin"])?, cifar(CifarKind::Hundred, &["test.bin"])?]),
            Layout::Svhn => {
                let file = |name: &str| names(&[name]).and_then(|mut paths| paths.pop()).map(Part::Svhn);
                Some([file("train_32x32.mat")?, file("test_32x32.mat")?])
            }
            Layout::ImageNet32 => {
                let batches: Vec<String> = (1..=10).map(|i| format!("train_data_batch_{i}.npz")).collect();
                let batches = names(&batches.iter().map(String::as_str).collect::<Vec<_>>())?;
                Some([Part::ImageNet(batches), Part::ImageNet(names(&["val_data.npz"])?)])
            }
        }
    }

    /// `train` or `t10k`, each file plain or compressed, if both are in this folder.
    fn idx(folder: &Path, part: &str) -> Option<Self> {
        let file = |kind: &str| {
            let names = ["", ".gz"].map(|ending| folder.join(format!("{part}-{kind}-ubyte{ending}")));
            names.into_iter().find(|path| path.is_file())
        };
        Some(Part::Idx { images: file("images-idx3")?, labels: file("labels-idx1")? })
    }

    /// Imported, if both files are in this folder.
    fn imported(folder: &Path) -> Option<[Part; 2]> {
        let file = |part| Some(file_of(folder, part)).filter(|path| path.is_file()).map(Part::Imported);
        Some([file(0)?, file(1)?])
    }

    /// Calls `each` with the samples of one file after the other.
    fn each_file(&self, about: &Description, mut each: impl FnMut(Records) -> Result<()>) -> Result<()> {
        match self {
            Part::Idx { images, labels } => each(idx_records(images, labels, about)?),
            Part::Cifar(kind, files) => files.iter().try_for_each(|path| each(read_cifar(path, *kind)?)),
            Part::Svhn(path) => each(read_svhn(path)?),
            Part::ImageNet(files) => files.iter().try_for_each(|path| each(read_imagenet_npz(path)?)),
            Part::Imported(path) => Err(Error::malformed(path, "it is imported already")),
        }
    }

    /// Every sample of the training part (0) or the test part (1).
    fn read(&self, about: &Description, part: usize) -> Result<Dataset> {
        if let Part::Imported(path) = self {
            return imported(path, about)?.dataset();
        }
        // All of them, and one file's once more while it is read.
        let published = about.published.map_or(0, |published| published[part] as u64);
        let needed = published.saturating_mul(2 * about.input.neurons() as u64);
        memory::require(&about.name, needed, "import it by `dualprop data import`, after which it needs none")?;
        let mut all = Records { input: about.input, pixels: vec![], labels: vec![] };
        self.each_file(about, |records| {
            all.append(records);
            Ok(())
        })?;
        let dataset = Dataset::new(&about.name, all.input, about.classes, u8::MAX, all.pixels, all.labels);
        let mut dataset = dataset.map_err(|error| Error::malformed(self.labels(), error.to_string()))?;
        dataset.constants = about.constants;
        Ok(dataset)
    }

    /// How much memory its samples take, padded to `input`; `published` is how many there are, unless its file says so itself.
    fn memory(&self, about: &Description, published: usize, input: Shape) -> Result<Footprint> {
        let (samples, is_mapped) = match self {
            Part::Imported(path) => (ImportedFile::open(path)?.samples, true),
            _ => (published, false),
        };
        Ok(Footprint::of(samples, is_mapped, about.input, input))
    }

    /// The file that labels come from, or the first of them.
    fn labels(&self) -> &Path {
        match self {
            Part::Idx { labels, .. } => labels,
            Part::Svhn(path) | Part::Imported(path) => path,
            Part::Cifar(_, files) | Part::ImageNet(files) => files.first().map_or(Path::new("."), |path| path),
        }
    }
}

/// An imported file of a data set with these extents.
fn imported(path: &Path, about: &Description) -> Result<ImportedFile> {
    let file = ImportedFile::open(path)?;
    if (file.input, file.classes) != (about.input, about.classes) {
        let (found, expected) = (file.input.extents(), about.input.extents());
        let problem = format!(
            "it has samples of {found:?} in {} classes, expected {expected:?} in {} for {}",
            file.classes, about.classes, about.name
        );
        return Err(Error::malformed(path, problem));
    }
    Ok(file)
}

const CIFAR_10: [&str; 5] = ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];

/// What must be in a folder, for people.
fn wanted(layout: Layout) -> &'static str {
    match layout {
        Layout::Embedded => "",
        Layout::Idx => {
            "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or \
             with .gz,"
        }
        Layout::Cifar10 => "data_batch_1.bin to data_batch_5.bin and test_batch.bin (the binary version)",
        Layout::Cifar100 => "train.bin and test.bin (the binary version)",
        Layout::Svhn => "train_32x32.mat and test_32x32.mat (format 2, cropped digits)",
        Layout::ImageNet32 => "train_data_batch_1.npz to train_data_batch_10.npz and val_data.npz (the npz version)",
    }
}

fn idx_records(images: &Path, labels: &Path, about: &Description) -> Result<Records> {
    let (found, labelled) = (read_images(images)?, read_labels(labels)?);
    let (size, expected) = ([found.height, found.width], [about.input.height, about.input.width]);
    if size != expected {
        let problem = format!("its images are {size:?}, expected {expected:?} for {}", about.name);
        return Err(Error::malformed(images, problem));
    }
    if found.count != labelled.len() {
        let problem = format!("it has {} labels, but {} has {} images", labelled.len(), images.display(), found.count);
        return Err(Error::malformed(labels, problem));
    }
    Ok(Records { input: about.input, pixels: found.pixels, labels: labelled.into_iter().map(u32::from).collect() })
}

/// What can be told of a data set before its samples are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// What it is called.
    pub name: String,
    /// The extents of one sample.
    pub input: Shape,
    /// How many classes there are.
    pub classes: usize,
    /// Whether it has a test part of its own; where it has none, its test samples are drawn from all.
    pub has_test: bool,
    /// Mean and standard deviation of each channel, by which its inputs are usually normalised.
    pub constants: Option<Constants>,
    /// How many samples were published, for training and for the test.
    pub published: Option<[usize; 2]>,
}

impl Description {
    /// Of a known data set by its name; of an imported one by the path of its folder, which has at least a `/` in it.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is not known; as [`ImportedFile::open`] for a path.
    pub fn of(dataset: &str) -> Result<Self> {
        if let Some(folder) = as_path(dataset) {
            let file = ImportedFile::open(&file_of(folder, 0))?;
            let has_test = file_of(folder, 1).is_file();
            let ImportedFile { name, input, classes, .. } = file;
            let constants = known(&name).ok().and_then(|known| known.constants);
            return Ok(Description { name, input, classes, has_test, constants, published: None });
        }
        let known = known(dataset)?;
        Ok(Description {
            name: known.name.into(),
            input: known.input,
            classes: known.classes.len(),
            has_test: known.has_test(),
            constants: known.constants,
            published: Some(known.published),
        })
    }
}

/// The path of an imported data set, if this is no name.
pub(crate) fn as_path(dataset: &str) -> Option<&Path> {
    dataset.contains(['/', std::path::MAIN_SEPARATOR]).then(|| Path::new(dataset))
}

fn known(name: &str) -> Result<&'static Known> {
    let known = KNOWN.iter().find(|known| known.name == name);
    known.ok_or_else(|| Error::unknown("data set", name, KNOWN.iter().map(|known| known.name)))
}

/// A data set whose files were found, but not read yet: the test part is read when it is asked for, and not before.
#[derive(Debug, Clone)]
pub struct Source {
    about: Description,
    /// The folder among those that were looked into, below which the files are.
    folder: PathBuf,
    /// Training and test; none: it is part of the library.
    parts: Option<(Part, Option<Part>)>,
}

impl Source {
    /// Finds a data set by its name, imported or as it was published, or an imported one by the path of its folder. All files
    /// must be there, the test's too, so that no training fails at its end.
    ///
    /// # Errors
    /// As [`Description::of`]; [`Error::Setting`] if the files are in none of the folders.
    pub fn find(dataset: &str, folders: &Folders) -> Result<Self> {
        let about = Description::of(dataset)?;
        if let Some(folder) = as_path(dataset) {
            let test = about.has_test.then(|| Part::Imported(file_of(folder, 1)));
            let parts = Some((Part::Imported(file_of(folder, 0)), test));
            return Ok(Source { about, folder: folder.into(), parts });
        }
        for folder in folders.iter() {
            if let Some([training, test]) = Part::imported(&folder.join(dataset)) {
                return Ok(Source { about, folder: folder.into(), parts: Some((training, Some(test))) });
            }
        }
        if known(dataset)?.layout == Layout::Embedded {
            return Ok(Source { about, folder: PathBuf::new(), parts: None });
        }
        Source::find_files(dataset, folders)
    }

    /// Finds the files of a known data set as they were published, whether it is imported or not.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is not known; [`Error::Setting`] if the files are in none of the folders, or the
    /// data set has none.
    pub(super) fn find_files(name: &str, folders: &Folders) -> Result<Self> {
        let (about, known) = (Description::of(name)?, known(name)?);
        if known.layout == Layout::Embedded {
            return Err(Error::setting("data set", name, "it is part of the program and has no files"));
        }
        let candidates = || folders.iter().flat_map(|folder| known.folders.iter().map(move |name| (folder, folder.join(name))));
        for (folder, files) in candidates() {
            if let Some([training, test]) = Part::both(known.layout, &files) {
                return Ok(Source { about, folder: folder.into(), parts: Some((training, Some(test))) });
            }
        }
        let looked: Vec<String> = candidates().map(|(_, files)| files.display().to_string()).collect();
        let looked = if looked.is_empty() { "no folder at all".into() } else { looked.join(", ") };
        let problem = format!(
            "its files {} were looked for in {looked}; get them from {}, put them into a folder `{name}`, and name the folder \
             above it by --data-dir or DUALPROP_DATA",
            wanted(known.layout),
            known.home
        );
        Err(Error::setting("data.dataset", name, problem))
    }

    /// What is known of it.
    pub fn description(&self) -> &Description {
        &self.about
    }

    /// The folder of data sets in which its files are; empty if it is part of the library.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Calls `each` with the samples of one published file after the other, of the training part (0) or the test part (1).
    pub(super) fn each_file(&self, part: usize, each: impl FnMut(Records) -> Result<()>) -> Result<()> {
        let parts = self.parts.as_ref().map(|(training, test)| [Some(training), test.as_ref()][part]);
        parts.flatten().map_or(Ok(()), |part| part.each_file(&self.about, each))
    }

    /// The training part; of a data set without a test part, all samples.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Malformed`] if the files are not what they should be.
    pub fn training(&self) -> Result<Dataset> {
        match &self.parts {
            None => digits(),
            Some((training, _)) => training.read(&self.about, 0),
        }
    }

    /// How much memory the training part and the test part take, with samples padded to `input`, as far as that is known before they
    /// are read: of published files that they have as many samples as were published.
    ///
    /// # Errors
    /// As [`ImportedFile::open`].
    pub fn memory(&self, input: Shape) -> Result<[Footprint; 2]> {
        let [training, test] = self.about.published.unwrap_or_default();
        match &self.parts {
            None => Ok([Footprint::of(training, false, self.about.input, input), Footprint::default()]),
            Some((first, second)) => {
                let second = second.as_ref().map(|part| part.memory(&self.about, test, input)).transpose()?;
                Ok([first.memory(&self.about, training, input)?, second.unwrap_or_default()])
            }
        }
    }

    /// The test part, if it has one of its own.
    ///
    /// # Errors
    /// As [`Source::training`].
    pub fn test(&self) -> Result<Option<Dataset>> {
        self.parts.as_ref().and_then(|(_, test)| test.as_ref()).map(|test| test.read(&self.about, 1)).transpose()
    }

    /// What to tell a user whose files have another number of samples than were published for this part: 0 for training, 1
    /// for the test.
    pub fn unexpected_count(&self, part: usize, found: usize) -> Option<String> {
        let (name, what, published) = (&self.about.name, ["training", "test"][part], self.about.published?[part]);
        (found != published).then(|| format!("{name}: {found} {what} samples were found, {published} were published"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Writes plain IDX files of `count` samples, the images of which are `side` x `side`.
    fn write(folder: &Path, part: &str, count: u32, side: u32, labels: &[u8]) {
        fs::create_dir_all(folder).unwrap();
        let number = |n: u32| n.to_be_bytes();
        let header = [[0, 0, 8, 3], number(count), number(side), number(side)].concat();
        let pixels = vec![7; (count * side * side) as usize];
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), [header, pixels].concat()).unwrap();
        let header = [[0, 0, 8, 1], number(labels.len() as u32)].concat();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), [&header, labels].concat()).unwrap();
    }

    fn found(folder: &Path, name: &str) -> Result<Source> {
        Source::find(name, &Folders::new(vec![folder.join("nothing-here"), folder.into()]))
    }

    #[test]
    fn files_are_found_in_either_layout_and_read_when_asked_for() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["mnist", "FashionMNIST/raw"] {
            write(&root.path().join(folder), "train", 3, 28, &[1, 2, 3]);
            write(&root.path().join(folder), "t10k", 2, 28, &[4, 5]);
        }
        for name in ["mnist", "fashion-mnist"] {
            let source = found(root.path(), name).unwrap();
            let training = source.training().unwrap();
            assert_eq!((training.len(), training.labels(), training.sample(2)[0]), (3, &[1, 2, 3][..], 7));
            assert_eq!(source.test().unwrap().unwrap().labels(), [4, 5]);
            assert!(source.unexpected_count(0, training.len()).unwrap().contains("3 training samples were found, 60000"));
        }
        // A test part that cannot be read does not hinder the training part.
        fs::write(root.path().join("mnist/t10k-images-idx3-ubyte"), "damaged").unwrap();
        let source = found(root.path(), "mnist").unwrap();
        assert!(source.training().is_ok() && source.test().is_err());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = |name| found(root.path(), name).unwrap_err().to_string();
        assert!(error("mnits").contains("did you mean `mnist`?"));
        let text = error("kmnist");
        for expected in ["nothing-here", "KMNIST/raw", "t10k-labels-idx1-ubyte", "--data-dir", "DUALPROP_DATA", "rois-codh"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let folder = root.path().join("mnist");
        write(&folder, "t10k", 1, 28, &[0]);
        assert!(error("mnist").starts_with("data.dataset = mnist"), "the training part is missing");
        for (count, side, labels, expected) in [
            (2, 28, &[1][..], "it has 1 labels, but"),
            (2, 32, &[1, 2], "[32, 32], expected [28, 28]"),
            (2, 28, &[1, 10], "label of sample 1 = 10"),
        ] {
            write(&folder, "train", count, side, labels);
            let error = found(root.path(), "mnist").unwrap().training().unwrap_err();
            assert!(matches!(&error, Error::Malformed { .. }) && error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn the_digits_need_no_file() {
        let source = Source::find("digits", &Folders::new(vec![])).unwrap();
        let digits = source.training().unwrap();
        assert_eq!(
            (digits.len(), digits.input, digits.classes),
            (1797, source.description().input, source.description().classes)
        );
        assert!(
            source.test().unwrap().is_none()
                && source.unexpected_count(0, digits.len()).is_none()
                && !source.description().has_test
        );
    }

    #[test]
    fn cifar_is_found_unpacked_and_its_files_follow_one_another() {
        let root = tempfile::tempdir().unwrap();
        let record = |label: u8| [&[label][..], &[label; 3072]].concat();
        let folder = root.path().join("cifar-10-batches-bin");
        fs::create_dir_all(&folder).unwrap();
        for (i, name) in CIFAR_10.iter().enumerate() {
            fs::write(folder.join(name), record(i as u8)).unwrap();
        }
        let text = found(root.path(), "cifar-10").unwrap_err().to_string();
        assert!(text.contains("test_batch.bin") && text.contains("cifar-10-batches-bin"), "{text}");
        fs::write(folder.join("test_batch.bin"), [record(7), record(8)].concat()).unwrap();
        let source = found(root.path(), "cifar-10").unwrap();
        let (training, test) = (source.training().unwrap(), source.test().unwrap().unwrap());
        assert_eq!((training.labels(), test.labels()), (&[0, 1, 2, 3, 4][..], &[7, 8][..]));
        assert_eq!((training.sample(3), training.input), (&[3; 3072][..], source.description().input));
        let warning = source.unexpected_count(1, test.len()).unwrap();
        assert_eq!(warning, "cifar-10: 2 test samples were found, 10000 were published");
    }

    /// The folder of real data sets, where there is one.
    fn real() -> Option<Folders> {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let named = std::env::var_os("DUALPROP_DATA").map(PathBuf::from);
        Some(Folders::new(vec![named.or_else(|| shared.is_dir().then_some(shared))?]))
    }

    #[test]
    fn the_real_files_are_the_published_ones() {
        let Some(folders) = real() else { return println!("SKIPPED: no folder of data sets; set DUALPROP_DATA") };
        for (name, counts, first) in [
            ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], [5, 0, 4, 1, 9]),
            ("fashion-mnist", [6000; 10], [9, 0, 0, 3, 0]),
        ] {
            let source = Source::find(name, &folders).unwrap();
            let training = source.training().unwrap();
            let mut found = [0; 10];
            training.labels().iter().for_each(|&label| found[label as usize] += 1);
            assert_eq!((found, &training.labels()[..5]), (counts, &first[..]), "{name}");
            assert_eq!(source.test().unwrap().unwrap().len(), 10_000);
            assert!(source.unexpected_count(0, training.len()).is_none());
        }
    }
}
