// This file's job is to be the Zstandard of the tests' host.
import { createDCtx, decompressUsingDict, init } from '@bokuweb/zstd-wasm';
import type { ZstdDecompress } from '../src/index.js';

/** Makes a decompressor; a phone has a native one. */
export async function zstd(): Promise<ZstdDecompress> {
  await init();
  return (frame, dictionary) => decompressUsingDict(createDCtx(), frame, dictionary);
}
