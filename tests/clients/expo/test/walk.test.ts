// This file's job is to walk an Expo app through a life with a real edge: update, patch, crash, roll back, other channel.
import { createPublicKey, randomUUID } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  convertCertificatePEMToCertificate,
  convertKeyPairPEMToKeyPair,
  convertPrivateKeyPEMToPrivateKey,
  signBufferRSASHA256AndVerify,
  validateSelfSignedCertificate,
} from '@expo/code-signing-certificates';
import { expect, test } from 'vitest';
import { makeTeam } from './authority.js';
import { Device, type Found } from './device.js';
import { type Exported, exportVersion } from './export.js';
import { Channel, edgeUrl } from './platform.js';
import { hashOf } from './strict.js';

const isNothing = (found: Found) =>
  found.kind === 'nothing' || (found.kind === 'directive' && found.directive.type === 'noUpdateAvailable');

async function publish(channel: Channel, version: string, ...options: string[]): Promise<Exported> {
  const exported = await exportVersion(version);
  await channel.operate('release', '--expo', exported.folder, '--runtime-version', '1', ...options);
  return exported;
}

test('an update arrives whole, and nothing is new after it', async () => {
  const channel = await Channel.make('walk');
  const exported = await publish(channel, 'v1');
  const device = new Device(channel);
  const manifest = await device.takeOver();
  expect(device.launchedFile?.equals(exported.launch)).toBe(true);
  expect(manifest.assets.map((asset) => asset.key).sort()).toEqual(exported.assetKeys);
  expect(manifest.metadata).toEqual({ branchName: 'production' });
  expect((manifest.extra as { expoClient: { name: string } }).expoClient.name).toBe('Trailhead ü');
  expect(device.filter).toEqual(new Map([['branchname', 'production']]));
  expect(await device.check()).toEqual({ kind: 'directive', directive: { type: 'noUpdateAvailable' } });
  // Of several forms a client gets the one that it likes best.
  const other = new Device(channel, null, { accept: 'application/json' });
  expect(await other.check()).toMatchObject({ kind: 'manifest', manifest: { id: manifest.id } });
  const current = { 'expo-current-update-id': manifest.id };
  expect(await other.check(current)).toEqual({ kind: 'nothing' });
});

test('the next update comes as a patch that bspatch applies, from any earlier one and from the embedded bundle', async () => {
  const channel = await Channel.make('patch');
  await publish(channel, 'v1');
  const [device, oldest] = [new Device(channel), new Device(channel)];
  await device.takeOver();
  await oldest.takeOver();
  const second = await publish(channel, 'v2');
  const embedded = new Device(channel);
  embedded.launchedFile = device.launchedFile;
  const content = (await channel.operate('releases', 'get', 'v1')) as { bundle_sha256: string };
  const words = ['binary', 'create', '--platform', 'android', '--version', '1.0.0', '--runtime-version', '1'];
  await channel.operate(...words, '--embedded-bundle', content.bundle_sha256, '--embedded-update-id', embedded.embeddedId);
  const found = await device.checkUntil((found) => found.kind === 'manifest' && device.takes(found.manifest));
  const manifest = found.kind === 'manifest' ? found.manifest : expect.fail('no manifest');
  const until = Date.now() + 120_000;
  for (const waiting of [device, embedded]) {
    // Patches are made after the release.
    while ((await waiting.askForPatch(manifest)).status !== 226) {
      expect(Date.now()).toBeLessThan(until);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    waiting.launchBytes = 0;
    await waiting.load(manifest);
    expect(waiting.launchedFile?.equals(second.launch)).toBe(true);
    expect(waiting.launchBytes).toBeLessThan(second.launch.length / 5);
  }
  const answer = await oldest.askForPatch(manifest);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    im: 'bsdiff',
    'expo-base-update-id': oldest.currentId,
    'cache-control': 'private, no-store',
    vary: 'accept-encoding, a-im, expo-current-update-id',
  });
  // Whoever has something else, or asks for none, gets the file.
  const stranger = new Device(channel);
  expect((await stranger.askForPatch(manifest)).status).toBe(200);
  await stranger.load(manifest, false);
  expect(stranger.launchedFile?.equals(second.launch)).toBe(true);
});

test('an update that failed on a device is not served to it again', async () => {
  const channel = await Channel.make('crash');
  await publish(channel, 'v1');
  const device = new Device(channel);
  await device.takeOver();
  await publish(channel, 'v2');
  const found = await device.checkUntil((found) => found.kind === 'manifest');
  const bad = found.kind === 'manifest' ? found.manifest.id : '';
  device.failed = [bad, randomUUID()];
  device.fatalError = 'TypeError: undefined is not a function';
  expect(isNothing(await device.check())).toBe(true);
  expect(isNothing(await device.check())).toBe(true);
  const other = new Device(channel);
  expect(await other.check()).toMatchObject({ kind: 'manifest', manifest: { id: bad } });
});

test('a rollback brings old content under a new id, and one to the embedded update is a directive', async () => {
  const channel = await Channel.make('back');
  const first = await publish(channel, 'v1');
  const device = new Device(channel);
  await device.takeOver();
  await publish(channel, 'v2');
  const second = await device.takeOver();
  await channel.operate('rollback');
  const third = await device.takeOver();
  expect(third.id).not.toBe(second.id);
  expect(device.launchedFile?.equals(first.launch)).toBe(true);
  await channel.operate('rollback', '--embedded');
  const found = await device.checkUntil((found) => found.kind === 'directive' && found.directive.type === 'rollBackToEmbedded');
  expect(found.kind === 'directive' && device.apply(found.directive)).toBe(true);
  expect(isNothing(await device.check())).toBe(true);
  // What comes later is newer than the embedded update is now.
  await publish(channel, 'v3');
  await device.takeOver();
});

test('a device that changes its channel gets what that offers, older or not', async () => {
  const channel = await Channel.make('switch');
  const staging = await channel.another('staging');
  await publish(staging, 'v2');
  await new Device(staging).takeOver();
  await publish(channel, 'v1');
  const device = new Device(channel);
  await device.takeOver();
  const moved = new Device(staging);
  [moved.launched, moved.launchedFile] = [device.launched, device.launchedFile];
  const manifest = await moved.takeOver();
  expect(manifest.metadata).toEqual({ branchName: 'staging' });
  await channel.operate('promote', '--to', 'staging');
  const promoted = await moved.checkUntil((found) => found.kind === 'manifest' && moved.takes(found.manifest));
  expect(promoted).toMatchObject({ manifest: { metadata: { branchName: 'staging' } } });
});

test('a rollout takes in the share of devices by their ids', async () => {
  const channel = await Channel.make('rollout');
  await publish(channel, 'v1');
  await new Device(channel).takeOver();
  await publish(channel, 'v2', '--rollout', '50%');
  const full = await exportVersion('v2');
  const devices = Array.from({ length: 40 }, () => new Device(channel));
  const offers = async (device: Device) => {
    const found = await device.check();
    return found.kind === 'manifest' && found.manifest.launchAsset.hash === hashOf(full.launch);
  };
  const until = Date.now() + 60_000;
  let taken = 0;
  while (taken === 0 && Date.now() < until) {
    taken = (await Promise.all(devices.map(offers))).filter(Boolean).length;
  }
  // Fewer than 4 or more than 36 of 40 come once in a hundred million times.
  expect(taken).toBeGreaterThan(3);
  expect(taken).toBeLessThan(37);
  const nameless = new Device(channel, null, { 'eas-client-id': '' });
  expect(await offers(nameless)).toBe(false);
});

test('what the owner signs is what Expo signs, and nobody who expects that gets anything else', async () => {
  const channel = await Channel.make('signed');
  const folder = await mkdtemp(path.join(tmpdir(), 'aloft-keys-'));
  const [certs, keys] = [path.join(folder, 'certs'), path.join(folder, 'keys')];
  const prepared = (await channel.operate('expo', 'init', '--certificate-folder', certs, '--key-folder', keys)) as {
    private_key: string;
    certificate: string;
    config: { updates: { url: string } };
  };
  expect(prepared.config.updates.url).toBe(`${edgeUrl}/v1/expo/${channel.appId}`);
  const [privateKeyPEM, certificatePEM] = await Promise.all([readFile(prepared.private_key, 'utf8'), readFile(prepared.certificate, 'utf8')]);
  const publicKeyPEM = createPublicKey(privateKeyPEM).export({ type: 'spki', format: 'pem' }).toString();
  const certificate = convertCertificatePEMToCertificate(certificatePEM);
  validateSelfSignedCertificate(certificate, convertKeyPairPEMToKeyPair({ privateKeyPEM, publicKeyPEM }));
  const sign = ['--private-key-path', prepared.private_key];
  await publish(channel, 'v1', ...sign);
  const device = new Device(channel, certificatePEM);
  const found = await device.checkUntil((found) => found.kind === 'manifest');
  if (found.kind !== 'manifest') {
    throw new Error('no manifest');
  }
  const theirs = signBufferRSASHA256AndVerify(convertPrivateKeyPEMToPrivateKey(privateKeyPEM), certificate, found.body);
  expect(found.signature).toBe(`sig="${theirs}", keyid="main", alg="rsa-v1_5-sha256"`);
  await device.load(found.manifest);
  // A directive that nobody signed would be an error on the device.
  expect(await device.check()).toEqual({ kind: 'nothing' });
  await channel.operate('rollback', '--embedded', ...sign);
  const back = await device.checkUntil((found) => found.kind === 'directive');
  expect(back.kind === 'directive' && device.apply(back.directive)).toBe(true);
  // Who publishes without the key reaches only those who expect none.
  await publish(channel, 'v2');
  const trusting = new Device(channel);
  await trusting.takeOver();
  expect(await device.check()).toEqual({ kind: 'nothing' });
});

test('headers that the owner defines come back with every check, until others or none are defined', async () => {
  const channel = await Channel.make('headers');
  await publish(channel, 'v1');
  const define = (option: string, text: string) => channel.operate('channel', 'update', 'production', `--expo-${option}-headers`, text);
  const device = new Device(channel, null, { 'x-fixed': 'mine' });
  const manifest = await device.takeOver();
  expect(device.serverDefined.size).toBe(0);
  await define('server-defined', 'x-ring="early \\"1\\"", x-generation=2, x-on, x-fixed="theirs"');
  await device.checkUntil(() => device.serverDefined.size > 0);
  const kept = Object.fromEntries(device.serverDefined);
  expect(kept).toEqual({ 'x-ring': 'early "1"', 'x-generation': '2', 'x-on': 'true', 'x-fixed': 'theirs' });
  // What the client says itself counts more; and the answer is the same as without them.
  expect(await device.check()).toEqual({ kind: 'directive', directive: { type: 'noUpdateAvailable' } });
  expect(device.sent).toMatchObject({ 'x-ring': 'early "1"', 'x-generation': '2', 'x-on': 'true', 'x-fixed': 'mine' });
  await define('server-defined', '');
  await device.checkUntil(() => device.serverDefined.size === 0);
  // Files are asked for with what belongs to their keys.
  await define('asset-request', 'authorization="Bearer 1"');
  const other = new Device(channel);
  await other.checkUntil(() => Object.keys(other.assetHeaders).length > 0);
  const keys = [manifest.launchAsset, ...manifest.assets].map((asset) => asset.key).sort();
  expect(Object.keys(other.assetHeaders).sort()).toEqual(keys);
  expect(other.assetHeaders[manifest.launchAsset.key]).toEqual({ authorization: 'Bearer 1' });
  await other.takeOver();
  expect(other.launchedFile?.equals(device.launchedFile ?? Buffer.alloc(0))).toBe(true);
  const refused = { stdout: expect.stringContaining('expo_server_defined_headers') as string };
  await expect(define('server-defined', 'expo-channel-name="other"')).rejects.toMatchObject(refused);
});

test('a key that the server keeps signs whatever is published, and nothing any more when it is gone', async () => {
  const channel = await Channel.make('kept');
  const staging = await channel.another('staging');
  const folder = await mkdtemp(path.join(tmpdir(), 'aloft-certs-'));
  const prepared = (await channel.operate('expo', 'init', '--certificate-folder', folder, '--key-on-server')) as { certificate: string };
  expect(Object.keys(prepared).sort()).toEqual(['certificate', 'config']);
  const certificate = await readFile(prepared.certificate, 'utf8');
  await publish(channel, 'v1');
  const device = new Device(channel, certificate);
  await device.takeOver();
  await publish(channel, 'v2');
  await device.takeOver();
  await channel.operate('promote', '--to', 'staging');
  await new Device(staging, certificate).takeOver();
  await channel.operate('rollback');
  await device.takeOver();
  await channel.operate('rollback', '--embedded');
  const back = await device.checkUntil((found) => found.kind === 'directive');
  expect(back.kind === 'directive' && device.apply(back.directive)).toBe(true);
  // An app has one key: no other slips in beside it.
  const second = channel.operate('expo', 'init', '--certificate-folder', path.join(folder, 'other'), '--key-on-server');
  await expect(second).rejects.toMatchObject({ stdout: expect.stringContaining('exists') as string });
  await channel.operate('expo', 'key', 'delete');
  await publish(channel, 'v3');
  await new Device(channel).takeOver();
  expect(await device.check()).toEqual({ kind: 'nothing' });
  // The device refuses what another key than that of its certificate signed.
  const other = await mkdtemp(path.join(tmpdir(), 'aloft-other-'));
  const init = ['expo', 'init', '--certificate-folder', path.join(other, 'certs'), '--key-folder', path.join(other, 'keys')];
  const { private_key } = (await channel.operate(...init)) as { private_key: string };
  await channel.operate('expo', 'key', 'set', '--private-key-path', private_key);
  expect(await channel.operate('expo', 'key', 'get')).toMatchObject({ kind: 'signing-key', display_name: 'main' });
  await publish(channel, 'v1');
  const until = Date.now() + 60_000;
  for (;;) {
    const answer = await device.check().catch((error: unknown) => String(error));
    if (typeof answer === 'string') {
      expect(answer).toContain('the signature is the one of the body');
      break;
    }
    expect(Date.now()).toBeLessThan(until);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test('certificates lead from whoever signs to the one in the app, whether the owner or the server has the key', async () => {
  const channel = await Channel.make('team');
  const team = await makeTeam(await mkdtemp(path.join(tmpdir(), 'aloft-team-')));
  const signing = ['--private-key-path', team.keyPath, '--certificate-chain-path', team.chainPath];
  await publish(channel, 'v1', ...signing);
  const device = new Device(channel, team.root);
  device.takesChain = true;
  await device.takeOver();
  await channel.operate('expo', 'key', 'set', ...signing);
  await publish(channel, 'v2');
  await device.takeOver();
  await channel.operate('rollback', '--embedded');
  const back = await device.checkUntil((found) => found.kind === 'directive');
  expect(back.kind === 'directive' && device.apply(back.directive)).toBe(true);
  // Certificates of another key are a mistake that is noticed at once.
  const other = await makeTeam(await mkdtemp(path.join(tmpdir(), 'aloft-team-')));
  const wrong = channel.operate('expo', 'key', 'set', '--private-key-path', team.keyPath, '--certificate-chain-path', other.chainPath);
  await expect(wrong).rejects.toMatchObject({ stdout: expect.stringContaining('secret') as string });
  // An app with another root, or one that takes no certificates, does not believe it.
  const strangers = [new Device(channel, other.root), new Device(channel, team.root)];
  await publish(channel, 'v3');
  await device.takeOver();
  for (const [index, stranger] of strangers.entries()) {
    stranger.takesChain = index === 0;
    await expect(stranger.check()).rejects.toThrow(index === 0 ? 'signed by the next' : 'the one of the body');
  }
});

test('requests that make no sense get precise refusals that clients can read', async () => {
  const channel = await Channel.make('odd');
  const device = new Device(channel);
  await device.checkUntil(isNothing);
  for (const [headers, status, part] of [
    [{ 'expo-platform': 'windows' }, 400, 'expo-platform'],
    [{ 'expo-recent-failed-update-ids': '('.repeat(4_000) }, 400, 'expo-recent-failed-update-ids'],
    [{ 'expo-extra-params': 'A=?' }, 400, 'expo-extra-params'],
    [{ accept: 'text/html' }, 406, 'form-unknown'],
    [{ 'expo-protocol-version': '7' }, 406, 'protocol-unknown'],
    [{ 'expo-channel-name': 'nowhere' }, 404, 'channel-unknown'],
  ] as const) {
    const found = await device.check(headers);
    expect(found).toMatchObject({ kind: 'error', status });
    expect(found.kind === 'error' && found.text).toContain(part);
  }
});
