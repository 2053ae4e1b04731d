// This file's job is to let CodePush's own management client work on an Aloft server, through an edge.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { packageHash } from './package.js';
import { Phone } from './phone.js';
import { edgeApiUrl, edgeUrl, folderOf, until } from './platform.js';

const AccountManager = createRequire(import.meta.url)('code-push-2');

const serverUrl = `${edgeApiUrl}/codepush`;
const manager = new AccountManager(process.env.ALOFT_API_KEY, undefined, serverUrl);
const appName = `Managed-${Date.now().toString(36)}-Android`;
let folder;

before(async () => {
  // The client writes its zip file into the working directory.
  folder = await mkdtemp(path.join(os.tmpdir(), 'aloft-management-'));
  process.chdir(folder);
  // An edge looks every two seconds at the control planes behind it.
  await until('the edge passes requests on', () => manager.isAuthenticated());
});

after(async () => {
  process.chdir(os.tmpdir());
  await rm(folder, { recursive: true });
});

/** The folder that the command line packs: everything of a version, below `CodePush`. */
async function packageOf(version) {
  const target = path.join(folder, version, 'CodePush');
  await cp(folderOf(version), target, { recursive: true });
  return target;
}

test('a script that releases with the management client goes on', { timeout: 180_000 }, async () => {
  assert.equal(await manager.isAuthenticated(), true);
  assert.equal(await new AccountManager('no-key', undefined, serverUrl).isAuthenticated(), false);
  await manager.addApp(appName, 'Android', 'React-Native');
  const apps = await manager.getApps();
  const { deployments } = apps.find((app) => app.name === appName);
  assert.deepEqual(deployments, ['Production', 'Staging']);

  const first = await manager.release(appName, 'Staging', await packageOf('v1'), '1.x', { description: 'First', rollout: 50 });
  assert.equal(first.label, 'v1');
  assert.equal(first.rollout, 50);
  await assert.rejects(
    async () => manager.release(appName, 'Staging', await packageOf('v1'), '1.x', {}),
    (error) => error.statusCode === 409 && /identical to the contents/.test(error.message),
  );
  await manager.patchRelease(appName, 'Staging', 'v1', { rollout: 100, isMandatory: true });
  const promoted = await manager.promote(appName, 'Staging', 'Production', { description: 'For all' });
  assert.equal(promoted.packageHash, first.packageHash);
  await manager.release(appName, 'Production', await packageOf('v2'), '1.x', {});

  const production = await manager.getDeployment(appName, 'Production');
  const phone = new Phone('code-push-4', { serverUrl: edgeUrl, deploymentKey: production.key });
  const newest = await until('v2 is offered', async () => {
    const remote = await phone.check();
    return remote?.label === 'v2' ? remote : null;
  });
  await phone.install(newest);
  await phone.report('DeploymentSucceeded');
  const counted = await until('the reports are counted', async () => {
    const { v2 } = await manager.getDeploymentMetrics(appName, 'Production');
    return v2.installed === 1 && v2.downloaded === 1 ? v2 : null;
  });
  assert.deepEqual(counted, { active: 1, downloaded: 1, failed: 0, installed: 1 });
  assert.equal(packageHash(phone.installed.files), production.package.packageHash);

  await manager.rollback(appName, 'Production', 'v1');
  const history = await manager.getDeploymentHistory(appName, 'Production');
  assert.deepEqual(history.map((one) => [one.label, one.releaseMethod]), [['v1', 'Promote'], ['v2', 'Upload'], ['v3', 'Rollback']]);
  assert.equal(history[2].packageHash, first.packageHash);
  assert.deepEqual(
    history.map((one) => [one.originalLabel, one.originalDeployment]),
    [['v1', 'Staging'], [null, null], ['v1', null]],
  );
  const { email } = await manager.getAccountInfo();
  assert.deepEqual(history.map((one) => one.releasedBy), [email, email, email]);
  // The package's address is the control plane's own.
  const zip = await fetch(history[2].blobUrl, { headers: { authorization: `Bearer ${process.env.ALOFT_API_KEY}` } });
  assert.equal((await zip.arrayBuffer()).byteLength, history[2].size);
  const back = await until('v1 is brought back', async () => {
    const remote = await phone.check();
    return remote?.label === 'v3' ? remote : null;
  });
  assert.equal(back.packageHash, first.packageHash);
});

test('what is wrong with a release is said', { timeout: 60_000 }, async () => {
  const file = path.join(folder, 'broken.zip');
  await writeFile(file, 'PK\u0003\u0004 and nothing else');
  await assert.rejects(manager.release(appName, 'Staging', file, '1.x', {}), (error) => error.statusCode === 400);
  await assert.rejects(manager.getDeployments('Nobody-Android'), (error) => error.statusCode === 404);
  await assert.rejects(manager.addDeployment(appName, 'Staging'), (error) => error.statusCode === 409);
});

test('a bundle that is released without a folder around it is packed', { timeout: 120_000 }, async () => {
  const file = path.join(folderOf('v3'), 'index.android.bundle');
  const released = await manager.release(appName, 'Staging', file, '1.x', {});
  const { key } = await manager.getDeployment(appName, 'Staging');
  const phone = new Phone('code-push-4', { serverUrl: edgeUrl, deploymentKey: key });
  const remote = await until('it is offered', async () => {
    const offered = await phone.check();
    return offered?.label === released.label ? offered : null;
  });
  await phone.install(remote);
  assert.deepEqual(Object.keys(phone.installed.files), ['CodePush/index.android.bundle']);
  assert.deepEqual(Buffer.from(phone.installed.files['CodePush/index.android.bundle']), await readFile(file));
  const text = path.join(folder, 'notes.txt');
  await writeFile(text, 'no bundle');
  await assert.rejects(manager.release(appName, 'Staging', text, '1.x', {}), (error) => error.statusCode === 400);
});

test('access keys get another name and end, and a key has no sessions', { timeout: 60_000 }, async () => {
  const name = `key-${Date.now().toString(36)}`;
  const made = await manager.addAccessKey(name, 3_600_000);
  const other = new AccountManager(made.key, undefined, serverUrl);
  assert.equal(await other.isAuthenticated(), true);
  const changed = await manager.patchAccessKey(name, `${name}-2`, 7_200_000);
  assert.equal(changed.name, `${name}-2`);
  assert.ok(changed.expires > made.expires);
  assert.equal(await other.isAuthenticated(), true);
  assert.ok((await manager.getAccessKeys()).some((key) => key.name === changed.name));
  await manager.removeAccessKey(changed.name);
  await assert.rejects(manager.getAccessKey(changed.name), (error) => error.statusCode === 404);
  assert.deepEqual(await manager.getSessions(), []);
  await assert.rejects(manager.removeSession('machine'), (error) => error.statusCode === 404);
});

test('a key hands nothing to people, and says who can', { timeout: 60_000 }, async () => {
  assert.ok(Object.keys(await manager.getCollaborators(appName)).length > 0);
  const refused = (status, text) => (error) => error.statusCode === status && text.test(error.message);
  await assert.rejects(manager.addCollaborator(appName, 'new@example.com'), refused(403, /dashboard/));
  await assert.rejects(manager.removeCollaborator(appName, 'owner@localhost'), refused(403, /dashboard/));
  await assert.rejects(manager.transferApp(appName, 'new@example.com'), refused(400, /org_/));
});
