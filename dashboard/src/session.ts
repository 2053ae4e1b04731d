// This file's job is to keep who is signed in, for this tab only: a person, by the server's cookie, or an API key.
import { createContext, useContext, useSyncExternalStore } from 'react';

/** Where the tab's storage keeps it. */
const STORAGE_KEY = 'aloft.session';

export interface Session {
  /** Scheme, host and port of the control plane. */
  origin: string;
  /** Goes with every call; never into an address, a log or the page. None for a person, whose cookie the browser keeps. */
  apiKey?: string;
  /** The organization that a person acts for; none while there is none. */
  organization?: string;
}

/** A person's session, always with the server that the page came from: its cookie works from nowhere else. */
export function personSession(organization?: string): Session {
  const { origin } = window.location;
  return organization === undefined ? { origin } : { origin, organization };
}

/** The token in the fragment of a mail's link; empty when there is none. */
export function linkToken(fragment: string): string {
  return new URLSearchParams(fragment.replace(/^#/, '')).get('token') ?? '';
}

/** What the storage must be able to do. */
export type SessionStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export interface SessionStore {
  current(): Session | undefined;
  begin(session: Session): void;
  /** `why` is shown on the sign-in screen. */
  end(why?: string): void;
  /** Why the last session ended. */
  endedBecause(): string | undefined;
  subscribe(listener: () => void): () => void;
}

const LOCAL_HOST = /^(localhost|127(\.\d+){3}|\[::1\]|[^:/]+\.localhost)$/;

/** Reads "https://host", "localhost:7400" and the like; without a scheme only this machine is spoken to in the clear. */
export function parseOrigin(text: string): { origin: string; problem?: never } | { origin?: never; problem: string } {
  const trimmed = text.trim();
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed);
  const scheme = LOCAL_HOST.test(trimmed.replace(/(:\d+)?(\/.*)?$/, '')) ? 'http' : 'https';
  const withScheme = hasScheme ? trimmed : `${scheme}://${trimmed}`;
  if (trimmed === '' || !URL.canParse(withScheme)) {
    return { problem: 'Write the server’s address, for instance https://aloft.example.com.' };
  }
  const url = new URL(withScheme);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return { problem: 'The address must begin with https:// or http://.' };
  }
  if (url.username !== '' || url.password !== '') {
    return { problem: 'The address must not hold a user name or password.' };
  }
  return { origin: url.origin };
}

/** Whether somebody on the way could read the key. */
export function isExposed(origin: string): boolean {
  const url = new URL(origin);
  return url.protocol === 'http:' && !LOCAL_HOST.test(url.hostname);
}

/** A key's session has a key, a person's may have an organization. */
function check({ origin, apiKey, organization }: Record<string, unknown>): Session | undefined {
  if (typeof origin !== 'string') {
    return undefined;
  }
  if (typeof apiKey === 'string') {
    return { origin, apiKey };
  }
  if (apiKey !== undefined) {
    return undefined;
  }
  return typeof organization === 'string' ? { origin, organization } : { origin };
}

function read(storage: SessionStorage): Session | undefined {
  try {
    const value: unknown = JSON.parse(storage.getItem(STORAGE_KEY) ?? 'null');
    if (typeof value === 'object' && value !== null) {
      return check(value as Record<string, unknown>);
    }
  } catch {
    // Damaged: the same as none.
  }
  return undefined;
}

export function createSessionStore(storage: SessionStorage): SessionStore {
  let session = read(storage);
  let reason: string | undefined;
  const listeners = new Set<() => void>();
  const tell = (): void => listeners.forEach((listener) => listener());
  return {
    current: () => session,
    endedBecause: () => reason,
    begin(next) {
      session = next;
      reason = undefined;
      storage.setItem(STORAGE_KEY, JSON.stringify(next));
      tell();
    },
    end(why) {
      session = undefined;
      reason = why;
      storage.removeItem(STORAGE_KEY);
      tell();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export const SessionContext = createContext<SessionStore | undefined>(undefined);

export function useSessionStore(): SessionStore {
  const store = useContext(SessionContext);
  if (!store) {
    throw new Error('there is no SessionContext around this component');
  }
  return store;
}

export function useSession(): Session | undefined {
  const store = useSessionStore();
  return useSyncExternalStore(store.subscribe, store.current);
}
