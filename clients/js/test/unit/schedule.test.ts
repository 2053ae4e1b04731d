// This file's job is to check that no device asks in a loop, and that none waits for ever.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AloftError, type FaultKind } from '../../src/index.js';
import * as schedule from '../../src/schedule.js';
import { newState } from '../../src/state.js';

const fresh = newState('1.0.0', 'nonce', 900);
const NOW = 1_800_000_000_000;

test('after an answer a device waits what the edge says and up to a tenth more', () => {
  expect(schedule.remainingMs(schedule.answered(fresh, NOW, 1_000, () => 0), NOW)).toBe(1_000_000);
  expect(schedule.remainingMs(schedule.answered(fresh, NOW, 1_000, () => 0.5), NOW)).toBe(1_050_000);
});

test('errors in a row make it wait longer, an answer makes it forget them', () => {
  const error = new AloftError('unavailable', 'away');
  const waits = [];
  let state = schedule.answered(fresh, NOW, 2_000, () => 0);
  for (let round = 0; round < 5; round += 1) {
    state = schedule.failed(state, NOW, error, () => 0);
    waits.push(schedule.remainingMs(state, NOW) / 1_000);
  }
  expect(waits).toEqual([5, 30, 300, 2_000, 2_000]);
  expect(schedule.answered(state, NOW, 900, () => 0).failures).toBe(0);
});

test('the edge may say how long to wait after an error', () => {
  const state = schedule.failed(fresh, NOW, new AloftError('unavailable', 'away', 'store-away', 77), () => 0);
  expect(schedule.remainingMs(state, NOW)).toBe(77_000);
});

test('a cold start asks at once, but not within 15 seconds of the last request and not while the edge is in trouble', () => {
  const asked = schedule.answered(fresh, NOW, 900, () => 0);
  expect(schedule.remainingMs(schedule.startedCold(asked), NOW + 60_000)).toBe(0);
  expect(schedule.remainingMs(schedule.startedCold(asked), NOW + 5_000)).toBe(10_000);
  const broken = schedule.failed(asked, NOW, new AloftError('unavailable', 'away', undefined, 600), () => 0);
  expect(schedule.remainingMs(schedule.startedCold(broken), NOW + 60_000)).toBe(540_000);
});

test('whatever the edge says and the clock does, a device waits at least 5 seconds and at most two days', () => {
  const kinds = fc.constantFrom<FaultKind>('unavailable', 'token', 'unknown', 'refused', 'corrupt');
  const seconds = fc.integer({ min: 0, max: 86_400 });
  fc.assert(
    fc.property(kinds, fc.option(seconds, { nil: undefined }), seconds, fc.integer({ min: 0, max: 40 }), (kind, retry, next, failures) => {
      const before = { ...fresh, failures, nextCheckS: Math.max(15, next) };
      const state = schedule.failed(before, NOW, new AloftError(kind, '', undefined, retry), Math.random);
      const wait = schedule.remainingMs(state, NOW);
      expect(wait).toBeLessThanOrEqual(2 * 86_400_000);
      expect(wait).toBeGreaterThanOrEqual(retry === undefined ? 5_000 : retry * 1_000 * (kind === 'unavailable' ? 1 : 0));
      // The clock was set back by a year.
      expect(schedule.remainingMs(state, NOW - 31_536_000_000)).toBe(0);
    }),
  );
});
