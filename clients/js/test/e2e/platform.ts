// This file's job is to reach the platform that the tests run against, and to operate it as a developer does.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { hashOf } from '../../src/hash.js';

function required(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run \`./x test\``);
  }
  return value;
}

/** Base address of the edge. */
export const edgeUrl = required('ALOFT_EDGE');
const server = required('ALOFT_SERVER');
const apiKey = required('ALOFT_API_KEY');
const command = required('ALOFT_COMMAND');
const corpus = required('ALOFT_CORPUS');

/** A channel with what devices need to know of it. */
export class Channel {
  private constructor(
    readonly app: string,
    readonly name: string,
    readonly appId: string,
  ) {}

  /** Makes an app of its own for a test. */
  static async make(test: string): Promise<Channel> {
    const app = `js-${test}-${Date.now().toString(36)}`;
    const made = (await aloft(['app', 'create', app])) as { app_id: string };
    const channel = new Channel(app, 'production', made.app_id);
    await channel.operate('channel', 'create', channel.name);
    return channel;
  }

  /** Runs a command about this channel. */
  operate(...words: string[]): Promise<unknown> {
    return aloft(words, { ALOFT_APP: this.app, ALOFT_CHANNEL: this.name });
  }

  /** Publishes a version of the sample app. */
  async publish(version: string, ...options: string[]): Promise<void> {
    await this.operate('release', folderOf(version), '--binary-range', '1.x', ...options);
  }
}

/** The bytes of a version's launch file, as the developer has them. */
export function launchFileOf(version: string): Promise<Uint8Array> {
  return readFile(path.join(folderOf(version), 'index.android.bundle'));
}

/** The SHA-256 of a version's launch file. */
export async function launchHashOf(version: string): Promise<string> {
  return hashOf(await launchFileOf(version));
}

function folderOf(version: string): string {
  return path.join(corpus, version, 'android', 'hermes');
}

async function aloft(words: string[], environment: Record<string, string> = {}): Promise<unknown> {
  const env = { ...process.env, ALOFT_SERVER: server, ALOFT_API_KEY: apiKey, ...environment };
  const { stdout } = await promisify(execFile)(command, [...words, '--json'], { env, maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout);
}
