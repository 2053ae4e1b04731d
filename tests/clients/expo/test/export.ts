// This file's job is to lay out bundles of the sample app as `expo export` does.
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { corpus, edgeUrl } from './platform.js';

/** An exported folder. */
export interface Exported {
  readonly folder: string;
  /** The launch file's bytes. */
  readonly launch: Buffer;
  /** MD5 of each asset. */
  readonly assetKeys: string[];
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

/** Exports a version of the sample app for Android. */
export async function exportVersion(version: string): Promise<Exported> {
  const source = path.join(corpus, version, 'android', 'hermes');
  const folder = await mkdtemp(path.join(tmpdir(), 'aloft-expo-'));
  const launch = await readFile(path.join(source, 'index.android.bundle'));
  // The name is no hash of the bytecode, but of what it was made from.
  const bundle = `_expo/static/js/android/index-${md5(Buffer.from(version))}.hbc`;
  await mkdir(path.join(folder, path.dirname(bundle)), { recursive: true });
  await mkdir(path.join(folder, 'assets'));
  await writeFile(path.join(folder, bundle), launch);
  const assets = new Map<string, { path: string; ext: string }>();
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const ext = path.extname(entry.name).slice(1);
    if (entry.isFile() && ext === 'png') {
      const key = md5(await readFile(file));
      await cp(file, path.join(folder, 'assets', key));
      assets.set(key, { path: `assets/${key}`, ext });
    }
  }
  const fileMetadata = { android: { bundle, assets: [...assets.values()] } };
  await writeFile(path.join(folder, 'metadata.json'), JSON.stringify({ version: 0, bundler: 'metro', fileMetadata }));
  const config = { name: 'Trailhead ü', slug: 'trailhead', runtimeVersion: '1', updates: { url: `${edgeUrl}/v1/expo/app` } };
  await writeFile(path.join(folder, 'expoConfig.json'), JSON.stringify(config));
  return { folder, launch, assetKeys: [...assets.keys()].sort() };
}
