//! CIFAR-10 and CIFAR-100 in their binary versions: records of fixed size without any header.
//!
//! A record of CIFAR-10 is a label and 3 × 32 × 32 pixels, one of CIFAR-100 a coarse label, a fine label and the pixels: the
//! red plane first, row by row, then green, then blue (A. Krizhevsky, *Learning multiple layers of features from tiny images*,
//! 2009, and the description that comes with the files).

use std::path::Path;

use crate::base::{Error, Result, file, memory};
use crate::network::Shape;

use super::records::{Records, append_planes};

/// Which of the two sets a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CifarKind {
    /// CIFAR-10.
    Ten,
    /// CIFAR-100, of which the fine labels are taken.
    Hundred,
}

const INPUT: Shape = Shape { height: 32, width: 32, channels: 3 };
const PIXELS: usize = 3 * 32 * 32;

impl CifarKind {
    /// The labels of a record in their order: what they are called and how many classes there are. The last one counts.
    fn labels(self) -> &'static [(&'static str, u8)] {
        match self {
            CifarKind::Ten => &[("label", 10)],
            CifarKind::Hundred => &[("coarse label", 20), ("fine label", 100)],
        }
    }
}

/// Reads one binary file of any number of records, at least one.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read; [`Error::Malformed`] for a size that is no multiple of a record, or a label out
/// of range; [`Error::Memory`] if the file is too large.
pub fn read_cifar(path: &Path, kind: CifarKind) -> Result<Records> {
    memory::require(&path.display().to_string(), file::size(path)?.saturating_mul(2), "use a machine with more memory")?;
    let bytes = file::read(path)?;
    let labels = kind.labels();
    let record = labels.len() + PIXELS;
    if bytes.is_empty() || bytes.len() % record != 0 {
        let (size, rest) = (bytes.len(), bytes.len() % record);
        let problem = format!(
            "its {size} bytes are {} records of {record} bytes and {rest} more, expected whole records, at least one; fetch the \
             binary version again",
            size / record
        );
        return Err(Error::malformed(path, problem));
    }
    let count = bytes.len() / record;
    let mut records = Records { input: INPUT, pixels: Vec::with_capacity(count * PIXELS), labels: Vec::with_capacity(count) };
    for (i, record) in bytes.chunks_exact(record).enumerate() {
        for (&(name, classes), &found) in labels.iter().zip(record) {
            if found >= classes {
                let problem = format!("the {name} of record {i} is {found}, expected 0 to {}; fetch it again", classes - 1);
                return Err(Error::malformed(path, problem));
            }
        }
        records.labels.push(u32::from(record[labels.len() - 1]));
        append_planes(&record[labels.len()..], 3, &mut records.pixels);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record whose pixel at (row, column) of a channel is `row + 2·column + 71·channel + seed`, as bytes.
    fn record(labels: &[u8], seed: usize) -> Vec<u8> {
        let planes = (0..3).flat_map(|channel| (0..32).flat_map(move |row| (0..32).map(move |column| (channel, row, column))));
        let pixels = planes.map(|(channel, row, column)| (row + 2 * column + 71 * channel + seed) as u8);
        labels.iter().copied().chain(pixels).collect()
    }

    fn read(bytes: &[u8], kind: CifarKind) -> Result<Records> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.bin");
        std::fs::write(&path, bytes).unwrap();
        read_cifar(&path, kind)
    }

    #[test]
    fn records_become_images_with_their_channels_last() {
        let ten = read(&[record(&[3], 0), record(&[9], 5)].concat(), CifarKind::Ten).unwrap();
        let hundred = read(&[record(&[19, 99], 0), record(&[0, 42], 5)].concat(), CifarKind::Hundred).unwrap();
        assert_eq!((&ten.labels[..], &hundred.labels[..]), (&[3, 9][..], &[99, 42][..]));
        assert_eq!((&ten.pixels, ten.input, ten.len()), (&hundred.pixels, Shape::image(32, 32, 3), 2));
        for (sample, seed) in [(0, 0), (1, 5)] {
            for (row, column, channel) in [(0, 0, 0), (0, 0, 2), (0, 1, 0), (31, 0, 1), (17, 23, 2), (31, 31, 2)] {
                let place = ((sample * 32 + row) * 32 + column) * 3 + channel;
                assert_eq!(ten.pixels[place], (row + 2 * column + 71 * channel + seed) as u8, "{row} {column} {channel}");
            }
        }
    }

    #[test]
    fn what_is_no_whole_number_of_records_is_refused() {
        let whole = record(&[3], 0);
        let longer = [&whole[..], &[1, 2]].concat();
        for bytes in [&[][..], &[1], &whole[..whole.len() - 1], &longer] {
            let text = read(bytes, CifarKind::Ten).unwrap_err().to_string();
            assert!(text.contains("some.bin") && text.contains("records of 3073 bytes"), "{text}");
        }
        let text = read(&whole, CifarKind::Hundred).unwrap_err().to_string();
        assert!(text.contains("0 records of 3074 bytes and 3073 more"), "{text}");
    }

    #[test]
    fn labels_out_of_range_are_named() {
        let text = read(&[record(&[0], 0), record(&[10], 0)].concat(), CifarKind::Ten).unwrap_err().to_string();
        assert!(text.contains("the label of record 1 is 10, expected 0 to 9"), "{text}");
        let text = read(&record(&[20, 0], 0), CifarKind::Hundred).unwrap_err().to_string();
        assert!(text.contains("the coarse label of record 0 is 20, expected 0 to 19"), "{text}");
        let text = read(&record(&[0, 100], 0), CifarKind::Hundred).unwrap_err().to_string();
        assert!(text.contains("the fine label of record 0 is 100, expected 0 to 99"), "{text}");
    }
}
