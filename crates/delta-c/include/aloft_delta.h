/* This file's job is to apply patches of Aloft from C. Made by cbindgen from crates/delta-c/src/lib.rs: a test compares both. */

#ifndef ALOFT_DELTA_H
#define ALOFT_DELTA_H

#include <stddef.h>
#include <stdint.h>

// How applying a patch ended.
enum AloftDeltaStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // The new file is in the output, whole and with the expected hash.
  ALOFT_DELTA_STATUS_OK = 0,
  // A pointer is null, the output is too small, or the format has a name that is not known.
  ALOFT_DELTA_STATUS_INVALID_ARGUMENT = 1,
  // The old file is another one than expected: take the new file whole.
  ALOFT_DELTA_STATUS_OTHER_BASE = 2,
  // The patch is broken, or makes another file than expected: take the new file whole.
  ALOFT_DELTA_STATUS_BROKEN_PATCH = 3,
  // The patch needs more memory than allowed: take the new file whole.
  ALOFT_DELTA_STATUS_TOO_LARGE = 4,
  // The library broke: take the new file whole, and tell its makers.
  ALOFT_DELTA_STATUS_INTERNAL = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum AloftDeltaStatus AloftDeltaStatus;
#else
typedef int32_t AloftDeltaStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What is known about both files, from something signed.
typedef struct {
  // SHA-256 of the old file.
  uint8_t base_sha256[32];
  // SHA-256 of the new file.
  uint8_t sha256[32];
  // Size of the new file.
  uintptr_t size_bytes;
} AloftDeltaExpected;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes the new file from the old one and a patch. `format` is its name with a zero behind it, for instance "bsdiff40"; `output` has
// room for `output_capacity` bytes, at least `expected->size_bytes`, and its content means nothing unless ALOFT_DELTA_STATUS_OK is
// returned. Besides the output, at most `expected->size_bytes` and `memory_max_bytes` are allocated, and freed before the return.
// Pointers of empty files may be null.
//
// # Safety
// Every pointer must be valid for the size beside it, and the output must not overlap with the rest.
AloftDeltaStatus aloft_delta_apply(const char *format,
                                   const uint8_t *base,
                                   uintptr_t base_size,
                                   const uint8_t *patch,
                                   uintptr_t patch_size,
                                   const AloftDeltaExpected *expected,
                                   uintptr_t memory_max_bytes,
                                   uint8_t *output,
                                   uintptr_t output_capacity);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ALOFT_DELTA_H */
