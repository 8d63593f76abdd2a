//! SVHN's cropped digits: MATLAB files of level 5 with the variables `X` and `y`.
//!
//! `X` holds unsigned bytes [32, 32, 3, n] and `y` n labels of which 10 is the digit 0 (Y. Netzer et al., *Reading digits in
//! natural images with unsupervised feature learning*, 2011); the first index runs fastest. A file is a header of 128 bytes
//! and elements, each a type, a size and as many bytes; a variable is an element of elements, usually packed by zlib (*MAT-File
//! Format*, The MathWorks).
//!
//! Files are hostile: no size is believed before it is held against what there is.

use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;

use crate::base::{Error, Result, file, memory};
use crate::network::Shape;

use super::npy::Flaw;
use super::records::Records;

type Parsed<T> = std::result::Result<T, Flaw>;

const INPUT: Shape = Shape { height: 32, width: 32, channels: 3 };

const HEADER: usize = 128;
/// Types of elements.
const UINT8: u32 = 2;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// Deflate makes at most 258 bytes of two bits.
const MOST_PER_PACKED_BYTE: u64 = 1032;

/// What to do about a damaged file.
const REFETCH: &str = "it is damaged or cut off; fetch it again";

/// Reads `train_32x32.mat`, `test_32x32.mat` or `extra_32x32.mat`.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read; [`Error::Malformed`] if it is no such file, or damaged; [`Error::Memory`] if it
/// is too large.
pub fn read_svhn(path: &Path) -> Result<Records> {
    let needed = file::size(path)?.saturating_mul(4);
    memory::require(&path.display().to_string(), needed, "use a machine with more memory")?;
    parse(&file::read(path)?).map_err(|problem| Error::malformed(path, problem))
}

fn parse(bytes: &[u8]) -> Parsed<Records> {
    let header = bytes.get(..HEADER).ok_or_else(|| format!("it has {} bytes and so no header; {REFETCH}", bytes.len()))?;
    match (&header[124..128], header.starts_with(b"\x89HDF") || header.starts_with(b"MATLAB 7.3")) {
        ([0, 1, b'I', b'M'], false) => {}
        ([_, _, b'M', b'I'], false) => return Err("it is of a big-endian machine, expected a little-endian file".into()),
        (_, true) => return Err("it is of MATLAB 7.3 (HDF5), expected level 5; save it with -v7".into()),
        _ => return Err("it is no MATLAB file of level 5, such as SVHN's train_32x32.mat".into()),
    }
    let (mut images, mut labels) = (None, None);
    let mut rest = &bytes[HEADER..];
    while !rest.is_empty() {
        let element = Element::first(rest)?;
        rest = element.rest;
        let variable = match element.kind {
            COMPRESSED => unpack(element.data)?,
            MATRIX => Variable::parse(element.data)?,
            _ => continue,
        };
        match variable.name.as_str() {
            "X" => images = Some(variable),
            "y" => labels = Some(variable),
            _ => {}
        }
    }
    let missing = |name: &str| format!("it has no variable `{name}`, expected X and y, as SVHN's cropped digits have");
    records(&images.ok_or_else(|| missing("X"))?, &labels.ok_or_else(|| missing("y"))?)
}

/// An element: its type, its bytes, and what comes after it.
struct Element<'a> {
    kind: u32,
    data: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn first(bytes: &'a [u8]) -> Parsed<Self> {
        let word = |place: usize| -> Parsed<u32> {
            let bytes = bytes.get(place..place + 4).and_then(|word| word.try_into().ok());
            bytes.map(u32::from_le_bytes).ok_or_else(|| format!("it ends within an element; {REFETCH}"))
        };
        let tag = word(0)?;
        // A small element has its size in the upper half of its type, and its bytes in the place of the size.
        let (kind, size, start) = match tag >> 16 {
            0 => (tag, word(4)? as usize, 8),
            size => (tag & 0xffff, size as usize, 4),
        };
        let data = bytes.get(start..).and_then(|bytes| bytes.get(..size));
        let data = data.ok_or_else(|| format!("an element of {size} bytes does not fit into what is left; {REFETCH}"))?;
        // All but packed elements are filled up to eight bytes; the last one need not be.
        let end = if start == 4 { 8 } else { start + size };
        let end = if kind == COMPRESSED { end } else { end.next_multiple_of(8) };
        Ok(Element { kind, data, rest: bytes.get(end..).unwrap_or_default() })
    }
}

/// The variable in a packed element.
fn unpack(packed: &[u8]) -> Parsed<Variable> {
    let failed = |error: std::io::Error| format!("a variable cannot be unpacked: {error}; {REFETCH}");
    let mut unpacked = ZlibDecoder::new(packed);
    let mut tag = [0; 8];
    unpacked.read_exact(&mut tag).map_err(failed)?;
    let [kind, size] = [&tag[..4], &tag[4..]].map(|word| word.iter().rev().fold(0, |n, &byte| n << 8 | u32::from(byte)));
    if kind != MATRIX {
        return Err(format!("a packed element is of type {kind}, expected a variable ({MATRIX}); {REFETCH}"));
    }
    if u64::from(size) > (packed.len() as u64).saturating_mul(MOST_PER_PACKED_BYTE) {
        return Err(format!("{} packed bytes are said to be {size}, which is impossible; {REFETCH}", packed.len()));
    }
    let needed = u64::from(size);
    memory::require("a variable of a MATLAB file", needed, "use a machine with more memory")
        .map_err(|error| error.to_string())?;
    let mut data = vec![];
    unpacked.take(needed).read_to_end(&mut data).map_err(failed)?;
    if data.len() as u64 != needed {
        return Err(format!("a variable ends after {} of {size} bytes; {REFETCH}", data.len()));
    }
    Variable::parse(&data)
}

/// A numeric variable.
struct Variable {
    name: String,
    extents: Vec<usize>,
    /// The type that its numbers are stored as, which may be smaller than their own.
    kind: u32,
    bytes: Vec<u8>,
}

impl Variable {
    fn parse(data: &[u8]) -> Parsed<Self> {
        let flags = Element::first(data)?;
        let extents = Element::first(flags.rest)?;
        let name = Element::first(extents.rest)?;
        let name_text = String::from_utf8_lossy(name.data).into_owned();
        // What is no matrix of numbers (a text, a cell) has other elements here, and another name.
        let numbers = if name.rest.is_empty() { None } else { Some(Element::first(name.rest)?) };
        let extents = extents.data.chunks_exact(4).map(|word| word.iter().rev().fold(0usize, |n, &b| n << 8 | usize::from(b)));
        let (kind, bytes) = numbers.map_or((0, vec![]), |numbers| (numbers.kind, numbers.data.to_vec()));
        Ok(Variable { name: name_text, extents: extents.collect(), kind, bytes })
    }

    /// The numbers, which must be whole.
    fn numbers(&self) -> Parsed<Vec<i64>> {
        let signed = |bytes: &[u8]| {
            let start = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
            bytes.iter().rev().fold(start, |n: i64, &byte| n << 8 | i64::from(byte))
        };
        let unsigned = |bytes: &[u8]| bytes.iter().rev().fold(0, |n: i64, &byte| n << 8 | i64::from(byte));
        let whole = |x: f64| if x.fract() == 0.0 && x.abs() < 1e15 { Ok(x as i64) } else { Err(format!("it holds {x}")) };
        let numbers = |size: usize| self.bytes.chunks_exact(size);
        match self.kind {
            1 => Ok(numbers(1).map(signed).collect()),
            UINT8 => Ok(numbers(1).map(unsigned).collect()),
            3 => Ok(numbers(2).map(signed).collect()),
            4 => Ok(numbers(2).map(unsigned).collect()),
            5 => Ok(numbers(4).map(signed).collect()),
            6 => Ok(numbers(4).map(unsigned).collect()),
            7 => self.bytes.as_chunks().0.iter().map(|word| whole(f64::from(f32::from_le_bytes(*word)))).collect(),
            9 => self.bytes.as_chunks().0.iter().map(|word| whole(f64::from_le_bytes(*word))).collect(),
            kind => Err(format!("its numbers are of type {kind}, which labels never are")),
        }
    }
}

fn records(images: &Variable, labels: &Variable) -> Parsed<Records> {
    let &[32, 32, 3, samples] = &images.extents[..] else {
        return Err(format!("X has the extents {:?}, expected [32, 32, 3, n]", images.extents));
    };
    let size = INPUT.neurons();
    if images.kind != UINT8 || samples == 0 || samples.checked_mul(size) != Some(images.bytes.len()) {
        let (kind, bytes) = (images.kind, images.bytes.len());
        return Err(format!("X has {bytes} bytes of type {kind}, expected {size} of type {UINT8} for each of {samples} samples"));
    }
    // Before they are read, since each becomes eight bytes and there may be any number of them.
    if labels.bytes.len() > samples.saturating_mul(8) {
        return Err(format!("y has {} bytes of labels, but X has {samples} images", labels.bytes.len()));
    }
    let labels = labels.numbers().map_err(|problem| format!("y: {problem}"))?;
    if labels.len() != samples {
        return Err(format!("y has {} labels, but X has {samples} images", labels.len()));
    }
    if let Some(i) = labels.iter().position(|label| !(1..=10).contains(label)) {
        return Err(format!("label {i} is {}, expected 1 to 10", labels[i]));
    }
    let mut pixels = Vec::with_capacity(images.bytes.len());
    for image in images.bytes.chunks_exact(size) {
        for (row, column) in (0..32).flat_map(|row| (0..32).map(move |column| (row, column))) {
            pixels.extend((0..3).map(|channel| image[row + 32 * column + 1024 * channel]));
        }
    }
    Ok(Records { input: INPUT, pixels, labels: labels.into_iter().map(|label| (label % 10) as u32).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write;

    fn element(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = [&kind.to_le_bytes(), &(data.len() as u32).to_le_bytes(), data].concat();
        if kind != COMPRESSED {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes
    }

    /// A variable of class uint8 whose numbers are stored as `kind`.
    fn variable(name: &str, extents: &[u32], kind: u32, data: &[u8]) -> Vec<u8> {
        let small_name =
            [&(1u32 | (name.len() as u32) << 16).to_le_bytes()[..], name.as_bytes(), &[0; 3][..4 - name.len()]].concat();
        let extents: Vec<u8> = extents.iter().flat_map(|n| n.to_le_bytes()).collect();
        let parts = [element(6, &[9, 0, 0, 0, 0, 0, 0, 0]), element(5, &extents), small_name, element(kind, data)];
        element(MATRIX, &parts.concat())
    }

    fn packed(variable: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(vec![], Compression::fast());
        encoder.write_all(variable).unwrap();
        element(COMPRESSED, &encoder.finish().unwrap())
    }

    fn mat(variables: &[Vec<u8>]) -> Vec<u8> {
        let mut header = b"MATLAB 5.0 MAT-file, made by a test".to_vec();
        header.resize(124, b' ');
        [&header[..], &[0, 1, b'I', b'M'], &variables.concat()].concat()
    }

    /// Two images whose pixel at (row, column) of a channel is row + 3·column + 50·channel + sample.
    fn images() -> Vec<u8> {
        let mut bytes = vec![];
        for (sample, channel) in (0..2).flat_map(|s| (0..3).map(move |c| (s, c))) {
            let places = (0..32).flat_map(|column| (0..32).map(move |row| (row, column)));
            bytes.extend(places.map(|(row, column)| (row + 3 * column + 50 * channel + sample) as u8));
        }
        variable("X", &[32, 32, 3, 2], UINT8, &bytes)
    }

    fn labels(labels: &[u8]) -> Vec<u8> {
        variable("y", &[labels.len() as u32, 1], UINT8, labels)
    }

    #[test]
    fn plain_and_packed_variables_in_any_order_are_images_with_their_channels_last() {
        let doubles: Vec<u8> = [10.0f64, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        for file in [
            mat(&[images(), labels(&[10, 3])]),
            mat(&[packed(&labels(&[10, 3])), packed(&variable("z", &[1, 1], 1, &[7])), packed(&images())]),
            mat(&[packed(&images()), variable("y", &[2, 1], 9, &doubles)]),
        ] {
            let records = parse(&file).unwrap();
            assert_eq!((records.labels.as_slice(), records.input), (&[0, 3][..], INPUT));
            for (sample, row, column, channel) in [(0, 0, 0, 0), (0, 31, 0, 1), (1, 0, 31, 2), (1, 17, 5, 0)] {
                let place = ((sample * 32 + row) * 32 + column) * 3 + channel;
                assert_eq!(records.pixels[place], (row + 3 * column + 50 * channel + sample) as u8);
            }
        }
    }

    #[test]
    fn every_flaw_is_named() {
        let message = |variables: &[Vec<u8>]| parse(&mat(variables)).unwrap_err();
        assert!(message(&[labels(&[1])]).contains("no variable `X`"));
        assert!(message(&[images()]).contains("no variable `y`"));
        assert!(message(&[images(), labels(&[1])]).contains("y has 1 labels, but X has 2 images"));
        assert!(message(&[images(), labels(&[1, 0])]).contains("label 1 is 0, expected 1 to 10"));
        assert!(message(&[images(), labels(&[11, 1])]).contains("label 0 is 11"));
        let lying = variable("X", &[32, 32, 3, u32::MAX], UINT8, &[0; 16]);
        assert!(message(&[lying, labels(&[1])]).contains("X has 16 bytes of type 2"));
        assert!(
            message(&[variable("X", &[28, 28, 1], UINT8, &[]), labels(&[1])]).contains("[28, 28, 1], expected [32, 32, 3, n]")
        );
        let halves: Vec<u8> = [1.5f64, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert!(message(&[images(), variable("y", &[2, 1], 9, &halves)]).contains("y: it holds 1.5"));
        let bomb = [&MATRIX.to_le_bytes()[..], &u32::MAX.to_le_bytes()].concat();
        assert!(message(&[packed(&bomb)]).contains("which is impossible"));
        // Labels without end are counted before they are read.
        let text = message(&[images(), packed(&labels(&vec![1; 1 << 20]))]);
        assert!(text.contains("y has 1048576 bytes of labels, but X has 2 images"), "{text}");
        let mut big = mat(&[]);
        big[124..].copy_from_slice(&[1, 0, b'M', b'I']);
        assert!(parse(&big).unwrap_err().contains("big-endian"));
        assert!(parse(b"short").unwrap_err().contains("no header"));
        let mut newer = mat(&[]);
        newer[..10].copy_from_slice(b"MATLAB 7.3");
        assert!(parse(&newer).unwrap_err().contains("HDF5"));
    }

    #[test]
    fn a_file_cut_off_or_damaged_anywhere_never_panics() {
        for whole in [mat(&[labels(&[10, 3]), images()]), mat(&[packed(&labels(&[10, 3])), packed(&images())])] {
            for length in (0..whole.len()).step_by(29).chain(0..300.min(whole.len())) {
                assert!(parse(&whole[..length]).is_err(), "{length}");
            }
            for place in 124..whole.len().min(500) {
                for byte in [0, 1, 14, 15, 0x7f, 0x80, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[place] = byte;
                    let _ = parse(&damaged);
                }
            }
        }
    }
}
