// This file's job is to read the answers of an edge, and to refuse those that make no sense.
import { AloftError } from './errors.js';
import type { BundleFile, Sha256 } from './hash.js';

/** More files than any app has; bounds what a broken answer can cost. */
const FILES_MAX = 20_000;
/** The largest bundle that a control plane can be told to take. */
const SIZE_MAX_BYTES = 4 * 1024 * 1024 * 1024;
const PATH_MAX_CHARACTERS = 1_024;
const SHA256 = /^[0-9a-f]{64}$/;

/** When a device makes the change. */
export type Install = 'next-restart' | 'next-cold-start' | 'now';

/** A file to download. */
export interface OfferedFile extends BundleFile {
  /** Relative to the edge's base address. */
  readonly url: string;
  /** The smallest form of it that the device can decode, if there is one. */
  readonly encoded: OfferedForm | null;
}

/** A compressed form of a file, which is a blob of its own. */
export interface OfferedForm {
  readonly coding: string;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  readonly chunks: Chunks;
  readonly url: string;
}

/** What to compare downloaded pieces with. */
export interface Chunks {
  readonly sizeBytes: number;
  readonly sha256: readonly Sha256[];
}

/** A patch that makes the launch file from one that the device has. */
export interface OfferedDelta {
  readonly format: string;
  readonly baseSha256: Sha256;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  readonly url: string;
}

/** A release that the device should run. */
export interface Update {
  readonly releaseId: string;
  readonly label: string;
  readonly mandatory: boolean;
  readonly install: Install;
  readonly notes: string;
  readonly contentSha256: Sha256;
  readonly engine: string;
  readonly sizeBytes: number;
  readonly files: readonly OfferedFile[];
  readonly launch: OfferedFile;
  readonly launchChunks: Chunks;
  readonly delta: OfferedDelta | null;
}

/** What an edge answers to a check. */
export type Answer = { readonly nextCheckS: number } & (
  | { readonly action: 'none'; readonly reason: string }
  | { readonly action: 'embedded'; readonly install: Install }
  | { readonly action: 'update'; readonly update: Update }
);

/** What an edge answers to a registration. */
export interface Registered {
  readonly deviceId: string;
  readonly token: string;
}

type Fields = { readonly [name: string]: unknown };

function broken(what: string): AloftError {
  return new AloftError('corrupt', `the edge's answer makes no sense: ${what}`);
}

function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw broken(`${what} is no object`);
  }
  return value as Fields;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') {
    throw broken(`${what} is no text`);
  }
  return value;
}

function hash(value: unknown, what: string): Sha256 {
  if (typeof value !== 'string' || !SHA256.test(value)) {
    throw broken(`${what} is no SHA-256`);
  }
  return value;
}

function size(value: unknown, what: string, max = SIZE_MAX_BYTES): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) {
    throw broken(`${what} is no size`);
  }
  return value;
}

function list(value: unknown, what: string, max: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max) {
    throw broken(`${what} is no list of at most ${max}`);
  }
  return value;
}

function url(value: unknown, what: string): string {
  const path = text(value, what);
  if (!path.startsWith('/') || path.startsWith('//')) {
    throw broken(`${what} is not relative to the edge`);
  }
  return path;
}

function install(value: unknown): Install {
  if (value !== 'next-restart' && value !== 'next-cold-start' && value !== 'now') {
    throw broken('install');
  }
  return value;
}

/** A path that stays inside its folder on every system. */
function isSafePath(path: string): boolean {
  // eslint-disable-next-line no-control-regex
  if (path.length === 0 || path.length > PATH_MAX_CHARACTERS || /[\u0000-\u001f\u007f\\:]/.test(path)) {
    return false;
  }
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function offeredFile(value: unknown, chunkBytes: number): OfferedFile {
  const file = fields(value, 'a file');
  const path = text(file['path'], 'path');
  if (!isSafePath(path)) {
    throw broken(`the path ${JSON.stringify(path)}`);
  }
  return {
    path,
    sha256: hash(file['sha256'], 'sha256'),
    sizeBytes: size(file['size_bytes'], 'size_bytes'),
    role: text(file['role'], 'role'),
    url: url(file['url'], 'url'),
    encoded: formOf(file['encoded'], chunkBytes),
  };
}

/** Reads the hashes of a blob's pieces, which all blobs of an answer have of the same size. */
function chunksOf(value: unknown, blobBytes: number, sizeBytes: number): Chunks {
  const sha256 = list(value, 'chunks', FILES_MAX).map((chunk) => hash(chunk, 'chunks'));
  if (sizeBytes === 0 || sha256.length !== Math.ceil(blobBytes / sizeBytes)) {
    throw broken('chunks');
  }
  return { sizeBytes, sha256 };
}

function formOf(value: unknown, chunkBytes: number): OfferedForm | null {
  if (value === null || value === undefined) {
    return null;
  }
  const form = fields(value, 'encoded');
  const sizeBytes = size(form['size_bytes'], 'size_bytes');
  return {
    coding: text(form['coding'], 'coding'),
    sha256: hash(form['sha256'], 'sha256'),
    sizeBytes,
    chunks: chunksOf(form['chunks'], sizeBytes, chunkBytes),
    url: url(form['url'], 'url'),
  };
}

function deltaOf(value: unknown): OfferedDelta | null {
  if (value === null || value === undefined) {
    return null;
  }
  const delta = fields(value, 'delta');
  return {
    format: text(delta['format'], 'format'),
    baseSha256: hash(delta['base_sha256'], 'base_sha256'),
    sha256: hash(delta['sha256'], 'sha256'),
    sizeBytes: size(delta['size_bytes'], 'size_bytes'),
    url: url(delta['url'], 'url'),
  };
}

function updateOf(value: unknown): Update {
  const update = fields(value, 'update');
  const bundle = fields(update['bundle'], 'bundle');
  const described = fields(bundle['launch'], 'launch');
  const chunkBytes = size(described['chunk_size_bytes'], 'chunk_size_bytes');
  const files = list(bundle['files'], 'files', FILES_MAX).map((file) => offeredFile(file, chunkBytes));
  const launch = files.filter((file) => file.role === 'launch');
  if (launch.length !== 1 || launch[0] === undefined || new Set(files.map((file) => file.path)).size !== files.length) {
    throw broken('files');
  }
  if (described['sha256'] !== launch[0].sha256 || described['path'] !== launch[0].path) {
    throw broken('launch is not the launch file');
  }
  return {
    releaseId: text(update['release_id'], 'release_id'),
    label: text(update['label'], 'label'),
    mandatory: update['mandatory'] === true,
    install: install(update['install']),
    notes: text(update['notes'], 'notes'),
    contentSha256: hash(bundle['sha256'], 'bundle'),
    engine: text(bundle['engine'], 'engine'),
    sizeBytes: size(bundle['size_bytes'], 'size_bytes'),
    files,
    launch: launch[0],
    launchChunks: chunksOf(described['chunks'], launch[0].sizeBytes, chunkBytes),
    delta: deltaOf(update['delta']),
  };
}

/** Reads the answer to `GET /v1/updates`. Throws on anything that the protocol does not allow. */
export function readAnswer(document: unknown): Answer {
  const page = fields(document, 'the answer');
  const nextCheckS = size(page['next_check_s'], 'next_check_s');
  switch (page['action']) {
    case 'none':
      return { nextCheckS, action: 'none', reason: text(page['reason'], 'reason') };
    case 'embedded':
      return { nextCheckS, action: 'embedded', install: install(page['install']) };
    case 'update':
      return { nextCheckS, action: 'update', update: updateOf(page['update']) };
    default:
      throw broken('action');
  }
}

/** Reads the answer to a registration. */
export function readRegistered(document: unknown): Registered {
  const answer = fields(document, 'the answer');
  const token = text(answer['token'], 'token');
  if (!/^[\x21-\x7e]{1,256}$/.test(token)) {
    throw broken('token');
  }
  return { deviceId: text(answer['device_id'], 'device_id'), token };
}
