// This file's job is to start Chromium in a way that works everywhere, also for root in a container.
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

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

function onPath() {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => fs.existsSync(file));
}

/** A browser with an empty profile that goes away with it. */
export async function startBrowser() {
  const executablePath = process.env.ALOFT_CHROMIUM || onPath();
  if (executablePath === undefined) {
    throw new Error('Chromium is missing: install it (apt-get install chromium) or name it in ALOFT_CHROMIUM');
  }
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}
