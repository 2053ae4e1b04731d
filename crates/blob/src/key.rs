//! This file's job is to spell the keys of objects, from typed names only.

use domain::Sha256;
use domain::id::UploadId;

/// Every blob's key begins with this.
pub(crate) const BLOBS: &str = "blobs/";
/// The key of every part of an upload begins with this.
pub(crate) const UPLOADS: &str = "uploads/";
/// Enough digits for every `u64`, so that keys sort as offsets do.
const OFFSET_DIGITS: usize = 20;

/// Returns the key of a blob. Two digits spread a million blobs over 256 folders.
pub(crate) fn blob(sha256: &Sha256) -> String {
    let hex = sha256.to_hex();
    format!("{BLOBS}{}/{hex}", &hex[..2])
}

/// Returns the blob that the key names, if it names one.
pub(crate) fn parse_blob(key: &str) -> Option<Sha256> {
    let (folder, name) = key.strip_prefix(BLOBS)?.split_once('/')?;
    let sha256: Sha256 = name.parse().ok()?;
    name.starts_with(folder).then_some(sha256).filter(|_| folder.len() == 2)
}

/// Returns what the keys of all parts of the upload begin with.
pub(crate) fn upload(upload: &UploadId) -> String {
    format!("{UPLOADS}{upload}/")
}

/// Returns the key of the part of the upload that begins at the offset.
pub(crate) fn part(upload: &UploadId, offset: u64) -> String {
    format!("{UPLOADS}{upload}/{offset:0OFFSET_DIGITS$}")
}

/// Returns the upload and the offset that the key names, if it names a part.
pub(crate) fn parse_part(key: &str) -> Option<(UploadId, u64)> {
    let (upload, offset) = key.strip_prefix(UPLOADS)?.split_once('/')?;
    if offset.len() != OFFSET_DIGITS || !offset.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((upload.parse().ok()?, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;

    #[test]
    fn keys_round_trip_and_foreign_files_are_not_ours() {
        let sha256 = Sha256::of(b"x");
        assert_eq!(parse_blob(&blob(&sha256)), Some(sha256));
        assert_eq!(parse_blob(&format!("blobs/zz/{sha256}")), None);
        assert_eq!(parse_blob("blobs/.DS_Store"), None);
        let id = UploadId::from_parts(Timestamp::from_us(1_000_000), [7; 10]);
        assert_eq!(parse_part(&part(&id, u64::MAX)), Some((id.clone(), u64::MAX)));
        assert_eq!(parse_part(&format!("uploads/{id}/12")), None);
        assert_eq!(parse_part("uploads/../00000000000000000000"), None);
    }
}
