// This file's job is to let CodePush's own clients update from an Aloft edge.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { packageHash } from './package.js';
import { GENERATIONS, Phone } from './phone.js';
import { edgeUrl, folderOf, makeApp, until } from './platform.js';

const BUNDLE = 'CodePush/index.android.bundle';

async function launchOf(version) {
  return readFile(path.join(folderOf(version), 'index.android.bundle'));
}

/** Waits until the phone is offered this release, and installs it. */
async function update(phone, label, isDone = () => true) {
  const offered = async () => {
    const remote = await phone.check();
    return remote?.label === label && isDone(remote) ? remote : null;
  };
  const remote = await until(`${label} is offered`, offered);
  return { remote, how: await phone.install(remote) };
}

for (const generation of GENERATIONS) {
  test(`${generation} installs a release, then the difference to the next one`, { timeout: 180_000 }, async () => {
    const app = await makeApp(generation);
    // The address with or without a slash at its end.
    const phone = new Phone(generation, { serverUrl: edgeUrl, deploymentKey: app.deploymentKey });
    await phone.report();
    await app.publish(folderOf('v1'), '--notes', 'First.');
    const first = await update(phone, 'v1');
    assert.equal(first.how, 'full');
    assert.equal(first.remote.description, 'First.');
    assert.equal(first.remote.isMandatory, false);
    assert.deepEqual(Buffer.from(phone.installed.files[BUNDLE]), await launchOf('v1'));
    await phone.report('DeploymentSucceeded', { label: '1.2.0', deploymentKey: app.deploymentKey });
    assert.equal(await phone.check(), null, 'up to date');

    await app.publish(folderOf('v2'), '--mandatory');
    // What a phone without a package is offered is the whole one.
    const fresh = new Phone(generation, { serverUrl: `${edgeUrl}/`, deploymentKey: app.deploymentKey });
    const whole = (await update(fresh, 'v2')).remote.packageSize;
    const second = await update(phone, 'v2', (remote) => remote.packageSize < whole);
    assert.equal(second.how, 'diff');
    assert.equal(second.remote.isMandatory, true);
    assert.deepEqual(Buffer.from(phone.installed.files[BUNDLE]), await launchOf('v2'));
    assert.equal(packageHash(phone.installed.files), second.remote.packageHash);
    await phone.report('DeploymentFailed', { label: 'v1', deploymentKey: app.deploymentKey });
  });

  test(`${generation} hears that its binary is too old, and why a request is wrong`, { timeout: 60_000 }, async () => {
    const app = await makeApp(`${generation}-refused`);
    await app.publish(folderOf('v1'));
    const serverUrl = edgeUrl;
    const current = new Phone(generation, { serverUrl, deploymentKey: app.deploymentKey });
    await until('v1 is offered', () => current.check());
    const old = new Phone(generation, { serverUrl, deploymentKey: app.deploymentKey, appVersion: '0.9.0' });
    assert.deepEqual(await old.check(), { updateAppVersion: true, appVersion: '1.x' });
    const newer = new Phone(generation, { serverUrl, deploymentKey: app.deploymentKey, appVersion: '3.0.0' });
    assert.equal(await newer.check(), null);
    const odd = new Phone(generation, { serverUrl, deploymentKey: app.deploymentKey, appVersion: 'one' });
    await assert.rejects(odd.check(), /^[A-Za-z]*:? ?400: An update check must include a binary version/);
    const lost = new Phone(generation, { serverUrl, deploymentKey: 'a-key-that-nobody-has' });
    await assert.rejects(lost.check(), /404: /);
    await lost.report();
  });
}

test('a phone with an old release gets the whole package, and the next one the difference', { timeout: 180_000 }, async () => {
  const app = await makeApp('long-ago');
  const phoneOf = (name) => new Phone('code-push-4', { serverUrl: edgeUrl, deploymentKey: app.deploymentKey, clientUniqueId: name });
  await app.publish(folderOf('v1'));
  const [first, second] = [phoneOf('first'), phoneOf('second')];
  await update(first, 'v1');
  await update(second, 'v1');
  // One release more than get a difference to the newest one ahead of time.
  const folder = await mkdtemp(path.join(os.tmpdir(), 'aloft-releases-'));
  await cp(folderOf('v1'), folder, { recursive: true });
  for (const number of [2, 3, 4, 5, 6, 7]) {
    await writeFile(path.join(folder, 'raw', 'note.txt'), `release ${number}`);
    await app.publish(folder);
  }
  await rm(folder, { recursive: true });
  const whole = (await update(phoneOf('fresh'), 'v7')).remote.packageSize;
  const missed = await update(first, 'v7');
  assert.deepEqual([missed.how, missed.remote.packageSize], ['full', whole]);
  const met = await update(second, 'v7', (remote) => remote.packageSize < whole);
  assert.equal(met.how, 'diff');
  assert.equal(packageHash(second.installed.files), met.remote.packageHash);
});

test('a key that apps have already is taken over, and only once', { timeout: 60_000 }, async () => {
  const key = `imported_${Date.now().toString(36)}-KEY`;
  const app = await makeApp('imported', key);
  assert.equal(app.deploymentKey, key);
  await assert.rejects(makeApp('imported-again', key), /ALREADY_EXISTS|exists already/);
  const listed = await app.operate('deployment-key', 'list');
  assert.deepEqual(listed.deployment_keys.map((one) => [one.key, one.platform]), [[key, 'android']]);
  await app.operate('deployment-key', 'delete', key);
  assert.deepEqual((await app.operate('deployment-key', 'list')).deployment_keys, []);
});
