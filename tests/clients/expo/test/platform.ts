// This file's job is to reach the platform that the tests run against, and to operate it as a developer does.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

function required(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run \`./x test\``);
  }
  return value;
}

/** Base address of the edge. */
export const edgeUrl = required('ALOFT_EDGE');
/** The folder with the sample app's bundles. */
export const corpus = required('ALOFT_CORPUS');

/** An app with a channel. */
export class Channel {
  private constructor(
    readonly app: string,
    readonly appId: string,
    readonly name: string,
  ) {}

  /** Makes an app of its own for a test. */
  static async make(test: string): Promise<Channel> {
    const app = `expo-${test}-${Date.now().toString(36)}`;
    const made = (await aloft(['app', 'create', app])) as { app_id: string };
    const channel = new Channel(app, made.app_id, 'production');
    await channel.operate('channel', 'create', channel.name);
    return channel;
  }

  /** Returns another channel of the same app. */
  async another(name: string): Promise<Channel> {
    await this.operate('channel', 'create', name);
    return new Channel(this.app, this.appId, name);
  }

  /** Runs a command about this channel. */
  operate(...words: string[]): Promise<unknown> {
    return aloft(words, { ALOFT_APP: this.app, ALOFT_CHANNEL: this.name, ALOFT_EDGE_URL: edgeUrl });
  }
}

async function aloft(words: string[], environment: Record<string, string> = {}): Promise<unknown> {
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(required('ALOFT_COMMAND'), [...words, '--json'], { env, maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout);
}
