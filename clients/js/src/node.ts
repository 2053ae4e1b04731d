// This file's job is to be the client's host under Node, for tools and tests: a folder, and Node's own decompressors.
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip } from 'node:zlib';
import type { Decompress } from './coding.js';
import type { Storage } from './storage.js';

/** What every supported Node can decode. */
export const codings: Readonly<Record<'br' | 'gzip', Decompress>> = {
  br: (bytes, sizeBytes) => promisify(brotliDecompress)(bytes, { maxOutputLength: atLeastOne(sizeBytes) }),
  gzip: (bytes, sizeBytes) => promisify(gunzip)(bytes, { maxOutputLength: atLeastOne(sizeBytes) }),
};

/** Stores below a folder. */
export class NodeStorage implements Storage {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  #place(name: string): string {
    return path.join(this.#folder, name);
  }

  async size(name: string): Promise<number | null> {
    try {
      return (await stat(this.#place(name))).size;
    } catch (thrown) {
      if (isAbsent(thrown)) {
        return null;
      }
      throw thrown;
    }
  }

  async read(name: string, offset = 0, length?: number): Promise<Uint8Array> {
    const file = await open(this.#place(name));
    try {
      const wanted = length ?? Math.max(0, (await file.stat()).size - offset);
      const bytes = new Uint8Array(wanted);
      let filled = 0;
      while (filled < wanted) {
        const { bytesRead } = await file.read(bytes, filled, wanted - filled, offset + filled);
        if (bytesRead === 0) {
          break;
        }
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } finally {
      await file.close();
    }
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${name}.new`;
    await rm(this.#place(temporary), { force: true });
    await this.append(temporary, bytes);
    await rename(this.#place(temporary), this.#place(name));
    await this.#syncFolder(path.dirname(name));
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    await mkdir(path.dirname(this.#place(name)), { recursive: true });
    const file = await open(this.#place(name), 'a');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async move(from: string, to: string): Promise<void> {
    await mkdir(path.dirname(this.#place(to)), { recursive: true });
    await rename(this.#place(from), this.#place(to));
    await this.#syncFolder(path.dirname(to));
  }

  async remove(name: string): Promise<void> {
    await rm(this.#place(name), { recursive: true, force: true });
  }

  async list(name: string): Promise<string[]> {
    try {
      return await readdir(this.#place(name));
    } catch (thrown) {
      if (isAbsent(thrown)) {
        return [];
      }
      throw thrown;
    }
  }

  async #syncFolder(name: string): Promise<void> {
    const folder = await open(this.#place(name));
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

/** Node takes no bound of 0. */
function atLeastOne(sizeBytes: number): number {
  return Math.max(1, sizeBytes);
}

function isAbsent(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
}
