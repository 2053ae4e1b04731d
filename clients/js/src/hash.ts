// This file's job is to hash bytes and bundles.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** 64 lower-case hexadecimal digits. */
export type Sha256 = string;

/** A file of a bundle. */
export interface BundleFile {
  /** Relative, with `/` between its parts. */
  readonly path: string;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  readonly role: string;
}

/** Hashes pieces one after the other. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Ends the hash; called once. */
  hex(): Sha256;
}

/** Begins a SHA-256. A host may bring a native one, see `Settings.hasher`. */
export function portableHasher(): Hasher {
  const hash = sha256.create();
  return { update: (bytes) => void hash.update(bytes), hex: () => bytesToHex(hash.digest()) };
}

/** Hashes bytes that are in memory. */
export function hashOf(bytes: Uint8Array, make: () => Hasher = portableHasher): Sha256 {
  const hasher = make();
  hasher.update(bytes);
  return hasher.hex();
}

/** The content hash of a bundle, section 5 of the protocol. */
export function contentHash(files: readonly BundleFile[], make: () => Hasher = portableHasher): Sha256 {
  const lines = files.map((file) => ({
    path: utf8ToBytes(file.path),
    line: utf8ToBytes(`${file.role}\0${file.path}\0${file.sha256}\0${file.sizeBytes}\n`),
  }));
  lines.sort((a, b) => compareBytes(a.path, b.path));
  const hasher = make();
  for (const { line } of lines) {
    hasher.update(line);
  }
  return hasher.hex();
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return a.length - b.length;
}
