//! Every call that changes the disk fails once, at every place of the writing of a trace.

use std::fs;
use std::path::Path;

use super::{Case, PLAIN, TraceOptions, trace};
use crate::base::Error;
use crate::base::disk::faults;
use crate::compute::Pool;

#[test]
fn whatever_call_fails_a_trace_is_whole_or_the_old_file_stays() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{PLAIN}.safetensors"));
    let case = Case::read(&golden).unwrap();
    let trace = trace::<f32>(&case, TraceOptions::default(), &Pool::new(1).unwrap()).unwrap();
    let new = trace.to_bytes();
    for before in [None, Some(b"as it was".to_vec())] {
        let prepare = || {
            let folder = tempfile::tempdir().unwrap();
            before.iter().for_each(|bytes| fs::write(folder.path().join("out"), bytes).unwrap());
            folder
        };
        let check = |met: &str, folder: &tempfile::TempDir, error: Option<Error>| {
            let out = folder.path().join("out");
            let found = fs::read(&out).ok();
            match error {
                None => assert!(found.as_ref() == Some(&new), "{met}"),
                Some(error) => {
                    assert!(matches!(&error, Error::Write { path, .. } if *path == out), "{met}: {error}");
                    assert!(found == before || found.as_ref() == Some(&new), "{met}: half a file");
                }
            }
            assert!(fs::read_dir(folder.path()).unwrap().count() <= 1, "{met}: litter");
        };
        faults::everywhere(prepare, |folder| trace.write(&folder.path().join("out")), check);
    }
}
