// This file's job is to turn shares in parts per million into percentages and back, exactly.

/** Everybody, in parts per million. */
export const WHOLE_PPM = 1_000_000;

/** Parts per million in one percent. */
const PERCENT_PPM = 10_000;

/** One part per million is 0.0001 %, so four decimals say everything. */
const DECIMALS = 4;

/** What a person typed: a share, or what is wrong with it. */
export type ParsedShare = { ppm: number; problem?: never } | { ppm?: never; problem: string };

/** Writes a share without rounding: 125,000 ppm is "12.5%". */
export function formatShare(ppm: number): string {
  const whole = Math.floor(ppm / PERCENT_PPM);
  const rest = String(ppm % PERCENT_PPM).padStart(DECIMALS, '0').replace(/0+$/, '');
  return rest === '' ? `${whole}%` : `${whole}.${rest}%`;
}

/** The same without the sign, as it stands in an input. */
export function shareInput(ppm: number): string {
  return formatShare(ppm).slice(0, -1);
}

/** Reads "12.5", "12,5" or "12.5 %". Works on the digits, so nothing is rounded. */
export function parseShare(text: string): ParsedShare {
  const match = /^(\d{1,3})?(?:[.,](\d+))?\s*%?$/.exec(text.trim());
  const whole = match?.[1];
  const fraction = match?.[2]?.replace(/0+$/, '');
  if (!match || (whole === undefined && fraction === undefined)) {
    return { problem: 'Write a percentage such as 12.5.' };
  }
  if (fraction !== undefined && fraction.length > DECIMALS) {
    return { problem: 'The finest step is 0.0001%, one device in a million.' };
  }
  const ppm = Number(whole ?? '0') * PERCENT_PPM + Number((fraction ?? '').padEnd(DECIMALS, '0'));
  return ppm > WHOLE_PPM ? { problem: 'A share cannot be more than 100%.' } : { ppm };
}
