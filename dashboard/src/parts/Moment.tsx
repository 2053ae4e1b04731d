// This file's job is to show a point in time: how long ago, and in full on demand.
import { useSyncExternalStore } from 'react';
import { ago, fromMicros, inFull } from '../moment.js';

/** The finest step that is shown is a minute. */
const TICK_MS = 20_000;

let now = Date.now();

function subscribe(listener: () => void): () => void {
  now = Date.now();
  const timer = setInterval(() => {
    now = Date.now();
    listener();
  }, TICK_MS);
  return () => clearInterval(timer);
}

export function Moment({ us }: { us: bigint }) {
  const current = useSyncExternalStore(subscribe, () => now);
  const date = fromMicros(us);
  return (
    <time dateTime={date.toISOString()} title={inFull(date)}>
      {ago(date, new Date(current))}
    </time>
  );
}
