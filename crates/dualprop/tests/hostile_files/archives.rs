//! Archives and packed files that are bombs, or hold other things than they say.

use std::io::{Cursor, Write};

use dualprop::data::{read_imagenet_npz, read_images};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::{gzip, npy, refused, written};

/// An archive of `labels.npy`, which is right for one image, and of this `data.npy`.
pub(crate) fn npz(data: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in [("labels.npy", &npy("|u1", "(1,)", &[1])[..]), ("data.npy", data)] {
        writer.start_file(name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Changes every field of four bytes that gives the unpacked size (or, 4 bytes before it, the packed one) of `data.npy`: that
/// of the entry itself and that of the archive's directory.
fn with_size(archive: &[u8], packed: bool, size: u32) -> Vec<u8> {
    let mut archive = archive.to_vec();
    // Where the name stands after its header, and where the unpacked size stands in it.
    for (magic, header, place) in [(b"PK\x03\x04", 30, 22), (b"PK\x01\x02", 46, 24)] {
        let found = |i: &usize| archive[*i..].starts_with(magic) && archive[i + header..].starts_with(b"data.npy");
        let entry = (0..archive.len() - header).find(found).unwrap();
        let place = entry + place - if packed { 4 } else { 0 };
        archive[place..place + 4].copy_from_slice(&size.to_le_bytes());
    }
    archive
}

#[test]
fn a_member_of_an_npz_that_holds_more_or_less_than_is_said_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |bytes: &[u8], what: &str| refused(&written(folder.path(), bytes), what, read_imagenet_npz);
    let image = npy("|u1", "(1, 3072)", &[7; 3072]);
    assert_eq!(read_imagenet_npz(&written(folder.path(), &npz(&image))).unwrap().len(), 1);
    // The array says it of itself.
    for (shape, expected) in [
        ("(2, 3072)", "its header promises [2, 3072] elements"),
        ("(1, 3071)", "something follows its 3071 bytes"),
        ("(1, 1)", "something follows its 1 bytes"),
    ] {
        let text = refuse(&npz(&npy("|u1", shape, &[7; 3072])), shape);
        assert!(text.contains("its array `data`: ") && text.contains(expected), "{text}");
    }
    // The archive says it.
    for size in [image.len() as u32 - 1, 1, 0] {
        refuse(&with_size(&npz(&image), false, size), "less");
    }
    let text = refuse(&with_size(&npz(&image), false, u32::MAX - 1), "more");
    assert!(text.contains("packed bytes are said to be 4294967294, which is impossible"), "{text}");
    // Not even if both sizes lie.
    let text = refuse(&with_size(&with_size(&npz(&image), false, u32::MAX - 1), true, u32::MAX - 1), "more of both");
    assert!(text.contains("which is impossible"), "{text}");
    // Nor if the array joins in, whose elements must then all be there.
    let array = npy("|u1", "(10, 3072)", &[7; 3072]);
    let size = array.len() as u32 + 9 * 3072;
    let text = refuse(&with_size(&npz(&array), false, size), "archive and array");
    assert!(text.contains("it ends after 3072 of 30720 bytes"), "{text}");
}

#[test]
fn a_deflate_bomb_in_an_npz_is_unpacked_no_further_than_its_header_promises() {
    let folder = tempfile::tempdir().unwrap();
    let bomb = npz(&npy("|u1", "(1, 3072)", &vec![0; 64 << 20]));
    assert!(bomb.len() < 80_000, "{}", bomb.len());
    for bytes in [with_size(&bomb, false, 4000), bomb] {
        let text = refused(&written(folder.path(), &bytes), "bomb", read_imagenet_npz);
        assert!(text.contains("its array `data`: something follows its 3072 bytes of elements"), "{text}");
    }
}

#[test]
fn a_bomb_of_gzip_is_unpacked_no_further_than_its_header_promises() {
    let folder = tempfile::tempdir().unwrap();
    let extents = [1u32, 1, 12].map(u32::to_be_bytes).concat();
    let bomb = gzip(&[&[0, 0, 8, 3], &extents[..], &vec![0; 64 << 20]].concat());
    let text = refused(&written(folder.path(), &bomb), "bomb", read_images);
    assert!(text.contains("it goes on after the 12 bytes"), "{text}");
}

/// As an entry that is not wanted, and as one that would give the next one its name.
#[cfg(feature = "fetch")]
#[test]
fn a_bomb_in_a_tar_archive_is_passed_over_and_never_held_in_memory() {
    use std::fs;
    use std::ops::ControlFlow;

    use dualprop::data::remote::{FetchOptions, Fetched, Member, Remote, RemoteFile, Unpack, fetch};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use sha2::{Digest, Sha256};
    use tar::{Builder, EntryType, Header};

    use crate::server::{Answer, Server};
    use crate::{MOST, most_held};

    for kind in [EntryType::Regular, EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader]
    {
        let mut builder = Builder::new(GzEncoder::new(vec![], Compression::fast()));
        let mut append = |name: &str, kind: EntryType, size: u64| {
            let mut header = Header::new_gnu();
            header.set_path(name).unwrap();
            header.set_entry_type(kind);
            header.set_size(size);
            header.set_cksum();
            builder.append(&header, &vec![0; size as usize][..]).unwrap();
        };
        append("f/bomb", kind, 64 << 20);
        append("f/a", EntryType::Regular, 3);
        let bytes = builder.into_inner().unwrap().finish().unwrap();
        assert!(bytes.len() < 1 << 20, "{}", bytes.len());
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = RemoteFile {
            name: "all.tar.gz",
            bytes: Some(bytes.len() as u64),
            sha256: Some(sum.leak()),
            mirrors: &[],
            unpack: Some(Unpack { folder: "f", members: &[Member { name: "a", bytes: 3 }] }),
        };
        let server = Server::start();
        server.answer("all.tar.gz", Answer::Bytes(bytes, "1"));
        let remote =
            Remote { name: "some", licence: "", citation: "", by_hand: None, folders: &["some"], files: vec![file].leak() };
        let root = tempfile::tempdir().unwrap();
        let options = FetchOptions { mirrors: vec![server.url.clone()], ..FetchOptions::default() };
        let (fetched, bytes) = most_held(|| fetch(&remote, root.path(), &options, &mut |_| ControlFlow::Continue(())));
        assert!(bytes <= MOST, "{kind:?}: {bytes} bytes were held");
        assert_eq!(fetched.unwrap(), Fetched::All, "{kind:?}");
        assert_eq!(fs::read(root.path().join("some/f/a")).unwrap(), [0; 3]);
        assert!(!root.path().join("some/f/bomb").exists());
    }
}
