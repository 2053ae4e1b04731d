// This file's job is to make the random names that a device gives to itself and to its events.

/** Crockford's base 32 in lower case. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const BASE64_URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** 43 characters of 6 bits: more than the 128 bits that the protocol asks for. */
const NONCE_CHARACTERS = 43;
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 16;

/** Fills an array with random bytes that nobody can guess. */
export type RandomBytes = (count: number) => Uint8Array;

/** Random bytes of the platform. React Native brings them with `react-native-get-random-values`. */
export function platformRandomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  globalThis.crypto.getRandomValues(bytes);
  return bytes;
}

/** Makes the secret that decides the device's id. */
export function makeNonce(random: RandomBytes): string {
  return Array.from(random(NONCE_CHARACTERS), (byte) => BASE64_URL[byte & 63]).join('');
}

/** Makes the id of an event: a ULID with its prefix. */
export function makeEventId(nowMs: number, random: RandomBytes): string {
  let time = '';
  let rest = nowMs;
  for (let digit = 0; digit < TIME_DIGITS; digit += 1) {
    time = `${DIGITS[rest % 32]}${time}`;
    rest = Math.floor(rest / 32);
  }
  return `evt_${time}${Array.from(random(RANDOM_DIGITS), (byte) => DIGITS[byte & 31]).join('')}`;
}
