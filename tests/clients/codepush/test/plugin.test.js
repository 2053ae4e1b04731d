// This file's job is to let react-native-code-push's own JavaScript install, restart, crash and go back.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { edgeUrl, folderOf, makeApp, until } from './platform.js';
import { AppPhone } from './plugin.js';

const INSTALLED = 1;
const UP_TO_DATE = 0;
const BUNDLE = 'CodePush/index.android.bundle';

async function runs(phone, version) {
  const launch = await readFile(path.join(folderOf(version), 'index.android.bundle'));
  return Buffer.from(phone.running.files[BUNDLE]).equals(launch);
}

/** Starts the app until this release is offered, as a difference when that is wanted, and installs it. */
async function sync(phone, label, isDiff = false) {
  const fresh = new AppPhone({ ...phone.config });
  const offered = async () => {
    const remote = await phone.launch().checkForUpdate();
    if (remote?.label !== label || !isDiff) {
      return remote?.label === label;
    }
    // What a phone without a package is offered is the whole one.
    const whole = await fresh.launch().checkForUpdate();
    return remote.packageSize < whole.packageSize;
  };
  await until(`${label} is offered`, offered);
  return phone.launch().sync();
}

test('the plug-in installs, starts anew, reports success, and goes back from a crash', { timeout: 180_000 }, async () => {
  const app = await makeApp('plug-in');
  const phone = new AppPhone({ serverUrl: edgeUrl, deploymentKey: app.deploymentKey });
  assert.equal(await phone.launch().sync(), UP_TO_DATE);
  await until('the binary is reported', () => phone.statuses?.includes('1.2.0'));

  await app.publish(folderOf('v1'));
  assert.equal(await sync(phone, 'v1'), INSTALLED);
  assert.equal(phone.wantsRestart, undefined, 'not mandatory: at the next start');
  assert.equal(await phone.launch().sync(), UP_TO_DATE);
  assert.ok(await runs(phone, 'v1'));
  await until('success is reported', () => phone.statuses.includes('DeploymentSucceeded'));

  await app.publish(folderOf('v2'), '--mandatory');
  assert.equal(await sync(phone, 'v2', true), INSTALLED);
  assert.deepEqual(phone.downloads, ['full', 'diff']);
  assert.equal(phone.wantsRestart, true, 'mandatory: at once');
  assert.ok(await runs(phone, 'v2'));
  // It crashes before it says that it works: the next start is of the one before.
  phone.launch();
  const app2 = phone.launch();
  assert.ok(await runs(phone, 'v1'));
  assert.equal(await app2.sync(), UP_TO_DATE, 'the failed update is ignored');
  await until('failure is reported', () => phone.statuses.includes('DeploymentFailed'));
  assert.equal((await app2.checkForUpdate()).failedInstall, true);
});

test('signed packages verify in full and as a difference, and others do not', { timeout: 180_000 }, async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const folder = await mkdtemp(path.join(tmpdir(), 'codepush-keys-'));
  try {
    // Both kinds of key files.
    const key = async (type) => {
      const name = path.join(folder, `${type}.pem`);
      await writeFile(name, privateKey.export({ type, format: 'pem' }));
      return ['--codepush-private-key', name];
    };
    const app = await makeApp('signed');
    const phone = new AppPhone({ serverUrl: edgeUrl, deploymentKey: app.deploymentKey, publicKey });
    await app.publish(folderOf('v1'), ...(await key('pkcs1')));
    assert.equal(await sync(phone, 'v1'), INSTALLED);
    assert.equal(await phone.launch().sync(), UP_TO_DATE);
    await app.publish(folderOf('v2'), ...(await key('pkcs8')));
    assert.equal(await sync(phone, 'v2', true), INSTALLED);
    assert.deepEqual(phone.downloads, ['full', 'diff']);
    assert.ok(await runs(phone, 'v2'));
    assert.equal(await phone.launch().sync(), UP_TO_DATE);

    await app.publish(folderOf('v3'));
    await assert.rejects(sync(phone, 'v3'), /not signed/);
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const other = new AppPhone({ serverUrl: edgeUrl, deploymentKey: app.deploymentKey, publicKey: stranger });
    await app.publish(folderOf('v1'), ...(await key('pkcs1')));
    await assert.rejects(sync(other, 'v4'), /not signed by the key owner/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
