// This file's job is to pin what addresses may say.
import { describe, expect, it } from 'vitest';
import { appSearch, channelSearch, loginSearch, parseSearch, signInSearch, writeSearch } from '../src/search.js';

describe('an address', () => {
  it('carries every filter of a channel there and back', () => {
    const search = {
      tab: 'explain' as const,
      platform: 'ios' as const,
      standing: 'paused' as const,
      find: 'a & b = c? ü',
      release: 'v12',
      device: 'dev_1+2',
      version: '1.0',
      runtime: '007',
      current: 'ab'.repeat(32),
    };
    expect(channelSearch(parseSearch(writeSearch(search)))).toEqual(search);
  });

  it('keeps texts that look like numbers as they are', () => {
    expect(writeSearch({ version: '1.0' })).toBe('?version=1.0');
    expect(channelSearch(parseSearch('?version=1.0')).version).toBe('1.0');
  });

  it('says only what differs from the default', () => {
    expect(writeSearch(channelSearch({ tab: 'releases', platform: '', find: '' }))).toBe('');
    expect(writeSearch(appSearch({ tab: 'channels' }))).toBe('');
  });

  it('with nonsense in it shows the default', () => {
    const nonsense = { tab: 'x', platform: 'windows', standing: '__proto__', release: '../v1', device: 7, find: ['a'] };
    expect(channelSearch(nonsense)).toEqual({});
  });

  it('cannot make a text endless', () => {
    expect(channelSearch({ find: 'x'.repeat(10_000) }).find).toHaveLength(200);
  });

  it('cannot lead away after sign-in', () => {
    for (const next of ['https://evil.example', '//evil.example', '/\\evil.example', '/a\\b', 'javascript:alert(1)', '/\n/evil.example', '']) {
      expect(signInSearch({ next }), next).toEqual({});
    }
    expect(signInSearch({ next: '/apps/a?tab=uploads' })).toEqual({ next: '/apps/a?tab=uploads' });
  });

  it('takes the code of a command line, and nothing that is too long to be one', () => {
    expect(loginSearch({ code: 'WDJB-MJHT' })).toEqual({ code: 'WDJB-MJHT' });
    expect(loginSearch({ code: 'x'.repeat(500) }).code).toHaveLength(200);
    expect(loginSearch({ code: ['a'] })).toEqual({});
  });
});
