//! This file's job is to check that archives of strangers are read exactly, or refused with the entry named.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use bundle::{Error, Limits, Refusal, read_archive, sniff};
use domain::bundle::ArchiveFormat::{self, TarGzip, TarZstd, Zip};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;

type Files = BTreeMap<String, Vec<u8>>;

fn read(format: ArchiveFormat, archive: &[u8], limits: &Limits) -> Result<Files, Error> {
    let mut files = Files::new();
    read_archive(format, Cursor::new(archive), limits, &mut |path, bytes| {
        let mut content = Vec::new();
        bytes.read_to_end(&mut content)?;
        files.insert(path.to_owned(), content);
        Ok(())
    })?;
    Ok(files)
}

fn refusal(format: ArchiveFormat, archive: &[u8]) -> Refusal {
    match read(format, archive, &Limits::default()) {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A tar entry as an attacker writes it: no check of the name or the kind.
fn tar_entry(name: &[u8], kind: tar::EntryType, bytes: &[u8], declared: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(declared);
    header.set_mode(0o644);
    header.set_cksum();
    let padding = vec![0; (512 - bytes.len() % 512) % 512];
    [&header.as_bytes()[..], bytes, &padding].concat()
}

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn pack(format: ArchiveFormat, files: &[(&str, &[u8])]) -> Vec<u8> {
    match format {
        Zip => zip_of(files),
        TarGzip => gzip(&tar_of(files)),
        TarZstd => zstd(&tar_of(files)),
    }
}

#[test]
fn every_format_gives_back_the_files() {
    let long = format!("{}/image.png", "folder-with-a-long-name/".repeat(8).trim_end_matches('/'));
    let files: [(&str, &[u8]); 4] =
        [("index.android.bundle", b"var a=1"), ("drawable-mdpi/größe.png", b"\x89PNG"), (&long, b"x"), ("empty", b"")];
    let expected: Files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    for &format in ArchiveFormat::ALL {
        let archive = pack(format, &files);
        assert_eq!(sniff(&archive), Some(format));
        assert_eq!(read(format, &archive, &Limits::default()).unwrap(), expected, "{format}");
    }
    assert_eq!(sniff(b"var"), None);
}

#[test]
fn folders_and_the_dot_that_tar_writes_are_passed_over() {
    let tar = [
        tar_entry(b"./", tar::EntryType::Directory, b"", 0),
        tar_entry(b"./assets/", tar::EntryType::Directory, b"", 0),
        tar_entry(b"./assets/a", tar::EntryType::Regular, b"1", 1),
        vec![0; 1024],
    ];
    assert_eq!(
        read(TarGzip, &gzip(&tar.concat()), &Limits::default()).unwrap(),
        Files::from([("assets/a".into(), b"1".to_vec())])
    );
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_directory("assets/", SimpleFileOptions::default()).unwrap();
    let archive = writer.finish().unwrap().into_inner();
    assert_eq!(read(Zip, &archive, &Limits::default()).unwrap(), Files::new());
}

#[test]
fn archives_of_common_programs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    std::fs::write(folder.path().join("in/index.js"), "a".repeat(10_000)).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let done = std::process::Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run("tar", &["-czf", "a.tgz", "-C", "in", "."]);
    run("python3", &["-m", "zipfile", "-c", "a.zip", "in/index.js"]);
    for (format, name) in [(TarGzip, "a.tgz"), (Zip, "a.zip")] {
        let files = read(format, &std::fs::read(folder.path().join(name)).unwrap(), &Limits::default()).unwrap();
        assert_eq!(files["index.js"].len(), 10_000, "{name}");
    }
}

#[test]
fn names_that_leave_the_folder_are_refused_by_name() {
    for name in ["../evil", "/etc/passwd", "a/../../b", "a\\..\\b", "C:\\x"] {
        let tar = tar_entry(name.as_bytes(), tar::EntryType::Regular, b"1", 1);
        for (format, archive) in [(TarGzip, gzip(&tar)), (TarZstd, zstd(&tar)), (Zip, zip_of(&[(name, b"1")]))] {
            let refused = refusal(format, &archive);
            assert!(matches!(&refused, Refusal::Name { entry, .. } if entry == name), "{format} {name}: {refused}");
        }
    }
    let folder = tar_entry(b"../evil/", tar::EntryType::Directory, b"", 0);
    assert!(matches!(refusal(TarGzip, &gzip(&folder)), Refusal::Name { .. }));
    assert!(matches!(
        refusal(TarGzip, &gzip(&tar_entry(b"a\xff", tar::EntryType::Regular, b"", 0))),
        Refusal::Name { .. }
    ));
}

#[test]
fn links_and_special_files_are_refused() {
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Char,
        tar::EntryType::Fifo,
        tar::EntryType::GNUSparse,
    ] {
        let refused = refusal(TarGzip, &gzip(&tar_entry(b"bad", kind, b"", 0)));
        assert!(matches!(&refused, Refusal::Special { entry, .. } if entry == "bad"), "{kind:?}: {refused}");
    }
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("bad", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let refused = refusal(Zip, &writer.finish().unwrap().into_inner());
    assert_eq!(refused, Refusal::Special { entry: "bad".into(), what: "a link" });
}

#[test]
fn files_that_are_the_same_on_some_device_are_refused() {
    for &format in ArchiveFormat::ALL {
        let refused = refusal(format, &pack(format, &[("a/B.png", b"1"), ("A/b.png", b"2")]));
        assert!(
            matches!(&refused, Refusal::Duplicate { entry, other } if entry == "A/b.png" && other == "a/B.png"),
            "{refused}"
        );
    }
    let twice = gzip(&tar_of(&[("a", b"1"), ("a", b"2")]));
    assert!(matches!(refusal(TarGzip, &twice), Refusal::Duplicate { .. }));
    // A zip writer refuses this, so the second name is made equal afterwards.
    let mut archive = zip_of(&[("first", b"1"), ("secon", b"2")]);
    while let Some(position) = archive.windows(5).position(|window| window == b"secon") {
        archive[position..position + 5].copy_from_slice(b"first");
    }
    assert_eq!(refusal(Zip, &archive), Refusal::Duplicate { entry: "first".into(), other: "first".into() });
}

#[test]
fn zip_entries_that_share_bytes_are_refused_by_name() {
    let mut archive = zip_of(&[("first", b"1"), ("second", b"2")]);
    // Both entries of the directory lead to the first one's bytes, as in a bomb.
    let second = archive.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    archive[second + 42..second + 46].fill(0);
    let refused = refusal(Zip, &archive);
    assert!(matches!(&refused, Refusal::BrokenEntry { why, .. } if why.contains("shares bytes")), "{refused}");
    // The last one's bytes go on into the directory.
    let mut archive = zip_of(&[("first", b"1")]);
    let central = archive.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    archive[central + 20] += 1;
    let refused = refusal(Zip, &archive);
    assert!(matches!(&refused, Refusal::BrokenEntry { entry, .. } if entry == "first"), "{refused}");
}

#[test]
fn encrypted_zip_entries_are_refused() {
    let mut archive = zip_of(&[("secret", b"1")]);
    for signature in [b"PK\x03\x04", b"PK\x01\x02"] {
        let position = archive.windows(4).position(|window| window == signature).unwrap();
        archive[position + if signature[2] == 3 { 6 } else { 8 }] |= 1;
    }
    assert_eq!(refusal(Zip, &archive), Refusal::Special { entry: "secret".into(), what: "encrypted" });
}

#[test]
fn bombs_are_stopped_where_a_limit_is_reached() {
    let zeros = vec![0; 20 << 20];
    for &format in ArchiveFormat::ALL {
        let archive = pack(format, &[("bomb", &zeros)]);
        assert_eq!(refusal(format, &archive), Refusal::Ratio { entry: "bomb".into(), max: 100 }, "{format}");
        let limits = Limits { file_max_bytes: 1 << 20, ..Limits::default() };
        let refused = read(format, &archive, &limits).unwrap_err().to_string();
        assert_eq!(refused, "\"bomb\" is larger than 1048576 bytes", "{format}");
        let many = pack(format, &[("a", &zeros[..1 << 20]), ("b", &zeros[..1 << 20])]);
        let limits = Limits { total_max_bytes: 2_000_000, ..Limits::default() };
        let refused = read(format, &many, &limits).unwrap_err().to_string();
        assert_eq!(refused, "\"b\" makes the content larger than 2000000 bytes", "{format}");
        let limits = Limits { entries_max: 1, ..Limits::default() };
        assert_eq!(
            read(format, &many, &limits).unwrap_err().to_string(),
            "the archive has more than 1 entries",
            "{format}"
        );
    }
}

#[test]
fn a_long_name_is_not_taken_into_memory() {
    let name = vec![b'a'; 4 << 20];
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
        let tar = tar_entry(b"long", kind, &name, name.len() as u64);
        assert!(matches!(refusal(TarGzip, &gzip(&tar)), Refusal::Broken(_)), "{kind:?}");
    }
}

#[test]
fn a_zip_entry_that_lies_about_its_size_is_refused() {
    let bytes = b"0123456789".repeat(100);
    for declared in [5_u32, 5_000] {
        let mut archive = zip_of(&[("liar", &bytes)]);
        let central = archive.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        archive[central + 24..central + 28].copy_from_slice(&declared.to_le_bytes());
        let refused = refusal(Zip, &archive);
        assert!(matches!(&refused, Refusal::BrokenEntry { entry, .. } if entry == "liar"), "{declared}: {refused}");
    }
}

#[test]
fn a_zip64_size_that_lies_is_refused_by_name() {
    let bytes = b"0123456789".repeat(100);
    for declared in [5_u64, 5_000, u64::MAX] {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("liar", SimpleFileOptions::default().large_file(true)).unwrap();
        writer.write_all(&bytes).unwrap();
        let mut archive = writer.finish().unwrap().into_inner();
        // The 32 bits of the directory refer to the 64 bits of an extra field behind the name, which begins with the size.
        let central = archive.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        archive[central + 24..central + 28].fill(0xff);
        let extra = central + 46 + "liar".len();
        assert_eq!(archive[extra..extra + 4], [1, 0, 16, 0], "two sizes of 64 bits");
        archive[extra + 4..extra + 12].copy_from_slice(&declared.to_le_bytes());
        let refused = refusal(Zip, &archive).to_string();
        assert!(refused.contains("\"liar\""), "{declared}: {refused}");
    }
}

#[test]
fn a_zip_that_claims_many_entries_is_refused_before_its_directory_is_read() {
    let mut archive = zip_of(&[("a", b"1")]);
    let end = archive.windows(4).position(|window| window == b"PK\x05\x06").unwrap();
    archive[end + 8..end + 12].copy_from_slice(&[0x50, 0xc3, 0x50, 0xc3]);
    assert_eq!(refusal(Zip, &archive), Refusal::TooMany { max: 10_000 });
}

#[test]
fn archives_that_are_cut_off_are_refused_wherever_the_cut_is() {
    let files: [(&str, &[u8]); 2] = [("a", &[7; 3_000]), ("b", b"second")];
    for &format in ArchiveFormat::ALL {
        let archive = pack(format, &files);
        for end in 0..archive.len() {
            assert!(
                matches!(refusal(format, &archive[..end]), Refusal::Broken(_) | Refusal::BrokenEntry { .. }),
                "{format} {end}"
            );
        }
    }
}

#[test]
fn a_failing_sink_is_not_the_archives_fault() {
    for &format in ArchiveFormat::ALL {
        let archive = pack(format, &[("a", b"1")]);
        let full = |_: &str, _: &mut dyn std::io::Read| Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        let error = read_archive(format, Cursor::new(&archive), &Limits::default(), &mut { full }).unwrap_err();
        assert_eq!(error.kind(), domain::ErrorKind::ResourceExhausted, "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_files_round_trip(files in prop::collection::btree_map("[a-z]{1,8}(/[a-z]{1,8}){0,3}\\.[a-z]{1,3}", prop::collection::vec(any::<u8>(), 0..3_000), 0..12)) {
        let list: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        for &format in ArchiveFormat::ALL {
            match read(format, &pack(format, &list), &Limits::default()) {
                Ok(found) => prop_assert_eq!(&found, &files),
                // A file and a folder may have drawn the same name.
                Err(Error::Refused(Refusal::Duplicate { .. })) => (),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }

    #[test]
    fn damaged_archives_never_panic_and_never_give_more_than_the_limits(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        truncate: bool,
    ) {
        let files: [(&str, &[u8]); 3] = [("a/index.bundle", &[b'x'; 5_000]), ("b", b"12345"), ("c/d/e", &[9; 700])];
        let limits = Limits { total_max_bytes: 20_000, file_max_bytes: 10_000, ..Limits::default() };
        for &format in ArchiveFormat::ALL {
            let mut archive = pack(format, &files);
            for (index, value) in &flips {
                let position = index.index(archive.len());
                archive[position] = *value;
            }
            if truncate {
                archive.truncate(cut.index(archive.len()));
            }
            let mut total = 0;
            let result = read_archive(format, Cursor::new(&archive), &limits, &mut |_, bytes| {
                total += std::io::copy(bytes, &mut std::io::sink())?;
                Ok(())
            });
            prop_assert!(total <= limits.total_max_bytes);
            prop_assert!(!matches!(result, Err(Error::Sink(_) | Error::Local { .. })), "{:?}", result);
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for &format in ArchiveFormat::ALL {
            prop_assert!(matches!(read(format, &bytes, &Limits::default()), Err(Error::Refused(_))));
        }
    }
}
