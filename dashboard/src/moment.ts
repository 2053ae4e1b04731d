// This file's job is to write points in time for people.

const STEPS: ReadonlyArray<readonly [Intl.RelativeTimeFormatUnit, number]> = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** A date from microseconds since 1970. */
export function fromMicros(us: bigint): Date {
  return new Date(Number(us / 1000n));
}

/** "3 minutes ago"; "just now" within a minute, whichever clock is ahead. */
export function ago(date: Date, now: Date): string {
  const seconds = Math.round((date.getTime() - now.getTime()) / 1000);
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) {
      return relative.format(Math.trunc(seconds / size), unit);
    }
  }
  return 'just now';
}

/** Date and time in the viewer's time zone. */
export function inFull(date: Date): string {
  return absolute.format(date);
}
