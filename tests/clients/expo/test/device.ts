// This file's job is to be an app with expo-updates: it keeps what the real one keeps, and sends what the real one sends.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { serializeList } from 'structured-headers';
import { edgeUrl, type Channel } from './platform.js';
import {
  type Asset, checkChain, checkSignature, type Directive, hashOf, type Manifest, passes, readDate, readDictionary, readExtensions, readHeaders,
  readManifest, readMultipart,
} from './strict.js';

/** A release reaches the edge within milliseconds; a busy machine is slower. */
const PATIENCE_MS = 90_000;
const LOOK_EVERY_MS = 50;

/** What a check found. */
export type Found =
  | { readonly kind: 'manifest'; readonly manifest: Manifest; readonly body: Buffer; readonly signature: string | undefined }
  | { readonly kind: 'directive'; readonly directive: Directive }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'error'; readonly status: number; readonly text: string };

export class Device {
  readonly clientId = randomUUID();
  readonly embeddedId = randomUUID();
  /** Files by key; a key that is there is never downloaded again. */
  readonly files = new Map<string, Buffer>();
  launched: Manifest | null = null;
  launchedFile: Buffer | null = null;
  /** When the embedded update counts as made. */
  embeddedAt = 0;
  filter = new Map<string, string>();
  /** What the server had this client keep, and send with every check. */
  serverDefined = new Map<string, string>();
  /** What is to be sent with requests for files, by their keys. */
  assetHeaders: Record<string, Record<string, string>> = {};
  failed: string[] = [];
  fatalError: string | null = null;
  /** Whether the app takes certificates from the server that lead to its own. */
  takesChain = false;
  /** What the last check said. */
  sent: Record<string, string> = {};
  /** Bytes of launch files and patches that came. */
  launchBytes = 0;

  constructor(
    readonly channel: Channel,
    readonly certificate: string | null = null,
    readonly more: Record<string, string> = {},
  ) {}

  get currentId(): string {
    return this.launched?.id ?? this.embeddedId;
  }

  #headers(): Record<string, string> {
    return {
      accept: 'multipart/mixed,application/expo+json,application/json',
      'expo-platform': 'android',
      'expo-protocol-version': '1',
      'expo-api-version': '1',
      'expo-updates-environment': 'BARE',
      'eas-client-id': this.clientId.toUpperCase(),
      'expo-runtime-version': '1',
      'expo-current-update-id': this.currentId,
      'expo-embedded-update-id': this.embeddedId,
      'expo-channel-name': this.channel.name,
      ...(this.certificate === null ? {} : { 'expo-expect-signature': 'sig, keyid="main", alg="rsa-v1_5-sha256"' }),
      ...this.more,
    };
  }

  /** Asks once. What the server defined comes first: everything else counts more. */
  async check(extra: Record<string, string> = {}): Promise<Found> {
    const kept = Object.fromEntries(this.serverDefined);
    const headers: Record<string, string> = { ...kept, ...this.#headers(), 'expo-json-error': 'true', ...extra };
    this.sent = headers;
    if (this.failed.length > 0) {
      headers['expo-recent-failed-update-ids'] = serializeList(this.failed.map((id) => [id, new Map()]));
    }
    if (this.fatalError !== null) {
      headers['expo-fatal-error'] = this.fatalError;
      this.fatalError = null;
    }
    const answer = await fetch(`${edgeUrl}/v1/expo/${this.channel.appId}`, { headers });
    const body = Buffer.from(await answer.arrayBuffer());
    if (answer.headers.get('expo-protocol-version') !== '1' || answer.headers.get('expo-sfv-version') !== '0') {
      throw new Error('Legacy manifests are no longer supported');
    }
    if (answer.headers.get('cache-control') !== 'private, max-age=0') {
      throw new Error('a cache of the platform would keep this');
    }
    if (!answer.ok) {
      return { kind: 'error', status: answer.status, text: body.toString() };
    }
    const filter = answer.headers.get('expo-manifest-filters');
    this.filter = filter === null ? this.filter : readDictionary(filter);
    const serverDefined = answer.headers.get('expo-server-defined-headers');
    this.serverDefined = serverDefined === null ? this.serverDefined : readHeaders(serverDefined);
    if (answer.status === 204) {
      return { kind: 'nothing' };
    }
    return this.#read(answer, body);
  }

  async #read(answer: Response, body: Buffer): Promise<Found> {
    const contentType = answer.headers.get('content-type') ?? '';
    if (!contentType.startsWith('multipart/')) {
      return this.#manifest(body, answer.headers.get('expo-signature') ?? undefined);
    }
    const parts = await readMultipart(contentType, body);
    const chain = parts.find((part) => part.name === 'certificate_chain')?.body.toString();
    const directive = parts.find((part) => part.name === 'directive');
    if (directive !== undefined) {
      this.#believe(directive.headers.get('expo-signature'), directive.body, chain);
      return { kind: 'directive', directive: JSON.parse(directive.body.toString()) as Directive };
    }
    const extensions = parts.find((part) => part.name === 'extensions');
    this.assetHeaders = extensions === undefined ? {} : readExtensions(extensions);
    const manifest = parts.find((part) => part.name === 'manifest');
    return manifest === undefined ? { kind: 'nothing' } : this.#manifest(manifest.body, manifest.headers.get('expo-signature'), chain);
  }

  #believe(signature: string | undefined, body: Buffer, chain: string | undefined): void {
    if (this.certificate !== null) {
      const chained = this.takesChain && chain !== undefined;
      checkSignature(signature, body, chained ? checkChain(chain, this.certificate) : this.certificate);
    }
  }

  #manifest(body: Buffer, signature: string | undefined, chain?: string): Found {
    this.#believe(signature, body, chain);
    const manifest = readManifest(body);
    if (!passes(manifest, this.filter)) {
      throw new Error('the manifest does not pass its own filter');
    }
    return { kind: 'manifest', manifest, body, signature };
  }

  /** Asks until the answer is what is waited for. */
  async checkUntil(isIt: (found: Found) => boolean): Promise<Found> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await this.check();
      if (isIt(found)) {
        return found;
      }
      if (Date.now() > until) {
        throw new Error(`still ${JSON.stringify(found).slice(0, 500)} after ${PATIENCE_MS} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** Waits for an update that the client takes: newer than what runs, or what runs is of another channel. */
  async takeOver(): Promise<Manifest> {
    const found = await this.checkUntil((found) => found.kind === 'manifest' && this.takes(found.manifest));
    if (found.kind !== 'manifest') {
      throw new Error('no manifest');
    }
    await this.load(found.manifest);
    return found.manifest;
  }

  /** The selection policy of both platforms. */
  takes(manifest: Manifest): boolean {
    if (this.failed.includes(manifest.id)) {
      return false;
    }
    if (this.launched === null) {
      return readDate(manifest.createdAt) > this.embeddedAt;
    }
    return !passes(this.launched, this.filter) || readDate(manifest.createdAt) > readDate(this.launched.createdAt);
  }

  /** Downloads what is missing, and runs the update from now on. */
  async load(manifest: Manifest, asksForPatch = true): Promise<void> {
    for (const asset of manifest.assets.filter((asset) => !this.files.has(asset.key))) {
      this.files.set(asset.key, await this.#download(asset));
    }
    const { launchAsset } = manifest;
    let file = this.files.get(launchAsset.key);
    if (file === undefined) {
      file = asksForPatch ? await this.#patched(manifest) : undefined;
      file ??= await this.#download(launchAsset);
      this.files.set(launchAsset.key, file);
    }
    [this.launched, this.launchedFile] = [manifest, file];
  }

  async #download(asset: Asset): Promise<Buffer> {
    const answer = await fetch(asset.url, { headers: this.#assetHeaders(asset) });
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (answer.status !== 200 || answer.headers.get('content-type') !== asset.contentType) {
      throw new Error(`${asset.url}: ${answer.status} ${answer.headers.get('content-type')}`);
    }
    if (hashOf(bytes) !== asset.hash) {
      throw new Error(`${asset.url} has another hash`);
    }
    this.launchBytes += asset.contentType === 'application/javascript' ? bytes.length : 0;
    return bytes;
  }

  /** Asks for a patch as both platforms do; undefined when they would download the whole file. */
  async #patched(manifest: Manifest): Promise<Buffer | undefined> {
    const answer = await this.askForPatch(manifest);
    const isPatch = answer.status === 226 || answer.headers.get('im') === 'bsdiff';
    const bytes = Buffer.from(await answer.arrayBuffer());
    this.launchBytes += bytes.length;
    if (!isPatch) {
      return hashOf(bytes) === manifest.launchAsset.hash ? bytes : undefined;
    }
    if (answer.headers.get('expo-base-update-id') !== this.currentId || this.launchedFile === null) {
      return undefined;
    }
    const patched = await applyPatch(this.launchedFile, bytes);
    return hashOf(patched) === manifest.launchAsset.hash ? patched : undefined;
  }

  /** Sends the request for the launch file that permits a patch. */
  askForPatch(manifest: Manifest): Promise<Response> {
    const headers = { ...this.#assetHeaders(manifest.launchAsset), 'a-im': 'bsdiff', 'expo-requested-update-id': manifest.id };
    return fetch(manifest.launchAsset.url, { headers });
  }

  #assetHeaders(asset: Asset): Record<string, string> {
    return { ...this.assetHeaders[asset.key], ...this.#headers(), accept: '*/*' };
  }

  /** Applies a directive as both platforms do; says whether it was applied. */
  apply(directive: Directive): boolean {
    const at = readDate(directive.parameters?.commitTime ?? '');
    if (this.launched !== null && passes(this.launched, this.filter) && at <= readDate(this.launched.createdAt)) {
      return false;
    }
    [this.launched, this.launchedFile, this.embeddedAt] = [null, null, at];
    return true;
  }
}

/** Applies a patch with Debian's program, whose decoder is the one that clients carry. */
async function applyPatch(base: Buffer, patch: Buffer): Promise<Buffer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'aloft-bspatch-'));
  try {
    const [old, made, diff] = ['old', 'new', 'patch'].map((name) => path.join(folder, name)) as [string, string, string];
    await Promise.all([writeFile(old, base), writeFile(diff, patch)]);
    await promisify(execFile)('bspatch', [old, made, diff]);
    return await readFile(made);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
