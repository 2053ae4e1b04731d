// This file's job is to walk a phone through a life with a real edge: install, patch, crash, go back, new binary.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BadWay } from './bad_way.js';
import { Phone } from './phone.js';
import { Channel, edgeUrl, launchFileOf, launchHashOf } from './platform.js';

let way: BadWay;
const phones: Phone[] = [];

beforeEach(async () => {
  way = await BadWay.open(edgeUrl);
});

afterEach(async () => {
  way.close();
  await Promise.all(phones.splice(0).map((phone) => phone.dispose()));
});

async function unpack(channel: Channel, binary?: string): Promise<Phone> {
  const phone = await Phone.unpack(channel, way.url, binary);
  phones.push(phone);
  return phone;
}

test('a phone installs a release, reports it, and has nothing more to do', async () => {
  const channel = await Channel.make('walk');
  await channel.publish('v1');
  const phone = await unpack(channel);
  const running = await phone.takeOver('v1');
  expect([running.label, running.isTrial]).toEqual(['v1', true]);
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
  expect(phone.client.deviceId).toMatch(/^dev_/);
  expect(phone.client.unreported.map((event) => event.kind)).toEqual(['launched']);
  way.reset();
  expect((await phone.sync()).kind).toBe('none');
  expect(phone.client.unreported).toEqual([]);
  expect(way.blobBytes).toBe(0);
  // What runs has been confirmed: the next start changes nothing.
  expect(await phone.coldStart()).toMatchObject({ label: 'v1', isTrial: false });
});

test('the next release comes as a patch, far smaller than the file that it makes', async () => {
  const channel = await Channel.make('patch');
  await channel.publish('v1');
  const [phone, probe] = [await unpack(channel), await unpack(channel)];
  await phone.takeOver('v1');
  await probe.takeOver('v1');
  await channel.publish('v2');
  // The patch is made after the release.
  await probe.syncUntil((outcome) => outcome.kind === 'staged' && outcome.update.delta !== null);
  way.reset();
  await phone.takeOver('v2');
  expect(way.blobBytes).toBeLessThan((await launchFileOf('v2')).length / 5);
  expect(await phone.launchHash()).toBe(await launchHashOf('v2'));
});

test('a release that crashes is left at the next start and never tried again on this binary', async () => {
  const channel = await Channel.make('crash');
  await channel.publish('v1');
  const phone = await unpack(channel);
  await phone.takeOver('v1');
  await channel.publish('v2');
  await phone.syncUntil((outcome) => outcome.kind === 'staged' && outcome.update.label === 'v2');
  expect((await phone.coldStart())?.label).toBe('v2');
  // It dies before it confirms.
  expect((await phone.coldStart())?.label).toBe('v1');
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
  expect(phone.client.unreported.map((event) => event.kind)).toEqual(expect.arrayContaining(['crashed', 'rolled-back']));
  way.reset();
  expect((await phone.sync()).kind).toBe('refused');
  expect(way.blobBytes).toBe(0);
  // A new binary of the app may try it.
  await phone.coldStart({ binary: '1.5.0' });
  expect(phone.client.running).toBeNull();
  expect((await phone.sync()).kind).toBe('staged');
});

test('what the operator takes back goes back on the phone', async () => {
  const channel = await Channel.make('back');
  await channel.publish('v1');
  const phone = await unpack(channel);
  await phone.takeOver('v1');
  await channel.publish('v2');
  await phone.takeOver('v2');
  await channel.operate('rollback');
  await phone.takeOver('v3');
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
  await channel.operate('rollback', '--embedded');
  await phone.syncUntil((outcome) => outcome.kind === 'embedded');
  expect(await phone.coldStart()).toBeNull();
});

test('a release that is taken back before the phone restarted never runs', async () => {
  const channel = await Channel.make('early');
  await channel.publish('v1');
  const phone = await unpack(channel);
  await phone.takeOver('v1');
  await channel.publish('v2');
  await phone.syncUntil((outcome) => outcome.kind === 'staged');
  await channel.operate('rollback', '--to', 'v1');
  await phone.syncUntil((outcome) => outcome.kind === 'none');
  expect((await phone.coldStart())?.contentSha256).toBe(phone.client.running?.contentSha256);
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
});

test('a token that is not valid any more is replaced, and the phone stays the same', async () => {
  const channel = await Channel.make('token');
  await channel.publish('v1');
  const phone = await unpack(channel);
  await phone.takeOver('v1');
  const { deviceId } = phone.client;
  way.reset();
  way.choose = (path, count) => (path.startsWith('/v1/updates') && count === 1 ? { kind: 'status', status: 401 } : null);
  expect((await phone.sync()).kind).toBe('none');
  expect(way.asked.filter((line) => line.includes('/v1/devices/register'))).toHaveLength(1);
  expect(phone.client.deviceId).toBe(deviceId);
});
