// This file's job is to send requests to an edge and to tell its answers from its refusals.
import { AloftError } from './errors.js';

/** The largest answer that is no blob; the largest real ones list some thousand files. */
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;
/** Nothing is longer than a mebibyte at a time, so a way that is slower than this is as good as none. */
const TIMEOUT_MS = 60_000;
/** A wait that is longer than a day is a mistake. */
const RETRY_AFTER_MAX_S = 86_400;

/** The part of the host's `fetch` that is used. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal?: AbortSignal },
) => Promise<{
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  arrayBuffer(): Promise<ArrayBuffer>;
}>;

interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly token?: string | undefined;
  readonly document?: unknown;
  readonly headers?: Record<string, string>;
  readonly maxBytes?: number;
}

/** What came back. */
export interface Reply {
  readonly status: number;
  readonly bytes: Uint8Array;
  header(name: string): string | null;
}

/** An edge's device port. */
export class Edge {
  readonly #base: string;
  readonly #fetch: Fetch;

  constructor(base: string, fetch: Fetch) {
    this.#base = base.replace(/\/+$/, '');
    this.#fetch = fetch;
  }

  /** Sends a request; answers only what was not refused. */
  async ask(ask: Ask): Promise<Reply> {
    const reply = await this.#send(ask);
    if (reply.status >= 200 && reply.status < 300) {
      return reply;
    }
    throw refusal(reply);
  }

  /** Sends a request and reads the JSON of the answer. */
  async json(ask: Ask): Promise<unknown> {
    const { bytes } = await this.ask(ask);
    try {
      return JSON.parse(decode(bytes));
    } catch {
      throw new AloftError('corrupt', 'the edge answered something else than JSON');
    }
  }

  async #send(ask: Ask): Promise<Reply> {
    const headers: Record<string, string> = { accept: '*/*', ...ask.headers };
    if (ask.token !== undefined) {
      headers['authorization'] = `Bearer ${ask.token}`;
    }
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
    try {
      const init = { method: ask.method, headers, signal: stop.signal };
      const body = ask.document === undefined ? undefined : JSON.stringify(ask.document);
      if (body !== undefined) {
        headers['content-type'] = 'application/json';
      }
      const response = await this.#fetch(this.#base + ask.path, body === undefined ? init : { ...init, body });
      const maxBytes = ask.maxBytes ?? ANSWER_MAX_BYTES;
      if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
        stop.abort();
        throw new AloftError('corrupt', `the answer is longer than ${maxBytes} bytes`);
      }
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (bytes.length > maxBytes) {
        throw new AloftError('corrupt', `the answer is longer than ${maxBytes} bytes`);
      }
      return { status: response.status, bytes, header: (name) => response.headers.get(name) };
    } catch (thrown) {
      if (thrown instanceof AloftError) {
        throw thrown;
      }
      throw new AloftError('unavailable', `no answer from the edge: ${String(thrown)}`);
    } finally {
      clearTimeout(timer);
    }
  }
}

function refusal(reply: Reply): AloftError {
  const { reason, message } = readRefusal(reply.bytes);
  const shown = `the edge answered ${reply.status}${message === undefined ? '' : `: ${message}`}`;
  return new AloftError(kindOf(reply.status), shown, reason, retryAfter(reply.header('retry-after')));
}

function kindOf(status: number): AloftError['kind'] {
  switch (status) {
    case 401:
      return 'token';
    case 404:
      return 'unknown';
    case 408:
    case 429:
      return 'unavailable';
    default:
      return status >= 500 ? 'unavailable' : 'refused';
  }
}

function readRefusal(bytes: Uint8Array): { reason?: string; message?: string } {
  try {
    const { error } = JSON.parse(decode(bytes)) as { error?: { reason?: unknown; message?: unknown } };
    const reason = error?.reason;
    const message = error?.message;
    return { ...(typeof reason === 'string' && { reason }), ...(typeof message === 'string' && { message }) };
  } catch {
    // A proxy on the way answered in its own words.
    return {};
  }
}

function retryAfter(value: string | null): number | undefined {
  const seconds = value === null ? Number.NaN : Number(value);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, RETRY_AFTER_MAX_S) : undefined;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
