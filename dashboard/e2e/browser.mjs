// This file's job is to start Chromium in a way that works everywhere, also for root in a container.
import fs from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

/** A browser with an empty profile that goes away with it. */
export async function startBrowser() {
  const executablePath = process.env.ALOFT_CHROMIUM ?? PLACES.find((place) => fs.existsSync(place));
  if (executablePath === undefined) {
    throw new Error('Chromium is missing: install it (apt-get install chromium) or name it in ALOFT_CHROMIUM');
  }
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}
