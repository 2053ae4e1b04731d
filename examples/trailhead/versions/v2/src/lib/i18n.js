// This file's job is to hold every text the app shows, in English and German.
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';

export const languages = ['en', 'de'];

const en = {
  trails: { title: 'Trails near you', search: 'Search by name or region', none: 'No trail matches "{{query}}".' },
  trail: {
    length: 'Length', climb: 'Climb', duration: 'About {{hours}} h', difficulty: 'Difficulty',
    save: 'Save for later', saved: 'Saved', log: 'Write a journal entry', gear: 'Gear for this trail',
  },
  difficulty: { easy: 'Easy', moderate: 'Moderate', hard: 'Hard' },
  shop: { title: 'Outfitter', add: 'Add to basket', empty: 'The shelves are empty right now.', retry: 'Try again' },
  basket: {
    title: 'Basket', empty: 'Your basket is empty. Nothing packed yet.', total: 'Total', shipping: 'Shipping', free: 'free',
    items_one: '{{count}} item', items_other: '{{count}} items', remove: 'Remove', order: 'Place order',
  },
  journal: { title: 'Journal', empty: 'Your first hike is waiting.', placeholder: 'How was it?', add: 'Add entry' },
  settings: { title: 'Settings', language: 'Language', units: 'Units', metric: 'Metric', imperial: 'Imperial' },
};

const de = {
  trails: { title: 'Wege in der Nähe', search: 'Name oder Region suchen', none: 'Kein Weg passt zu „{{query}}“.' },
  trail: {
    length: 'Länge', climb: 'Anstieg', duration: 'Etwa {{hours}} Std.', difficulty: 'Schwierigkeit',
    save: 'Merken', saved: 'Gemerkt', log: 'Tagebucheintrag schreiben', gear: 'Ausrüstung für diesen Weg',
  },
  difficulty: { easy: 'Leicht', moderate: 'Mittel', hard: 'Schwer' },
  shop: { title: 'Ausrüster', add: 'In den Korb', empty: 'Die Regale sind gerade leer.', retry: 'Nochmal versuchen' },
  basket: {
    title: 'Korb', empty: 'Noch nichts eingepackt.', total: 'Summe', shipping: 'Versand', free: 'kostenlos',
    items_one: '{{count}} Teil', items_other: '{{count}} Teile', remove: 'Entfernen', order: 'Bestellen',
  },
  journal: { title: 'Tagebuch', empty: 'Deine erste Tour wartet.', placeholder: 'Wie war es?', add: 'Eintragen' },
  settings: { title: 'Einstellungen', language: 'Sprache', units: 'Einheiten', metric: 'Metrisch', imperial: 'Imperial' },
};

i18next.use(initReactI18next).init({
  lng: 'en',
  fallbackLng: 'en',
  resources: { en: { translation: en }, de: { translation: de } },
  interpolation: { escapeValue: false },
});

export default i18next;
