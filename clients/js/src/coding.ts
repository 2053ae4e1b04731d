// This file's job is to say what a host brings to decode compressed forms of files.

/**
 * Decompresses one coding, to at most `sizeBytes` bytes. What it makes is verified by the client; whatever it throws means that the file is
 * downloaded as it is.
 */
export type Decompress = (bytes: Uint8Array, sizeBytes: number) => Uint8Array | Promise<Uint8Array>;
