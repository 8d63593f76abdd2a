//! Models as NPZ, the format of NumPy's `savez`: a zip archive with a file for each array.
//!
//! The arrays are the tensors of the model file, with its names and shapes, as NPY files of version 1.0 (NEP 1). They are stored and
//! not packed, since weights hardly become smaller; all are of 1980-01-01, so that the same model gives the same bytes.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::base::Result;

use super::super::Model;
use super::room;

/// The numbers of an NPY file begin at a multiple of so many bytes.
const ALIGNMENT: usize = 64;

/// Numbers that are written together.
const BLOCK: usize = 1 << 14;

impl Model {
    /// All tensors of the model as arrays of NumPy, float32 in C order: `kernel.i` `[in, out]` or `[k, k, in, out]`, `bias.i` `[out]`,
    /// with feedback kernels `feedback.i`, and where there is a preprocessing `input.mean` and `input.scale` `[H, W, C]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the parameters or the preprocessing are not those of the topology; [`crate::Error::Memory`].
    pub fn to_npz(&self) -> Result<Vec<u8>> {
        let tensors = self.tensors()?;
        let bytes = Vec::with_capacity(room(tensors.values().map(|(_, numbers)| *numbers))?);
        let mut archive = ZipWriter::new(Cursor::new(bytes));
        let mut write = || -> zip::result::ZipResult<()> {
            for (name, (shape, numbers)) in &tensors {
                archive.start_file(format!("{name}.npy"), options(size_of_val(*numbers)))?;
                archive.write_all(&header(shape))?;
                for block in numbers.chunks(BLOCK) {
                    archive.write_all(&block.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())?;
                }
            }
            Ok(())
        };
        write().expect("memory takes every byte, and the names of tensors are short");
        Ok(archive.finish().expect("memory takes every byte").into_inner())
    }
}

/// How an array of so many bytes is kept; none of it depends on where and when.
fn options(bytes: usize) -> SimpleFileOptions {
    // What an array has besides its numbers is less than a mebibyte.
    let is_large = bytes as u64 >= u64::from(u32::MAX) - (1 << 20);
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(0o644)
        .large_file(is_large)
}

/// What stands before the numbers: the magic number, version 1.0, and a Python dictionary, filled up to the alignment.
fn header(shape: &[usize]) -> Vec<u8> {
    // The tuple of one extent ends in a comma.
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let extents = if shape.len() == 1 { extents.trim_end() } else { extents.trim_end_matches(", ") };
    let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({extents}), }}");
    let start = b"\x93NUMPY\x01\x00";
    // Two bytes are its length, the last a line break.
    let before = start.len() + 2;
    let length = (before + dictionary.len() + 1).next_multiple_of(ALIGNMENT) - before;
    let padded = format!("{dictionary:<width$}\n", width = length - 1);
    [start, &(length as u16).to_le_bytes()[..], padded.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::super::{Layer, PoolOrder, Shape, Topology};
    use super::super::tests::counting;
    use super::*;
    use crate::compute::Activation;
    use std::io::Read;
    use zip::ZipArchive;

    /// The headers are those that NumPy 2 writes.
    #[test]
    fn headers_are_numpys() {
        let expect = |shape: &[usize], text: &str| {
            let header = header(shape);
            assert_eq!(header[..10], *b"\x93NUMPY\x01\x00\x76\x00", "{shape:?}");
            assert_eq!(header.len(), 128);
            let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {text}, }}");
            assert_eq!(String::from_utf8(header[10..].to_vec()).unwrap(), format!("{text:<117}\n"));
        };
        expect(&[10], "(10,)");
        expect(&[3, 2], "(3, 2)");
        expect(&[5, 5, 1, 64], "(5, 5, 1, 64)");
    }

    #[test]
    fn every_tensor_is_an_array_by_its_name() {
        let layers = vec![Layer::conv(3, true), Layer::dense(2)];
        let topology = Topology::new(Shape::image(5, 4, 2), layers, Activation::Relu, PoolOrder::default()).unwrap();
        let model = counting(topology.with_feedback(true), true);
        let bytes = model.to_npz().unwrap();
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let expected = ["bias.0", "bias.1", "feedback.1", "input.mean", "input.scale", "kernel.0", "kernel.1"];
        let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, expected.map(|name| format!("{name}.npy")));
        for (name, (shape, numbers)) in model.tensors().unwrap() {
            let mut array = vec![];
            archive.by_name(&format!("{name}.npy")).unwrap().read_to_end(&mut array).unwrap();
            let (before, data) = array.split_at(128);
            assert_eq!(before, header(&shape), "{name}");
            let found: Vec<f32> = data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            assert_eq!(found, numbers, "{name}");
        }
    }
}
