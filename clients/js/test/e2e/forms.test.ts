// This file's job is to check that a phone with nothing to start from downloads compressed forms, and survives wrong ones.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Settings } from '../../src/index.js';
import { codings } from '../../src/node.js';
import { BadWay } from './bad_way.js';
import { Phone } from './phone.js';
import { Channel, edgeUrl, launchFileOf, launchHashOf } from './platform.js';

/** Longer than every other file of the sample app. */
const FORM_MIN_BYTES = 400_000;

let way: BadWay;
let channel: Channel;
/** The blob of the launch file's form. */
let form: string;
const phones: Phone[] = [];

async function unpack(decoded: Settings['codings']): Promise<Phone> {
  const phone = await Phone.unpack(channel, way.url, '1.4.0', decoded);
  phones.push(phone);
  return phone;
}

beforeEach(async () => {
  way = await BadWay.open(edgeUrl);
  channel = await Channel.make('forms');
  await channel.publish('v1');
  const probe = await unpack(codings);
  // Forms are made after the release, and better ones take their place: the smallest is the last.
  const outcome = await probe.syncUntil(({ kind, ...rest }) => kind === 'staged' && smallForm(rest) !== null);
  form = smallForm(outcome) ?? '';
  way.reset();
});

afterEach(async () => {
  way.close();
  await Promise.all(phones.splice(0).map((phone) => phone.dispose()));
});

function smallForm(outcome: object): string | null {
  const { update } = outcome as { update?: { launch: { encoded: { coding: string; url: string } | null } } };
  return update?.launch.encoded?.coding === 'br' ? update.launch.encoded.url : null;
}

const whole = async () => `/v1/blobs/${await launchHashOf('v1')}`;

test('a phone that can decode a coding downloads half as much, and has the same file', async () => {
  const phone = await unpack(codings);
  await phone.takeOver('v1');
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
  expect(way.received.has(await whole())).toBe(false);
  const size = (await launchFileOf('v1')).length;
  expect(way.blobBytes).toBeGreaterThan(FORM_MIN_BYTES);
  expect(way.blobBytes).toBeLessThan(size * 0.75);
});

test('a phone that can decode nothing gets the file as it is', async () => {
  const phone = await unpack({});
  await phone.takeOver('v1');
  expect(way.received.get(await whole())).toBe((await launchFileOf('v1')).length);
  expect(way.received.has(form)).toBe(false);
});

test('a form that was changed on the way, or decodes to something else, costs the whole download and nothing else', async () => {
  const phone = await unpack(codings);
  const path = await whole();
  // Only a form of the launch file is that long.
  way.choose = (asked) => (asked.startsWith('/v1/blobs/') && asked !== path ? { kind: 'flip', at: FORM_MIN_BYTES } : null);
  await phone.takeOver('v1');
  const forms = [...way.received].filter(([asked, bytes]) => asked !== path && bytes > FORM_MIN_BYTES);
  expect(forms).toHaveLength(1);
  expect(way.received.get(path)).toBe((await launchFileOf('v1')).length);
  expect(await phone.launchHash()).toBe(await launchHashOf('v1'));
  way.reset();
  const other = await unpack({ br: (_, sizeBytes) => new Uint8Array(sizeBytes) });
  await other.takeOver('v1');
  expect(way.received.get(path)).toBe((await launchFileOf('v1')).length);
  expect(await other.launchHash()).toBe(await launchHashOf('v1'));
});
