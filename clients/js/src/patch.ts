// This file's job is to make a launch file from a base and a patch.
import { AloftError } from './errors.js';
import type { Sha256 } from './hash.js';

/** A patch with all that is known of it. Its bytes and its base are verified. */
export interface Patch {
  readonly bytes: Uint8Array;
  readonly base: Uint8Array;
  readonly baseSha256: Sha256;
  /** Size of what comes out, in bytes. */
  readonly sizeBytes: number;
}

/** Applies patches of one format. What it makes is verified by the client, whatever it throws means the whole file is downloaded. */
export type PatchDecoder = (patch: Patch) => Uint8Array | Promise<Uint8Array>;

/** Decompresses a Zstandard frame with a raw-content dictionary, to at most `sizeBytes` bytes. */
export type ZstdDecompress = (
  frame: Uint8Array,
  dictionary: Uint8Array,
  sizeBytes: number,
) => Uint8Array | Promise<Uint8Array>;

/** A skippable frame that holds a hash (RFC 9842, section 5). */
const DCZ_MAGIC = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0x00, 0x00, 0x00] as const;
const HASH_BYTES = 32;
const DCZ_HEADER_BYTES = DCZ_MAGIC.length + HASH_BYTES;

/** Makes the decoder of the format `dcz` from the host's Zstandard. */
export function dcz(decompress: ZstdDecompress): PatchDecoder {
  return async ({ bytes, base, baseSha256, sizeBytes }) => {
    if (bytes.length < DCZ_HEADER_BYTES || DCZ_MAGIC.some((byte, index) => bytes[index] !== byte)) {
      throw new AloftError('corrupt', 'the patch is no dcz');
    }
    const named = Array.from(bytes.subarray(DCZ_MAGIC.length, DCZ_HEADER_BYTES), hex).join('');
    if (named !== baseSha256) {
      throw new AloftError('corrupt', 'the patch is for another base');
    }
    return decompress(bytes.subarray(DCZ_HEADER_BYTES), base, sizeBytes);
  };
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
