//! The data sets that are known by name, and their files.

use std::path::{Path, PathBuf};

use crate::base::{Error, Result};
use crate::network::Shape;

use super::{Dataset, Folders, digits, read_images, read_labels};

/// What is known of a data set before any of its files is read.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// What recipes call it.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// The extents of one sample.
    pub input: Shape,
    /// What each label stands for.
    pub classes: &'static [&'static str],
    /// How many samples were published for training, and for the test; 0: it has no test part of its own.
    pub published: [usize; 2],
    /// The folders below a data folder that may hold its files; none: it is part of the library.
    folders: &'static [&'static str],
    /// Where to get it.
    home: &'static str,
}

const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// MNIST's extents, which its successors share.
const MNIST_INPUT: Shape = Shape { height: 28, width: 28, channels: 1 };

/// Every known data set.
pub const KNOWN: &[Known] = &[
    Known {
        name: "digits",
        about: "handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak 1998), part of this program",
        input: Shape { height: 8, width: 8, channels: 1 },
        classes: DIGITS,
        published: [1797, 0],
        folders: &[],
        home: "",
    },
    Known {
        name: "mnist",
        about: "handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges 1998)",
        input: MNIST_INPUT,
        classes: DIGITS,
        published: [60_000, 10_000],
        folders: &["mnist", "MNIST/raw"],
        home: "http://yann.lecun.com/exdb/mnist",
    },
    Known {
        name: "fashion-mnist",
        about: "articles of clothing of 28 x 28 pixels (Xiao, Rasul and Vollgraf 2017)",
        input: MNIST_INPUT,
        classes: &["T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"],
        published: [60_000, 10_000],
        folders: &["fashion-mnist", "FashionMNIST/raw"],
        home: "https://github.com/zalandoresearch/fashion-mnist",
    },
    Known {
        name: "kmnist",
        about: "Kuzushiji-MNIST: cursive Japanese characters of 28 x 28 pixels (Clanuwat et al. 2018)",
        input: MNIST_INPUT,
        classes: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        published: [60_000, 10_000],
        folders: &["kmnist", "KMNIST/raw"],
        home: "https://github.com/rois-codh/kmnist",
    },
];

impl Known {
    /// Whether the data set has a test part of its own; where it has none, its test samples are drawn from all.
    pub fn has_test(&self) -> bool {
        self.published[1] > 0
    }
}

/// A part of an IDX data set, as its files are called.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    images: PathBuf,
    labels: PathBuf,
}

impl Files {
    /// `train` or `t10k`, each file plain or compressed, if both are in this folder.
    fn find(folder: &Path, part: &str) -> Option<Self> {
        let file = |kind: &str| {
            let names = ["", ".gz"].map(|ending| folder.join(format!("{part}-{kind}-ubyte{ending}")));
            names.into_iter().find(|path| path.is_file())
        };
        Some(Files { images: file("images-idx3")?, labels: file("labels-idx1")? })
    }

    fn read(&self, known: &Known) -> Result<Dataset> {
        let images = read_images(&self.images)?;
        let labels = read_labels(&self.labels)?;
        let (found, expected) = ([images.height, images.width], [known.input.height, known.input.width]);
        if found != expected {
            let problem = format!("its images are {found:?}, expected {expected:?} for {}", known.name);
            return Err(Error::malformed(&self.images, problem));
        }
        if images.count != labels.len() {
            let problem = format!("it has {} labels, but {} has {} images", labels.len(), self.images.display(), images.count);
            return Err(Error::malformed(&self.labels, problem));
        }
        let labels = labels.into_iter().map(u32::from).collect();
        let dataset = Dataset::new(known.name, known.input, known.classes.len(), u8::MAX, images.pixels, labels);
        dataset.map_err(|error| Error::malformed(&self.labels, error.to_string()))
    }
}

/// A data set whose files were found, but not read yet: the test part is read when it is asked for, and not before.
#[derive(Debug, Clone)]
pub struct Source {
    known: &'static Known,
    /// Training and test; none: it is part of the library.
    files: Option<[Files; 2]>,
}

impl Source {
    /// Finds a data set by its name. All files must be there, the test's too, so that no training fails at its end.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is not known; [`Error::Setting`] if the files are in none of the folders.
    pub fn find(name: &str, folders: &Folders) -> Result<Self> {
        let known = KNOWN.iter().find(|known| known.name == name);
        let known = known.ok_or_else(|| Error::unknown("data set", name, KNOWN.iter().map(|known| known.name)))?;
        if known.folders.is_empty() {
            return Ok(Source { known, files: None });
        }
        let candidates = || folders.iter().flat_map(|folder| known.folders.iter().map(|name| folder.join(name)));
        let both = |folder: PathBuf| Some([Files::find(&folder, "train")?, Files::find(&folder, "t10k")?]);
        match candidates().find_map(both) {
            Some(files) => Ok(Source { known, files: Some(files) }),
            None => {
                let looked: Vec<String> = candidates().map(|folder| folder.display().to_string()).collect();
                let looked = if looked.is_empty() { "no folder at all".into() } else { looked.join(", ") };
                let problem = format!(
                    "its files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
                     t10k-labels-idx1-ubyte, each plain or with .gz, were looked for in {looked}; get them from {}, put them \
                     into a folder `{name}`, and name the folder above it by --data-dir or DUALPROP_DATA",
                    known.home
                );
                Err(Error::setting("data.dataset", name, problem))
            }
        }
    }

    /// What is known of it.
    pub fn known(&self) -> &'static Known {
        self.known
    }

    /// The training part; of a data set without a test part, all samples.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Malformed`] if the files are not what they should be.
    pub fn training(&self) -> Result<Dataset> {
        match &self.files {
            None => digits(),
            Some([training, _]) => training.read(self.known),
        }
    }

    /// The test part, if it has one of its own.
    ///
    /// # Errors
    /// As [`Source::training`].
    pub fn test(&self) -> Result<Option<Dataset>> {
        self.files.as_ref().map(|[_, test]| test.read(self.known)).transpose()
    }

    /// What to tell a user whose files have another number of samples than were published.
    pub fn unexpected_count(&self, training: &Dataset) -> Option<String> {
        let Known { name, published: [published, _], .. } = self.known;
        let found = training.len();
        (found != *published).then(|| format!("{name}: {found} training samples were found, {published} were published"))
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
            assert!(source.unexpected_count(&training).unwrap().contains("3 training samples were found, 60000"));
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
        assert_eq!((digits.len(), digits.input, digits.classes), (1797, source.known().input, source.known().classes.len()));
        assert!(source.test().unwrap().is_none() && source.unexpected_count(&digits).is_none() && !source.known().has_test());
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
            assert!(source.unexpected_count(&training).is_none());
        }
    }
}
