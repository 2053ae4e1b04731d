// This file's job is to say what the client needs from the device's disk.

/**
 * The client's folder on the device's disk. Paths are relative to it, with `/` between their parts; folders on the way to a file that is
 * written are made. Everything is durable when its promise resolves: a device that loses power afterwards has it.
 */
export interface Storage {
  /** Size of a file in bytes; null when there is none. */
  size(path: string): Promise<number | null>;
  /** All bytes of a file, or `length` of them from `offset` on. */
  read(path: string, offset?: number, length?: number): Promise<Uint8Array>;
  /** Writes a file; whatever was there is replaced at once or not at all. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Adds bytes to the end of a file, which is made when there is none. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** Renames a file or a folder in one step. Nothing stands at `to`. */
  move(from: string, to: string): Promise<void>;
  /** Removes a file, or a folder with all that is in it; nothing there is no error. */
  remove(path: string): Promise<void>;
  /** Names of what is in a folder; empty when there is none. */
  list(folder: string): Promise<string[]>;
}
