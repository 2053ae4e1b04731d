// This file's job is to put the files of an offered bundle together on the device, each from wherever it is cheapest.
import type { Decompress } from './coding.js';
import { type Downloads, PARTS, type Wanted } from './download.js';
import { AloftError } from './errors.js';
import { contentHash, type Hasher, hashOf, type Sha256 } from './hash.js';
import type { PatchDecoder } from './patch.js';
import type { OfferedFile, Update } from './protocol.js';
import type { InstalledBundle } from './state.js';
import type { Storage } from './storage.js';

const BUNDLES = 'bundles';
const STAGING = 'staging';

/** The bundle that came with the native binary. */
export interface Embedded {
  /** Its content hash, where the build knows it; then patches against it can be offered. */
  readonly contentSha256?: Sha256;
  /** The bytes of one of its files, if it has one with this hash. */
  find(sha256: Sha256): Promise<Uint8Array | null>;
}

/** The bundles on a device. */
export class Bundles {
  constructor(
    readonly storage: Storage,
    readonly downloads: Downloads,
    readonly decoders: Readonly<Record<string, PatchDecoder>>,
    readonly codings: Readonly<Record<string, Decompress>>,
    readonly embedded: Embedded | undefined,
    readonly makeHasher: () => Hasher,
  ) {}

  /** The folder of an installed bundle, in the storage. */
  static folder(bundle: { readonly contentSha256: Sha256 }): string {
    return `${BUNDLES}/${bundle.contentSha256}`;
  }

  /** Gets every file that is not on the device, verifies all, and puts the bundle into its place in one step. */
  async install(update: Update, have: readonly InstalledBundle[]): Promise<InstalledBundle> {
    const staging = `${STAGING}/${update.contentSha256}`;
    for (const file of update.files) {
      const place = `${staging}/${file.path}`;
      if (!(await this.#isPlaced(place, file))) {
        await this.#place(update, file, place, have);
      }
    }
    if (contentHash(update.files, this.makeHasher) !== update.contentSha256) {
      await this.storage.remove(staging);
      throw new AloftError('corrupt', `the files are not the bundle ${update.contentSha256}`);
    }
    const bundle = {
      contentSha256: update.contentSha256,
      releaseId: update.releaseId,
      label: update.label,
      launchPath: update.launch.path,
      files: update.files.map(({ path, sha256, sizeBytes, role }) => ({ path, sha256, sizeBytes, role })),
    };
    await this.storage.remove(Bundles.folder(bundle));
    await this.storage.move(staging, Bundles.folder(bundle));
    return bundle;
  }

  /** Whether the launch file of an installed bundle is still there, by its size: hashing it would delay every start. */
  async isThere(bundle: InstalledBundle): Promise<boolean> {
    const launch = bundle.files.find((file) => file.path === bundle.launchPath);
    return launch !== undefined && (await this.storage.size(`${Bundles.folder(bundle)}/${launch.path}`)) === launch.sizeBytes;
  }

  /** Removes everything that belongs to no bundle in `kept`. */
  async sweep(kept: readonly InstalledBundle[]): Promise<void> {
    const names = new Set(kept.map((bundle) => bundle.contentSha256));
    for (const name of await this.storage.list(BUNDLES)) {
      if (!names.has(name)) {
        await this.storage.remove(`${BUNDLES}/${name}`);
      }
    }
    await this.storage.remove(STAGING);
    await this.storage.remove(PARTS);
  }

  async #isPlaced(place: string, file: OfferedFile): Promise<boolean> {
    return (await this.storage.size(place)) === file.sizeBytes && this.#hash(await this.storage.read(place)) === file.sha256;
  }

  async #place(update: Update, file: OfferedFile, place: string, have: readonly InstalledBundle[]): Promise<void> {
    const bytes =
      (await this.#find(file.sha256, have)) ??
      (file === update.launch ? await this.#patched(update, have) : null) ??
      (await this.#decoded(file));
    if (bytes !== null) {
      await this.storage.write(place, bytes);
      return;
    }
    const wanted = { sha256: file.sha256, sizeBytes: file.sizeBytes, url: file.url };
    await this.downloads.get(file === update.launch ? { ...wanted, chunks: update.launchChunks } : wanted, place);
  }

  /** Finds bytes on the device; what is on a disk is not trusted by its name. */
  async #find(sha256: Sha256, have: readonly InstalledBundle[]): Promise<Uint8Array | null> {
    for (const bundle of have) {
      const file = bundle.files.find((candidate) => candidate.sha256 === sha256);
      const place = file && `${Bundles.folder(bundle)}/${file.path}`;
      if (place !== undefined && (await this.storage.size(place)) === file?.sizeBytes) {
        const bytes = await this.storage.read(place);
        if (this.#hash(bytes) === sha256) {
          return bytes;
        }
      }
    }
    const bytes = (await this.embedded?.find(sha256)) ?? null;
    return bytes !== null && this.#hash(bytes) === sha256 ? bytes : null;
  }

  /** Makes the launch file from the patch, if there is one for something that the device has. */
  async #patched({ delta, launch }: Update, have: readonly InstalledBundle[]): Promise<Uint8Array | null> {
    const decode = delta && this.decoders[delta.format];
    const base = delta && decode && (await this.#find(delta.baseSha256, have));
    if (!delta || !decode || !base) {
      return null;
    }
    const { baseSha256 } = delta;
    return this.#made(launch, delta, (bytes) => decode({ bytes, base, baseSha256, sizeBytes: launch.sizeBytes }));
  }

  /** Makes a file from its compressed form, if there is one. */
  async #decoded(file: OfferedFile): Promise<Uint8Array | null> {
    const { encoded } = file;
    const decompress = encoded && this.codings[encoded.coding];
    return decompress ? this.#made(file, encoded, (bytes) => decompress(bytes, file.sizeBytes)) : null;
  }

  /** Makes a file from a smaller blob. Whatever goes wrong just means that it is downloaded whole. */
  async #made(
    file: OfferedFile,
    blob: Wanted,
    make: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>,
  ): Promise<Uint8Array | null> {
    const place = `${STAGING}/${blob.sha256}.smaller`;
    try {
      await this.downloads.get(blob, place);
      const bytes = await make(await this.storage.read(place));
      await this.storage.remove(place);
      return bytes.length === file.sizeBytes && this.#hash(bytes) === file.sha256 ? bytes : null;
    } catch (thrown) {
      if (thrown instanceof AloftError && thrown.kind === 'unavailable') {
        // The way to the edge broke: the smaller blob is resumed, and not replaced by something larger.
        throw thrown;
      }
      return null;
    }
  }

  #hash(bytes: Uint8Array): Sha256 {
    return hashOf(bytes, this.makeHasher);
  }
}
