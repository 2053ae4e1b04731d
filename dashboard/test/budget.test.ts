// This file's job is to keep what a browser must load before the first screen small. It reads dist/, so build first.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

const dist = join(import.meta.dirname, '..', 'dist');

/** Bytes of JavaScript over the wire: a second on a slow phone line. */
const SCRIPT_MAX_BYTES = 180_000;

/** One stylesheet by hand must stay one. */
const STYLE_MAX_BYTES = 12_000;

const page = readFileSync(join(dist, 'index.html'), 'utf8');

function wireBytes(pattern: RegExp): number {
  const files = [...page.matchAll(pattern)].map((match) => match[1] ?? '');
  expect(files.length, `nothing in index.html matches ${pattern.source}`).toBeGreaterThan(0);
  return files.reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file)), { level: 9 }).length, 0);
}

describe('the first screen', () => {
  it('needs no more script than the budget allows', () => {
    expect(wireBytes(/(?:src|href)="([^"]+\.js)"/g)).toBeLessThanOrEqual(SCRIPT_MAX_BYTES);
  });

  it('needs no more style than the budget allows', () => {
    expect(wireBytes(/href="([^"]+\.css)"/g)).toBeLessThanOrEqual(STYLE_MAX_BYTES);
  });

  it('has a strict content policy, and nothing in it that the policy would refuse', () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1]?.replaceAll('&#39;', "'") ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(page).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>/);
    expect(page).not.toMatch(/ style=| on[a-z]+=/);
  });
});
