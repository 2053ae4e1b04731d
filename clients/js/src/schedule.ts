// This file's job is to say when a device asks again, so that a fleet never asks all at once.
import type { AloftError } from './errors.js';
import type { State } from './state.js';

/** Waits after the first errors in a row, in seconds; then the edge's own interval. */
const WAITS_S = [5, 30, 300] as const;
/** A channel that does not exist does not appear within minutes. */
const UNKNOWN_WAIT_S = 3_600;
/** The protocol's least distance between two requests. */
const LEAST_S = 15;
/** How much a client adds to the edge's interval at most. */
const SPREAD = 0.1;

/** A number from 0 up to, but not including, 1. */
export type Random = () => number;

/** After an answer. */
export function answered(state: State, nowMs: number, nextCheckS: number, random: Random): State {
  const wait = Math.max(LEAST_S, nextCheckS * (1 + SPREAD * random()));
  return { ...state, askedAtMs: nowMs, askAtMs: nowMs + wait * 1_000, failures: 0, nextCheckS };
}

/** After an error, of whatever kind. */
export function failed(state: State, nowMs: number, error: AloftError, random: Random): State {
  const wait = waitS(state, error) * (1 + random());
  return { ...state, askedAtMs: nowMs, askAtMs: nowMs + wait * 1_000, failures: state.failures + 1 };
}

function waitS(state: State, error: AloftError): number {
  switch (error.kind) {
    case 'unavailable':
      return error.retryAfterS ?? WAITS_S[state.failures] ?? state.nextCheckS;
    case 'unknown':
      return UNKNOWN_WAIT_S;
    case 'token':
    case 'refused':
    case 'corrupt':
      return state.nextCheckS;
  }
}

/** After the process started from nothing: it asks at once, unless it has just done so or the edge is in trouble. */
export function startedCold(state: State): State {
  return state.failures > 0 ? state : { ...state, askAtMs: Math.min(state.askAtMs, state.askedAtMs + LEAST_S * 1_000) };
}

/** How long to wait, in ms; 0 when it is time. A clock that went back does not keep a device waiting. */
export function remainingMs(state: State, nowMs: number): number {
  return nowMs < state.askedAtMs ? 0 : Math.max(0, state.askAtMs - nowMs);
}
