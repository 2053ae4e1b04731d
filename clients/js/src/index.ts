// This file's job is to name what an app may use.
export type { Embedded } from './bundles.js';
export { Client, type Outcome, type Running, type Settings } from './client.js';
export type { Decompress } from './coding.js';
export type { Fetch } from './edge.js';
export { AloftError, type FaultKind } from './errors.js';
export type { Hasher, Sha256 } from './hash.js';
export { dcz, type Patch, type PatchDecoder, type ZstdDecompress } from './patch.js';
export type { Install, Update } from './protocol.js';
export type { DeviceEvent, EventKind, StartKind } from './state.js';
export type { Storage } from './storage.js';
