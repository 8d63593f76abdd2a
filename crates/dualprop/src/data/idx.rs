//! The IDX format of MNIST and its successors: four bytes of magic (0, 0, the element type, the number of axes), the extent of
//! each axis as a big-endian u32, and the elements; often compressed by gzip.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::base::{Error, Result};

/// Images as an IDX file has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// How many.
    pub count: usize,
    /// Rows of each.
    pub height: usize,
    /// Columns of each.
    pub width: usize,
    /// Row-major [count, height, width].
    pub pixels: Vec<u8>,
}

/// The element type of bytes.
const BYTES: u8 = 8;
/// The axes of labels and of images.
const LABELS: u8 = 1;
const IMAGES: u8 = 3;
/// No deflate stream expands more than this: a header that promises more lies.
const MOST_EXPANSION: u64 = 1032;

/// Reads images of bytes, [n, rows, columns], plain or compressed.
///
/// # Errors
/// [`Error::Read`]; [`Error::Malformed`] for a file that is not exactly what its header says, which is never trusted: no more
/// is reserved than a file of its size can hold.
pub fn read_images(path: &Path) -> Result<Images> {
    let (extents, pixels) = read(path, IMAGES)?;
    let [count, height, width] = extents[..] else { return Err(Error::malformed(path, "it does not have three axes")) };
    Ok(Images { count, height, width, pixels })
}

/// Reads labels, one byte each, plain or compressed.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>> {
    read(path, LABELS).map(|(_, labels)| labels)
}

/// Extents and elements of a file with this many axes.
fn read(path: &Path, axes: u8) -> Result<(Vec<usize>, Vec<u8>)> {
    let failed = |source| Error::Read { path: path.into(), source };
    let metadata = path.metadata().map_err(failed)?;
    // Before it is opened, which would wait for the other end of a pipe.
    if !metadata.is_file() {
        return Err(Error::malformed(path, "it is not a regular file"));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut magic = vec![];
    (&mut file).take(2).read_to_end(&mut magic).map_err(failed)?;
    let file = BufReader::new(magic.as_slice().chain(file));
    match magic[..] {
        [0x1f, 0x8b] => parse(path, MultiGzDecoder::new(file), metadata.len().saturating_mul(MOST_EXPANSION), axes),
        _ => parse(path, file, metadata.len(), axes),
    }
}

/// `most` is how many bytes the source can have at all.
fn parse(path: &Path, mut source: impl Read, most: u64, axes: u8) -> Result<(Vec<usize>, Vec<u8>)> {
    let flaw = |problem: String| Error::malformed(path, problem);
    let mut header = vec![];
    fill(path, &mut source, &mut header, 4)?;
    check_magic(&header, axes).map_err(flaw)?;
    let mut extents = vec![];
    fill(path, &mut source, &mut extents, 4 * u64::from(axes))?;
    let extents: Vec<u64> = extents.as_chunks().0.iter().map(|bytes| u64::from(u32::from_be_bytes(*bytes))).collect();
    if extents.len() != usize::from(axes) {
        return Err(flaw("it is truncated within its header; get it again".into()));
    }
    let elements = extents.iter().try_fold(1u64, |product, &extent| product.checked_mul(extent));
    let Some(elements) = elements.filter(|&elements| elements <= most) else {
        return Err(flaw(format!("its header promises {extents:?} elements, more than a file of its size can hold")));
    };
    if elements == 0 {
        return Err(flaw(format!("its header promises {extents:?} elements, that is none")));
    }
    let mut data = vec![];
    // One byte more than promised shows that there are too many.
    fill(path, &mut source, &mut data, elements + 1)?;
    match data.len() as u64 {
        found if found < elements => {
            Err(flaw(format!("it is truncated: {found} of {elements} elements are there; get it again")))
        }
        found if found > elements => Err(flaw(format!("more bytes follow the {elements} elements that its header promises"))),
        _ => Ok((extents.iter().map(|&extent| extent as usize).collect(), data)),
    }
}

/// Appends up to `most` bytes of the source, growing with what comes and not with what is promised.
fn fill(path: &Path, source: &mut impl Read, bytes: &mut Vec<u8>, most: u64) -> Result<()> {
    let read = source.take(most).read_to_end(bytes);
    read.map(drop).map_err(|error| Error::malformed(path, format!("it cannot be read or unpacked: {error}; get it again")))
}

fn check_magic(magic: &[u8], axes: u8) -> std::result::Result<(), String> {
    let what = |axes| match axes {
        LABELS => "labels",
        IMAGES => "images",
        _ => "something else",
    };
    match *magic {
        [0, 0, BYTES, found] if found == axes => Ok(()),
        [0, 0, BYTES, found] => Err(format!("it holds {} ({found} axes), expected {} ({axes} axes)", what(found), what(axes))),
        [0, 0, kind @ (0x09 | 0x0b..=0x0e), _] => Err(format!("its elements are of type {kind:#04x}, expected 0x08, bytes")),
        _ => Err(format!("it starts with {magic:02x?}, expected [00, 00, 08, {axes:02x}]: it is no IDX file of {}", what(axes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use std::path::PathBuf;

    fn header(axes: u8, extents: &[u32]) -> Vec<u8> {
        let extents = extents.iter().flat_map(|extent| extent.to_be_bytes());
        [0, 0, BYTES, axes].into_iter().chain(extents).collect()
    }

    fn images(extents: &[u32; 3]) -> Vec<u8> {
        let elements = extents.iter().product::<u32>();
        [header(IMAGES, extents), (0..elements).map(|i| i as u8).collect()].concat()
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    struct Scratch(tempfile::TempDir);

    impl Scratch {
        fn new() -> Self {
            Scratch(tempfile::tempdir().unwrap())
        }

        fn file(&self, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            path
        }

        fn images(&self, bytes: &[u8]) -> Result<Images> {
            read_images(&self.file(bytes))
        }

        #[track_caller]
        fn refused(&self, bytes: &[u8], expected: &str) {
            for bytes in [bytes.to_vec(), packed(bytes)] {
                let error = self.images(&bytes).unwrap_err();
                assert!(matches!(error, Error::Malformed { .. }), "{error}");
                assert!(error.to_string().contains(expected), "expected {expected:?} in: {error}");
            }
        }
    }

    #[test]
    fn plain_and_compressed_files_give_the_same_images() {
        let scratch = Scratch::new();
        let bytes = images(&[3, 2, 4]);
        let plain = scratch.images(&bytes).unwrap();
        assert_eq!((plain.count, plain.height, plain.width, plain.pixels.len()), (3, 2, 4, 24));
        assert_eq!(plain.pixels[23], 23);
        assert_eq!(scratch.images(&packed(&bytes)).unwrap(), plain);
        // Compressed in two parts.
        let parts = [packed(&bytes[..10]), packed(&bytes[10..])].concat();
        assert_eq!(scratch.images(&parts).unwrap(), plain);
        let labels = [header(LABELS, &[3]), vec![5, 0, 4]].concat();
        assert_eq!(read_labels(&scratch.file(&labels)).unwrap(), [5, 0, 4]);
    }

    #[test]
    fn truncated_files_are_refused_wherever_they_end() {
        let scratch = Scratch::new();
        let bytes = images(&[3, 2, 4]);
        for length in 0..bytes.len() {
            assert!(scratch.images(&bytes[..length]).is_err(), "{length} bytes");
            assert!(scratch.images(&packed(&bytes[..length])).is_err(), "{length} bytes, compressed");
        }
        scratch.refused(&bytes[..bytes.len() - 1], "truncated: 23 of 24 elements");
        scratch.refused(&bytes[..7], "truncated within its header");
        let packed = packed(&bytes);
        for length in 2..packed.len() {
            assert!(scratch.images(&packed[..length]).is_err(), "{length} bytes of the compressed file");
        }
    }

    #[test]
    fn oversized_files_are_refused() {
        let scratch = Scratch::new();
        scratch.refused(&[images(&[3, 2, 4]), vec![0]].concat(), "more bytes follow the 24 elements");
        let trailing = [packed(&images(&[3, 2, 4])), b"not gzip".to_vec()].concat();
        assert!(scratch.images(&trailing).unwrap_err().to_string().contains("unpacked"));
    }

    #[test]
    fn files_of_another_kind_are_named() {
        let scratch = Scratch::new();
        scratch.refused(&[header(LABELS, &[3]), vec![1, 2, 3]].concat(), "it holds labels (1 axes), expected images");
        scratch.refused(&[0, 0, 0x0d, 3, 0, 0, 0, 1], "of type 0x0d, expected 0x08");
        scratch.refused(b"PK\x03\x04 and so on", "no IDX file of images");
        scratch.refused(b"", "no IDX file of images");
        assert!(read_images(scratch.0.path()).unwrap_err().to_string().contains("not a regular file"));
        assert!(matches!(read_images(&scratch.0.path().join("missing")), Err(Error::Read { .. })));
    }

    #[test]
    fn lying_headers_reserve_nothing() {
        let scratch = Scratch::new();
        for extents in [[u32::MAX; 3], [u32::MAX, 1, 1], [1 << 20, 1 << 20, 1 << 20]] {
            scratch.refused(&header(IMAGES, &extents), "more than a file of its size can hold");
        }
        scratch.refused(&header(IMAGES, &[3, 0, 4]), "that is none");
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let scratch = Scratch::new();
        let bomb = packed(&[header(IMAGES, &[1, 2, 2]), vec![0; 50 << 20]].concat());
        assert!(bomb.len() < 1 << 20);
        assert!(scratch.images(&bomb).unwrap_err().to_string().contains("more bytes follow the 4 elements"));
    }

    #[test]
    fn damaged_files_never_panic() {
        let scratch = Scratch::new();
        let mut random = Random::new(3, Purpose::Synthetic, 0, 0);
        for whole in [images(&[2, 3, 2]), packed(&images(&[2, 3, 2]))] {
            for _ in 0..1000 {
                let mut bytes = whole.clone();
                for _ in 0..=random.below(3) {
                    let place = random.below(bytes.len());
                    bytes[place] = random.bits() as u8;
                }
                bytes.truncate(1 + random.below(bytes.len()));
                // Whatever it is: an answer.
                let _ = scratch.images(&bytes);
            }
        }
    }
}
