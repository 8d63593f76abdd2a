//! The data sets that are known by name.

use crate::network::Shape;

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
    pub classes: Classes,
    /// How many samples were published for training, and for the test; 0: it has no test part of its own.
    pub published: [usize; 2],
    /// Mean and standard deviation of each channel, of pixels from 0 to 1, with which the paper's authors normalise it.
    pub constants: Option<Constants>,
    /// How its files are laid out.
    pub(super) layout: Layout,
    /// The folders below a data folder that may hold its files.
    pub(super) folders: &'static [&'static str],
    /// Where to get it.
    pub(super) home: &'static str,
}

/// The classes of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classes {
    /// Each by its name, in the order of the labels.
    Named(&'static [&'static str]),
    /// So many, which are told apart by their numbers.
    Numbered(usize),
}

impl Classes {
    /// How many there are.
    pub const fn len(self) -> usize {
        match self {
            Classes::Named(names) => names.len(),
            Classes::Numbered(count) => count,
        }
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What a label stands for.
    pub fn name(self, label: u32) -> String {
        match self {
            Classes::Named(names) => names.get(label as usize).map_or_else(|| label.to_string(), ToString::to_string),
            Classes::Numbered(_) => label.to_string(),
        }
    }
}

/// Mean and standard deviation of each channel.
pub type Constants = (&'static [f32], &'static [f32]);

/// The files of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// None: it is part of the library.
    Embedded,
    /// Images and labels, training and test, each a file.
    Idx,
    /// Five training files and one for the test.
    Cifar10,
    /// A training file and one for the test.
    Cifar100,
    /// The same.
    Svhn,
    /// Ten training files and one for validation, which is the field's test.
    ImageNet32,
}

const DIGITS: Classes = Classes::Named(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);

/// MNIST's extents, which its successors share.
const MNIST_INPUT: Shape = Shape { height: 28, width: 28, channels: 1 };

/// The extents of CIFAR's images and of those made like them.
const CIFAR_INPUT: Shape = Shape { height: 32, width: 32, channels: 3 };

/// The fine classes in the order of their labels.
#[rustfmt::skip]
const CIFAR_100: &[&str] = &[
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy", "bridge",
    "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud",
    "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox", "girl",
    "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man",
    "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree",
    "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray",
    "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider", "squirrel",
    "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor", "train",
    "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
];

/// Every known data set.
pub const KNOWN: &[Known] = &[
    Known {
        name: "digits",
        about: "handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak 1998), part of this program",
        input: Shape { height: 8, width: 8, channels: 1 },
        classes: DIGITS,
        published: [1797, 0],
        constants: None,
        layout: Layout::Embedded,
        folders: &[],
        home: "",
    },
    Known {
        name: "mnist",
        about: "handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges 1998)",
        input: MNIST_INPUT,
        classes: DIGITS,
        published: [60_000, 10_000],
        constants: Some((&[0.1307], &[0.3081])),
        layout: Layout::Idx,
        folders: &["mnist", "MNIST/raw"],
        home: "http://yann.lecun.com/exdb/mnist",
    },
    Known {
        name: "fashion-mnist",
        about: "articles of clothing of 28 x 28 pixels (Xiao, Rasul and Vollgraf 2017)",
        input: MNIST_INPUT,
        classes: Classes::Named(&[
            "T-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ]),
        published: [60_000, 10_000],
        constants: Some((&[0.2860], &[0.3530])),
        layout: Layout::Idx,
        folders: &["fashion-mnist", "FashionMNIST/raw"],
        home: "https://github.com/zalandoresearch/fashion-mnist",
    },
    Known {
        name: "kmnist",
        about: "Kuzushiji-MNIST: cursive Japanese characters of 28 x 28 pixels (Clanuwat et al. 2018)",
        input: MNIST_INPUT,
        classes: Classes::Named(&["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]),
        published: [60_000, 10_000],
        constants: None,
        layout: Layout::Idx,
        folders: &["kmnist", "KMNIST/raw"],
        home: "https://github.com/rois-codh/kmnist",
    },
    Known {
        name: "cifar-10",
        about: "photographs of 32 x 32 pixels in ten classes (Krizhevsky 2009), binary version",
        input: CIFAR_INPUT,
        classes: Classes::Named(&["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]),
        published: [50_000, 10_000],
        constants: Some((&[0.4914, 0.4822, 0.4465], &[0.2023, 0.1994, 0.2010])),
        layout: Layout::Cifar10,
        folders: &["cifar-10", "cifar-10/cifar-10-batches-bin", "cifar-10-batches-bin"],
        home: "https://www.cs.toronto.edu/~kriz/cifar.html",
    },
    Known {
        name: "cifar-100",
        about: "photographs of 32 x 32 pixels in a hundred classes (Krizhevsky 2009), binary version",
        input: CIFAR_INPUT,
        classes: Classes::Named(CIFAR_100),
        published: [50_000, 10_000],
        constants: Some((&[0.5074, 0.4867, 0.4411], &[0.2011, 0.1987, 0.2025])),
        layout: Layout::Cifar100,
        folders: &["cifar-100", "cifar-100/cifar-100-binary", "cifar-100-binary"],
        home: "https://www.cs.toronto.edu/~kriz/cifar.html",
    },
    Known {
        name: "svhn",
        about: "house numbers of 32 x 32 pixels, cropped to single digits (Netzer et al. 2011), MATLAB files",
        input: CIFAR_INPUT,
        classes: DIGITS,
        published: [73_257, 26_032],
        constants: Some((&[0.4377, 0.4438, 0.4728], &[0.1980, 0.2010, 0.1970])),
        layout: Layout::Svhn,
        folders: &["svhn"],
        home: "http://ufldl.stanford.edu/housenumbers",
    },
    Known {
        name: "imagenet32",
        about: "ImageNet in 32 x 32 pixels (Chrabaszcz, Loshchilov and Hutter 2017), npz version; its validation images test",
        input: CIFAR_INPUT,
        classes: Classes::Numbered(1000),
        published: [1_281_167, 50_000],
        constants: Some((&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225])),
        layout: Layout::ImageNet32,
        folders: &["imagenet32", "Imagenet32_train_npz"],
        home: "https://image-net.org/download-images.php",
    },
];

impl Known {
    /// Whether the data set has a test part of its own; where it has none, its test samples are drawn from all.
    pub fn has_test(&self) -> bool {
        self.published[1] > 0
    }
}
