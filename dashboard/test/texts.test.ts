// This file's job is to pin how times, sizes, hashes and long lists are shown.
import { describe, expect, it } from 'vitest';
import { everyPage } from '../src/api/pages.js';
import { ago, fromMicros } from '../src/moment.js';
import { formatSize, hex, parseSha256 } from '../src/sizes.js';

describe('times', () => {
  const now = new Date('2026-01-10T12:00:00Z');
  it.each([
    [-5, 'just now'],
    [30, 'just now'],
    [-90, '1 minute ago'],
    [-7_199, '1 hour ago'],
    [-86_400, 'yesterday'],
    [-40 * 86_400, 'last month'],
  ])('%d seconds away are %j', (seconds, text) => {
    expect(ago(new Date(now.getTime() + seconds * 1000), now)).toBe(text);
  });

  it('are microseconds on the wire', () => {
    expect(fromMicros(1_700_000_000_123_456n).toISOString()).toBe('2023-11-14T22:13:20.123Z');
  });
});

describe('sizes', () => {
  it.each([
    [0n, '0 B'],
    [999n, '999 B'],
    [1_000n, '1.0 kB'],
    [999_949n, '999.9 kB'],
    [999_950n, '1.0 MB'],
    [100_000_000n, '100.0 MB'],
  ])('%d bytes are %s', (size, text) => {
    expect(formatSize(size)).toBe(text);
  });
});

describe('hashes', () => {
  it('are read only when whole', () => {
    const text = '0f'.repeat(32);
    expect(hex(parseSha256(text) ?? new Uint8Array())).toBe(text);
    expect([text.slice(1), `${text}0`, 'zz'.repeat(32), ''].map(parseSha256)).toEqual([undefined, undefined, undefined, undefined]);
  });
});

describe('a list of several pages', () => {
  it('is read to its end', async () => {
    const pages = new Map<string, [number[], string]>([
      ['', [[1, 2], 'b']],
      ['b', [[3], '']],
    ]);
    expect(await everyPage(async (token) => pages.get(token) ?? [[], ''])).toEqual({ items: [1, 2, 3], cut: false });
  });

  it('without an end is cut, and says so', async () => {
    const { items, cut } = await everyPage(async (token) => [[1], `${token}x`]);
    expect([items.length, cut]).toEqual([5, true]);
  });
});
