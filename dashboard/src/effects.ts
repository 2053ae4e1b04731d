// This file's job is to say in words what a change will do to devices, before it is made.
import type { Release } from './gen/aloft/v1/releases_pb.js';
import { Retreat } from './gen/aloft/v1/types_pb.js';
import { WHOLE_PPM, formatShare } from './percent.js';
import { PLATFORMS, RETREATS, shareOf, targetWords } from './words.js';

/** Setting the share, and what becomes of those who fall out. */
export function rolloutEffect(release: Release, ppm: number, retreat: Retreat): string {
  const now = shareOf(release);
  const who = `${PLATFORMS[release.platform]} devices (${targetWords(release.target)})`;
  if (ppm === now) {
    return `Devices that fall out of the share will ${RETREATS[retreat]}.`;
  }
  if (ppm > now) {
    return ppm === WHOLE_PPM
      ? `All ${who} will be offered ${release.label}.`
      : `${formatShare(ppm)} of ${who} will be offered ${release.label}: those of today and ${formatShare(ppm - now)} more.`;
  }
  return `${formatShare(now - ppm)} of ${who} are no longer offered ${release.label}. Those that run it already ${RETREATS[retreat]}.`;
}

/** Enabling or disabling. */
export function enableEffect(release: Release, enable: boolean): string {
  if (enable) {
    return `${release.label} is offered again, to ${formatShare(shareOf(release))} of its devices.`;
  }
  return `${release.label} is offered to nobody any more. Devices without it get the next older release that takes them in. Devices that run it already ${RETREATS[release.rollout?.retreat ?? Retreat.STAY]}.`;
}

/** Making mandatory or not. */
export function mandatoryEffect(release: Release, mandatory: boolean): string {
  return mandatory
    ? `Devices that are offered ${release.label} change over as soon as they have it, also in the middle of use.`
    : `Devices that are offered ${release.label} change over at their next restart.`;
}
