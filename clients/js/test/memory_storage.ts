// This file's job is to be a disk that forgets nothing, in memory, for tests that do without files.
import type { Storage } from '../src/index.js';

/** Files by path. */
export class MemoryStorage implements Storage {
  readonly files = new Map<string, Uint8Array>();

  async size(path: string): Promise<number | null> {
    return this.files.get(path)?.length ?? null;
  }

  async read(path: string, offset = 0, length?: number): Promise<Uint8Array> {
    const bytes = this.files.get(path);
    if (bytes === undefined) {
      throw new Error(`no file ${path}`);
    }
    return bytes.slice(offset, length === undefined ? undefined : offset + length);
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.files.set(path, bytes.slice());
  }

  async append(path: string, bytes: Uint8Array): Promise<void> {
    this.files.set(path, Uint8Array.from([...(this.files.get(path) ?? []), ...bytes]));
  }

  async move(from: string, to: string): Promise<void> {
    for (const [path, bytes] of [...this.files]) {
      if (path === from || path.startsWith(`${from}/`)) {
        this.files.delete(path);
        this.files.set(to + path.slice(from.length), bytes);
      }
    }
  }

  async remove(path: string): Promise<void> {
    for (const name of [...this.files.keys()]) {
      if (name === path || name.startsWith(`${path}/`)) {
        this.files.delete(name);
      }
    }
  }

  async list(folder: string): Promise<string[]> {
    const inside = [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`));
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))];
  }
}
