//! Files that lie: whatever they claim, they are refused, and no memory is asked for that their own size does not warrant.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archives;
#[path = "../hostile/memory.rs"]
mod memory;
mod places;
#[cfg(feature = "fetch")]
#[path = "../fetch/server.rs"]
#[allow(dead_code, reason = "downloads have tests of their own, which need more of it")]
mod server;
mod tensors;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use dualprop::data::{read_imagenet_npz, read_images, read_images_npy, read_labels, read_labels_npy, read_svhn};
use dualprop::{Error, Result};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use archives::npz;
use memory::most_held;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// More than reading any small file takes, and much less than any hostile one claims.
const MOST: usize = 8 << 20;

/// The message of a file that is refused as malformed, by its path, with hardly any memory.
fn refused<R>(path: &Path, what: &str, read: impl FnOnce(&Path) -> Result<R>) -> String {
    let (result, bytes) = most_held(|| read(path).map(drop));
    assert!(bytes <= MOST, "{what}: {bytes} bytes were held");
    let error = result.expect_err(what);
    assert!(matches!(&error, Error::Malformed { path: named, .. } if named == path), "{what}: {error}");
    error.to_string()
}

/// A file of a temporary folder with this content.
fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("hostile");
    fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// A file of MATLAB's level 5 with these elements of (type, claimed size, bytes).
fn mat(elements: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = vec![b' '; 124];
    file.extend([0, 1, b'I', b'M']);
    for (kind, size, bytes) in elements {
        file.extend([&kind.to_le_bytes(), &size.to_le_bytes(), *bytes].concat());
    }
    file
}

#[test]
fn a_file_that_claims_two_to_the_sixty_elements_is_refused_and_no_memory_is_asked_for() {
    assert!(most_held(|| drop(std::hint::black_box(vec![0u8; MOST]))).1 >= MOST, "memory is counted");
    let folder = tempfile::tempdir().unwrap();
    let idx = |rank: u8, extents: &[u32]| -> Vec<u8> {
        [0, 0, 8, rank].into_iter().chain(extents.iter().flat_map(|n| n.to_be_bytes())).chain([7; 80]).collect()
    };
    for (what, bytes) in [("idx", idx(3, &[1 << 20; 3])), ("packed idx", gzip(&idx(3, &[1 << 20; 3])))] {
        assert!(bytes.len() < 120);
        let text = refused(&written(folder.path(), &bytes), what, read_images);
        assert!(text.contains("promises [1048576, 1048576, 1048576] more, but"), "{text}");
    }
    refused(&written(folder.path(), &idx(1, &[u32::MAX])), "idx of labels", read_labels);
    for shape in ["(1152921504606846976,)", "(1048576, 1048576, 1048576)", "(1152921504606846976, 1, 1)"] {
        let bytes = npy("|u1", shape, &[7; 8]);
        let text = refused(&written(folder.path(), &bytes), shape, read_images_npy);
        assert!(text.contains("its header promises"), "{text}");
        refused(&written(folder.path(), &bytes), shape, read_labels_npy);
        let text = refused(&written(folder.path(), &npz(&bytes)), shape, read_imagenet_npz);
        assert!(text.contains("its array `data`: its header promises"), "{text}");
    }
    // A header of NPY that is said to be large itself.
    let header = [b"\x93NUMPY\x02\x00", &u32::MAX.to_le_bytes()[..], &[b' '; 80]].concat();
    refused(&written(folder.path(), &header), "header of npy", read_images_npy);
    let mut packed = ZlibEncoder::new(vec![], Compression::best());
    packed.write_all(&[14u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat()).unwrap();
    let packed = packed.finish().unwrap();
    refused(&written(folder.path(), &mat(&[(14, u32::MAX, &[0; 40])])), "mat", read_svhn);
    refused(&written(folder.path(), &mat(&[(15, packed.len() as u32, &packed)])), "packed mat", read_svhn);
}
