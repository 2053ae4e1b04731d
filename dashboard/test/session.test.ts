// This file's job is to pin how a session is kept and what a server's address may be.
import { describe, expect, it } from 'vitest';
import { createSessionStore, isExposed, linkToken, parseOrigin } from '../src/session.js';

function memory(initial: Record<string, string> = {}) {
  const values = new Map(Object.entries(initial));
  return {
    values,
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  };
}

const session = { origin: 'https://aloft.example', apiKey: 'cp_test_key' };

describe('a session', () => {
  it('outlives a reload of the tab', () => {
    const storage = memory();
    createSessionStore(storage).begin(session);
    expect(createSessionStore(storage).current()).toEqual(session);
  });

  it('leaves nothing behind when it ends', () => {
    const storage = memory();
    const store = createSessionStore(storage);
    store.begin(session);
    store.end('revoked');
    expect(storage.values.size).toBe(0);
    expect([store.current(), store.endedBecause()]).toEqual([undefined, 'revoked']);
  });

  it('of a person needs no key, and remembers the organization', () => {
    const storage = memory();
    const person = { origin: 'https://aloft.example', organization: 'acme' };
    createSessionStore(storage).begin(person);
    expect(createSessionStore(storage).current()).toEqual(person);
  });

  it.each(['{', 'null', '7', '{"origin":1,"apiKey":"k"}', '{"origin":"https://a","apiKey":1}', '{"apiKey":"k"}'])('is none when the storage holds %j', (text) => {
    expect(createSessionStore(memory({ 'aloft.session': text })).current()).toBeUndefined();
  });
});

describe('a mail’s link', () => {
  it.each([
    ['#token=abc', 'abc'],
    ['#x=1&token=a-b_c', 'a-b_c'],
    ['', ''],
    ['#token', ''],
  ])('%j holds the token %j', (fragment, token) => {
    expect(linkToken(fragment)).toBe(token);
  });
});

describe('a server’s address', () => {
  it.each([
    ['https://a.example/some/path?x', 'https://a.example'],
    ['a.example', 'https://a.example'],
    ['http://127.0.0.1:7400', 'http://127.0.0.1:7400'],
    ['localhost:7400', 'http://localhost:7400'],
    ['[::1]:7400/x', 'http://[::1]:7400'],
    ['localhost.example', 'https://localhost.example'],
  ])('%s is %s', (text, origin) => {
    expect(parseOrigin(text)).toEqual({ origin });
  });

  it.each(['', 'ftp://a.example', 'https://u:p@a.example', 'https://', 'not an address'])('is refused: %j', (text) => {
    expect(parseOrigin(text).problem).toBeTruthy();
  });

  it('without encryption is exposed unless it is this machine', () => {
    expect(['http://a.example', 'http://127.0.0.1.example', 'http://10.0.0.1'].map(isExposed)).toEqual([true, true, true]);
    expect(['https://a.example', 'http://127.0.0.1:1', 'http://localhost', 'http://[::1]:1'].map(isExposed)).toEqual([false, false, false, false]);
  });
});
