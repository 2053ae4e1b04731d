// This file's job is to be the device's memory and every change that may happen to it. Nothing here waits or fails.
import type { BundleFile, Sha256 } from './hash.js';
import type { Install } from './protocol.js';

/** The oldest events go first; a device that reports rarely has a few. */
const EVENTS_MAX = 200;
/** Contents that crashed; far more than one binary ever meets. */
const FAILED_MAX = 64;

/** A bundle that is whole on the device, in `bundles/<contentSha256>/`. */
export interface InstalledBundle {
  readonly contentSha256: Sha256;
  readonly releaseId: string;
  readonly label: string;
  readonly launchPath: string;
  readonly files: readonly BundleFile[];
}

/** What takes over; a null bundle means the embedded one. */
export interface Pending {
  readonly bundle: InstalledBundle | null;
  readonly install: Install;
}

export type EventKind = 'downloaded' | 'installed' | 'launched' | 'crashed' | 'rolled-back' | 'failed';

/** Something that happened, before it has an id. */
export interface Happening {
  readonly kind: EventKind;
  readonly releaseId?: string;
  readonly bundleSha256?: Sha256;
  readonly detail?: string;
}

/** Something that happened and waits for being reported. */
export interface DeviceEvent extends Happening {
  readonly id: string;
}

/** How an app starts: from nothing, or brought up again and loading its bundle anew. */
export type StartKind = 'cold' | 'restart';

/** Everything that a device remembers. */
export interface State {
  /** Of this record; a client that finds another one begins anew. */
  readonly format: 1;
  /** Version of the native binary that the bundles were downloaded for. */
  readonly binary: string;
  /** Decides the device's id; secret. */
  readonly nonce: string;
  readonly deviceId: string | null;
  readonly token: string | null;
  /** What is started; null is the embedded bundle. */
  readonly running: InstalledBundle | null;
  readonly pending: Pending | null;
  /** The last one that was confirmed; null is the embedded bundle. */
  readonly previous: InstalledBundle | null;
  /** Whether `running` has not been confirmed yet. */
  readonly trial: boolean;
  readonly failed: readonly Sha256[];
  readonly events: readonly DeviceEvent[];
  /** When events were last sent, in ms since 1970. */
  readonly reportedAtMs: number;
  /** When the edge was last asked, in ms since 1970. */
  readonly askedAtMs: number;
  /** When to ask next, in ms since 1970. */
  readonly askAtMs: number;
  /** Errors since the last answer. */
  readonly failures: number;
  /** The edge's last word on how often to ask. */
  readonly nextCheckS: number;
}

/** A change and what is to be reported of it. */
export interface Change {
  readonly state: State;
  readonly happened: readonly Happening[];
}

/** The memory of a device that has just been unpacked. */
export function newState(binary: string, nonce: string, nextCheckS: number): State {
  return {
    format: 1,
    binary,
    nonce,
    deviceId: null,
    token: null,
    running: null,
    pending: null,
    previous: null,
    trial: false,
    failed: [],
    events: [],
    reportedAtMs: 0,
    askedAtMs: 0,
    askAtMs: 0,
    failures: 0,
    nextCheckS,
  };
}

/** Says what a start runs. Called before any code of the bundle runs, and written down before it does. */
export function start(before: State, binary: string, kind: StartKind): Change {
  const happened: Happening[] = [];
  let state = before;
  if (state.binary !== binary) {
    state = { ...state, binary, running: null, pending: null, previous: null, trial: false, failed: [] };
  }
  if (state.trial && state.running !== null) {
    happened.push(of('crashed', state.running), of('rolled-back', state.running));
    const failed = [...state.failed, state.running.contentSha256].slice(-FAILED_MAX);
    state = { ...state, running: state.previous, trial: false, failed };
  }
  const pending = stillWanted(state);
  state = { ...state, pending };
  if (pending !== null && (kind === 'cold' || pending.install !== 'next-cold-start')) {
    if (pending.bundle !== null) {
      state = { ...state, running: pending.bundle, pending: null, trial: true };
    } else {
      if (state.running !== null) {
        happened.push(of('rolled-back', state.running));
      }
      state = { ...state, running: null, pending: null, previous: null };
    }
  }
  return { state, happened };
}

/** What is pending, unless it has crashed since it was staged or is what the device went back to. */
function stillWanted({ pending, running, failed }: State): Pending | null {
  const next = pending?.bundle?.contentSha256;
  return next !== undefined && (next === running?.contentSha256 || failed.includes(next)) ? null : pending;
}

/** The files of what should run are not on the disk any more: whoever cleaned it up, the app has to start. */
export function lost(state: State): Change {
  if (state.running === null) {
    return { state, happened: [] };
  }
  const isPrevious = state.previous?.contentSha256 === state.running.contentSha256;
  const running = isPrevious ? null : state.previous;
  const previous = isPrevious ? null : state.previous;
  const event = { ...of('rolled-back', state.running), detail: 'files are missing' };
  return { state: { ...state, running, previous, trial: false }, happened: [event] };
}

/** The app says that what runs works. */
export function confirm(state: State): Change {
  if (!state.trial || state.running === null) {
    return { state, happened: [] };
  }
  return { state: { ...state, trial: false, previous: state.running }, happened: [of('launched', state.running)] };
}

/** A bundle is whole on the device and takes over when `install` says. */
export function stage(state: State, bundle: InstalledBundle, install: Install): Change {
  return {
    state: { ...state, pending: { bundle, install } },
    happened: [of('downloaded', bundle), of('installed', bundle)],
  };
}

/** The embedded bundle takes over when `install` says, unless it runs already. */
export function stageEmbedded(state: State, install: Install): State {
  return { ...state, pending: state.running === null ? null : { bundle: null, install } };
}

/** Nothing is to take over any more. */
export function unstage(state: State): State {
  return { ...state, pending: null };
}

/** Whether a content crashed on this binary. */
export function hasFailed(state: State, contentSha256: Sha256): boolean {
  return state.failed.includes(contentSha256);
}

/** Remembers what is to be reported. */
export function remember(state: State, events: readonly DeviceEvent[]): State {
  return { ...state, events: [...state.events, ...events].slice(-EVENTS_MAX) };
}

/** The bundles that are kept on the device. */
export function keptBundles(state: State): InstalledBundle[] {
  return [state.running, state.previous, state.pending?.bundle ?? null].filter((bundle) => bundle !== null);
}

/** Reads a record; null when it is none of this format. */
export function readState(bytes: Uint8Array): State | null {
  try {
    const state = JSON.parse(new TextDecoder().decode(bytes)) as State;
    return state.format === 1 && typeof state.nonce === 'string' ? state : null;
  } catch {
    return null;
  }
}

function of(kind: EventKind, bundle: InstalledBundle): Happening {
  return { kind, releaseId: bundle.releaseId, bundleSha256: bundle.contentSha256 };
}
