//! Every call that changes the disk fails once, at every place of a fetch: a file has its name only if it is the right one, and the
//! next fetch ends what this one began.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use crate::base::disk::faults;
use crate::base::{Error, Result, file};

use super::{FetchOptions, Fetched, Member, Patience, Remote, RemoteFile, Unpack, fetch};

#[path = "../../../tests/fetch/server.rs"]
#[allow(dead_code, reason = "this server can do more than is asked of it here")]
mod server;

use server::{Answer, Server};

/// Two blocks and a half.
fn content() -> Vec<u8> {
    (0..160_000u32).map(|i| ((i * 7) >> 3) as u8).collect()
}

/// A data set of one file on this server.
fn remote(server: &Server, name: &'static str, bytes: &[u8], unpack: Option<Unpack>) -> Remote {
    server.answer(name, Answer::Bytes(bytes.to_vec(), "1"));
    let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let file = RemoteFile { name, bytes: Some(bytes.len() as u64), sha256: Some(sum.leak()), mirrors: &[], unpack };
    Remote { name: "some", licence: "", citation: "", by_hand: None, folders: &["some"], files: vec![file].leak() }
}

fn run(remote: &Remote, server: &Server, root: &Path) -> Result<Fetched> {
    let patience = Patience { connect: Duration::from_secs(5), stall: Duration::from_secs(5) };
    let options = FetchOptions { mirrors: vec![server.url.clone()], patience, ..FetchOptions::default() };
    fetch(remote, root, &options, &mut |_| ControlFlow::Continue(()))
}

/// Every file in a folder and those below it, by its path from there, in order.
fn files(folder: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}"))),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

/// Fetches with every fault; `kept` is what there must be at the end, with its content where that is known.
fn withstands_every_fault(server: &Server, remote: &Remote, kept: &[(&str, Option<&[u8]>)]) {
    let names: Vec<&str> = kept.iter().map(|(name, _)| *name).collect();
    let check = |met: &str, root: &tempfile::TempDir, error: Option<Error>| {
        let folder = root.path().join("some");
        let whole = |name: &str, content: Option<&[u8]>| {
            let found = fs::read(folder.join(name)).ok();
            assert!(content.is_none() || found.is_none() || found.as_deref() == content, "{met}: {name} is not what it must be");
        };
        kept.iter().for_each(|(name, content)| whole(name, *content));
        if let Some(error) = error {
            assert!(matches!(&error, Error::Write { path, .. } if path.starts_with(&folder)), "{met}: {error}");
            let unfinished = files(&folder).iter().any(|path| file::is_unfinished(path.rsplit('/').next().unwrap()));
            assert!(!unfinished, "{met}: {:?}", files(&folder));
            assert_eq!(run(remote, server, root.path()).unwrap(), Fetched::All, "{met}");
        }
        assert_eq!(files(&folder), names, "{met}");
        kept.iter().for_each(|(name, content)| whole(name, *content));
    };
    faults::everywhere(|| tempfile::tempdir().unwrap(), |root| run(remote, server, root.path()), check);
}

#[test]
fn whatever_call_fails_a_fetched_file_is_the_right_one_or_absent() {
    let (server, content) = (Server::start(), content());
    let remote = remote(&server, "file.bin", &content, None);
    withstands_every_fault(&server, &remote, &[("file.bin", Some(&content))]);
}

#[test]
fn whatever_call_fails_an_unpacked_file_is_the_right_one_or_absent() {
    let server = Server::start();
    let mut builder = Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for (name, bytes) in [("f/a", &content()[..]), ("f/b", b"bbb")] {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    }
    let archive = builder.into_inner().unwrap().finish().unwrap();
    let members = &[Member { name: "a", bytes: 160_000 }, Member { name: "b", bytes: 3 }];
    let remote = remote(&server, "all.tar.gz", &archive, Some(Unpack { folder: "f", members }));
    let kept = [("f/SHA256SUMS", None), ("f/a", Some(&content()[..])), ("f/b", Some(b"bbb"))];
    withstands_every_fault(&server, &remote, &kept);
}

/// What is here as a whole, but could not be given its name, is not asked for again; where its size was not published, the server
/// must say first that there is no more.
#[test]
fn a_whole_download_is_not_repeated() {
    let (server, content) = (Server::start(), content());
    let published = remote(&server, "file.bin", &content, None);
    let unpublished = RemoteFile { bytes: None, ..published.files[0] };
    let unpublished = Remote { files: vec![unpublished].leak(), ..published };
    for (remote, requests) in [(published, 0), (unpublished, 2)] {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("some");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file.bin.part"), &content).unwrap();
        fs::write(folder.join("file.bin.part.from"), format!("{}file.bin\n\"1\"", server.url)).unwrap();
        run(&remote, &server, root.path()).unwrap();
        assert_eq!((files(&folder), server.requests().len()), (vec!["file.bin".to_string()], requests));
    }
}
