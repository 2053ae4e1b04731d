// This file's job is to download one blob so that a break costs at most a piece, and wrong bytes never reach their place.
import type { Edge } from './edge.js';
import { AloftError } from './errors.js';
import type { Hasher, Sha256 } from './hash.js';
import type { Chunks } from './protocol.js';
import type { Storage } from './storage.js';

/** What is asked for at once when the edge does not say how it cuts the blob: small enough for a phone's memory. */
const PIECE_BYTES = 1024 * 1024;
/** Where unfinished downloads are. */
export const PARTS = 'parts';

/** A blob to download. */
export interface Wanted {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  readonly url: string;
  /** Hashes of its pieces, where the edge names them. */
  readonly chunks?: Chunks;
}

/** Downloads blobs of an edge into a storage. */
export class Downloads {
  constructor(
    readonly edge: Edge,
    readonly storage: Storage,
    readonly makeHasher: () => Hasher,
  ) {}

  /** Downloads a blob to `to`. What had arrived before is not asked for again. */
  async get(wanted: Wanted, to: string): Promise<void> {
    const part = `${PARTS}/${wanted.sha256}`;
    const pieceBytes = wanted.chunks?.sizeBytes ?? PIECE_BYTES;
    const { offset: there, hasher } = await this.#resume(wanted, part, pieceBytes);
    let offset = there;
    if (wanted.sizeBytes === 0) {
      await this.storage.write(part, new Uint8Array(0));
    }
    while (offset < wanted.sizeBytes) {
      const piece = await this.#fetchPiece(wanted, offset, Math.min(pieceBytes, wanted.sizeBytes - offset));
      if (!this.#isRight(wanted, offset / pieceBytes, piece)) {
        throw new AloftError('corrupt', `piece ${offset / pieceBytes} of the blob ${wanted.sha256} is wrong`);
      }
      await this.storage.append(part, piece);
      hasher.update(piece);
      offset += piece.length;
    }
    if (hasher.hex() !== wanted.sha256) {
      await this.storage.remove(part);
      throw new AloftError('corrupt', `the blob ${wanted.sha256} is wrong`);
    }
    await this.storage.remove(to);
    await this.storage.move(part, to);
  }

  /** Hashes what is there of an earlier attempt; begins anew when it is of no use. */
  async #resume(wanted: Wanted, part: string, pieceBytes: number): Promise<{ offset: number; hasher: Hasher }> {
    const there = (await this.storage.size(part)) ?? 0;
    // A write that was cut off leaves a broken piece at the end.
    const isWhole = there % pieceBytes === 0 || there === wanted.sizeBytes;
    let isRight = there <= wanted.sizeBytes && isWhole;
    const hasher = this.makeHasher();
    for (let offset = 0; isRight && offset < there; offset += pieceBytes) {
      const piece = await this.storage.read(part, offset, Math.min(pieceBytes, there - offset));
      isRight = this.#isRight(wanted, offset / pieceBytes, piece);
      hasher.update(piece);
    }
    if (isRight) {
      return { offset: there, hasher };
    }
    await this.storage.remove(part);
    return { offset: 0, hasher: this.makeHasher() };
  }

  #isRight(wanted: Wanted, index: number, piece: Uint8Array): boolean {
    if (wanted.chunks === undefined) {
      return true;
    }
    const hasher = this.makeHasher();
    hasher.update(piece);
    return hasher.hex() === wanted.chunks.sha256[index];
  }

  async #fetchPiece(wanted: Wanted, offset: number, length: number): Promise<Uint8Array> {
    const isAll = length === wanted.sizeBytes;
    const headers: Record<string, string> = isAll ? {} : { range: `bytes=${offset}-${offset + length - 1}` };
    // A proxy that knows no ranges sends the whole blob.
    const reply = await this.edge.ask({ method: 'GET', path: wanted.url, headers, maxBytes: wanted.sizeBytes });
    const from = reply.status === 206 ? offset : 0;
    const piece = reply.bytes.subarray(offset - from, offset - from + length);
    const isAsked = reply.status === 206 ? reply.bytes.length === length : reply.bytes.length === wanted.sizeBytes;
    if (!isAsked || piece.length !== length) {
      throw new AloftError('unavailable', `the blob ${wanted.sha256} broke off`);
    }
    return piece;
  }
}
