// This file's job is to check that a bad way to the edge costs time, and never a wrong byte.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AloftError } from '../../src/index.js';
import { BadWay, type Chooser } from './bad_way.js';
import { Phone } from './phone.js';
import { Channel, edgeUrl, launchFileOf, launchHashOf } from './platform.js';

let way: BadWay;
let channel: Channel;
let phone: Phone;

beforeEach(async () => {
  way = await BadWay.open(edgeUrl);
  channel = await Channel.make('faults');
  await channel.publish('v1');
  phone = await Phone.unpack(channel, way.url);
});

afterEach(async () => {
  way.close();
  await phone.dispose();
});

const launchPath = async () => `/v1/blobs/${await launchHashOf('v1')}`;

/** Asks until the edge knows the release; then the download meets the fault. */
async function meet(choose: Chooser): Promise<AloftError> {
  way.choose = choose;
  const until = Date.now() + 60_000;
  while (Date.now() < until) {
    const met = await phone.sync().catch((thrown: unknown) => thrown);
    if (met instanceof AloftError && (way.blobBytes > 0 || met.reason === undefined)) {
      return met;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the fault was never met');
}

test('a download that is cut off goes on where it stopped', async () => {
  const path = await launchPath();
  const size = (await launchFileOf('v1')).length;
  expect(size).toBeGreaterThan(1024 * 1024 + 1_000);
  const error = await meet((asked, count) => (asked === path && count === 2 ? { kind: 'cut', afterBytes: 1_000 } : null));
  expect(error.kind).toBe('unavailable');
  expect(phone.client.running).toBeNull();
  const before = way.received.get(path) ?? 0;
  expect(before).toBe(1024 * 1024 + 1_000);
  way.choose = () => null;
  await phone.coldStart();
  await phone.takeOver('v1');
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
  // The piece that was whole was not sent again.
  expect((way.received.get(path) ?? 0) - before).toBe(size - 1024 * 1024);
});

test('a byte that was changed on the way is noticed at once, reported, and never installed', async () => {
  const path = await launchPath();
  const error = await meet((asked) => (asked === path ? { kind: 'flip', at: 70_000 } : null));
  expect(error.kind).toBe('corrupt');
  expect(await phone.coldStart()).toBeNull();
  expect(phone.client.unreported.map((event) => event.kind)).toEqual(['failed']);
  way.choose = () => null;
  await phone.takeOver('v1');
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
});

test('an edge that is away is not taken for one that has no update, and is not asked in a loop', async () => {
  await phone.takeOver('v1');
  way.choose = () => ({ kind: 'status', status: 503, headers: { 'retry-after': '40' } });
  await expect(phone.sync()).rejects.toMatchObject({ kind: 'unavailable', retryAfterS: 40 });
  expect(phone.client.waitMs()).toBeGreaterThan(39_000);
  expect((await phone.client.sync()).kind).toBe('early');
  expect((await phone.coldStart())?.label).toBe('v1');
});

test('a patch that is wrong costs the whole download and nothing else', async () => {
  await phone.takeOver('v1');
  await channel.publish('v2');
  const full = `/v1/blobs/${await launchHashOf('v2')}`;
  let patch: string | undefined;
  way.choose = (path) => {
    const isPatch = path.startsWith('/v1/blobs/') && path !== full && way.asked.at(-2)?.includes('/v1/updates');
    patch ??= isPatch ? path : undefined;
    return isPatch ? { kind: 'flip', at: 100 } : null;
  };
  await phone.takeOver('v2');
  expect(await phone.launchHash()).toBe(await launchHashOf('v2'));
});

test('a phone that lost its files starts the embedded bundle, and gets them again', async () => {
  const running = await phone.takeOver('v1');
  await phone.storage.remove(running.folder);
  expect(await phone.coldStart()).toBeNull();
  await phone.takeOver('v1');
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
});
