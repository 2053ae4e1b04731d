// This file's job is to check that no answer, however broken, is taken for a good one.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AloftError } from '../../src/index.js';
import { readAnswer, readRegistered } from '../../src/protocol.js';

const HASH = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);

function page(): Record<string, unknown> {
  return {
    action: 'update',
    next_check_s: 900,
    update: {
      release_id: 'rel_1',
      label: 'v1',
      mandatory: false,
      install: 'next-restart',
      notes: '',
      bundle: {
        sha256: HASH,
        engine: 'hermes',
        size_bytes: 15,
        files: [
          { path: 'index.bundle', sha256: HASH, size_bytes: 10, role: 'launch', url: `/v1/blobs/${HASH}` },
          {
            path: 'assets/a.png',
            sha256: OTHER,
            size_bytes: 5,
            role: 'asset',
            url: `/v1/blobs/${OTHER}`,
            encoded: { coding: 'br', sha256: HASH, size_bytes: 5, chunks: [HASH, OTHER], url: `/v1/blobs/${HASH}` },
          },
        ],
        launch: { path: 'index.bundle', sha256: HASH, size_bytes: 10, chunk_size_bytes: 4, chunks: [HASH, HASH, OTHER] },
      },
      delta: { format: 'dcz', base_sha256: OTHER, sha256: OTHER, size_bytes: 3, url: `/v1/blobs/${OTHER}` },
    },
  };
}

/** Sets the value at a path of keys in a copy of the good answer. */
function withValue(keys: (string | number)[], value: unknown): unknown {
  const root = page();
  let place = root as Record<string | number, unknown>;
  for (const key of keys.slice(0, -1)) {
    place = place[key] as Record<string | number, unknown>;
  }
  place[keys.at(-1) ?? ''] = value;
  return root;
}

test('a good answer is read', () => {
  const answer = readAnswer(page());
  expect(answer.action === 'update' && answer.update.launch.path).toBe('index.bundle');
  expect(answer.action === 'update' && answer.update.files.map((file) => file.encoded?.coding)).toEqual([undefined, 'br']);
  expect(readAnswer({ action: 'none', reason: 'up-to-date', next_check_s: 1 })).toEqual({
    action: 'none',
    reason: 'up-to-date',
    nextCheckS: 1,
  });
});

const FILE = ['update', 'bundle', 'files', 1];
const LAUNCH = ['update', 'bundle', 'launch'];
test.each<[string, (string | number)[], unknown]>([
  ['a path that climbs', [...FILE, 'path'], '../state.json'],
  ['a path that climbs later', [...FILE, 'path'], 'a/../../state.json'],
  ['an absolute path', [...FILE, 'path'], '/etc/passwd'],
  ['a path with a backslash', [...FILE, 'path'], 'a\\b'],
  ['a path with a drive', [...FILE, 'path'], 'c:b'],
  ['a path with a control character', [...FILE, 'path'], 'a\u0000b'],
  ['an empty path', [...FILE, 'path'], ''],
  ['the same path twice', [...FILE, 'path'], 'index.bundle'],
  ['two launch files', [...FILE, 'role'], 'launch'],
  ['an address elsewhere', [...FILE, 'url'], 'https://evil.example/x'],
  ['an address elsewhere without a scheme', [...FILE, 'url'], '//evil.example/x'],
  ['a negative size', [...FILE, 'size_bytes'], -1],
  ['a broken size', [...FILE, 'size_bytes'], 1.5],
  ['a size beyond any bundle', [...FILE, 'size_bytes'], 2 ** 50],
  ['a hash in capitals', [...FILE, 'sha256'], 'A'.repeat(64)],
  ['another launch file', [...LAUNCH, 'sha256'], OTHER],
  ['too few chunks', [...LAUNCH, 'chunks'], [HASH]],
  ['chunks of nothing', [...LAUNCH, 'chunk_size_bytes'], 0],
  ['a form at an address elsewhere', [...FILE, 'encoded', 'url'], 'https://evil.example/x'],
  ['a form with too few chunks', [...FILE, 'encoded', 'chunks'], [HASH]],
  ['a form of no coding', [...FILE, 'encoded', 'coding'], 7],
  ['a form that is no object', [...FILE, 'encoded'], 'br'],
  ['an unknown moment', ['update', 'install'], 'yesterday'],
  ['an unknown action', ['action'], 'format-disk'],
  ['no interval', ['next_check_s'], undefined],
])('%s is refused', (_name, keys, value) => {
  expect(() => readAnswer(withValue(keys, value))).toThrow(AloftError);
});

test('whatever JSON comes, it is read or refused, and nothing else', () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.record({ action: fc.constantFrom('update', 'none', 'embedded'), next_check_s: fc.jsonValue(), update: fc.jsonValue() }),
    fc
      .tuple(fc.constantFrom(FILE, LAUNCH, ['update', 'bundle'], ['update'], ['update', 'delta'], []), fc.string(), fc.jsonValue())
      .map(([keys, key, value]) => withValue([...keys, key], value)),
  );
  fc.assert(
    fc.property(anything, (document) => {
      for (const read of [readAnswer, readRegistered]) {
        try {
          read(document);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(AloftError);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
