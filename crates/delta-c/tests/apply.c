/* This file's job is to apply a patch from C and to compare what comes out: apply FORMAT OLD PATCH NEW SHA256-OF-OLD SHA256-OF-NEW. */
#include "aloft_delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) exit(100);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  uint8_t *bytes = malloc(*size + 1);
  if (bytes == NULL || fread(bytes, 1, *size, file) != *size) exit(101);
  fclose(file);
  return bytes;
}

static void read_hash(const char *text, uint8_t hash[32]) {
  for (int at = 0; at < 32; at++) {
    unsigned byte;
    if (sscanf(text + 2 * at, "%2x", &byte) != 1) exit(102);
    hash[at] = (uint8_t)byte;
  }
}

int main(int count, char **words) {
  if (count != 7) return 103;
  size_t base_size, patch_size, new_size;
  uint8_t *base = read_file(words[2], &base_size);
  uint8_t *patch = read_file(words[3], &patch_size);
  uint8_t *wanted = read_file(words[4], &new_size);
  AloftDeltaExpected expected = {.size_bytes = new_size};
  read_hash(words[5], expected.base_sha256);
  read_hash(words[6], expected.sha256);
  uint8_t *output = malloc(new_size);
  const size_t memory = 32u << 20;

  /* What cannot work is refused, without touching anything. */
  if (aloft_delta_apply("unknown", base, base_size, patch, patch_size, &expected, memory, output, new_size) !=
      ALOFT_DELTA_STATUS_INVALID_ARGUMENT)
    return 104;
  if (aloft_delta_apply(words[1], NULL, base_size, patch, patch_size, &expected, memory, output, new_size) !=
      ALOFT_DELTA_STATUS_INVALID_ARGUMENT)
    return 105;
  if (aloft_delta_apply(words[1], base, base_size, patch, patch_size, &expected, memory, output, new_size - 1) !=
      ALOFT_DELTA_STATUS_INVALID_ARGUMENT)
    return 106;
  if (aloft_delta_apply(words[1], base, base_size - 1, patch, patch_size, &expected, memory, output, new_size) !=
      ALOFT_DELTA_STATUS_OTHER_BASE)
    return 107;
  if (aloft_delta_apply(words[1], base, base_size, patch, patch_size, &expected, 1000, output, new_size) !=
      ALOFT_DELTA_STATUS_TOO_LARGE)
    return 108;
  if (aloft_delta_apply(words[1], base, base_size, patch, patch_size / 2, &expected, memory, output, new_size) !=
      ALOFT_DELTA_STATUS_BROKEN_PATCH)
    return 109;

  AloftDeltaStatus status =
      aloft_delta_apply(words[1], base, base_size, patch, patch_size, &expected, memory, output, new_size);
  if (status != ALOFT_DELTA_STATUS_OK) return (int)status;
  if (memcmp(output, wanted, new_size) != 0) return 110;
  free(output), free(wanted), free(patch), free(base);
  return 0;
}
