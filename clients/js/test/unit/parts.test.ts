// This file's job is to check the small parts: names, hashes, patches' envelopes.
import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AloftError, dcz } from '../../src/index.js';
import { contentHash, hashOf } from '../../src/hash.js';
import { makeEventId, makeNonce, platformRandomBytes } from '../../src/random.js';

test('hashes are those of the platform', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4_000 }), (bytes) => {
      expect(hashOf(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'));
    }),
  );
});

test('the content hash does not depend on the order of the files, and sorts paths by their bytes', () => {
  const file = (path: string) => ({ path, sha256: 'c'.repeat(64), sizeBytes: 7, role: 'asset' });
  // In UTF-16 the last two stand the other way round.
  const paths = ['b', 'a/b', 'a', '\u{ff21}', '\u{1f600}'];
  const sorted = [...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const expected = createHash('sha256');
  for (const path of sorted) {
    expected.update(`asset\0${path}\0${'c'.repeat(64)}\0${7}\n`);
  }
  expect(contentHash(paths.map(file))).toBe(expected.digest('hex'));
  expect(contentHash([...paths].reverse().map(file))).toBe(contentHash(paths.map(file)));
});

test('nonces and event ids have the protocol form and are not made twice', () => {
  const nonces = new Set(Array.from({ length: 500 }, () => makeNonce(platformRandomBytes)));
  const events = new Set(Array.from({ length: 500 }, () => makeEventId(1_800_000_000_000, platformRandomBytes)));
  expect([nonces.size, events.size]).toEqual([500, 500]);
  for (const nonce of nonces) {
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{43}$/);
  }
  for (const id of events) {
    expect(id).toMatch(/^evt_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/);
  }
  expect(makeEventId(1, platformRandomBytes) < makeEventId(2, platformRandomBytes)).toBe(true);
});

test('a patch that is cut off, of another kind or for another base is not applied', async () => {
  const base = randomBytes(100);
  const baseSha256 = hashOf(base);
  const head = Buffer.concat([Buffer.from('5e2a4d1820000000', 'hex'), Buffer.from(baseSha256, 'hex')]);
  const decode = dcz((frame) => frame);
  const apply = (bytes: Uint8Array) => decode({ bytes, base, baseSha256, sizeBytes: 3 });
  expect(await apply(Buffer.concat([head, Buffer.from('abc')]))).toEqual(Buffer.from('abc'));
  await expect(apply(head.subarray(0, 39))).rejects.toThrow(AloftError);
  for (let at = 0; at < head.length; at += 1) {
    const wrong = Buffer.from(head);
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    await expect(apply(wrong)).rejects.toThrow(AloftError);
  }
});
