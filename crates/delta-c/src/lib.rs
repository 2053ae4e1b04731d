//! This file's job is to let C programs apply patches: phones link this library, which has no encoder in it.
#![expect(unsafe_code, reason = "C has pointers")]

use delta::{DeltaError, Expected, Format};
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

/// How applying a patch ended.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AloftDeltaStatus {
    /// The new file is in the output, whole and with the expected hash.
    Ok = 0,
    /// A pointer is null, the output is too small, or the format has a name that is not known.
    InvalidArgument = 1,
    /// The old file is another one than expected: take the new file whole.
    OtherBase = 2,
    /// The patch is broken, or makes another file than expected: take the new file whole.
    BrokenPatch = 3,
    /// The patch needs more memory than allowed: take the new file whole.
    TooLarge = 4,
    /// The library broke: take the new file whole, and tell its makers.
    Internal = 5,
}

/// What is known about both files, from something signed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct AloftDeltaExpected {
    /// SHA-256 of the old file.
    pub base_sha256: [u8; 32],
    /// SHA-256 of the new file.
    pub sha256: [u8; 32],
    /// Size of the new file.
    pub size_bytes: usize,
}

/// Makes the new file from the old one and a patch. `format` is its name with a zero behind it, for instance "bsdiff40"; `output` has
/// room for `output_capacity` bytes, at least `expected->size_bytes`, and its content means nothing unless ALOFT_DELTA_STATUS_OK is
/// returned. Besides the output, at most `expected->size_bytes` and `memory_max_bytes` are allocated, and freed before the return.
/// Pointers of empty files may be null.
///
/// # Safety
/// Every pointer must be valid for the size beside it, and the output must not overlap with the rest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aloft_delta_apply(
    format: *const c_char,
    base: *const u8,
    base_size: usize,
    patch: *const u8,
    patch_size: usize,
    expected: *const AloftDeltaExpected,
    memory_max_bytes: usize,
    output: *mut u8,
    output_capacity: usize,
) -> AloftDeltaStatus {
    if format.is_null() || expected.is_null() {
        return AloftDeltaStatus::InvalidArgument;
    }
    // SAFETY: the caller promises valid pointers; null ones were refused, or stand for empty files.
    let (format, base, patch, expected) =
        unsafe { (CStr::from_ptr(format), bytes(base, base_size), bytes(patch, patch_size), *expected) };
    let (Some(base), Some(patch), Ok(format)) = (base, patch, format.to_str()) else {
        return AloftDeltaStatus::InvalidArgument;
    };
    let Ok(format) = format.parse::<Format>() else { return AloftDeltaStatus::InvalidArgument };
    if output_capacity < expected.size_bytes || (output.is_null() && expected.size_bytes > 0) {
        return AloftDeltaStatus::InvalidArgument;
    }
    let AloftDeltaExpected { base_sha256, sha256, size_bytes } = expected;
    let expected = Expected { base_sha256, sha256, size_bytes };
    let apply = || delta::apply(format, base, patch, &expected, memory_max_bytes);
    match catch_unwind(AssertUnwindSafe(apply)) {
        Ok(Ok(made)) if made.is_empty() => AloftDeltaStatus::Ok,
        Ok(Ok(made)) => {
            // SAFETY: the output is not null, has room for the expected size, which is that of what was made, and overlaps nothing.
            unsafe { output.copy_from_nonoverlapping(made.as_ptr(), made.len()) };
            AloftDeltaStatus::Ok
        }
        Ok(Err(error)) => status(&error),
        // A panic must not run into C.
        Err(_) => AloftDeltaStatus::Internal,
    }
}

/// Returns a slice, or nothing when the pointer is null but the size is not 0.
///
/// # Safety
/// The pointer must be valid for the size.
unsafe fn bytes<'a>(pointer: *const u8, size: usize) -> Option<&'a [u8]> {
    match (pointer.is_null(), size) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // SAFETY: the caller promises that the pointer is valid for the size.
        (false, _) => Some(unsafe { slice::from_raw_parts(pointer, size) }),
    }
}

const fn status(error: &DeltaError) -> AloftDeltaStatus {
    match error {
        DeltaError::UnknownFormat => AloftDeltaStatus::InvalidArgument,
        DeltaError::OtherBase => AloftDeltaStatus::OtherBase,
        DeltaError::NotAPatch | DeltaError::OtherResult | DeltaError::Broken(_) => AloftDeltaStatus::BrokenPatch,
        DeltaError::TooLarge { .. } | DeltaError::Memory { .. } => AloftDeltaStatus::TooLarge,
        DeltaError::Encoder(_) => AloftDeltaStatus::Internal,
    }
}
