// This file's job is to read what the address bar says: filters, tabs and the open release, each checked.
import { Platform } from './gen/aloft/v1/types_pb.js';
import type { Standing } from './words.js';

/** The longest free text that is taken from an address; more is nobody's intent. */
const TEXT_MAX = 200;

export type AppTab = 'channels' | 'uploads';
export type ChannelTab = 'releases' | 'explain' | 'pins';
export type PlatformWord = 'android' | 'ios';

export interface SignInSearch {
  /** Where to go afterwards: a path of this dashboard. */
  next?: string;
}

export interface LoginSearch {
  /** The code that a command line shows. */
  code?: string;
}

export interface AppSearch {
  tab?: AppTab;
}

export interface ChannelSearch {
  tab?: ChannelTab;
  platform?: PlatformWord;
  standing?: Standing;
  /** Words to look for in labels and notes. */
  find?: string;
  /** Label of the release that is open. */
  release?: string;
  device?: string;
  version?: string;
  runtime?: string;
  current?: string;
}

type Raw = Record<string, unknown>;

/** Plain query strings: every value is text, so that addresses can be read, typed and shared. */
export function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

/** The reverse; leaves out what is not set. */
export function writeSearch(search: object): string {
  const entries = Object.entries(search).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '');
  const text = new URLSearchParams(entries).toString();
  return text === '' ? '' : `?${text}`;
}

function oneOf<Word extends string>(value: unknown, words: readonly Word[]): Word | undefined {
  return words.find((word) => word === value);
}

function freeText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, TEXT_MAX) : undefined;
}

/** Leaves out what is not set, so that an address says only what differs from the default. */
function compact<Fields extends object>(fields: { [Key in keyof Fields]: Fields[Key] | undefined }): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

export function signInSearch(raw: Raw): SignInSearch {
  return compact<SignInSearch>({ next: safePath(raw['next']) });
}

export function loginSearch(raw: Raw): LoginSearch {
  return compact<LoginSearch>({ code: freeText(raw['code']) });
}

/** A path of this dashboard and nothing that leads elsewhere. */
function safePath(value: unknown): string | undefined {
  return typeof value === 'string' && /^\/(?![/\\])/.test(value) && !/[\u0000-\u001f\\]/.test(value) ? value : undefined;
}

export function appSearch(raw: Raw): AppSearch {
  return compact<AppSearch>({ tab: oneOf<AppTab>(raw['tab'], ['uploads']) });
}

export function channelSearch(raw: Raw): ChannelSearch {
  return compact<ChannelSearch>({
    tab: oneOf<ChannelTab>(raw['tab'], ['explain', 'pins']),
    platform: oneOf<PlatformWord>(raw['platform'], ['android', 'ios']),
    standing: oneOf<Standing>(raw['standing'], ['live', 'ramping', 'paused', 'disabled']),
    find: freeText(raw['find']),
    release: typeof raw['release'] === 'string' && /^v\d{1,19}$/.test(raw['release']) ? raw['release'] : undefined,
    device: freeText(raw['device']),
    version: freeText(raw['version']),
    runtime: freeText(raw['runtime']),
    current: freeText(raw['current']),
  });
}

/** The contract's value of a platform in an address. */
export function platformValue(word: PlatformWord | undefined): Platform {
  switch (word) {
    case 'android':
      return Platform.ANDROID;
    case 'ios':
      return Platform.IOS;
    case undefined:
      return Platform.UNSPECIFIED;
  }
}
