//! This file's job is to define the content of a bundle: its files, its blobs and the hash that names it.

use crate::error::Invalid;
use crate::hash::{Hasher, Sha256};
use crate::text_enum::text_enum;

/// Blobs are hashed, fetched and verified in pieces of this size.
pub const CHUNK_SIZE_BYTES: u64 = 1 << 20;
/// More files than any real app ships; bounds the snapshot and the update answer.
pub const BUNDLE_FILES_MAX: usize = 5_000;
/// The longest path that every file system of a device takes.
pub const PATH_MAX_BYTES: usize = 512;

text_enum! {
    /// What a file is to the device.
    pub enum FileRole {
        /// The JavaScript or bytecode file that is run.
        Launch => "launch",
        /// An image, a font or any other file beside it.
        Asset => "asset",
    }
}

text_enum! {
    /// What the launch file holds.
    pub enum Engine {
        /// JavaScript source text.
        JavaScript => "javascript",
        /// Hermes bytecode.
        Hermes => "hermes",
    }
}

text_enum! {
    /// How the bytes of a file are compressed alone, by its name in HTTP.
    pub enum Coding {
        /// Brotli (RFC 7932): the smallest.
        Brotli => "br",
        /// Zstandard with a window of at most 8 MiB (RFC 9659): the fastest to decode.
        Zstandard => "zstd",
        /// For old clients.
        Gzip => "gzip",
    }
}

text_enum! {
    /// How far an upload has come, in order.
    pub enum Stage {
        /// All bytes are there.
        Received => "received",
        /// They have the declared size and hash.
        Verified => "verified",
        /// The archive's files are known, and break no rule.
        Unpacked => "unpacked",
        /// It is known what they are.
        Parsed => "parsed",
        /// Every file is stored for good.
        Stored => "stored",
        /// The bundle can be released.
        Ready => "ready",
    }
}

text_enum! {
    /// How the files of an upload are packed.
    pub enum ArchiveFormat {
        /// A zip file.
        Zip => "zip",
        /// A tar file, gzipped.
        TarGzip => "tar-gzip",
        /// A tar file, compressed with Zstandard.
        TarZstd => "tar-zstd",
    }
}

/// One file of a bundle. The bytes are the blob with the same hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    /// Relative path with `/` between its parts; checked by [`check_path`].
    pub path: String,
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
    /// Size in bytes.
    pub size_bytes: u64,
    /// What the file is to the device.
    pub role: FileRole,
}

/// A blob with the hashes of its pieces of [`CHUNK_SIZE_BYTES`], so that each piece can be verified alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256 of all bytes; the blob's name.
    pub sha256: Sha256,
    /// Size in bytes.
    pub size_bytes: u64,
    /// One SHA-256 per started piece; empty only for an empty blob.
    pub chunks: Vec<Sha256>,
}

impl Blob {
    /// Describes the bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = ChunkHasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Says whether the number of chunk hashes fits the size.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.chunks.len() as u64 == self.size_bytes.div_ceil(CHUNK_SIZE_BYTES)
    }
}

/// Describes a blob whose bytes arrive in pieces of any size, in constant memory.
#[derive(Default)]
pub struct ChunkHasher {
    whole: Hasher,
    chunk: Hasher,
    chunk_filled_bytes: u64,
    size_bytes: u64,
    chunks: Vec<Sha256>,
}

impl ChunkHasher {
    /// Adds the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        self.size_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = (CHUNK_SIZE_BYTES - self.chunk_filled_bytes) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk.update(now);
            self.chunk_filled_bytes += now.len() as u64;
            if self.chunk_filled_bytes == CHUNK_SIZE_BYTES {
                self.end_chunk();
            }
            bytes = later;
        }
    }

    fn end_chunk(&mut self) {
        self.chunks.push(std::mem::take(&mut self.chunk).finish());
        self.chunk_filled_bytes = 0;
    }

    /// Returns the description of all bytes so far.
    #[must_use]
    pub fn finish(mut self) -> Blob {
        if self.chunk_filled_bytes > 0 {
            self.end_chunk();
        }
        Blob { sha256: self.whole.finish(), size_bytes: self.size_bytes, chunks: self.chunks }
    }
}

/// Checks that a path stays inside the bundle's folder on every file system that a device has.
pub fn check_path(path: &str) -> Result<(), Invalid> {
    let rule = |rule| Err(Invalid::new("path", rule));
    if path.is_empty() || path.len() > PATH_MAX_BYTES {
        return rule("must be 1 to 512 bytes long");
    }
    if path.chars().any(|character| character.is_control() || matches!(character, '\\' | ':')) {
        return rule("must not contain control characters, backslashes or colons");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return rule("must be relative, without empty, '.' or '..' parts");
    }
    Ok(())
}

/// Returns the bundle's name: the SHA-256 over `role NUL path NUL sha256-hex NUL size LF` of every file, sorted by path bytes.
/// The role belongs to it because the same files with another launch file are another program.
#[must_use]
pub fn content_hash(files: &[BundleFile]) -> Sha256 {
    let mut sorted: Vec<&BundleFile> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut hasher = Hasher::default();
    for file in sorted {
        let line = format!("{}\0{}\0{}\0{}\n", file.role, file.path, file.sha256, file.size_bytes);
        hasher.update(line.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(path: &str, bytes: &[u8]) -> BundleFile {
        BundleFile {
            path: path.into(),
            sha256: Sha256::of(bytes),
            size_bytes: bytes.len() as u64,
            role: FileRole::Asset,
        }
    }

    #[test]
    fn content_hash_ignores_order_but_neither_names_nor_roles() {
        let (a, b) = (file("a", b"1"), file("b", b"2"));
        assert_eq!(content_hash(&[a.clone(), b.clone()]), content_hash(&[b.clone(), a]));
        assert_ne!(content_hash(&[file("a", b"1"), b.clone()]), content_hash(&[file("c", b"1"), b.clone()]));
        let launch = BundleFile { role: FileRole::Launch, ..file("a", b"1") };
        assert_ne!(content_hash(&[file("a", b"1"), b.clone()]), content_hash(&[launch, b]));
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        for bad in ["", "/a", "a//b", "../a", "a/../b", "a/.", "c:\\x", "a\\b", "a\0b", "a/"] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        assert!(check_path("assets/drawable-xhdpi/größe..png").is_ok());
    }

    proptest! {
        #[test]
        fn chunk_hashes_do_not_depend_on_how_bytes_arrive(size in 0_usize..2_500_000, piece in 1_usize..400_000) {
            let bytes: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
            let mut hasher = ChunkHasher::default();
            bytes.chunks(piece).for_each(|piece| hasher.update(piece));
            let blob = hasher.finish();
            prop_assert!(blob.is_consistent());
            let expected: Vec<Sha256> = bytes.chunks(CHUNK_SIZE_BYTES as usize).map(Sha256::of).collect();
            prop_assert_eq!(&blob.chunks, &expected);
            prop_assert_eq!(blob.sha256, Sha256::of(&bytes));
        }
    }
}
