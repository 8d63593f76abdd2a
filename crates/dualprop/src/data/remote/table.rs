//! The published facts.
//!
//! Sums and sizes are those of tensorflow/datasets, `tensorflow_datasets/url_checksums/{mnist, fashion_mnist, kmnist, cifar10,
//! cifar100, svhn_cropped}.txt`, read in November 2026; those of MNIST and Fashion-MNIST were held against the files
//! themselves. No mirror could be tried where this was written, so that each is marked unverified.

use super::{Member, Mirror, Remote, RemoteFile, Unpack};

const fn unverified(prefix: &'static str) -> Mirror {
    Mirror { prefix, verified: false }
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str, mirrors: &'static [Mirror]) -> RemoteFile {
    RemoteFile { name, bytes: Some(bytes), sha256: Some(sha256), mirrors, unpack: None }
}

const MNIST: &[Mirror] = &[
    unverified("https://storage.googleapis.com/cvdf-datasets/mnist/"),
    unverified("https://ossci-datasets.s3.amazonaws.com/mnist/"),
    unverified("http://yann.lecun.com/exdb/mnist/"),
];

const FASHION_MNIST: &[Mirror] = &[
    unverified("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
    unverified("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
];

const KMNIST: &[Mirror] =
    &[unverified("https://codh.rois.ac.jp/kmnist/dataset/kmnist/"), unverified("http://codh.rois.ac.jp/kmnist/dataset/kmnist/")];

const CIFAR: &[Mirror] = &[unverified("https://www.cs.toronto.edu/~kriz/"), unverified("http://www.cs.toronto.edu/~kriz/")];

const SVHN: &[Mirror] =
    &[unverified("http://ufldl.stanford.edu/housenumbers/"), unverified("https://ufldl.stanford.edu/housenumbers/")];

/// The bytes of a file of 10,000 records of CIFAR-10.
const CIFAR_10_BATCH: u64 = 10_000 * 3073;

/// Every data set whose files are published.
pub const REMOTES: &[Remote] = &[
    Remote {
        name: "mnist",
        licence: "none stated; for research, citing its authors",
        citation: "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, 1998",
        by_hand: None,
        folders: &["mnist", "MNIST/raw"],
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                MNIST,
            ),
            file("train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", MNIST),
            file(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                MNIST,
            ),
            file("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", MNIST),
        ],
    },
    Remote {
        name: "fashion-mnist",
        licence: "MIT (Zalando SE)",
        citation: "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning, 2017",
        by_hand: None,
        folders: &["fashion-mnist", "FashionMNIST/raw"],
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                FASHION_MNIST,
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                FASHION_MNIST,
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                FASHION_MNIST,
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                FASHION_MNIST,
            ),
        ],
    },
    Remote {
        name: "kmnist",
        licence: "CC BY-SA 4.0",
        citation: "T. Clanuwat et al., Deep learning for classical Japanese literature, 2018",
        by_hand: None,
        folders: &["kmnist", "KMNIST/raw"],
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                18_165_135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                KMNIST,
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                29_497,
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                KMNIST,
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                3_041_136,
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                KMNIST,
            ),
            file("t10k-labels-idx1-ubyte.gz", 5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", KMNIST),
        ],
    },
    Remote {
        name: "cifar-10",
        licence: "none stated; for research, citing its author",
        citation: "A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        by_hand: None,
        folders: &["cifar-10"],
        files: &[RemoteFile {
            name: "cifar-10-binary.tar.gz",
            bytes: Some(170_052_171),
            sha256: Some("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
            mirrors: CIFAR,
            unpack: Some(Unpack {
                folder: "cifar-10-batches-bin",
                members: &[
                    Member { name: "data_batch_1.bin", bytes: CIFAR_10_BATCH },
                    Member { name: "data_batch_2.bin", bytes: CIFAR_10_BATCH },
                    Member { name: "data_batch_3.bin", bytes: CIFAR_10_BATCH },
                    Member { name: "data_batch_4.bin", bytes: CIFAR_10_BATCH },
                    Member { name: "data_batch_5.bin", bytes: CIFAR_10_BATCH },
                    Member { name: "test_batch.bin", bytes: CIFAR_10_BATCH },
                ],
            }),
        }],
    },
    Remote {
        name: "cifar-100",
        licence: "none stated; for research, citing its author",
        citation: "A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        by_hand: None,
        folders: &["cifar-100"],
        files: &[RemoteFile {
            name: "cifar-100-binary.tar.gz",
            bytes: Some(168_513_733),
            sha256: Some("58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),
            mirrors: CIFAR,
            unpack: Some(Unpack {
                folder: "cifar-100-binary",
                members: &[Member { name: "train.bin", bytes: 50_000 * 3074 }, Member { name: "test.bin", bytes: 10_000 * 3074 }],
            }),
        }],
    },
    Remote {
        name: "svhn",
        licence: "for non-commercial use only",
        citation: "Y. Netzer et al., Reading digits in natural images with unsupervised feature learning, 2011",
        by_hand: None,
        folders: &["svhn"],
        files: &[
            file("train_32x32.mat", 182_040_794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8", SVHN),
            file("test_32x32.mat", 64_275_384, "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b", SVHN),
        ],
    },
    Remote {
        name: "imagenet32",
        licence: "ImageNet's terms: non-commercial research, after registration",
        citation: "P. Chrabaszcz, I. Loshchilov, F. Hutter, A downsampled variant of ImageNet, 2017",
        by_hand: Some(
            "register at https://image-net.org, take Imagenet32_train_npz.zip and Imagenet32_val_npz.zip from its download page, \
             and unpack both into a folder `imagenet32`",
        ),
        folders: &["imagenet32"],
        files: &[],
    },
];
