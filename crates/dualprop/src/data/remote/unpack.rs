//! The wanted files of a tar archive packed by gzip.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::base::file::NewFile;
use crate::base::{Error, Result, file};

use super::manifest::Manifest;
use super::sum::{BLOCK, Sum};
use super::{Member, Unpack};

/// Writes the members that are wanted, and no others, into their folder below `folder`, each as a whole or not at all, and
/// notes their sums; `sum` is that of the archive. Names in the archive lead nowhere else: a member is wanted by its exact name.
///
/// # Errors
/// [`Error::Malformed`] if the archive is damaged, or a member is missing, is no regular file or has another size than it
/// must; [`Error::Write`].
pub(super) fn unpack(archive: &Path, sum: &str, wanted: Unpack, folder: &Path) -> Result<()> {
    let flawed = |problem: String| Error::malformed(archive, problem);
    let opened = File::open(archive).map_err(|source| Error::Read { path: archive.into(), source })?;
    let folder = folder.join(wanted.folder);
    file::create_folder(&folder)?;
    let mut sums = BTreeMap::new();
    let mut entries = tar::Archive::new(MultiGzDecoder::new(BufReader::new(opened)));
    // Raw: an entry that gives the next one a longer name would be read into memory, however much it unpacks to, and no wanted
    // member needs one. What is not wanted is passed over block by block.
    for entry in entries.entries().map_err(|error| flawed(format!("it is no tar archive: {error}")))?.raw(true) {
        let mut entry = entry.map_err(|error| flawed(format!("it is damaged: {error}")))?;
        let Some(member) = wanted.members.iter().find(|member| is_member(&entry.path_bytes(), wanted.folder, member)) else {
            continue;
        };
        let size = entry.size();
        if !entry.header().entry_type().is_file() || size != member.bytes {
            let problem = format!("its member {} is no file of {} bytes, but of {size}", member.name, member.bytes);
            return Err(flawed(problem));
        }
        sums.insert(member.name.to_string(), copy(&mut entry, &folder.join(member.name), archive)?);
    }
    if let Some(missing) = wanted.members.iter().find(|member| !sums.contains_key(member.name)) {
        return Err(flawed(format!("it has no member {}/{}", wanted.folder, missing.name)));
    }
    Manifest { archive: sum.into(), sums }.write(&folder)
}

/// Whether a path in the archive is `FOLDER/NAME`.
fn is_member(path: &[u8], folder: &str, member: &Member) -> bool {
    path == format!("{folder}/{}", member.name).as_bytes()
}

/// Copies a member into a file; gives its sum.
fn copy(from: &mut impl Read, path: &Path, archive: &Path) -> Result<String> {
    let (mut to, mut sum, mut block) = (NewFile::create(path)?, Sum::default(), vec![0; BLOCK]);
    loop {
        let count = from.read(&mut block).map_err(|error| Error::malformed(archive, format!("it is damaged: {error}")))?;
        if count == 0 {
            break;
        }
        sum.update(&block[..count]);
        to.write_all(&block[..count]).map_err(|source| Error::Write { path: path.into(), source })?;
    }
    to.commit()?;
    Ok(sum.digits())
}
