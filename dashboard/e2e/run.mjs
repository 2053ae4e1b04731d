// This file's job is to walk through the dashboard in Chromium against a real server, and to check with the server what was done.
//
// usage: ALOFT_SERVER=http://127.0.0.1:8070 ALOFT_API_KEY=cp_… ALOFT_MAILS=folder ALOFT_CORPUS=folder [ALOFT_SHOTS=folder]
//        node e2e/run.mjs
import fs from 'node:fs';
import path from 'node:path';
import { startBrowser } from './browser.mjs';
import { connect } from './server.mjs';
import { steps } from './steps.mjs';

function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set`);
  }
  return value;
}

const origin = new URL(required('ALOFT_SERVER')).origin;
const apiKey = required('ALOFT_API_KEY');
const corpus = required('ALOFT_CORPUS');
const mails = required('ALOFT_MAILS');
const shots = process.env.ALOFT_SHOTS;
const app = `e2e-${Date.now().toString(36)}`;

const browser = await startBrowser();
const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
page.setDefaultTimeout(15_000);
const faults = [];
page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
page.on('console', (message) => {
  // The browser reports refused and aborted requests by itself; the steps that provoke them check what is shown.
  if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
    faults.push(`console: ${message.text()}`);
  }
});

async function shot(name) {
  if (shots) {
    fs.mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: path.join(shots, `${name}.png`) });
  }
}

const world = { page, origin, apiKey, corpus, mails, app, server: connect(origin, apiKey), shot };
let failed = 0;
for (const [name, step] of steps) {
  const start = performance.now();
  try {
    await step(world);
    if (faults.length > 0) {
      throw new Error(faults.splice(0).join('\n'));
    }
    console.log(`ok    ${name} (${Math.round(performance.now() - start)} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error.stack ?? error}\nat ${page.url()}`);
    await shot('failed');
    break;
  }
}
await browser.close();
console.log(failed === 0 ? `${steps.length} steps passed` : 'the walk through the dashboard stopped');
process.exitCode = failed === 0 ? 0 : 1;
