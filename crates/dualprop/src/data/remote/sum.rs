//! SHA-256 sums, in the lower-case hexadecimal digits in which they are published.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::base::{Error, Result};

/// Bytes that are read at once: enough that the calls cost nothing.
pub(super) const BLOCK: usize = 64 << 10;

/// A sum of the bytes so far.
#[derive(Clone, Default)]
pub(super) struct Sum(Sha256);

impl Sum {
    /// Adds bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum of what was added, as 64 digits.
    pub(super) fn digits(&self) -> String {
        self.0.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Adds all that is left of a file or stream; how many bytes that was.
    pub(super) fn read(&mut self, mut from: impl Read) -> std::io::Result<u64> {
        let mut block = vec![0; BLOCK];
        let mut count = 0;
        loop {
            match from.read(&mut block) {
                Ok(0) => return Ok(count),
                Ok(read) => {
                    self.update(&block[..read]);
                    count += read as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The sum of a file.
///
/// # Errors
/// [`Error::Read`] with the path.
pub(super) fn of_file(path: &Path) -> Result<String> {
    let mut sum = Sum::default();
    let read = File::open(path).and_then(|file| sum.read(file));
    read.map_err(|source| Error::Read { path: path.into(), source })?;
    Ok(sum.digits())
}

/// Whether a text is a sum as [`Sum::digits`] writes it.
pub(super) fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut sum = Sum::default();
        sum.update(b"a");
        assert_eq!(sum.read(&b"bc"[..]).unwrap(), 2);
        assert_eq!(sum.digits(), expected);
        assert!(is_sum(expected) && !is_sum(&expected[1..]) && !is_sum(&expected.to_uppercase()));
    }
}
