// This file's job is to write sizes and hashes for people.

/** Hexadecimal digits that are enough to tell the hashes of one page apart. */
const SHORT_DIGITS = 12;

const UNITS = ['kB', 'MB', 'GB', 'TB'] as const;

/** "1.4 MB"; powers of 1,000, as the limits of the server are. */
export function formatSize(sizeBytes: bigint): string {
  let size = Number(sizeBytes);
  if (size < 1000) {
    return `${size} B`;
  }
  let unit = -1;
  while (size >= 999.95 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size.toFixed(1)} ${UNITS[unit]}`;
}

/** All digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The first digits. */
export function shortHex(bytes: Uint8Array): string {
  return hex(bytes).slice(0, SHORT_DIGITS);
}

/** Reads 64 hexadecimal digits; nothing for anything else. */
export function parseSha256(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    return undefined;
  }
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
