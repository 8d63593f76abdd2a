//! From any data set to the imported format.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::base::file::NewFile;
use crate::base::{Error, Result, file};
use crate::data::records::Records;
use crate::data::source::Source;
use crate::data::{Folders, read_images_npy, read_labels_npy};
use crate::network::Shape;

use super::{FORMAT, IMAGES, LABELS, PARTS, file_of, hex};

/// The bytes of the header, its length included: room for any metadata, and a multiple of a page.
const HEADER: u64 = 4096;

/// What an import wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The file.
    pub path: PathBuf,
    /// How many samples it has.
    pub samples: usize,
    /// What to tell the user, such as another number of samples than was published.
    pub warning: Option<String>,
}

/// Imports a known data set: its files, wherever they are found, become `train.safetensors` and `test.safetensors` in `folder`
/// or, without one, beside them. One file of the set is in memory at a time. Neither takes its name before both are written.
///
/// # Errors
/// As [`Source::find`] and its readers; [`Error::Setting`] for the embedded digits, which have no files; [`Error::Write`].
pub fn import(name: &str, folders: &Folders, folder: Option<&Path>) -> Result<Vec<Imported>> {
    let source = Source::find_files(name, folders)?;
    let target = folder.map_or_else(|| source.folder().join(name), Path::to_path_buf);
    file::create_folder(&target)?;
    let parts = (0..PARTS.len()).map(|part| {
        let description = source.description();
        let mut writer = Writer::new(&file_of(&target, part), name, PARTS[part], description.input, description.classes)?;
        source.each_file(part, |records| writer.append(&records))?;
        let mut written = writer.finish()?;
        written.imported.warning = source.unexpected_count(part, written.imported.samples);
        Ok(written)
    });
    commit(parts.collect::<Result<_>>()?)
}

/// Imports images and labels of one's own, NPY files: those for training, and those for the test if there are any. Neither part
/// takes its name before both are written.
///
/// # Errors
/// As [`read_images_npy`] and [`read_labels_npy`]; [`Error::Malformed`] if there are not as many labels as images, or a label
/// is not below `classes`, or there is a test part of an earlier import and none now; [`Error::Write`].
pub fn import_arrays(
    name: &str,
    training: (&Path, &Path),
    test: Option<(&Path, &Path)>,
    classes: usize,
    folder: &Path,
) -> Result<Vec<Imported>> {
    let earlier = file_of(folder, 1);
    if test.is_none() && earlier.exists() {
        let problem =
            "it is of an earlier import and would become the test part of this one; remove it, or choose another folder";
        return Err(Error::malformed(earlier, problem));
    }
    let given = [Some(training), test].into_iter().flatten().enumerate();
    let written = given.map(|(part, arrays)| write_arrays(name, part, arrays, classes, folder));
    commit(written.collect::<Result<_>>()?)
}

fn write_arrays(name: &str, part: usize, (images, labels): (&Path, &Path), classes: usize, folder: &Path) -> Result<Written> {
    let (input, pixels) = read_images_npy(images)?;
    let labelled = read_labels_npy(labels)?;
    let count = pixels.len() / input.neurons();
    if labelled.len() != count {
        let problem = format!("it has {} labels, but {} has {count} images", labelled.len(), images.display());
        return Err(Error::malformed(labels, problem));
    }
    if let Some(i) = labelled.iter().position(|&label| label as usize >= classes) {
        let problem = format!("label {i} is {}, but there are {classes} classes: expected 0 to {}", labelled[i], classes - 1);
        return Err(Error::malformed(labels, problem));
    }
    file::create_folder(folder)?;
    let mut writer = Writer::new(&file_of(folder, part), name, PARTS[part], input, classes)?;
    writer.append(&Records { input, pixels, labels: labelled })?;
    writer.finish()
}

/// A part that is whole but for its name.
struct Written {
    file: NewFile,
    imported: Imported,
}

/// Gives all parts their names, that for training last: without it there is no data set, and with it its test part is there.
fn commit(parts: Vec<Written>) -> Result<Vec<Imported>> {
    let committed = parts.into_iter().rev().map(|Written { file, imported }| file.commit().map(|()| imported));
    let mut committed = committed.collect::<Result<Vec<Imported>>>()?;
    committed.reverse();
    Ok(committed)
}

/// A file that grows by one batch of records after the other.
struct Writer {
    path: PathBuf,
    file: NewFile,
    metadata: BTreeMap<&'static str, String>,
    input: Shape,
    labels: Vec<u32>,
    sum: Sha256,
}

impl Writer {
    fn new(path: &Path, name: &str, part: &str, input: Shape, classes: usize) -> Result<Self> {
        let mut file = NewFile::create(path)?;
        file.seek(SeekFrom::Start(HEADER)).map_err(|source| Error::Write { path: path.into(), source })?;
        let metadata =
            [("format", FORMAT.into()), ("name", name.into()), ("part", part.into()), ("classes", classes.to_string())];
        Ok(Writer { path: path.into(), file, metadata: metadata.into(), input, labels: vec![], sum: Sha256::new() })
    }

    fn append(&mut self, records: &Records) -> Result<()> {
        self.sum.update(&records.pixels);
        self.labels.extend(&records.labels);
        self.write(&records.pixels)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn finish(mut self) -> Result<Written> {
        let samples = self.labels.len();
        let labels: Vec<u8> = self.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        self.sum.update(&labels);
        self.write(&labels)?;
        self.metadata.insert("sha256", hex(&self.sum.clone().finalize()));
        let header = self.header(samples)?;
        self.file.seek(SeekFrom::Start(0)).map_err(|source| Error::Write { path: self.path.clone(), source })?;
        self.write(&(HEADER - 8).to_le_bytes())?;
        self.write(&header)?;
        Ok(Written { file: self.file, imported: Imported { path: self.path, samples, warning: None } })
    }

    /// The header, filled up to its size.
    fn header(&self, samples: usize) -> Result<Vec<u8>> {
        let [height, width, channels] = self.input.extents();
        let end = samples * self.input.neurons();
        let tensor = |dtype: &str, shape: &[usize], start: usize, end: usize| serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
        let header = serde_json::json!({
            "__metadata__": self.metadata,
            IMAGES: tensor("U8", &[samples, height, width, channels], 0, end),
            LABELS: tensor("U32", &[samples], end, end + 4 * samples),
        });
        let mut header = header.to_string().into_bytes();
        let size = (HEADER - 8) as usize;
        if header.len() > size {
            let problem = format!("it is too long for the header of a file; expected less than {size} characters");
            return Err(Error::setting("name", &self.metadata["name"], problem));
        }
        header.resize(size, b' ');
        Ok(header)
    }
}
