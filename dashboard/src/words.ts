// This file's job is to say the contract's values in words for people.
import { Outcome } from './gen/aloft/v1/channels_pb.js';
import { type Release, ReleaseOrigin } from './gen/aloft/v1/releases_pb.js';
import { Platform, Retreat, RolloutState, type Target } from './gen/aloft/v1/types_pb.js';
import { UploadState } from './gen/aloft/v1/uploads_pb.js';
import { WHOLE_PPM } from './percent.js';

/** A colour family; it never stands without a word. */
export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'calm';

/** Where a release stands, as people think of it. */
export type Standing = 'live' | 'ramping' | 'paused' | 'disabled';

export const PLATFORMS: Readonly<Record<Platform, string>> = {
  [Platform.UNSPECIFIED]: 'Unknown',
  [Platform.ANDROID]: 'Android',
  [Platform.IOS]: 'iOS',
};

export const STANDINGS: Readonly<Record<Standing, { word: string; tone: Tone; meaning: string }>> = {
  live: { word: 'Live', tone: 'good', meaning: 'Offered to every device that it is for' },
  ramping: { word: 'Ramping', tone: 'busy', meaning: 'Offered to a share of the devices that it is for' },
  paused: { word: 'Paused', tone: 'warn', meaning: 'No further device gets it; those that run it keep it' },
  disabled: { word: 'Disabled', tone: 'calm', meaning: 'Offered to nobody' },
};

export const RETREATS: Readonly<Record<Retreat, string>> = {
  [Retreat.UNSPECIFIED]: 'keep it until something newer is offered',
  [Retreat.STAY]: 'keep it until something newer is offered',
  [Retreat.NEXT_COLD_START]: 'go back at their next cold start',
  [Retreat.NOW]: 'go back at once',
};

export const UPLOAD_STATES: Readonly<Record<UploadState, { word: string; tone: Tone; final: boolean }>> = {
  [UploadState.UNSPECIFIED]: { word: 'Unknown', tone: 'calm', final: true },
  [UploadState.RECEIVING]: { word: 'Receiving', tone: 'busy', final: false },
  [UploadState.QUEUED]: { word: 'Queued', tone: 'busy', final: false },
  [UploadState.PROCESSING]: { word: 'Processing', tone: 'busy', final: false },
  [UploadState.READY]: { word: 'Ready', tone: 'good', final: true },
  [UploadState.FAILED]: { word: 'Refused', tone: 'bad', final: true },
  [UploadState.CANCELLED]: { word: 'Cancelled', tone: 'calm', final: true },
};

export const OUTCOMES: Readonly<Record<Outcome, { word: string; tone: Tone }>> = {
  [Outcome.UNSPECIFIED]: { word: 'Unknown', tone: 'calm' },
  [Outcome.UPDATE]: { word: 'Update', tone: 'good' },
  [Outcome.EMBEDDED]: { word: 'Back to the embedded bundle', tone: 'warn' },
  [Outcome.NOTHING]: { word: 'Nothing', tone: 'calm' },
};

const ORIGINS: Readonly<Record<ReleaseOrigin, string>> = {
  [ReleaseOrigin.UNSPECIFIED]: 'Unknown',
  [ReleaseOrigin.PUBLISH]: 'Published',
  [ReleaseOrigin.PROMOTE]: 'Promoted',
  [ReleaseOrigin.ROLLBACK]: 'Rollback',
};

const VERDICTS: Readonly<Record<string, { word: string; meaning: string; tone: Tone }>> = {
  pinned: { word: 'Pinned', meaning: 'The device is pinned to it.', tone: 'good' },
  'in-rollout': { word: 'Taken', meaning: 'The device’s bucket lies inside the share.', tone: 'good' },
  'other-platform': { word: 'Passed over', meaning: 'It is for another platform.', tone: 'calm' },
  'other-binary': { word: 'Passed over', meaning: 'It is for other binaries.', tone: 'calm' },
  disabled: { word: 'Passed over', meaning: 'It is disabled.', tone: 'calm' },
  paused: { word: 'Passed over', meaning: 'Its rollout is paused.', tone: 'warn' },
  'outside-share': { word: 'Passed over', meaning: 'The device’s bucket lies outside the share.', tone: 'warn' },
};

const NOTHING_REASONS: Readonly<Record<string, string>> = {
  blocked: 'The channel is blocked: it offers nothing to anybody.',
  'up-to-date': 'The device already runs what it would get.',
  stays: 'What the device runs is no longer offered to it, and it may keep it.',
  'no-match': 'No release is for its platform and binary.',
  'not-offered': 'Releases match, but none of them takes the device in.',
};

const INSTALLS: Readonly<Record<string, string>> = {
  'next-restart': 'The device changes over when the app is next brought up.',
  'next-cold-start': 'The device changes over when the app is next started from nothing.',
  now: 'The device changes over as soon as the bytes are there.',
};

/** Where a release stands. */
export function standing(release: Pick<Release, 'enabled' | 'rollout'>): Standing {
  if (!release.enabled) {
    return 'disabled';
  }
  if (release.rollout?.state === RolloutState.PAUSED) {
    return 'paused';
  }
  return shareOf(release) === WHOLE_PPM ? 'live' : 'ramping';
}

/** The release's share in parts per million. */
export function shareOf(release: Pick<Release, 'rollout'>): number {
  return release.rollout?.sharePpm ?? 0;
}

/** Which binaries it is for. */
export function targetWords(target: Target | undefined): string {
  switch (target?.rule.case) {
    case 'binaryRange':
      return target.rule.value === '*' ? 'any version' : target.rule.value;
    case 'runtimeVersion':
      return `runtime ${target.rule.value}`;
    default:
      return 'any version';
  }
}

/** How it came to be; a release without a bundle sends devices back to what came with the binary. */
export function originWords(release: Pick<Release, 'origin' | 'bundle'>): string {
  return release.bundle === '' ? `${ORIGINS[release.origin]} to embedded` : ORIGINS[release.origin];
}

/** A step's verdict; an unknown one is shown as the server wrote it. */
export function verdictWords(verdict: string): { word: string; meaning: string; tone: Tone } {
  return VERDICTS[verdict] ?? { word: verdict, meaning: '', tone: 'calm' };
}

/** Why a device gets nothing. */
export function nothingWords(reason: string): string {
  return NOTHING_REASONS[reason] ?? reason;
}

/** When the device changes over. */
export function installWords(install: string): string {
  return INSTALLS[install] ?? install;
}
