//! Downloads from a server of the test's own: whatever it sends, a file has its name only if it is the right one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archives;
mod server;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use dualprop::Error;
use dualprop::data::remote::{FetchEvent, FetchOptions, Fetched, Mirror, Patience, Remote, RemoteFile, fetch};
use sha2::{Digest, Sha256};

use server::{Answer, Server};

/// More than is read at once, so that a download has a middle.
fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| ((u64::from(i) * u64::from(i)) >> 7) as u8).collect()
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A data set of one file, `file.bin`, on these servers.
fn remote(bytes: &[u8], published: bool, servers: &[&Server]) -> Remote {
    let mirrors: Vec<Mirror> =
        servers.iter().map(|server| Mirror { prefix: leak(server.url.clone()), verified: false }).collect();
    let file = RemoteFile {
        name: "file.bin",
        bytes: published.then_some(bytes.len() as u64),
        sha256: published.then(|| leak(sum(bytes)).as_str()),
        mirrors: mirrors.leak(),
        unpack: None,
    };
    Remote { name: "some", licence: "", citation: "", by_hand: None, folders: &["some"], files: vec![file].leak() }
}

fn options() -> FetchOptions {
    let second = Duration::from_millis(300);
    FetchOptions { patience: Patience { connect: second, stall: second }, ..FetchOptions::default() }
}

fn run(remote: &Remote, root: &Path, options: &FetchOptions) -> dualprop::Result<Fetched> {
    fetch(remote, root, options, &mut |_| ControlFlow::Continue(()))
}

/// The problems of a fetch that fails.
fn problems(remote: &Remote, root: &Path) -> String {
    let error = run(remote, root, &options()).unwrap_err();
    assert!(matches!(error, Error::Fetch { .. }), "{error}");
    assert!(!root.join("some/file.bin").exists(), "{error}");
    error.to_string()
}

/// Asserts that the file is there, and nothing else.
fn assert_fetched(root: &Path, bytes: &[u8]) {
    assert!(fs::read(root.join("some/file.bin")).unwrap() == bytes);
    let names: Vec<_> = fs::read_dir(root.join("some")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file.bin"]);
}

#[test]
fn a_file_is_fetched_once_and_found_right_the_next_time() {
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    server.answer("file.bin", Answer::Bytes(content(), "1"));
    let remote = remote(&content(), true, &[&server]);
    let mut seen = vec![];
    let mut listen = |event: FetchEvent| {
        match event {
            FetchEvent::Progress { have, all } => assert!(have <= 300_000 && all == Some(300_000)),
            other => seen.push(format!("{other:?}").split([' ', '(']).next().unwrap().to_string()),
        }
        ControlFlow::Continue(())
    };
    assert_eq!(fetch(&remote, root.path(), &options(), &mut listen).unwrap(), Fetched::All);
    assert_fetched(root.path(), &content());
    fetch(&remote, root.path(), &options(), &mut listen).unwrap();
    assert_eq!(seen, ["Started", "Done", "Present"]);
    assert_eq!(server.requests().len(), 1);
    // A file that is wrong is fetched anew.
    fs::write(root.path().join("some/file.bin"), "other").unwrap();
    run(&remote, root.path(), &options()).unwrap();
    assert_fetched(root.path(), &content());
}

#[test]
fn a_wrong_sum_is_never_trusted_and_the_next_mirror_is_tried() {
    let (bad, good, root) = (Server::start(), Server::start(), tempfile::tempdir().unwrap());
    let mut other = content();
    other[200_000] ^= 1;
    bad.answer("file.bin", Answer::Bytes(other.clone(), "1"));
    let text = problems(&remote(&content(), true, &[&bad]), root.path());
    assert!(text.contains(&format!("its SHA-256 is {}, expected {}", sum(&other), sum(&content()))), "{text}");
    assert!(!root.path().join("some/file.bin.part").exists());
    good.answer("file.bin", Answer::Bytes(content(), "1"));
    run(&remote(&content(), true, &[&bad, &good]), root.path(), &options()).unwrap();
    assert_fetched(root.path(), &content());
}

#[test]
fn a_missing_file_a_server_error_and_a_dead_server_lead_to_the_next_mirror() {
    let (missing, broken, good, root) = (Server::start(), Server::start(), Server::start(), tempfile::tempdir().unwrap());
    broken.answer("file.bin", Answer::Status(503));
    let mut dead = Server::start();
    dead.url = "http://127.0.0.1:1/".into();
    let text = problems(&remote(&content(), true, &[&missing, &broken, &dead]), root.path());
    for expected in [format!("{}file.bin: it answered with status 404", missing.url), "status 503".into(), dead.url.clone()] {
        assert!(text.contains(&expected), "{expected}: {text}");
    }
    good.answer("file.bin", Answer::Bytes(content(), "1"));
    run(&remote(&content(), true, &[&missing, &broken, &dead, &good]), root.path(), &options()).unwrap();
    assert_fetched(root.path(), &content());
}

#[test]
fn a_body_that_is_cut_off_is_taken_up_where_it_ended() {
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    server.answer("file.bin", Answer::CutOff(content(), 100_000, "1"));
    let remote = remote(&content(), true, &[&server]);
    let text = problems(&remote, root.path());
    assert!(text.contains("broke off after 100000"), "{text}");
    assert_eq!(fs::metadata(root.path().join("some/file.bin.part")).unwrap().len(), 100_000);
    // The second attempt of the same call asked for the rest, and got the whole from the start.
    assert_eq!(server.requests()[1].1.as_deref(), Some("bytes=100000-"));
    server.answer("file.bin", Answer::Bytes(content(), "1"));
    run(&remote, root.path(), &options()).unwrap();
    assert_eq!(server.requests(), [("/file.bin".to_string(), Some("bytes=100000-".to_string()))]);
    assert_fetched(root.path(), &content());
}

#[test]
fn an_interrupted_download_goes_on_with_the_next_call() {
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    server.answer("file.bin", Answer::Bytes(content(), "1"));
    let remote = remote(&content(), true, &[&server]);
    let mut stop = |event: FetchEvent| match event {
        FetchEvent::Progress { have, .. } if have > 100_000 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    assert_eq!(fetch(&remote, root.path(), &options(), &mut stop).unwrap(), Fetched::Stopped);
    let kept = fs::metadata(root.path().join("some/file.bin.part")).unwrap().len();
    assert!(kept > 100_000 && kept < 300_000 && !root.path().join("some/file.bin").exists());
    run(&remote, root.path(), &options()).unwrap();
    assert_eq!(server.requests()[1].1, Some(format!("bytes={kept}-")));
    assert_fetched(root.path(), &content());
}

#[test]
fn a_version_that_has_changed_or_a_server_without_ranges_is_fetched_from_the_start() {
    let mut old = content();
    old[0] ^= 1;
    for answer in [Answer::Bytes(content(), "2"), Answer::Whole(content())] {
        let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
        server.answer("file.bin", Answer::CutOff(old.clone(), 100_000, "1"));
        let remote = remote(&content(), true, &[&server]);
        problems(&remote, root.path());
        server.requests();
        server.answer("file.bin", answer);
        run(&remote, root.path(), &options()).unwrap();
        assert_eq!(server.requests().len(), 1);
        assert_fetched(root.path(), &content());
    }
    // What has no version is never gone on from.
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    server.answer("file.bin", Answer::CutOff(old, 100_000, ""));
    problems(&remote(&content(), true, &[&server]), root.path());
    assert!(server.requests().iter().all(|(_, range)| range.is_none()));
}

#[test]
fn redirects_are_followed_and_a_circle_ends() {
    let (server, other, root) = (Server::start(), Server::start(), tempfile::tempdir().unwrap());
    server.answer("file.bin", Answer::Moved(format!("{}elsewhere", other.url)));
    other.answer("elsewhere", Answer::Bytes(content(), "1"));
    run(&remote(&content(), true, &[&server]), root.path(), &options()).unwrap();
    assert_fetched(root.path(), &content());
    let root = tempfile::tempdir().unwrap();
    server.answer("file.bin", Answer::Moved(format!("{}file.bin", server.url)));
    assert!(problems(&remote(&content(), true, &[&server]), root.path()).contains("redirect"));
}

#[test]
fn another_size_than_was_published_or_announced_is_refused() {
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    let longer = [content(), vec![0; 100_000]].concat();
    server.answer("file.bin", Answer::Bytes(longer.clone(), "1"));
    let published = remote(&content(), true, &[&server]);
    assert!(problems(&published, root.path()).contains("it announces 400000 bytes, expected 300000"));
    // Without an announcement the published size is the limit.
    server.answer("file.bin", Answer::Unannounced(longer.clone()));
    assert!(problems(&published, root.path()).contains("it sends more than the 300000 bytes"));
    assert!(!root.path().join("some/file.bin.part").exists(), "what is too long is not kept");
    // Of a file that nobody published, what is announced is believed, and no byte more is taken.
    server.answer("file.bin", Answer::More(longer, 300_000));
    let options = FetchOptions { accept: Some(sum(&content())), ..options() };
    run(&remote(&content(), false, &[&server]), root.path(), &options).unwrap();
    assert_fetched(root.path(), &content());
}

#[test]
fn a_server_that_says_nothing_is_left() {
    let (silent, good, root) = (Server::start(), Server::start(), tempfile::tempdir().unwrap());
    silent.answer("file.bin", Answer::Hang);
    good.answer("file.bin", Answer::Bytes(content(), "1"));
    run(&remote(&content(), true, &[&silent, &good]), root.path(), &options()).unwrap();
    assert_fetched(root.path(), &content());
}

#[test]
fn what_was_never_published_is_trusted_only_on_request() {
    let (server, root) = (Server::start(), tempfile::tempdir().unwrap());
    server.answer("file.bin", Answer::Bytes(content(), "1"));
    let unpublished = remote(&content(), false, &[]);
    let with = |accept: Option<String>| FetchOptions { mirrors: vec![server.url.clone()], accept, ..options() };
    let text = run(&unpublished, root.path(), &with(None)).unwrap_err().to_string();
    assert!(text.contains(&format!("--accept-sum {}", sum(&content()))), "{text}");
    assert!(run(&unpublished, root.path(), &with(Some("0".repeat(64)))).is_err());
    run(&unpublished, root.path(), &with(Some(sum(&content())))).unwrap();
    assert_fetched(root.path(), &content());
}

#[test]
fn ones_own_mirror_comes_first_and_what_needs_a_person_says_so() {
    let (own, known, root) = (Server::start(), Server::start(), tempfile::tempdir().unwrap());
    own.answer("file.bin", Answer::Bytes(content(), "1"));
    let mirrors = vec![own.url.trim_end_matches('/').to_string()];
    let options = FetchOptions { mirrors, ..options() };
    run(&remote(&content(), true, &[&known]), root.path(), &options).unwrap();
    assert!(known.requests().is_empty());
    // And may be the only one.
    own.answer("file.bin", Answer::Status(404));
    let only = FetchOptions { only_mirrors: true, ..options.clone() };
    run(&remote(b"another", true, &[&known]), root.path(), &only).unwrap_err();
    assert!(known.requests().is_empty());
    let imagenet = Remote::find("imagenet32").unwrap();
    let text = run(imagenet, root.path(), &options).unwrap_err().to_string();
    assert!(text.contains("register at"), "{text}");
    assert!(Remote::find("cifar10").unwrap_err().to_string().contains("did you mean `cifar-10`?"));
}
