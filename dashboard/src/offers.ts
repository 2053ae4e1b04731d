// This file's job is to say what a channel offers now, from its releases.
import type { Release } from './gen/aloft/v1/releases_pb.js';
import type { Platform } from './gen/aloft/v1/types_pb.js';
import { WHOLE_PPM } from './percent.js';
import { shareOf, standing, targetWords } from './words.js';

/** What the devices of one platform with one kind of binary are offered. */
export interface Offer {
  platform: Platform;
  target: string;
  /** Newest first. Each takes in its share of the devices that the ones before it left; the last may be for everybody. */
  releases: Release[];
}

/** Looks at releases newest first, as the decision does, and stops at the first that takes in everybody. */
export function offersOf(releases: readonly Release[]): Offer[] {
  const groups = new Map<string, Offer & { full: boolean }>();
  for (const release of [...releases].sort((a, b) => (a.seq < b.seq ? 1 : -1))) {
    const now = standing(release);
    if ((now !== 'live' && now !== 'ramping') || shareOf(release) === 0) {
      continue;
    }
    const target = targetWords(release.target);
    const key = `${release.platform} ${target}`;
    const group = groups.get(key) ?? { platform: release.platform, target, releases: [], full: false };
    groups.set(key, group);
    if (!group.full) {
      group.releases.push(release);
      group.full = shareOf(release) === WHOLE_PPM;
    }
  }
  return [...groups.values()]
    .map(({ platform, target, releases: offered }) => ({ platform, target, releases: offered }))
    .sort((a, b) => a.platform - b.platform);
}
