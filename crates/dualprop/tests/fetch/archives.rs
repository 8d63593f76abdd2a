//! Archives: only the wanted members are unpacked, wherever the others would like to go.

use std::fs;
use std::io::Write;

use dualprop::data::Folders;
use dualprop::data::remote::{Condition, Member, Remote, RemoteFile, Unpack, verify};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::server::{Answer, Server};
use crate::{leak, options, run, sum};

/// A packed archive of these (name, type, content).
fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for (name, kind, content) in entries {
        let mut header = Header::new_gnu();
        // As an attacker would: the library itself refuses to write such names.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if *kind == EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    let mut encoder = builder.into_inner().unwrap();
    encoder.flush().unwrap();
    encoder.finish().unwrap()
}

/// A data set of the members `f/a` and `f/b`, of three bytes each, in this archive.
fn remote(server: &Server, bytes: Vec<u8>) -> Remote {
    let unpack = Unpack { folder: "f", members: &[Member { name: "a", bytes: 3 }, Member { name: "b", bytes: 3 }] };
    let file = RemoteFile {
        name: "all.tar.gz",
        bytes: Some(bytes.len() as u64),
        sha256: Some(leak(sum(&bytes))),
        mirrors: &[],
        unpack: Some(unpack),
    };
    server.answer("all.tar.gz", Answer::Bytes(bytes, "1"));
    Remote { name: "some", licence: "", citation: "", by_hand: None, folders: &["some"], files: vec![file].leak() }
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn members_are_unpacked_and_nothing_else_is_written() {
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    let hostile = archive(&[
        ("../evil", FILE, b"evil"),
        ("f/../../evil", FILE, b"evil"),
        ("f/link", EntryType::Symlink, b""),
        ("f/readme", FILE, b"text"),
        ("f/a", FILE, b"aaa"),
        ("f/b", FILE, b"bbb"),
    ]);
    let remote = remote(&server, hostile);
    let data = root.path().join("data");
    let options = crate::FetchOptions { mirrors: vec![server.url.clone()], ..options() };
    run(&remote, &data, &options).unwrap();
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(data.join(folder)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!((names("some"), names("some/f")), (vec!["f".into()], vec!["SHA256SUMS".into(), "a".into(), "b".into()]));
    assert_eq!(fs::read(data.join("some/f/b")).unwrap(), b"bbb");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is beside the folder of data");
    // It is known to be right from now on, until it changes.
    server.requests();
    run(&remote, &data, &options).unwrap();
    assert!(server.requests().is_empty());
    let conditions = |remote: &Remote| -> Vec<Condition> {
        verify(remote, &Folders::new(vec![data.clone()])).unwrap().into_iter().map(|finding| finding.condition).collect()
    };
    assert_eq!(conditions(&remote), [Condition::Right, Condition::Right]);
    fs::write(data.join("some/f/a"), "xxx").unwrap();
    assert!(matches!(&conditions(&remote)[..], [Condition::Wrong { .. }, Condition::Right]));
}

#[test]
fn archives_that_lack_a_member_or_hide_something_in_one_are_refused() {
    for (entries, expected) in [
        (vec![("f/a", FILE, &b"aaa"[..])], "it has no member f/b"),
        (vec![("f/a", FILE, b"aaa"), ("f/b", FILE, b"bbbb")], "its member b is no file of 3 bytes, but of 4"),
        (vec![("f/a", EntryType::Symlink, b""), ("f/b", FILE, b"bbb")], "its member a is no file of 3 bytes"),
        (vec![("a", FILE, b"aaa"), ("b", FILE, b"bbb")], "it has no member f/a"),
    ] {
        let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
        let remote = remote(&server, archive(&entries));
        let options = crate::FetchOptions { mirrors: vec![server.url.clone()], ..options() };
        let text = run(&remote, root.path(), &options).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    let remote = remote(&server, b"no archive at all".to_vec());
    let options = crate::FetchOptions { mirrors: vec![server.url.clone()], ..options() };
    assert!(run(&remote, root.path(), &options).is_err());
}

#[test]
fn absolute_names_and_links_in_the_place_of_folders_lead_nowhere() {
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    let [data, elsewhere] = ["data", "elsewhere"].map(|name| root.path().join(name));
    fs::create_dir(&elsewhere).unwrap();
    let absolute = elsewhere.join("evil").display().to_string();
    let hostile = archive(&[
        (&absolute, FILE, b"evil"),
        ("/f/a", FILE, b"evil"),
        ("./../f/a", FILE, b"evil"),
        ("f", EntryType::Symlink, b""),
        ("f/", EntryType::Link, b""),
        ("f/b", FILE, b"bbb"),
        ("f/a", FILE, b"aaa"),
    ]);
    let remote = remote(&server, hostile);
    let options = crate::FetchOptions { mirrors: vec![server.url.clone()], ..options() };
    run(&remote, &data, &options).unwrap();
    assert_eq!([fs::read(data.join("some/f/a")).unwrap(), fs::read(data.join("some/f/b")).unwrap()], [b"aaa", b"bbb"]);
    assert!(data.join("some/f").is_dir() && !data.join("some/f").is_symlink());
    assert_eq!((fs::read_dir(&elsewhere).unwrap().count(), fs::read_dir(root.path()).unwrap().count()), (0, 2));
}
