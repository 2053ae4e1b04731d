//! This file's job is to compress files alone, for clients that have nothing to start from.
//!
//! Codings are those of HTTP, within the bounds that clients rely on: Brotli's window is at most 16 MiB (RFC 7932), that of Zstandard 8 MiB
//! (RFC 9659).

use brotli::enc::BrotliEncoderParams;
use domain::bundle::Coding;
use domain::job::DeltaEffort;
use libdeflater::{CompressionLvl, Compressor};
use std::io::{self, Cursor, Read};

/// Smaller files gain less than what it costs to name another blob for them.
pub const COMPRESSED_MIN_BYTES: u64 = 512;

/// A twentieth of a second for each megabyte.
const BROTLI_QUICK: i32 = 5;
/// The smallest; two seconds for each megabyte.
const BROTLI_BEST: i32 = 11;
const BROTLI_WINDOW_LOG: std::ops::RangeInclusive<u32> = 10..=24;
/// Measured at the best quality: memory for each byte of the window.
const BROTLI_MEMORY_FACTOR: usize = 28;
const ZSTANDARD_QUICK: i32 = 9;
const ZSTANDARD_BEST: i32 = 19;
const ZSTANDARD_WINDOW_LOG: std::ops::RangeInclusive<u32> = 10..=23;
/// Measured at the best level.
const ZSTANDARD_MEMORY_FACTOR: usize = 32;
/// libdeflate's best, which takes a tenth of a second for each megabyte.
const GZIP_LEVEL: i32 = 12;
/// How many bytes are compressed between two looks at the time.
const PIECE_BYTES: usize = 64 << 10;

/// How much compressing a file may take.
pub struct Allowed<'a> {
    /// What may be allocated besides the file and its compressed form.
    pub memory_max_bytes: usize,
    /// Asked several times a second; once it says yes, compressing stops soon, with nothing.
    pub should_stop: &'a dyn Fn() -> bool,
}

/// Says whether a file's name tells that its bytes are compressed already, so that nothing is gained by trying.
#[must_use]
pub fn is_compressed(path: &str) -> bool {
    const EXTENSIONS: [&str; 24] = [
        "png", "jpg", "jpeg", "gif", "webp", "avif", "heic", "heif", "jxl", "mp3", "m4a", "aac", "ogg", "opus", "flac",
        "mp4", "m4v", "mov", "webm", "zip", "gz", "br", "zst", "woff2",
    ];
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Says whether more effort makes the coding's result smaller.
#[must_use]
pub const fn gains_by_effort(coding: Coding) -> bool {
    match coding {
        Coding::Brotli | Coding::Zstandard => true,
        Coding::Gzip => false,
    }
}

/// Compresses a file. `None` when it does not get smaller, or takes more than is allowed.
///
/// # Errors
/// When the encoder fails.
pub fn compress(
    bytes: &[u8],
    coding: Coding,
    effort: DeltaEffort,
    allowed: &Allowed<'_>,
) -> io::Result<Option<Vec<u8>>> {
    let is_best = effort == DeltaEffort::Best;
    let made = match coding {
        Coding::Brotli => brotli(bytes, if is_best { BROTLI_BEST } else { BROTLI_QUICK }, allowed),
        Coding::Zstandard => zstandard(bytes, if is_best { ZSTANDARD_BEST } else { ZSTANDARD_QUICK }, allowed),
        Coding::Gzip => gzip(bytes, allowed),
    };
    match made {
        Ok(made) => Ok(made.filter(|made| made.len() < bytes.len())),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(None),
        Err(error) => Err(error),
    }
}

/// Undoes the compression, to at most so many bytes.
///
/// # Errors
/// When the bytes are broken or more come out.
pub fn decompress(bytes: &[u8], coding: Coding, size_bytes: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(size_bytes);
    let one_more = size_bytes as u64 + 1;
    match coding {
        Coding::Brotli => brotli::Decompressor::new(bytes, PIECE_BYTES).take(one_more).read_to_end(&mut out)?,
        Coding::Zstandard => zstd::Decoder::new(bytes)?.take(one_more).read_to_end(&mut out)?,
        Coding::Gzip => flate2::read::GzDecoder::new(bytes).take(one_more).read_to_end(&mut out)?,
    };
    if out.len() > size_bytes { Err(io::Error::other("more comes out than was compressed")) } else { Ok(out) }
}

/// Returns the smallest window that holds all bytes, smaller where memory is short; none where even the smallest is too large.
fn window_log(
    bytes: &[u8],
    bounds: std::ops::RangeInclusive<u32>,
    memory_factor: usize,
    allowed: &Allowed<'_>,
) -> Option<u32> {
    let (least, most) = (*bounds.start(), *bounds.end());
    // Both formats keep a few bytes of the window to themselves.
    let wanted = bounds.clone().find(|log| bytes.len() + 16 <= 1 << log).unwrap_or(most);
    (least..=wanted).rev().find(|log| memory_factor << log <= allowed.memory_max_bytes)
}

fn brotli(bytes: &[u8], quality: i32, allowed: &Allowed<'_>) -> io::Result<Option<Vec<u8>>> {
    let Some(log) = window_log(bytes, BROTLI_WINDOW_LOG, BROTLI_MEMORY_FACTOR, allowed) else { return Ok(None) };
    let parameters =
        BrotliEncoderParams { quality, lgwin: log as i32, size_hint: bytes.len(), ..BrotliEncoderParams::default() };
    let mut made = Vec::new();
    brotli::BrotliCompress(&mut Stoppable { bytes: Cursor::new(bytes), allowed }, &mut made, &parameters)?;
    Ok(Some(made))
}

fn zstandard(bytes: &[u8], level: i32, allowed: &Allowed<'_>) -> io::Result<Option<Vec<u8>>> {
    let log = window_log(bytes, ZSTANDARD_WINDOW_LOG, ZSTANDARD_MEMORY_FACTOR, allowed);
    let Some(log) = log else { return Ok(None) };
    let mut encoder = zstd::Encoder::new(Vec::new(), level)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.window_log(log)?;
    io::copy(&mut Stoppable { bytes: Cursor::new(bytes), allowed }, &mut encoder)?;
    encoder.finish().map(Some)
}

fn gzip(bytes: &[u8], allowed: &Allowed<'_>) -> io::Result<Option<Vec<u8>>> {
    let level = CompressionLvl::new(GZIP_LEVEL).map_err(|_| io::Error::other("libdeflate does not know the level"))?;
    let mut compressor = Compressor::new(level);
    let mut made = vec![0; compressor.gzip_compress_bound(bytes.len())];
    if (allowed.should_stop)() {
        return Ok(None);
    }
    let size_bytes = compressor.gzip_compress(bytes, &mut made).map_err(io::Error::other)?;
    made.truncate(size_bytes);
    Ok(Some(made))
}

/// Reads the file until it is time to stop.
struct Stoppable<'a> {
    bytes: Cursor<&'a [u8]>,
    allowed: &'a Allowed<'a>,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.allowed.should_stop)() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.bytes.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNLIMITED: Allowed<'static> = Allowed { memory_max_bytes: usize::MAX, should_stop: &|| false };

    #[test]
    fn text_gets_smaller_with_effort_and_noise_is_left_alone() {
        let text: String = (0..20_000).map(|i| format!("function f{i}(a){{return a+{}}}\n", i * i % 977)).collect();
        let noise: Vec<u8> =
            (0..4_000_u64).flat_map(|i| domain::Sha256::of(&i.to_le_bytes()).as_bytes()[..8].to_vec()).collect();
        for &coding in Coding::ALL {
            let size = |effort| compress(text.as_bytes(), coding, effort, &UNLIMITED).unwrap().unwrap().len();
            let (quick, best) = (size(DeltaEffort::Quick), size(DeltaEffort::Best));
            assert!(quick < text.len() / 3 && best <= quick, "{coding}: {quick} {best}");
            assert_eq!(best < quick, gains_by_effort(coding), "{coding}: {quick} {best}");
            assert_eq!(compress(&noise, coding, DeltaEffort::Best, &UNLIMITED).unwrap(), None, "{coding}");
        }
    }

    #[test]
    fn no_zstandard_window_is_larger_than_what_http_clients_take() {
        let zeros = vec![0; 20 << 20];
        let made = compress(&zeros, Coding::Zstandard, DeltaEffort::Quick, &UNLIMITED).unwrap().unwrap();
        let mut decoder = zstd::Decoder::new(&made[..]).unwrap();
        decoder.window_log_max(23).unwrap();
        assert_eq!(io::copy(&mut decoder, &mut io::sink()).unwrap(), zeros.len() as u64);
    }

    #[test]
    fn what_takes_too_long_or_too_much_is_not_made() {
        let text = b"abc ".repeat(100_000);
        let late = Allowed { should_stop: &|| true, ..UNLIMITED };
        let poor = Allowed { memory_max_bytes: 1_000, ..UNLIMITED };
        for &coding in Coding::ALL {
            assert_eq!(compress(&text, coding, DeltaEffort::Best, &late).unwrap(), None);
        }
        assert_eq!(compress(&text, Coding::Brotli, DeltaEffort::Best, &poor).unwrap(), None);
        let less = Allowed { memory_max_bytes: (64 * BROTLI_MEMORY_FACTOR) << 10, ..UNLIMITED };
        assert!(compress(&text, Coding::Brotli, DeltaEffort::Quick, &less).unwrap().is_some(), "with a smaller window");
    }

    #[test]
    fn names_of_pictures_sounds_and_archives_are_known() {
        assert!(["a/b.PNG", "x.webp", "movie.mp4", "x.tar.gz"].iter().all(|path| is_compressed(path)));
        assert!(["index.bundle", "a.json", "font.ttf", "png", "a.svg"].iter().all(|path| !is_compressed(path)));
    }

    proptest! {
        #[test]
        fn whatever_is_made_is_smaller_and_comes_back(
            part in proptest::collection::vec(any::<u8>(), 0..300), times in 1_usize..40, quick in any::<bool>(),
        ) {
            let bytes = part.repeat(times);
            let effort = if quick { DeltaEffort::Quick } else { DeltaEffort::Best };
            for &coding in Coding::ALL {
                if let Some(made) = compress(&bytes, coding, effort, &UNLIMITED).unwrap() {
                    prop_assert!(made.len() < bytes.len());
                    prop_assert_eq!(&decompress(&made, coding, bytes.len()).unwrap(), &bytes);
                    prop_assert!(decompress(&made, coding, bytes.len() - 1).is_err());
                }
            }
        }
    }
}
