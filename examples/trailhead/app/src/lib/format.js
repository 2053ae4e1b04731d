// This file's job is to turn figures and dates into text.
import { format, formatDistanceToNow } from 'date-fns';
import { de } from 'date-fns/locale/de';
import { enGB } from 'date-fns/locale/en-GB';

const METRES_PER_MILE = 1609.344;
const METRES_PER_FOOT = 0.3048;

const locales = { en: enGB, de };

export function distance(metres, units) {
  return units === 'imperial'
    ? `${(metres / METRES_PER_MILE).toFixed(1)} mi`
    : `${(metres / 1000).toFixed(1)} km`;
}

export function climb(metres, units) {
  return units === 'imperial' ? `${Math.round(metres / METRES_PER_FOOT)} ft` : `${metres} m`;
}

export function price(cents) {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')} €`;
}

export function day(atMs, language) {
  return format(new Date(atMs), 'PPPP', { locale: locales[language] });
}

export function ago(atMs, language) {
  return formatDistanceToNow(new Date(atMs), { addSuffix: true, locale: locales[language] });
}

// Naismith's rule: five kilometres an hour, plus an hour for every 600 metres of climb.
export function walkingHours(lengthMetres, climbMetres) {
  const hours = lengthMetres / 5000 + climbMetres / 600;
  return Math.floor(hours * 2) / 2;
}
