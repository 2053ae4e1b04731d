// This file's job is to pin what a channel is said to offer.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { rolloutEffect } from '../src/effects.js';
import { type Release, ReleaseSchema } from '../src/gen/aloft/v1/releases_pb.js';
import { Platform, Retreat, RolloutState } from '../src/gen/aloft/v1/types_pb.js';
import { offersOf } from '../src/offers.js';
import { standing } from '../src/words.js';

interface Given {
  sharePpm?: number;
  enabled?: boolean;
  state?: RolloutState;
  platform?: Platform;
  range?: string;
}

function release(seq: number, given: Given = {}): Release {
  const { sharePpm = 1_000_000, enabled = true, state = RolloutState.ACTIVE, platform = Platform.ANDROID, range = '1.x' } = given;
  return create(ReleaseSchema, {
    name: `apps/a/channels/c/releases/r${seq}`,
    seq: BigInt(seq),
    label: `v${seq}`,
    platform,
    enabled,
    rollout: { sharePpm, state, retreat: Retreat.STAY },
    target: { rule: { case: 'binaryRange', value: range } },
  });
}

const labels = (releases: Release[]): string[][] => offersOf(releases).map((offer) => offer.releases.map(({ label }) => label));

describe('what a channel offers', () => {
  it('ends at the newest release for everybody', () => {
    expect(labels([release(3, { sharePpm: 250_000 }), release(2), release(1)])).toEqual([['v3', 'v2']]);
  });

  it('leaves out what takes in nobody: disabled, paused, a share of nothing', () => {
    const releases = [release(4, { enabled: false }), release(3, { state: RolloutState.PAUSED }), release(2, { sharePpm: 0 }), release(1)];
    expect(labels(releases)).toEqual([['v1']]);
  });

  it('is told apart by platform and by binaries, in any order of input', () => {
    const releases = [release(1, { platform: Platform.IOS }), release(3, { range: '2.x' }), release(2)];
    expect(offersOf(releases).map(({ platform, target }) => [platform, target])).toEqual([
      [Platform.ANDROID, '2.x'],
      [Platform.ANDROID, '1.x'],
      [Platform.IOS, '1.x'],
    ]);
  });
});

describe('a release', () => {
  it('stands as its switch, its rollout and its share say, in that order', () => {
    const given: Given[] = [{}, { sharePpm: 999_999 }, { state: RolloutState.PAUSED }, { enabled: false, state: RolloutState.PAUSED }];
    expect(given.map((one) => standing(release(1, one)))).toEqual(['live', 'ramping', 'paused', 'disabled']);
  });

  it('says what a lower share does to those who run it', () => {
    const text = rolloutEffect(release(2, { sharePpm: 500_000 }), 100_000, Retreat.NOW);
    expect(text).toContain('40%');
    expect(text).toContain('go back at once');
  });
});
