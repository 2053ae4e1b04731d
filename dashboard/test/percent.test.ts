// This file's job is to pin the exactness of shares.
import { describe, expect, it } from 'vitest';
import { formatShare, parseShare, shareInput } from '../src/percent.js';

describe('shares', () => {
  it('are written without rounding', () => {
    const written = [0, 1, 10, 9_999, 10_000, 125_000, 333_333, 999_999, 1_000_000].map(formatShare);
    expect(written).toEqual(['0%', '0.0001%', '0.001%', '0.9999%', '1%', '12.5%', '33.3333%', '99.9999%', '100%']);
  });

  it('come back from what was written, for every kind of figure', () => {
    const lost = [];
    for (let ppm = 0; ppm <= 1_000_000; ppm += 7) {
      if (parseShare(formatShare(ppm)).ppm !== ppm || parseShare(shareInput(ppm)).ppm !== ppm) {
        lost.push(ppm);
      }
    }
    expect(lost).toEqual([]);
  });

  it.each([
    ['12,5', 125_000],
    [' 12.50 % ', 125_000],
    ['.5', 5_000],
    ['007', 70_000],
    ['0.00010000', 1],
    ['100.0000', 1_000_000],
  ])('are read as people write them: %j', (text, ppm) => {
    expect(parseShare(text)).toEqual({ ppm });
  });

  it.each(['', '%', '.', '-1', '1e2', 'half', '1.2.3', '1 2', '٣'])('refuse what is no percentage: %j', (text) => {
    expect(parseShare(text).problem).toContain('percentage');
  });

  it('refuse more than everybody', () => {
    expect(parseShare('100.0001').problem).toContain('100%');
    expect(parseShare('999').problem).toContain('100%');
  });

  it('refuse what is finer than one part per million instead of rounding it', () => {
    expect(parseShare('0.00001').problem).toContain('0.0001%');
  });
});
