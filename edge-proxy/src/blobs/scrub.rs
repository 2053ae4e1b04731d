//! This file's job is to read every blob on disk again once in a while, and to replace those whose bytes have changed.

use super::Blobs;
use crate::durable::blocking;
use domain::Sha256;
use domain::hash::Hasher;
use runtime::shutdown::Stop;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is read and hashed at once: about a millisecond of one core.
const PIECE_BYTES: usize = 1 << 20;
/// After a start, devices come first: what they ask for is verified anyway.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// However little time there is for a round: well below what disks and devices need for themselves.
const BYTES_PER_S_MAX: u32 = 64 << 20;

/// How a blob on disk was found.
enum Found {
    Good,
    Damaged(&'static str),
    /// It was removed meanwhile.
    Gone,
}

/// Reads everything once in each interval, evenly spread over it, until it is time to stop.
pub(crate) async fn run(blobs: Arc<Blobs>, interval: Duration, stop: Stop) {
    let rounds = async {
        tokio::time::sleep(interval.min(FIRST_AFTER)).await;
        loop {
            let next = Instant::now() + interval;
            round(&blobs, interval).await;
            tokio::time::sleep_until(next).await;
        }
    };
    let _: Option<()> = stop.run_until(rounds).await;
}

async fn round(blobs: &Arc<Blobs>, interval: Duration) {
    let listing = blobs.shelf.clone();
    let names = match blocking(move || listing.list()).await {
        Ok(names) => names,
        Err(error) => return tracing::error!(%error, "the blobs on disk cannot be listed"),
    };
    let (_, total_bytes) = blobs.totals();
    let evenly_s = interval.as_secs_f64() / total_bytes.max(1) as f64;
    let byte_s = evenly_s.max(1.0 / f64::from(BYTES_PER_S_MAX));
    for sha256 in names {
        match look(blobs, &sha256, byte_s).await {
            Found::Good | Found::Gone => {}
            Found::Damaged(why) => replace(blobs, &sha256, why).await,
        }
    }
}

/// Reads one blob, with a pause of so many seconds for each byte, and compares it with its name.
async fn look(blobs: &Blobs, sha256: &Sha256, byte_s: f64) -> Found {
    let path = blobs.shelf.path(sha256);
    let (mut file, mut hasher, mut offset) = match blocking(move || File::open(path)).await {
        Ok(file) => (file, Hasher::default(), 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Gone,
        Err(_) => return Found::Damaged("it cannot be opened"),
    };
    loop {
        let read = blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let filled = read_at(&file, &mut piece, offset)?;
            hasher.update(&piece[..filled]);
            Ok((file, hasher, filled))
        });
        let Ok((same_file, same_hasher, filled)) = read.await else { return Found::Damaged("it cannot be read") };
        (file, hasher, offset) = (same_file, same_hasher, offset + filled as u64);
        blobs.meters.blobs.scrubbed_bytes.inc_by(filled as u64);
        tokio::time::sleep(Duration::from_secs_f64(byte_s * filled as f64)).await;
        if filled < PIECE_BYTES {
            break;
        }
    }
    if hasher.finish() == *sha256 { Found::Good } else { Found::Damaged("the hash is wrong") }
}

/// Fills the buffer as far as the file reaches.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

async fn replace(blobs: &Arc<Blobs>, sha256: &Sha256, why: &'static str) {
    tracing::error!(%sha256, why, "a blob on disk is damaged");
    blobs.meters.blobs.verify_failures.with_label_values(&["scrub"]).inc();
    blobs.distrust(sha256).await;
    if let Some(blob) = blobs.describe(sha256).filter(|_| blobs.channels.is_pinned(sha256)) {
        // It runs on its own.
        let _fill = blobs.fill(&blob);
    }
}
