//! ImageNet 32 × 32 in its npz version: archives of arrays, as NumPy's `savez` writes them.
//!
//! Each file has `data`, unsigned bytes [n, 3072], an image being its red plane, its green one and its blue one, and
//! `labels`, n whole numbers from 1 to 1000 (P. Chrabaszcz, I. Loshchilov, F. Hutter, *A downsampled variant of ImageNet as an
//! alternative to the CIFAR datasets*, 2017). A mean image, which the training files have as well, is not used.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;

use crate::base::{Error, Result, file, memory};
use crate::network::Shape;

use super::npy::{Array, Flaw};
use super::records::{Records, append_planes};

const INPUT: Shape = Shape { height: 32, width: 32, channels: 3 };
const CLASSES: u32 = 1000;

/// Deflate makes at most 258 bytes of two bits.
const MOST_PER_PACKED_BYTE: u64 = 1032;

/// Reads one file; labels become 0 to 999. Nothing is ever written: an archive's names lead nowhere.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read; [`Error::Malformed`] if it is no such archive; [`Error::Memory`] if it is too
/// large.
pub fn read_imagenet_npz(path: &Path) -> Result<Records> {
    let flawed = |problem: Flaw| Error::malformed(path, problem);
    let available = file::size(path)?;
    let file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let archive = ZipArchive::new(BufReader::new(file));
    let mut archive = archive.map_err(|error| flawed(format!("it is no npz archive: {error}; fetch it again")))?;
    let labels = entry(path, available, &mut archive, "labels")?;
    let data = entry(path, available, &mut archive, "data")?;
    records(data, &labels).map_err(flawed)
}

/// The array of this name in a file of `available` bytes.
fn entry(path: &Path, available: u64, archive: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Array> {
    let wrong = |problem: String| Error::malformed(path, format!("its array `{name}`: {problem}"));
    let entry = archive.by_name(&format!("{name}.npy")).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    let (size, packed) = (entry.size(), entry.compressed_size().min(available));
    if size > packed.saturating_mul(MOST_PER_PACKED_BYTE) {
        return Err(wrong(format!("{packed} packed bytes are said to be {size}, which is impossible")));
    }
    memory::require(&path.display().to_string(), size.saturating_mul(2), "use a machine with more memory")?;
    Array::read(entry, size).map_err(wrong)
}

fn records(data: Array, labels: &Array) -> std::result::Result<Records, Flaw> {
    let size = INPUT.neurons();
    match (&data.shape[..], &labels.shape[..]) {
        (&[samples, neurons], &[labels]) if samples == labels && neurons == size => {}
        (data, labels) => return Err(format!("data has shape {data:?} and labels {labels:?}, expected [n, {size}] and [n]")),
    }
    let labels = labels.labels()?;
    if let Some(i) = labels.iter().position(|label| !(1..=CLASSES).contains(label)) {
        return Err(format!("label {i} is {}, expected 1 to {CLASSES}", labels[i]));
    }
    let planes = data.into_pixels()?;
    let mut pixels = Vec::with_capacity(planes.len());
    planes.chunks_exact(size).for_each(|image| append_planes(image, INPUT.channels, &mut pixels));
    Ok(Records { input: INPUT, pixels, labels: labels.into_iter().map(|label| label - 1).collect() })
}

#[cfg(test)]
mod tests {
    use super::super::npy::tests::file;
    use super::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    /// An archive of these entries, stored or deflated.
    fn archive(entries: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut writer = ZipWriter::new(std::io::Cursor::new(vec![]));
        for (name, bytes) in entries {
            writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn data(samples: usize) -> Vec<u8> {
        // Sample s has the pixel p + 10·channel + s.
        let planes = (0..samples).flat_map(|s| (0..3).flat_map(move |c| (0..1024).map(move |p| (p + 10 * c + s) as u8)));
        file("|u1", false, &format!("({samples}, 3072)"), &planes.collect::<Vec<u8>>())
    }

    fn read(bytes: &[u8]) -> Result<Records> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train_data_batch_1.npz");
        std::fs::write(&path, bytes).unwrap();
        read_imagenet_npz(&path)
    }

    #[test]
    fn images_have_their_channels_last_and_labels_begin_at_zero() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let labels = file("<i8", false, "(2,)", &[1, 0, 0, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0]);
            let mean = ("mean.npy", file("<f8", false, "(1,)", &[0; 8]));
            let records = read(&archive(&[("data.npy", data(2)), ("labels.npy", labels), mean], method)).unwrap();
            assert_eq!((records.labels.as_slice(), records.input, records.len()), (&[0, 999][..], INPUT, 2));
            assert_eq!(records.pixels[3072 + 3 * 500..][..3], [245, 255, 9], "pixel 500 of sample 1");
        }
    }

    #[test]
    fn every_flaw_is_named() {
        let message = |data: Vec<u8>, labels: Vec<u8>| {
            read(&archive(&[("data.npy", data), ("labels.npy", labels)], CompressionMethod::Deflated)).unwrap_err().to_string()
        };
        let labels = |label: u8| file("|u1", false, "(1,)", &[label]);
        assert!(message(data(1), labels(0)).contains("label 0 is 0, expected 1 to 1000"));
        assert!(message(data(2), labels(1)).contains("data has shape [2, 3072] and labels [1]"));
        assert!(message(labels(1), labels(1)).contains("data has shape [1] and labels [1]"));
        assert!(message(file("|O", false, "(1,)", &[0]), labels(1)).contains("its array `data`: its elements are of type `|O`"));
        let text = read(&archive(&[("../../labels.npy", labels(1))], CompressionMethod::Stored)).unwrap_err().to_string();
        assert!(text.contains("its array `labels`"), "{text}");
        assert!(read(b"not a zip").unwrap_err().to_string().contains("it is no npz archive"));
    }

    #[test]
    fn an_archive_cut_off_or_damaged_anywhere_never_panics() {
        let whole =
            archive(&[("data.npy", data(1)), ("labels.npy", file("|u1", false, "(1,)", &[1]))], CompressionMethod::Stored);
        assert!(read(&whole).is_ok());
        for length in (0..whole.len()).step_by(37).chain(whole.len() - 120..whole.len()) {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        for place in (0..200).chain(whole.len() - 400..whole.len()) {
            for byte in [0, 0xff] {
                let mut damaged = whole.clone();
                damaged[place] = byte;
                let _ = read(&damaged);
            }
        }
    }
}
