//! Every call that changes the disk fails once, at every place of an import: each part is the old one or the new one as a whole,
//! and no new training part is without its test part.

use std::fs;
use std::path::Path;

use crate::base::disk::faults;
use crate::base::{Error, file};

use super::tests::cifar;
use super::{ImportedFile, file_of, import};

fn parts(folder: &Path) -> [Option<Vec<u8>>; 2] {
    [0, 1].map(|part| fs::read(file_of(folder, part)).ok())
}

#[test]
fn whatever_call_fails_each_part_is_whole_and_the_next_import_ends_it() {
    let whole = tempfile::tempdir().unwrap();
    import("cifar-100", &cifar(whole.path()), None).unwrap();
    let new = parts(&whole.path().join("cifar-100"));
    // An earlier import of other samples.
    let earlier = tempfile::tempdir().unwrap();
    let folders = cifar(earlier.path());
    let published = earlier.path().join("cifar-100-binary");
    for name in ["train.bin", "test.bin"] {
        let bytes = fs::read(published.join(name)).unwrap();
        fs::write(published.join(name), &bytes[..3074]).unwrap();
    }
    import("cifar-100", &folders, None).unwrap();
    let old = parts(&earlier.path().join("cifar-100"));
    for before in [[None, None], old] {
        let prepare = || {
            let root = tempfile::tempdir().unwrap();
            for (part, bytes) in before.iter().enumerate().filter_map(|(part, bytes)| Some((part, bytes.as_ref()?))) {
                fs::create_dir_all(root.path().join("cifar-100")).unwrap();
                fs::write(file_of(&root.path().join("cifar-100"), part), bytes).unwrap();
            }
            cifar(root.path());
            root
        };
        let work = |root: &tempfile::TempDir| import("cifar-100", &super::Folders::new(vec![root.path().into()]), None);
        let check = |met: &str, root: &tempfile::TempDir, error: Option<Error>| {
            let folder = root.path().join("cifar-100");
            if let Some(error) = error {
                assert!(matches!(&error, Error::Write { path, .. } if path.starts_with(&folder)), "{met}: {error}");
                let found = parts(&folder);
                for part in [0, 1] {
                    assert!(found[part] == before[part] || found[part] == new[part], "{met}: part {part} is neither");
                    if found[part].is_some() {
                        ImportedFile::open(&file_of(&folder, part)).unwrap().verify().unwrap();
                    }
                }
                assert!(found[0] != new[0] || found[1] == new[1], "{met}: a training part without its test part");
                work(root).unwrap();
            }
            assert!(parts(&folder) == new, "{met}: other bytes");
            let litter = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            assert_eq!(litter.filter(|name| file::is_unfinished(name)).count(), 0, "{met}: litter");
        };
        faults::everywhere(prepare, work, check);
    }
}
