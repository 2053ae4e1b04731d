// This file's job is to make resource names and take them apart.

/** "apps/{app}". */
export const appName = (app: string): string => `apps/${app}`;

/** "apps/{app}/channels/{channel}". */
export const channelName = (app: string, channel: string): string => `apps/${app}/channels/${channel}`;

/** "apps/{app}/channels/{channel}/releases/{release}". */
export const releaseName = (app: string, channel: string, release: string): string =>
  `${channelName(app, channel)}/releases/${release}`;

/** The last part of a name: the id. */
export const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** The channel's id in a release's name; empty when there is none. */
export const channelOf = (releaseName: string): string => /\/channels\/([^/]+)/.exec(releaseName)?.[1] ?? '';

/** What a short name of an app or a channel may look like, for an input's pattern. */
export const SLUG_PATTERN = '[a-z0-9._\\-]{1,64}';

/** The same in words. */
export const SLUG_RULE = 'a–z, 0–9, - _ . (at most 64)';

/** A fresh request id: repeating a call with it does nothing twice. Also works where crypto.randomUUID is missing, on plain http. */
export function newRequestId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
