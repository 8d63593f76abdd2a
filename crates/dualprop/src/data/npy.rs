//! Arrays in NPY files, the format of NumPy's `save`.
//!
//! A file is the magic number `\x93NUMPY`, a version, the length of a header, the header (a Python dictionary with the type
//! of the elements, their order and the extents) and the elements (NEP 1 and its versions 2.0 and 3.0).
//!
//! Files are hostile: no header is believed before it is held against the size of what follows it, and arrays of Python
//! objects, which could run a program, are refused.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::base::{Error, Result, memory};
use crate::network::Shape;

/// What is wrong with an array, to be told with the path of its file.
pub(super) type Flaw = String;

/// An array of whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    kind: Kind,
    /// Row-major.
    bytes: Vec<u8>,
}

/// Whole numbers, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    signed: bool,
    size: usize,
}

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read; that of an array of a few axes has a hundred bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// Reads images or flat samples: unsigned bytes [n, H, W], [n, H, W, C] or [n, D]. Returns the extents of a sample and the
/// pixels, row-major.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read; [`Error::Malformed`] if it is no such array, damaged, cut off or followed by
/// something else; [`Error::Memory`] if it is whole but too large.
pub fn read_images_npy(path: &Path) -> Result<(Shape, Vec<u8>)> {
    let flawed = |problem| Error::malformed(path, problem);
    let array = read_npy(path)?;
    let input = match array.shape[..] {
        [_, height, width] => Shape::image(height, width, 1),
        [_, height, width, channels] => Shape::image(height, width, channels),
        [_, neurons] => Shape::flat(neurons),
        _ => return Err(flawed(format!("its shape is {:?}, expected [n, H, W], [n, H, W, C] or [n, D]", array.shape))),
    };
    Ok((input, array.into_pixels().map_err(flawed)?))
}

/// Reads labels: whole numbers `[n]` or `[n, 1]`, none of them negative.
///
/// # Errors
/// As [`read_images_npy`].
pub fn read_labels_npy(path: &Path) -> Result<Vec<u32>> {
    let flawed = |problem| Error::malformed(path, problem);
    let array = read_npy(path)?;
    match array.shape[..] {
        [_] | [_, 1] => array.labels().map_err(flawed),
        _ => Err(flawed(format!("its shape is {:?}, expected one label for each sample, [n] or [n, 1]", array.shape))),
    }
}

fn read_npy(path: &Path) -> Result<Array> {
    let failed = |source| Error::Read { path: path.into(), source };
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::malformed(path, "it is not a regular file, expected an NPY file"));
    }
    memory::require(&path.display().to_string(), metadata.len(), "use a machine with more memory")?;
    let file = BufReader::new(File::open(path).map_err(failed)?);
    Array::read(file, metadata.len()).map_err(|problem| Error::malformed(path, problem))
}

impl Array {
    /// Reads an array that has at most `available` bytes, header included, all of which belong to it.
    pub(super) fn read(mut from: impl Read, available: u64) -> std::result::Result<Self, Flaw> {
        let (header, header_size) = read_header(&mut from)?;
        let Header { kind, fortran, shape } = parse(&header)?;
        let elements = shape.iter().try_fold(kind.size as u64, |bytes, &n| bytes.checked_mul(n));
        let bytes = elements.filter(|bytes| bytes.checked_add(header_size).is_some_and(|all| all <= available));
        let Some(count) = bytes else {
            let problem = format!("its header promises {shape:?} elements of {} bytes", kind.size);
            return Err(format!("{problem}, but there are only {available} bytes in all; it may be cut off"));
        };
        let mut bytes = vec![];
        from.by_ref().take(count).read_to_end(&mut bytes).map_err(|error| format!("it cannot be read: {error}"))?;
        if bytes.len() as u64 != count {
            return Err(format!("it ends after {} of {count} bytes of its elements", bytes.len()));
        }
        if from.read(&mut [0]).map_err(|error| format!("it cannot be read: {error}"))? != 0 {
            return Err(format!("something follows its {count} bytes of elements"));
        }
        // Each extent is at most the number of bytes unless another is zero.
        let shape: Vec<usize> = shape.into_iter().map(|n| usize::try_from(n).unwrap_or(usize::MAX)).collect();
        if shape.contains(&0) {
            return Err(format!("its shape is {shape:?}: it has no elements"));
        }
        let bytes = if fortran { row_major(&bytes, &shape, kind.size) } else { bytes };
        Ok(Array { shape, kind, bytes })
    }

    /// The elements, which must be unsigned bytes.
    pub(super) fn into_pixels(self) -> std::result::Result<Vec<u8>, Flaw> {
        match self.kind {
            Kind { signed: false, size: 1 } => Ok(self.bytes),
            kind => Err(format!("its elements are {}, expected unsigned bytes (uint8); convert it", kind.name())),
        }
    }

    /// The elements as labels.
    pub(super) fn labels(&self) -> std::result::Result<Vec<u32>, Flaw> {
        let number = |bytes: &[u8]| -> i128 {
            let negative = self.kind.signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
            let start = if negative { -1 } else { 0 };
            bytes.iter().rev().fold(start, |number, &byte| number << 8 | i128::from(byte))
        };
        let numbers = self.bytes.chunks_exact(self.kind.size).map(number).enumerate();
        let labels = numbers
            .map(|(i, number)| u32::try_from(number).map_err(|_| format!("label {i} is {number}, expected 0 to {}", u32::MAX)));
        labels.collect()
    }
}

impl Kind {
    fn name(self) -> String {
        format!("{}int{}", if self.signed { "" } else { "u" }, 8 * self.size)
    }

    /// The kind that NumPy writes as this text.
    fn parse(descr: &str) -> std::result::Result<Self, Flaw> {
        let refused = |why: &str| Err(format!("its elements are of type `{descr}`, expected whole numbers such as |u1: {why}"));
        match descr.as_bytes() {
            [b'|', b'O', ..] => refused("objects could run a program when they are read; save an array of numbers"),
            [order, letter @ (b'i' | b'u'), size @ (b'1' | b'2' | b'4' | b'8')] => match (order, size) {
                (b'|', b'1') | (b'<' | b'=', _) | (b'>', b'1') => {
                    Ok(Kind { signed: *letter == b'i', size: usize::from(size - b'0') })
                }
                _ => refused("save it in little-endian order"),
            },
            _ => refused("convert it"),
        }
    }
}

/// The text of the header, and how many bytes it takes with all before it.
fn read_header(from: &mut impl Read) -> std::result::Result<(String, u64), Flaw> {
    let cut_off = |_| "it ends within its header; it may be cut off, or no NPY file".to_string();
    let mut start = [0; 8];
    from.read_exact(&mut start).map_err(cut_off)?;
    if !start.starts_with(MAGIC) {
        return Err("it does not begin like an NPY file, expected what NumPy's `save` writes".into());
    }
    let (length, size) = match start[6] {
        1 => {
            let mut length = [0; 2];
            from.read_exact(&mut length).map_err(cut_off)?;
            (usize::from(u16::from_le_bytes(length)), 10)
        }
        2 | 3 => {
            let mut length = [0; 4];
            from.read_exact(&mut length).map_err(cut_off)?;
            (usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX), 12)
        }
        version => return Err(format!("it is of NPY version {version}, expected 1 to 3")),
    };
    if length > LONGEST_HEADER {
        return Err(format!("its header is said to have {length} bytes, expected at most {LONGEST_HEADER}"));
    }
    let mut header = vec![0; length];
    from.read_exact(&mut header).map_err(cut_off)?;
    let header = String::from_utf8(header).map_err(|_| "its header is not text".to_string())?;
    Ok((header, (size + length) as u64))
}

struct Header {
    kind: Kind,
    fortran: bool,
    shape: Vec<u64>,
}

/// The dictionary `{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }`, its keys in any order.
fn parse(header: &str) -> std::result::Result<Header, Flaw> {
    let wrong = || format!("its header is `{}`, expected descr, fortran_order and shape", header.trim());
    let value = |key: &str| -> Option<&str> {
        let quoted = [format!("'{key}':"), format!("\"{key}\":")];
        quoted.iter().find_map(|key| header.split_once(key.as_str())).map(|(_, rest)| rest.trim_start())
    };
    let descr = value("descr").ok_or_else(wrong)?;
    let quote = descr.chars().next().filter(|c| ['\'', '"'].contains(c)).ok_or_else(wrong)?;
    let descr = descr[1..].split_once(quote).ok_or_else(wrong)?.0;
    let order = value("fortran_order").ok_or_else(wrong)?;
    let fortran = match (order.starts_with("False"), order.starts_with("True")) {
        (true, _) => false,
        (_, true) => true,
        _ => return Err(wrong()),
    };
    let shape = value("shape").and_then(|text| text.strip_prefix('(')).and_then(|text| text.split_once(')'));
    let extents = shape.ok_or_else(wrong)?.0.split(',').map(str::trim).filter(|text| !text.is_empty());
    let shape = extents.map(|text| text.parse().map_err(|_| wrong())).collect::<std::result::Result<Vec<u64>, Flaw>>()?;
    if shape.is_empty() || shape.len() > 8 {
        return Err(format!("its shape is {shape:?}, expected 1 to 8 axes"));
    }
    Ok(Header { kind: Kind::parse(descr)?, fortran, shape })
}

/// The elements with the last index running fastest, from those with the first running fastest.
fn row_major(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut strides = vec![size; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut sorted = Vec::with_capacity(bytes.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..bytes.len() / size {
        let start: usize = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
        sorted.extend_from_slice(&bytes[start..start + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    sorted
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An NPY file of version 1 with this header and data.
    pub(crate) fn file(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
    }

    fn array(bytes: &[u8]) -> std::result::Result<Array, Flaw> {
        Array::read(bytes, bytes.len() as u64)
    }

    #[test]
    fn images_and_labels_are_what_numpy_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let write = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();
        write(&file("|u1", false, "(2, 1, 3)", &[1, 2, 3, 4, 5, 6]));
        assert_eq!(read_images_npy(&path).unwrap(), (Shape::image(1, 3, 1), vec![1, 2, 3, 4, 5, 6]));
        write(&file("|u1", true, "(2, 1, 3)", &[1, 4, 2, 5, 3, 6]));
        assert_eq!(read_images_npy(&path).unwrap(), (Shape::image(1, 3, 1), vec![1, 2, 3, 4, 5, 6]));
        write(&file("|u1", false, "(1, 1, 2, 3)", &[1, 2, 3, 4, 5, 6]));
        assert_eq!(read_images_npy(&path).unwrap().0, Shape::image(1, 2, 3));
        write(&file("|u1", false, "(3, 2)", &[1, 2, 3, 4, 5, 6]));
        assert_eq!(read_images_npy(&path).unwrap().0, Shape::flat(2));
        for (descr, data) in [
            ("|u1", &[7u8, 200][..]),
            ("<u2", &[7, 0, 200, 0]),
            ("<i4", &[7, 0, 0, 0, 200, 0, 0, 0]),
            ("<i8", &[7, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0]),
            ("<u8", &[7, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            for shape in ["(2,)", "(2, 1)"] {
                write(&file(descr, false, shape, data));
                assert_eq!(read_labels_npy(&path).unwrap(), [7, 200], "{descr}");
            }
        }
        // Version 2 has a longer length.
        let header = "{'shape': (2,), 'fortran_order': False, \"descr\": \"|i1\"}";
        write(&[MAGIC, &[2, 0], &(header.len() as u32).to_le_bytes(), header.as_bytes(), &[3, 127]].concat());
        assert_eq!(read_labels_npy(&path).unwrap(), [3, 127]);
    }

    #[test]
    fn every_flaw_is_named() {
        let message = |bytes: &[u8]| array(bytes).unwrap_err();
        let refused = |descr: &str| message(&file(descr, false, "(1,)", &[0; 8]));
        assert!(refused("|O").contains("could run a program"), "{}", refused("|O"));
        assert!(refused(">i4").contains("little-endian"));
        assert!(refused("<f8").contains("`<f8`, expected whole numbers"));
        assert!(message(b"\x93NUMPX\x01\x00").contains("does not begin like an NPY file"));
        assert!(message(&[MAGIC, &[4, 0]].concat()).contains("version 4"));
        assert!(message(&[MAGIC, &[2, 0, 255, 255, 255, 255]].concat()).contains("4294967295 bytes"));
        for shape in ["(1152921504606846976,)", "(4294967296, 4294967296, 4294967296)", "(9,)"] {
            assert!(message(&file("|u1", false, shape, &[0; 8])).contains("but there are only"), "{shape}");
        }
        assert!(message(&file("|u1", false, "(7,)", &[0; 8])).contains("something follows"));
        assert!(message(&file("|u1", false, "(0, 1152921504606846976)", &[])).contains("no elements"));
        for shape in ["()", "(-1,)", "(1.5,)", "1", "(1,,x)", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"] {
            assert!(array(&file("|u1", false, shape, &[0])).is_err(), "{shape}");
        }
        let labels = |descr, data: &[u8]| array(&file(descr, false, "(1,)", data)).unwrap().labels().unwrap_err();
        assert_eq!(labels("|i1", &[0xff]), "label 0 is -1, expected 0 to 4294967295");
        assert_eq!(labels("<u8", &[0, 0, 0, 0, 1, 0, 0, 0]), "label 0 is 4294967296, expected 0 to 4294967295");
        let pixels = array(&file("<i2", false, "(1,)", &[0; 2])).unwrap().into_pixels().unwrap_err();
        assert!(pixels.contains("int16, expected unsigned bytes"), "{pixels}");
    }

    #[test]
    fn a_file_cut_off_anywhere_or_damaged_anywhere_never_panics() {
        let whole = file("<u2", true, "(2, 3)", &[9; 12]);
        assert!(array(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(array(&whole[..length]).is_err(), "{length}");
        }
        for place in 0..whole.len() {
            for byte in [0, 1, 0x27, 0x28, 0x39, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[place] = byte;
                // An error, or another array of as many bytes; never more than there are.
                assert!(array(&damaged).map_or(true, |array| array.bytes.len() <= whole.len()));
            }
        }
    }
}
