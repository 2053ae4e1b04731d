// This file's job is to bundle every version of the app, for both platforms, as JavaScript and as Hermes bytecode.
//
// usage: node build.mjs WORK OUT
// WORK keeps what can be used again (installed dependencies, Metro's cache); OUT must not exist. Layout of OUT:
//   vN/{android,ios}/{js,hermes,hermes-base}/   a bundle with its assets, as the React Native build lays them out
//   maps/vN/{android,ios}/{js,hermes}.map       source maps; the Hermes one leads from bytecode to the sources
//   expo/vN/                                    the same Hermes bundles in the layout of `expo export`
//   corpus.json                                 versions of the tools; name, size and SHA-256 of every file
// hermes-base (from v2 on) is compiled with hermesc -base-bytecode against the version before it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const app = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const [work, out] = process.argv.slice(2).map((folder) => path.resolve(folder));
const project = path.join(work, 'project');
const platforms = { android: 'index.android.bundle', ios: 'main.jsbundle' };
const hermescFolders = { linux: 'linux64-bin', darwin: 'osx-bin', win32: 'win64-bin' };
const versions = JSON.parse(fs.readFileSync(path.join(app, 'versions.json'), 'utf8'));

const digest = (algorithm, bytes) => createHash(algorithm).update(bytes).digest('hex');
const makeFolder = (folder) => fs.mkdirSync(folder, { recursive: true });
const say = (text) => process.stderr.write(`corpus: ${text}\n`);

function filesUnder(folder) {
  return fs.readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** Metro 0.87 loads ES modules with require(), which Node does from 20.19 on. */
function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Error(`Node 20.19 or newer is needed to bundle the example app; this is ${process.versions.node}`);
  }
}

/** The last overlay that has the file wins; the base package.json and lock stand beside the overlays. */
function findFile(version, name) {
  const folders = ['.', ...version.overlays].reverse().map((folder) => path.join(app, folder, name));
  return folders.find((file) => fs.existsSync(file));
}

/** Installs a version's dependencies exactly as its lock file says, always in one place: module paths are the same in
 *  every version, and Metro's cache serves all of them. Sets not in use wait beside it under their key. */
function installDependencies(version) {
  const manifest = findFile(version, 'package.json');
  const lock = findFile(version, 'package-lock.json');
  const key = digest('sha256', Buffer.concat([fs.readFileSync(manifest), fs.readFileSync(lock)])).slice(0, 16);
  const modules = path.join(project, 'node_modules');
  const parked = (name) => path.join(work, `modules-${name}`);
  const mark = path.join(modules, '.complete');
  makeFolder(project);
  if (fs.existsSync(mark) && fs.readFileSync(mark, 'utf8') !== key) {
    const other = parked(fs.readFileSync(mark, 'utf8'));
    fs.rmSync(other, { recursive: true, force: true });
    fs.renameSync(modules, other);
  }
  if (!fs.existsSync(mark) && fs.existsSync(parked(key))) {
    fs.rmSync(modules, { recursive: true, force: true });
    fs.renameSync(parked(key), modules);
  }
  fs.copyFileSync(manifest, path.join(project, 'package.json'));
  fs.copyFileSync(lock, path.join(project, 'package-lock.json'));
  fs.copyFileSync(path.join(app, '.npmrc'), path.join(project, '.npmrc'));
  if (!fs.existsSync(mark)) {
    say(`installing the dependencies of ${version.name}`);
    execFileSync('npm', ['ci', '--no-progress', '--loglevel=error'], { cwd: project, stdio: ['ignore', 2, 2] });
    fs.writeFileSync(mark, key);
  }
  return key;
}

/** Replaces the app's files beside node_modules. */
function placeSources(version) {
  for (const name of fs.readdirSync(project)) {
    if (!['node_modules', 'package.json', 'package-lock.json', '.npmrc'].includes(name)) {
      fs.rmSync(path.join(project, name), { recursive: true });
    }
  }
  for (const overlay of version.overlays) {
    for (const name of filesUnder(path.join(app, overlay)).filter((name) => !name.startsWith('package'))) {
      makeFolder(path.dirname(path.join(project, name)));
      fs.copyFileSync(path.join(app, overlay, name), path.join(project, name));
    }
  }
}

/** Metro writes absolute paths, in one map or in a map of sections; a map must not depend on where it was made. */
function relocateMap(file) {
  const map = JSON.parse(fs.readFileSync(file, 'utf8'));
  for (const part of map.sections ? map.sections.map((section) => section.map) : [map]) {
    part.sources = part.sources?.map((source) => (source.startsWith(project) ? path.relative(project, source) : source));
  }
  fs.writeFileSync(file, JSON.stringify(map));
}

async function metroBundle(dependencies, platform, minify, bundleOutput, assetsDest) {
  const require = createRequire(path.join(project, 'package.json'));
  const fromPlugin = createRequire(require.resolve('@react-native/community-cli-plugin/package.json', {
    paths: [path.dirname(require.resolve('react-native/package.json'))],
  }));
  const { getDefaultConfig, mergeConfig } = require('@react-native/metro-config');
  const { FileStore } = createRequire(fromPlugin.resolve('metro'))('metro-cache');
  const config = mergeConfig(getDefaultConfig(project), {
    cacheStores: [new FileStore({ root: path.join(work, 'metro-cache') })],
    // Metro knows files by size and time of change: too little to tell two sets of dependencies apart.
    fileMapCacheDirectory: path.join(work, `files-${dependencies}`),
    maxWorkers: 2,
    reporter: { update() {} },
    watchFolders: [project],
    resolver: { useWatchman: false },
  });
  const { unstable_buildBundleWithConfig: build } = fromPlugin('./dist/commands/bundle/buildBundle.js');
  const sourcemapOutput = `${bundleOutput}.map`;
  await build(
    { entryFile: 'index.js', platform, dev: false, minify, bundleOutput, sourcemapOutput, assetsDest },
    config,
  );
  relocateMap(sourcemapOutput);
}

function hermesc() {
  const folder = hermescFolders[process.platform];
  if (!folder || (process.platform === 'linux' && process.arch !== 'x64')) {
    throw new Error(`hermes-compiler has no hermesc for ${process.platform} ${process.arch}`);
  }
  return path.join(project, 'node_modules', 'hermes-compiler', 'hermesc', folder, 'hermesc');
}

function compile(source, bytecode, base) {
  makeFolder(path.dirname(bytecode));
  const options = ['-w', '-emit-binary', '-max-diagnostic-width=80', '-O', '-output-source-map'];
  execFileSync(hermesc(), [...options, ...(base ? ['-base-bytecode', base] : []), '-out', bytecode, source],
    { stdio: ['ignore', 2, 2] });
}

function copyAssets(from, to) {
  fs.cpSync(from, to, { recursive: true });
}

async function buildPlatform(version, dependencies, platform) {
  const previous = versions[versions.indexOf(version) - 1];
  const name = platforms[platform];
  const folder = path.join(out, version.name, platform);
  const maps = path.join(out, 'maps', version.name, platform);
  const plain = path.join(work, 'plain', version.name, platform, name);
  makeFolder(maps);

  await metroBundle(dependencies, platform, true, path.join(folder, 'js', name), path.join(folder, 'js'));
  fs.renameSync(path.join(folder, 'js', `${name}.map`), path.join(maps, 'js.map'));

  // The React Native build compiles bytecode from the bundle before minification.
  const assets = path.join(work, 'plain', version.name, platform, 'assets-out');
  await metroBundle(dependencies, platform, false, plain, assets);
  const bytecode = path.join(folder, 'hermes', name);
  compile(plain, bytecode);
  execFileSync(process.execPath, [path.join(project, 'node_modules/react-native/scripts/compose-source-maps.js'),
    `${plain}.map`, `${bytecode}.map`, '-o', path.join(maps, 'hermes.map')], { stdio: ['ignore', 2, 2] });
  fs.rmSync(`${bytecode}.map`);
  copyAssets(assets, path.join(folder, 'hermes'));

  if (previous) {
    const based = path.join(folder, 'hermes-base', name);
    const before = path.join(out, previous.name, platform);
    const chained = path.join(before, 'hermes-base', name);
    compile(plain, based, fs.existsSync(chained) ? chained : path.join(before, 'hermes', name));
    fs.rmSync(`${based}.map`);
    copyAssets(assets, path.join(folder, 'hermes-base'));
  }
}

/** Lays a version out as `expo export` does: assets named by their MD5, bundles under _expo/static/js. */
function writeExpoExport(version) {
  const folder = path.join(out, 'expo', version.name);
  const fileMetadata = {};
  for (const [platform, name] of Object.entries(platforms)) {
    const from = path.join(out, version.name, platform, 'hermes');
    const bytes = fs.readFileSync(path.join(from, name));
    const bundle = `_expo/static/js/${platform}/index-${digest('md5', bytes)}.hbc`;
    makeFolder(path.join(folder, path.dirname(bundle)));
    fs.writeFileSync(path.join(folder, bundle), bytes);
    makeFolder(path.join(folder, 'assets'));
    const assets = new Map();
    for (const file of filesUnder(from).filter((file) => file !== name && file.endsWith('.png'))) {
      const asset = fs.readFileSync(path.join(from, file));
      const target = `assets/${digest('md5', asset)}`;
      fs.writeFileSync(path.join(folder, target), asset);
      assets.set(target, { path: target, ext: path.extname(file).slice(1) });
    }
    fileMetadata[platform] = { bundle, assets: [...assets.values()] };
  }
  fs.writeFileSync(path.join(folder, 'metadata.json'), JSON.stringify({ version: 0, bundler: 'metro', fileMetadata }));
}

function writeIndex() {
  const versionOf = (name) =>
    JSON.parse(fs.readFileSync(path.join(project, 'node_modules', name, 'package.json'), 'utf8')).version;
  const files = filesUnder(out).map((name) => {
    const bytes = fs.readFileSync(path.join(out, name));
    return { path: name.split(path.sep).join('/'), size_bytes: bytes.length, sha256: digest('sha256', bytes) };
  });
  const tools = { node: process.versions.node };
  for (const name of ['metro', 'react-native', 'hermes-compiler']) {
    tools[name] = versionOf(name);
  }
  const named = versions.map(({ name, kind }) => ({ name, kind }));
  fs.writeFileSync(path.join(out, 'corpus.json'), `${JSON.stringify({ format: 1, versions: named, tools, files }, null, 1)}\n`);
}

async function buildVersion(version) {
  const dependencies = installDependencies(version);
  makeFolder(path.join(work, `files-${dependencies}`));
  placeSources(version);
  for (const platform of Object.keys(platforms)) {
    say(`bundling ${version.name} for ${platform}`);
    await buildPlatform(version, dependencies, platform);
  }
  writeExpoExport(version);
}

process.env.NODE_ENV = 'production';
console.info = () => {};
console.log = () => {};
checkNode();
const only = process.argv[4];
if (only) {
  await buildVersion(versions.find((version) => version.name === only));
  process.exit(0);
}
// A process for each version: Metro and Babel must not stay loaded while the modules under them change.
for (const { name } of versions) {
  execFileSync(process.execPath, [process.argv[1], work, out, name], { stdio: ['ignore', 2, 2] });
}
fs.rmSync(path.join(work, 'plain'), { recursive: true });
writeIndex();
