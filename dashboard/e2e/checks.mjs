// This file's job is to check what every screen must keep: accessibility in both colour schemes, and room on a narrow screen.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const axeSource = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const WIDE = { width: 1280, height: 860 };
const NARROW = { width: 320, height: 700 };

async function accessible(page, what) {
  const broken = await page.evaluate(
    async ({ source, rules }) => {
      if (!('axe' in window)) {
        // Not as a script element: a strict content policy would refuse that.
        (0, eval)(source);
      }
      const { violations } = await window.axe.run(document, { runOnly: rules });
      return violations.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary}`).join('; ')}`);
    },
    { source: axeSource, rules: RULES },
  );
  assert.deepEqual(broken, [], `accessibility of ${what}`);
}

async function fits(page, what) {
  const [needed, given] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(needed <= given, `${what} is ${needed} px wide on a screen of ${given} px`);
}

/** Call it on each screen once its data is shown. */
export async function checkScreen({ page, shot }, what) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await accessible(page, `${what}, ${colorScheme}`);
    await shot(`${what}-${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(NARROW);
  await fits(page, what);
  await shot(`${what}-narrow`);
  await page.setViewportSize(WIDE);
}
