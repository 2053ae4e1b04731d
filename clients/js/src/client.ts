// This file's job is to keep an app up to date: register, ask, download, verify, take over, report, go back.
import { Bundles, type Embedded } from './bundles.js';
import type { Decompress } from './coding.js';
import { Downloads } from './download.js';
import { Edge, type Fetch } from './edge.js';
import { asAloftError, AloftError } from './errors.js';
import { type Hasher, portableHasher } from './hash.js';
import type { PatchDecoder } from './patch.js';
import { type Answer, type Install, readAnswer, readRegistered, type Update } from './protocol.js';
import { makeEventId, makeNonce, platformRandomBytes, type RandomBytes } from './random.js';
import * as schedule from './schedule.js';
import * as transition from './state.js';
import type { Change, Happening, StartKind, State } from './state.js';
import type { Storage } from './storage.js';

const RECORD = 'state.json';
/** What an edge answers when it says nothing else. */
const NEXT_CHECK_S = 900;
/** Events go at most this often. */
const REPORT_EVERY_MS = 60_000;
/** The protocol's bound for one report. */
const REPORT_MAX_EVENTS = 100;
const DETAIL_MAX_CHARACTERS = 500;

/** What an app tells its client. */
export interface Settings {
  /** Base address of the edge, for instance `https://updates.example.com`. */
  readonly edge: string;
  /** `app_…` */
  readonly app: string;
  readonly channel: string;
  readonly platform: 'android' | 'ios';
  /** Version of the native binary. */
  readonly binary: string;
  /** Runtime version of the native binary. */
  readonly runtime?: string;
  readonly storage: Storage;
  readonly embedded?: Embedded;
  /** Patch formats that the host can apply, by name. */
  readonly decoders?: Readonly<Record<string, PatchDecoder>>;
  /** Compressed forms of files that the host can decode, by the name of the coding: `br`, `zstd`, `gzip`. */
  readonly codings?: Readonly<Record<string, Decompress>>;
  /** Other than the platform's own. */
  readonly fetch?: Fetch;
  readonly now?: () => number;
  readonly random?: schedule.Random;
  readonly randomBytes?: RandomBytes;
  /** A native SHA-256 saves a second for each 3 MB on a phone without a fast JavaScript engine. */
  readonly hasher?: () => Hasher;
}

/** The bundle that a start runs. */
export interface Running {
  readonly contentSha256: string;
  readonly releaseId: string;
  readonly label: string;
  /** In the storage. */
  readonly folder: string;
  /** In the storage: the file to run. */
  readonly launchFile: string;
  /** It goes back at the next start, unless `confirm` is called. */
  readonly isTrial: boolean;
}

/** What a `sync` came to. */
export type Outcome =
  /** It is not yet time to ask. */
  | { readonly kind: 'early'; readonly waitMs: number }
  /** Nothing is to change. */
  | { readonly kind: 'none'; readonly reason: string }
  /** The content crashed on this binary and is not installed again. */
  | { readonly kind: 'refused'; readonly update: Update }
  /** A bundle takes over when `install` says; with `now`, restart the app. */
  | { readonly kind: 'staged'; readonly install: Install; readonly update: Update }
  /** The embedded bundle takes over when `install` says. */
  | { readonly kind: 'embedded'; readonly install: Install };

/** The updates of one app on one device. Calls are carried out one after the other. */
export class Client {
  readonly #settings: Settings;
  readonly #edge: Edge;
  readonly #bundles: Bundles;
  #state: State;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(settings: Settings, state: State) {
    const makeHasher = settings.hasher ?? portableHasher;
    this.#settings = settings;
    this.#edge = new Edge(settings.edge, settings.fetch ?? ((url, init) => globalThis.fetch(url, init)));
    const downloads = new Downloads(this.#edge, settings.storage, makeHasher);
    const { storage, decoders = {}, codings = {}, embedded } = settings;
    this.#bundles = new Bundles(storage, downloads, decoders, codings, embedded, makeHasher);
    this.#state = state;
  }

  /** Reads what the device remembers. Asks nobody. */
  static async open(settings: Settings): Promise<Client> {
    const there = (await settings.storage.size(RECORD)) === null ? null : await settings.storage.read(RECORD);
    const known = there === null ? null : transition.readState(there);
    if (known !== null) {
      return new Client(settings, known);
    }
    const nonce = makeNonce(settings.randomBytes ?? platformRandomBytes);
    const client = new Client(settings, transition.newState(settings.binary, nonce, NEXT_CHECK_S));
    await client.#save(client.#state);
    return client;
  }

  /** The bundle that runs; null is the embedded one. */
  get running(): Running | null {
    const { running, trial } = this.#state;
    if (running === null) {
      return null;
    }
    const folder = Bundles.folder(running);
    const { contentSha256, releaseId, label, launchPath } = running;
    return { contentSha256, releaseId, label, folder, launchFile: `${folder}/${launchPath}`, isTrial: trial };
  }

  /** `dev_…`, once the device is registered. */
  get deviceId(): string | null {
    return this.#state.deviceId;
  }

  /** Events that wait for being reported. */
  get unreported(): readonly transition.DeviceEvent[] {
    return this.#state.events;
  }

  /** Says what this start runs, before any code of it runs. A trial that was not confirmed has crashed and goes back. */
  start(kind: StartKind): Promise<Running | null> {
    return this.#inTurn(async () => {
      await this.#change(transition.start(this.#state, this.#settings.binary, kind));
      while (this.#state.running !== null && !(await this.#bundles.isThere(this.#state.running))) {
        await this.#change(transition.lost(this.#state));
      }
      if (kind === 'cold') {
        await this.#save(schedule.startedCold(this.#state));
      }
      return this.running;
    });
  }

  /** Says that what runs works: the first screen is there and it has lived for ten seconds. */
  confirm(): Promise<void> {
    return this.#inTurn(() => this.#change(transition.confirm(this.#state)));
  }

  /** When the next `sync` asks, in ms from now. */
  waitMs(): number {
    return schedule.remainingMs(this.#state, this.#now());
  }

  /**
   * Asks the edge, does what it says up to the next restart, and reports what happened. An error means that nothing changed, and never
   * that there is no update; `waitMs` then says when to try again.
   */
  sync(): Promise<Outcome> {
    return this.#inTurn(async () => {
      const waitMs = this.waitMs();
      if (waitMs > 0) {
        return { kind: 'early', waitMs };
      }
      try {
        const outcome = await this.#ask();
        await this.#report();
        return outcome;
      } catch (thrown) {
        const error = asAloftError(thrown);
        await this.#save(schedule.failed(this.#state, this.#now(), error, this.#random()));
        throw error;
      }
    });
  }

  async #ask(): Promise<Outcome> {
    const document = await this.#asDevice((token) => this.#edge.json({ method: 'GET', path: this.#query(), token }));
    const answer = readAnswer(document);
    const outcome = await this.#follow(answer);
    await this.#save(schedule.answered(this.#state, this.#now(), answer.nextCheckS, this.#random()));
    await this.#bundles.sweep(transition.keptBundles(this.#state));
    return outcome;
  }

  async #follow(answer: Answer): Promise<Outcome> {
    switch (answer.action) {
      case 'none':
        await this.#save(transition.unstage(this.#state));
        return { kind: 'none', reason: answer.reason };
      case 'embedded':
        await this.#save(transition.stageEmbedded(this.#state, answer.install));
        return { kind: 'embedded', install: answer.install };
      case 'update':
        return this.#take(answer.update);
    }
  }

  async #take(update: Update): Promise<Outcome> {
    const { install, contentSha256 } = update;
    if (transition.hasFailed(this.#state, contentSha256)) {
      await this.#save(transition.unstage(this.#state));
      return { kind: 'refused', update };
    }
    if (this.#state.running?.contentSha256 === contentSha256) {
      await this.#save(transition.unstage(this.#state));
      return { kind: 'none', reason: 'up-to-date' };
    }
    const pending = this.#state.pending?.bundle ?? null;
    if (pending?.contentSha256 === contentSha256) {
      await this.#save({ ...this.#state, pending: { bundle: pending, install } });
      return { kind: 'staged', install, update };
    }
    try {
      const bundle = await this.#bundles.install(update, transition.keptBundles(this.#state));
      await this.#change(transition.stage(this.#state, bundle, install));
    } catch (thrown) {
      const error = asAloftError(thrown);
      if (error.kind === 'corrupt') {
        const detail = error.message.slice(0, DETAIL_MAX_CHARACTERS);
        await this.#note([{ kind: 'failed', releaseId: update.releaseId, bundleSha256: contentSha256, detail }]);
      }
      throw error;
    }
    return { kind: 'staged', install, update };
  }

  #query(): string {
    const { app, channel, platform, binary, runtime, embedded, decoders, codings } = this.#settings;
    const formats = Object.keys({ ...decoders, ...codings });
    const pairs: [string, string | undefined][] = [
      ['app', app],
      ['channel', channel],
      ['platform', platform],
      ['binary', binary],
      ['runtime', runtime],
      ['current', this.#state.running?.contentSha256],
      ['embedded', embedded?.contentSha256],
      ['formats', formats.join(',') || undefined],
    ];
    const given = pairs.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]));
    return `/v1/updates?${given.join('&')}`;
  }

  /** Makes a request with the device's token; a token that is not valid any more is replaced once. */
  async #asDevice<T>(request: (token: string) => Promise<T>): Promise<T> {
    const token = this.#state.token ?? (await this.#register());
    try {
      return await request(token);
    } catch (thrown) {
      if (thrown instanceof AloftError && thrown.kind === 'token') {
        return request(await this.#register());
      }
      throw thrown;
    }
  }

  async #register(): Promise<string> {
    const { app, channel, platform, binary } = this.#settings;
    const document = { app, channel, platform, binary, nonce: this.#state.nonce };
    const answer = await this.#edge.json({ method: 'POST', path: '/v1/devices/register', document });
    const { deviceId, token } = readRegistered(answer);
    await this.#save({ ...this.#state, deviceId, token });
    return token;
  }

  /** Sends what happened. What cannot be sent now is sent with the next report. */
  async #report(): Promise<void> {
    const { events, reportedAtMs } = this.#state;
    const now = this.#now();
    if (events.length === 0 || (now >= reportedAtMs && now - reportedAtMs < REPORT_EVERY_MS)) {
      return;
    }
    const { channel, platform, binary } = this.#settings;
    const sent = events.slice(0, REPORT_MAX_EVENTS);
    const document = { channel, platform, binary, events: sent.map(wireEvent) };
    try {
      await this.#asDevice((token) => this.#edge.ask({ method: 'POST', path: '/v1/events', token, document }));
    } catch (thrown) {
      if (asAloftError(thrown).kind !== 'refused') {
        return;
      }
      // The edge will never take these: keeping them would keep the ones after them back.
    }
    await this.#save({ ...this.#state, events: this.#state.events.slice(sent.length), reportedAtMs: now });
  }

  async #change({ state, happened }: Change): Promise<void> {
    await this.#save(transition.remember(state, this.#named(happened)));
  }

  async #note(happened: readonly Happening[]): Promise<void> {
    await this.#save(transition.remember(this.#state, this.#named(happened)));
  }

  #named(happened: readonly Happening[]): transition.DeviceEvent[] {
    const random = this.#settings.randomBytes ?? platformRandomBytes;
    return happened.map((event) => ({ ...event, id: makeEventId(this.#now(), random) }));
  }

  /** Nothing is believed to be so before it is on the disk. */
  async #save(state: State): Promise<void> {
    await this.#settings.storage.write(RECORD, new TextEncoder().encode(JSON.stringify(state)));
    this.#state = state;
  }

  #now(): number {
    return (this.#settings.now ?? Date.now)();
  }

  #random(): schedule.Random {
    return this.#settings.random ?? Math.random;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function wireEvent({ id, kind, releaseId, bundleSha256, detail }: transition.DeviceEvent): object {
  return { id, kind, release_id: releaseId, bundle_sha256: bundleSha256, detail };
}
