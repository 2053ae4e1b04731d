// This file's job is to be a phone: a folder, a clock that can be moved on, and an app that starts and stops.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AloftError, Client, dcz, type Outcome, type Running, type Settings } from '../../src/index.js';
import { hashOf } from '../../src/hash.js';
import { NodeStorage } from '../../src/node.js';
import { zstd } from '../zstd.js';
import type { Channel } from './platform.js';

/** A new release reaches the edge within milliseconds; a busy machine is slower. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 20;
const DAY_MS = 86_400_000;

/** A phone with one app. */
export class Phone {
  readonly storage: NodeStorage;
  client!: Client;
  #aheadMs = 0;

  private constructor(
    readonly folder: string,
    readonly settings: Omit<Settings, 'storage'>,
  ) {
    this.storage = new NodeStorage(folder);
  }

  /** Unpacks a phone and installs the app, which follows a channel. */
  static async unpack(channel: Channel, edge: string, binary = '1.4.0', codings: Settings['codings'] = {}): Promise<Phone> {
    const folder = await mkdtemp(path.join(tmpdir(), 'aloft-phone-'));
    const decoders = { dcz: dcz(await zstd()) };
    const place = { edge, app: channel.appId, channel: channel.name, platform: 'android' as const };
    const phone = new Phone(folder, { ...place, binary, decoders, codings });
    await phone.coldStart();
    return phone;
  }

  /** Kills the app's process and starts it again. */
  async coldStart(changed: Partial<Settings> = {}): Promise<Running | null> {
    const now = () => Date.now() + this.#aheadMs;
    this.client = await Client.open({ ...this.settings, storage: this.storage, now, ...changed });
    return this.client.start('cold');
  }

  /** Asks the edge once, a day later: nothing makes the client wait. */
  async sync(): Promise<Outcome> {
    this.#aheadMs += DAY_MS;
    return this.client.sync();
  }

  /** Asks until the outcome is what is waited for. An edge that does not know the channel yet is asked again too. */
  async syncUntil(isIt: (outcome: Outcome) => boolean): Promise<Outcome> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const outcome = await this.sync().catch((thrown: unknown) => {
        if (thrown instanceof AloftError && (thrown.kind === 'unknown' || thrown.kind === 'unavailable')) {
          return thrown;
        }
        throw thrown;
      });
      if (!(outcome instanceof AloftError) && isIt(outcome)) {
        return outcome;
      }
      if (Date.now() > until) {
        throw new Error(`still ${JSON.stringify(outcome)} after ${PATIENCE_MS} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** Waits for a release, takes it over and says that it works. */
  async takeOver(label: string): Promise<Running> {
    await this.syncUntil((outcome) => outcome.kind === 'staged' && outcome.update.label === label);
    const running = await this.coldStart();
    await this.client.confirm();
    if (running === null) {
      throw new Error(`${label} does not run`);
    }
    return running;
  }

  /** The hash of the file that runs, as it lies on the disk. */
  async launchHash(): Promise<string | null> {
    const { running } = this.client;
    return running && hashOf(await this.storage.read(running.launchFile));
  }

  /** Throws the phone away. */
  dispose(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
