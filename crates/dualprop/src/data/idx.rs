//! The IDX format of MNIST and of its successors, plain or packed by gzip.
//!
//! A file is two zero bytes, the type of the elements (8: unsigned bytes), the number of dimensions, an extent of four bytes
//! (big-endian) for each, and the elements, the last index running fastest (Y. LeCun, C. Cortes, C. Burges, *The MNIST
//! database of handwritten digits*).
//!
//! Files are hostile: no header is believed before it is held against the size of the file.

use std::fs::File;
use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::base::{Error, Result, memory};

/// Grey images of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// How many there are.
    pub count: usize,
    /// Rows of each.
    pub height: usize,
    /// Columns of each.
    pub width: usize,
    /// Row-major [count, height, width].
    pub pixels: Vec<u8>,
}

/// Reads a file of images: unsigned bytes in three dimensions.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read; [`Error::Malformed`] if it is no such file, damaged, cut off, or followed by
/// something else; [`Error::Memory`] if it is whole but too large.
pub fn read_images(path: &Path) -> Result<Images> {
    let ([count, height, width], pixels) = read::<3>(path)?;
    Ok(Images { count, height, width, pixels })
}

/// Reads a file of labels: unsigned bytes in one dimension.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>> {
    let (_, labels) = read::<1>(path)?;
    Ok(labels)
}

fn read<const RANK: usize>(path: &Path) -> Result<([usize; RANK], Vec<u8>)> {
    let failed = |source| Error::Read { path: path.into(), source };
    // Asked before it is opened: to open a pipe is to wait until somebody writes to it.
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "a device or pipe" };
        return Err(Error::malformed(path, format!("it is {found}, expected an IDX file; name the file itself")));
    }
    parse(path, metadata.len(), BufReader::new(File::open(path).map_err(failed)?))
}

/// The extents and elements of an IDX file of `size` bytes, whose path is for messages alone.
fn parse<const RANK: usize>(path: &Path, size: u64, mut file: impl BufRead) -> Result<([usize; RANK], Vec<u8>)> {
    let start = file.fill_buf().map_err(|source| Error::Read { path: path.into(), source })?;
    if start.starts_with(&GZIP) {
        // A file may consist of several packed pieces, as that of `cat a.gz b.gz` does.
        Content { path, packed: true, size, bytes: MultiGzDecoder::new(file) }.parse()
    } else {
        Content { path, packed: false, size, bytes: file }.parse()
    }
}

/// How a file packed by gzip begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The type of the elements that images and labels have.
const UNSIGNED_BYTE: u8 = 0x08;
/// Deflate makes at most 258 bytes of two bits.
const MOST_PER_PACKED_BYTE: u64 = 1032;
/// What to do about a damaged file.
const REFETCH: &str = "fetch the file again";

/// What a file holds, unpacked while it is read.
struct Content<'a, R, const RANK: usize> {
    path: &'a Path,
    packed: bool,
    /// Bytes of the file itself.
    size: u64,
    bytes: R,
}

impl<R: Read, const RANK: usize> Content<'_, R, RANK> {
    /// Bytes of the magic number and the extents.
    const HEADER: u64 = 4 + 4 * RANK as u64;

    fn parse(mut self) -> Result<([usize; RANK], Vec<u8>)> {
        self.magic()?;
        let mut extents = [0; RANK];
        for extent in &mut extents {
            *extent = u32::from_be_bytes(self.word()?);
        }
        let length = self.length(&extents)?;
        Ok((extents.map(|extent| extent as usize), self.elements(length)?))
    }

    /// Reads the magic number: that of bytes in `RANK` dimensions.
    fn magic(&mut self) -> Result<()> {
        let expected = RANK as u8;
        let word = self.word()?;
        let [0, 0, element, rank] = word else {
            let found = word.map(|byte| format!("{byte:02x}")).join(" ");
            let problem = format!("it begins with the bytes {found}, expected 00 00 08 {expected:02x}: it is no IDX file");
            return Err(self.malformed(format!("{problem}; {REFETCH}")));
        };
        if element != UNSIGNED_BYTE {
            let (found, problem) = (element_name(element), "convert it to unsigned bytes");
            return Err(self.malformed(format!("its elements are {found}, expected unsigned bytes (0x08); {problem}")));
        }
        if rank != expected {
            let [found, expected] = [rank, expected].map(rank_name);
            return Err(self.malformed(format!("it holds {found}, expected {expected}; name the file of {expected}")));
        }
        Ok(())
    }

    fn word(&mut self) -> Result<[u8; 4]> {
        let mut word = Vec::with_capacity(4);
        self.read_to(&mut word, 4)?;
        let problem = || format!("it ends within its header, expected {} bytes of it; {REFETCH}", Self::HEADER);
        word.try_into().map_err(|_| self.malformed(problem()))
    }

    /// How many elements there are, once that many can be in this file and in memory.
    fn length(&self, extents: &[u32; RANK]) -> Result<usize> {
        if extents.contains(&0) {
            return Err(self.malformed(format!("its extents are {extents:?}, expected numbers above 0; {REFETCH}")));
        }
        let most = if self.packed { self.size.saturating_mul(MOST_PER_PACKED_BYTE) } else { self.size };
        let length = extents.iter().try_fold(1u64, |product, &n| product.checked_mul(n.into()));
        let possible = |&length: &u64| length.checked_add(Self::HEADER).is_some_and(|whole| whole <= most);
        let Some(length) = length.filter(possible) else {
            let bound = match self.packed {
                true => format!("a gzip file of {} bytes unpacks to {most} at most", self.size),
                false => format!("the file has {most} in all"),
            };
            let problem = format!("its header of {} bytes promises {extents:?} more, but {bound}", Self::HEADER);
            return Err(self.malformed(format!("{problem}; {REFETCH}")));
        };
        memory::require(&self.path.display().to_string(), length, "use a smaller file, or a machine with more memory")?;
        usize::try_from(length).map_err(|_| self.malformed(format!("its {length} bytes exceed what this machine can address")))
    }

    /// Reads the elements, after which the file must end.
    fn elements(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut elements = Vec::new();
        // One more than promised: what is there too many shows, and all else that a hostile file unpacks to stays packed.
        let room = elements.try_reserve_exact(length.saturating_add(1));
        room.map_err(|_| self.malformed(format!("its header promises {length} bytes, for which there is no memory")))?;
        self.read_to(&mut elements, length as u64 + 1)?;
        if elements.len() < length {
            let problem = format!("it ends after {} of the {length} bytes that its header promises", elements.len());
            return Err(self.malformed(format!("{problem}; {REFETCH}")));
        }
        if elements.len() > length {
            return Err(self.malformed(format!("it goes on after the {length} bytes that its header promises; {REFETCH}")));
        }
        Ok(elements)
    }

    /// Appends the next `most` bytes, or all that there are.
    fn read_to(&mut self, bytes: &mut Vec<u8>, most: u64) -> Result<()> {
        match self.bytes.by_ref().take(most).read_to_end(bytes) {
            Ok(_) => Ok(()),
            // What the unpacking calls by these names is a flaw of the content, not of the disk.
            Err(error) if self.packed && matches!(error.kind(), UnexpectedEof | InvalidInput | InvalidData) => {
                Err(self.malformed(format!("it cannot be unpacked ({error}), expected a whole gzip file; {REFETCH}")))
            }
            Err(source) => Err(Error::Read { path: self.path.into(), source }),
        }
    }

    fn malformed(&self, problem: String) -> Error {
        Error::malformed(self.path, problem)
    }
}

fn rank_name(rank: u8) -> String {
    match rank {
        1 => "labels (1 dimension)".into(),
        3 => "images (3 dimensions)".into(),
        _ => format!("an array of {rank} dimensions"),
    }
}

fn element_name(element: u8) -> String {
    match element {
        0x09 => "signed bytes (0x09)".into(),
        0x0b => "16-bit integers (0x0b)".into(),
        0x0c => "32-bit integers (0x0c)".into(),
        0x0d => "32-bit floats (0x0d)".into(),
        0x0e => "64-bit floats (0x0e)".into(),
        _ => format!("of an unknown type (0x{element:02x})"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn idx(magic: [u8; 4], extents: &[u32], elements: &[u8]) -> Vec<u8> {
        let extents = extents.iter().flat_map(|n| n.to_be_bytes());
        magic.into_iter().chain(extents).chain(elements.iter().copied()).collect()
    }

    /// Two images of 2 x 3 pixels.
    fn images() -> Vec<u8> {
        idx([0, 0, 8, 3], &[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255])
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn parsed<const RANK: usize>(file: &[u8]) -> Result<([usize; RANK], Vec<u8>)> {
        parse(Path::new("file"), file.len() as u64, file)
    }

    /// What is wrong with this file of images.
    fn flaw(file: &[u8]) -> String {
        let error = parsed::<3>(file).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        error.to_string()
    }

    #[test]
    fn plain_and_packed_files_are_told_apart_by_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let expected: Vec<u8> = images()[16..].to_vec();
        for (name, content) in [("plain.gz", images()), ("packed", packed(&images()))] {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            let images = read_images(&path).unwrap();
            assert_eq!(images, Images { count: 2, height: 2, width: 3, pixels: expected.clone() });
        }
        let path = folder.path().join("labels");
        fs::write(&path, idx([0, 0, 8, 1], &[3], &[7, 0, 9])).unwrap();
        assert_eq!(read_labels(&path).unwrap(), [7, 0, 9]);
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let text = read_images(folder.path()).unwrap_err().to_string();
        assert!(text.ends_with("it is a folder, expected an IDX file; name the file itself"), "{text}");
        assert!(matches!(read_labels(&folder.path().join("nothing")), Err(Error::Read { .. })));
        #[cfg(unix)]
        {
            let device = folder.path().join("device");
            std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
            let text = read_labels(&device).unwrap_err().to_string();
            assert!(text.contains("it is a device or pipe, expected an IDX file"), "{text}");
        }
    }

    #[test]
    fn a_cut_off_header_is_named() {
        for length in [0, 3, 4, 15] {
            assert_eq!(
                flaw(&images()[..length]),
                "file: it ends within its header, expected 16 bytes of it; fetch the file again"
            );
            assert!(flaw(&packed(&images()[..length])).contains("it ends within its header"));
        }
    }

    #[test]
    fn cut_off_elements_are_named() {
        let text = flaw(&images()[..27]);
        let expected = "file: its header of 16 bytes promises [2, 2, 3] more, but the file has 27 in all; fetch the file again";
        assert_eq!(text, expected);
        let text = flaw(&packed(&images()[..27]));
        assert_eq!(text, "file: it ends after 11 of the 12 bytes that its header promises; fetch the file again");
    }

    /// The size that the system told is no longer that of the file.
    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_named() {
        let text = parse::<3>(Path::new("file"), 28, &images()[..27]).unwrap_err().to_string();
        assert_eq!(text, "file: it ends after 11 of the 12 bytes that its header promises; fetch the file again");
    }

    #[test]
    fn trailing_bytes_are_named() {
        let long = [images(), vec![0]].concat();
        for file in [packed(&long), long] {
            assert_eq!(flaw(&file), "file: it goes on after the 12 bytes that its header promises; fetch the file again");
        }
    }

    #[test]
    fn another_magic_number_is_quoted() {
        let text = flaw(b"<!DOCTYPE html>");
        let expected =
            "file: it begins with the bytes 3c 21 44 4f, expected 00 00 08 03: it is no IDX file; fetch the file again";
        assert_eq!(text, expected);
        assert!(flaw(&packed(&packed(&images()))).contains("it begins with the bytes 1f 8b 08"));
    }

    #[test]
    fn labels_where_images_are_expected_are_named_and_the_other_way_round() {
        let text = flaw(&idx([0, 0, 8, 1], &[3], &[7, 0, 9]));
        let expected = "file: it holds labels (1 dimension), expected images (3 dimensions); \
            name the file of images (3 dimensions)";
        assert_eq!(text, expected);
        let text = parsed::<1>(&images()).unwrap_err().to_string();
        assert!(text.contains("it holds images (3 dimensions), expected labels (1 dimension)"), "{text}");
        assert!(flaw(&idx([0, 0, 8, 2], &[1, 1], &[0])).contains("it holds an array of 2 dimensions"));
        assert!(flaw(&idx([0, 0, 8, 255], &[], &[])).contains("it holds an array of 255 dimensions"));
    }

    #[test]
    fn other_elements_than_bytes_are_named() {
        let elements =
            [(9, "signed bytes"), (11, "16-bit integers"), (12, "32-bit integers"), (13, "32-bit floats"), (14, "64-bit floats")];
        for (element, name) in elements.into_iter().chain([(0, "of an unknown type (0x00)")]) {
            let text = flaw(&idx([0, 0, element, 3], &[1, 1, 1], &[0; 8]));
            let expected = format!("its elements are {name}");
            assert!(text.contains(&expected) && text.contains("expected unsigned bytes (0x08)"), "{text}");
        }
    }

    #[test]
    fn extents_that_no_file_can_have_are_refused_before_anything_is_reserved() {
        let extents: [&[u32; 3]; 3] = [&[u32::MAX; 3], &[1 << 20; 3], &[1 << 31, 1 << 31, 4]];
        for extents in extents {
            let file = idx([0, 0, 8, 3], extents, &[0; 12]);
            let expected = format!("its header of 16 bytes promises {extents:?} more, but ");
            for (file, bound) in [(packed(&file), " bytes unpacks to "), (file, "the file has 28 in all")] {
                let text = flaw(&file);
                assert!(text.contains(&expected) && text.contains(bound), "{text}");
            }
        }
    }

    #[test]
    fn an_extent_of_zero_is_named() {
        for extents in [[0, 2, 3], [2, 0, 3], [2, 2, 0]] {
            let text = flaw(&idx([0, 0, 8, 3], &extents, &[]));
            assert!(text.contains(&format!("its extents are {extents:?}, expected numbers above 0")), "{text}");
        }
    }

    /// A real gzip file of zeros comes near to the bound that no gzip file exceeds.
    #[test]
    fn a_packed_file_may_promise_what_gzip_can_reach_and_no_more() {
        let zeros = |n: u32| packed(&idx([0, 0, 8, 3], &[n, 1000, 1000], &vec![0; n as usize * 1_000_000]));
        let whole = zeros(8);
        assert!(whole.len() * 1000 < 8_000_000 + 16 * 1000 + 200_000, "{}", whole.len());
        assert_eq!(parsed::<3>(&whole).unwrap().1, vec![0; 8_000_000]);
        let liar = packed(&idx([0, 0, 8, 3], &[9, 1000, 1000], &vec![0; 8_000_000]));
        assert!(flaw(&liar).contains(&format!("unpacks to {} at most", 1032 * liar.len())));
    }

    /// Counts what is taken from it.
    struct Counting<'a> {
        taken: &'a Cell<u64>,
    }

    impl Read for Counting<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(7);
            self.taken.set(self.taken.get() + buffer.len() as u64);
            Ok(buffer.len())
        }
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_its_header_promises() {
        let bomb = packed(&[images(), vec![0; 50_000_000]].concat());
        assert!(flaw(&bomb).contains("it goes on after the 12 bytes that its header promises"));
        // The same without end, counted behind the unpacking.
        let (taken, start) = (Cell::new(0), images());
        let bytes = start.as_slice().chain(Counting { taken: &taken });
        let content = Content::<_, 3> { path: Path::new("file"), packed: true, size: 1 << 40, bytes };
        assert!(content.parse().unwrap_err().to_string().contains("it goes on after the 12 bytes"));
        assert_eq!(taken.get(), 1);
    }

    #[test]
    fn a_cut_off_or_damaged_packed_file_is_named() {
        let whole = packed(&images());
        for length in 2..whole.len() {
            let text = flaw(&whole[..length]);
            assert!(text.contains("it cannot be unpacked (") && text.contains("expected a whole gzip file"), "{length}: {text}");
        }
        // The last eight bytes are the checksum and the length.
        for place in 10..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x55;
            assert!(parsed::<3>(&damaged).is_err(), "{place}");
        }
    }

    #[test]
    fn trailing_garbage_after_the_packed_content_is_named() {
        let text = flaw(&[packed(&images()), b"garbage, and more of it".to_vec()].concat());
        assert!(text.contains("it cannot be unpacked (invalid gzip header)"), "{text}");
    }

    #[test]
    fn a_file_of_several_packed_pieces_is_read_as_one() {
        let whole = images();
        let pieces = [packed(&whole[..20]), packed(&[]), packed(&whole[20..])].concat();
        assert_eq!(parsed::<3>(&pieces).unwrap(), parsed::<3>(&images()).unwrap());
    }

    /// A file that is as large as it says, without a byte on the disk.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_does_not_fit_into_memory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        fs::write(&path, idx([0, 0, 8, 3], &[1 << 10, 1 << 15, 1 << 15], &[])).unwrap();
        if fs::OpenOptions::new().write(true).open(&path).unwrap().set_len((1 << 40) + 16).is_err() {
            println!("SKIPPED: the temporary folder holds no sparse file of 1 TiB");
            return;
        }
        let error = read_images(&path).unwrap_err();
        assert!(matches!(error, Error::Memory { needed: 1_048_576, .. }), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Plain: whatever is read fits its header. Packed: the checksum lets nothing but the original through.
        #[test]
        fn no_damaged_file_panics_or_is_taken_for_another(
            pack: bool,
            flips in prop::collection::vec((0usize..60, any::<u8>()), 0..4),
            length in 0usize..120,
        ) {
            let whole = if pack { packed(&images()) } else { images() };
            let mut file = whole.clone();
            for (place, bits) in flips {
                let place = place % file.len();
                file[place] ^= bits;
            }
            // Half of the files stay whole.
            file.truncate(length.max(1));
            if let Ok((extents, elements)) = parsed::<3>(&file) {
                // Damage to an extent and to the length may by chance be the smaller file that they describe together.
                prop_assert_eq!(file.len(), if pack { whole.len() } else { 16 + elements.len() });
                prop_assert_eq!(extents.iter().product::<usize>(), elements.len());
                prop_assert!(!pack || elements == images()[16..]);
            }
            let _ = parsed::<1>(&file);
        }
    }
}
