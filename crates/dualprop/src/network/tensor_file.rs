//! The bytes of a safetensors file: eight that give the header's length, the header in JSON, the data. Models and the cases
//! of `dualprop trace` are such files.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use crate::base::{Error, Result};

/// Header and data, held against each other: every tensor's bytes lie within the data.
///
/// # Errors
/// [`Error::Malformed`]; `path` is only named.
pub(crate) fn split<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Metadata, &'a [u8])> {
    let flaw = |problem: String| Error::malformed(path, problem);
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        let problem = format!("it has {} bytes, expected at least the 8 that give the header's length", bytes.len());
        return Err(flaw(problem));
    };
    let length = u64::from_le_bytes(*length);
    let Some((header, data)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else {
        let problem = format!(
            "its header should have {length} bytes, but only {} follow: it is truncated or no safetensors file",
            rest.len()
        );
        return Err(flaw(problem));
    };
    // The header alone, since `SafeTensors::deserialize` adds offsets that it has not checked yet. Parsing it already
    // checks that every tensor's offsets follow the last one's and agree with its type and shape.
    let header: Metadata = serde_json::from_slice(header).map_err(|error| flaw(format!("its header is malformed: {error}")))?;
    match header.data_len() == data.len() {
        true => Ok((header, data)),
        false => {
            let expected = header.data_len();
            Err(flaw(format!("its tensors have {expected} bytes, but {} are there: it is truncated or damaged", data.len())))
        }
    }
}

/// A file of these tensors, (name, shape, little-endian bytes) each, all of one type; the same content gives the same bytes,
/// which the library does not promise: it writes the metadata in the order of a `HashMap`.
pub(crate) fn join<'a>(
    metadata: &BTreeMap<String, String>,
    dtype: Dtype,
    tensors: impl IntoIterator<Item = (&'a str, &'a [usize], Vec<u8>)>,
) -> Vec<u8> {
    let mut header = format!("{{\"__metadata__\":{}", json(metadata));
    let mut data = vec![];
    for (name, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let (shape, offsets) = (json(shape), json(&[start, data.len()]));
        header += &format!(",{}:{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}", json(name));
    }
    header.push('}');
    // The data start at a multiple of 8 bytes, so that a reader can use them in place.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

fn json<V: serde::Serialize + ?Sized>(value: &V) -> String {
    serde_json::to_string(value).expect("strings and whole numbers are always JSON")
}
